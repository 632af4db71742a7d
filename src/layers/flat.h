/* flat.h — a dense layer over a profile and the rows of a history side by side, without laying them there:
 *     y = W [x of age n - 1; …; x of age 0] + V profile + b = sum over the rows there are of W_age x + …
 * so that an age without a row is zeros, and a short history costs what its rows cost. */
#ifndef PQ_FLAT_H
#define PQ_FLAT_H

#include "graph/ops.h"

typedef struct {
    pq_param *w;       /* (ages out, in): the matrices of the ages, one below the other */
    pq_param *profile; /* (out, profile); NULL without one */
    pq_param *b;       /* (1, out) */
    uint32_t ages;
} pq_flat;

/* flat->ages is set. Names begin with "tower1.". profile: width of its vector, 0 for none. */
void pq_flat_declare(pq_flat *flat, pq_params *params, uint32_t in, uint32_t profile, uint32_t out);
/* x (T, in) of the segments, ages [T], profile (B, ·) or NULL without one, to (B, out). */
pq_var *pq_flat_run(pq_tape *t, const pq_flat *flat, pq_var *x, const pq_segments *segments,
                    const uint32_t *ages, pq_var *profile);

#endif
