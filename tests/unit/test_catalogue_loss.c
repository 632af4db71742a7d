/* test_catalogue_loss.c — the losses over items in float, in every instruction set of this machine,
 * at sizes that the gradient tests cannot afford: against the equations in double, what they hold in
 * memory, and without memory. */
#include "tests/unit/testing.h"

#include "graph/ops.h"

#include <math.h>

enum { P = 500, N = 3001, D = 16, FIRST = 1, LAST = N - 1, M = LAST - FIRST, NEGATIVES = 60 };

#define SCALE 1.5
#define SMOOTHING 0.1
#define BETA 0.4
#define WEIGHT (1.0 / P)

typedef struct {
    testing t;
    pq_params params;
    pq_grads grads;
    pq_tape tape;
    pq_param *u, *items;
    uint32_t targets[P];
} bench;

static void fill(pq_param *param) {
    pq_rng rng = pq_rng_make(5, param->index, 0);
    for (size_t i = 0; i < (size_t)param->rows * param->cols; i++) {
        param->value[i] = (float)pq_rng_normal(&rng);
    }
}

static void bench_open(bench *x, uint32_t items) {
    testing_open(&x->t);
    pq_params_init(&x->params, &x->t.ctx);
    x->u = pq_params_add(&x->params, "u", P, D, (pq_init){PQ_INIT_ZERO, 0, false});
    x->items = pq_params_add(&x->params, "items", items, D, (pq_init){PQ_INIT_ZERO, 0, false});
    assert_true(x->u && x->items);
    fill(x->u);
    fill(x->items);
    for (uint32_t b = 0; b < P; b++) {
        x->targets[b] = FIRST + b * 131 % M;
    }
    assert_ok(&x->t.ctx, pq_grads_init(&x->grads, &x->t.ctx, &x->params));
    pq_tape_init(&x->tape, &x->t.ctx);
}

static void bench_close(bench *x) {
    pq_tape_free(&x->tape);
    pq_grads_free(&x->grads);
    pq_params_free(&x->params);
    testing_close(&x->t);
}

static double inner(const float *x, const float *y) {
    double sum = 0;
    for (size_t i = 0; i < D; i++) {
        sum += (double)x[i] * (double)y[i];
    }
    return sum;
}

static void add(double *to, double factor, const float *x) {
    for (size_t i = 0; i < D; i++) {
        to[i] += factor * (double)x[i];
    }
}

static void expect_all_near(const char *what, const float *got, const double *want, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(want[i]));
    }
    assert_true(largest > 0);
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)got[i] - want[i]) <= 2e-6 * largest)) {
            fail_msg("%s[%lu] is %.9g instead of %.9g, of at most %g", what, (unsigned long)i,
                     (double)got[i], want[i], largest);
        }
    }
}

typedef struct {
    double loss, du[P * D], d_items[(size_t)P * NEGATIVES * D];
} truth;

typedef pq_var *make_loss(bench *x);

static void expect_truth(bench *x, make_loss *make, const truth *want) {
    bool runnable;
    const pq_kernels *set;
    for (uint32_t i = 0; (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (!runnable) {
            continue;
        }
        x->t.ctx.kernels = set;
        pq_tape_begin(&x->tape, NULL, false, pq_rng_make(0, 0, 0));
        pq_var *y = make(x);
        assert_ok(&x->t.ctx, x->tape.status);
        float unrecorded = y->value[0];
        pq_grads_clear(&x->grads);
        pq_tape_begin(&x->tape, &x->grads, true, pq_rng_make(0, 0, 0));
        y = make(x);
        assert_ok(&x->t.ctx, pq_tape_backward(&x->tape, y));
        assert_true(unrecorded == y->value[0]);
        assert_true(fabs((double)unrecorded - want->loss) <= 1e-6 * want->loss);
        expect_all_near("du", x->grads.list[x->u->index].dense, want->du, (size_t)P * D);
        expect_all_near("d_items", x->grads.list[x->items->index].dense, want->d_items,
                        (size_t)x->items->rows * D);
    }
}

/* ---- cross-entropy over the catalogue ---- */

static pq_var *classify(bench *x) {
    return pq_op_softmax_loss(&x->tape, pq_tape_param(&x->tape, x->u),
                              pq_tape_param(&x->tape, x->items),
                              &(pq_softmax_loss){.targets = x->targets,
                                                 .first = FIRST,
                                                 .last = LAST,
                                                 .scale = SCALE,
                                                 .smoothing = SMOOTHING,
                                                 .weight = WEIGHT});
}

static void classify_row(const bench *x, uint32_t b, truth *out) {
    static double chance[N];
    const float *u = x->u->value + (size_t)b * D;
    double total = 0;
    for (size_t i = FIRST; i < LAST; i++) {
        chance[i] = exp(SCALE * inner(u, x->items->value + i * D));
        total += chance[i];
    }
    for (size_t i = FIRST; i < LAST; i++) {
        const float *item = x->items->value + i * D;
        double label = SMOOTHING / M + (i == x->targets[b] ? 1 - SMOOTHING : 0);
        double slope = WEIGHT * SCALE * (chance[i] / total - label);
        out->loss -= WEIGHT * label * log(chance[i] / total);
        add(out->du + (size_t)b * D, slope, item);
        add(out->d_items + i * D, slope, u);
    }
}

static void test_softmax_loss(void **state) {
    (void)state;
    bench x;
    bench_open(&x, N);
    truth *want = calloc(1, sizeof(*want));
    assert_non_null(want);
    for (uint32_t b = 0; b < P; b++) {
        classify_row(&x, b, want);
    }
    expect_truth(&x, classify, want);
    /* All logits at once would be more than this. */
    assert_true(x.tape.arena.peak < (size_t)P * N * sizeof(float) / 4);
    free(want);
    bench_close(&x);
}

/* ---- pairs: the items are all the negatives, and the positives are the queries ---- */

static pq_pair_kind pair_kind;

static pq_var *compare(bench *x) {
    pq_var *u = pq_tape_param(&x->tape, x->u);
    return pq_op_pair_loss(&x->tape, u, u, pq_tape_param(&x->tape, x->items),
                           &(pq_pair_loss){.kind = pair_kind,
                                           .negatives = NEGATIVES,
                                           .scale = SCALE,
                                           .beta = BETA,
                                           .weight = WEIGHT});
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static void compare_row(const bench *x, uint32_t b, truth *out) {
    const float *u = x->u->value + (size_t)b * D;
    const bool ranks = pair_kind == PQ_PAIR_BPR, mean = pair_kind == PQ_PAIR_GBCE;
    const double each = WEIGHT / (mean ? NEGATIVES + 1 : NEGATIVES);
    const double first = ranks ? 0 : mean ? BETA * each : WEIGHT;
    const double good = SCALE * inner(u, u);
    out->loss += first * log1p(exp(-good));
    add(out->du + (size_t)b * D, -2 * SCALE * first * sigmoid(-good), u);
    for (size_t j = (size_t)b * NEGATIVES; j < (size_t)(b + 1) * NEGATIVES; j++) {
        const float *item = x->items->value + j * D;
        const double bad = SCALE * inner(u, item) - (ranks ? good : 0);
        const double slope = SCALE * each * sigmoid(bad);
        out->loss += each * log1p(exp(bad));
        add(out->du + (size_t)b * D, slope, item);
        add(out->du + (size_t)b * D, ranks ? -2 * slope : 0, u);
        add(out->d_items + j * D, slope, u);
    }
}

static void test_pair_loss(void **state) {
    (void)state;
    static const pq_pair_kind kinds[] = {PQ_PAIR_BCE, PQ_PAIR_BPR, PQ_PAIR_GBCE};
    bench x;
    bench_open(&x, P * NEGATIVES);
    for (size_t i = 0; i < PQ_COUNT(kinds); i++) {
        pair_kind = kinds[i];
        truth *want = calloc(1, sizeof(*want));
        assert_non_null(want);
        for (uint32_t b = 0; b < P; b++) {
            compare_row(&x, b, want);
        }
        expect_truth(&x, compare, want);
        free(want);
    }
    bench_close(&x);
}

/* ---- short memory ---- */

static pique_status run_with_little(testing *t, void *make) {
    static float values[(size_t)P * NEGATIVES * D];
    bench x = {0};
    pq_param u = {.rows = P, .cols = D, .value = values};
    pq_param items = {.rows = P * NEGATIVES, .cols = D, .value = values, .index = 1};
    pq_param *list[] = {&u, &items};
    x.params = (pq_params){.ctx = &t->ctx, .list = list, .count = PQ_COUNT(list)};
    x.u = &u;
    x.items = &items;
    for (uint32_t b = 0; b < P; b++) {
        x.targets[b] = FIRST;
    }
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&x.tape, &t->ctx);
    pique_status status = pq_grads_init(&x.grads, &t->ctx, &x.params);
    if (status == PIQUE_OK) {
        pq_tape_begin(&x.tape, &x.grads, true, pq_rng_make(0, 0, 0));
        pq_var *y = (*(make_loss *const *)make)(&x);
        status = pq_tape_backward(&x.tape, y);
    }
    pq_tape_free(&x.tape);
    pq_grads_free(&x.grads);
    return status;
}

static void test_short_memory(void **state) {
    (void)state;
    static make_loss *const all[] = {classify, compare};
    pair_kind = PQ_PAIR_BCE;
    for (size_t i = 0; i < PQ_COUNT(all); i++) {
        make_loss *make = all[i];
        testing_fail_each(run_with_little, &make);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_softmax_loss),
        cmocka_unit_test(test_pair_loss),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
