#include "native/train/optimiser.h"

#include <string.h>

#include "native/eval/team.h"

pique_status pq_optimiser_init(pq_optimiser *optimiser, pq_ctx *ctx, const pq_params *params) {
    *optimiser = (pq_optimiser){.ctx = ctx, .params = params, .threads = 1};
    optimiser->first = pq_alloc(ctx, params->count, sizeof(pq_real *));
    optimiser->second = pq_alloc(ctx, params->count, sizeof(pq_real *));
    if (!optimiser->first || !optimiser->second) {
        return PIQUE_NO_MEMORY;
    }
    uint32_t widest = 0;
    for (uint32_t i = 0; i < params->count; i++) {
        widest = PQ_MAX(widest, params->list[i]->cols);
    }
    optimiser->zeros = pq_alloc(ctx, widest, sizeof(pq_real));
    if (!optimiser->zeros) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < params->count; i++) {
        const pq_param *param = params->list[i];
        size_t count = (size_t)param->rows * param->cols;
        if (param->frozen) {
            continue;
        }
        optimiser->first[i] = pq_alloc(ctx, count, sizeof(pq_real));
        optimiser->second[i] = pq_alloc(ctx, count, sizeof(pq_real));
        if (!optimiser->first[i] || !optimiser->second[i]) {
            return PIQUE_NO_MEMORY;
        }
    }
    return PIQUE_OK;
}

void pq_optimiser_forget(const pq_optimiser *o) {
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        size_t size = (size_t)param->rows * param->cols * sizeof(pq_real);
        if (!param->frozen) {
            memset(o->first[i], 0, size);
            memset(o->second[i], 0, size);
        }
    }
}

static double square_of(const pq_kernels *kernels, const pq_real *row, uint32_t cols) {
    return kernels->dot(row, row, cols);
}

/* Square of the length of one parameter's gradient. */
static double gradient_square(const pq_grad *grad, const pq_param *param,
                              const pq_kernels *kernels) {
    double square = 0;
    for (uint32_t j = 0; j < pq_grad_count(grad, param); j++) {
        const pq_real *row = pq_grad_row(grad, param, pq_grad_at(grad, j));
        square += square_of(kernels, row, param->cols);
    }
    return square;
}

/* Euclidean length of the whole gradient. */
static pique_status gradient_norm(const pq_optimiser *o, const pq_grads *grads, double *norm) {
    double square = 0;
    for (uint32_t i = 0; i < grads->params->count; i++) {
        const pq_param *param = grads->params->list[i];
        if (param->statistic) {
            continue;
        }
        square += gradient_square(&grads->list[i], param, o->ctx->kernels);
        if (!(square - square == 0)) {
            PQ_FAIL(o->ctx, PIQUE_NUMERIC,
                    "step %lu: the gradient of %s is not finite or too large to be squared; a "
                    "lower learning rate may help",
                    (unsigned long)(o->step + 1), param->name);
        }
    }
    *norm = pq_sqrt(square);
    return PIQUE_OK;
}

/* What the update of a step needs beside its place. */
typedef struct {
    const pq_kernels *kernels;
    const pq_adam *options;
    pq_adam_args args;
    bool ftrl; /* of the parameter at hand */
} update;

/* first, second: z and v. */
static void move_ftrl(const update *u, pq_real *w, pq_real *first, pq_real *second,
                      const pq_real *g, size_t n) {
    const pq_adam *o = u->options;
    for (size_t i = 0; i < n; i++) {
        double gi = g[i] * u->args.grad_scale, before = pq_sqrt(second[i]);
        second[i] += (pq_real)(gi * gi);
        double root = pq_sqrt(second[i]);
        first[i] += (pq_real)(gi - (root - before) / o->ftrl_alpha * w[i]);
        double z = first[i], over = z > 0 ? z - o->ftrl_l1 : z + o->ftrl_l1;
        bool zero = z > 0 ? over <= 0 : over >= 0;
        w[i] = zero ? 0 : (pq_real)(-over / ((o->ftrl_beta + root) / o->ftrl_alpha + o->ftrl_l2));
    }
}

static void move(const update *u, pq_real *w, pq_real *first, pq_real *second, const pq_real *g,
                 size_t n) {
    if (u->ftrl) {
        move_ftrl(u, w, first, second, g, n);
        return;
    }
    if (u->options->kind == PQ_OPTIMISER_ADAM) {
        u->kernels->adam(&u->args, w, first, second, g, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        pq_real gi = g[i] * u->args.grad_scale + u->args.l2 * w[i];
        second[i] += gi * gi;
        w[i] -= u->args.decay * w[i];
        w[i] -= (pq_real)u->options->lr * gi / ((pq_real)pq_sqrt(second[i]) + u->args.epsilon);
    }
}

static void limit_row(const pq_kernels *kernels, pq_real *row, uint32_t cols, double most) {
    double length = pq_sqrt(square_of(kernels, row, cols));
    for (uint32_t c = 0; length > most && c < cols; c++) {
        row[c] *= (pq_real)(most / length);
    }
}

void pq_optimiser_limit_rows(const pq_optimiser *o, double max_norm) {
    for (uint32_t i = 0; max_norm > 0 && i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        for (uint32_t r = 0; param->sparse && r < param->rows; r++) {
            limit_row(o->ctx->kernels, param->value + (size_t)r * param->cols, param->cols,
                      max_norm);
        }
    }
}

static void move_row(const pq_optimiser *o, const update *u, uint32_t at, uint32_t row,
                     const pq_real *g) {
    const pq_param *param = o->params->list[at];
    size_t start = (size_t)row * param->cols;
    move(u, param->value + start, o->first[at] + start, o->second[at] + start, g, param->cols);
    if (u->options->max_norm > 0 && !u->ftrl) {
        limit_row(u->kernels, param->value + start, param->cols, u->options->max_norm);
    }
}

/* Each row is moved by one thread alone, so their number makes no difference. */
static void move_rows(const pq_optimiser *o, const update *u, uint32_t at, const pq_grad *grad) {
    const pq_param *param = o->params->list[at];
    bool all = u->options->dense_rows;
    uint32_t count = all ? param->rows : pq_grad_count(grad, param);
#pragma omp parallel for num_threads(o->threads) schedule(static) if (count > PQ_PARALLEL_ROWS)
    for (uint32_t j = 0; j < count; j++) {
        uint32_t row = all ? j : pq_grad_at(grad, j);
        const pq_real *g = pq_grad_row(grad, param, row);
        move_row(o, u, at, row, g ? g : o->zeros);
    }
}

#define MOMENTUM 0.1

/* What the step saw joins the running mean and variance (the variance of a sample, as in PyTorch). */
static void follow(const pq_param *param, const pq_real *sums) {
    uint32_t d = param->cols;
    for (uint32_t j = 0; j < d; j++) {
        pq_real *mean = param->value + j, *variance = mean + d;
        double count = sums[2 * d + j];
        if (count < 2) { /* one row has no variance */
            continue;
        }
        double shift = sums[j] / count, square = sums[d + j] / count;
        double seen = (square - shift * shift) * count / (count - 1);
        *mean += (pq_real)(MOMENTUM * shift);
        *variance += (pq_real)(MOMENTUM * (PQ_MAX(seen, 0) - *variance));
    }
}

pique_status pq_optimiser_step(pq_optimiser *o, const pq_adam *adam, const pq_grads *grads) {
    double norm;
    PQ_TRY(gradient_norm(o, grads, &norm));
    o->step++;
    double t = (double)(o->step - o->since);
    update u = {.kernels = o->ctx->kernels,
                .options = adam,
                .args = {.rate = (pq_real)(adam->lr / (1 - pq_pow(adam->beta1, t))),
                         .v_scale = (pq_real)(1 / pq_sqrt(1 - pq_pow(adam->beta2, t))),
                         .beta1 = (pq_real)adam->beta1,
                         .beta2 = (pq_real)adam->beta2,
                         .epsilon = (pq_real)adam->epsilon,
                         .decay = (pq_real)(adam->lr * adam->weight_decay),
                         .grad_scale = 1,
                         .l2 = (pq_real)adam->l2}};
    if (adam->clip > 0 && norm > adam->clip) {
        u.args.grad_scale = (pq_real)(adam->clip / norm);
    }
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        const pq_grad *grad = &grads->list[i];
        u.ftrl = adam->ftrl && param->linear;
        bool still = param->frozen || (param->pretrained && !o->pretraining);
        if (still || !(grad->used || adam->dense_rows)) {
            continue;
        }
        if (param->statistic) {
            if (grad->used) {
                follow(param, grad->dense);
            }
        } else if (param->sparse) {
            move_rows(o, &u, i, grad);
        } else if (grad->used) {
            move(&u, param->value, o->first[i], o->second[i], grad->dense,
                 (size_t)param->rows * param->cols);
        }
    }
    return PIQUE_OK;
}

void pq_optimiser_free(pq_optimiser *o) {
    for (uint32_t i = 0; o->params && i < o->params->count; i++) {
        if (o->first) {
            pq_free(o->ctx, o->first[i]);
        }
        if (o->second) {
            pq_free(o->ctx, o->second[i]);
        }
    }
    if (o->ctx) {
        pq_free(o->ctx, o->first);
        pq_free(o->ctx, o->second);
        pq_free(o->ctx, o->zeros);
    }
    *o = (pq_optimiser){0};
}
