/* rnn_case.h — a small model that ranks, by name, with a batch of five users, for the unit and the gradient
 * tests of pool and the recurrent models. */
#ifndef RNN_CASE_H
#define RNN_CASE_H

#include "tests/unit/mind_case.h"

#define RNN_CASE_ITEMS 12 /* 0 PAD, 1..10, 11 UNKNOWN */

/* Histories of 5, 0, 1, 7 and 3 behaviours; the users have 1, 1, 2, 1 and no candidates. */
static inline pq_batch rnn_case_batch(void) {
    static const uint32_t starts[] = {0, 5, 5, 6, 13, 16};
    static const uint32_t items[] = {3, 1, 4, 1, 7, 2, 2, 6, 5, 11, 8, 1, 5, 10, 9, 4};
    static const uint32_t candidates[] = {2, 4, 6, 9, 11}, users[] = {0, 1, 2, 2, 3};
    static const pq_real labels[] = {1, 0, 0, 1, 1};
    return (pq_batch){.history = {starts, 5},
                      .items = items,
                      .candidate_count = PQ_COUNT(candidates),
                      .candidates = candidates,
                      .candidate_users = users,
                      .candidate_labels = labels,
                      .positions = PQ_COUNT(candidates)};
}

/* Every parameter N(0, 0.5), biases too, save the rows of PAD. pq_model_free is due also after a failure. */
static inline pique_status rnn_case_model(pq_model *m, pq_ctx *ctx, const char *name,
                                          const char *settings) {
    PQ_TRY(pq_model_init(m, ctx, pq_model_find(name, strlen(name)), "best"));
    PQ_TRY(mind_case_set(ctx, m, settings));
    m->items.rows = RNN_CASE_ITEMS;
    PQ_TRY(pq_model_declare(m));
    for (uint32_t i = 0; i < m->params.count; i++) {
        pq_param *param = m->params.list[i];
        pq_rng rng = pq_rng_make(1, i, 0);
        for (size_t j = param->init.pad_row ? param->cols : 0;
             j < (size_t)param->rows * param->cols; j++) {
            param->value[j] = (pq_real)(0.5 * pq_rng_normal(&rng));
        }
    }
    return PIQUE_OK;
}

#endif
