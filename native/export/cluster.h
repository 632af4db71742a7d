/* cluster.h — rows in an order in which neighbours are similar. */
#ifndef PQ_CLUSTER_H
#define PQ_CLUSTER_H

#include "base/context.h"

/* vectors [·, cols]; rows [count]: numbers of some of them, which are put into an order such that pieces of
 * `size` rows hold vectors that are near each other, and each piece rises. A half is split from the other
 * by the direction between the centres of two-means clusters, at the row where a piece ends, until one
 * piece is left: k-means with clusters of one size. Depends on nothing but its arguments. */
pique_status pq_cluster(pq_ctx *ctx, const float *vectors, uint32_t cols, uint32_t *rows,
                        uint32_t count, uint32_t size);

#endif
