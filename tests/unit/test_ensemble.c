/* test_ensemble.c — several models measured as one, against means worked out in double precision from what each
 * says alone. */
#include "trained_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "native/eval/label_metrics.h"
#include "native/eval/model_scorer.h"

enum { MEMBERS = 3, MOST_ITEMS = 32, MOST_PAIRS = 400, CUTOFF = 5 };

typedef struct {
    place p;
    pique_model *models[MEMBERS];
} ensemble;

typedef struct {
    const char *model;
    const char *set[4];
    double scale; /* 1 / the temperature that is set */
} member;

static void open_members(ensemble *e, bool ranks, const member members[MEMBERS]) {
    open_ratings(&e->p, &(ratings){.column = "genre", .labelled = ranks});
    for (int m = 0; m < MEMBERS; m++) {
        char name[24], run[TESTING_PATH], path[TESTING_PATH];
        snprintf(name, sizeof(name), "member%d", m);
        e->p.model = members[m].model;
        e->p.more = members[m].set;
        assert_ok(e->p.ctx, train(&e->p, name, 1, false, 0));
        testing_path(path, testing_path(run, e->p.folder, name), "model.pique");
        assert_ok(e->p.ctx, pique_model_read(e->p.ctx, path, &e->models[m]));
    }
}

static void close_members(ensemble *e) {
    for (int m = 0; m < MEMBERS; m++) {
        pique_model_free(e->models[m]);
    }
    close_place(&e->p);
}

static pique_eval_options options_of(ensemble *e) {
    pique_eval_options options;
    pique_eval_options_default(&options);
    options.cutoffs[0] = CUTOFF;
    options.others = (const pique_model *const *)(e->models + 1);
    options.other_count = MEMBERS - 1;
    return options;
}

/* sum[i] += the chance that a member gives item i of the data set. */
static void add_chances(ensemble *e, int m, double scale, uint32_t user, const pq_view *view,
                        double *sum) {
    pq_model_scorer by_model;
    float scores[MOST_ITEMS + 2];
    void *state;
    double whole = 0;
    const uint32_t items = e->p.data->items.count;
    assert_ok(e->p.ctx, pq_model_scorer_init(&by_model, e->p.ctx, e->models[m], e->p.data));
    pq_scorer scorer = pq_model_scorer_get(&by_model);
    assert_true(scorer.items <= MOST_ITEMS);
    assert_ok(e->p.ctx, scorer.open(e->p.ctx, scorer.shared, &state));
    assert_ok(e->p.ctx, scorer.score(e->p.ctx, scorer.shared, state, user, view, scores));
    for (uint32_t i = 1; i <= items; i++) {
        whole += exp(scale * (double)scores[by_model.numbers[i]]);
    }
    for (uint32_t i = 1; i <= items; i++) {
        sum[i] += exp(scale * (double)scores[by_model.numbers[i]]) / whole;
    }
    scorer.close(e->p.ctx, state);
    pq_model_scorer_free(&by_model);
}

/* Place of the target behind all that has a larger sum and is not in the history, 0: first; -1: in the history. */
static int place_of(const pq_view *view, uint32_t items, double *sum) {
    int before = 0;
    const double target = sum[view->target];
    for (uint32_t h = 0; h < view->history_count; h++) {
        sum[view->history[h]] = 0;
    }
    for (uint32_t i = 1; i <= items; i++) {
        before += sum[i] > target;
    }
    return sum[view->target] > 0 ? before : -1;
}

static const member that_retrieve[MEMBERS] = {
    {"sasrec", {"loss=softmax", NULL}, 1},
    {"mind", {"hidden=6", "temperature=0.25", NULL}, 4},
    {"gru4rec", {"temperature=2", NULL}, 0.5},
};

static void test_mean_of_distributions(void **state) {
    (void)state;
    ensemble e;
    double recall = 0, mrr = 0, users = 0;
    open_members(&e, false, that_retrieve);
    for (uint32_t u = 0; u < e.p.data->user_count; u++) {
        pq_view view;
        double sum[MOST_ITEMS + 1] = {0};
        if (pq_dataset_view(e.p.data, u, PQ_SPLIT_TEST, &view)) {
            for (int m = 0; m < MEMBERS; m++) {
                add_chances(&e, m, that_retrieve[m].scale, u, &view, sum);
            }
            int at = place_of(&view, e.p.data->items.count, sum);
            users++;
            recall += at >= 0 && at < CUTOFF;
            mrr += at >= 0 ? 1.0 / (at + 1) : 0;
        }
    }
    assert_true(users > 20 && recall > 2);
    for (uint32_t threads = 1; threads <= 3; threads++) {
        pique_eval_options options = options_of(&e);
        pique_eval_result result;
        options.threads = threads;
        options.lists = true;
        assert_ok(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result));
        if (fabs(result.model.recall[0] - recall / users) > 1e-9 ||
            fabs(result.model.mrr - mrr / users) > 1e-9) {
            fail_msg("recall %g and MRR %g, not %g and %g", result.model.recall[0],
                     result.model.mrr, recall / users, mrr / users);
        }
        assert_true(result.model.coverage[0] > 0 && result.popularity.mrr > 0);
    }
    close_members(&e);
}

static const member that_rank[MEMBERS] = {
    {"din", {"epochs=8", NULL}, 1}, {"fm", {NULL}, 1}, {"wide_deep", {NULL}, 1}};

static void test_mean_of_chances(void **state) {
    (void)state;
    ensemble e;
    static pq_judged pairs[MOST_PAIRS];
    static double chances[MOST_PAIRS];
    double logloss = 0;
    open_members(&e, true, that_rank);
    pique_eval_options options = options_of(&e);
    const size_t count = (size_t)pq_label_pairs(e.p.data, PQ_SPLIT_TEST);
    assert_true(count > 20 && count < MOST_PAIRS);
    memset(chances, 0, sizeof(chances));
    for (int m = 0; m < MEMBERS; m++) {
        assert_ok(e.p.ctx, pq_judge_by_model(e.p.ctx, e.models[m], e.p.data, PQ_SPLIT_TEST,
                                             &options, pairs));
        for (size_t i = 0; i < count; i++) {
            chances[i] += 1 / (1 + exp(-(double)pairs[i].score)) / MEMBERS;
        }
    }
    for (size_t i = 0; i < count; i++) {
        logloss -= log(pairs[i].label ? chances[i] : 1 - chances[i]) / (double)count;
    }
    pique_eval_result result;
    assert_ok(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result));
    if (!(fabs(result.labels.logloss - logloss) <= 1e-5)) {
        fail_msg("log loss %g, not %g", result.labels.logloss, logloss);
    }
    options.other_count = 0;
    assert_ok(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result));
    assert_true(fabs(result.labels.logloss - logloss) > 1e-4);
    close_members(&e);
}

static void test_refusals(void **state) {
    (void)state;
    ensemble e, ranking;
    pique_eval_result result;
    open_members(&e, false, that_retrieve);
    open_members(&ranking, true, that_rank);
    pique_eval_options options = options_of(&e);
    options.split = "cold-users";
    assert_failure(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result),
                   PIQUE_ARGUMENT, "nothing of users without history");
    options = options_of(&ranking);
    assert_failure(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result),
                   PIQUE_ARGUMENT, "one for ranking do not make an ensemble");
    options.other_count = PIQUE_MOST_MODELS;
    assert_failure(e.p.ctx, pique_evaluate(e.p.ctx, e.models[0], e.p.data, &options, &result),
                   PIQUE_ARGUMENT, "at most 8 models");
    close_members(&ranking);
    close_members(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_of_distributions),
        cmocka_unit_test(test_mean_of_chances),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
