/* query_metric.h — what errors of quantised rows are weighed by: with S the mean of q q' over queries q, r' S r is the
 * mean of <q, r>² for an error r. */
#ifndef PQ_QUERY_METRIC_H
#define PQ_QUERY_METRIC_H

#include <stdint.h>

/* metric [D, D] := S divided by its mean eigenvalue, plus `share` of the identity. moment [D, D]: S, or NULL: that of
 * rows [count, D], the more important ones first, stands in. */
void pq_query_metric(const double *moment, const float *rows, uint32_t count, uint32_t width,
                     double share, double *metric);

#endif
