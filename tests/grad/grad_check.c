#include "tests/grad/grad_check.h"

#include <math.h>

/* Central differences in double leave about 1e-10 of rounding and curvature at this step. */
#define STEP 1e-5
#define RELATIVE 1e-6
#define ABSOLUTE 1e-8

void grad_open(grad_bench *g, uint64_t seed) {
    *g = (grad_bench){.seed = seed};
    testing_open(&g->t);
    g->t.ctx.kernels = pq_kernels_find("scalar");
    pq_params_init(&g->own, &g->t.ctx);
    g->params = &g->own;
}

void grad_close(grad_bench *g) {
    pq_params_free(&g->own);
    testing_close(&g->t);
}

static pq_param *input(grad_bench *g, const char *name, uint32_t rows, uint32_t cols, bool table) {
    pq_param *param = pq_params_add(&g->own, name, rows, cols, (pq_init){PQ_INIT_NORMAL, 1, table});
    assert_non_null(param);
    param->sparse = table;
    pq_rng rng = pq_rng_make(g->seed, param->index, 0);
    for (size_t i = table ? cols : 0; i < (size_t)rows * cols; i++) {
        param->value[i] = pq_rng_normal(&rng);
    }
    return param;
}

pq_param *grad_input(grad_bench *g, const char *name, uint32_t rows, uint32_t cols) {
    return input(g, name, rows, cols, false);
}

pq_param *grad_table(grad_bench *g, const char *name, uint32_t rows, uint32_t cols) {
    return input(g, name, rows, cols, true);
}

double grad_probe(size_t i) {
    double size = 0.5 + (double)(pq_mix(i + 1) >> 11) * 0x1p-53;
    return pq_mix(i + 7) & 1 ? size : -size;
}

/* The op at the end of every case: y (T, D) becomes the loss. */
typedef struct {
    pq_var *x, *loss;
} probe;

static void probe_backward(pq_tape *t, void *data) {
    const probe *p = data;
    pq_real *dx = pq_tape_grad(t, p->x);
    for (size_t i = 0; dx && i < (size_t)p->x->rows * p->x->cols; i++) {
        dx[i] += p->loss->grad[0] * grad_probe(i);
    }
}

static pq_var *probed(pq_tape *t, pq_var *x) {
    assert_ok(t->ctx, t->status);
    assert_non_null(x);
    pq_var *loss = pq_tape_var(t, 1, 1, x->needs_grad);
    probe *p = pq_tape_take(t, 1, sizeof(*p));
    assert_true(loss && p);
    loss->value[0] = 0;
    for (size_t i = 0; i < (size_t)x->rows * x->cols; i++) {
        loss->value[0] += x->value[i] * grad_probe(i);
    }
    *p = (probe){x, loss};
    if (loss->needs_grad) {
        pq_tape_record(t, probe_backward, p);
    }
    return loss;
}

static double value_of(grad_bench *g, pq_tape *t, grad_forward *forward, const void *argument) {
    pq_tape_begin(t, NULL, g->training, pq_rng_make(g->seed, 1, 2));
    return probed(t, forward(t, argument))->value[0];
}

const pq_var *grad_run(pq_tape *t, grad_bench *g, grad_forward *forward, const void *argument) {
    pq_tape_init(t, &g->t.ctx);
    pq_tape_begin(t, NULL, false, (pq_rng){0});
    return forward(t, argument);
}

void grad_refuses(grad_bench *g, grad_forward *forward, const void *argument, const char *words) {
    pq_tape t;
    assert_null(grad_run(&t, g, forward, argument));
    assert_failure(&g->t.ctx, t.status, PIQUE_INTERNAL, words);
    pq_tape_free(&t);
}

double grad_loss(grad_bench *g, grad_forward *forward, const void *argument) {
    pq_tape tape;
    pq_tape_init(&tape, &g->t.ctx);
    double value = value_of(g, &tape, forward, argument);
    pq_tape_free(&tape);
    return value;
}

void grad_close_to(const char *what, double got, double want, double size) {
    if (!(fabs(got - want) <= size + size * fabs(want))) {
        fail_msg("%s: %.12g instead of %.12g", what, got, want);
    }
}

static double gradient_at(const pq_grads *grads, const pq_param *param, size_t i) {
    const pq_real *row =
        pq_grad_row(&grads->list[param->index], param, (uint32_t)(i / param->cols));
    return row ? row[i % param->cols] : 0;
}

typedef struct {
    grad_bench *g;
    pq_tape *tape;
    grad_forward *forward;
    grad_value *value;
    const void *argument;
} difference;

static double central(const difference *d, pq_real *x) {
    pq_real kept = *x;
    double side[2];
    for (int i = 0; i < 2; i++) {
        *x = kept + (i ? STEP : -STEP);
        side[i] =
            d->value ? d->value(d->argument) : value_of(d->g, d->tape, d->forward, d->argument);
    }
    *x = kept;
    return (side[1] - side[0]) / (2 * STEP);
}

static void check_param(const char *what, const difference *d, const pq_grads *grads,
                        const pq_param *param) {
    for (size_t i = 0; i < (size_t)param->rows * param->cols; i++) {
        double got = gradient_at(grads, param, i);
        if (param->init.pad_row && i < param->cols) {
            if (got != 0) {
                fail_msg("%s: the PAD row of %s has a gradient", what, param->name);
            }
            continue;
        }
        double want = central(d, &param->value[i]);
        if (!(fabs(got - want) <= ABSOLUTE + RELATIVE * fabs(want))) {
            fail_msg("%s: %s[%lu][%lu] has gradient %.12g, the difference says %.12g", what,
                     param->name, (unsigned long)(i / param->cols),
                     (unsigned long)(i % param->cols), got, want);
        }
    }
}

void grad_check(grad_bench *g, const char *what, grad_forward *forward, grad_value *value,
                const void *argument) {
    pq_tape tape;
    pq_grads grads;
    pq_tape_init(&tape, &g->t.ctx);
    assert_ok(&g->t.ctx, pq_grads_init(&grads, &g->t.ctx, g->params));
    pq_tape_begin(&tape, &grads, g->training, pq_rng_make(g->seed, 1, 2));
    pq_var *loss = probed(&tape, forward(&tape, argument));
    double recorded = loss->value[0];
    assert_ok(&g->t.ctx, pq_tape_backward(&tape, loss));
    /* Recording must not change the value. */
    grad_close_to(what, value_of(g, &tape, forward, argument), recorded, 0);
    difference d = {g, &tape, forward, value, argument};
    for (uint32_t i = 0; i < g->params->count; i++) {
        if (!g->params->list[i]->frozen && !g->params->list[i]->statistic) {
            check_param(what, &d, &grads, g->params->list[i]);
        }
    }
    pq_grads_free(&grads);
    pq_tape_free(&tape);
}
