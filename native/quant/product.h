/* product.h — the product quantiser: a row becomes M codes of four bits, and codes a row again,
 *
 *     row ≈ map' y,   y = centroid[0][code 0] ‖ … ‖ centroid[M-1][code M-1]
 *
 * so that <q, row> is a sum of M numbers out of tables made once for a query, of map q.
 *
 * It is fitted to where queries lie: with S the mean of q q' it keeps the mean of <q, row - decoded>² small,
 * that is (row - decoded)' (S + some I) (row - decoded). The map is not held to be a rotation, as in OPQ
 * (Ge et al., CVPR 2013): queries live in few of the D dimensions, and where subspaces may lie along the same
 * direction these few get most of the bits, as the theory of rate and distortion asks. Subspaces are found one
 * after the other in what those before leave over; then codes (by coordinate descent, since the subspaces are
 * not orthogonal), centroids and map (by least squares) are improved in turns.
 *
 * All sums are of doubles in a fixed order: the result depends on the arguments alone. */
#ifndef PQ_PRODUCT_H
#define PQ_PRODUCT_H

#include "base/arena.h"
#include "base/table.h"

typedef struct {
    uint32_t width, subspaces; /* D and M; M is even and at most D */
    uint32_t each;             /* directions of a subspace; of all: P = M * each, at least D */
    float *codebook;           /* [M * 16, each], numbers that F16 holds */
    float *map;                /* [P, D], likewise */
    double *metric;            /* [D, D] what errors are weighed by */
    double *gram;              /* [P, P] map metric map' */
    double *lift;              /* [P, D] map metric */
    float *
        centroids; /* [M * 16, D] those of the additive quantiser with the same codes: map' of each */
} pq_product;

static inline uint32_t pq_product_each(uint32_t width, uint32_t subspaces) {
    return (width + subspaces - 1) / subspaces;
}

static inline uint32_t pq_product_directions(const pq_product *product) {
    return product->subspaces * product->each;
}

static inline size_t pq_product_bytes(const pq_product *product) {
    return product->subspaces / 2;
}

/* rows [count, D], the more important ones first; moment [D, D]: S of the queries, or NULL: that of the rows
 * stands in. `subspaces` is even and at most `width`. The arena holds the result. PIQUE_NO_MEMORY,
 * PIQUE_NUMERIC. */
pique_status pq_product_fit(pq_arena *arena, const float *rows, uint32_t count, uint32_t width,
                            uint32_t subspaces, const double *moment, pq_product *out);
/* gram, lift and centroids from codebook, map and metric, where these were changed. */
void pq_product_prepare(pq_product *product);
/* One row to codes [M / 2] as base/table.h has them; scratch [2 P]. */
void pq_product_encode(const pq_product *product, const float *row, uint8_t *codes,
                       double *scratch);
/* And back. */
void pq_product_decode(const pq_product *product, const uint8_t *codes, float *row);
/* (row - decoded)' metric (row - decoded). */
double pq_product_error(const pq_product *product, const float *row, const float *decoded);

#endif
