#include "graph/lockstep.h"

#include <string.h>

bool pq_lockstep_make(pq_tape *t, const pq_segments *segments, pq_lockstep *l) {
    uint32_t steps = 0;
    for (uint32_t b = 0; b < segments->count; b++) {
        steps = PQ_MAX(steps, pq_segment_length(segments, b));
    }
    uint32_t *starts = pq_tape_take(t, (size_t)steps + 1, sizeof(*starts));
    uint32_t *next = pq_tape_take(t, (size_t)steps + 1, sizeof(*next));
    uint32_t *rows = pq_tape_take(t, segments->starts[segments->count], sizeof(*rows));
    uint32_t *members = pq_tape_take(t, segments->count, sizeof(*members));
    if (!starts || !next || !rows || !members) {
        return false;
    }
    /* next[n]: segments of length n, then how many are longer. */
    memset(next, 0, ((size_t)steps + 1) * sizeof(*next));
    for (uint32_t b = 0; b < segments->count; b++) {
        next[pq_segment_length(segments, b)]++;
    }
    uint32_t longer = 0;
    for (uint32_t n = steps + 1; n-- > 0;) {
        uint32_t equal = next[n];
        next[n] = longer;
        longer += equal;
    }
    /* Alive at step t are those longer than t. */
    starts[0] = 0;
    for (uint32_t step = 0; step < steps; step++) {
        starts[step + 1] = starts[step] + next[step];
    }
    for (uint32_t b = 0; b < segments->count; b++) {
        uint32_t length = pq_segment_length(segments, b);
        uint32_t member = next[length]++;
        members[member] = b;
        for (uint32_t step = 0; step < length; step++) {
            rows[starts[step] + member] = segments->starts[b] + step;
        }
    }
    *l = (pq_lockstep){.steps = steps, .starts = starts, .rows = rows, .segments = members};
    return true;
}
