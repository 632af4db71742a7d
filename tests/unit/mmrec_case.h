/* mmrec_case.h — a small mmrec whose ten items have tokens, regions and boxes, and a batch of five users, for the unit
 * and the gradient tests. Item 4 has no tokens, item 6 no regions, item 9 neither; item 7 has more tokens than the model
 * looks at. */
#ifndef MMREC_CASE_H
#define MMREC_CASE_H

#include "tests/unit/rnn_case.h"

#define MMREC_CASE_SIZES "dim=4 out=4 tokens=3 regions=3 offset=0 offset_hidden=0 "

enum { MMREC_TOKENS, MMREC_REGIONS, MMREC_BOXES, MMREC_KINDS };

typedef struct {
    pq_model model;
    pq_batch batch;
    float values[MMREC_KINDS][200];
    uint32_t first[MMREC_KINDS][RNN_CASE_ITEMS], counts[MMREC_KINDS][RNN_CASE_ITEMS];
    pq_item_rows rows[MMREC_KINDS];
} mmrec_case;

/* Rows by `counts`; normal numbers. */
static inline void mmrec_case_rows(mmrec_case *c, int kind, uint32_t width,
                                   const uint32_t counts[RNN_CASE_ITEMS]) {
    pq_rng rng = pq_rng_make(7, (uint64_t)kind, 0);
    uint32_t total = 0;
    for (uint32_t i = 0; i < RNN_CASE_ITEMS; i++) {
        c->first[kind][i] = total;
        c->counts[kind][i] = counts[i];
        total += counts[i];
    }
    assert_true(total * width <= PQ_COUNT(c->values[kind]));
    for (uint32_t i = 0; i < total * width; i++) {
        c->values[kind][i] = (float)pq_rng_normal(&rng);
    }
    c->rows[kind] = (pq_item_rows){c->values[kind], width, c->first[kind], c->counts[kind]};
}

/* Every parameter N(0, 0.5). pq_model_free is due also after a failure. */
static inline pique_status mmrec_case_open(mmrec_case *c, pq_ctx *ctx, const char *settings) {
    static const uint32_t tokens[] = {0, 2, 1, 3, 0, 2, 1, 5, 1, 0, 3, 0};
    static const uint32_t regions[] = {0, 1, 3, 2, 1, 2, 0, 1, 4, 0, 2, 0};
    pq_model *m = &c->model;
    c->batch = rnn_case_batch();
    mmrec_case_rows(c, MMREC_TOKENS, 3, tokens);
    mmrec_case_rows(c, MMREC_REGIONS, 2, regions);
    mmrec_case_rows(c, MMREC_BOXES, 5, regions);
    PQ_TRY(pq_model_init(m, ctx, pq_model_find("mmrec", 5), "best"));
    PQ_TRY(mind_case_set(ctx, m, MMREC_CASE_SIZES));
    PQ_TRY(mind_case_set(ctx, m, settings));
    m->items.rows = RNN_CASE_ITEMS;
    m->items.side = c->rows;
    PQ_TRY(pq_model_declare(m));
    for (uint32_t i = 0; i < m->params.count; i++) {
        pq_param *param = m->params.list[i];
        pq_rng rng = pq_rng_make(1, i, 0);
        for (size_t j = 0; j < (size_t)param->rows * param->cols; j++) {
            param->value[j] = (pq_real)(0.5 * pq_rng_normal(&rng));
        }
    }
    return PIQUE_OK;
}

#endif
