/* loss.h — what a smaller file loses, by asking the model about the users of a data set. */
#ifndef PQ_EXPORT_LOSS_H
#define PQ_EXPORT_LOSS_H

#include "base/context.h"
#include "pique_train.h"

typedef enum {
    PQ_METRIC_RECALL,
    PQ_METRIC_NDCG,
    PQ_METRIC_MRR,
    PQ_METRIC_AUC,
    PQ_METRIC_GAUC
} pq_export_metric_kind;

typedef struct {
    char name[24]; /* "ndcg@10", "auc" */
    pq_export_metric_kind kind;
    uint32_t cutoff;
} pq_export_metric;

/* NULL: ndcg@10, or auc of a model that ranks. PIQUE_ARGUMENT where the metric does not exist or is none of the
 * model's task. */
pique_status pq_metric_parse(pq_ctx *ctx, const char *text, const pique_model *model,
                             pq_export_metric *out);
/* On the validation split. */
pique_status pq_metric_measure(pq_ctx *ctx, const pq_export_metric *metric,
                               const pique_model *model, const pique_dataset *dataset,
                               uint32_t threads, const pique_listener *listener, double *out);

#endif
