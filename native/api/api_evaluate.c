/* api_evaluate.c — pique_evaluate: a model beside the baselines on one split. */
#include <string.h>

#include "base/context.h"
#include "base/json.h"
#include "base/number.h"
#include "native/eval/cold.h"
#include "native/eval/ensemble.h"
#include "native/eval/label_metrics.h"
#include "native/eval/lists.h"
#include "native/eval/metrics.h"
#include "native/eval/team.h"

void pique_eval_options_default(pique_eval_options *options) {
    *options = (pique_eval_options){
        .split = "test", .cutoffs = {5, 10, 20, 50}, .cutoff_count = 4, .baselines = true};
}

/* What the model and the baselines have in common. */
typedef struct {
    pq_ctx *ctx;
    const pique_eval_options *options;
    const pique_model *models[PIQUE_MOST_MODELS]; /* the one that is measured, and the others */
    uint32_t model_count;
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

/* What is to be done with the scorer of the model, or of the ensemble. */
typedef pique_status (*measurement)(const evaluation *e, const pq_scorer *scorer,
                                    pique_eval_result *result);

static pique_status with_models(const evaluation *e, measurement run, pique_eval_result *result) {
    pq_ensemble ensemble;
    pique_status status =
        pq_ensemble_init(&ensemble, e->ctx, e->models, e->model_count, e->ranking.dataset);
    if (status == PIQUE_OK) {
        pq_scorer scorer = pq_ensemble_get(&ensemble);
        status = run(e, &scorer, result);
    }
    pq_ensemble_free(&ensemble);
    return status;
}

static pique_status measure_model(const evaluation *e, const pq_scorer *scorer,
                                  pique_eval_result *result) {
    return measure(e, scorer, &result->model);
}

static pique_status measure_all(const evaluation *e, pique_eval_result *result) {
    PQ_TRY(with_models(e, measure_model, result));
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

/* The mean of the models' chances, as log-odds; of one model what it says. */
static pique_status judge_by_models(const evaluation *e, pq_judged *pairs, size_t count) {
    const pq_ranking *r = &e->ranking;
    double *chances = pq_alloc(e->ctx, count, sizeof(*chances));
    pique_status status = chances ? PIQUE_OK : PIQUE_NO_MEMORY;
    for (uint32_t m = 0; status == PIQUE_OK && m < e->model_count; m++) {
        status = pq_judge_by_model(e->ctx, e->models[m], r->dataset, r->split, e->options, pairs);
        for (size_t i = 0; status == PIQUE_OK && i < count; i++) {
            chances[i] += 1 / (1 + pq_exp(-(double)pairs[i].score)) / e->model_count;
        }
    }
    for (size_t i = 0; status == PIQUE_OK && e->model_count > 1 && i < count; i++) {
        pairs[i].score = (float)(pq_log(chances[i]) - pq_log(1 - chances[i]));
    }
    pq_free(e->ctx, chances);
    return status;
}

static pique_status judge(const evaluation *e, bool by_models, pq_judged *pairs, size_t count,
                          pique_label_metrics *out) {
    double began = pq_seconds();
    PQ_TRY(by_models ? judge_by_models(e, pairs, count)
                     : pq_judge_by_popularity(e->ctx, e->ranking.dataset, e->ranking.split, pairs));
    pq_label_metrics(pairs, count, out);
    out->seconds = pq_seconds() - began;
    return PIQUE_OK;
}

static pique_status judge_all(const evaluation *e, pique_eval_result *result) {
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
        status = judge(e, true, pairs, (size_t)result->pairs, &result->labels);
    }
    if (status == PIQUE_OK && e->options->baselines) {
        status = judge(e, false, pairs, (size_t)result->pairs, &result->label_popularity);
    }
    pq_free(e->ctx, pairs);
    return status;
}

static pique_status retrieve_all(evaluation *e, pique_eval_result *result) {
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
        status = measure_all(e, result);
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

static pique_status measure_cold_items(const evaluation *e, const pq_scorer *scorer,
                                       pique_eval_result *result) {
    result->of_cold_items = true;
    PQ_TRY(pq_cold_items(e->ctx, &e->ranking, scorer, e->options, &result->cold));
    result->users = result->cold.users;
    return PIQUE_OK;
}

static pique_status find_cold_items(const evaluation *e, pique_eval_result *result) {
    for (uint32_t m = 0; m < e->model_count; m++) {
        if (!pique_model_retrieves(e->models[m])) {
            PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED,
                    "the model ranks candidates that it is given; it finds no items");
        }
        PQ_TRY(check_held(e->ctx, e->models[m], e->ranking.dataset));
    }
    return with_models(e, measure_cold_items, result);
}

/* Takes the models together. */
static pique_status gather(evaluation *e, const pique_model *model) {
    const pique_eval_options *o = e->options;
    const char *task = pique_model_task(model);
    if (o->other_count >= PIQUE_MOST_MODELS) {
        PQ_FAIL(e->ctx, PIQUE_ARGUMENT, "at most %d models make an ensemble", PIQUE_MOST_MODELS);
    }
    if (o->other_count && is(o, "cold-users") && strcmp(task, "retrieval") == 0) {
        PQ_FAIL(e->ctx, PIQUE_ARGUMENT,
                "an ensemble of models that retrieve tells nothing of users without history");
    }
    e->models[e->model_count++] = model;
    for (uint32_t i = 0; i < o->other_count; i++) {
        const char *other = pique_model_task(o->others[i]);
        if (strcmp(other, task) != 0) {
            PQ_FAIL(e->ctx, PIQUE_ARGUMENT, "a model for %s and one for %s do not make an ensemble",
                    task, other);
        }
        e->models[e->model_count++] = o->others[i];
    }
    return PIQUE_OK;
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
    PQ_TRY(gather(&e, model));
    bool ranks = strcmp(pique_model_task(model), "ranking") == 0;
    e.ranking.forgets = is(options, "cold-users");
    pique_status status = is(options, "cold-items") ? find_cold_items(&e, result)
                          : ranks                   ? judge_all(&e, result)
                                                    : retrieve_all(&e, result);
    result->peak_bytes = pq_peak_bytes();
    return status;
}
