/* best.h — the best of many hits: a heap of those so far, the worst on top. Equal scores: the lower row
 * is better. A score must be a number. In a header, because a scan offers every row. */
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

static inline bool pq_best_worse(const pq_hit *a, const pq_hit *b) {
    return a->score < b->score || (a->score == b->score && a->row > b->row);
}

static inline void pq_best_sift(pq_best *best, uint32_t at) {
    pq_hit hit = best->hits[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= best->count) {
            break;
        }
        if (child + 1 < best->count && pq_best_worse(&best->hits[child + 1], &best->hits[child])) {
            child++;
        }
        if (!pq_best_worse(&best->hits[child], &hit)) {
            break;
        }
        best->hits[at] = best->hits[child];
        at = child;
    }
    best->hits[at] = hit;
}

/* capacity > 0. */
static inline void pq_best_offer(pq_best *best, pq_hit hit) {
    if (best->count < best->capacity) {
        uint32_t at = best->count++;
        while (at > 0 && pq_best_worse(&hit, &best->hits[(at - 1) / 2])) {
            best->hits[at] = best->hits[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        best->hits[at] = hit;
    } else if (pq_best_worse(&best->hits[0], &hit)) {
        best->hits[0] = hit;
        pq_best_sift(best, 0);
    }
}

/* Best first; nothing can be offered afterwards. Heap sort: the worst goes to the end each time. */
static inline void pq_best_order(pq_best *best) {
    uint32_t all = best->count;
    while (best->count > 1) {
        pq_hit last = best->hits[--best->count];
        best->hits[best->count] = best->hits[0];
        best->hits[0] = last;
        pq_best_sift(best, 0);
    }
    best->count = all;
}

#endif
