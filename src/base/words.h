/* words.h — text as codes, which training and the page make alike: it is split at what is neither letter nor digit,
 * lowered where it is ASCII, and its words and pairs of neighbouring words are hashed (FNV-1a). */
#ifndef PQ_WORDS_H
#define PQ_WORDS_H

#include "base/json.h"

/* Calls `take` with the code, 1 .. buckets, of every word, and then of the word and the one before it. */
void pq_words(pq_span text, uint32_t buckets, void (*take)(void *user, uint32_t code), void *user);

#endif
