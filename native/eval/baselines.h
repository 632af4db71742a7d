/* baselines.h — what a model must beat: popularity, and item-kNN with cosine similarity over the newest
 * items of the history, both from training events alone. */
#ifndef PQ_BASELINES_H
#define PQ_BASELINES_H

#include "native/eval/ranking.h"

/* score(i) = training events of i. */
pq_scorer pq_popularity_scorer(const pique_dataset *dataset);

/* score(i) = sum over the newest PQ_KNN_HISTORY items j of the history of cos(i, j),
 * cos = users of both / sqrt(users of i * users of j). */
#define PQ_KNN_HISTORY 20

typedef struct {
    pq_ctx *ctx;
    const pique_dataset *dataset;
    uint64_t *user_starts; /* [user_count + 1] into items */
    uint32_t *items;       /* the distinct training items of each user */
    uint64_t *starts;      /* [item_rows + 1] into users */
    uint32_t *users;       /* who has the item in training */
    float *weights;        /* [item_rows] 1 / sqrt(users of the item) */
} pq_knn;

pique_status pq_knn_init(pq_knn *knn, pq_ctx *ctx, const pique_dataset *dataset);
void pq_knn_free(pq_knn *knn);
pq_scorer pq_knn_scorer(const pq_knn *knn);

#endif
