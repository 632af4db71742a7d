/* grad_simple.c — gradient cases of the ops that work on rows one by one. */
#include "tests/grad/grad_check.h"

#include <math.h>

#include "base/buckets.h"

typedef struct {
    grad_bench g;
    pq_param *a, *b, *c;
    const uint32_t *ids;
    const bool *keep;
    pq_bag bag;
    uint32_t n;
    pq_activation kind;
    double number;
} setup;

/* ---- gather, bag ---- */

static pq_var *gather(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_gather(t, s->a, s->ids, s->n);
}

void grad_gather(void) {
    static const uint32_t several[] = {3, 0, 1, 3, 5, 3, 0}, one[] = {2};
    struct {
        const uint32_t *ids;
        uint32_t n, width;
    } shapes[] = {{several, 7, 3}, {one, 1, 1}, {several, 1, 5}, {several, 0, 2}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        setup s = {.ids = shapes[i].ids, .n = shapes[i].n};
        grad_open(&s.g, i);
        s.a = grad_table(&s.g, "table", 6, shapes[i].width);
        grad_check(&s.g, "gather", gather, NULL, &s);
        grad_close(&s.g);
    }
    /* Without a PAD row, row 0 is a row like all others. */
    setup s = {.ids = several, .n = 7};
    grad_open(&s.g, 9);
    s.a = grad_table(&s.g, "table", 6, 2);
    s.a->init.pad_row = false;
    grad_check(&s.g, "gather without PAD", gather, NULL, &s);
    grad_close(&s.g);
}

static pq_var *bag(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_bag(t, s->a, &s->bag, s->n);
}

void grad_bag(void) {
    /* Owners: 0 empty, 1 one value, 2 several with PAD between and one value twice, 3 only PAD. */
    static const uint32_t offsets[] = {0, 0, 1, 6, 8};
    static const uint32_t values[] = {4, 1, 0, 3, 1, 0, 0, 0};
    static const uint32_t owners[] = {2, 0, 1, 3, 2, 1};
    static const uint32_t widths[] = {1, 3, 8};
    for (size_t i = 0; i < PQ_COUNT(widths); i++) {
        setup s = {.n = 6, .bag = {owners, offsets, values, false, false}};
        grad_open(&s.g, i);
        s.a = grad_table(&s.g, "table", 5, widths[i]);
        grad_check(&s.g, "bag", bag, NULL, &s);
        pq_tape t;
        pq_tape_init(&t, &s.g.t.ctx);
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        pq_var *y = bag(&t, &s);
        for (uint32_t j = 0; j < widths[i]; j++) {
            double of_1 = s.a->value[widths[i] + j], of_3 = s.a->value[3 * widths[i] + j];
            grad_close_to("mean of a bag", y->value[j], (2 * of_1 + of_3) / 3, 1e-12);
            grad_close_to("empty bag", y->value[widths[i] + j], 0, 0);
            grad_close_to("bag of PAD", y->value[3 * widths[i] + j], 0, 0);
        }
        pq_tape_free(&t);
        grad_close(&s.g);
    }
    /* Quantiles: a quarter, nothing, the whole and none of the shared vector, and what is missing. */
    const uint32_t codes[] = {pq_quantile_code(0.25F), 0, pq_quantile_code(1), pq_quantile_code(0),
                              PQ_QUANTILE_CODES - 1};
    static const uint32_t one_each[] = {0, 1, 2, 3, 4, 5}, all[] = {4, 2, 0, 1, 3, 0};
    setup s = {.n = 6, .bag = {all, one_each, codes, true, false}};
    grad_open(&s.g, 9);
    s.a = grad_table(&s.g, "table", 3, 4);
    grad_check(&s.g, "bag of quantiles", bag, NULL, &s);
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = bag(&t, &s);
    for (uint32_t j = 0; j < 4; j++) {
        grad_close_to("missing", y->value[j], s.a->value[8 + j], 0);
        grad_close_to("quarter", y->value[8 + j], s.a->value[4 + j] / 4, 0);
        grad_close_to("PAD", y->value[12 + j], 0, 0);
    }
    pq_tape_free(&t);
    grad_close(&s.g);
    /* Vectors of three numbers, the second of which nothing is known of. */
    static const uint32_t ends[] = {0, 3, 3, 6}, owners_of[] = {2, 0, 1};
    const float numbers[] = {0.5F, 0, -2, 3, 0.25F, 1};
    uint32_t bits[6];
    for (uint32_t i = 0; i < 6; i++) {
        bits[i] = pq_number_code(numbers[i]);
    }
    s = (setup){.n = 3, .bag = {owners_of, ends, bits, false, true}};
    grad_open(&s.g, 10);
    s.a = grad_table(&s.g, "table", 5, 2);
    grad_check(&s.g, "vectors", bag, NULL, &s);
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    y = bag(&t, &s);
    for (uint32_t j = 0; j < 2; j++) {
        const pq_real *row = s.a->value + 2 + j;
        grad_close_to("vector", y->value[j], 3 * row[0] + 0.25 * row[2] + row[4], 1e-12);
        grad_close_to("vector", y->value[2 + j], 0.5 * row[0] - 2 * row[4], 1e-12);
        grad_close_to("no vector", y->value[4 + j], 0, 0);
    }
    pq_tape_free(&t);
    grad_close(&s.g);
}

/* ---- linear, by group ---- */

static pq_var *linear(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_linear(t, pq_tape_param(t, s->a), pq_tape_param(t, s->b),
                        s->c ? pq_tape_param(t, s->c) : NULL);
}

void grad_linear(void) {
    static const uint32_t shapes[][3] = {{1, 1, 1}, {5, 3, 4}, {13, 17, 9}, {2, 1, 6}};
    for (size_t i = 0; i < 2 * PQ_COUNT(shapes); i++) {
        const uint32_t *n = shapes[i / 2];
        setup s = {0};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", n[0], n[1]);
        s.b = grad_input(&s.g, "w", n[2], n[1]);
        s.c = i % 2 ? grad_input(&s.g, "b", 1, n[2]) : NULL;
        grad_check(&s.g, "linear", linear, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *by_group(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_linear_by_group(t, pq_tape_param(t, s->a), pq_tape_param(t, s->b), s->ids, s->n);
}

void grad_linear_by_group(void) {
    static const uint32_t groups[] = {2, 0, 2, 3, 2};
    static const uint32_t shapes[][3] = {{5, 3, 4}, {1, 1, 1}, {5, 2, 7}, {2, 6, 1}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        setup s = {.ids = groups, .n = 4}; /* group 1 has no rows */
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", shapes[i][0], shapes[i][1]);
        s.b = grad_input(&s.g, "w", 4 * shapes[i][2], shapes[i][1]);
        grad_check(&s.g, "linear_by_group", by_group, NULL, &s);
        grad_close(&s.g);
    }
}

/* ---- element by element ---- */

static pq_var *activate(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_activate(t, pq_tape_param(t, s->a), s->kind);
}

static void expect_gelu(void) {
    enum { COUNT = 4001 };
    setup s = {.kind = PQ_GELU};
    grad_open(&s.g, 0);
    s.a = grad_input(&s.g, "x", 1, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        s.a->value[i] = 0.01 * i - 20;
    }
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = activate(&t, &s);
    for (uint32_t i = 0; i < COUNT; i++) {
        double x = s.a->value[i];
        grad_close_to("GELU by erfc", y->value[i], x * erfc(-x / sqrt(2)) / 2, 1e-13);
    }
    pq_tape_free(&t);
    grad_close(&s.g);
}

void grad_activate(void) {
    static const pq_activation kinds[] = {PQ_LINEAR, PQ_RELU, PQ_SELU,
                                          PQ_GELU,   PQ_TANH, PQ_SIGMOID};
    for (size_t i = 0; i < 2 * PQ_COUNT(kinds); i++) {
        setup s = {.kind = kinds[i / 2]};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", i % 2 ? 1 : 6, i % 2 ? 1 : 5);
        grad_check(&s.g, "activate", activate, NULL, &s);
        grad_close(&s.g);
    }
    setup s = {.kind = PQ_SELU};
    grad_open(&s.g, 0);
    s.a = grad_input(&s.g, "x", 1, 3);
    const pq_real x[3] = {-1, 0, 2};
    memcpy(s.a->value, x, sizeof(x));
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = activate(&t, &s);
    grad_close_to("SELU(-1)", y->value[0], -1.1113307378125625, 1e-12);
    grad_close_to("SELU(0)", y->value[1], 0, 0);
    grad_close_to("SELU(2)", y->value[2], 2.101401974710961, 1e-12);
    pq_tape_free(&t);
    grad_close(&s.g);
    expect_gelu();
}

static pq_var *add(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *a = pq_tape_param(t, s->a);
    return pq_op_add(t, a, s->b ? pq_tape_param(t, s->b) : a);
}

void grad_add(void) {
    for (uint32_t i = 0; i < 4; i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "a", 1 + 3 * i, 1 + i);
        s.b = i < 3 ? grad_input(&s.g, "b", 1 + 3 * i, 1 + i) : NULL; /* last: a + a */
        if (i == 1) {
            s.b->frozen = true;
        }
        grad_check(&s.g, "add", add, NULL, &s);
        grad_close(&s.g);
    }
    setup s = {0};
    grad_open(&s.g, 4);
    s.a = grad_input(&s.g, "a", 4, 3);
    s.b = grad_input(&s.g, "b", 1, 3);
    grad_check(&s.g, "add one row", add, NULL, &s);
    grad_close(&s.g);
}

static pq_var *scale(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_scale(t, pq_tape_param(t, s->a), s->number);
}

void grad_scale(void) {
    static const double factors[] = {0.25, 1, -3, 0};
    for (size_t i = 0; i < PQ_COUNT(factors); i++) {
        setup s = {.number = factors[i]};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", 3, 1 + 2 * (uint32_t)i);
        grad_check(&s.g, "scale", scale, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *concat(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *a = pq_tape_param(t, s->a);
    return pq_op_concat(t, a, s->b ? pq_tape_param(t, s->b) : a);
}

void grad_concat(void) {
    static const uint32_t shapes[][3] = {{4, 3, 5}, {1, 1, 1}, {3, 7, 1}, {2, 3, 0}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        const uint32_t *n = shapes[i];
        setup s = {0};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "a", n[0], n[1]);
        s.b = n[2] ? grad_input(&s.g, "b", n[0], n[2]) : NULL; /* last: a beside itself */
        grad_check(&s.g, "concat", concat, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *columns(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_columns(t, pq_tape_param(t, s->a), s->n, s->a->cols - 2);
}

static pq_var *all_columns(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_columns(t, pq_tape_param(t, s->a), 0, s->a->cols);
}

void grad_columns(void) {
    for (uint32_t first = 0; first < 3; first++) {
        setup s = {.n = first};
        grad_open(&s.g, first);
        s.a = grad_input(&s.g, "x", 4, 5);
        grad_check(&s.g, "columns", columns, NULL, &s);
        grad_check(&s.g, "all columns", all_columns, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *dot_rows(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *a = pq_tape_param(t, s->a);
    return pq_op_dot_rows(t, a, s->b ? pq_tape_param(t, s->b) : a);
}

void grad_dot_rows(void) {
    for (uint32_t i = 0; i < 5; i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "a", 1 + 3 * i, 1 + i);
        s.b = i < 4 ? grad_input(&s.g, "b", 1 + 3 * i, 1 + i) : NULL; /* last: with itself */
        s.a->frozen = i == 1;
        s.g.params->list[s.b ? 1 : 0]->frozen = i == 2;
        grad_check(&s.g, "dot_rows", dot_rows, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *softmax_rows(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_softmax_rows(t, pq_tape_param(t, s->a));
}

void grad_softmax_rows(void) {
    for (uint32_t i = 0; i < 4; i++) {
        setup s = {0};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", 1 + i, 1 + 3 * i);
        grad_check(&s.g, "softmax_rows", softmax_rows, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *repeat(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_repeat(t, pq_tape_param(t, s->a), s->n);
}

void grad_repeat(void) {
    static const uint32_t shapes[][3] = {{3, 4, 2}, {1, 1, 1}, {2, 5, 7}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        setup s = {.n = shapes[i][2]};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", shapes[i][0], shapes[i][1]);
        grad_check(&s.g, "repeat", repeat, NULL, &s);
        grad_close(&s.g);
    }
}

static pq_var *mask_rows(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_mask_rows(t, pq_tape_param(t, s->a), s->keep);
}

void grad_mask_rows(void) {
    static const bool keep[] = {true, false, false, true, true}, none[] = {false};
    setup cases[] = {{.keep = keep, .n = 5}, {.keep = none, .n = 1}, {.keep = keep, .n = 1}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        setup *s = &cases[i];
        grad_open(&s->g, i);
        s->a = grad_input(&s->g, "x", s->n, 3);
        grad_check(&s->g, "mask_rows", mask_rows, NULL, s);
        grad_close(&s->g);
    }
}

/* ---- dropout, normalise ---- */

static pq_var *dropout(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_dropout(t, pq_tape_param(t, s->a), s->number);
}

void grad_dropout(void) {
    for (uint32_t i = 0; i < 4; i++) {
        setup s = {.number = i == 3 ? 0 : 0.3};
        grad_open(&s.g, i);
        s.g.training = i != 2;
        s.a = grad_input(&s.g, "x", 40, i == 1 ? 1 : 25);
        grad_check(&s.g, "dropout", dropout, NULL, &s);
        pq_tape t;
        pq_tape_init(&t, &s.g.t.ctx);
        pq_tape_begin(&t, NULL, s.g.training, pq_rng_make(3, 0, 0));
        pq_var *y = dropout(&t, &s);
        uint32_t dropped = 0, n = 40 * s.a->cols;
        for (uint32_t j = 0; j < n; j++) {
            double kept = s.a->value[j] * (i < 2 ? 1 / 0.7 : 1);
            dropped += y->value[j] == 0;
            grad_close_to("dropout keeps or zeroes", y->value[j], y->value[j] == 0 ? 0 : kept,
                          1e-12);
        }
        if (i < 2) { /* a share of 0.3 within four deviations */
            double deviation = pq_sqrt(0.3 * 0.7 / n);
            grad_close_to("share dropped", dropped / (double)n, 0.3, 4 * deviation / 1.3);
        } else {
            assert_int_equal(dropped, 0);
        }
        pq_tape_free(&t);
        grad_close(&s.g);
    }
}

static pq_var *normalise(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_normalise(t, pq_tape_param(t, s->a), s->number);
}

void grad_normalise(void) {
    static const double epsilons[] = {1e-12, 0.5, 1e-12};
    for (size_t i = 0; i < PQ_COUNT(epsilons); i++) {
        setup s = {.number = epsilons[i]};
        grad_open(&s.g, i);
        s.a = grad_input(&s.g, "x", i == 2 ? 1 : 5, i == 2 ? 6 : 4);
        if (i == 1) {
            memset(s.a->value, 0, 4 * sizeof(pq_real)); /* a zero row */
        }
        grad_check(&s.g, "normalise", normalise, NULL, &s);
        grad_close(&s.g);
    }
    setup s = {.number = 1e-12};
    grad_open(&s.g, 0);
    s.a = grad_input(&s.g, "x", 2, 2);
    const pq_real x[4] = {3, 4, 0, 0};
    memcpy(s.a->value, x, sizeof(x));
    pq_tape t;
    pq_tape_init(&t, &s.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    pq_var *y = normalise(&t, &s);
    const double want[4] = {0.6, 0.8, 0, 0};
    for (size_t i = 0; i < 4; i++) {
        grad_close_to("normalise (3, 4) and (0, 0)", y->value[i], want[i], 1e-12);
    }
    pq_tape_free(&t);
    grad_close(&s.g);
}

/* ---- straight_through ---- */

static const pq_real other_rows[4 * 3] = {1, 2, 3, -4, 5, -6, 7, 8, 9, 0.5, 0, -0.25};

static pq_var *straight_through(pq_tape *t, const void *argument) {
    const setup *s = argument;
    const pq_straight_through args = {other_rows, s->ids, s->number > 0};
    return pq_op_straight_through(t, pq_tape_param(t, s->a), &args);
}

/* As if the rows of x had gone through. */
static double passed(const void *argument) {
    const setup *s = argument;
    double sum = 0;
    for (size_t i = 0; i < (size_t)s->a->rows * s->a->cols; i++) {
        sum += s->a->value[i] * grad_probe(i);
    }
    return sum;
}

void grad_straight_through(void) {
    static const uint32_t some[] = {3, 0, 0}, in_turn[] = {0, 1, 2};
    for (uint32_t kind = 0; kind < 4; kind++) {
        const uint32_t *ids = kind % 2 ? some : NULL, *rows = ids ? ids : in_turn;
        setup s = {.ids = ids, .number = kind / 2};
        grad_open(&s.g, kind);
        s.a = grad_input(&s.g, "x", 3, 3);
        grad_check(&s.g, "straight_through", straight_through, passed, &s);
        pq_tape t;
        pq_tape_init(&t, &s.g.t.ctx);
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        pq_var *y = straight_through(&t, &s);
        for (size_t i = 0; i < 9; i++) {
            const pq_real *x = s.a->value + i / 3 * 3;
            const double length = pq_sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
            const double want = other_rows[rows[i / 3] * 3 + i % 3] * (kind / 2 ? length : 1);
            grad_close_to("value of straight_through", y->value[i], want, 1e-12);
        }
        pq_tape_free(&t);
        grad_close(&s.g);
    }
}
