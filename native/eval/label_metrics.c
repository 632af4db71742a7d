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

/* Of the pairs with the highest score, which stand last: the share with label 1. */
static double best_share(const pq_judged *pairs, size_t count) {
    double ones = 0;
    size_t best = 0;
    while (best < count && pairs[count - 1 - best].score == pairs[count - 1].score) {
        ones += pairs[count - 1 - best++].label;
    }
    return ones / (double)best;
}

static void judge_users(pq_judged *pairs, size_t count, pique_label_metrics *out) {
    double sum = 0, weight = 0, first = 0, users = 0;
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
            first += best_share(pairs + i, end - i);
            users++;
        }
        i = end;
    }
    out->gauc = sum / weight;
    out->top1 = first / users;
}

void pq_label_metrics(pq_judged *pairs, size_t count, pique_label_metrics *out) {
    double loss = 0, right = 0, predicted[BINS] = {0}, happened[BINS] = {0};
    judge_users(pairs, count, out);
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
    uint64_t *runs;         /* [run_count + 1] the first of those that share user and history */
    const uint64_t *places; /* of the pairs in the data set's list */
    uint64_t run_count;
    pq_judged *pairs;
    bool forgets; /* without the histories */
} judging;

#define LONGEST_RUN 64

/* Whether a pair is asked about together with the one before it. */
static bool follows(const pq_labelled *pair, const pq_labelled *before) {
    return pair->user == before->user && pair->first == before->first &&
           pair->history == before->history;
}

static pique_status judge_run(pq_ctx *ctx, const judging *j, pq_model_user *user, uint64_t run) {
    const pq_labelled *all = j->model.dataset->labelled;
    const uint64_t first = j->runs[run];
    const uint32_t count = (uint32_t)(j->runs[run + 1] - first);
    pq_view view = pq_dataset_pair_view(j->model.dataset, &all[j->places[first]]);
    uint32_t candidates[LONGEST_RUN];
    float scores[LONGEST_RUN];
    view.history_count = j->forgets ? 0 : view.history_count;
    PQ_TRY(pq_model_user_query(ctx, &j->model, user, all[j->places[first]].user, &view));
    for (uint32_t i = 0; i < count; i++) {
        candidates[i] = j->model.numbers[all[j->places[first + i]].item];
    }
    PQ_TRY(pique_session_rank(user->session, &user->query, candidates, count, scores));
    for (uint32_t i = 0; i < count; i++) {
        const pq_labelled *pair = &all[j->places[first + i]];
        j->pairs[first + i] = (pq_judged){pair->user, scores[i], pair->label};
    }
    return PIQUE_OK;
}

static pique_status judge_part(pq_ctx *ctx, void *user, pq_team *team, uint32_t member) {
    judging *j = user;
    pq_model_user *own = NULL;
    PQ_TRY(pq_model_user_open(ctx, &j->model, &own));
    pique_status status = PIQUE_OK;
    for (uint64_t i = member; i < j->run_count && status == PIQUE_OK; i += team->size) {
        status = judge_run(ctx, j, own, i);
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
    const size_t count = (size_t)pq_label_pairs(d, split);
    uint64_t *places = pq_alloc(ctx, count, sizeof(*places));
    judging j = {.runs = pq_alloc(ctx, count + 1, sizeof(*j.runs)),
                 .pairs = pairs,
                 .forgets = strcmp(options->split, "cold-users") == 0};
    pique_status status = places && j.runs ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = pq_model_scorer_init(&j.model, ctx, model, d);
    }
    for (uint64_t i = 0, at = 0; status == PIQUE_OK && i < d->labelled_count; i++) {
        if (!pq_dataset_pair_in(d, &d->labelled[i], split)) {
            continue;
        }
        if (at == 0 || !follows(&d->labelled[i], &d->labelled[places[at - 1]]) ||
            at - j.runs[j.run_count - 1] == LONGEST_RUN) {
            j.runs[j.run_count++] = at;
        }
        places[at++] = i;
        j.runs[j.run_count] = at;
    }
    if (status == PIQUE_OK) {
        pq_team team = {.size = options->threads,
                        .phase = "eval",
                        .total = j.run_count,
                        .listener = options->listener};
        j.places = places;
        status = pq_team_run(&team, ctx, judge_part, &j);
    }
    pq_model_scorer_free(&j.model);
    pq_free(ctx, places);
    pq_free(ctx, j.runs);
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
