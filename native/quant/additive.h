/* additive.h — the additive quantiser: a row becomes M codes of four bits, and codes a row again,
 *
 *     row ≈ centroid[0][code 0] + … + centroid[M-1][code M-1]
 *
 * with centroids of the row's whole width in each of the M codebooks (Babenko and Lempitsky, "Additive
 * quantization for extreme vector compression", CVPR 2014), so that <q, row> is a sum of M numbers out of a table
 * made once for a query.
 *
 * Errors are weighed by where queries lie, with S the metric of product.h, and more where they change the row's
 * high scores: of queries that are normal with second moment S, those that a row x scores high by have S plus a
 * multiple of (S x)(S x)' / x' S x. So the error of x is r' S r + a (x' S r)² / x' S x, where r = x - decoded (Guo
 * et al., "Accelerating large-scale inference with anisotropic vector quantization", ICML 2020, for queries that
 * lie everywhere).
 *
 * Codes are found by iterated local search (Martinez et al., "Revisiting additive quantization", ECCV 2016):
 * coordinate descent, again and again from where a few random codes were changed, of which the best is kept.
 * Codebooks stand in the order of what they carry, the most first: scans then leave most items out early. */
#ifndef PQ_ADDITIVE_H
#define PQ_ADDITIVE_H

#include "base/arena.h"
#include "base/rng.h"
#include "base/table.h"

typedef struct {
    uint32_t width, codebooks; /* D and M; M is even */
    float *centroids;          /* [M * 16, D] */
    double *metric;            /* [D, D] S */
    float *lift;               /* [D, M * 16] metric centroids' */
    float *gram;               /* [M * 16, M * 16] centroids metric centroids' */
    float
        *own; /* [M, 16, 16] gram[c, c] - 2 gram[b, c] of codebook m: the price of c instead of b */
} pq_additive;

static inline size_t pq_additive_bytes(const pq_additive *additive) {
    return additive->codebooks / 2;
}

/* rows [count, D], the more important ones first; moment [D, D]: that of the queries, or NULL: that of the rows
 * stands in. out's width and codebooks are set; those are even and at most the width. Int8 rows with scales of halves
 * hold the centroids. codes [count, M / 2]: of the rows, as base/table.h has them. The arena holds the result.
 * PIQUE_NO_MEMORY, PIQUE_NUMERIC. */
pique_status pq_additive_fit(pq_arena *arena, const float *rows, uint32_t count,
                             const double *moment, pq_additive *out, uint8_t *codes);

/* What a search works in, of one thread. */
typedef struct {
    float *pull;        /* [M * 16] inner products of the centroids with the row, in the metric */
    float *open, *kept; /* [M * 16] those with the decoded row, less `pull` */
    uint8_t *codes, *other; /* [M] */
} pq_additive_search;

pique_status pq_additive_search_init(pq_arena *arena, pq_additive_search *search,
                                     uint32_t codebooks);
/* Another row to codes [M / 2]. */
void pq_additive_encode(const pq_additive *additive, const float *row, pq_additive_search *search,
                        uint8_t *codes);
/* And back. */
void pq_additive_decode(const pq_additive *additive, const uint8_t *codes, float *row);

/* ---- of the fit ---- */

/* lift, gram and own from centroids and metric, where these were changed. */
void pq_additive_prepare(pq_additive *additive);
/* Better codes [M], one a byte, for the row: so often as `tries` says `shake` of them are changed at random, as
 * rng says. */
void pq_additive_improve(const pq_additive *additive, const float *row, uint32_t tries,
                         uint32_t shake, pq_rng rng, pq_additive_search *search, uint8_t *codes);
/* codes [M], one a byte, to [M / 2]. */
void pq_additive_pack(const uint8_t *codes, uint32_t codebooks, uint8_t *packed);

#endif
