/* test_rnn_family.c — what pool, rnn, rnn_als and rnn_joint promise beside their equations, which the golden
 * fixtures prove. */
#include "tests/unit/overfit.h"
#include "tests/unit/rnn_case.h"

#include <math.h>

typedef struct {
    testing t;
    pq_model model;
    pq_batch batch;
    pq_tape tape;
} bench;

static void bench_open(bench *b, const char *name, const char *settings) {
    *b = (bench){.batch = rnn_case_batch()};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    assert_ok(&b->t.ctx, rnn_case_model(&b->model, &b->t.ctx, name, settings));
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    pq_model_free(&b->model);
    testing_close(&b->t);
}

static pq_param *param(const bench *b, const char *name) {
    pq_param *found = pq_params_find(&b->model.params, name);
    if (!found) {
        fail_msg("%s has no parameter %s", b->model.def->name, name);
    }
    return found;
}

static void zero(const pq_param *p) {
    memset(p->value, 0, (size_t)p->rows * p->cols * sizeof(*p->value));
}

/* Log-odds of a batch, of the step. */
static const pq_real *scores(bench *b, const pq_batch *batch) {
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = b->model.def->score(&b->tape, &b->model, batch);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(y->rows, batch->candidate_count);
    assert_int_equal(y->cols, 1);
    return y->value;
}

static double loss(bench *b, const pq_batch *batch) {
    pq_tape_begin(&b->tape, NULL, false, pq_rng_make(1, 0, 0));
    const pq_var *y = pq_model_loss(&b->tape, &b->model, batch);
    assert_ok(&b->t.ctx, b->tape.status);
    return y->value[0];
}

/* A candidate's log-odds do not depend on other users or candidates, to the last bit. */
static void test_alone(void **state) {
    (void)state;
    static const char *const models[][2] = {{"pool", "dim=8 hidden=5"},
                                            {"rnn", "dim=8 hidden=5 cell=lstm layers=2"},
                                            {"rnn", "dim=8 hidden=5 cell=rnn dropout=0.5"},
                                            {"rnn_als", "dim=8 cell=gru"},
                                            {"rnn_joint", "dim=8 cell=lstm"}};
    for (size_t i = 0; i < PQ_COUNT(models); i++) {
        bench b;
        bench_open(&b, models[i][0], models[i][1]);
        pq_real all[8];
        memcpy(all, scores(&b, &b.batch), b.batch.candidate_count * sizeof(*all));
        for (uint32_t c = 0; c < b.batch.candidate_count; c++) {
            static const uint32_t nobody = 0;
            uint32_t user = b.batch.candidate_users[c];
            uint32_t first = b.batch.history.starts[user];
            uint32_t starts[] = {0, b.batch.history.starts[user + 1] - first};
            pq_batch one = {.history = {starts, 1},
                            .items = b.batch.items + first,
                            .candidate_count = 1,
                            .candidates = b.batch.candidates + c,
                            .candidate_users = &nobody};
            assert_memory_equal(scores(&b, &one), &all[c], sizeof(*all));
        }
        pq_batch none = {.history = b.batch.history, .items = b.batch.items};
        scores(&b, &none);
        bench_close(&b);
    }
}

/* All items as candidates of two users; the log-odds less those of the first item. */
#define ITEMS (RNN_CASE_ITEMS - 2)
static void two_users(bench *b, pq_real out[2][ITEMS]) {
    static const uint32_t starts[] = {0, 3, 8}, items[] = {1, 2, 3, 9, 8, 9, 4, 5};
    uint32_t candidates[2 * ITEMS], users[2 * ITEMS];
    for (uint32_t i = 0; i < 2 * ITEMS; i++) {
        candidates[i] = 1 + i % ITEMS;
        users[i] = i / ITEMS;
    }
    pq_batch batch = {.history = {starts, 2},
                      .items = items,
                      .candidate_count = 2 * ITEMS,
                      .candidates = candidates,
                      .candidate_users = users};
    const pq_real *y = scores(b, &batch);
    for (uint32_t i = 0; i < 2 * ITEMS; i++) {
        out[i / ITEMS][i % ITEMS] = y[i] - y[i / ITEMS * ITEMS];
    }
}

/* Without a hidden layer, two users' log-odds differ by a constant; with one they do not. */
static void test_pool_separates(void **state) {
    (void)state;
    static const char *const settings[] = {"dim=6 hidden=0", "dim=6 hidden=0 pool=sum",
                                           "dim=6 hidden=7"};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench b;
        pq_real y[2][ITEMS];
        double most = 0;
        bench_open(&b, "pool", settings[i]);
        two_users(&b, y);
        for (uint32_t c = 0; c < ITEMS; c++) {
            most = PQ_MAX(most, fabs((double)y[0][c] - y[1][c]));
        }
        if (!(i < 2 ? most < 1e-5 : most > 0.01)) {
            fail_msg("%s: users differ by %g", settings[i], most);
        }
        bench_close(&b);
    }
}

/* Without recurrent weights the state depends on the newest behaviour alone; with them it does not. */
static void test_memory(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 4, 6}, items[] = {3, 1, 4, 9, 2, 9};
    static const char *const cells[] = {"dim=6 cell=rnn", "dim=6 cell=gru", "dim=6 cell=lstm"};
    for (uint32_t i = 0; i < 2 * PQ_COUNT(cells); i++) {
        bench b;
        uint32_t live[2];
        bench_open(&b, "rnn_als", cells[i / 2]);
        bool without = i % 2 == 0 && i < 2; /* gates keep a state without the weights too */
        if (without) {
            zero(param(&b, "layer1.state.w"));
        }
        pq_batch batch = {.history = {starts, 2}, .items = items};
        pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
        const pq_var *u = b.model.def->user(&b.tape, &b.model, &batch, live);
        assert_ok(&b.t.ctx, b.tape.status);
        bool same = memcmp(u->value, u->value + 6, 6 * sizeof(*u->value)) == 0;
        assert_int_equal(same, without);
        bench_close(&b);
    }
}

/* What the prediction of the next item adds to the log loss, of one user. */
static double next_item_loss(const char *settings, const uint32_t *items, uint32_t length,
                             uint32_t candidate, pq_real label) {
    static const uint32_t nobody = 0;
    uint32_t starts[] = {0, length};
    pq_batch batch = {.history = {starts, 1},
                      .items = items,
                      .candidate_count = 1,
                      .candidates = &candidate,
                      .candidate_users = &nobody,
                      .candidate_labels = &label,
                      .positions = 1};
    double with, without;
    bench b;
    bench_open(&b, "rnn_joint", settings);
    with = loss(&b, &batch);
    bench_close(&b);
    char off[160];
    snprintf(off, sizeof(off), "%s lambda=0", settings);
    bench_open(&b, "rnn_joint", off);
    without = loss(&b, &batch);
    bench_close(&b);
    return with - without;
}

/* Which labels there are: the candidate after the last behaviour, if it was liked or is kept, and never an
 * unknown item. */
static void test_joint_labels(void **state) {
    (void)state;
    static const uint32_t items[] = {3, 5, 11};
    const char *mask = "dim=4", *keep = "dim=4 last_step_when_negative=keep";
    double one = next_item_loss(mask, items, 1, 7, 1);
    assert_true(one > 0.1);
    assert_true(fabs(next_item_loss(mask, items, 1, 7, 0)) == 0);
    assert_true(fabs(next_item_loss(keep, items, 1, 7, 0) - one) < 1e-5);
    assert_true(fabs(next_item_loss(mask, items, 1, 11, 1)) == 0);
    assert_true(fabs(next_item_loss(mask, items, 0, 7, 1)) == 0);
    /* The third behaviour is unknown, so that the second has no label. */
    double first = next_item_loss(mask, items, 2, 7, 0);
    assert_true(first > 0.1 && fabs(next_item_loss(mask, items, 3, 7, 0) - first) < 1e-5);
    assert_true(fabs(next_item_loss("dim=4 lambda=3", items, 2, 7, 0) - 3 * first) < 1e-5);
}

/* With equal logits the cross-entropy is log N. */
static void test_joint_uniform(void **state) {
    (void)state;
    static const char *const heads[] = {"dim=4 aux_output=own",
                                        "dim=4 aux_output=own aux_negatives=2",
                                        "dim=4 aux_output=own aux_head=tanh_softmax_ce"};
    for (size_t i = 0; i < PQ_COUNT(heads); i++) {
        bench b;
        bench_open(&b, "rnn_joint", heads[i]);
        zero(param(&b, "aux.w"));
        zero(param(&b, "item.id")); /* so that the log loss is log 2 */
        double got = loss(&b, &b.batch) - log(2);
        /* Users 0, 2 (which has two candidates) and 3 have labels; user 1 has no history. */
        double want = i == 1 ? got : 4.0 / 5 * log(ITEMS);
        if (!(fabs(got - want) < 1e-6) || !(got > 0)) {
            fail_msg("%s: %.9g instead of %.9g", heads[i], got, want);
        }
        bench_close(&b);
    }
}

/* With many negatives, the loss is nearly that of the whole catalogue. */
static void test_joint_sampled(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        double got[2];
        for (int sampled = 0; sampled < 2; sampled++) {
            char settings[96];
            bench b;
            snprintf(settings, sizeof(settings), "dim=4 cell=rnn aux_output=%s aux_negatives=%d",
                     i ? "own" : "tied", sampled ? 200000 : 0);
            bench_open(&b, "rnn_joint", settings);
            got[sampled] = loss(&b, &b.batch);
            bench_close(&b);
        }
        assert_true(got[0] > 1 && fabs(got[0] - got[1]) < 0.01);
    }
}

/* The file that serves has nothing of what only predicts the next item. */
static void test_joint_serves_without(void **state) {
    (void)state;
    testing t;
    pq_model m;
    testing_open(&t);
    for (int baked = 0; baked < 2; baked++) {
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("rnn_joint", 9), "seed"));
        m.items.rows = RNN_CASE_ITEMS;
        m.items.baked = baked;
        assert_ok(&t.ctx, pq_model_declare(&m));
        const pq_param *aux = pq_params_find(&m.params, "aux.w");
        assert_int_equal(aux != NULL, !baked);
        assert_true(baked || aux->unsaved);
        pq_model_free(&m);
    }
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("rnn_joint", 9), "seed"));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "aux_negatives=10"));
    m.items.rows = RNN_CASE_ITEMS;
    assert_failure(&t.ctx, pq_model_declare(&m), PIQUE_ARGUMENT, "takes the whole catalogue");
    pq_model_free(&m);
    testing_close(&t);
}

/* ---- learning by heart ---- */

#define STEPS 150
#define LENGTH 8

/* The ten items in a circle; user u begins at item u + 1 and the next item is the candidate. */
static void circle(uint32_t *starts, uint32_t *items, uint32_t *candidates, uint32_t *users,
                   pq_real *labels) {
    starts[0] = 0;
    for (uint32_t u = 0; u < ITEMS; u++) {
        for (uint32_t i = 0; i < LENGTH; i++) {
            items[u * LENGTH + i] = 1 + (u + i) % ITEMS;
        }
        starts[u + 1] = (u + 1) * LENGTH;
        candidates[u] = 1 + (u + LENGTH) % ITEMS;
        users[u] = u;
        labels[u] = 1;
    }
}

static uint32_t hits(bench *b, const pq_batch *batch) {
    uint32_t live[ITEMS], ids[ITEMS], count = 0, d = b->model.width;
    for (uint32_t i = 0; i < ITEMS; i++) {
        ids[i] = 1 + i;
    }
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *u = b->model.def->user(&b->tape, &b->model, batch, live);
    const pq_var *e = pq_items_vectors(&b->tape, &b->model.items, ids, ITEMS);
    assert_ok(&b->t.ctx, b->tape.status);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t best = 0;
        pq_real top = 0;
        for (uint32_t j = 0; j < ITEMS; j++) {
            pq_real score =
                b->t.ctx.kernels->dot(u->value + (size_t)i * d, e->value + (size_t)j * d, d);
            if (best == 0 || score > top) {
                best = ids[j];
                top = score;
            }
        }
        count += best == batch->candidates[i];
    }
    return count;
}

static void test_overfit(void **state) {
    (void)state;
    static const char *const cells[] = {"dim=16 cell=rnn", "dim=16 cell=gru",
                                        "dim=16 cell=lstm aux_negatives=20"};
    uint32_t starts[ITEMS + 1], items[ITEMS * LENGTH], candidates[ITEMS], users[ITEMS];
    pq_real labels[ITEMS];
    circle(starts, items, candidates, users, labels);
    const pq_batch batch = {.history = {starts, ITEMS},
                            .items = items,
                            .candidate_count = ITEMS,
                            .candidates = candidates,
                            .candidate_users = users,
                            .candidate_labels = labels,
                            .positions = ITEMS};
    for (size_t i = 0; i < PQ_COUNT(cells); i++) {
        bench b;
        bench_open(&b, "rnn_joint", cells[i]);
        uint32_t before = hits(&b, &batch);
        overfit(&b.model, &batch, 0.01, STEPS, NULL, NULL);
        uint32_t after = hits(&b, &batch);
        if (before == ITEMS || after != ITEMS) {
            fail_msg("%s: %u of %u users before, %u after training", cells[i], (unsigned)before,
                     ITEMS, (unsigned)after);
        }
        bench_close(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_pool_separates),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_joint_labels),
        cmocka_unit_test(test_joint_uniform),
        cmocka_unit_test(test_joint_sampled),
        cmocka_unit_test(test_joint_serves_without),
        cmocka_unit_test(test_overfit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
