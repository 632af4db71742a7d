/* squash.h — squash of capsules (Sabour, Frosst & Hinton, NIPS 2017, equation 1), which keeps a vector's direction and
 * brings its length below 1: c = |z|² / (1 + |z|²) * z / sqrt(|z|² + epsilon). Of vectors of d numbers. */
#ifndef PQ_SQUASH_H
#define PQ_SQUASH_H

#include "graph/graph.h"

void pq_squash(const pq_kernels *f, const pq_real *z, double epsilon, pq_real *c, uint32_t d);
/* Adds to dz what the gradient g of c makes of z. */
void pq_squash_backward(const pq_kernels *f, const pq_real *z, double epsilon, const pq_real *g,
                        pq_real *dz, uint32_t d);

/* The length of a capsule, which has a slope at zero too. */
static inline double pq_capsule_length(const pq_kernels *f, const pq_real *c, uint32_t d) {
    return pq_sqrt((double)f->dot(c, c, d) + 1e-12);
}

#endif
