/* interest_case.h — a small model that attends to the history for each candidate, by name, with the columns and
 * profile of mind_case.h and a batch of five users, for the unit and the gradient tests. */
#ifndef INTEREST_CASE_H
#define INTEREST_CASE_H

#include "tests/unit/rnn_case.h"

/* rnn_case_batch with profiles, times, and a negative for each behaviour. */
static inline pq_batch interest_case_batch(void) {
    static const uint32_t negatives[] = {9, 8, 2, 5, 6, 3, 1, 1, 10, 4, 2, 7, 9, 3, 6, 8};
    static const int64_t times[] = {100,  200,  5000, 5100, 9000, 50,   10,   20,
                                    4000, 4100, 4200, 9000, 9100, 1000, 1001, 7000};
    pq_batch batch = rnn_case_batch();
    batch.profile = mind_case_codes();
    batch.history_negatives = negatives;
    batch.times = times;
    return batch;
}

/* Every parameter N(0, 0.5), biases and running means too, save the rows of PAD; running variances are about 1.
 * pq_model_free is due also after a failure. */
static inline pique_status interest_case_model(pq_model *m, pq_ctx *ctx, const char *name,
                                               const char *settings) {
    /* Item 4 has no genre, item 7 three, item 9 a PAD among them. */
    static const uint32_t genre_offsets[] = {0, 0, 1, 3, 4, 4, 5, 7, 10, 11, 13, 14, 14};
    static const uint32_t genre_values[] = {1, 1, 2, 3, 2, 3, 1, 1, 2, 3, 4, 0, 2, 3};
    static const pq_column columns[] = {{"genre", 5, genre_offsets, genre_values, false, false}};
    static const pq_column profile[] = {{"gender", 4, NULL, NULL, false, false},
                                        {"age", 5, NULL, NULL, false, false}};
    PQ_TRY(pq_model_init(m, ctx, pq_model_find(name, strlen(name)), "best"));
    PQ_TRY(mind_case_set(ctx, m, settings));
    m->items.rows = RNN_CASE_ITEMS;
    m->items.columns = columns;
    m->items.column_count = PQ_COUNT(columns);
    m->profile.columns = profile;
    m->profile.column_count = PQ_COUNT(profile);
    m->pretrain = m->def->pretrains;
    PQ_TRY(pq_model_declare(m));
    for (uint32_t i = 0; i < m->params.count; i++) {
        pq_param *param = m->params.list[i];
        pq_rng rng = pq_rng_make(1, i, 0);
        for (size_t j = param->init.pad_row ? param->cols : 0;
             j < (size_t)param->rows * param->cols; j++) {
            pq_real x = (pq_real)(0.5 * pq_rng_normal(&rng));
            param->value[j] = param->statistic && j / param->cols == 1 ? 1 + x * x : x;
        }
    }
    return PIQUE_OK;
}

#endif
