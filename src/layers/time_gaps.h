/* time_gaps.h — how long before its user's newest behaviour each behaviour came, in steps that double: what BST
 * (Chen et al., 2019) has for positions. The paper counts from the moment of the recommendation, which a query
 * does not tell; the newest behaviour is the nearest moment that it does. */
#ifndef PQ_TIME_GAPS_H
#define PQ_TIME_GAPS_H

#include "graph/graph.h"

/* Numbers: the candidate, a behaviour of unknown time, no gap at all, and n + 2 for a gap of n bits, of seconds. */
enum { PQ_GAP_CANDIDATE, PQ_GAP_UNKNOWN, PQ_GAP_NONE };
#define PQ_GAP_BITS 31 /* longer gaps count as these */
#define PQ_GAP_COUNT (PQ_GAP_NONE + PQ_GAP_BITS + 1)

/* For each of c candidates the numbers of its user's behaviours, then that of the candidate: `rows` in all. users
 * NULL: for each of c users those of the behaviours. times [T], in any order, or NULL when none is known. In the
 * memory of the step; NULL when it is short. */
uint32_t *pq_time_gaps(pq_tape *t, const pq_segments *history, const int64_t *times,
                       const uint32_t *users, uint32_t c, uint32_t rows);

#endif
