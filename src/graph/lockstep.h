/* lockstep.h — the order in which a recurrence walks its segments: step t takes row t of every segment
 * that is that long, all at once.
 *
 * Segments are sorted by length, the longest first, equal ones by their index, so that those still alive
 * at a step are the first ones. Rows in that order are "packed": all first rows, then all second rows …;
 * the rows of a step stand together, and member i of a step is member i of the step before. */
#ifndef PQ_LOCKSTEP_H
#define PQ_LOCKSTEP_H

#include "graph/graph.h"

typedef struct {
    uint32_t steps; /* length of the longest segment */
    const uint32_t
        *starts; /* [steps + 1] step t has the packed rows starts[t] .. starts[t + 1] - 1 */
    const uint32_t *rows;     /* [T] where each packed row stands in the matrix of the segments */
    const uint32_t *segments; /* the segment of each member of the first step */
} pq_lockstep;

/* In the memory of the step; false, with the status of the tape set, when it is short. */
bool pq_lockstep_make(pq_tape *t, const pq_segments *segments, pq_lockstep *l);

static inline uint32_t pq_lockstep_alive(const pq_lockstep *l, uint32_t step) {
    return step < l->steps ? l->starts[step + 1] - l->starts[step] : 0;
}

#endif
