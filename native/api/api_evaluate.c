/* api_evaluate.c — pique_evaluate: a model beside the baselines on one split. */
#include <string.h>

#include "base/context.h"
#include "base/json.h"
#include "native/eval/cold.h"
#include "native/eval/label_metrics.h"
#include "native/eval/lists.h"
#include "native/eval/metrics.h"
#include "native/eval/model_scorer.h"
#include "native/eval/team.h"

void pique_eval_options_default(pique_eval_options *options) {
    *options = (pique_eval_options){
        .split = "test", .cutoffs = {5, 10, 20, 50}, .cutoff_count = 4, .baselines = true};
}

/* What the model and the baselines have in common. */
typedef struct {
    pq_ctx *ctx;
    const pique_eval_options *options;
    pq_ranking ranking;
    pq_knn knn; /* a baseline, and who has which item for the lists */
} evaluation;

static pique_status measure_lists(const evaluation *e, const pq_scorer *scorer, uint32_t *ranks,
                                  pique_metrics *out) {
    pq_lists lists;
    pique_status status = pq_lists_init(&lists, e->ctx, &e->knn, scorer, e->options);
    if (status == PIQUE_OK) {
        status = pq_rank_targets(e->ctx, &e->ranking, scorer, ranks, &lists);
    }
    if (status == PIQUE_OK) {
        pq_rank_metrics(&e->ranking, e->options, ranks, out);
        pq_lists_metrics(&lists, out);
    }
    pq_lists_free(&lists);
    return status;
}

static pique_status measure_ranks(const evaluation *e, const pq_scorer *scorer, uint32_t *ranks,
                                  pique_metrics *out) {
    PQ_TRY(pq_rank_targets(e->ctx, &e->ranking, scorer, ranks, NULL));
    pq_rank_metrics(&e->ranking, e->options, ranks, out);
    return PIQUE_OK;
}

static pique_status measure(const evaluation *e, const pq_scorer *scorer, pique_metrics *out) {
    double began = pq_seconds();
    uint32_t *ranks = pq_alloc(e->ctx, e->ranking.dataset->user_count, sizeof(*ranks));
    if (!ranks) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = e->options->lists ? measure_lists(e, scorer, ranks, out)
                                            : measure_ranks(e, scorer, ranks, out);
    out->seconds = pq_seconds() - began;
    pq_free(e->ctx, ranks);
    return status;
}

static pique_status measure_model(const evaluation *e, const pique_model *model,
                                  pique_metrics *out) {
    pq_model_scorer by_model;
    pique_status status = pq_model_scorer_init(&by_model, e->ctx, model, e->ranking.dataset);
    if (status == PIQUE_OK) {
        pq_scorer scorer = pq_model_scorer_get(&by_model);
        status = measure(e, &scorer, out);
    }
    pq_model_scorer_free(&by_model);
    return status;
}

static pique_status measure_all(const evaluation *e, const pique_model *model,
                                pique_eval_result *result) {
    PQ_TRY(measure_model(e, model, &result->model));
    if (e->options->baselines) {
        pq_scorer popularity = pq_popularity_scorer(e->ranking.dataset);
        pq_scorer knn = pq_knn_scorer(&e->knn);
        PQ_TRY(measure(e, &popularity, &result->popularity));
        if (!e->ranking.forgets) { /* it is made of histories */
            PQ_TRY(measure(e, &knn, &result->item_knn));
        }
    }
    return PIQUE_OK;
}

static bool is(const pique_eval_options *options, const char *split) {
    return strcmp(options->split, split) == 0;
}

static pique_status check(pq_ctx *ctx, const pique_eval_options *options, pq_split *split) {
    if (is(options, "valid")) {
        *split = PQ_SPLIT_VALID;
    } else if (is(options, "test") || is(options, "cold-items") || is(options, "cold-users")) {
        *split = PQ_SPLIT_TEST;
    } else {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "split \"%.40s\" is none of \"valid\", \"test\", \"cold-items\", \"cold-users\"",
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

/* ---- models that rank ---- */

static pique_status judge(const evaluation *e, const pique_model *model, pq_judged *pairs,
                          size_t count, pique_label_metrics *out) {
    double began = pq_seconds();
    const pique_dataset *d = e->ranking.dataset;
    if (model) {
        PQ_TRY(pq_judge_by_model(e->ctx, model, d, e->ranking.split, e->options, pairs));
    } else {
        PQ_TRY(pq_judge_by_popularity(e->ctx, d, e->ranking.split, pairs));
    }
    pq_label_metrics(pairs, count, out);
    out->seconds = pq_seconds() - began;
    return PIQUE_OK;
}

static pique_status judge_all(const evaluation *e, const pique_model *model,
                              pique_eval_result *result) {
    const pique_dataset *d = e->ranking.dataset;
    if (!d->labelled) {
        PQ_FAIL(e->ctx, PIQUE_ARGUMENT, "a model that ranks needs a data set opened with labels");
    }
    result->ranking = true;
    result->users = d->user_count;
    result->pairs = pq_label_pairs(d, e->ranking.split);
    if (result->pairs == 0) {
        PQ_FAIL(e->ctx, PIQUE_DATA, "no labelled pair is in the %s split", e->options->split);
    }
    pq_judged *pairs = pq_alloc(e->ctx, (size_t)result->pairs, sizeof(*pairs));
    pique_status status = pairs ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = judge(e, model, pairs, (size_t)result->pairs, &result->labels);
    }
    if (status == PIQUE_OK && e->options->baselines) {
        status = judge(e, NULL, pairs, (size_t)result->pairs, &result->label_popularity);
    }
    pq_free(e->ctx, pairs);
    return status;
}

static pique_status retrieve_all(evaluation *e, const pique_model *model,
                                 pique_eval_result *result) {
    if (e->ranking.dataset->labelled) {
        PQ_FAIL(e->ctx, PIQUE_ARGUMENT,
                "a model that retrieves is not evaluated on a data set opened with labels");
    }
    result->users = pq_rank_users(&e->ranking);
    if (result->users == 0) {
        PQ_FAIL(e->ctx, PIQUE_DATA, "no user has a %s target: that takes three events",
                e->options->split);
    }
    pq_rank_buckets(&e->ranking, result->bucket_users, result->bucket_items);
    pique_status status = PIQUE_OK;
    if (e->options->baselines || e->options->lists) {
        status = pq_knn_init(&e->knn, e->ctx, e->ranking.dataset);
    }
    if (status == PIQUE_OK) {
        status = measure_all(e, model, result);
    }
    pq_knn_free(&e->knn);
    return status;
}

/* ---- items that were held out ---- */

/* Whether the file says that these items were held out of its training, or that it saw no interactions. */
static pique_status check_held(pq_ctx *ctx, const pique_model *model, const pique_dataset *d) {
    const char *info = pique_model_info(model);
    char *held = pq_dataset_held_text(d), *data = NULL;
    pq_json json;
    if (!held) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = pq_json_parse(ctx, info, strlen(info), "description of the model", &json);
    if (status == PIQUE_OK) {
        int at = pq_json_find(&json, PQ_JSON_ROOT, "data");
        data = at >= 0 ? pq_json_string(&json, at, NULL) : NULL;
        if (!data || (!strstr(data, held) && strncmp(data, "content:", 8) != 0)) {
            status = pq_fail(
                ctx, PIQUE_ARGUMENT,
                "the model does not come from data with%.80s, so it may have seen them", held);
        }
        pq_json_free(&json);
    }
    pq_free(ctx, held);
    pq_free(ctx, data);
    return status;
}

static pique_status find_cold_items(const evaluation *e, const pique_model *model,
                                    pique_eval_result *result) {
    pq_model_scorer by_model;
    if (!pique_model_retrieves(model)) {
        PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED,
                "the model ranks candidates that it is given; it finds no items");
    }
    PQ_TRY(check_held(e->ctx, model, e->ranking.dataset));
    pique_status status = pq_model_scorer_init(&by_model, e->ctx, model, e->ranking.dataset);
    if (status == PIQUE_OK) {
        pq_scorer scorer = pq_model_scorer_get(&by_model);
        result->of_cold_items = true;
        status = pq_cold_items(e->ctx, &e->ranking, &scorer, e->options, &result->cold);
        result->users = result->cold.users;
    }
    pq_model_scorer_free(&by_model);
    return status;
}

pique_status pique_evaluate(pique_context *ctx, const pique_model *model,
                            const pique_dataset *dataset, const pique_eval_options *options,
                            pique_eval_result *result) {
    evaluation e = {.ctx = ctx,
                    .options = options,
                    .ranking = {.dataset = dataset,
                                .threads = options->threads,
                                .with_seen = options->with_seen,
                                .sampled = options->sampled,
                                .listener = options->listener}};
    memset(result, 0, sizeof(*result));
    PQ_TRY(check(ctx, options, &e.ranking.split));
    bool ranks = strcmp(pique_model_task(model), "ranking") == 0;
    e.ranking.forgets = is(options, "cold-users");
    pique_status status = is(options, "cold-items") ? find_cold_items(&e, model, result)
                          : ranks                   ? judge_all(&e, model, result)
                                                    : retrieve_all(&e, model, result);
    result->peak_bytes = pq_peak_bytes();
    return status;
}
