/* test_gru4rec.c — what GRU4Rec promises beside its equations, which the golden fixtures prove: sizes that
 * do not fit are refused, users do not depend on each other, histories may be empty. */
#include "tests/unit/mind_case.h"

#include <math.h>

#define D 4
#define USERS 4

typedef struct {
    testing t;
    pq_model model;
    pq_tape tape;
} bench;

static pique_status declare(bench *b, const char *settings) {
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    PQ_TRY(pq_model_init(&b->model, &b->t.ctx, pq_model_find("gru4rec", 7), "best"));
    PQ_TRY(mind_case_set(&b->t.ctx, &b->model, settings));
    b->model.items.rows = 12;
    return pq_model_declare(&b->model);
}

static void test_sizes(void **state) {
    (void)state;
    static const char *const settings[] = {"dim=4 hidden=6 project=0", "dim=4 hidden=6 project=1",
                                           "dim=4 hidden=4 project=0"};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench b;
        pique_status status = declare(&b, settings[i]);
        if (i == 0) {
            assert_failure(&b.t.ctx, status, PIQUE_ARGUMENT, "hidden = 6 is not dim = 4");
        } else {
            assert_ok(&b.t.ctx, status);
            assert_int_equal(pq_params_find(&b.model.params, "out.w") != NULL, i == 1);
        }
        pq_model_free(&b.model);
        testing_close(&b.t);
    }
}

/* Vectors of the users with these histories into `v` and the shares of their behaviours into `shares`. */
static void run(bench *b, const uint32_t *starts, uint32_t users, const uint32_t *items, pq_real *v,
                pq_real *shares) {
    uint32_t live[USERS];
    pq_batch batch = {.history = {starts, users}, .items = items, .shares = shares};
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = b->model.def->user(&b->tape, &b->model, &batch, live);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(y->rows, users);
    assert_int_equal(y->cols, D);
    for (uint32_t i = 0; i < users; i++) {
        assert_int_equal(live[i], 1);
    }
    memcpy(v, y->value, (size_t)users * D * sizeof(*v));
}

static void check_shares(const uint32_t *starts, const pq_real *shares) {
    for (uint32_t u = 0; u < USERS; u++) {
        pq_real total = 0;
        for (uint32_t i = starts[u]; i < starts[u + 1]; i++) {
            assert_true(shares[i] >= 0);
            total += shares[i];
        }
        if (!(total == 0 || fabs((double)total - 1) < 1e-6)) {
            fail_msg("the shares of user %u add up to %g", (unsigned)u, (double)total);
        }
    }
}

static void test_users(void **state) {
    (void)state;
    static const uint32_t starts[USERS + 1] = {0, 3, 3, 8, 9};
    static const uint32_t items[] = {3, 1, 4, 1, 5, 9, 2, 6, 5};
    static const pq_real zeros[D] = {0};
    pq_real v[USERS * D], alone[D], shares[PQ_COUNT(items)], own[PQ_COUNT(items)];
    bench b;
    assert_ok(&b.t.ctx, declare(&b, "dim=4 hidden=6 layers=2 dropout=0.9"));
    pq_params_draw(&b.model.params, 3);
    pq_tape_init(&b.tape, &b.t.ctx);
    run(&b, starts, USERS, items, v, shares);
    check_shares(starts, shares);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t length = starts[u + 1] - starts[u], one[] = {0, length};
        run(&b, one, 1, items + starts[u], alone, own);
        assert_memory_equal(alone, v + (size_t)u * D, sizeof(alone));
        assert_int_equal(memcmp(alone, zeros, sizeof(zeros)) == 0, length == 0);
        assert_memory_equal(own, shares + starts[u], length * sizeof(*own));
    }
    pq_tape_free(&b.tape);
    pq_model_free(&b.model);
    testing_close(&b.t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
