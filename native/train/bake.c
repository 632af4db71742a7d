#include "native/train/bake.h"

#include <stdio.h>
#include <string.h>

#include "file/container.h"
#include "file/layout.h"

#define CHUNK 1024

typedef struct {
    float *vectors;    /* [rows, D] */
    float *behaviours; /* [rows, width of a pooled row] */
    float *lengths;    /* [rows] */
} rows;

/* Vectors and behaviours of the item numbers first .. first + n - 1. */
static pique_status bake_chunk(pq_tape *t, const pq_model *m, uint32_t first, uint32_t n,
                               rows *out) {
    uint32_t d = m->width, wide = pq_items_width(&m->items);
    uint32_t ids[CHUNK];
    pq_tape_begin(t, NULL, false, (pq_rng){0});
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = first + i;
    }
    pq_var *e = pq_items_vectors(t, &m->items, ids, n);
    pq_var *x = m->items.encode ? e : pq_items_behaviours(t, &m->items, ids, n);
    if (!e || !x) {
        return t->status;
    }
    memcpy(out->vectors + (size_t)first * d, e->value, (size_t)n * d * sizeof(float));
    memcpy(out->behaviours + (size_t)first * wide, x->value, (size_t)n * wide * sizeof(float));
    for (uint32_t i = 0; m->items.normalise && i < n;
         i++) { /* x = length e, so <x, e> = length |e|² with |e| = 1 */
        out->lengths[first + i] =
            t->kernels->dot(x->value + (size_t)i * d, e->value + (size_t)i * d, d);
    }
    return PIQUE_OK;
}

/* The mean of a table's rows of all items. */
static void mean_row(const float *table, uint32_t items, uint32_t d, float *out) {
    for (uint32_t j = 0; j < d; j++) {
        double sum = 0;
        for (uint32_t i = 1; i <= items; i++) {
            sum += table[(size_t)i * d + j];
        }
        out[j] = (float)(sum / items);
    }
}

/* UNKNOWN was never trained when every item of the training data is in the vocabulary: then the mean
 * behaviour stands for it. */
static void bake_unknown(const pq_model *m, const pique_dataset *dataset, rows *out) {
    uint32_t d = m->width, wide = pq_items_width(&m->items), unknown = m->items.rows - 1;
    float *x = out->behaviours + (size_t)unknown * wide;
    float *e = out->vectors + (size_t)unknown * d;
    if (dataset->popularity[unknown] > 0) {
        return;
    }
    mean_row(out->behaviours, unknown - 1, wide, x);
    if (m->items.map || m->items.history) {
        mean_row(out->vectors, unknown - 1, d, e);
        return;
    }
    double square = 0;
    for (uint32_t j = 0; j < d; j++) {
        square += (double)x[j] * x[j];
    }
    float length = m->items.normalise && square > 0 ? (float)pq_sqrt(square) : 1;
    for (uint32_t j = 0; j < d; j++) {
        e[j] = x[j] / length;
    }
    out->lengths[unknown] = length;
}

static pq_model unrounded(const pq_model *m) {
    pq_model copy = *m;
    copy.items.rounded = NULL;
    return copy;
}

/* Exact ones: they are rounded when they are written. */
static pique_status bake_rows(const pq_model *trained, const pique_dataset *dataset,
                              pq_arena *arena, rows *out) {
    const pq_model copy = unrounded(trained), *m = &copy;
    uint32_t count = m->items.rows;
    size_t wide = pq_items_width(&m->items);
    out->vectors = pq_arena_take(arena, (size_t)count * m->width, sizeof(float));
    out->behaviours = pq_arena_take(arena, count * wide, sizeof(float));
    out->lengths = pq_arena_take(arena, count, sizeof(float));
    if (!out->vectors || !out->behaviours || !out->lengths) {
        return PIQUE_NO_MEMORY;
    }
    pq_tape tape;
    pq_tape_init(&tape, m->ctx);
    pique_status status = PIQUE_OK;
    for (uint32_t first = 0; status == PIQUE_OK && first < count; first += CHUNK) {
        status = bake_chunk(&tape, m, first, PQ_MIN(CHUNK, count - first), out);
    }
    pq_tape_free(&tape);
    if (status == PIQUE_OK) {
        bake_unknown(m, dataset, out);
    }
    return status;
}

/* A profile table as a file has it: UNKNOWN, if no user in training has it, is the mean of the others, or of quantiles
 * the shared vector at the middle. */
static pique_status profile_table(const pq_param *param, const pq_feature *feature, pq_arena *arena,
                                  const float **out) {
    uint32_t cols = param->cols, unknown = param->rows - 1;
    float *table = pq_arena_take(arena, (size_t)param->rows * cols, sizeof(float));
    if (!table) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < (size_t)param->rows * cols; i++) {
        table[i] = (float)param->value[i];
    }
    for (uint32_t j = 0; !feature->trains_unknown && unknown > 1 && j < cols; j++) {
        double sum = 0;
        for (uint32_t i = 1; i < unknown; i++) {
            sum += table[(size_t)i * cols + j];
        }
        table[(size_t)unknown * cols + j] =
            (float)(feature->quantile ? sum / 2 : sum / (unknown - 1));
    }
    *out = table;
    return PIQUE_OK;
}

static pique_status add_params(pq_writer *w, const pq_model *m, const pique_dataset *dataset,
                               pq_arena *arena) {
    for (uint32_t i = 0; i < m->params.count; i++) {
        const pq_param *param = m->params.list[i];
        const float *values = param->value;
        if (param->unsaved) {
            continue;
        }
        for (uint32_t f = 0; f < m->profile.column_count; f++) {
            if (m->profile.fields[f] == param || m->profile.weights[f] == param) {
                PQ_TRY(profile_table(param, &dataset->profile[f], arena, &values));
            }
        }
        pq_writer_tensor(w, param->name, PQ_F32, param->rows, param->cols, values);
    }
    return PIQUE_OK;
}

/* A name that lives as long as the arena. */
static char *keep(pq_arena *arena, const char *a, const char *b, const char *c) {
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *name = pq_arena_take(arena, size, 1);
    if (name) {
        snprintf(name, size, "%s%s%s", a, b, c);
    }
    return name;
}

static pique_status add_strings(pq_writer *w, pq_arena *arena, const char *name,
                                const pq_strings *strings) {
    const char *offsets = keep(arena, name, PQ_OFFSETS_SUFFIX, "");
    if (!offsets) {
        return PIQUE_NO_MEMORY;
    }
    pq_writer_tensor(w, offsets, PQ_U32, strings->count + 1, 0, strings->offsets);
    pq_writer_tensor(w, name, PQ_U8, strings->offsets[strings->count], 0, strings->bytes);
    return PIQUE_OK;
}

/* A column with few values tells categories; one with many, such as a director, hardly ever the same one. */
#define MOST_CATEGORIES 255

static bool is_category(const pq_feature *feature) {
    return feature->terms.count > 0 && feature->terms.count <= MOST_CATEGORIES;
}

/* A JSON array of texts. */
static pique_status add_names(pq_writer *w, pq_ctx *ctx, const char *key, const char *const *names,
                              uint32_t count) {
    pq_text text;
    pq_text_init(&text, ctx);
    pq_text_add(&text, "[");
    for (uint32_t i = 0; i < count; i++) {
        pq_text_add(&text, i ? "," : "");
        pq_text_json(&text, names[i], strlen(names[i]));
    }
    pq_text_add(&text, "]");
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK) {
        pq_writer_text(w, key, text.data, text.size);
    }
    pq_text_free(&text);
    return status;
}

static void write_terms(pq_text *text, const pq_feature *feature) {
    pq_text_json(text, feature->name, strlen(feature->name));
    pq_text_add(text, ":[");
    for (uint32_t i = 0; i < feature->terms.count; i++) {
        size_t size;
        const char *term = pq_strings_get(&feature->terms, i, &size);
        pq_text_add(text, i ? "," : "");
        pq_text_json(text, term, size);
    }
    pq_text_add(text, "]");
}

/* The columns of categories, and what the codes in each of them stand for. */
static pique_status add_category_names(pq_writer *w, pq_ctx *ctx, const pique_dataset *dataset) {
    const char *names[PQ_MAX_FIELDS];
    uint32_t count = 0;
    pq_text text;
    pq_text_init(&text, ctx);
    for (uint32_t f = 0; f < dataset->item_feature_count; f++) {
        const pq_feature *feature = &dataset->item_features[f];
        if (is_category(feature)) {
            pq_text_add(&text, count ? "," : "{");
            write_terms(&text, feature);
            names[count++] = feature->name;
        }
    }
    pq_text_add(&text, "}");
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK && count > 0) {
        pq_writer_text(w, PQ_TERMS_KEY, text.data, text.size);
        status = add_names(w, ctx, "pique.categories", names, count);
    }
    pq_text_free(&text);
    return status;
}

static pique_status add_metadata(pq_writer *w, const pq_model *m, const pique_dataset *dataset,
                                 const pq_bake_options *options) {
    const char *quant =
        pq_rounding_name(options->rounding ? options->rounding->kind : PQ_ROUND_NONE);
    pq_text text;
    pq_text_init(&text, m->ctx);
    pq_text_add(&text, "{");
    pq_fields_write(m->def->fields, m->self, &text);
    pq_text_add(&text, "}");
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK) {
        pq_writer_text(w, "pique.version", PQ_FORMAT, strlen(PQ_FORMAT));
        pq_writer_text(w, "pique.model", m->def->name, strlen(m->def->name));
        pq_writer_text(w, "pique.config", text.data, text.size);
        pq_writer_text(w, "pique.quant", quant, strlen(quant));
        pq_writer_text(w, "pique.metrics", options->metrics, strlen(options->metrics));
        pq_writer_text(w, "pique.card", options->card, strlen(options->card));
    }
    pq_text_free(&text);
    if (status == PIQUE_OK && dataset->provenance) {
        pq_writer_text(w, "pique.data", dataset->provenance, strlen(dataset->provenance));
    }
    const char *names[PQ_MAX_FIELDS];
    for (uint32_t f = 0; f < m->profile.column_count; f++) {
        names[f] = dataset->profile[f].name;
    }
    if (status == PIQUE_OK) {
        status = add_names(w, m->ctx, "pique.profile", names, m->profile.column_count);
    }
    return status == PIQUE_OK ? add_category_names(w, m->ctx, dataset) : status;
}

/* What an item has beyond so many does not count. */
#define MOST_OF_AN_ITEM 32

/* The largest number of values that an item has. */
static uint32_t most_values(const pq_feature *feature, uint32_t items) {
    uint32_t most = 1;
    for (uint32_t i = 0; i < items; i++) {
        most = PQ_MAX(most, feature->offsets[i + 1] - feature->offsets[i]);
    }
    return PQ_MIN(most, MOST_OF_AN_ITEM);
}

/* The known categories of an item, from codes[0] on. */
static void list_categories(const pq_feature *feature, uint32_t item, uint32_t most,
                            uint8_t *codes) {
    uint32_t n = 0;
    for (uint32_t at = feature->offsets[item]; at < feature->offsets[item + 1] && n < most; at++) {
        uint32_t value = feature->values[at];
        if (value > 0 && value <= feature->terms.count) {
            codes[n++] = (uint8_t)value;
        }
    }
}

/* The categories of every item in each column of categories. */
static pique_status add_categories(pq_writer *w, pq_arena *arena, const pique_dataset *dataset) {
    for (uint32_t f = 0; f < dataset->item_feature_count; f++) {
        const pq_feature *feature = &dataset->item_features[f];
        if (!is_category(feature)) {
            continue;
        }
        char *name = keep(arena, PQ_ITEM_CATEGORY, feature->name, "");
        const uint32_t count = dataset->item_rows, most = most_values(feature, count);
        uint8_t *codes = pq_arena_take(arena, (size_t)count * most, sizeof(*codes));
        if (!name || !codes) {
            return PIQUE_NO_MEMORY;
        }
        memset(codes, 0, (size_t)count * most);
        for (uint32_t i = 0; i < count; i++) {
            list_categories(feature, i, most, codes + (size_t)i * most);
        }
        pq_writer_tensor(w, name, PQ_U8, count, most > 1 ? most : 0, codes);
    }
    return PIQUE_OK;
}

/* profile.NAME.SUFFIX */
static pique_status add_part(pq_writer *w, pq_arena *arena, const pq_feature *feature,
                             const char *suffix, pq_dtype dtype, uint32_t count, const void *data) {
    const char *name = keep(arena, "profile.", feature->name, suffix);
    if (!name) {
        return PIQUE_NO_MEMORY;
    }
    pq_writer_tensor(w, name, dtype, count, 0, data);
    return PIQUE_OK;
}

/* What the page needs to make codes of raw values. */
static pique_status add_encoder(pq_writer *w, pq_arena *arena, const pq_feature *feature) {
    if (feature->is_number) {
        PQ_TRY(add_part(w, arena, feature,
                        feature->quantile ? PQ_QUANTILES_SUFFIX : PQ_BOUNDS_SUFFIX, PQ_F32,
                        feature->bound_count, feature->bounds));
        return add_part(w, arena, feature, PQ_MISSING_SUFFIX, PQ_F32, 1, &feature->fill);
    }
    if (feature->separator || feature->words) {
        uint32_t *several = pq_arena_take(arena, PQ_SEVERAL, sizeof(*several));
        if (!several) {
            return PIQUE_NO_MEMORY;
        }
        several[PQ_SEVERAL_SEPARATOR] = (unsigned char)feature->separator;
        several[PQ_SEVERAL_MOST] = feature->width ? feature->width : feature->most;
        several[PQ_SEVERAL_NEWEST] = feature->width ? PQ_VECTOR : feature->newest;
        several[PQ_SEVERAL_WORDS] = feature->words;
        PQ_TRY(add_part(w, arena, feature, PQ_SEVERAL_SUFFIX, PQ_U32, PQ_SEVERAL, several));
    }
    const char *name = keep(arena, "profile.", feature->name, PQ_TERMS_SUFFIX);
    if (!name) {
        return PIQUE_NO_MEMORY;
    }
    return feature->words || feature->width ? PIQUE_OK
                                            : add_strings(w, arena, name, &feature->terms);
}

static pique_status bake(pq_writer *w, pq_arena *arena, const pq_model *m,
                         const pique_dataset *dataset, const pq_rounding *rounding) {
    rows out = {0};
    uint32_t count = m->items.rows;
    PQ_TRY(bake_rows(m, dataset, arena, &out));
    if (rounding) {
        PQ_TRY(pq_rounding_write(rounding, out.vectors, arena, w));
    } else {
        pq_writer_tensor(w, PQ_ITEM_WEIGHT, PQ_F32, count, m->width, out.vectors);
    }
    if (pq_items_own_behaviours(&m->items)) {
        pq_writer_tensor(w, PQ_BEHAVIOUR_WEIGHT, PQ_F32, count, pq_items_width(&m->items),
                         out.behaviours);
    } else if (m->items.normalise) {
        pq_writer_tensor(w, PQ_ITEM_LENGTH, PQ_F32, count, 0, out.lengths);
    }
    PQ_TRY(add_params(w, m, dataset, arena));
    PQ_TRY(add_strings(w, arena, PQ_ITEM_IDS, &dataset->items));
    PQ_TRY(add_categories(w, arena, dataset));
    for (uint32_t f = 0; f < m->profile.column_count; f++) {
        PQ_TRY(add_encoder(w, arena, &dataset->profile[f]));
    }
    return PIQUE_OK;
}

pique_status pq_bake(const pq_model *m, const pique_dataset *dataset,
                     const pq_bake_options *options, void **bytes, size_t *size) {
    pq_arena arena;
    pq_writer writer;
    pq_arena_init(&arena, m->ctx);
    pq_writer_init(&writer, m->ctx);
    pique_status status = bake(&writer, &arena, m, dataset, options->rounding);
    if (status == PIQUE_OK) {
        status = add_metadata(&writer, m, dataset, options);
    }
    if (status == PIQUE_OK) {
        status = pq_writer_build(&writer, bytes, size);
    }
    pq_writer_free(&writer);
    pq_arena_free(&arena);
    return status;
}
