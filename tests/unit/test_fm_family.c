/* test_fm_family.c — what the models on fields promise beside their equations, which the golden fixtures prove. */
#include "tests/unit/interest_case.h"
#include "tests/unit/overfit.h"

#include <math.h>

#define MOST_CANDIDATES 32

typedef struct {
    testing t;
    pq_model model;
    pq_batch batch;
    pq_tape tape;
} bench;

static void bench_open(bench *b, const char *name, const char *settings) {
    *b = (bench){.batch = interest_case_batch()};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    assert_ok(&b->t.ctx, interest_case_model(&b->model, &b->t.ctx, name, settings));
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    pq_model_free(&b->model);
    testing_close(&b->t);
}

static void scores(bench *b, const pq_batch *batch, pq_real *out) {
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = b->model.def->score(&b->tape, &b->model, batch);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(y->rows, batch->candidate_count);
    assert_true(y->cols == 1 && y->rows <= MOST_CANDIDATES);
    memcpy(out, y->value, y->rows * sizeof(*out));
}

#define NET "hidden1=5 hidden2=3 activation=tanh "

static const char *const variants[][2] = {
    {"lr", ""},
    {"fm", "dim=4"},
    {"fnn", "dim=4 " NET},
    {"fnn_plus", "dim=4 " NET "activation=dice"},
    {"wide_deep", "dim=4 " NET},
    {"wide_deep", "dim=4 linear=0 crosses=6 join=dense " NET},
    {"deepfm", "dim=4 norm=layers " NET},
    {"deepfm", "dim=4 join=concat " NET},
    {"afm", "dim=4 attention=3"},
    {"afm", "dim=4 mode=agg"},
    {"two_tower", "dim=4 out=3 tower_dropout=0.4 " NET},
    {"concat_mlp", "dim=4 " NET},
    {"feature_mlp", "dim=4 norm=input head_dropout=0.5 " NET},
    {"cnn", "dim=4 " NET},
    {"cnn", "dim=4 axis=fields " NET},
};

/* A candidate's log-odds do not depend on other users or candidates, to the last bit. */
static void test_alone(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        bench_open(&b, variants[i][0], variants[i][1]);
        pq_real all[MOST_CANDIDATES], one[MOST_CANDIDATES];
        scores(&b, &b.batch, all);
        for (uint32_t c = 0; c < b.batch.candidate_count; c++) {
            static const uint32_t nobody = 0;
            uint32_t user = b.batch.candidate_users[c], first = b.batch.history.starts[user];
            uint32_t starts[] = {0, b.batch.history.starts[user + 1] - first};
            const pq_codes own = {b.batch.profile->offsets + (size_t)2 * user,
                                  b.batch.profile->values};
            pq_batch alone = {.history = {starts, 1},
                              .items = b.batch.items + first,
                              .profile = &own,
                              .candidate_count = 1,
                              .candidates = b.batch.candidates + c,
                              .candidate_users = &nobody};
            scores(&b, &alone, one);
            if (memcmp(one, &all[c], sizeof(*all)) != 0) {
                fail_msg("%s %s: candidate %u has %.9g alone, %.9g with others", variants[i][0],
                         variants[i][1], (unsigned)c, one[0], all[c]);
            }
        }
        pq_batch none = {.history = b.batch.history, .items = b.batch.items};
        scores(&b, &none, one);
        bench_close(&b);
    }
}

/* Users of whom nothing is known have finite log-odds, which depend on the candidate alone. */
static void test_strangers(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 0, 0}, candidates[] = {1, 5, 5}, users[] = {0, 0, 1};
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        pq_real y[MOST_CANDIDATES];
        bench_open(&b, variants[i][0], variants[i][1]);
        pq_batch batch = {.history = {starts, 2},
                          .items = candidates,
                          .candidate_count = 3,
                          .candidates = candidates,
                          .candidate_users = users};
        scores(&b, &batch, y);
        assert_true(isfinite(y[0]) && y[0] != y[1] && y[1] == y[2]);
        bench_close(&b);
    }
}

/* What a user's profile and history change in the scores of two items. lr adds a term of the user to each. */
static void test_users_differ(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 2, 2}, items[] = {3, 6}, codes[] = {1, 2, 3, 4};
    static const uint32_t candidates[] = {1, 5, 1, 5}, users[] = {0, 0, 1, 1};
    const pq_codes profile = {testing_one_each(), codes};
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        pq_real y[MOST_CANDIDATES];
        bench_open(&b, variants[i][0], variants[i][1]);
        pq_batch batch = {.history = {starts, 2},
                          .items = items,
                          .profile = &profile,
                          .candidate_count = 4,
                          .candidates = candidates,
                          .candidate_users = users};
        scores(&b, &batch, y);
        double difference = fabs(((double)y[0] - y[1]) - ((double)y[2] - y[3]));
        assert_true(fabs((double)y[0] - y[2]) > 1e-4);
        if ((difference < 1e-5) != (strcmp(variants[i][0], "lr") == 0)) {
            fail_msg("%s %s: users differ by %g", variants[i][0], variants[i][1], difference);
        }
        bench_close(&b);
    }
}

/* The inner product of what a retrieval takes is the log-odds of ranking, but for what fm's users are worth alone,
 * which is the same for all of a user's candidates. */
static void towers_meet(const char *model, const char *settings, uint32_t width, bool exact) {
    bench b;
    pq_real y[MOST_CANDIDATES];
    uint32_t live[8];
    bench_open(&b, model, settings);
    uint32_t count = b.batch.candidate_count, d = b.model.width;
    assert_int_equal(d, width);
    scores(&b, &b.batch, y);
    pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
    const pq_var *u = b.model.def->user(&b.tape, &b.model, &b.batch, live);
    const pq_var *e = pq_items_vectors(&b.tape, &b.model.items, b.batch.candidates, count);
    assert_ok(&b.t.ctx, b.tape.status);
    assert_int_equal(u->rows, b.batch.history.count);
    double alone = 0;
    for (uint32_t c = 0; c < count; c++) {
        uint32_t user = b.batch.candidate_users[c];
        double dot = 0;
        for (uint32_t j = 0; j < d; j++) {
            dot += (double)u->value[user * d + j] * e->value[c * d + j];
        }
        if (!exact && (c == 0 || b.batch.candidate_users[c - 1] != user)) {
            alone = y[c] - dot;
        }
        assert_true(fabs(dot + alone - y[c]) < 1e-5 && live[user] == 1);
    }
    bench_close(&b);
}

static void test_towers_meet(void **state) {
    (void)state;
    towers_meet("two_tower", "dim=4 out=3 " NET, 3, true);
    towers_meet("fm", "dim=4", 5, false);
    towers_meet("fm", "dim=3 linear=0 history=0", 4, false);
}

/* The file that serves has neither the item's tower nor the machine that fnn learns with. */
static void test_serves_without(void **state) {
    (void)state;
    static const char *const parts[][2] = {{"two_tower", "tower1.w"}, {"fnn", "bias"}};
    for (size_t i = 0; i < 2 * PQ_COUNT(parts); i++) {
        const char *model = parts[i / 2][0];
        bool baked = i % 2 == 1;
        testing t;
        pq_model m;
        testing_open(&t);
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find(model, strlen(model)), "best"));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "dim=4"));
        m.items.rows = RNN_CASE_ITEMS;
        m.items.baked = baked;
        m.items.baked_width = strcmp(model, "fnn") == 0 ? 5 : 4;
        assert_ok(&t.ctx, pq_model_declare(&m));
        const pq_param *part = pq_params_find(&m.params, parts[i / 2][1]);
        assert_int_equal(part != NULL, !baked);
        assert_true(baked || part->unsaved);
        pq_model_free(&m);
        testing_close(&t);
    }
}

/* What has a gradient: in pretraining the machine, afterwards the network, and the rows when they are not frozen. */
static void test_stages(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool frozen = way % 2 == 1, pretraining = way >= 2;
        bench b;
        pq_grads grads;
        bench_open(&b, "fnn", frozen ? "dim=3 embedding=frozen " NET : "dim=3 " NET);
        b.model.pretraining = pretraining;
        assert_ok(&b.t.ctx, pq_grads_init(&grads, &b.t.ctx, &b.model.params));
        pq_tape_begin(&b.tape, &grads, true, (pq_rng){0});
        assert_ok(&b.t.ctx, pq_tape_backward(&b.tape, pq_model_loss(&b.tape, &b.model, &b.batch)));
        for (uint32_t i = 0; i < b.model.params.count; i++) {
            const pq_param *param = b.model.params.list[i];
            bool network = strncmp(param->name, "mlp", 3) == 0;
            bool bias = strcmp(param->name, "bias") == 0;
            bool wanted = network ? !pretraining : bias ? pretraining : pretraining || !frozen;
            if (grads.list[i].used != wanted) {
                fail_msg("way %d: %s is%s used", way, param->name, wanted ? " not" : "");
            }
            assert_int_equal(param->pretrained, frozen && param->sparse);
        }
        pq_grads_free(&grads);
        bench_close(&b);
    }
}

static void test_options(void **state) {
    (void)state;
    static const struct {
        const char *model, *settings, *message;
        pique_status status;
    } cases[] = {
        {"cnn", "dim=2", "taps = 3 is wider than the 2 numbers of a vector", PIQUE_ARGUMENT},
        {"cnn", "axis=fields", "taps = 3 is wider than the 2 fields", PIQUE_ARGUMENT},
        {"wide_deep", "linear=0", "leaves nothing to be wide", PIQUE_ARGUMENT},
        {"fnn", "embedding=frozen", "pretrain = 0 is none", PIQUE_ARGUMENT},
        {"afm", "history=0", "afm needs two fields", PIQUE_DATA}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        testing t;
        pq_model m;
        testing_open(&t);
        const pq_model_def *def = pq_model_find(cases[i].model, strlen(cases[i].model));
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, def, "best"));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, cases[i].settings));
        m.items.rows = RNN_CASE_ITEMS;
        assert_failure(&t.ctx, pq_model_declare(&m), cases[i].status, cases[i].message);
        pq_model_free(&m);
        testing_close(&t);
    }
}

/* Every preset declares, runs and has a gradient, without a profile too. */
static void test_presets(void **state) {
    (void)state;
    static const char *const presets[] = {"best", "seed", "paper"};
    for (size_t i = 0; i < 3 * PQ_COUNT(variants); i++) {
        testing t;
        pq_model m;
        const char *model = variants[i / 3][0], *preset = presets[i % 3];
        pq_batch batch = interest_case_batch();
        testing_open(&t);
        t.ctx.kernels = pq_kernels_find("best");
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find(model, strlen(model)), preset));
        if (strcmp(model, "afm") == 0 || strcmp(model, "cnn") == 0) {
            assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "history=2"));
        }
        m.items.rows = RNN_CASE_ITEMS;
        m.pretrain = m.def->pretrains;
        assert_ok(&t.ctx, pq_model_declare(&m));
        pq_params_draw(&m.params, 1);
        double first = overfit(&m, &batch, 0.001, 1, NULL, NULL);
        double last = overfit(&m, &batch, 0.001, 30, NULL, NULL);
        assert_true(isfinite(first) && isfinite(last) && first != last);
        pq_model_free(&m);
        testing_close(&t);
    }
}

/* ---- what only pairs of fields can tell ---- */

#define PEOPLE 4
#define THINGS 8
#define ROWS (PEOPLE * THINGS)

/* People of gender 1 like the first half of the things, the others the second half: an exclusive or of two fields,
 * of which logistic regression has an AUC of 1/2. */
static uint32_t right_after_training(const char *model, const char *settings) {
    static const uint32_t starts[PEOPLE + 1] = {0}, codes[] = {1, 1, 2, 1, 1, 1, 2, 1}, none = 0;
    uint32_t candidates[ROWS], users[ROWS], right = 0;
    pq_real labels[ROWS], y[MOST_CANDIDATES];
    const pq_codes profile = {testing_one_each(), codes};
    for (uint32_t i = 0; i < ROWS; i++) {
        users[i] = i / THINGS;
        candidates[i] = 1 + i % THINGS;
        labels[i] = (pq_real)((i % THINGS < THINGS / 2) == (codes[2 * (i / THINGS)] == 1));
    }
    const pq_batch batch = {.history = {starts, PEOPLE},
                            .items = &none,
                            .profile = &profile,
                            .candidate_count = ROWS,
                            .candidates = candidates,
                            .candidate_users = users,
                            .candidate_labels = labels,
                            .positions = ROWS};
    bench b;
    bench_open(&b, model, settings);
    pq_params_draw(&b.model.params, 1);
    overfit(&b.model, &batch, 0.02, 300, NULL, NULL);
    scores(&b, &batch, y);
    for (uint32_t i = 0; i < ROWS; i++) {
        right += (y[i] > 0) == (labels[i] > 0);
    }
    bench_close(&b);
    return right;
}

static void test_exclusive_or(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"fm", "dim=8 init_scale=0.2"},
                                           {"fnn", "dim=8"},
                                           {"fnn_plus", "dim=8 init_scale=0.5"},
                                           {"wide_deep", "dim=8"},
                                           {"wide_deep", "dim=1 crosses=64 hidden1=0"},
                                           {"deepfm", "dim=8"},
                                           {"deepfm", "dim=8 join=concat"},
                                           {"afm", "dim=8 init_scale=0.5"},
                                           {"two_tower", "dim=8 init_scale=0.2"},
                                           {"concat_mlp", "dim=8"},
                                           {"feature_mlp", "dim=8"},
                                           {"cnn", "dim=8 init_scale=0.2"}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        uint32_t right = right_after_training(cases[i][0], cases[i][1]);
        if (right != ROWS) {
            fail_msg("%s %s: %u of %u labels", cases[i][0], cases[i][1], (unsigned)right, ROWS);
        }
    }
    assert_true(right_after_training("lr", "") <= ROWS / 2 + PEOPLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),          cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_users_differ),   cmocka_unit_test(test_towers_meet),
        cmocka_unit_test(test_serves_without), cmocka_unit_test(test_stages),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_exclusive_or),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
