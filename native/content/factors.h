/* factors.h — few dimensions for many terms: latent semantic analysis of a sparse matrix A (N, M).
 *
 * A = U S V' to the D largest singular values, by subspace iteration from a random start (Halko, Martinsson and Tropp,
 * SIAM Review 2011, algorithms 4.4 and 5.1). The vector of item i is row i of U S^1/2 (the square root, so that the
 * few directions that all items share do not rule: Levy, Goldberg and Dagan, TACL 2015, section 3.3), scaled to length
 * 1, less the mean of these, scaled to length 1 again. An item whose row of A is empty has the zero vector, and so
 * have dimensions beyond the rank of A.
 *
 * In double and in one order of sums, so that the same matrix and seed give the same floats anywhere. */
#ifndef PQ_FACTORS_H
#define PQ_FACTORS_H

#include "native/content/corpus.h"

/* out: (rows, dim). */
pique_status pq_factors(pq_ctx *ctx, const pq_sparse *a, uint32_t dim, uint64_t seed, float *out);

#endif
