/* metrics.h — accuracy from the ranks of the targets. One target a user, so the hit rate at K is the recall
 * at K, and the mean average precision at K is the mean reciprocal rank cut at K. */
#ifndef PQ_METRICS_H
#define PQ_METRICS_H

#include "native/eval/ranking.h"

/* Means over the users that have a target. recall@k: target among the first k; ndcg@k: 1/log2(rank + 2)
 * there; mrr@k: 1/(rank + 1) there; mrr: the same without a cut. Per bucket means over the users whose
 * target is of the bucket; NaN for none. */
void pq_rank_metrics(const pq_ranking *ranking, const pique_eval_options *options,
                     const uint32_t *ranks, pique_metrics *out);
/* Users whose target is of each bucket, and the items of each. */
void pq_rank_buckets(const pq_ranking *ranking, uint32_t *users, uint32_t *items);

#endif
