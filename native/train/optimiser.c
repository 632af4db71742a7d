#include "native/train/optimiser.h"

pique_status pq_optimiser_init(pq_optimiser *optimiser, pq_ctx *ctx, const pq_params *params) {
    *optimiser = (pq_optimiser){.ctx = ctx, .params = params};
    optimiser->first = pq_alloc(ctx, params->count, sizeof(pq_real *));
    optimiser->second = pq_alloc(ctx, params->count, sizeof(pq_real *));
    if (!optimiser->first || !optimiser->second) {
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

/* Euclidean length of the whole gradient. */
static double gradient_norm(const pq_grads *grads, const pq_kernels *kernels) {
    double square = 0;
    for (uint32_t i = 0; i < grads->params->count; i++) {
        const pq_param *param = grads->params->list[i];
        const pq_grad *grad = &grads->list[i];
        if (!grad->used) {
            continue;
        }
        uint32_t rows = grad->dense ? param->rows : grad->touched;
        const pq_real *values = grad->dense ? grad->dense : grad->values;
        for (uint32_t r = 0; r < rows; r++) {
            const pq_real *row = values + (size_t)r * param->cols;
            square += kernels->dot(row, row, param->cols);
        }
    }
    return pq_sqrt(square);
}

pique_status pq_optimiser_step(pq_optimiser *o, const pq_adam *adam, const pq_grads *grads) {
    const pq_kernels *kernels = o->ctx->kernels;
    double norm = gradient_norm(grads, kernels);
    if (!(norm - norm == 0)) {
        PQ_FAIL(o->ctx, PIQUE_NUMERIC,
                "step %lu: the gradient is not finite; a lower learning rate may help",
                (unsigned long)(o->step + 1));
    }
    o->step++;
    double t = (double)o->step;
    pq_adam_args args = {.rate = (pq_real)(adam->lr / (1 - pq_pow(adam->beta1, t))),
                         .v_scale = (pq_real)(1 / pq_sqrt(1 - pq_pow(adam->beta2, t))),
                         .beta1 = (pq_real)adam->beta1,
                         .beta2 = (pq_real)adam->beta2,
                         .epsilon = (pq_real)adam->epsilon,
                         .decay = (pq_real)(adam->lr * adam->weight_decay),
                         .grad_scale = 1};
    if (adam->clip > 0 && norm > adam->clip) {
        args.grad_scale = (pq_real)(adam->clip / norm);
    }
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        const pq_grad *grad = &grads->list[i];
        if (!grad->used) {
            continue;
        }
        if (grad->dense) {
            kernels->adam(&args, param->value, o->first[i], o->second[i], grad->dense,
                          (size_t)param->rows * param->cols);
        }
        for (uint32_t j = 0; j < grad->touched; j++) {
            size_t at = (size_t)grad->rows[j] * param->cols;
            kernels->adam(&args, param->value + at, o->first[i] + at, o->second[i] + at,
                          grad->values + (size_t)j * param->cols, param->cols);
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
    }
    *o = (pq_optimiser){0};
}
