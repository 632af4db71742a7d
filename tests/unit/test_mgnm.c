/* test_mgnm.c — what MGNM promises beside its equations, which the golden fixtures prove: with one level and no
 * sequence it is MIND, histories that do not see each other, a score that the interests bound, what learns and
 * what does not, and that it learns by heart. */
#include "tests/unit/mind_case.h"
#include "tests/unit/overfit.h"

#include <math.h>

#define USERS 5
#define K 3
#define D 4
#define SIZES MIND_CASE_SIZES "sequential=1 sequence_hidden=0 dropout=0 "

typedef struct {
    testing t;
    mind_case c;
    pq_tape tape;
    uint32_t live[USERS];
} bench;

static void bench_open(bench *b, const char *model, const char *settings) {
    char all[256];
    *b = (bench){0};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    snprintf(all, sizeof(all), "%s%s", strcmp(model, "mind") == 0 ? MIND_CASE_SIZES : SIZES,
             settings);
    assert_ok(&b->t.ctx, mind_case_open_as(&b->c, &b->t.ctx, model, "best", all));
    mind_case_fill(&b->c, 1, 0.7);
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    mind_case_close(&b->c);
    testing_close(&b->t);
}

static const pq_real *interests(bench *b) {
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *v = b->c.model.def->user(&b->tape, &b->c.model, &b->c.batch, b->live);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(v->rows, b->c.batch.history.count * b->c.model.interests);
    assert_int_equal(v->cols, D);
    return v->value;
}

/* Scores of candidates of the batch's users, in the memory of the step. */
static const pq_real *scores(bench *b, const uint32_t *items, const uint32_t *users, uint32_t n) {
    b->c.batch.candidates = items;
    b->c.batch.candidate_users = users;
    b->c.batch.candidate_count = n;
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = b->c.model.def->score(&b->tape, &b->c.model, &b->c.batch);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(y->rows, n);
    return y->value;
}

/* With one level and a sequence that says nothing, interests are those of MIND, to the last bit. */
static void one_level_is_mind(void **state) {
    (void)state;
    bench a, b;
    bench_open(&a, "mind", "dropout=0");
    bench_open(&b, "mgnm", "levels=1");
    for (uint32_t i = 0; i < b.c.model.params.count; i++) {
        pq_param *param = b.c.model.params.list[i];
        size_t size = (size_t)param->rows * param->cols * sizeof(pq_real);
        const pq_param *same = pq_params_find(&a.c.model.params, param->name);
        assert_int_equal(!same, strncmp(param->name, "sequence.", 9) == 0);
        if (same) {
            memcpy(param->value, same->value, size);
        } else {
            memset(param->value, 0, size);
        }
    }
    const pq_real *want = interests(&a), *got = interests(&b);
    assert_memory_equal(a.live, b.live, sizeof(a.live));
    assert_memory_equal(want, got, USERS * K * D * sizeof(*want));
    /* And are not, when it says something. */
    mind_case_fill(&b.c, 2, 0.7);
    assert_memory_not_equal(want, interests(&b), USERS * K * D * sizeof(*want));
    bench_close(&a);
    bench_close(&b);
}

/* A history's interests are the same alone as among others. */
static void users_do_not_mix(void **state) {
    (void)state;
    static const char *const settings[] = {"levels=3 bilinear=shared norm=sym",
                                           "levels=2 bilinear=per_interest norm=row",
                                           "levels=3 bilinear=per_position_interest norm=none"};
    static const uint32_t alone[] = {0, 7};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench b;
        pq_real kept[4 * K * D];
        bench_open(&b, "mgnm", settings[i]);
        uint32_t block = b.c.model.interests * D;
        memcpy(kept, interests(&b) + (size_t)3 * block, block * sizeof(*kept));
        b.c.batch.history = (pq_segments){alone, 1};
        b.c.batch.items += 6;
        const pq_codes last = {b.c.batch.profile->offsets + 6, b.c.batch.profile->values};
        b.c.batch.profile = &last;
        const pq_real *v = interests(&b);
        for (uint32_t j = 0; j < block; j++) {
            assert_true(fabs(v[j] - kept[j]) <= 1e-6);
        }
        bench_close(&b);
    }
}

/* Interests in use come first, all levels of one after the other; the others are zero, as are those of nothing. */
static void live_come_first(void **state) {
    (void)state;
    static const uint32_t want[USERS] = {2 * 2, 1 * 2, 1 * 2, 2 * 2, 2 * 2}; /* of 5, 0, 1, 7, 4 */
    bench b;
    bench_open(&b, "mgnm", "levels=2 interest_count=log2 output=none profile=0");
    const pq_real *v = interests(&b);
    uint32_t all = b.c.model.interests;
    assert_int_equal(all, 2 * K);
    for (uint32_t u = 0; u < USERS; u++) {
        assert_int_equal(b.live[u], want[u]);
        for (uint32_t i = 0; i < all; i++) {
            double square = 0;
            for (uint32_t j = 0; j < D; j++) {
                double x = v[(u * all + i) * D + j];
                square += x * x;
            }
            bool some = i < want[u] && pq_segment_length(&b.c.batch.history, u) > 0;
            assert_true(fabs(square - some) <= 1e-5); /* of length 1 */
        }
    }
    bench_close(&b);
}

/* The exact score is at most the best inner product, which finds items; with one interest they are the same. */
static void interests_bound_the_score(void **state) {
    (void)state;
    static const char *const settings[] = {"levels=3 interest_count=all", "levels=3 interests=1"};
    uint32_t items[USERS * 10], users[USERS * 10];
    for (uint32_t i = 0; i < PQ_COUNT(items); i++) {
        items[i] = 1 + i % 10;
        users[i] = i / 10;
    }
    for (size_t s = 0; s < PQ_COUNT(settings); s++) {
        bench b;
        pq_real kept[PQ_COUNT(items)];
        bench_open(&b, "mgnm", settings[s]);
        memcpy(kept, scores(&b, items, users, PQ_COUNT(items)), sizeof(kept));
        const pq_real *v = interests(&b);
        const pq_var *e = pq_items_vectors(&b.tape, &b.c.model.items, items, PQ_COUNT(items));
        uint32_t count = b.c.model.interests, below = 0;
        assert_ok(&b.t.ctx, b.tape.status);
        for (uint32_t i = 0; i < PQ_COUNT(items); i++) {
            double best = -HUGE_VAL;
            for (uint32_t k = 0; k < b.live[users[i]]; k++) {
                best = fmax(best, b.t.ctx.kernels->dot(v + (size_t)(users[i] * count + k) * D,
                                                       e->value + (size_t)i * D, D));
            }
            assert_true(kept[i] <= best + 1e-6);
            below += kept[i] < best - 1e-4;
        }
        assert_int_equal(below > 0, s == 0);
        bench_close(&b);
    }
}

/* ---- what learns ---- */

static double gradient_size(bench *b, const char *prefix) {
    pq_grads grads;
    double most = 0;
    assert_ok(&b->t.ctx, pq_grads_init(&grads, &b->t.ctx, &b->c.model.params));
    pq_tape_begin(&b->tape, &grads, false, (pq_rng){0});
    pq_var *loss = pq_model_loss(&b->tape, &b->c.model, &b->c.batch);
    assert_ok(&b->t.ctx, pq_tape_backward(&b->tape, loss));
    for (uint32_t i = 0; i < b->c.model.params.count; i++) {
        const pq_param *param = b->c.model.params.list[i];
        const pq_grad *grad = &grads.list[i];
        bool meant = strncmp(param->name, prefix, strlen(prefix)) == 0;
        for (uint32_t j = 0; meant && j < pq_grad_count(grad, param); j++) {
            const pq_real *row = pq_grad_row(grad, param, pq_grad_at(grad, j));
            for (uint32_t k = 0; k < param->cols; k++) {
                assert_true(isfinite(row[k]));
                most = fmax(most, fabs(row[k]));
            }
        }
    }
    pq_grads_free(&grads);
    return most;
}

/* The sequence learns through the couplings of the last round; with two rounds nobody hears of it. */
static void who_learns(void **state) {
    (void)state;
    static const struct {
        const char *settings, *prefix;
        bool learns;
    } cases[] = {
        {"levels=1", "sequence.", true}, {"levels=1 rounds=2", "sequence.", false},
        {"levels=2", "graph1.w", true},  {"levels=2", "user.w", true},
        {"levels=2", "user.b", true},    {"levels=3", "graph2.w", true},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        bench b;
        bench_open(&b, "mgnm", cases[i].settings);
        double size = gradient_size(&b, cases[i].prefix);
        if (cases[i].learns ? !(size > 1e-7) : size != 0) {
            fail_msg("%s: gradient of %s up to %g", cases[i].settings, cases[i].prefix, size);
        }
        bench_close(&b);
    }
}

/* Edges as the model draws them are the same in both directions whoever the user is, and 0.5 for the user 0. */
static void edges_are_symmetric(void **state) {
    (void)state;
    static const uint32_t starts[] = {0, 4, 7};
    const pq_segments two = {starts, 2};
    pq_real x[7 * D], scaled[7 * D];
    testing t;
    pq_tape tape;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t.ctx);
    for (int known = 0; known < 2; known++) {
        pq_rng rng = pq_rng_make(1, 1, 1);
        for (uint32_t i = 0; i < 7 * D; i++) {
            x[i] = (pq_real)pq_rng_normal(&rng);
            scaled[i] = known ? x[i] * (pq_real)(i % D - 1.5) : 0;
        }
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        const pq_var *a = pq_op_adjacency(&tape, pq_tape_constant(&tape, scaled, 7, D),
                                          pq_tape_constant(&tape, x, 7, D), &two);
        assert_ok(&t.ctx, tape.status);
        for (uint32_t i = 0; i < 7; i++) {
            uint32_t first = i < 4 ? 0 : 4, length = i < 4 ? 4 : 3;
            for (uint32_t j = 0; j < length; j++) {
                double one = a->value[i * 4 + j], other = a->value[(first + j) * 4 + i - first];
                assert_true(fabs(one - other) <= 1e-6);
                assert_int_equal(fabs(one - 0.5) <= 1e-6, !known);
            }
        }
    }
    pq_tape_free(&tape);
    testing_close(&t);
}

/* Sixteen users by heart: the loss of three levels is that of chance, 12.5, at first, and next to nothing at last. */
static void learns_by_heart(void **state) {
    (void)state;
    static uint32_t starts[17], items[16 * 4], targets[16], negatives[64];
    static pq_real target_q[16], negative_q[64];
    for (uint32_t u = 0; u < 16; u++) {
        starts[u + 1] = 4 * (u + 1);
        targets[u] = 4 * u + 4;
        for (uint32_t i = 0; i < 4; i++) {
            items[4 * u + i] = 1 + (4 * u + i * 5) % 60;
        }
    }
    for (uint32_t i = 0; i < 64; i++) {
        negatives[i] = i + 1;
    }
    pq_batch batch = {.history = {starts, 16},
                      .items = items,
                      .targets = targets,
                      .label_count = 16,
                      .positions = 16,
                      .negatives = negatives,
                      .negative_count = 64,
                      .target_log_q = target_q,
                      .negative_log_q = negative_q};
    pq_model m;
    testing t;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("mgnm", 4), "best"));
    assert_ok(
        &t.ctx,
        mind_case_set(&t.ctx, &m,
                      "dim=16 levels=3 sequential=1 interests=2 history=8 hidden=32 dropout=0"));
    m.items.rows = 66;
    assert_ok(&t.ctx, pq_model_declare(&m));
    pq_params_draw(&m.params, 1);
    assert_true(overfit(&m, &batch, 0.01, 1, NULL, NULL) > 10);
    double last = overfit(&m, &batch, 0.01, 300, NULL, NULL);
    if (!(last < 0.5)) {
        fail_msg("the loss is %g after 300 steps", last);
    }
    pq_model_free(&m);
    testing_close(&t);
}

/* ---- memory ---- */

static pique_status step(testing *t, void *argument) {
    mind_case c = {0};
    pq_grads grads = {0};
    pq_tape tape;
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t->ctx);
    pique_status status;
    PQ_TRY_GOTO(status, mind_case_open_as(&c, &t->ctx, "mgnm", "paper", argument));
    PQ_TRY_GOTO(status, pq_grads_init(&grads, &t->ctx, &c.model.params));
    pq_tape_begin(&tape, &grads, true, pq_rng_make(1, 2, 3));
    status = pq_tape_backward(&tape, pq_model_loss(&tape, &c.model, &c.batch));

done:
    if (grads.list) {
        pq_grads_free(&grads);
    }
    pq_tape_free(&tape);
    mind_case_close(&c);
    return status;
}

/* Never a result with the status of success. */
static pique_status serve(testing *t, void *argument) {
    static const uint32_t items[] = {1, 2, 3}, users[] = {0, 3, 4};
    mind_case c = {0};
    pq_tape tape;
    uint32_t live[USERS];
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t->ctx);
    pique_status status;
    PQ_TRY_GOTO(status, mind_case_open_as(&c, &t->ctx, "mgnm", "best", argument));
    c.batch.candidates = items;
    c.batch.candidate_users = users;
    c.batch.candidate_count = 3;
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    bool got = c.model.def->score(&tape, &c.model, &c.batch) != NULL;
    status = tape.status;
    assert_int_equal(got, status == PIQUE_OK);
    if (status == PIQUE_OK) {
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        got = c.model.def->user(&tape, &c.model, &c.batch, live) != NULL;
        status = tape.status;
        assert_int_equal(got, status == PIQUE_OK);
    }

done:
    pq_tape_free(&tape);
    mind_case_close(&c);
    return status;
}

static void short_of_memory(void **state) {
    (void)state;
    testing_fail_each(step, "dim=64 history=7 levels=3");
    testing_fail_each(serve, "dim=512 interests=16 sequential=1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_level_is_mind), cmocka_unit_test(users_do_not_mix),
        cmocka_unit_test(live_come_first),   cmocka_unit_test(interests_bound_the_score),
        cmocka_unit_test(who_learns),        cmocka_unit_test(edges_are_symmetric),
        cmocka_unit_test(learns_by_heart),   cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
