/* params.c — the parameter list and the gradient stores declared in graph.h. */
#include "graph/graph.h"

#include <string.h>

void pq_params_init(pq_params *params, pq_ctx *ctx) {
    *params = (pq_params){.ctx = ctx};
}

pq_param *pq_params_find(const pq_params *params, const char *name) {
    for (uint32_t i = 0; i < params->count; i++) {
        if (strcmp(params->list[i]->name, name) == 0) {
            return params->list[i];
        }
    }
    return NULL;
}

static pique_status values(pq_params *params, const char *name, uint32_t rows, uint32_t cols,
                           pq_real **out) {
    if (params->bind) {
        return params->bind(params->bind_user, name, rows, cols, out);
    }
    if (rows <= SIZE_MAX / sizeof(pq_real) / cols) {
        *out = pq_alloc(params->ctx, (size_t)rows * cols, sizeof(pq_real));
    }
    if (!*out) {
        PQ_FAIL(params->ctx, PIQUE_NO_MEMORY, "out of memory: parameter \"%s\", %u x %u", name,
                (unsigned)rows, (unsigned)cols);
    }
    return PIQUE_OK;
}

static pique_status add(pq_params *params, const char *name, uint32_t rows, uint32_t cols,
                        pq_param **out) {
    pq_ctx *ctx = params->ctx;
    if (rows == 0 || cols == 0) {
        PQ_FAIL(ctx, PIQUE_INTERNAL, "parameter \"%s\" has no elements", name);
    }
    if (strlen(name) >= sizeof((*out)->name) || pq_params_find(params, name)) {
        PQ_FAIL(ctx, PIQUE_INTERNAL, "parameter name \"%s\" is too long or used twice", name);
    }
    PQ_TRY(pq_reserve(ctx, (void **)&params->list, &params->capacity, params->count + 1,
                      sizeof(pq_param *)));
    pq_param *param = pq_alloc(ctx, 1, sizeof(*param));
    if (!param) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = values(params, name, rows, cols, &param->value);
    if (status != PIQUE_OK) {
        pq_free(ctx, param);
        return status;
    }
    memcpy(param->name, name, strlen(name) + 1);
    param->rows = rows;
    param->cols = cols;
    param->index = params->count;
    params->list[params->count++] = param;
    *out = param;
    return PIQUE_OK;
}

pq_param *pq_params_bare(pq_params *params, const char *name, uint32_t rows, uint32_t cols) {
    pq_param *param = NULL;
    if (params->status == PIQUE_OK) {
        params->status = add(params, name, rows, cols, &param);
    }
    return param;
}

static pq_real draw(const pq_param *param, pq_rng *rng) {
    double scale = param->init.scale;
    switch (param->init.kind) {
    case PQ_INIT_ZERO:
        return 0;
    case PQ_INIT_ONE:
        return 1;
    case PQ_INIT_CONSTANT:
        return (pq_real)scale;
    case PQ_INIT_GLOROT_UNIFORM:
        scale = pq_sqrt(6.0 / ((double)param->rows + param->cols));
        break;
    case PQ_INIT_SYMMETRIC:
    case PQ_INIT_SINUSOID: /* these three are not drawn */
    case PQ_INIT_LEADING_ONES:
    case PQ_INIT_STATISTIC:
        break;
    case PQ_INIT_NORMAL:
        return (pq_real)(scale * pq_rng_normal(rng));
    case PQ_INIT_TRUNCATED:
        return (pq_real)(scale * pq_rng_truncated_normal(rng));
    case PQ_INIT_UNIFORM:
        return (pq_real)(scale * pq_rng_uniform(rng));
    }
    return (pq_real)(scale * (2 * pq_rng_uniform(rng) - 1));
}

#define TWO_PI 6.283185307179586

static double turned(double x) { /* into [0, 2 pi) */
    return x - TWO_PI * (double)(uint64_t)(x / TWO_PI);
}

static void fill_sinusoids(const pq_param *param) {
    for (uint32_t row = 0; row < param->rows; row++) {
        for (uint32_t c = 0; c < param->cols; c++) {
            double x = row * pq_exp(-pq_log(10000) * (c - c % 2) / param->cols);
            /* sin x = cos(x - pi / 2) */
            param->value[(size_t)row * param->cols + c] =
                (pq_real)pq_cos(turned(x) - (c % 2 ? 0 : TWO_PI / 4));
        }
    }
}

void pq_params_draw(const pq_params *params, uint64_t seed) {
    for (uint32_t i = 0; i < params->count; i++) {
        pq_param *param = params->list[i];
        uint64_t stream = 0;
        for (const char *c = param->name; *c; c++) {
            stream = pq_mix(stream ^ (uint8_t)*c);
        }
        pq_rng rng = pq_rng_make(seed, stream, 0);
        size_t count = (size_t)param->rows * param->cols;
        for (size_t j = 0; j < count; j++) {
            param->value[j] = draw(param, &rng);
        }
        for (uint32_t c = 0; param->init.kind == PQ_INIT_STATISTIC && c < param->cols; c++) {
            param->value[c] = param->value[2 * (size_t)param->cols + c] = 0;
            param->value[param->cols + c] = 1;
        }
        for (size_t j = 0; param->init.kind == PQ_INIT_LEADING_ONES && j < count; j++) {
            param->value[j] = (double)(j % param->cols) < param->init.scale;
        }
        if (param->init.kind == PQ_INIT_SINUSOID) {
            fill_sinusoids(param);
        }
        if (param->init.pad_row) {
            memset(param->value, 0, param->cols * sizeof(pq_real));
        }
    }
}

void pq_params_free(pq_params *params) {
    for (uint32_t i = 0; i < params->count; i++) {
        if (!params->bind) {
            pq_free(params->ctx, params->list[i]->value);
        }
        pq_free(params->ctx, params->list[i]);
    }
    pq_free(params->ctx, params->list);
    params->list = NULL;
    params->count = 0;
}

/* ---- gradients ---- */

static size_t size_of(const pq_param *param) {
    return (size_t)param->rows * param->cols;
}

pique_status pq_grads_init(pq_grads *grads, pq_ctx *ctx, const pq_params *params) {
    *grads = (pq_grads){.ctx = ctx, .params = params};
    grads->list = pq_alloc(ctx, params->count, sizeof(*grads->list));
    if (!grads->list) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < params->count; i++) {
        const pq_param *param = params->list[i];
        pq_grad *grad = &grads->list[i];
        if (param->frozen) {
            continue;
        }
        grad->whole = !param->sparse;
        if (grad->whole) {
            grad->dense = pq_alloc(ctx, size_of(param), sizeof(pq_real));
        } else {
            grad->slots = pq_alloc(ctx, param->rows, sizeof(*grad->slots));
        }
        if (!grad->slots && !grad->dense) {
            return PIQUE_NO_MEMORY;
        }
    }
    return PIQUE_OK;
}

void pq_grads_clear(pq_grads *grads) {
    for (uint32_t i = 0; i < grads->params->count; i++) {
        const pq_param *param = grads->params->list[i];
        pq_grad *grad = &grads->list[i];
        if (grad->used && !param->sparse) {
            memset(grad->dense, 0, size_of(param) * sizeof(pq_real));
        }
        grad->whole = !param->sparse;
        grad->used = false;
        for (uint32_t j = 0; j < grad->touched; j++) {
            grad->slots[grad->rows[j]] = 0;
        }
        grad->touched = 0;
    }
}

pq_real *pq_grads_whole(pq_grads *grads, const pq_param *param) {
    pq_grad *grad = &grads->list[param->index];
    size_t cols = param->cols;
    if (!grad->dense) {
        grad->dense = pq_resize(grads->ctx, NULL, size_of(param), sizeof(pq_real));
        if (!grad->dense) {
            return NULL;
        }
    }
    if (!grad->whole) {
        memset(grad->dense, 0, size_of(param) * sizeof(pq_real));
        for (uint32_t j = 0; j < grad->touched; j++) {
            memcpy(grad->dense + grad->rows[j] * cols, grad->values + j * cols,
                   cols * sizeof(pq_real));
        }
    }
    grad->whole = true;
    grad->used = true;
    return grad->dense;
}

pq_real *pq_grads_row(pq_grads *grads, const pq_param *param, uint32_t row) {
    pq_grad *grad = &grads->list[param->index];
    size_t cols = param->cols;
    if (grad->whole) {
        grad->used = true;
        return grad->dense + row * cols;
    }
    if (!grad->slots[row]) {
        size_t needed = (size_t)grad->touched + 1;
        if (pq_reserve(grads->ctx, (void **)&grad->rows, &grad->rows_capacity, needed,
                       sizeof(*grad->rows)) != PIQUE_OK ||
            pq_reserve(grads->ctx, (void **)&grad->values, &grad->values_capacity, needed * cols,
                       sizeof(pq_real)) != PIQUE_OK) {
            return NULL;
        }
        memset(grad->values + grad->touched * cols, 0, cols * sizeof(pq_real));
        grad->rows[grad->touched++] = row;
        grad->slots[row] = grad->touched;
        grad->used = true;
    }
    return grad->values + (size_t)(grad->slots[row] - 1) * cols;
}

pique_status pq_grads_cover(pq_grads *into, const pq_grads *from, const pq_param *param) {
    const pq_grad *grad = &from->list[param->index];
    if (grad->used && grad->whole) {
        return pq_grads_whole(into, param) ? PIQUE_OK : PIQUE_NO_MEMORY;
    }
    for (uint32_t j = 0; j < grad->touched; j++) {
        if (!pq_grads_row(into, param, grad->rows[j])) {
            return PIQUE_NO_MEMORY;
        }
    }
    return PIQUE_OK;
}

void pq_grads_free(pq_grads *grads) {
    for (uint32_t i = 0; grads->list && i < grads->params->count; i++) {
        pq_free(grads->ctx, grads->list[i].dense);
        pq_free(grads->ctx, grads->list[i].slots);
        pq_free(grads->ctx, grads->list[i].rows);
        pq_free(grads->ctx, grads->list[i].values);
    }
    pq_free(grads->ctx, grads->list);
    grads->list = NULL;
}
