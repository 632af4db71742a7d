/* ranking.h — where each user's target stands among all items that are not in the user's history, and the
 * list of the first K beside it. Ties count against the target; a target that stands in the history is a
 * miss. Seen items may stay in, and the target may be ranked among sampled negatives instead. */
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

static inline uint32_t pq_scorer_number(const pq_scorer *scorer, uint32_t item) {
    return scorer->numbers ? scorer->numbers[item] : item;
}

typedef struct {
    const pique_dataset *dataset;
    pq_split split;
    uint32_t threads;
    bool forgets; /* without the histories; equal scores then stand as lists have them, by number */
    bool with_seen;                 /* items of the history stay in, also as the target */
    uint32_t sampled;               /* rank among so many drawn negatives; 0: among all items */
    const pique_listener *listener; /* may be NULL */
} pq_ranking;

struct pq_lists;

/* ranks[user_count]: 0-based rank of each user's target, PQ_MISS for a miss and for users without one.
 * `lists` (lists.h) takes in the first items of each user with a target, always among all items; NULL:
 * no lists. */
pique_status pq_rank_targets(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                             uint32_t *ranks, struct pq_lists *lists);
uint32_t pq_rank_users(const pq_ranking *ranking);

#endif
