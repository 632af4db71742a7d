/* api_model.c — opening a model file. Nothing in it is trusted: every name, type, shape and number is
 * checked before it is used, and a model is either whole or not there. */
#include <string.h>

#include "api/opened.h"

static pique_status bind(void *user, const char *name, uint32_t rows, uint32_t cols,
                         pq_real **value) {
    return pq_open_floats(user, name, rows, cols, value);
}

/* Required metadata as text of the context's. */
static pique_status metadata(pique_model *model, const char *key, char **out) {
    PQ_TRY(pq_container_text(&model->container, key, out));
    if (!*out) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT, "metadata \"%s\" is missing", key);
    }
    return PIQUE_OK;
}

static pique_status check_version(pique_model *model) {
    char *version = NULL;
    PQ_TRY(metadata(model, "pique.version", &version));
    bool same = strcmp(version, PQ_FORMAT) == 0;
    pique_status status = PIQUE_OK;
    if (!same) {
        status =
            pq_fail(model->ctx, PIQUE_VERSION,
                    "the file has format version \"%.20s\", this build reads " PQ_FORMAT, version);
    }
    pq_free(model->ctx, version);
    return status;
}

static pique_status open_config(pique_model *model) {
    pq_ctx *ctx = model->ctx;
    pq_json json = {0};
    char *name = NULL, *config = NULL;
    pique_status status;
    PQ_TRY_GOTO(status, metadata(model, "pique.model", &name));
    const pq_model_def *def = pq_model_find(name, strlen(name));
    if (!def) {
        status =
            pq_fail(ctx, PIQUE_UNSUPPORTED, "model \"%.40s\" is not known to this build", name);
        goto done;
    }
    PQ_TRY_GOTO(status, pq_model_init(&model->m, ctx, def, "best"));
    PQ_TRY_GOTO(status, metadata(model, "pique.config", &config));
    PQ_TRY_GOTO(status, pq_json_parse(ctx, config, strlen(config), "pique.config", &json));
    if (!pq_json_is_object(&json, PQ_JSON_ROOT)) {
        status = pq_fail(ctx, PIQUE_CORRUPT, "metadata \"pique.config\" is not an object");
        goto done;
    }
    status = pq_fields_read(ctx, def->fields, model->m.self, &json, PQ_JSON_ROOT);
    if (status == PIQUE_ARGUMENT) {
        status = PIQUE_CORRUPT; /* the message names the field; the fault is the file's */
    }
done:
    pq_json_free(&json);
    pq_free(ctx, name);
    pq_free(ctx, config);
    return status;
}

static bool stands_before(char *const *names, uint32_t at) {
    for (uint32_t f = 0; f < at; f++) {
        if (strcmp(names[f], names[at]) == 0) {
            return true;
        }
    }
    return false;
}

/* One name of such an array as text of the context's. */
static pique_status open_name(pique_model *model, const char *key, const pq_json *json, int at,
                              char **names, uint32_t number) {
    size_t size = 0;
    bool is_text = pq_json_is_string(json, at);
    char *name = is_text ? pq_json_string(json, at, &size) : NULL;
    names[number] = name;
    if (is_text && !name) {
        return PIQUE_NO_MEMORY;
    }
    if (!name || size == 0 || size > 32 || strlen(name) != size || stands_before(names, number)) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT,
                "metadata \"%s\": name %u is empty, too long or not the first", key,
                (unsigned)number);
    }
    return PIQUE_OK;
}

/* A metadata array of names, none when it is missing; names [PQ_MAX_FIELDS] are the model's to free. */
static pique_status open_names(pique_model *model, const char *key, char **names, uint32_t *count) {
    pq_ctx *ctx = model->ctx;
    pq_json json = {0};
    char *text = NULL;
    pique_status status;
    *count = 0;
    PQ_TRY_GOTO(status, pq_container_text(&model->container, key, &text));
    if (!text) {
        goto done;
    }
    PQ_TRY_GOTO(status, pq_json_parse(ctx, text, strlen(text), key, &json));
    if (!pq_json_is_array(&json, PQ_JSON_ROOT) ||
        pq_json_size(&json, PQ_JSON_ROOT) > PQ_MAX_FIELDS) {
        status = pq_fail(ctx, PIQUE_CORRUPT, "metadata \"%s\" is not a short array", key);
        goto done;
    }
    int at = pq_json_first(&json, PQ_JSON_ROOT);
    for (int i = 0; i < pq_json_size(&json, PQ_JSON_ROOT); i++) {
        PQ_TRY_GOTO(status, open_name(model, key, &json, at, names, *count));
        (*count)++;
        at = pq_json_next(&json, at);
    }
done:
    pq_json_free(&json);
    pq_free(ctx, text);
    return status;
}

/* Columns of categories: each name has a code for every item row. */
static pique_status open_categories(pique_model *model) {
    uint32_t count;
    PQ_TRY(open_names(model, "pique.categories", model->category_names, &count));
    for (uint32_t c = 0; c < count; c++) {
        char name[64];
        const pq_tensor *tensor;
        (void)pq_format(name, sizeof(name), PQ_ITEM_CATEGORY "%s", model->category_names[c]);
        tensor = pq_container_find(&model->container, name);
        const uint32_t several = tensor && tensor->rank == 2 ? tensor->shape[1] : 0;
        PQ_TRY(pq_container_get(&model->container, name, PQ_U8, model->m.items.rows, several,
                                &tensor));
        model->categories[c] = tensor->data;
        model->categories_each[c] = PQ_MAX(several, 1);
    }
    model->category_count = count;
    return PIQUE_OK;
}

/* The index of a file of blocks. Of a head, all rows are absent. */
static pique_status open_blocks(pique_model *model, bool is_head) {
    uint32_t rows = model->m.items.rows;
    PQ_TRY(pq_blocks_open(&model->container, rows, &model->blocks, &model->block_count));
    if (model->block_count) {
        PQ_TRY(pq_open_floats(model, PQ_ITEM_CENTROIDS, model->block_count, model->m.width,
                              &model->centroids));
    }
    if (!is_head) {
        return PIQUE_OK;
    }
    model->absent = pq_alloc(model->ctx, rows / 8 + 1, 1);
    if (!model->absent) {
        return PIQUE_NO_MEMORY;
    }
    memset(model->absent, 255, rows / 8 + 1);
    return PIQUE_OK;
}

/* A member of the description: text as a JSON string, or JSON as it is. */
static pique_status describe(pique_model *model, pq_text *out, const char *key, bool is_json) {
    char *text = NULL;
    PQ_TRY(pq_container_text(&model->container, key, &text));
    if (!text) {
        return PIQUE_OK;
    }
    pique_status status = PIQUE_OK;
    pq_text_add(out, ",\"%s\":", strrchr(key, '.') + 1);
    if (is_json) {
        pq_json json;
        status = pq_json_parse(model->ctx, text, strlen(text), key, &json);
        if (status == PIQUE_OK) {
            pq_json_free(&json);
            pq_text_bytes(out, text, strlen(text));
        }
    } else {
        pq_text_json(out, text, strlen(text));
    }
    pq_free(model->ctx, text);
    return status;
}

static void describe_names(pq_text *out, const char *key, char *const *names, uint32_t count) {
    pq_text_add(out, ",\"%s\":[", key);
    for (uint32_t i = 0; i < count; i++) {
        pq_text_add(out, i ? "," : "");
        pq_text_json(out, names[i], strlen(names[i]));
    }
    pq_text_add(out, "]");
}

static pique_status make_info(pique_model *model, size_t size) {
    const pq_model *m = &model->m;
    pq_text out;
    pq_text_init(&out, model->ctx);
    pq_text_add(&out, "{\"model\":\"%s\",\"task\":\"%s\",\"quant\":\"", m->def->name,
                pq_task_name(m->def->task));
    pq_write_scheme(model, &out);
    pq_text_add(&out, "\",\"items\":%u,\"interests\":%u,\"width\":%u,\"history\":%u,",
                (unsigned)model->ids.count, (unsigned)m->interests, (unsigned)m->width,
                (unsigned)m->max_history);
    pq_text_add(&out, "\"bytes\":%lu", (unsigned long)size);
    describe_names(&out, "profile", model->names, m->profile.column_count);
    describe_names(&out, "categories", model->category_names, model->category_count);
    static const char keys[][17] = {"pique.config", "pique.metrics", PQ_LOSS_KEY,
                                    PQ_TERMS_KEY,   "pique.data",    "pique.card"};
    pique_status status = PIQUE_OK;
    for (size_t i = 0; i < PQ_COUNT(keys) && status == PIQUE_OK; i++) {
        status = describe(model, &out, keys[i], i < 4);
    }
    pq_text_add(&out, "}");
    if (status == PIQUE_OK) {
        status = pq_text_status(&out);
    }
    if (status != PIQUE_OK) {
        pq_text_free(&out);
        return status;
    }
    model->info = out.data;
    return PIQUE_OK;
}

/* A head is a file that lacks exactly the rows of its blocks. (Rows at an odd address would have been
 * copied aside.) What opens the rest reads as if the file were whole. */
static pique_status open_container(pique_model *model, size_t size, size_t filled) {
    const pq_container *c = &model->container;
    size_t total = size;
    if (filled < size) {
        PQ_TRY(pq_container_size(model->ctx, model->bytes, filled, &total));
    }
    if (total == size) {
        PQ_TRY(pq_container_open(model->ctx, model->bytes, size, &model->container));
    }
    if (filled < size && (total != size || !pq_container_find(c, PQ_ITEM_BLOCKS) ||
                          c->tensors[c->count - 1].data != (char *)model->bytes + filled)) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT, "the model file ends early: %lu of %lu bytes",
                (unsigned long)filled, (unsigned long)size);
    }
    return PIQUE_OK;
}

static pique_status open_all(pique_model *model, size_t size, size_t filled) {
    PQ_TRY(open_container(model, size, filled));
    PQ_TRY(check_version(model));
    PQ_TRY(open_config(model));
    uint32_t fields;
    PQ_TRY(open_names(model, "pique.profile", model->names, &fields));
    PQ_TRY(pq_open_profile(model, fields));
    PQ_TRY(pq_container_strings(&model->container, PQ_ITEM_IDS, &model->ids));
    if (model->ids.count == 0) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT, "the file has no items");
    }
    pq_model *m = &model->m;
    m->items.rows = model->ids.count + 2;
    m->items.baked = true;
    pq_find_width(model);
    m->params.bind = bind;
    m->params.bind_user = model;
    PQ_TRY(pq_model_declare(m));
    PQ_TRY(open_blocks(model, filled < size));
    PQ_TRY(pq_open_items(model));
    PQ_TRY(open_categories(model));
    return make_info(model, size);
}

pique_status pique_model_size(pique_context *ctx, const void *bytes, size_t count, size_t *total) {
    return pq_container_size(ctx, bytes, count, total);
}

pique_status pique_model_open(pique_context *ctx, void *bytes, size_t size, pique_model **out) {
    return pique_model_open_head(ctx, bytes, size, size, out);
}

pique_status pique_model_open_head(pique_context *ctx, void *bytes, size_t size, size_t filled,
                                   pique_model **out) {
    *out = NULL;
    pique_model *model = pq_alloc(ctx, 1, sizeof(*model));
    if (!model) {
        pq_free(ctx, bytes);
        return PIQUE_NO_MEMORY;
    }
    model->ctx = ctx;
    model->bytes = bytes;
    pq_arena_init(&model->floats, ctx);
    pique_status status = open_all(model, size, filled);
    if (status != PIQUE_OK) {
        pique_model_free(model);
        return status;
    }
    *out = model;
    return PIQUE_OK;
}

void pique_model_free(pique_model *model) {
    if (!model) {
        return;
    }
    pq_ctx *ctx = model->ctx;
    for (uint32_t f = 0; f < PQ_MAX_FIELDS; f++) {
        pq_strings_free(&model->encoders[f].terms);
        pq_free(ctx, model->names[f]);
        pq_free(ctx, model->category_names[f]);
    }
    pq_strings_free(&model->ids);
    pq_table_close(&model->vectors);
    pq_table_close(&model->codes);
    pq_table_close(&model->behaviours);
    pq_model_free(&model->m);
    pq_container_close(&model->container);
    pq_arena_free(&model->floats);
    pq_free(ctx, model->absent);
    pq_free(ctx, model->info);
    pq_free(ctx, model->bytes);
    pq_free(ctx, model);
}

const char *pique_model_info(const pique_model *model) {
    return model->info;
}

const char *pique_model_task(const pique_model *model) {
    return pq_task_name(model->m.def->task);
}

bool pique_model_retrieves(const pique_model *model) {
    return model->m.def->user != NULL;
}

uint32_t pique_model_item_count(const pique_model *model) {
    return model->ids.count;
}

uint32_t pique_model_find_item(const pique_model *model, const char *id, size_t length) {
    uint32_t number = pq_strings_find(&model->ids, id, length);
    return number == PQ_NOT_FOUND ? 0 : number + 1;
}

const char *pique_model_item_id(const pique_model *model, uint32_t item, size_t *length) {
    if (item == 0 || item > model->ids.count) {
        return NULL;
    }
    return pq_strings_get(&model->ids, item - 1, length);
}

uint32_t pique_model_interest_count(const pique_model *model) {
    return model->m.interests;
}

uint32_t pique_model_width(const pique_model *model) {
    return model->m.width;
}

uint32_t pique_model_category_count(const pique_model *model) {
    return model->category_count;
}

const uint8_t *pique_model_categories(const pique_model *model, uint32_t column, uint32_t *each) {
    bool there = column < model->category_count;
    *each = there ? model->categories_each[column] : 0;
    return there ? model->categories[column] : NULL;
}

const char *pique_model_category_name(const pique_model *model, uint32_t column) {
    return column < model->category_count ? model->category_names[column] : NULL;
}
