/* exact.h — the score of one row, the same bits on every machine: sums in a fixed order, without fused
 * operations. What kernels find is scored again by this. */
#ifndef PQ_EXACT_H
#define PQ_EXACT_H

#include "retrieval/scan.h"

typedef struct {
    const pq_scan *scan;
    /* Where codes take part: what each centroid adds to the score for each interest,
     * [ceil(interest_count / 4)][codebooks][16][4]. */
    float *products;
} pq_exact;

#define PQ_EXACT_GROUP 4 /* interests whose products stand side by side */

static inline size_t pq_exact_product(const pq_table *codes, uint32_t centroid, uint32_t interest) {
    const size_t group = interest / PQ_EXACT_GROUP;
    return ((group * codes->codebooks * PQ_TABLE_CENTROIDS) + centroid) * PQ_EXACT_GROUP +
           interest % PQ_EXACT_GROUP;
}

/* The sum of products that all scores are made of. */
float pq_exact_dot(const float *a, const float *b, uint32_t n);
/* Floats that pq_exact_score works in. */
size_t pq_exact_scratch(const pq_scan *scan);
pique_status pq_exact_init(pq_arena *arena, pq_exact *exact, const pq_scan *scan);
/* Of the row in the table; `interest` tells which gives it. -infinity when no product is a number. */
float pq_exact_score(const pq_exact *exact, const pq_table *table, uint32_t row, float *scratch,
                     uint32_t *interest);

#endif
