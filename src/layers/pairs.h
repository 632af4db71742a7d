/* pairs.h — every candidate with every behaviour of its user. */
#ifndef PQ_PAIRS_H
#define PQ_PAIRS_H

#include "graph/ops.h"

/* keys: B segments of rows (behaviours, sessions); users [C]: the segment that each query's keys are in. In the
 * memory of the step; NULL when it is short. */
pq_pairs *pq_pairs_make(pq_tape *t, const pq_segments *keys, const uint32_t *users, uint32_t c);
/* Every row with its segment as the query: pair i is row i. */
pq_pairs *pq_pairs_of_segments(pq_tape *t, const pq_segments *keys);
/* Pair i: query i with key keys[i]; each a segment of its own. */
pq_pairs *pq_pairs_one(pq_tape *t, const uint32_t *keys, uint32_t c);
/* Inner products of the pairs, (P, 1). */
pq_var *pq_pairs_dot(pq_tape *t, pq_var *queries, pq_var *keys, const pq_pairs *pairs);
/* The sum of each query's keys, weighted by the softmax of its pairs' logits s (P, 1), or by s itself: (C, H). */
pq_var *pq_pairs_pool(pq_tape *t, pq_var *keys, pq_var *s, const pq_pairs *pairs, bool softmax);

#endif
