/* ranking.h — full ranking: where each user's target stands among all items that are not in the user's
 * history. Ties count against the target; a target that stands in the history is a miss. */
#ifndef PQ_RANKING_H
#define PQ_RANKING_H

#include "native/data/dataset.h"

#define PQ_MISS UINT32_MAX

/* What gives scores: one state per thread. Items are numbered 1..items as the scorer numbers them. */
typedef struct {
    const void *shared; /* the same for all threads */
    uint32_t items;
    /* The scorer's number of each number of the data set, 0 where it has none; NULL: the same. */
    const uint32_t *numbers;
    pique_status (*open)(pq_ctx *ctx, const void *shared, void **state); /* NULL: no state */
    void (*close)(pq_ctx *ctx, void *state);
    /* scores[1..items]; room for items + 2. */
    pique_status (*score)(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                          const pq_view *view, float *scores);
} pq_scorer;

typedef struct {
    const pique_dataset *dataset;
    pq_split split;
    uint32_t threads;
    const pique_listener *listener; /* may be NULL */
} pq_ranking;

/* ranks[user_count]: 0-based rank of each user's target, PQ_MISS for a miss and for users without one. */
pique_status pq_rank_targets(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                             uint32_t *ranks);

/* Means over the users that have a target. recall@k: target among the first k; ndcg@k: 1/log2(rank + 2)
 * there; mrr: 1/(rank + 1). */
void pq_rank_metrics(const pq_ranking *ranking, const pique_eval_options *options,
                     const uint32_t *ranks, pique_metrics *out);
uint32_t pq_rank_users(const pq_ranking *ranking);

#endif
