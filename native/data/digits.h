/* digits.h — images of digits drawn from strokes: data whose classes are known, for models that tell what an image
 * shows.
 *
 * A digit has one of two forms, each a few lines and arcs in the unit square. Every number of a stroke is off by
 * PQ_DIGITS_SHAKE * normal; then the whole is scaled by 1 ± PQ_DIGITS_SCALE in both directions, slanted (x moves by up to
 * ± slant of y), turned by up to ± rotate degrees, and moved by up to ± PQ_DIGITS_MOVE of the image, each uniformly. A
 * pen of a random width draws it with soft edges, its ink varies from pixel to pixel, and a share of PQ_DIGITS_SPECKS of
 * the pixels gets a random level. Levels are hundredths from 0 to 1.
 *
 * Image i has a random stream of its own and only pinned functions are used, so the bytes depend on the options alone. */
#ifndef PQ_DIGITS_H
#define PQ_DIGITS_H

#include "base/context.h"
#include "base/text.h"
#include "pique_train.h"

#define PQ_DIGITS_SHAKE 0.015
#define PQ_DIGITS_SCALE 0.15
#define PQ_DIGITS_MOVE 0.07
#define PQ_DIGITS_THIN 0.035 /* half the pen's width, of the image's side */
#define PQ_DIGITS_THICK 0.06
#define PQ_DIGITS_INK 0.1
#define PQ_DIGITS_SPECKS 0.02

#define PQ_DIGITS_MOST 1000000
#define PQ_DIGITS_LEAST_SIDE 8
#define PQ_DIGITS_MOST_SIDE 64

/* The texts of users.csv (user,pixels), interactions.csv (user,item,label,timestamp: the nine digits that an image does
 * not show, then the one that it does) and schema.json; all were initialised. The listener may be NULL. */
pique_status pq_digits(pq_ctx *ctx, const pique_digits_options *options,
                       const pique_listener *listener, pq_text *users, pq_text *interactions,
                       pq_text *schema);

#endif
