#include "layers/ages.h"

uint32_t *pq_ages(pq_tape *t, const pq_segments *segments, uint32_t most) {
    uint32_t *age = pq_tape_take(t, segments->starts[segments->count], sizeof(*age));
    for (uint32_t b = 0; age && b < segments->count; b++) {
        if (pq_segment_length(segments, b) > most) {
            return pq_tape_fail(t, PIQUE_ARGUMENT, "a history has %u behaviours, at most %u fit",
                                (unsigned)pq_segment_length(segments, b), (unsigned)most);
        }
        for (uint32_t i = segments->starts[b]; i < segments->starts[b + 1]; i++) {
            age[i] = segments->starts[b + 1] - 1 - i;
        }
    }
    return age;
}
