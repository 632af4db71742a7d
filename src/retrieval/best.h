/* best.h — the best of many hits: a heap of those so far, the worst on top. Equal scores: the lower row
 * is better. A score must be a number. */
#ifndef PQ_BEST_H
#define PQ_BEST_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t row;
    uint32_t interest; /* the winner */
    float score;
} pq_hit;

typedef struct {
    pq_hit *hits; /* [capacity] */
    uint32_t count, capacity;
} pq_best;

/* capacity > 0. */
void pq_best_offer(pq_best *best, pq_hit hit);
/* Best first; nothing can be offered afterwards. */
void pq_best_order(pq_best *best);

#endif
