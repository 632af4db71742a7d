#include "native/export/loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native/eval/model_scorer.h"

#define MOST_CUTOFF 1000000
#define MOST_USERS 20000 /* looked at, evenly out of all */

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

static void add_interests(const pique_interests *interests, uint32_t d, double *moment) {
    for (uint32_t k = 0; k < interests->live; k++) {
        const float *q = interests->vectors + (size_t)k * d;
        for (uint32_t i = 0; i < d; i++) {
            for (uint32_t j = 0; j < d; j++) {
                moment[(size_t)i * d + j] += (double)q[i] * q[j];
            }
        }
    }
}

static pique_status ask_users(pq_ctx *ctx, const pq_model_scorer *scorer, uint32_t d,
                              double *moment, uint64_t *count) {
    const pique_dataset *dataset = scorer->dataset;
    const uint32_t users = PQ_MIN(dataset->user_count, (uint32_t)MOST_USERS);
    pq_model_user *own = NULL;
    pique_status status = pq_model_user_open(ctx, scorer, &own);
    for (uint32_t i = 0; i < users && status == PIQUE_OK; i++) {
        const uint32_t user = (uint32_t)((uint64_t)i * dataset->user_count / users);
        pq_view view;
        pique_interests interests;
        if (!pq_dataset_view(dataset, user, PQ_SPLIT_VALID, &view)) {
            continue;
        }
        status = pq_model_user_query(ctx, scorer, own, user, &view);
        if (status == PIQUE_OK) {
            status = pique_session_interests(own->session, &own->query, &interests);
        }
        if (status == PIQUE_OK) {
            add_interests(&interests, d, moment);
            *count += interests.live;
        }
    }
    pq_model_user_close(ctx, own);
    return status;
}

pique_status pq_interest_moment(pq_ctx *ctx, const pique_model *model, const pique_dataset *dataset,
                                double *moment) {
    const uint32_t d = pique_model_width(model);
    uint64_t count = 0;
    pique_context *scalar; /* the kernels that give the same bits everywhere */
    memset(moment, 0, (size_t)d * d * sizeof(*moment));
    PQ_TRY(pique_context_create(&ctx->allocator, &scalar));
    pq_model_scorer scorer = {0};
    pique_status status = pique_context_set_isa(scalar, "scalar");
    if (status == PIQUE_OK) {
        status = pq_model_scorer_init(&scorer, scalar, model, dataset);
    }
    if (status == PIQUE_OK) {
        status = ask_users(scalar, &scorer, d, moment, &count);
    }
    pq_model_scorer_free(&scorer);
    if (status != PIQUE_OK) {
        status = pq_fail(ctx, status, "%s", pique_error(scalar));
    }
    pique_context_free(scalar);
    for (size_t i = 0; count && i < (size_t)d * d; i++) {
        moment[i] /= (double)count;
    }
    return status;
}
