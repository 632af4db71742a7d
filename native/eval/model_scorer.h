/* model_scorer.h — an open model as a scorer: items and profile values of the data set are found in the
 * model by their texts, so that a file can be evaluated on other data than it was trained on. */
#ifndef PQ_MODEL_SCORER_H
#define PQ_MODEL_SCORER_H

#include "native/eval/ranking.h"

typedef struct {
    pq_ctx *ctx;
    const pique_model *model;
    const pique_dataset *dataset;
    uint32_t *numbers; /* [item_rows] the model's item numbers, 0 when unknown to it */
    uint32_t *fields;  /* [model's profile fields] column of the data set + 1, or 0 */
    uint32_t field_count;
    double scale;    /* from scores to the logits that training saw */
    bool shortlists; /* codes find, rows score: a list may lack an item that scores high enough */
} pq_model_scorer;

pique_status pq_model_scorer_init(pq_model_scorer *scorer, pq_ctx *ctx, const pique_model *model,
                                  const pique_dataset *dataset);
void pq_model_scorer_free(pq_model_scorer *scorer);
/* What a thread needs to ask the model about one user after the other. */
typedef struct {
    pique_session *session;
    pique_query query; /* of the user asked about last */
    uint32_t *history;
    double *times;
    size_t capacity, times_capacity;
    pique_value *values; /* of the profile */
    size_t value_count, values_capacity;
} pq_model_user;

pique_status pq_model_user_open(pq_ctx *ctx, const pq_model_scorer *scorer, pq_model_user **out);
/* Takes NULL. */
void pq_model_user_close(pq_ctx *ctx, pq_model_user *user);
/* Fills user->query: the history of the view in the model's numbers; the session has the profile. */
pique_status pq_model_user_query(pq_ctx *ctx, const pq_model_scorer *scorer, pq_model_user *user,
                                 uint32_t number, const pq_view *view);
pq_scorer pq_model_scorer_get(const pq_model_scorer *scorer);

#endif
