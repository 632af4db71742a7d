/* ages.h — where a behaviour stands in its history, counted from the newest, whose age is 0: so a longer
 * history only adds older positions, and what belongs to a position keeps its meaning. */
#ifndef PQ_AGES_H
#define PQ_AGES_H

#include "graph/graph.h"

/* [T] ages, of the step; NULL with the tape's status when a segment has more than `most` rows. */
uint32_t *pq_ages(pq_tape *t, const pq_segments *segments, uint32_t most);

#endif
