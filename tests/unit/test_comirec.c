/* test_comirec.c — what ComiRec promises beside its equations, which the golden fixture proves: shares of a
 * whole, histories that do not see each other, interests that agree where they must, and that both ways to
 * interests learn by heart. */
#include "tests/unit/overfit.h"
#include "tests/unit/rnn_case.h"

#include <math.h>

#define SIZES "dim=8 interests=3 history=7 hidden=5 dropout=0 "
#define INTERESTS 3
#define ROWS 16

static const char *const ways[] = {"variant=sa", "variant=sa sa_value=position sa_logit_act=tanh",
                                   "variant=dr", "variant=dr position_maps=0"};

typedef struct {
    testing t;
    pq_model model;
    pq_batch batch;
    pq_tape tape;
    pq_real shares[ROWS * INTERESTS];
} bench;

static void bench_open(bench *b, const char *settings) {
    *b = (bench){.batch = rnn_case_batch()};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    char all[160];
    snprintf(all, sizeof(all), SIZES "%s", settings);
    assert_ok(&b->t.ctx, rnn_case_model(&b->model, &b->t.ctx, "comirec", all));
    b->batch.shares = b->shares;
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    pq_model_free(&b->model);
    testing_close(&b->t);
}

/* Interests (B * K, D) of a batch, of the step; all K are in use. */
static const pq_real *interests(bench *b, const pq_batch *batch) {
    uint32_t live[8];
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *v = b->model.def->user(&b->tape, &b->model, batch, live);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(v->rows, batch->history.count * INTERESTS);
    for (uint32_t i = 0; i < batch->history.count; i++) {
        assert_int_equal(live[i], INTERESTS);
    }
    return v->value;
}

/* History n of the batch by itself. */
static pq_batch alone(const bench *b, uint32_t n, uint32_t starts[2], pq_real *shares) {
    const uint32_t *all = b->batch.history.starts;
    starts[0] = 0;
    starts[1] = all[n + 1] - all[n];
    return (pq_batch){.history = {starts, 1}, .items = b->batch.items + all[n], .shares = shares};
}

static void test_histories_apart(void **state) {
    (void)state;
    for (size_t w = 0; w < PQ_COUNT(ways); w++) {
        bench b;
        bench_open(&b, ways[w]);
        uint32_t block = INTERESTS * b.model.width;
        pq_real all[5 * INTERESTS * 8], shares[ROWS * INTERESTS];
        memcpy(all, interests(&b, &b.batch), 5 * block * sizeof(*all));
        for (uint32_t n = 0; n < b.batch.history.count; n++) {
            uint32_t starts[2];
            pq_batch one = alone(&b, n, starts, shares);
            const pq_real *v = interests(&b, &one);
            assert_memory_equal(v, all + n * block, block * sizeof(*v));
            for (uint32_t i = 0; starts[1] == 0 && i < block; i++) {
                assert_true(v[i] == 0); /* of nobody nothing is known */
            }
        }
        bench_close(&b);
    }
}

/* sa hands out every interest over the behaviours, dr every behaviour over the interests. */
static void test_shares(void **state) {
    (void)state;
    for (size_t w = 0; w < 2; w++) {
        bench b;
        bench_open(&b, ways[w]);
        interests(&b, &b.batch);
        const uint32_t *starts = b.batch.history.starts;
        for (uint32_t n = 0; n < b.batch.history.count; n++) {
            for (uint32_t k = 0; k < INTERESTS && starts[n] < starts[n + 1]; k++) {
                double sum = 0;
                for (uint32_t i = starts[n]; i < starts[n + 1]; i++) {
                    sum += (double)b.shares[i * INTERESTS + k];
                }
                assert_true(fabs(sum - 1) <= 1e-6);
            }
        }
        bench_close(&b);
    }
}

/* With one behaviour attention has no choice: all interests are its vector. */
static void test_one_behaviour(void **state) {
    (void)state;
    bench b;
    bench_open(&b, ways[0]);
    uint32_t starts[2], n = 2;
    pq_batch one = alone(&b, n, starts, b.shares);
    assert_int_equal(starts[1], 1);
    const pq_real *v = interests(&b, &one);
    const pq_var *x = pq_items_behaviours(&b.tape, &b.model.items, one.items, 1);
    for (uint32_t k = 0; k < INTERESTS; k++) {
        assert_memory_equal(v + k * b.model.width, x->value, b.model.width * sizeof(*v));
    }
    bench_close(&b);
}

/* Routing starts from zero: where all interests have the same maps, nothing tells them apart. */
static void test_same_maps(void **state) {
    (void)state;
    bench b;
    bench_open(&b, ways[2]);
    pq_param *map = pq_params_find(&b.model.params, "map.w");
    size_t d = b.model.width, one = d * d;
    for (size_t m = 0; m < map->rows / d; m++) {
        memmove(map->value + m * one, map->value + (m - m % INTERESTS) * one,
                one * sizeof(*map->value));
    }
    const pq_real *v = interests(&b, &b.batch);
    for (uint32_t n = 0; n < b.batch.history.count * INTERESTS; n++) {
        assert_memory_equal(v + n * d, v + (n - n % INTERESTS) * d, d * sizeof(*v));
    }
    assert_true(v[0] != 0);
    bench_close(&b);
}

#define USERS 16
#define LENGTH 5
#define ITEMS (USERS * LENGTH)
#define STEPS 500

/* Sixteen users learned by heart, against the whole catalogue. */
static void test_overfit(void **state) {
    (void)state;
    for (size_t w = 0; w < PQ_COUNT(ways); w++) {
        uint32_t starts[USERS + 1], items[ITEMS], targets[USERS];
        for (uint32_t i = 0; i < ITEMS; i++) {
            items[i] = 1 + i * 7 % ITEMS;
        }
        for (uint32_t n = 0; n <= USERS; n++) {
            starts[n] = n * LENGTH;
        }
        for (uint32_t n = 0; n < USERS; n++) {
            targets[n] = 1 + n * 3;
        }
        pq_batch batch = {.history = {starts, USERS},
                          .items = items,
                          .targets = targets,
                          .label_count = USERS,
                          .positions = USERS};
        testing t;
        pq_model m;
        testing_open(&t);
        t.ctx.kernels = pq_kernels_find("best");
        assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("comirec", 7), "best"));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "dim=16 history=5 hidden=32 dropout=0"));
        assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, ways[w]));
        m.items.rows = ITEMS + 2;
        assert_ok(&t.ctx, pq_model_declare(&m));
        m.loss = (pq_loss_options){.kind = PQ_LOSS_SOFTMAX};
        pq_params_draw(&m.params, 1);
        double loss = overfit(&m, &batch, 0.01, STEPS, NULL, NULL);
        if (!(loss < 0.05)) {
            fail_msg("%s: loss %g after %d steps", ways[w], loss, STEPS);
        }
        pq_model_free(&m);
        testing_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories_apart), cmocka_unit_test(test_shares),
        cmocka_unit_test(test_one_behaviour),   cmocka_unit_test(test_same_maps),
        cmocka_unit_test(test_overfit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
