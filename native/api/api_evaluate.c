/* api_evaluate.c — pique_evaluate: a model beside the baselines on one split. */
#include <string.h>

#include "base/context.h"
#include "native/eval/baselines.h"
#include "native/eval/model_scorer.h"
#include "native/eval/team.h"

void pique_eval_options_default(pique_eval_options *options) {
    *options = (pique_eval_options){
        .split = "test", .cutoffs = {5, 10, 20, 50}, .cutoff_count = 4, .baselines = true};
}

static pique_status measure(pq_ctx *ctx, const pq_ranking *ranking,
                            const pique_eval_options *options, const pq_scorer *scorer,
                            pique_metrics *out) {
    double began = pq_seconds();
    uint32_t *ranks = pq_alloc(ctx, ranking->dataset->user_count, sizeof(*ranks));
    if (!ranks) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = pq_rank_targets(ctx, ranking, scorer, ranks);
    if (status == PIQUE_OK) {
        pq_rank_metrics(ranking, options, ranks, out);
        out->seconds = pq_seconds() - began;
    }
    pq_free(ctx, ranks);
    return status;
}

static pique_status measure_knn(pq_ctx *ctx, const pq_ranking *ranking,
                                const pique_eval_options *options, pique_metrics *out) {
    pq_knn knn;
    pique_status status = pq_knn_init(&knn, ctx, ranking->dataset);
    if (status == PIQUE_OK) {
        pq_scorer scorer = pq_knn_scorer(&knn);
        status = measure(ctx, ranking, options, &scorer, out);
    }
    pq_knn_free(&knn);
    return status;
}

static pique_status check(pq_ctx *ctx, const pique_eval_options *options, pq_split *split) {
    if (strcmp(options->split, "valid") == 0) {
        *split = PQ_SPLIT_VALID;
    } else if (strcmp(options->split, "test") == 0) {
        *split = PQ_SPLIT_TEST;
    } else {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "split \"%.40s\" is neither \"valid\" nor \"test\"",
                options->split);
    }
    if (options->cutoff_count > PIQUE_MAX_CUTOFFS) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "more than %d cut-offs", PIQUE_MAX_CUTOFFS);
    }
    for (uint32_t k = 0; k < options->cutoff_count; k++) {
        if (options->cutoffs[k] == 0) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "a cut-off is 0");
        }
    }
    return PIQUE_OK;
}

pique_status pique_evaluate(pique_context *ctx, const pique_model *model,
                            const pique_dataset *dataset, const pique_eval_options *options,
                            pique_eval_result *result) {
    pq_ranking ranking = {
        .dataset = dataset, .threads = options->threads, .listener = options->listener};
    pq_model_scorer by_model;
    memset(result, 0, sizeof(*result));
    PQ_TRY(check(ctx, options, &ranking.split));
    result->users = pq_rank_users(&ranking);
    if (result->users == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "no user has a %s target: that takes three events",
                options->split);
    }
    pique_status status = pq_model_scorer_init(&by_model, ctx, model, dataset);
    if (status == PIQUE_OK) {
        pq_scorer scorer = pq_model_scorer_get(&by_model);
        status = measure(ctx, &ranking, options, &scorer, &result->model);
    }
    pq_model_scorer_free(&by_model);
    if (status == PIQUE_OK && options->baselines) {
        pq_scorer scorer = pq_popularity_scorer(dataset);
        status = measure(ctx, &ranking, options, &scorer, &result->popularity);
        if (status == PIQUE_OK) {
            status = measure_knn(ctx, &ranking, options, &result->item_knn);
        }
    }
    return status;
}
