#include "native/train/settings.h"

#include <string.h>

#include "native/data/fileio.h"

#define CONFIG_LIMIT ((size_t)1 << 20)

/* Members of a config file that are not fields: what pq_settings_write adds. */
static const char *const extras[] = {"model", "seed",       "data",    "init",         "init_items",
                                     "side",  "side_crc32", "teacher", "teacher_crc32"};

static bool equal(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

/* "mind.rounds" is "rounds" when the model is mind. */
static pq_span without_prefix(const pq_model *m, pq_span key) {
    size_t size = strlen(m->def->name);
    if (key.size > size + 1 && key.bytes[size] == '.' &&
        memcmp(key.bytes, m->def->name, size) == 0) {
        return (pq_span){key.bytes + size + 1, key.size - size - 1};
    }
    return key;
}

static pique_status set(pq_ctx *ctx, pq_model *m, pq_train_options *train, pq_span key,
                        pq_span value) {
    key = without_prefix(m, key);
    if (pq_fields_has(m->def->fields, key.bytes, key.size)) {
        return pq_fields_set(ctx, m->def->fields, m->self, key, value);
    }
    if (pq_fields_has(pq_train_fields, key.bytes, key.size)) {
        return pq_fields_set(ctx, pq_train_fields, train, key, value);
    }
    PQ_FAIL(ctx, PIQUE_ARGUMENT,
            "there is no option \"%.*s\" for model %s; `pique models` lists them",
            (int)PQ_MIN(key.size, 80), key.bytes, m->def->name);
}

static pique_status set_text(pq_ctx *ctx, pq_model *m, pq_train_options *train, const char *text) {
    const char *sign = strchr(text, '=');
    if (!sign) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "setting \"%.80s\" is not of the form key=value", text);
    }
    return set(ctx, m, train, (pq_span){text, (size_t)(sign - text)},
               (pq_span){sign + 1, strlen(sign + 1)});
}

/* "key=value key=value"; NULL: nothing. */
static pique_status set_all(pq_ctx *ctx, pq_model *m, pq_train_options *train, const char *text) {
    while (text && *text) {
        const char *sign = strchr(text, '=');
        size_t size = strcspn(text, " ");
        pq_span key = {text, (size_t)(sign - text)};
        PQ_TRY(set(ctx, m, train, key, (pq_span){sign + 1, size - key.size - 1}));
        text += size + (text[size] == ' ');
    }
    return PIQUE_OK;
}

/* NULL when it is none of the model's own. */
static const pq_preset *find_preset(const pq_model_def *def, const char *name) {
    const pq_preset *preset = def->presets;
    while (preset && preset->name && strcmp(preset->name, name) != 0) {
        preset++;
    }
    return preset && preset->name ? preset : NULL;
}

static pique_status set_preset(pq_ctx *ctx, const pq_model_def *def, const char *name, pq_model *m,
                               pq_train_options *train) {
    const pq_preset *own = find_preset(def, name);
    const char *base = own ? "seed" : name;
    PQ_TRY(pq_model_init(m, ctx, def, base));
    PQ_TRY(pq_fields_preset(ctx, pq_train_fields, train, base));
    if (def->task == PQ_TASK_RANKING) { /* the general default is for lists */
        train->metric = PQ_METRIC_AUC;
    }
    PQ_TRY(set_all(ctx, m, train,
                   strcmp(base, "seed") == 0    ? def->training_seed
                   : strcmp(base, "paper") == 0 ? def->training_paper
                                                : def->training_best));
    return set_all(ctx, m, train, own ? own->settings : NULL);
}

/* What the options ask of the model, and of each other. */
static pique_status check_together(pq_ctx *ctx, pq_model *m, const pq_train_options *train) {
    if (train->supervision == PQ_SUPERVISE_ALL && !m->def->causal) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "supervision = all needs a state after every event, which %s has not",
                m->def->name);
    }
    if (train->sampler == PQ_NEGATIVES_IN_BATCH && train->loss != PQ_LOSS_SAMPLED) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "sampler = in_batch gives negatives that a batch shares, which loss = "
                "sampled_softmax alone takes");
    }
    if (train->quantise && train->quantise_from > train->epochs) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "quantise_from = %d is behind the last of %d epochs",
                (int)train->quantise_from, (int)train->epochs);
    }
    bool of_labels = train->metric >= PQ_METRIC_AUC;
    if (of_labels != (m->def->task == PQ_TASK_RANKING)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "metric = %s is for models that %s, which %s does not",
                of_labels ? "auc, gauc, logloss or top1" : "recall, ndcg or mrr",
                of_labels ? "rank" : "retrieve", m->def->name);
    }
    if (train->pretrain > 0 && !m->def->pretrains) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "pretrain = %d is for models that train in two stages, which %s does not",
                (int)train->pretrain, m->def->name);
    }
    m->pretrain = (uint32_t)train->pretrain;
    m->loss = (pq_loss_options){.kind = (pq_loss)train->loss,
                                .pair_count = (uint32_t)train->pair_negatives,
                                .smoothing = train->label_smoothing,
                                .beta = train->gbce_beta};
    return PIQUE_OK;
}

static pique_status read_members(pq_ctx *ctx, const pq_json *json, const char *path, pq_model *m,
                                 pq_train_options *train) {
    int at = pq_json_first(json, PQ_JSON_ROOT);
    for (int i = 0; i < pq_json_size(json, PQ_JSON_ROOT); i++, at = pq_json_next(json, at)) {
        pq_span key = pq_json_span(json, at);
        bool extra = false;
        for (size_t e = 0; e < PQ_COUNT(extras); e++) {
            extra = extra || equal(key, extras[e]);
        }
        if (equal(key, "model") && !equal(pq_json_span(json, at + 1), m->def->name)) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "%s is for model \"%.*s\", not %s", path,
                    (int)PQ_MIN(pq_json_span(json, at + 1).size, 40),
                    pq_json_span(json, at + 1).bytes, m->def->name);
        }
        if (!extra) {
            PQ_TRY(set(ctx, m, train, key, pq_json_span(json, at + 1)));
        }
    }
    return PIQUE_OK;
}

static pique_status read_config(pq_ctx *ctx, const char *path, pq_model *m,
                                pq_train_options *train) {
    void *bytes;
    size_t size;
    pq_json json;
    PQ_TRY(pq_file_read(ctx, path, CONFIG_LIMIT, &bytes, &size));
    pique_status status = pq_json_parse(ctx, bytes, size, path, &json);
    if (status == PIQUE_OK) {
        status = pq_json_is_object(&json, PQ_JSON_ROOT)
                     ? read_members(ctx, &json, path, m, train)
                     : pq_fail(ctx, PIQUE_ARGUMENT, "%s is not a JSON object", path);
        pq_json_free(&json);
    }
    pq_free(ctx, bytes);
    return status;
}

pique_status pq_settings_read(pq_ctx *ctx, const pique_train_options *asked, pq_model *m,
                              pq_train_options *train) {
    const pq_model_def *def = pq_model_find(asked->model, strlen(asked->model));
    if (!def) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "there is no model \"%.40s\"; `pique models` lists them",
                asked->model);
    }
    PQ_TRY(set_preset(ctx, def, asked->preset, m, train));
    if (asked->config_path) {
        PQ_TRY(read_config(ctx, asked->config_path, m, train));
    }
    for (uint32_t i = 0; i < asked->set_count; i++) {
        PQ_TRY(set_text(ctx, m, train, asked->set[i]));
    }
    return check_together(ctx, m, train);
}

pique_status pq_settings_write(const pique_train_options *asked, const pq_model *m,
                               const pq_train_options *train, const char *data,
                               const pq_file_sums *sums, pq_text *out) {
    pq_text_add(out, "{\"model\":\"%s\",\"seed\":%u,\"data\":", m->def->name,
                (unsigned)asked->seed);
    pq_text_json(out, data, strlen(data));
    if (asked->init) {
        pq_text_add(out, ",\"init\":");
        pq_text_json(out, asked->init, strlen(asked->init));
    }
    if (asked->init_items) {
        pq_text_add(out, ",\"init_items\":");
        pq_text_json(out, asked->init_items, strlen(asked->init_items));
    }
    if (asked->side) {
        pq_text_add(out, ",\"side\":");
        pq_text_json(out, asked->side, strlen(asked->side));
        pq_text_add(out, ",\"side_crc32\":\"%s\"", sums->side);
    }
    if (asked->teacher) {
        pq_text_add(out, ",\"teacher\":");
        pq_text_json(out, asked->teacher, strlen(asked->teacher));
        pq_text_add(out, ",\"teacher_crc32\":\"%s\"", sums->teacher);
    }
    pq_text_add(out, ",");
    pq_fields_write(m->def->fields, m->self, out);
    pq_text_add(out, ",");
    pq_fields_write(pq_train_fields, train, out);
    pq_text_add(out, "}");
    return pq_text_status(out);
}
