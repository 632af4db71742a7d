/* grad_pool.c — gradient cases and values of pooling over segments. */
#include "tests/grad/grad_check.h"

#include <math.h>

#define ROWS 9
#define COLS 3

typedef struct {
    grad_bench g;
    pq_param *x, *logits;
    pq_segments segments;
    pq_pool_segments args;
} setup;

static pq_var *pool(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *logits = s->args.softmax || s->args.raw ? pq_tape_param(t, s->logits) : NULL;
    return pq_op_pool_segments(t, pq_tape_param(t, s->x), logits, &s->args);
}

/* Values and logits the same variable: both gradients must add up. */
static pq_var *pool_itself(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *x = pq_tape_param(t, s->x);
    return pq_op_pool_segments(t, x, x, &s->args);
}

/* Weight of row i for k by the definition. */
static double weight(const setup *s, uint32_t first, uint32_t last, uint32_t i, uint32_t k) {
    if (s->args.raw) {
        return s->logits->value[i * s->logits->cols + k];
    }
    if (!s->args.softmax) {
        return s->args.mean ? 1.0 / (last - first) : 1;
    }
    double total = 0;
    uint32_t count = s->logits->cols;
    for (uint32_t j = first; j < last; j++) {
        total += exp(s->logits->value[j * count + k]);
    }
    return exp(s->logits->value[i * count + k]) / total;
}

static void expect_values(setup *s, const char *what) {
    uint32_t count = s->args.softmax || s->args.raw ? s->logits->cols : 1;
    pq_real shares[ROWS * COLS];
    pq_tape t;
    pq_tape_init(&t, &s->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    s->args.shares = shares;
    pq_var *y = pool(&t, s);
    assert_ok(&s->g.t.ctx, t.status);
    for (uint32_t b = 0; b < s->segments.count; b++) {
        uint32_t first = s->segments.starts[b], last = s->segments.starts[b + 1];
        for (uint32_t k = 0; k < count; k++) {
            double want[COLS] = {0};
            for (uint32_t i = first; i < last; i++) {
                double w = weight(s, first, last, i, k);
                grad_close_to(what, shares[i * count + k], w, 1e-12);
                for (uint32_t c = 0; c < COLS; c++) {
                    uint32_t row = s->args.rows ? s->args.rows[i] : i;
                    want[c] += w * s->x->value[row * COLS + c];
                }
            }
            for (uint32_t c = 0; c < COLS; c++) {
                grad_close_to(what, y->value[(b * count + k) * COLS + c], want[c], 1e-12);
            }
        }
    }
    s->args.shares = NULL;
    pq_tape_free(&t);
}

void grad_pool_segments(void) {
    static const uint32_t starts[] = {0, 3, 3, 4, ROWS}; /* one empty, one of a single row */
    static const uint32_t shared[] = {4, 1, 1, 0, 4, 3, 2, 1, 0};
    static const struct {
        const char *what;
        bool softmax, mean, raw, rows;
        uint32_t count;
    } cases[] = {{"pool, sum", false, false, false, false, 1},
                 {"pool, mean", false, true, false, false, 1},
                 {"pool, softmax", true, false, false, false, 1},
                 {"pool, three softmaxes", true, false, false, false, COLS},
                 {"pool, raw", false, false, true, false, 1},
                 {"pool, shared rows, mean", false, true, false, true, 1},
                 {"pool, shared rows, softmax", true, false, false, true, 2},
                 {"pool, shared rows, raw", false, false, true, true, 1}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        setup s = {.segments = {starts, 4}};
        grad_open(&s.g, i);
        s.args = (pq_pool_segments){.segments = &s.segments,
                                    .rows = cases[i].rows ? shared : NULL,
                                    .softmax = cases[i].softmax,
                                    .mean = cases[i].mean,
                                    .raw = cases[i].raw};
        s.x = grad_input(&s.g, "x", cases[i].rows ? 5 : ROWS, COLS);
        s.logits = grad_input(&s.g, "logits", ROWS, cases[i].count);
        expect_values(&s, cases[i].what);
        grad_check(&s.g, cases[i].what, pool, NULL, &s);
        if (cases[i].softmax && cases[i].count == COLS) {
            grad_check(&s.g, "pool by itself", pool_itself, NULL, &s);
        }
        grad_close(&s.g);
    }
}
