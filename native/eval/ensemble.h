/* ensemble.h — several open models as one scorer, with the distribution that they have as teachers (teacher.h): the mean
 * of their softmax over the items of the data set that all of them know. A score is its logarithm. One model
 * alone is the scorer that it is without this, with its own items and its own scores. */
#ifndef PQ_ENSEMBLE_H
#define PQ_ENSEMBLE_H

#include "native/eval/model_scorer.h"

typedef struct {
    pq_ctx *ctx;
    uint32_t count;
    pq_model_scorer members[PIQUE_MOST_MODELS];
    uint32_t *numbers; /* [item_rows] the item itself where every member knows it, else 0 */
} pq_ensemble;

/* 1 to PIQUE_MOST_MODELS models, which outlive the ensemble, as the data set does. Also after a failure pq_ensemble_free
 * takes what there is. */
pique_status pq_ensemble_init(pq_ensemble *ensemble, pq_ctx *ctx, const pique_model *const *models,
                              uint32_t count, const pique_dataset *dataset);
void pq_ensemble_free(pq_ensemble *ensemble);
pq_scorer pq_ensemble_get(const pq_ensemble *ensemble);

#endif
