#include "native/eval/cold.h"

#include <string.h>

#include "base/context.h"
#include "native/eval/team.h"

typedef struct {
    const pq_ranking *ranking;
    const pq_scorer *scorer;
    const pique_eval_options *options;
    uint64_t *starts; /* [users + 1] into dataset->held, which is in the order of the users */
    bool *cold;       /* [scorer items + 1] held out, by the scorer's number */
    bool *counts;     /* [users] whether a user is measured */
    double *shares;   /* [users, 2, cut-offs] recall among the held-out items, and among all */
} job;

typedef struct {
    void *state;
    float *scores;
    bool *excluded; /* [items + 2] */
} worker;

static void mark(const job *j, const pq_view *view, worker *w, bool excluded) {
    for (uint32_t i = 0; i < view->history_count; i++) {
        w->excluded[pq_scorer_number(j->scorer, view->history[i])] = excluded;
    }
}

/* Items that stand before the target: among the held-out ones, and among all. */
static void stand_before(const job *j, const worker *w, uint32_t target, uint32_t before[2]) {
    before[0] = before[1] = 0;
    for (uint32_t i = 1; i <= j->scorer->items; i++) {
        bool ahead = i != target && !w->excluded[i] && !(w->scores[i] < w->scores[target]);
        before[0] += ahead && j->cold[i];
        before[1] += ahead;
    }
}

/* An item that the user took twice is one target. */
static bool is_repeated(const pq_held *held, uint64_t first, uint64_t at) {
    for (uint64_t i = first; i < at; i++) {
        if (held[i].item == held[at].item) {
            return true;
        }
    }
    return false;
}

static void measure_user(const job *j, uint32_t user, const worker *w) {
    const pq_held *held = j->ranking->dataset->held;
    const uint32_t cuts = j->options->cutoff_count;
    double *shares = j->shares + (size_t)user * 2 * cuts;
    uint32_t targets = 0;
    for (uint64_t i = j->starts[user]; i < j->starts[user + 1]; i++) {
        uint32_t target = pq_scorer_number(j->scorer, held[i].item), before[2];
        if (is_repeated(held, j->starts[user], i)) {
            continue;
        }
        targets++;
        if (target == 0 || target > j->scorer->items || !(w->scores[target] == w->scores[target])) {
            continue;
        }
        stand_before(j, w, target, before);
        for (uint32_t k = 0; k < 2 * cuts; k++) {
            shares[k] += before[k / cuts] < j->options->cutoffs[k % cuts];
        }
    }
    for (uint32_t k = 0; k < 2 * cuts; k++) {
        shares[k] /= targets;
    }
}

static pique_status measure_part(pq_ctx *ctx, const job *j, pq_team *team, uint32_t member,
                                 worker *w) {
    const pique_dataset *d = j->ranking->dataset;
    for (uint32_t user = member; user < d->user_count; user += team->size) {
        pq_view view;
        (void)pq_dataset_view(d, user, PQ_SPLIT_TRAIN, &view);
        if (j->starts[user + 1] == j->starts[user] || view.history_count == 0) {
            continue;
        }
        PQ_TRY(j->scorer->score(ctx, j->scorer->shared, w->state, user, &view, w->scores));
        mark(j, &view, w, true);
        j->counts[user] = true;
        measure_user(j, user, w);
        mark(j, &view, w, false);
        PQ_TRY(pq_team_progress(team, member, ctx));
    }
    return PIQUE_OK;
}

static pique_status work(pq_ctx *ctx, void *user, pq_team *team, uint32_t member) {
    const job *j = user;
    const size_t room = (size_t)j->scorer->items + 2;
    worker w = {.scores = pq_alloc(ctx, room, sizeof(*w.scores)),
                .excluded = pq_alloc(ctx, room, sizeof(*w.excluded))};
    pique_status status = w.scores && w.excluded ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK && j->scorer->open) {
        status = j->scorer->open(ctx, j->scorer->shared, &w.state);
    }
    if (status == PIQUE_OK) {
        status = measure_part(ctx, j, team, member, &w);
    }
    if (j->scorer->close && w.state) {
        j->scorer->close(ctx, w.state);
    }
    pq_free(ctx, w.scores);
    pq_free(ctx, w.excluded);
    return status;
}

/* Whose held-out events stand where, and which of the scorer's items they are. */
static pique_status open_job(pq_ctx *ctx, job *j, pique_cold_items *out) {
    const pique_dataset *d = j->ranking->dataset;
    const size_t cuts = j->options->cutoff_count;
    j->starts = pq_alloc(ctx, (size_t)d->user_count + 1, sizeof(*j->starts));
    j->cold = pq_alloc(ctx, (size_t)j->scorer->items + 1, sizeof(*j->cold));
    j->counts = pq_alloc(ctx, d->user_count, sizeof(*j->counts));
    j->shares = pq_alloc(ctx, (size_t)d->user_count * 2 * cuts, sizeof(*j->shares));
    if (!j->starts || !j->cold || !j->counts || !j->shares) {
        return PIQUE_NO_MEMORY;
    }
    for (uint64_t i = 0; i < d->held_count; i++) {
        j->starts[d->held[i].user + 1]++;
    }
    for (uint32_t u = 0; u < d->user_count; u++) {
        j->starts[u + 1] += j->starts[u];
    }
    for (uint32_t i = 1; d->is_held && i + 1 < d->item_rows; i++) {
        uint32_t number = pq_scorer_number(j->scorer, i);
        bool known = number > 0 && number <= j->scorer->items;
        out->items += d->is_held[i];
        out->unknown += d->is_held[i] && !known;
        if (d->is_held[i] && known) {
            j->cold[number] = true;
        }
    }
    if (out->items == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "no item is held out; set hold_out_items as in training");
    }
    return PIQUE_OK;
}

static void average(const job *j, pique_cold_items *out) {
    const uint32_t cuts = j->options->cutoff_count;
    for (uint32_t u = 0; u < j->ranking->dataset->user_count; u++) {
        const double *shares = j->shares + (size_t)u * 2 * cuts;
        out->users += j->counts[u];
        for (uint32_t k = 0; k < cuts && j->counts[u]; k++) {
            out->recall[k] += shares[k];
            out->recall_of_all[k] += shares[cuts + k];
        }
    }
    for (uint32_t k = 0; k < cuts && out->users; k++) {
        double drawn = (double)j->options->cutoffs[k] / out->items;
        out->recall[k] /= out->users;
        out->recall_of_all[k] /= out->users;
        out->chance[k] = PQ_MIN(drawn, 1);
    }
}

pique_status pq_cold_items(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                           const pique_eval_options *options, pique_cold_items *out) {
    const double began = pq_seconds();
    job j = {.ranking = ranking, .scorer = scorer, .options = options};
    *out = (pique_cold_items){.users = 0};
    pique_status status = open_job(ctx, &j, out);
    if (status == PIQUE_OK) {
        pq_team team = {.size = ranking->threads,
                        .phase = "eval",
                        .total = ranking->dataset->user_count,
                        .listener = ranking->listener};
        status = pq_team_run(&team, ctx, work, &j);
    }
    if (status == PIQUE_OK) {
        average(&j, out);
    }
    if (status == PIQUE_OK && out->users == 0) {
        status = pq_fail(ctx, PIQUE_DATA, "no user with a history took an item that is held out");
    }
    out->seconds = pq_seconds() - began;
    pq_free(ctx, j.starts);
    pq_free(ctx, j.cold);
    pq_free(ctx, j.counts);
    pq_free(ctx, j.shares);
    return status;
}
