#include "native/eval/ranking.h"

#include <string.h>

#include "base/context.h"
#include "base/number.h"
#include "native/eval/team.h"

typedef struct {
    const pq_ranking *ranking;
    const pq_scorer *scorer;
    uint32_t *ranks;
} job;

/* One thread's part: every team.size-th user. */
typedef struct {
    void *state;
    float *scores;
    bool *excluded; /* [items + 2] */
} worker;

static uint32_t number(const pq_scorer *scorer, uint32_t item) {
    return scorer->numbers ? scorer->numbers[item] : item;
}

static uint32_t rank_of(const pq_scorer *scorer, const pq_view *view, worker *w) {
    uint32_t target = number(scorer, view->target);
    uint32_t rank = 0;
    if (target == 0 || target > scorer->items) {
        return PQ_MISS;
    }
    for (uint32_t i = 0; i < view->history_count; i++) {
        w->excluded[number(scorer, view->history[i])] = true;
    }
    float own = w->scores[target];
    bool missed = w->excluded[target] || own != own;
    for (uint32_t i = 1; !missed && i <= scorer->items; i++) {
        rank += i != target && !w->excluded[i] && !(w->scores[i] < own);
    }
    for (uint32_t i = 0; i < view->history_count; i++) {
        w->excluded[number(scorer, view->history[i])] = false;
    }
    return missed ? PQ_MISS : rank;
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
        PQ_TRY(j->scorer->score(ctx, j->scorer->shared, w->state, user, &view, w->scores));
        j->ranks[user] = rank_of(j->scorer, &view, w);
        PQ_TRY(pq_team_progress(team, member, ctx));
    }
    return PIQUE_OK;
}

static pique_status work(pq_ctx *ctx, void *user, pq_team *team, uint32_t member) {
    const job *j = user;
    worker w = {0};
    size_t room = (size_t)j->scorer->items + 2;
    pique_status status = PIQUE_OK;
    w.scores = pq_alloc(ctx, room, sizeof(*w.scores));
    w.excluded = pq_alloc(ctx, room, sizeof(*w.excluded));
    if (!w.scores || !w.excluded) {
        status = PIQUE_NO_MEMORY;
    }
    if (status == PIQUE_OK && j->scorer->open) {
        status = j->scorer->open(ctx, j->scorer->shared, &w.state);
    }
    if (status == PIQUE_OK) {
        status = rank_users(ctx, j, team, member, &w);
    }
    if (j->scorer->close && w.state) {
        j->scorer->close(ctx, w.state);
    }
    pq_free(ctx, w.scores);
    pq_free(ctx, w.excluded);
    return status;
}

pique_status pq_rank_targets(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                             uint32_t *ranks) {
    job j = {ranking, scorer, ranks};
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

void pq_rank_metrics(const pq_ranking *ranking, const pique_eval_options *options,
                     const uint32_t *ranks, pique_metrics *out) {
    memset(out, 0, sizeof(*out));
    for (uint32_t user = 0; user < ranking->dataset->user_count; user++) {
        uint32_t rank = ranks[user];
        if (rank == PQ_MISS) {
            continue;
        }
        out->mrr += 1.0 / (rank + 1.0);
        for (uint32_t k = 0; k < options->cutoff_count; k++) {
            if (rank < options->cutoffs[k]) {
                out->recall[k] += 1;
                out->ndcg[k] += pq_log(2) / pq_log(rank + 2.0);
            }
        }
    }
    double users = pq_rank_users(ranking);
    out->mrr /= users;
    for (uint32_t k = 0; k < options->cutoff_count; k++) {
        out->recall[k] /= users;
        out->ndcg[k] /= users;
    }
}
