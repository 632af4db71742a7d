/* scan.h — the best items of the catalogue for a few interests: score(i) = max over k of
 * <interest_k, item_i>, without those that are excluded.
 *
 * A kernel looks for rows that may be above the worst of the best so far (filter.h), and only those are
 * scored as they are, by sums that are the same everywhere (exact.h). So a list is the one that scoring
 * every row so would give, whatever the instruction set and the number of threads: to the bit of int8 and
 * int4 rows and of codes; of floats and halves wherever scores differ by more than their rounding.
 *
 * Where the file has codes beside the rows, the codes give a shortlist and the rows
 * the scores; a row that has not arrived is scored by its code.
 */
#ifndef PQ_SCAN_H
#define PQ_SCAN_H

#include "base/arena.h"
#include "base/table.h"
#include "retrieval/best.h"

typedef struct {
    const pq_table *table;  /* the rows that give the scores; of any kind */
    const pq_table *codes;  /* PQ: of the same rows, for the shortlist; NULL: none */
    const float *interests; /* [interest_count, cols] */
    uint32_t interest_count;
    const uint8_t *excluded; /* bit row % 8 of byte row / 8: leave the row out; NULL: none */
    uint32_t count;          /* hits wanted */
} pq_scan;

/* Best first, equal scores by row. hits has room for `count`; *found tells how many there are. The
 * arena gives working memory. */
pique_status pq_scan_top(pq_arena *arena, const pq_scan *scan, pq_hit *hits, uint32_t *found);

/* Exact scores of all rows: scores[rows]; -infinity where no product is a number and for rows that have
 * not arrived. */
pique_status pq_scan_scores(pq_arena *arena, const pq_scan *scan, float *scores);

static inline bool pq_has_row(const uint8_t *rows, uint32_t row) {
    return rows && (rows[row / 8] >> row % 8 & 1);
}

static inline void pq_exclude(uint8_t *excluded, uint32_t row) {
    excluded[row / 8] |= (uint8_t)(1u << row % 8);
}

#endif
