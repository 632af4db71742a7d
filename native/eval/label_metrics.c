#include "native/eval/label_metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "native/eval/model_scorer.h"
#include "native/eval/team.h"

#define BINS 10
#define LEAST 1e-9 /* probability of the baseline, so that its log-odds are finite */

/* ---- figures ---- */

static int by_score(const void *left, const void *right) {
    const pq_judged *a = left, *b = right;
    return a->score < b->score ? -1 : a->score > b->score;
}

static int by_user_and_score(const void *left, const void *right) {
    const pq_judged *a = left, *b = right;
    if (a->user != b->user) {
        return a->user < b->user ? -1 : 1;
    }
    return by_score(left, right);
}

/* Of pairs in rising order of score: the share of (label 1, label 0) in the right order. */
static double area(const pq_judged *pairs, size_t count) {
    double below = 0, right = 0, ones = 0; /* below: label 0 with a lower score */
    for (size_t i = 0; i < count;) {
        size_t end = i;
        double zeros_here = 0, ones_here = 0;
        for (; end < count && pairs[end].score == pairs[i].score; end++) {
            ones_here += pairs[end].label;
            zeros_here += !pairs[end].label;
        }
        right += ones_here * (below + zeros_here / 2);
        below += zeros_here;
        ones += ones_here;
        i = end;
    }
    return right / (ones * below); /* 0 / 0: NaN */
}

static double area_of_users(pq_judged *pairs, size_t count) {
    double sum = 0, weight = 0;
    qsort(pairs, count, sizeof(*pairs), by_user_and_score);
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end < count && pairs[end].user == pairs[i].user) {
            end++;
        }
        double one = area(pairs + i, end - i);
        if (one == one) {
            sum += one * (double)(end - i);
            weight += (double)(end - i);
        }
        i = end;
    }
    return sum / weight;
}

void pq_label_metrics(pq_judged *pairs, size_t count, pique_label_metrics *out) {
    double loss = 0, right = 0, predicted[BINS] = {0}, happened[BINS] = {0};
    out->gauc = area_of_users(pairs, count);
    qsort(pairs, count, sizeof(*pairs), by_score);
    out->auc = area(pairs, count);
    for (size_t i = 0; i < count; i++) {
        double s = (double)pairs[i].score, e = pq_exp(s < 0 ? s : -s);
        double p = (s < 0 ? e : 1) / (1 + e);
        int bin = PQ_MIN((int)(p * BINS), BINS - 1);
        loss += PQ_MAX(s, 0) - s * pairs[i].label + pq_log(1 + e);
        right += (s > 0) == (pairs[i].label == 1);
        predicted[bin] += p;
        happened[bin] += pairs[i].label;
    }
    out->ece = 0;
    for (int bin = 0; bin < BINS; bin++) {
        double away = predicted[bin] - happened[bin];
        out->ece += (away < 0 ? -away : away) / (double)count;
    }
    out->logloss = loss / (double)count;
    out->accuracy = right / (double)count;
}

/* ---- scores ---- */

uint64_t pq_label_pairs(const pique_dataset *d, pq_split split) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < d->labelled_count; i++) {
        count += pq_dataset_pair_in(d, &d->labelled[i], split);
    }
    return count;
}

typedef struct {
    pq_model_scorer model;
    const uint64_t *places; /* of the pairs in the data set's list */
    uint64_t count;
    pq_judged *pairs;
    bool forgets; /* without the histories */
} judging;

static pique_status judge_one(pq_ctx *ctx, const judging *j, pq_model_user *user, uint64_t i) {
    const pq_labelled *pair = &j->model.dataset->labelled[j->places[i]];
    pq_view view = pq_dataset_pair_view(j->model.dataset, pair);
    pq_judged *out = &j->pairs[i];
    view.history_count = j->forgets ? 0 : view.history_count;
    *out = (pq_judged){.user = pair->user, .label = pair->label};
    PQ_TRY(pq_model_user_query(ctx, &j->model, user, pair->user, &view));
    return pique_session_rank(user->session, &user->query, &j->model.numbers[pair->item], 1,
                              &out->score);
}

static pique_status judge_part(pq_ctx *ctx, void *user, pq_team *team, uint32_t member) {
    judging *j = user;
    pq_model_user *own = NULL;
    PQ_TRY(pq_model_user_open(ctx, &j->model, &own));
    pique_status status = PIQUE_OK;
    for (uint64_t i = member; i < j->count && status == PIQUE_OK; i += team->size) {
        status = judge_one(ctx, j, own, i);
        if (status == PIQUE_OK) {
            status = pq_team_progress(team, member, ctx);
        }
    }
    pq_model_user_close(ctx, own);
    return status;
}

pique_status pq_judge_by_model(pq_ctx *ctx, const pique_model *model, const pique_dataset *d,
                               pq_split split, const pique_eval_options *options,
                               pq_judged *pairs) {
    judging j = {.count = pq_label_pairs(d, split),
                 .pairs = pairs,
                 .forgets = strcmp(options->split, "cold-users") == 0};
    uint64_t *places = pq_alloc(ctx, (size_t)j.count, sizeof(*places));
    pique_status status = places ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = pq_model_scorer_init(&j.model, ctx, model, d);
    }
    for (uint64_t i = 0, at = 0; status == PIQUE_OK && i < d->labelled_count; i++) {
        if (pq_dataset_pair_in(d, &d->labelled[i], split)) {
            places[at++] = i;
        }
    }
    if (status == PIQUE_OK) {
        pq_team team = {.size = options->threads,
                        .phase = "eval",
                        .total = j.count,
                        .listener = options->listener};
        j.places = places;
        status = pq_team_run(&team, ctx, judge_part, &j);
    }
    pq_model_scorer_free(&j.model);
    pq_free(ctx, places);
    return status;
}

pique_status pq_judge_by_popularity(pq_ctx *ctx, const pique_dataset *d, pq_split split,
                                    pq_judged *pairs) {
    double *liked = pq_alloc(ctx, d->item_rows, sizeof(*liked));
    double *seen = pq_alloc(ctx, d->item_rows, sizeof(*seen));
    if (!liked || !seen) {
        pq_free(ctx, liked);
        pq_free(ctx, seen);
        return PIQUE_NO_MEMORY;
    }
    double all = 0, all_liked = 0;
    for (uint64_t i = 0; i < d->labelled_count; i++) {
        const pq_labelled *pair = &d->labelled[i];
        bool trains = pair->split == PQ_SPLIT_TRAIN;
        liked[pair->item] += trains && pair->label;
        seen[pair->item] += trains;
        all_liked += trains && pair->label;
        all += trains;
    }
    double mean = all > 0 ? all_liked / all : 0.5;
    for (uint64_t i = 0; i < d->labelled_count; i++) {
        const pq_labelled *pair = &d->labelled[i];
        double p = (liked[pair->item] + mean) / (seen[pair->item] + 1);
        p = PQ_MAX(LEAST, PQ_MIN(1 - LEAST, p));
        if (pq_dataset_pair_in(d, pair, split)) {
            *pairs++ = (pq_judged){pair->user, (float)pq_log(p / (1 - p)), pair->label};
        }
    }
    pq_free(ctx, liked);
    pq_free(ctx, seen);
    return PIQUE_OK;
}
