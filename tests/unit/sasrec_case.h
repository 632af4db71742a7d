/* sasrec_case.h — a small SASRec with a batch of four users, for its unit tests. */
#ifndef SASREC_CASE_H
#define SASREC_CASE_H

#include "tests/unit/mind_case.h"

#include <math.h>

#define SASREC_ITEMS 12 /* 0 PAD, 1..10, 11 UNKNOWN */
#define SASREC_USERS 4
#define SASREC_ROWS 13
#define SASREC_SIZES "dim=8 layers=2 heads=2 history=7 inner=2 dropout=0 "

typedef struct {
    testing t;
    pq_model model;
    pq_batch batch;
    pq_tape tape;
    pq_grads grads;
} sasrec_case;

static inline pique_status sasrec_model(pq_model *m, pq_ctx *ctx, const char *settings) {
    PQ_TRY(pq_model_init(m, ctx, pq_model_find("sasrec", 6), "best"));
    PQ_TRY(mind_case_set(ctx, m, settings));
    m->items.rows = SASREC_ITEMS;
    PQ_TRY(pq_model_declare(m));
    m->loss = (pq_loss_options){.kind = PQ_LOSS_SOFTMAX, .pair_count = 2, .beta = 0.5};
    for (uint32_t i = 0; i < m->params.count; i++) { /* biases too; PAD alone stays zero */
        pq_param *param = m->params.list[i];
        pq_rng rng = pq_rng_make(1, i, 0);
        for (size_t j = param->init.pad_row ? param->cols : 0;
             j < (size_t)param->rows * param->cols; j++) {
            param->value[j] = (pq_real)(0.5 * pq_rng_normal(&rng));
        }
    }
    return PIQUE_OK;
}

/* Histories of 5, 0, 1 and 7 behaviours, with a label after every row but two. */
static inline pq_batch sasrec_batch(void) {
    static const uint32_t starts[] = {0, 5, 5, 6, 13};
    static const uint32_t items[] = {3, 1, 4, 1, 7, 2, 2, 6, 5, 11, 8, 1, 5};
    static const uint32_t label_rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 12};
    static const uint32_t targets[] = {1, 4, 1, 7, 2, 5, 6, 5, 8, 5, 9};
    static const uint32_t pairs[] = {2, 3, 5, 6, 7, 8, 9,  10, 1, 3, 4,
                                     2, 3, 1, 6, 9, 9, 10, 2,  2, 1, 3};
    static const uint32_t negatives[] = {6, 2, 9, 8};
    static const pq_real zero_q[PQ_COUNT(targets)];
    return (pq_batch){.history = {starts, SASREC_USERS},
                      .items = items,
                      .label_count = PQ_COUNT(targets),
                      .targets = targets,
                      .label_rows = label_rows,
                      .positions = PQ_COUNT(targets),
                      .negatives = negatives,
                      .negative_count = PQ_COUNT(negatives),
                      .target_log_q = zero_q,
                      .negative_log_q = zero_q,
                      .pair_negatives = pairs};
}

static inline void sasrec_open(sasrec_case *b, const char *settings) {
    *b = (sasrec_case){.batch = sasrec_batch()};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    assert_ok(&b->t.ctx, sasrec_model(&b->model, &b->t.ctx, settings));
    assert_ok(&b->t.ctx, pq_grads_init(&b->grads, &b->t.ctx, &b->model.params));
}

static inline void sasrec_close(sasrec_case *b) {
    pq_grads_free(&b->grads);
    pq_tape_free(&b->tape);
    pq_model_free(&b->model);
    testing_close(&b->t);
}

/* Vectors (B, D) of the sasrec_case's batch, as served. */
static inline const pq_real *sasrec_users(sasrec_case *b) {
    uint32_t live[SASREC_USERS];
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    pq_var *v = b->model.def->user(&b->tape, &b->model, &b->batch, live);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(v->rows, b->batch.history.count);
    assert_int_equal(v->cols, b->model.width);
    for (uint32_t i = 0; i < v->rows; i++) {
        assert_int_equal(live[i], 1);
    }
    return v->value;
}

static inline double sasrec_step(sasrec_case *b, bool training) {
    pq_grads_clear(&b->grads);
    pq_tape_begin(&b->tape, &b->grads, training, pq_rng_make(3, 0, 0));
    pq_var *loss = b->model.def->loss(&b->tape, &b->model, &b->batch);
    assert_ok(&b->t.ctx, pq_tape_backward(&b->tape, loss));
    return loss->value[0];
}

static inline pq_param *sasrec_param(sasrec_case *b, const char *name) {
    pq_param *found = pq_params_find(&b->model.params, name);
    assert_non_null(found);
    return found;
}

static inline bool sasrec_finite(const pq_grads *grads) {
    for (uint32_t i = 0; i < grads->params->count; i++) {
        const pq_param *param = grads->params->list[i];
        const pq_grad *grad = &grads->list[i];
        for (uint32_t j = 0; j < pq_grad_count(grad, param) * param->cols; j++) {
            uint32_t row = pq_grad_at(grad, j / param->cols);
            if (!isfinite(pq_grad_row(grad, param, row)[j % param->cols])) {
                return false;
            }
        }
    }
    return true;
}

/* Whether n numbers are the same to the last bit; none is NaN. */
static inline bool sasrec_same(const pq_real *a, const pq_real *b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (!(a[i] == b[i])) {
            return false;
        }
    }
    return true;
}

#endif
