/* label_metrics.h — how well log-odds tell labelled pairs apart. The figures depend neither on the order of
 * the pairs of a user nor on threads. */
#ifndef PQ_LABEL_METRICS_H
#define PQ_LABEL_METRICS_H

#include "native/data/dataset.h"

/* A pair with what a scorer says of it. */
typedef struct {
    uint32_t user;
    float score; /* log-odds of label 1 */
    uint8_t label;
} pq_judged;

/* AUC by ranks, equal scores counting half; NaN when all labels are the same. GAUC likewise within each user,
 * weighted by pairs; top1 by the best pair of each user; NaN when no user has both labels. Log loss and ECE take the probability 1 / (1 +
 * e^-score); accuracy counts a score above 0 as label 1. Reorders the pairs. */
void pq_label_metrics(pq_judged *pairs, size_t count, pique_label_metrics *out);

/* Scores the pairs of the split by the model, by `threads` threads. */
pique_status pq_judge_by_model(pq_ctx *ctx, const pique_model *model, const pique_dataset *dataset,
                               pq_split split, const pique_eval_options *options, pq_judged *pairs);
/* The baseline: each item's log-odds of label 1 among the training pairs, with one pair of the mean added. */
pique_status pq_judge_by_popularity(pq_ctx *ctx, const pique_dataset *dataset, pq_split split,
                                    pq_judged *pairs);
/* Pairs of the split. */
uint64_t pq_label_pairs(const pique_dataset *dataset, pq_split split);

#endif
