#include "layers/time_gaps.h"

static uint32_t number_of(int64_t newest, int64_t time) {
    uint32_t bits = 0;
    uint64_t gap = newest > time ? (uint64_t)newest - (uint64_t)time : 0;
    for (; gap > 0 && bits < PQ_GAP_BITS; gap >>= 1) {
        bits++;
    }
    return PQ_GAP_NONE + bits;
}

uint32_t *pq_time_gaps(pq_tape *t, const pq_segments *history, const int64_t *times,
                       const uint32_t *users, uint32_t c, uint32_t rows) {
    uint32_t *gaps = pq_tape_take(t, rows, sizeof(*gaps)), n = 0;
    for (uint32_t i = 0; gaps && i < c; i++) {
        uint32_t user = users ? users[i] : i, end = history->starts[user + 1];
        for (uint32_t row = history->starts[user]; row < end; row++) {
            gaps[n++] = times ? number_of(times[end - 1], times[row]) : PQ_GAP_UNKNOWN;
        }
        if (users) {
            gaps[n++] = PQ_GAP_CANDIDATE;
        }
    }
    return gaps;
}
