#include "retrieval/best.h"

static bool is_worse(const pq_hit *a, const pq_hit *b) {
    return a->score < b->score || (a->score == b->score && a->row > b->row);
}

static void sift(pq_best *best, uint32_t at) {
    pq_hit hit = best->hits[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= best->count) {
            break;
        }
        if (child + 1 < best->count && is_worse(&best->hits[child + 1], &best->hits[child])) {
            child++;
        }
        if (!is_worse(&best->hits[child], &hit)) {
            break;
        }
        best->hits[at] = best->hits[child];
        at = child;
    }
    best->hits[at] = hit;
}

void pq_best_offer(pq_best *best, pq_hit hit) {
    if (best->count < best->capacity) {
        uint32_t at = best->count++;
        while (at > 0 && is_worse(&hit, &best->hits[(at - 1) / 2])) {
            best->hits[at] = best->hits[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        best->hits[at] = hit;
    } else if (is_worse(&best->hits[0], &hit)) {
        best->hits[0] = hit;
        sift(best, 0);
    }
}

/* Heap sort: the worst goes to the end each time. */
void pq_best_order(pq_best *best) {
    uint32_t all = best->count;
    while (best->count > 1) {
        pq_hit last = best->hits[--best->count];
        best->hits[best->count] = best->hits[0];
        best->hits[0] = last;
        sift(best, 0);
    }
    best->count = all;
}
