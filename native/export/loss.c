#include "native/export/loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CUTOFF 1000000

static const struct {
    const char *name;
    bool ranking;
} kinds[] = {{"recall@", false}, {"ndcg@", false}, {"mrr@", false}, {"auc", true}, {"gauc", true}};

pique_status pq_metric_parse(pq_ctx *ctx, const char *text, const pique_model *model,
                             pq_export_metric *out) {
    const bool ranking = strcmp(pique_model_task(model), "ranking") == 0;
    text = text ? text : ranking ? "auc" : "ndcg@10";
    for (size_t k = 0; k < PQ_COUNT(kinds); k++) {
        const size_t length = strlen(kinds[k].name);
        unsigned long cutoff = 0;
        if (kinds[k].ranking != ranking || strncmp(text, kinds[k].name, length) != 0) {
            continue;
        }
        const char *number = text + length;
        char *end = NULL;
        if (!ranking && *number >= '1' && *number <= '9') {
            cutoff = strtoul(number, &end, 10);
        }
        bool whole = ranking ? !*number : end && !*end && cutoff <= MOST_CUTOFF;
        if (whole) {
            *out = (pq_export_metric){.kind = (pq_export_metric_kind)k, .cutoff = (uint32_t)cutoff};
            snprintf(out->name, sizeof(out->name), "%s", text);
            return PIQUE_OK;
        }
    }
    PQ_FAIL(ctx, PIQUE_ARGUMENT, "metric \"%.40s\": a model that %s", text,
            ranking ? "ranks has auc and gauc" : "retrieves has ndcg@K, recall@K and mrr@K");
}

pique_status pq_metric_measure(pq_ctx *ctx, const pq_export_metric *metric,
                               const pique_model *model, const pique_dataset *dataset,
                               uint32_t threads, const pique_listener *listener, double *out) {
    pique_eval_options options;
    pique_eval_result result;
    pique_eval_options_default(&options);
    options.split = "valid";
    options.baselines = false;
    options.threads = threads;
    options.listener = listener;
    options.cutoff_count = metric->cutoff ? 1 : 0;
    options.cutoffs[0] = metric->cutoff;
    PQ_TRY(pique_evaluate(ctx, model, dataset, &options, &result));
    const double figures[] = {result.model.recall[0], result.model.ndcg[0], result.model.mrr_at[0],
                              result.labels.auc, result.labels.gauc};
    *out = figures[metric->kind];
    return PIQUE_OK;
}
