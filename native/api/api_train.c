/* api_train.c — training and the list of models, for pique_train.h. */
#include "base/text.h"
#include "models/model.h"
#include "native/pretrain/node_batch.h"
#include "native/train/model_side.h"
#include "native/train/rounding.h"
#include "native/train/settings.h"
#include "native/train/trainer.h"

#include <string.h>

void pique_train_options_default(pique_train_options *options) {
    *options = (pique_train_options){.model = "mind", .preset = "best", .seed = 1};
}

/* Whether it has linear weights. */
static bool is_linear(const pq_model *m) {
    uint32_t i = 0;
    while (i < m->params.count && !m->params.list[i]->linear) {
        i++;
    }
    return i < m->params.count;
}

pique_status pique_train_check(pique_context *ctx, const pique_train_options *options) {
    pq_model model = {0};
    pq_train_options training;
    pq_rounding rounding = {0};
    if (!options->model || !options->preset || !options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "training needs a model, a preset and a place for the run");
    }
    pique_status status = pq_settings_read(ctx, options, &model, &training);
    if (status == PIQUE_OK) {
        status = pq_model_side_check(ctx, model.def, options->side);
    }
    if (status == PIQUE_OK) { /* of no data: for what the hyper-parameters ask of each other */
        model.items.rows = 3;
        status = pq_model_declare(&model);
    }
    if (status == PIQUE_OK && training.epochs == 0 && !options->init) {
        status = pq_fail(ctx, PIQUE_ARGUMENT,
                         "epochs = 0 keeps the weights of another run, which --init names");
    }
    if (status == PIQUE_OK && training.linear_optimiser != PQ_LINEAR_SAME && !is_linear(&model)) {
        status = pq_fail(ctx, PIQUE_ARGUMENT,
                         "linear_optimiser = ftrl needs linear weights of fields, which %s has not "
                         "with these options",
                         options->model);
    }
    if (status == PIQUE_OK) {
        status = pq_rounding_declare(&rounding, &model, (pq_round_kind)training.quantise);
    }
    pq_rounding_free(&rounding);
    pq_model_free(&model);
    return status;
}

pique_status pique_train(pique_context *ctx, const pique_dataset *dataset,
                         const pique_train_options *options, const pique_listener *listener,
                         pique_train_result *result) {
    *result = (pique_train_result){0};
    PQ_TRY(pique_train_check(ctx, options));
    return pq_trainer_run(ctx, dataset, options, listener, result);
}

const char *pique_train_task(const char *model) {
    const pq_model_def *def = pq_model_find(model, strlen(model));
    return def ? pq_task_name(def->task) : NULL;
}

static void describe_presets(const pq_preset *preset, pq_text *text) {
    pq_text_add(text, ",\"presets\":[");
    for (const char *comma = ""; preset && preset->name; preset++, comma = ",") {
        pq_text_add(text, "%s{\"name\":\"%s\",\"settings\":\"%s\"}", comma, preset->name,
                    preset->settings);
    }
    pq_text_add(text, "]");
}

static void describe_side(const pq_side_def *side, pq_text *text) {
    pq_text_add(text, ",\"side\":[");
    for (const char *comma = ""; side && side->name; side++, comma = ",") {
        pq_text_add(text, "%s\"%s\"", comma, side->name);
    }
    pq_text_add(text, "]");
}

pique_status pique_models_json(pique_context *ctx, char **out) {
    pq_text text;
    pq_text_init(&text, ctx);
    pq_text_add(&text, "{\"models\":[");
    for (uint32_t i = 0; pq_model_at(i); i++) {
        const pq_model_def *def = pq_model_at(i);
        pq_text_add(&text, "%s{\"name\":\"%s\",\"task\":\"%s\",\"summary\":\"%s\",\"fields\":",
                    i ? "," : "", def->name, pq_task_name(def->task), def->summary);
        pq_fields_describe(def->fields, &text);
        describe_presets(def->presets, &text);
        describe_side(def->side, &text);
        pq_text_add(&text, "}");
    }
    pq_text_add(&text, "],\"training\":");
    pq_fields_describe(pq_train_fields, &text);
    pq_text_add(&text, ",\"pretraining\":");
    pq_fields_describe(pq_pretrain_fields, &text);
    pq_text_add(&text, "}");
    if (pq_text_status(&text) != PIQUE_OK) {
        pq_text_free(&text);
        return PIQUE_NO_MEMORY;
    }
    *out = text.data;
    return PIQUE_OK;
}
