#include "native/export/loss.h"

#include <stdio.h>
#include <string.h>

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
        unsigned cutoff = 0;
        int end = 0;
        if (kinds[k].ranking != ranking || strncmp(text, kinds[k].name, length) != 0) {
            continue;
        }
        bool whole = ranking ? text[length] == 0
                             : text[length] >= '1' && text[length] <= '9' &&
                                   sscanf(text + length, "%6u%n", &cutoff, &end) == 1 &&
                                   text[length + (size_t)end] == 0;
        if (whole) {
            *out = (pq_export_metric){.kind = (pq_export_metric_kind)k, .cutoff = cutoff};
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
