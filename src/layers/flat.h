/* flat.h — a dense layer over the rows of a history side by side, without laying them there:
 *     y = W [x of age n - 1; …; x of age 0] = sum over the rows there are of W_age x
 * so that an age without a row is zeros, and a short history costs what its rows cost. */
#ifndef PQ_FLAT_H
#define PQ_FLAT_H

#include "graph/ops.h"

typedef struct {
    pq_param *w; /* (ages out, in): the matrices of the ages, one below the other */
    uint32_t ages;
} pq_flat;

void pq_flat_declare(pq_flat *flat, pq_params *params, const char *name, uint32_t ages, uint32_t in,
                     uint32_t out);
/* x (T, in) of the segments, ages [T], to (B, out); no bias. */
pq_var *pq_flat_run(pq_tape *t, const pq_flat *flat, pq_var *x, const pq_segments *segments,
                    const uint32_t *ages);

#endif
