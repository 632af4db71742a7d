#include "native/train/trainer.h"

#include <stdio.h>
#include <string.h>

#include "native/data/fileio.h"
#include "native/eval/label_metrics.h"
#include "native/eval/moment.h"
#include "native/eval/ranking.h"
#include "native/eval/team.h"
#include "native/train/bake.h"
#include "native/train/checkpoint.h"
#include "native/train/item_start.h"
#include "native/train/model_side.h"
#include "native/train/rounding.h"
#include "native/train/settings.h"
#include "native/train/shards.h"

#define LONGEST_COLUMN 32
#define CHECKPOINT "last.ckpt"

typedef struct {
    pq_ctx *ctx;
    const pique_dataset *dataset;
    const pique_train_options *asked;
    const pique_listener *listener;
    pq_train_options options;
    pq_model model;
    pq_column item_columns[PQ_MAX_FIELDS], profile_columns[PQ_MAX_FIELDS];
    pq_optimiser optimiser;
    pq_sampler sampler;
    pq_shards shards;
    pq_rounding rounding;
    pq_teachers teachers;
    pq_model_side side;
    pq_train_state state;
    pq_journal journal;
    pq_text config; /* config.json */
    char *model_path, *checkpoint_path, *config_path, *journal_path;
    uint32_t threads;
    uint64_t steps_per_epoch;
    /* The stage of the epoch being trained: epochs before it, and of it. */
    uint32_t earlier, epochs;
    double began; /* of this process, minus the seconds of earlier ones */
    double last_checkpoint;
} trainer;

/* ---- making ready ---- */

/* A column's name becomes part of tensor names, which files hold without escapes. */
static pique_status check_name(pq_ctx *ctx, const char *name) {
    size_t size = strlen(name);
    bool plain = size >= 1 && size <= LONGEST_COLUMN && strcmp(name, "id") != 0;
    for (size_t i = 0; plain && i < size; i++) {
        plain = (unsigned char)name[i] >= ' ' && name[i] != '"' && name[i] != '\\';
    }
    if (!plain) {
        PQ_FAIL(ctx, PIQUE_DATA,
                "a feature column cannot be called \"%.80s\": at most %d bytes, no quotes, no "
                "backslashes, and not \"id\"",
                name, LONGEST_COLUMN);
    }
    return PIQUE_OK;
}

static pique_status columns(pq_ctx *ctx, const pq_feature *features, uint32_t count,
                            pq_column *out) {
    if (count > PQ_MAX_FIELDS) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "the data have %u feature columns, at most %u are taken",
                (unsigned)count, (unsigned)PQ_MAX_FIELDS);
    }
    for (uint32_t f = 0; f < count; f++) {
        PQ_TRY(check_name(ctx, features[f].name));
        out[f] = (pq_column){features[f].name,   features[f].rows,     features[f].offsets,
                             features[f].values, features[f].quantile, features[f].width > 0};
    }
    return PIQUE_OK;
}

/* Whether the data are of the kind that the model learns from, and leave something to validate on. */
static pique_status check_data(const trainer *t) {
    const pique_dataset *d = t->dataset;
    const pq_ranking validation = {.dataset = d, .split = PQ_SPLIT_VALID};
    bool ranks = t->model.def->task == PQ_TASK_RANKING;
    if (ranks != (d->labelled != NULL)) {
        PQ_FAIL(t->ctx, PIQUE_ARGUMENT, "%s %s, which takes a data set opened %s labels",
                t->model.def->name, ranks ? "ranks" : "retrieves", ranks ? "with" : "without");
    }
    if (ranks ? pq_label_pairs(d, PQ_SPLIT_VALID) == 0 : pq_rank_users(&validation) == 0) {
        PQ_FAIL(t->ctx, PIQUE_DATA,
                "no user has three events: one to learn from, one to validate and one to test on");
    }
    return PIQUE_OK;
}

/* Of a label without a history the profile is all there is. */
static pique_status check_profile(const trainer *t) {
    const pq_model *m = &t->model;
    const bool retrieves = m->def->task == PQ_TASK_RETRIEVAL;
    if (t->options.history_dropout > 0 && !(retrieves && m->profile.column_count > 0)) {
        PQ_FAIL(t->ctx, PIQUE_ARGUMENT,
                "history_dropout is for models that retrieve and take a profile, %s",
                retrieves && t->dataset->profile_count == 0 ? "and the data have none"
                                                            : "which this one does not");
    }
    return PIQUE_OK;
}

static void tell_size(const trainer *t) {
    unsigned long count = 0;
    char line[80];
    for (uint32_t i = 0; i < t->model.params.count; i++) {
        const pq_param *param = t->model.params.list[i];
        count += param->frozen || param->statistic ? 0 : (unsigned long)param->rows * param->cols;
    }
    if (t->listener && t->listener->log) {
        snprintf(line, sizeof(line), "%.32s: %lu parameters to train", t->model.def->name, count);
        t->listener->log(t->listener->user, line);
    }
}

/* Tables of ids become zeros that stay. */
static void leave_out_ids(const pq_items *items) {
    pq_param *tables[] = {items->ids, items->weights[0]};
    for (size_t i = 0; i < PQ_COUNT(tables); i++) {
        if (tables[i]) {
            tables[i]->init = (pq_init){.kind = PQ_INIT_ZERO};
            tables[i]->frozen = true;
        }
    }
    if (items->history) {
        leave_out_ids(items->history);
    }
}

/* The weights of another run: its folder or its checkpoint. */
static pique_status start_from(trainer *t, const char *init) {
    char *inside = pq_path_join(t->ctx, init, CHECKPOINT);
    if (!inside) {
        return PIQUE_NO_MEMORY;
    }
    const char *path = pq_file_exists(inside) ? inside : init;
    pique_status status = pq_checkpoint_weights(t->ctx, path, &t->model.params);
    pq_free(t->ctx, inside);
    return status;
}

static pique_status open_model(trainer *t) {
    const pique_dataset *d = t->dataset;
    pq_model *m = &t->model;
    PQ_TRY(pq_settings_read(t->ctx, t->asked, m, &t->options));
    PQ_TRY(check_data(t));
    PQ_TRY(columns(t->ctx, d->item_features, d->item_feature_count, t->item_columns));
    PQ_TRY(columns(t->ctx, d->profile, d->profile_count, t->profile_columns));
    m->items.rows = d->item_rows;
    m->items.cold = pq_item_cold(d);
    m->items.columns = t->item_columns;
    m->items.column_count = d->item_feature_count;
    m->profile.columns = t->profile_columns;
    m->profile.column_count = d->profile_count;
    if (m->def->side) {
        PQ_TRY(pq_model_side_open(&t->side, t->ctx, m->def, d, t->asked->side, t->listener));
        m->items.side = t->side.rows;
    }
    PQ_TRY(pq_model_declare(m));
    PQ_TRY(check_profile(t));
    if (!t->options.item_ids) {
        leave_out_ids(&m->items);
    }
    PQ_TRY(pq_rounding_declare(&t->rounding, m, (pq_round_kind)t->options.quantise));
    PQ_TRY(pq_rounding_open(&t->rounding, t->threads));
    pq_params_draw(&m->params, t->asked->seed);
    if (t->asked->init && !t->asked->resume) {
        PQ_TRY(start_from(t, t->asked->init));
    }
    pq_item_start_cold(m);
    if (t->asked->init_items && !t->asked->resume) {
        PQ_TRY(pq_item_start(m, d, t->asked->init_items, &t->options, t->listener));
    }
    pq_item_freeze(m, &t->options);
    tell_size(t);
    PQ_TRY(pq_optimiser_init(&t->optimiser, t->ctx, &m->params));
    t->optimiser.threads = t->threads;
    pq_optimiser_limit_rows(&t->optimiser, t->options.max_norm);
    PQ_TRY(pq_sampler_init(&t->sampler, t->ctx, d, &t->options, t->asked->seed));
    t->sampler.history_negatives = m->def->history_negatives;
    t->sampler.positives = m->def->positives;
    if (pq_sampler_epoch_size(&t->sampler) == 0) {
        PQ_FAIL(t->ctx, PIQUE_DATA, "no pair of label 1 is there to learn from");
    }
    PQ_TRY(pq_shards_init(&t->shards, t->ctx, m, &t->sampler, t->threads));
    if (t->asked->teacher) {
        PQ_TRY(pq_teachers_open(&t->teachers, t->ctx, d, m->def->task, t->asked->teacher));
        PQ_TRY(pq_shards_teach(&t->shards, &t->teachers, &t->sampler));
    }
    uint64_t batch = (uint64_t)t->options.batch;
    t->steps_per_epoch = (pq_sampler_epoch_size(&t->sampler) + batch - 1) / batch;
    return PIQUE_OK;
}

static pique_status save_checkpoint(trainer *t) {
    t->state.log_bytes = t->journal.length;
    t->state.seconds = pq_seconds() - t->began;
    PQ_TRY(pq_journal_sync(&t->journal));
    PQ_TRY(
        pq_checkpoint_write(t->ctx, t->checkpoint_path, t->config.data, &t->optimiser, &t->state));
    t->last_checkpoint = pq_seconds();
    return PIQUE_OK;
}

static pique_status open_run(trainer *t) {
    const char *out = t->asked->out;
    t->model_path = pq_path_join(t->ctx, out, "model.pique");
    t->checkpoint_path = pq_path_join(t->ctx, out, CHECKPOINT);
    t->config_path = pq_path_join(t->ctx, out, "config.json");
    t->journal_path = pq_path_join(t->ctx, out, "metrics.jsonl");
    if (!t->model_path || !t->checkpoint_path || !t->config_path || !t->journal_path) {
        return PIQUE_NO_MEMORY;
    }
    const char *data = t->dataset->provenance ? t->dataset->provenance : "";
    const pq_file_sums sums = {.teacher = t->teachers.sums, .side = t->side.sum};
    PQ_TRY(pq_settings_write(t->asked, &t->model, &t->options, data, &sums, &t->config));
    t->state = (pq_train_state){.epoch = 1, .best_metric = -1};
    if (t->asked->resume) {
        if (!pq_file_exists(t->checkpoint_path)) {
            PQ_FAIL(t->ctx, PIQUE_IO, "%s: nothing to resume, there is no such file",
                    t->checkpoint_path);
        }
        PQ_TRY(pq_checkpoint_read(t->ctx, t->checkpoint_path, t->config.data, &t->optimiser,
                                  &t->state));
        t->began -= t->state.seconds;
        return pq_journal_open(&t->journal, t->ctx, t->journal_path, t->state.log_bytes);
    }
    PQ_TRY(pq_folder_make(t->ctx, out));
    /* What an earlier run left must not be taken for this one's. */
    remove(t->checkpoint_path);
    remove(t->model_path);
    PQ_TRY(pq_file_write(t->ctx, t->config_path, t->config.data, t->config.size, false));
    PQ_TRY(pq_journal_open(&t->journal, t->ctx, t->journal_path, 0));
    return save_checkpoint(t);
}

/* ---- stages ---- */

static uint32_t last_epoch(const trainer *t) {
    return (uint32_t)t->options.pretrain + (uint32_t)t->options.epochs;
}

/* The epoch tells the stage, so that a resumed run finds itself in the right one. Each stage begins with an optimiser
 * that has seen nothing. */
static void enter_stage(trainer *t) {
    uint32_t pretrain = (uint32_t)t->options.pretrain;
    bool first = t->state.epoch <= pretrain;
    t->model.pretraining = t->optimiser.pretraining = first;
    t->earlier = first ? 0 : pretrain;
    t->epochs = first ? pretrain : (uint32_t)t->options.epochs;
    t->optimiser.since = t->earlier * t->steps_per_epoch;
    if (t->optimiser.step == t->optimiser.since) {
        pq_optimiser_forget(&t->optimiser);
    }
}

/* ---- evaluation ---- */

/* Larger is better. */
static double chosen(const trainer *t, const pique_eval_result *result) {
    const pique_metrics *metrics = &result->model;
    switch ((pq_metric)t->options.metric) {
    case PQ_METRIC_RECALL:
        return metrics->recall[0];
    case PQ_METRIC_NDCG:
        return metrics->ndcg[0];
    case PQ_METRIC_MRR:
        return metrics->mrr;
    case PQ_METRIC_AUC:
        return result->labels.auc;
    case PQ_METRIC_GAUC:
        return result->labels.gauc;
    case PQ_METRIC_TOP1:
        return result->labels.top1;
    case PQ_METRIC_LOGLOSS:
        return 1 / (1 + result->labels.logloss); /* best_metric begins at -1 */
    }
    return 0;
}

static bool rounds(const trainer *t) {
    return t->rounding.kind != PQ_ROUND_NONE && t->state.epoch >= pq_train_rounds_from(&t->options);
}

/* The model as it stands, as its file would be read. */
static pique_status open_as_served(trainer *t, const pq_rounding *rounding, pique_model **out) {
    const pq_bake_options bake = {.metrics = "{}", .card = "", .rounding = rounding};
    void *bytes;
    size_t size;
    PQ_TRY(pq_bake(&t->model, t->dataset, &bake, &bytes, &size));
    return pique_model_open(t->ctx, bytes, size, out);
}

/* Through the same code that will serve it. */
static pique_status measure(trainer *t, pique_eval_result *out) {
    pique_model *model;
    pique_eval_options options;
    PQ_TRY(open_as_served(t, rounds(t) ? &t->rounding : NULL, &model));
    pique_eval_options_default(&options);
    options.split = "valid";
    options.cutoffs[0] = (uint32_t)t->options.cutoff;
    options.cutoff_count = 1;
    options.threads = t->threads;
    options.baselines = false;
    pique_status status = pique_evaluate(t->ctx, model, t->dataset, &options, out);
    pique_model_free(model);
    return status;
}

/* What the evaluations during training look at. */
static const char *split_name(const trainer *t) {
    return t->dataset->test_validates ? "test" : "valid";
}

/* With so many digits after the point. */
static void add_fixed(pq_text *out, double value, int digits) {
    char number[340]; /* the largest double has 309 digits before the point */
    snprintf(number, sizeof(number), "%.*f", digits, value);
    pq_text_add(out, "%s", number);
}

typedef struct {
    const char *name;
    bool cut;
    double value;
} figure;

/* The figures of an evaluation as members of a JSON object, or for people. */
static void metric_list(const trainer *t, const pique_eval_result *r, bool json, pq_text *out) {
    const figure of_lists[] = {{"recall", true, r->model.recall[0]},
                               {"ndcg", true, r->model.ndcg[0]},
                               {"mrr", false, r->model.mrr}};
    const figure of_labels[] = {
        {"auc", false, r->labels.auc},           {"gauc", false, r->labels.gauc},
        {"top1", false, r->labels.top1},         {"logloss", false, r->labels.logloss},
        {"accuracy", false, r->labels.accuracy}, {"ece", false, r->labels.ece}};
    const figure *list = r->ranking ? of_labels : of_lists;
    size_t count = r->ranking ? PQ_COUNT(of_labels) : PQ_COUNT(of_lists);
    for (size_t i = 0; i < count; i++) {
        char cut[16] = "";
        if (list[i].cut) {
            snprintf(cut, sizeof(cut), "@%d", (int)t->options.cutoff);
        }
        pq_text_add(out, json ? "%s\"%s%s\":" : "%s%s%s ", i ? json ? "," : ", " : "", list[i].name,
                    cut);
        if (json) {
            pq_text_number(out, list[i].value);
        } else if (list[i].value == list[i].value) {
            add_fixed(out, list[i].value, 4);
        } else { /* GAUC of users with one pair each */
            pq_text_add(out, "-");
        }
    }
}

static void card(const trainer *t, const pique_eval_result *result, pq_text *out) {
    const pique_dataset *d = t->dataset;
    pq_text_add(out, "%s: %s.\n", t->model.def->name, t->model.def->summary);
    pq_text_add(out, "Data: %s.\n", d->provenance ? d->provenance : "not named");
    pq_text_add(out, "Seed %u, epoch %u of %u.\n", (unsigned)t->asked->seed,
                (unsigned)t->state.epoch, (unsigned)last_epoch(t));
    pq_text_add(out, t->dataset->test_validates
                         ? "Best epoch chosen on the test file, its labelled pairs: "
                     : result->ranking
                         ? "Validation, labelled pairs: "
                         : "Validation, leave-one-out by time, full ranking without the items of "
                           "the history: ");
    metric_list(t, result, false, out);
    pq_text_add(out, ".\n");
    if (rounds(t)) {
        pq_text_add(
            out, "Item vectors are %s, which training has taken into account since epoch %u.\n",
            pq_rounding_name(t->rounding.kind), (unsigned)pq_train_rounds_from(&t->options));
    }
}

static pique_status save_model(trainer *t, const pique_eval_result *metrics) {
    pq_text json, text;
    void *bytes = NULL;
    size_t size;
    pique_status status;
    pq_text_init(&json, t->ctx);
    pq_text_init(&text, t->ctx);
    pq_text_add(&json, "{\"split\":\"%s\",\"epoch\":%u,", split_name(t), (unsigned)t->state.epoch);
    metric_list(t, metrics, true, &json);
    pq_text_add(&json, "}");
    card(t, metrics, &text);
    PQ_TRY_GOTO(status, pq_text_status(&json));
    PQ_TRY_GOTO(status, pq_text_status(&text));
    const pq_bake_options bake = {
        .metrics = json.data, .card = text.data, .rounding = rounds(t) ? &t->rounding : NULL};
    PQ_TRY_GOTO(status, pq_bake(&t->model, t->dataset, &bake, &bytes, &size));
    status = pq_file_write(t->ctx, t->model_path, bytes, size, true);
done:
    pq_free(t->ctx, bytes);
    pq_text_free(&json);
    pq_text_free(&text);
    return status;
}

/* What the epoch came to, for people. */
static pique_status tell_epoch(const trainer *t, double loss, const pique_eval_result *metrics) {
    pq_text text;
    if (!t->listener || !t->listener->log) {
        return PIQUE_OK;
    }
    pq_text_init(&text, t->ctx);
    pq_text_add(&text, "epoch %u: loss ", (unsigned)t->state.epoch);
    add_fixed(&text, loss, 4);
    pq_text_add(&text, ", ");
    if (metrics) {
        pq_text_add(&text, "%s ", split_name(t));
        metric_list(t, metrics, false, &text);
    } else {
        pq_text_add(&text, "pretraining");
    }
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK) {
        t->listener->log(t->listener->user, text.data);
    }
    pq_text_free(&text);
    return status;
}

/* metrics NULL: of an epoch of pretraining. */
static pique_status journal_line(trainer *t, const pique_eval_result *metrics) {
    double loss = t->state.loss_sum / (double)t->steps_per_epoch;
    pq_text line;
    pq_text_init(&line, t->ctx);
    pq_text_add(&line, "{\"step\":%lu,\"epoch\":%u,\"loss\":", (unsigned long)t->optimiser.step,
                (unsigned)t->state.epoch);
    pq_text_number(&line, loss);
    if (t->shards.taught) { /* as it is part of the loss; the rest is that of the labels */
        pq_text_add(&line, ",\"soft_loss\":");
        pq_text_number(&line, t->state.soft_sum / (double)t->steps_per_epoch);
    }
    if (metrics) {
        pq_text_add(&line, ",\"split\":\"%s\",", split_name(t));
        metric_list(t, metrics, true, &line);
    } else {
        pq_text_add(&line, ",\"pretraining\":true");
    }
    pq_text_add(&line, ",\"seconds\":");
    add_fixed(&line, pq_seconds() - t->began, 3);
    pq_text_add(&line, ",\"train_seconds\":");
    add_fixed(&line, t->state.train_seconds, 3);
    pq_text_add(&line, "}\n");
    pique_status status = pq_text_status(&line);
    if (status == PIQUE_OK) {
        status = pq_journal_append(&t->journal, line.data, line.size);
    }
    pq_text_free(&line);
    return status == PIQUE_OK ? tell_epoch(t, loss, metrics) : status;
}

static pique_status evaluate(trainer *t) {
    pique_eval_result metrics;
    PQ_TRY(measure(t, &metrics));
    const double value = chosen(t, &metrics);
    if (value != value) { /* no epoch could ever be the best one */
        PQ_FAIL(
            t->ctx, PIQUE_DATA,
            "the metric that chooses the best epoch is not defined on the validation pairs: auc "
            "needs both labels, gauc a user with both; set another metric");
    }
    t->state.stale++;
    if (value > t->state.best_metric) {
        t->state.best_metric = value;
        t->state.best_epoch = t->state.epoch;
        t->state.stale = 0;
        PQ_TRY(save_model(t, &metrics));
    } else if (t->options.schedule == PQ_SCHEDULE_PLATEAU &&
               t->state.stale % (uint32_t)t->options.lr_every == 0) {
        t->state.drops++;
    }
    return journal_line(t, &metrics);
}

/* ---- rounding ---- */

static pique_status fit_rounding(trainer *t) {
    const size_t d = t->model.width;
    pique_model *model = NULL;
    double *moment = pq_alloc(t->ctx, d * d, sizeof(*moment));
    pique_status status = moment ? open_as_served(t, NULL, &model) : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = pq_interest_moment(t->ctx, model, t->dataset, moment);
    }
    if (status == PIQUE_OK) {
        status = pq_rounding_fit(&t->rounding, &t->model, moment);
    }
    pique_model_free(model);
    pq_free(t->ctx, moment);
    return status;
}

/* At the start of an epoch, or where a run goes on in the middle of one. */
static pique_status prepare_rounding(trainer *t) {
    if (!rounds(t) || t->model.items.rounded) {
        return PIQUE_OK;
    }
    if (t->state.epoch > pq_train_rounds_from(&t->options) || t->state.batch > 0) {
        pq_rounding_load(&t->rounding);
        return PIQUE_OK;
    }
    /* What was best without rounding says nothing about what will be best with it. */
    t->state.best_metric = -1;
    t->state.best_epoch = t->state.stale = 0;
    return t->rounding.codebook ? fit_rounding(t) : PIQUE_OK;
}

/* ---- the loop ---- */

static pique_status step(trainer *t) {
    uint64_t total = t->steps_per_epoch * t->epochs, since = t->optimiser.since;
    size_t first = (size_t)t->state.batch * (size_t)t->options.batch;
    uint32_t count = (uint32_t)PQ_MIN((size_t)t->options.batch, t->sampler.count - first);
    uint64_t number = t->optimiser.step + 1;
    double loss, began = pq_seconds();
    if (rounds(t)) {
        PQ_TRY(pq_rounding_refresh(&t->rounding, &t->model));
    }
    PQ_TRY(pq_shards_step(&t->shards, &t->sampler, first, count, number, &loss));
    const pq_train_options *o = &t->options;
    uint32_t drops = o->schedule == PQ_SCHEDULE_STEP
                         ? (t->state.epoch - t->earlier - 1) / (uint32_t)o->lr_every
                         : t->state.drops;
    pq_adam adam = pq_train_step(o, pq_learning_rate(o, number - since, total, drops));
    PQ_TRY(pq_optimiser_step(&t->optimiser, &adam, &t->shards.shard[0].grads));
    if (!(loss - loss == 0)) {
        PQ_FAIL(t->ctx, PIQUE_NUMERIC,
                "step %lu: the loss is not finite, though every gradient is; a lower learning rate "
                "may help",
                (unsigned long)number);
    }
    t->state.train_seconds += pq_seconds() - began;
    t->state.loss_sum += loss;
    t->state.soft_sum += t->shards.soft_loss;
    t->state.batch++;
    if (t->listener && t->listener->progress) {
        pique_progress progress = {
            "train", number,        t->steps_per_epoch * last_epoch(t), pq_seconds() - t->began,
            loss,    t->state.epoch};
        t->listener->progress(t->listener->user, &progress);
    }
    return PIQUE_OK;
}

/* No epoch at all: a model file of the weights that the run begins with. */
static pique_status keep_as_is(trainer *t) {
    pique_eval_result metrics;
    t->state.epoch = 0;
    PQ_TRY(measure(t, &metrics));
    t->state.best_metric = chosen(t, &metrics);
    return save_model(t, &metrics);
}

static bool cancelled(const trainer *t) {
    return t->listener && t->listener->cancelled && t->listener->cancelled(t->listener->user);
}

static pique_status epoch(trainer *t) {
    PQ_TRY(pq_sampler_epoch(&t->sampler, t->state.epoch));
    enter_stage(t);
    PQ_TRY(prepare_rounding(t));
    while (t->state.batch < t->steps_per_epoch) {
        PQ_TRY(step(t));
        if (cancelled(t)) {
            PQ_TRY(save_checkpoint(t));
            PQ_FAIL(t->ctx, PIQUE_CANCELLED, "stopped at step %lu; %s can be resumed",
                    (unsigned long)t->optimiser.step, t->asked->out);
        }
        if (pq_seconds() - t->last_checkpoint > t->options.checkpoint_seconds) {
            PQ_TRY(save_checkpoint(t));
        }
    }
    bool last = t->state.epoch == last_epoch(t), pretraining = t->model.pretraining;
    bool due = last || (t->state.epoch - t->earlier) % (uint32_t)t->options.eval_every == 0;
    if (pretraining) { /* what serves has learnt nothing yet */
        PQ_TRY(journal_line(t, NULL));
    } else if (due) {
        PQ_TRY(evaluate(t));
        bool waits = t->rounding.kind != PQ_ROUND_NONE && !rounds(t);
        bool tired =
            !waits && t->options.patience > 0 && t->state.stale >= (uint32_t)t->options.patience;
        t->state.finished = last || tired;
    }
    if (!t->state.finished) {
        t->state.epoch++;
        t->state.batch = 0;
        t->state.loss_sum = t->state.soft_sum = 0;
    }
    return due && !pretraining ? save_checkpoint(t) : PIQUE_OK;
}

static void close_trainer(trainer *t) {
    pq_journal_close(&t->journal);
    pq_shards_free(&t->shards);
    pq_teachers_free(&t->teachers);
    pq_model_side_close(&t->side);
    pq_sampler_free(&t->sampler);
    pq_rounding_free(&t->rounding);
    pq_optimiser_free(&t->optimiser);
    pq_model_free(&t->model);
    pq_text_free(&t->config);
    pq_free(t->ctx, t->model_path);
    pq_free(t->ctx, t->checkpoint_path);
    pq_free(t->ctx, t->config_path);
    pq_free(t->ctx, t->journal_path);
    pq_free(t->ctx, t);
}

static pique_status run(trainer *t) {
    PQ_TRY(open_model(t));
    PQ_TRY(open_run(t));
    if (t->options.epochs == 0) {
        return keep_as_is(t);
    }
    while (!t->state.finished) {
        PQ_TRY(epoch(t));
    }
    return PIQUE_OK;
}

pique_status pq_trainer_run(pique_context *ctx, const pique_dataset *dataset,
                            const pique_train_options *options, const pique_listener *listener,
                            pique_train_result *result) {
    trainer *t = pq_alloc(ctx, 1, sizeof(*t));
    if (!t) {
        return PIQUE_NO_MEMORY;
    }
    t->ctx = ctx;
    t->dataset = dataset;
    t->asked = options;
    t->listener = listener;
    t->threads = options->threads ? options->threads : pq_processors();
    t->began = t->last_checkpoint = pq_seconds();
    t->journal.descriptor = -1;
    pq_text_init(&t->config, ctx);
    pique_status status = run(t);
    *result = (pique_train_result){.epochs = t->state.epoch,
                                   .best_epoch = t->state.best_epoch,
                                   .best_metric = t->state.best_metric,
                                   .seconds = pq_seconds() - t->began,
                                   .train_seconds = t->state.train_seconds,
                                   .peak_bytes = pq_peak_bytes()};
    close_trainer(t);
    return status;
}
