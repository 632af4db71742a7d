/* scan.h — the best items of the catalogue for a few interests: score(i) = max over k of
 * <interest_k, item_i>, without those that are excluded.
 *
 * An int8 table is scanned with interests rounded to int16 and integer sums; a shortlist somewhat longer
 * than asked is then scored again with the interests as they are. So every instruction set gives the
 * same scores up to float rounding, and the same order wherever scores differ by more than that. */
#ifndef PQ_SCAN_H
#define PQ_SCAN_H

#include "base/arena.h"
#include "base/table.h"
#include "retrieval/best.h"

typedef struct {
    const pq_table *table;
    const float *interests; /* [interest_count, cols] */
    uint32_t interest_count;
    const uint8_t *excluded; /* bit row % 8 of byte row / 8: leave the row out; NULL: none */
    uint32_t count;          /* hits wanted */
} pq_scan;

/* Best first, equal scores by row. hits has room for `count`; *found tells how many there are. The
 * arena gives working memory. */
pique_status pq_scan_top(pq_arena *arena, const pq_scan *scan, pq_hit *hits, uint32_t *found);

/* The exact score of one row, and which interest gives it; -infinity when no product is a number.
 * scratch [cols]. */
float pq_scan_score(const pq_scan *scan, const struct pq_kernels *kernels, uint32_t row,
                    float *scratch, uint32_t *interest);

/* Exact scores of all rows: scores[rows]. */
pique_status pq_scan_scores(pq_arena *arena, const pq_scan *scan, float *scores);

static inline void pq_exclude(uint8_t *excluded, uint32_t row) {
    excluded[row / 8] |= (uint8_t)(1u << row % 8);
}

#endif
