/* last_rows.h — what a segment has come to: the last of its rows. */
#ifndef PQ_LAST_ROWS_H
#define PQ_LAST_ROWS_H

#include "graph/ops.h"

/* x (T, D) to (B, D): the last row of each segment, zeros for an empty one. */
pq_var *pq_last_rows(pq_tape *t, pq_var *x, const pq_segments *segments);

#endif
