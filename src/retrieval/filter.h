/* filter.h — the rows of a table that may be above a threshold, by the table's kernel: at least all that are.
 *
 * Integer kinds work with interests rounded to int16, and their slack covers what that rounding can change.
 * Rows of codes are looked through by the bytes of losses.h.
 *
 * So what is found differs between thresholds and sets, and what is above the threshold never does. */
#ifndef PQ_FILTER_H
#define PQ_FILTER_H

#include "kernels/kernels.h"
#include "retrieval/losses.h"

typedef struct {
    const pq_table *table;
    const pq_exact *exact;
    pq_kernel_scan *kernel;
    pq_scan_args args, tail;
    uint8_t tail_out[PQ_TABLE_CODES / 8];
    pq_losses losses; /* PQ */
    uint32_t next;    /* block */
} pq_filter;

#define PQ_FILTER_ROOM 8

pique_status pq_filter_init(pq_arena *arena, pq_filter *filter, const pq_exact *exact,
                            const pq_table *table);
/* The next blocks before `end` that have such rows, at most PQ_FILTER_ROOM of them: how many. 0: none is left. */
uint32_t pq_filter_next(pq_filter *filter, float threshold, uint32_t end, pq_scan_found *found);

#endif
