/* test_interest.c — what din, dien, bst, transformer4rec and dsin promise beside their equations, which the golden fixtures prove. */
#include "tests/unit/interest_case.h"
#include "tests/unit/overfit.h"

#include <math.h>

#define MOST_CANDIDATES 128

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

static double loss(bench *b, const pq_batch *batch) {
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = pq_model_loss(&b->tape, &b->model, batch);
    assert_ok(&b->t.ctx, b->tape.status);
    return y->value[0];
}

static const char *const variants[][2] = {
    {"pool", "dim=4"},
    {"din", "dim=4"},
    {"din", "dim=3 att_norm=none attention_activation=dice"},
    {"din", "dim=4 att=dot att_norm=sigmoid norm=none activation=relu"},
    {"din", "dim=4 att=bilinear input=plain norm=layers activation=prelu"},
    {"din", "dim=4 att=self input=compact attention2=0"},
    {"din", "dim=4 att=user"},
    {"din", "dim=3 att=outer attention2=0"},
    {"din", "dim=4 att=elem_add dice_affine=1 attention_activation=dice"},
    {"dien", "dim=4"},
    {"dien", "dim=2 evolution=gru"},
    {"dien", "dim=2 evolution=aigru att=bilinear"},
    {"dien", "dim=2 evolution=agru attention_activation=dice input=plain"},
    {"dien", "dim=4 cell=tf att=mlp_prelu_query"},
    {"dien", "dim=2 cell=tf evolution=agru att=one"},
    {"dien", "dim=2 h0=random"},
    {"dien", "dim=3 h0=random evolution=gru tables=separate"},
    {"bst", "dim=4"},
    {"bst", "dim=4 position=time_gap"},
    {"bst", "dim=3 target_in_encoder=0 position=learned"},
    {"bst", "dim=2 target_in_encoder=0 position=sinusoid attention_activation=dice"},
    {"bst", "dim=3 layers=2 position=sinusoid activation=dice"},
    {"transformer4rec", "dim=4 history=8"},
    {"transformer4rec", "dim=3 layers=2 position=sinusoid enc_causal=0 aux_output=own"},
    {"dsin", "dim=4"},
    {"dsin", "dim=4 att=bilinear lstm_merge=concat lstm_layers=2 sessions=2 session_length=3"},
    {"dsin", "dim=2 ln=0 blind=1 mean=padded lstm_layers=2 lstm_stack=per_direction"},
    {"dsin", "dim=3 position=learned session_least=2 layers=2 attention_activation=dice"},
    {"dsin", "dim=2 sess_order=newest_first sessions=2 session_length=3"},
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
            uint32_t user = b.batch.candidate_users[c];
            uint32_t first = b.batch.history.starts[user];
            uint32_t starts[] = {0, b.batch.history.starts[user + 1] - first};
            const pq_codes own = {b.batch.profile->offsets + (size_t)2 * user,
                                  b.batch.profile->values};
            pq_batch alone = {.history = {starts, 1},
                              .items = b.batch.items + first,
                              .times = b.batch.times + first,
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

/* So many pairs that the attention unit takes them in parts: equal candidates have equal log-odds. */
static void test_many(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        bench_open(&b, variants[i][0], variants[i][1]);
        uint32_t starts[] = {0, b.batch.history.starts[1]};
        uint32_t candidates[MOST_CANDIDATES], users[MOST_CANDIDATES] = {0};
        for (uint32_t c = 0; c < MOST_CANDIDATES; c++) {
            candidates[c] = 1 + c * c % 11;
        }
        pq_batch batch = {.history = {starts, 1},
                          .items = b.batch.items,
                          .times = b.batch.times,
                          .profile = b.batch.profile,
                          .candidate_count = MOST_CANDIDATES,
                          .candidates = candidates,
                          .candidate_users = users};
        assert_true(starts[1] * MOST_CANDIDATES > 3 * 200);
        pq_real all[MOST_CANDIDATES], one[MOST_CANDIDATES];
        scores(&b, &batch, all);
        batch.candidate_count = 1;
        for (uint32_t c = 0; c < MOST_CANDIDATES; c++) {
            batch.candidates = candidates + c;
            scores(&b, &batch, one);
            assert_memory_equal(one, &all[c], sizeof(*all));
        }
        bench_close(&b);
    }
}

/* Users without a history have finite log-odds, which depend on the candidate. */
static void test_no_history(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 0, 0}, candidates[] = {1, 5, 5}, users[] = {0, 0, 1};
    static const pq_real labels[] = {1, 0, 1};
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        pq_real y[MOST_CANDIDATES];
        bench_open(&b, variants[i][0], variants[i][1]);
        pq_batch batch = {.history = {starts, 2},
                          .items = candidates,
                          .history_negatives = candidates,
                          .candidate_count = 3,
                          .candidates = candidates,
                          .candidate_users = users,
                          .candidate_labels = labels,
                          .positions = 3};
        scores(&b, &batch, y);
        assert_true(isfinite(y[0]) && y[0] != y[1] && y[1] == y[2]);
        assert_true(isfinite(loss(&b, &batch)));
        bench_close(&b);
    }
}

/* One user with behaviours 3, 5, 8 in an order, and candidate 6. */
static pq_real of_order(bench *b, const uint32_t *items) {
    static const uint32_t starts[] = {0, 3}, candidate = 6, user = 0;
    pq_real y[MOST_CANDIDATES];
    pq_batch batch = {.history = {starts, 1},
                      .items = items,
                      .candidate_count = 1,
                      .candidates = &candidate,
                      .candidate_users = &user};
    scores(b, &batch, y);
    return y[0];
}

/* din and pool do not see the order of a history, others do. */
static void test_order(void **state) {
    (void)state;
    static const uint32_t one[] = {3, 5, 8}, other[] = {8, 3, 5};
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        bench_open(&b, variants[i][0], variants[i][1]);
        double difference = fabs((double)of_order(&b, one) - of_order(&b, other));
        bool same = difference < 1e-5;
        if (same != (strcmp(variants[i][0], "din") == 0 || strcmp(variants[i][0], "pool") == 0)) {
            fail_msg("%s %s: the order makes %g", variants[i][0], variants[i][1], difference);
        }
        bench_close(&b);
    }
}

/* The loss with one negative, and one behaviour, of user 3 replaced by another. */
static double with(bench *b, int64_t negative, int64_t behaviour) {
    uint32_t items[16], negatives[16];
    memcpy(items, b->batch.items, sizeof(items));
    memcpy(negatives, b->batch.history_negatives, sizeof(negatives));
    if (negative >= 0) {
        negatives[b->batch.history.starts[3] + negative] = 8;
    }
    if (behaviour >= 0) {
        items[b->batch.history.starts[3] + behaviour] = 7;
    }
    pq_batch batch = b->batch;
    batch.items = items;
    batch.history_negatives = negatives;
    return loss(b, &batch);
}

/* The first behaviour follows nothing, so that its negative is not looked at; all others are. */
static void test_aux_shift(void **state) {
    (void)state;
    static const char *const settings[] = {"dim=4 aux=next_mlp", "dim=4 aux=next_dot"};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench b;
        bench_open(&b, "dien", settings[i]);
        double base = with(&b, -1, -1);
        assert_true(with(&b, 0, -1) == base);
        for (int64_t at = 1; at < 7; at++) {
            assert_true(fabs(with(&b, at, -1) - base) > 1e-6);
        }
        assert_true(fabs(with(&b, -1, 6) - base) > 1e-6);
        bench_close(&b);
    }
}

/* Without negatives, as in an evaluation, the loss is the log loss alone. */
static void test_aux_needs_negatives(void **state) {
    (void)state;
    bench b;
    bench_open(&b, "dien", "dim=4 aux=next_dot");
    double both = loss(&b, &b.batch);
    b.batch.history_negatives = NULL;
    double without = loss(&b, &b.batch);
    bench_close(&b);
    bench_open(&b, "dien", "dim=4 aux=none");
    double none = loss(&b, &b.batch);
    bench_close(&b);
    assert_true(both > without + 0.01);
    assert_true(without == none);
}

static double loss_in_training(bench *b, uint64_t seed) {
    pq_tape_begin(&b->tape, NULL, true, pq_rng_make(seed, 1, 1));
    const pq_var *y = pq_model_loss(&b->tape, &b->model, &b->batch);
    assert_ok(&b->t.ctx, b->tape.status);
    return y->value[0];
}

/* Training begins at fresh noise; what serves is the same every time, and is not zero. */
static void test_first_state(void **state) {
    (void)state;
    static const char *const kinds[][2] = {
        {"dim=2 dropout=0 evolution=augru", "dim=2 dropout=0 evolution=augru h0=random"},
        {"dim=2 dropout=0 evolution=gru", "dim=2 dropout=0 evolution=gru h0=random"}};
    for (size_t i = 0; i < PQ_COUNT(kinds); i++) {
        double served[2];
        for (int random = 0; random < 2; random++) {
            bench b;
            bench_open(&b, "dien", kinds[i][random]);
            served[random] = loss(&b, &b.batch);
            assert_true(loss(&b, &b.batch) == served[random]);
            assert_true(loss_in_training(&b, 1) == loss_in_training(&b, 1));
            assert_int_equal(loss_in_training(&b, 1) != loss_in_training(&b, 2), random);
            bench_close(&b);
        }
        assert_true(served[0] != served[1]);
    }
}

/* The file that serves has nothing of what only tells behaviours apart. */
static void test_serves_without_aux(void **state) {
    (void)state;
    testing t;
    pq_model m;
    testing_open(&t);
    for (int baked = 0; baked < 2; baked++) {
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("dien", 4), "best"));
        m.items.rows = RNN_CASE_ITEMS;
        m.items.baked = baked;
        m.items.baked_width = 2 * 18;
        assert_ok(&t.ctx, pq_model_declare(&m));
        assert_int_equal(m.width, baked ? 2 * 18 : 18); /* a file's rows tell how many columns */
        const pq_param *aux = pq_params_find(&m.params, "aux1.w");
        assert_int_equal(aux != NULL, !baked);
        assert_true(baked || aux->unsaved);
        pq_model_free(&m);
    }
    testing_close(&t);
}

/* What the prediction of next items adds to the loss of one user with behaviours 3, 5, 8, who does not like
 * candidate 6: it predicts 5 and 8. */
static double next_items(bench *b) {
    static const uint32_t starts[] = {0, 3}, items[] = {3, 5, 8}, candidate = 6, user = 0;
    static const pq_real label = 0;
    pq_batch batch = {.history = {starts, 1},
                      .items = items,
                      .candidate_count = 1,
                      .candidates = &candidate,
                      .candidate_users = &user,
                      .candidate_labels = &label,
                      .positions = 1};
    pq_real y[MOST_CANDIDATES];
    scores(b, &batch, y);
    return loss(b, &batch) - log1p(exp(y[0]));
}

/* The item to be predicted, here 8, is not among what the prediction is made from; an encoder that sees what
 * follows does tell. Its output matrix is another than that of its inputs. */
static void test_next_items_unseen(void **state) {
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        bench b;
        char settings[64];
        snprintf(settings, sizeof(settings), "dim=4 alpha=1 aux_output=own enc_causal=%d", causal);
        bench_open(&b, "transformer4rec", settings);
        double before = next_items(&b);
        assert_true(before > 0.01);
        b.model.items.ids->value[(size_t)8 * b.model.items.width] += 1;
        double last = fabs(next_items(&b) - before);
        b.model.items.ids->value[(size_t)5 * b.model.items.width] += 1;
        assert_true(fabs(next_items(&b) - before) > 1e-3);
        if (causal != (last < 1e-5)) {
            fail_msg("enc_causal=%d: the item to be predicted makes %g", causal, last);
        }
        bench_close(&b);
    }
}

/* The decoder stays out of the file that serves, and is not there where nothing is predicted. */
static void test_serves_without_decoder(void **state) {
    (void)state;
    static const struct {
        const char *settings;
        bool baked, there;
    } cases[] = {{"aux_output=own", false, true},
                 {"aux_output=own", true, false},
                 {"aux_output=own alpha=0", false, false}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        testing t;
        pq_model m;
        testing_open(&t);
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("transformer4rec", 15), "best"));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, cases[i].settings));
        m.items.rows = RNN_CASE_ITEMS;
        m.items.baked = cases[i].baked;
        m.items.baked_width = 18;
        assert_ok(&t.ctx, pq_model_declare(&m));
        static const char *const names[] = {"decoder1.memory.q.w", "aux.w"};
        for (size_t j = 0; j < PQ_COUNT(names); j++) {
            const pq_param *param = pq_params_find(&m.params, names[j]);
            assert_int_equal(param != NULL, cases[i].there);
            assert_true(!param || param->unsaved);
        }
        assert_false(pq_params_find(&m.params, "layer1.q.w")->unsaved);
        pq_model_free(&m);
        testing_close(&t);
    }
}

/* Rows in a file that are not fields side by side. */
static void test_odd_rows(void **state) {
    (void)state;
    static const uint32_t widths[] = {0, 17, 35, 37, 18 * 18};
    for (size_t i = 0; i < PQ_COUNT(widths); i++) {
        testing t;
        pq_model m;
        testing_open(&t);
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("din", 3), "best"));
        m.items.rows = RNN_CASE_ITEMS;
        m.items.baked = true;
        m.items.baked_width = widths[i];
        assert_failure(&t.ctx, pq_model_declare(&m), PIQUE_CORRUPT,
                       "not that of fields of width 18");
        pq_model_free(&m);
        testing_close(&t);
    }
}

static void test_options(void **state) {
    (void)state;
    static const struct {
        const char *model, *settings, *message;
        pique_status status;
    } cases[] = {{"din", "att=user", "att = user needs users with a profile", PIQUE_DATA},
                 {"din", "output=0", "output = 0 needs a last hidden layer of width 1, not 80",
                  PIQUE_ARGUMENT},
                 {"bst", "hidden1=0", "hidden1 = 0: there must be a hidden layer", PIQUE_ARGUMENT},
                 {"transformer4rec", "hidden1=0", "hidden1 = 0: there must be a hidden layer",
                  PIQUE_ARGUMENT},
                 {"transformer4rec", "aux_head=softmax_ce aux_negatives=5",
                  "aux_head = softmax_ce takes the whole catalogue, not aux_negatives = 5",
                  PIQUE_ARGUMENT}};
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

/* Every preset declares, runs and has a gradient. */
static void test_presets(void **state) {
    (void)state;
    static const char *const models[] = {"din", "dien", "bst", "dsin", "transformer4rec"};
    static const char *const presets[] = {"best", "seed", "paper"};
    for (size_t i = 0; i < PQ_COUNT(models) * PQ_COUNT(presets); i++) {
        testing t;
        pq_model m;
        const char *model = models[i / 3];
        pq_batch batch = interest_case_batch();
        batch.profile = NULL;
        testing_open(&t);
        t.ctx.kernels = pq_kernels_find("best");
        assert_ok(&t.ctx,
                  pq_model_init(&m, &t.ctx, pq_model_find(model, strlen(model)), presets[i % 3]));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "history=8")); /* as long as the case's */
        m.items.rows = RNN_CASE_ITEMS;
        assert_ok(&t.ctx, pq_model_declare(&m));
        pq_params_draw(&m.params, 1);
        overfit(&m, &batch, 0.001, 3, NULL, NULL);
        pq_model_free(&m);
        testing_close(&t);
    }
}

/* ---- learning by heart ---- */

#define ITEMS (RNN_CASE_ITEMS - 2)
#define ROWS (2 * ITEMS)

/* Whether the candidate is the third behaviour of four, which no sum of terms of a user and an item can tell. */
static void test_overfit(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"din", "dim=8 att_norm=softmax"},
        {"din", "dim=8 att_norm=none activation=prelu norm=layers"},
        {"dien", "dim=8 evolution=gru aux=none"},
        {"dien", "dim=8 evolution=aigru"},
        {"dien", "dim=8 evolution=agru aux=next_dot"},
        {"dien", "dim=8 evolution=augru aux=none"},
        {"dien", "dim=8 cell=tf aux=none"},
        {"dsin", "dim=8 block_dropout=0"},
        {"transformer4rec", "dim=8 block_dropout=0"}};
    uint32_t starts[ROWS + 1] = {0}, items[4 * ROWS], negatives[4 * ROWS], users[ROWS];
    uint32_t candidates[ROWS];
    pq_real labels[ROWS];
    for (uint32_t u = 0; u < ROWS; u++) {
        for (uint32_t i = 0; i < 4; i++) {
            items[4 * u + i] = 1 + (u * 3 + i * (1 + u / ITEMS)) % ITEMS;
            negatives[4 * u + i] = 1 + (u + 5 * i) % ITEMS;
        }
        starts[u + 1] = 4 * (u + 1);
        users[u] = u;
        labels[u] = (pq_real)(u % 2);
        candidates[u] = items[4 * u + (u % 2 ? 2 : 1)];
    }
    const pq_batch batch = {.history = {starts, ROWS},
                            .items = items,
                            .history_negatives = negatives,
                            .candidate_count = ROWS,
                            .candidates = candidates,
                            .candidate_users = users,
                            .candidate_labels = labels,
                            .positions = ROWS};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        bench b;
        bench_open(&b, cases[i][0], cases[i][1]);
        pq_params_draw(&b.model.params, 1);
        overfit(&b.model, &batch, 0.01, 200, NULL, NULL);
        pq_real y[MOST_CANDIDATES];
        uint32_t right = 0;
        scores(&b, &batch, y);
        for (uint32_t u = 0; u < ROWS; u++) {
            right += (y[u] > 0) == (labels[u] > 0);
        }
        if (right != ROWS) {
            fail_msg("%s %s: %u of %u labels", cases[i][0], cases[i][1], (unsigned)right, ROWS);
        }
        bench_close(&b);
    }
}

/* A history's times change what bst makes of it with time_gap alone; so does not knowing them. */
static void test_time_gaps(void **state) {
    (void)state;
    for (int gaps = 0; gaps < 2; gaps++) {
        bench b;
        bench_open(&b, "bst", gaps ? "dim=4 position=time_gap" : "dim=4 position=learned");
        pq_real known[MOST_CANDIDATES], other[MOST_CANDIDATES];
        int64_t later[64];
        pq_batch batch = b.batch;
        uint32_t rows = batch.history.starts[batch.history.count];
        for (uint32_t i = 0; i < rows; i++) { /* the same gaps, then others */
            later[i] = batch.times[i] + 12345;
        }
        size_t size = batch.candidate_count * sizeof(*known);
        scores(&b, &batch, known);
        batch.times = later;
        scores(&b, &batch, other);
        assert_memory_equal(known, other, size);
        later[0] -= 100000;
        scores(&b, &batch, other);
        assert_int_equal(memcmp(known, other, size) != 0, gaps);
        batch.times = NULL;
        scores(&b, &batch, other);
        assert_int_equal(memcmp(known, other, size) != 0, gaps);
        bench_close(&b);
    }
}

/* Gates of a cell of TensorFlow's begin with a bias of 1, the candidate with 0. */
static void test_first_biases(void **state) {
    (void)state;
    bench b;
    bench_open(&b, "dien", "dim=1 cell=tf evolution=agru");
    pq_params_draw(&b.model.params, 1);
    const pq_param *one = pq_params_find(&b.model.params, "layer1.input.b");
    const pq_param *two = pq_params_find(&b.model.params, "evolution.input.b");
    for (uint32_t i = 0; i < one->cols; i++) {
        assert_true(one->value[i] == (i < one->cols / 3 * 2));
    }
    for (uint32_t i = 0; i < two->cols; i++) {
        assert_true(two->value[i] == (i < two->cols / 2));
    }
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_no_history),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_aux_shift),
        cmocka_unit_test(test_aux_needs_negatives),
        cmocka_unit_test(test_first_state),
        cmocka_unit_test(test_serves_without_aux),
        cmocka_unit_test(test_next_items_unseen),
        cmocka_unit_test(test_serves_without_decoder),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_time_gaps),
        cmocka_unit_test(test_first_biases),
        cmocka_unit_test(test_odd_rows),
        cmocka_unit_test(test_overfit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
