#include "native/eval/ranking.h"

#include "base/context.h"
#include "native/eval/lists.h"
#include "native/eval/negatives.h"
#include "native/eval/team.h"

typedef struct {
    const pq_ranking *ranking;
    const pq_scorer *scorer;
    uint32_t *ranks;
    pq_lists *lists;
} job;

/* One thread's part: every team.size-th user. */
typedef struct {
    void *state;
    float *scores;
    bool *excluded; /* [items + 2] */
    pq_negatives negatives;
    pq_list list;
} worker;

static void mark(const job *j, const pq_view *view, worker *w, bool excluded) {
    for (uint32_t i = 0; !j->ranking->with_seen && i < view->history_count; i++) {
        w->excluded[pq_scorer_number(j->scorer, view->history[i])] = excluded;
    }
}

/* Items that stand before the target: what does not score less, or `by_number` what scores more or the same with a lower
 * number. */
static uint32_t before_of_all(const pq_scorer *scorer, const worker *w, uint32_t target,
                              bool by_number) {
    uint32_t before = 0;
    for (uint32_t i = 1; i <= scorer->items; i++) {
        bool less = by_number && i > target ? w->scores[i] <= w->scores[target]
                                            : w->scores[i] < w->scores[target];
        before += i != target && !w->excluded[i] && !less;
    }
    return before;
}

/* The same among negatives drawn for the user: the same ones for every scorer. One that the scorer does
 * not know stands behind. */
static uint32_t before_of_sampled(const job *j, uint32_t user, const pq_view *view, worker *w,
                                  uint32_t target) {
    const pq_scorer *scorer = j->scorer;
    uint32_t before = 0;
    uint32_t count = pq_negatives_draw(&w->negatives, user, view, j->ranking->with_seen);
    for (uint32_t n = 0; n < count; n++) {
        uint32_t i = pq_scorer_number(scorer, w->negatives.drawn[n]);
        before += i > 0 && i <= scorer->items && !(w->scores[i] < w->scores[target]);
    }
    return before;
}

static uint32_t rank_of(const job *j, uint32_t user, const pq_view *view, worker *w) {
    uint32_t target = pq_scorer_number(j->scorer, view->target);
    if (target == 0 || target > j->scorer->items || w->excluded[target]) {
        return PQ_MISS;
    }
    if (w->scores[target] != w->scores[target]) {
        return PQ_MISS;
    }
    return j->ranking->sampled ? before_of_sampled(j, user, view, w, target)
                               : before_of_all(j->scorer, w, target, j->ranking->forgets);
}

static pique_status rank_users(pq_ctx *ctx, const job *j, pq_team *team, uint32_t member,
                               worker *w) {
    const pq_ranking *r = j->ranking;
    for (uint32_t user = member; user < r->dataset->user_count; user += team->size) {
        pq_view view;
        j->ranks[user] = PQ_MISS;
        if (!pq_dataset_view(r->dataset, user, r->split, &view)) {
            continue;
        }
        if (r->forgets) {
            view.history_count = 0;
        }
        PQ_TRY(j->scorer->score(ctx, j->scorer->shared, w->state, user, &view, w->scores));
        mark(j, &view, w, true);
        j->ranks[user] = rank_of(j, user, &view, w);
        if (j->lists) {
            pq_lists_add(j->lists, &w->list, user, w->scores, w->excluded);
        }
        mark(j, &view, w, false);
        PQ_TRY(pq_team_progress(team, member, ctx));
    }
    return PIQUE_OK;
}

static pique_status open_worker(pq_ctx *ctx, const job *j, worker *w) {
    size_t room = (size_t)j->scorer->items + 2;
    w->scores = pq_alloc(ctx, room, sizeof(*w->scores));
    w->excluded = pq_alloc(ctx, room, sizeof(*w->excluded));
    if (!w->scores || !w->excluded) {
        return PIQUE_NO_MEMORY;
    }
    if (j->ranking->sampled) {
        PQ_TRY(pq_negatives_init(&w->negatives, ctx, j->ranking->dataset, j->ranking->sampled));
    }
    if (j->lists) {
        PQ_TRY(pq_list_init(&w->list, ctx, j->lists));
    }
    return j->scorer->open ? j->scorer->open(ctx, j->scorer->shared, &w->state) : PIQUE_OK;
}

static pique_status work(pq_ctx *ctx, void *user, pq_team *team, uint32_t member) {
    const job *j = user;
    worker w = {0};
    pique_status status = open_worker(ctx, j, &w);
    if (status == PIQUE_OK) {
        status = rank_users(ctx, j, team, member, &w);
    }
    if (j->scorer->close && w.state) {
        j->scorer->close(ctx, w.state);
    }
    pq_list_free(&w.list);
    pq_negatives_free(&w.negatives);
    pq_free(ctx, w.scores);
    pq_free(ctx, w.excluded);
    return status;
}

pique_status pq_rank_targets(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                             uint32_t *ranks, pq_lists *lists) {
    job j = {ranking, scorer, ranks, lists};
    pq_team team = {.size = ranking->threads,
                    .phase = "eval",
                    .total = pq_rank_users(ranking),
                    .listener = ranking->listener};
    return pq_team_run(&team, ctx, work, &j);
}

uint32_t pq_rank_users(const pq_ranking *ranking) {
    uint32_t users = 0;
    pq_view view;
    for (uint32_t user = 0; user < ranking->dataset->user_count; user++) {
        users += pq_dataset_view(ranking->dataset, user, ranking->split, &view);
    }
    return users;
}
