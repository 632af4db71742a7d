#include "native/content/content.h"

#include "kernels/kernels.h"
#include "models/model.h"
#include "native/train/bake.h"

#include <string.h>

/* The map is SHARPNESS times the identity. Routing's logits grow with its square: with 1, interests of a reader of two
 * topics stay mixed; with 3, three rounds part them. */
#define SHARPNESS 3

static pique_status set(pq_model *m, const char *name, const char *value) {
    return pq_fields_set(m->ctx, m->def->fields, m->self, (pq_span){name, strlen(name)},
                         (pq_span){value, strlen(value)});
}

static pique_status set_number(pq_model *m, const char *name, uint32_t number) {
    char value[16];
    (void)pq_format(value, sizeof(value), "%u", (unsigned)number);
    return set(m, name, value);
}

static pique_status configure(pq_model *m, const pique_content_options *options) {
    PQ_TRY(set_number(m, "dim", options->dim));
    PQ_TRY(set_number(m, "interests", options->interests));
    PQ_TRY(set(m, "history", "50"));
    PQ_TRY(set(m, "fade", "0.05"));
    PQ_TRY(set(m, "bilinear", "shared"));
    PQ_TRY(set(m, "output", "none"));
    PQ_TRY(set(m, "cosine", "1"));
    return set(m, "dropout", "0");
}

/* PAD, the items, UNKNOWN; the last becomes the mean of the items when it is written. */
static pique_status fill(pq_model *m, const pq_corpus *corpus, const pique_content_options *options,
                         const float *vectors) {
    const uint32_t items = corpus->items.count, d = options->dim;
    m->items.rows = items + 2;
    PQ_TRY(pq_model_declare(m));
    pq_params_draw(&m->params, options->seed); /* for where routing starts */
    pq_real *table = m->items.ids->value;
    memset(table, 0, (size_t)m->items.rows * d * sizeof(*table));
    memcpy(table + d, vectors, (size_t)items * d * sizeof(*table));
    pq_param *map = pq_params_find(&m->params, "map.w");
    for (uint32_t i = 0; i < d * d; i++) {
        map->value[i] = i % (d + 1) == 0 ? SHARPNESS : 0;
    }
    return PIQUE_OK;
}

static pique_status copy_strings(pq_strings *to, const pq_strings *from) {
    for (uint32_t i = 0; i < from->count; i++) {
        size_t size;
        uint32_t number;
        const char *bytes = pq_strings_get(from, i, &size);
        PQ_TRY(pq_strings_add(to, bytes, size, &number));
    }
    return PIQUE_OK;
}

/* Tags as a column of categories: value v is tag v - 1. */
static pique_status add_tags(pique_dataset *data, const pq_corpus *corpus) {
    static const char name[] = "tags";
    uint32_t rows = data->item_rows, items = corpus->items.count;
    size_t total = corpus->tag_offsets[items];
    data->item_features = pq_alloc(data->ctx, 1, sizeof(*data->item_features));
    if (!data->item_features) {
        return PIQUE_NO_MEMORY;
    }
    pq_feature *feature = &data->item_features[data->item_feature_count++];
    pq_strings_init(&feature->terms, data->ctx);
    pq_strings_init(&feature->cells, data->ctx);
    feature->rows = corpus->tags.count + 2;
    feature->name = pq_alloc(data->ctx, sizeof(name), 1);
    feature->offsets = pq_alloc(data->ctx, (size_t)rows + 1, sizeof(*feature->offsets));
    feature->values = pq_alloc(data->ctx, total + 1, sizeof(*feature->values));
    if (!feature->name || !feature->offsets || !feature->values) {
        return PIQUE_NO_MEMORY;
    }
    memcpy(feature->name, name, sizeof(name));
    for (uint32_t i = 0; i <= items; i++) {
        feature->offsets[i + 1] = corpus->tag_offsets[i]; /* row 0 is PAD */
    }
    feature->offsets[rows] = (uint32_t)total;
    for (size_t i = 0; i < total; i++) {
        feature->values[i] = corpus->tag_values[i] + 1;
    }
    return copy_strings(&feature->terms, &corpus->tags);
}

/* What baking asks of a data set: the ids, the tags, and where they came from. */
static pique_status describe(pique_dataset *data, const pq_corpus *corpus) {
    data->item_rows = corpus->items.count + 2;
    data->popularity = pq_alloc(data->ctx, data->item_rows, sizeof(*data->popularity));
    if (!data->popularity) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(copy_strings(&data->items, &corpus->items));
    if (corpus->tags.count > 0) {
        PQ_TRY(add_tags(data, corpus));
    }
    pq_text text;
    pq_text_init(&text, data->ctx);
    pq_text_add(&text, "content: %lu items, %lu terms", (unsigned long)corpus->items.count,
                (unsigned long)corpus->matrix.cols);
    data->provenance = text.data;
    return pq_text_status(&text);
}

static pique_status bake(const pq_model *m, const pq_corpus *corpus, void **bytes, size_t *size) {
    static const pq_bake_options options = {.metrics = "{}",
                                            .card = "Vectors of texts and tags (pique content): no "
                                                    "interactions were seen. Related items are "
                                                    "those that share words; a history is the "
                                                    "faded mean of its items, or several of them."};
    pique_dataset *data = pq_alloc(m->ctx, 1, sizeof(*data));
    if (!data) {
        return PIQUE_NO_MEMORY;
    }
    data->ctx = m->ctx;
    pq_strings_init(&data->items, m->ctx);
    pq_strings_init(&data->users, m->ctx);
    pique_status status = describe(data, corpus);
    if (status == PIQUE_OK) {
        status = pq_bake(m, data, &options, bytes, size);
    }
    pq_dataset_free(data);
    return status;
}

static pique_status make(pq_model *m, const pq_corpus *corpus, const pique_content_options *options,
                         const float *vectors, void **bytes, size_t *size) {
    PQ_TRY(configure(m, options));
    PQ_TRY(fill(m, corpus, options, vectors));
    return bake(m, corpus, bytes, size);
}

/* Rows are scaled once more when they are baked: by scalar code, so that the file is the same everywhere. */
pique_status pq_content_bake(const pq_corpus *corpus, const pique_content_options *options,
                             const float *vectors, void **bytes, size_t *size) {
    pq_ctx *ctx = corpus->ctx;
    const pq_kernels *chosen = ctx->kernels;
    pq_model m;
    pique_status status = pq_model_init(&m, ctx, pq_model_find("mind", strlen("mind")), "best");
    if (status == PIQUE_OK) {
        ctx->kernels = pq_kernels_find("scalar");
        status = make(&m, corpus, options, vectors, bytes, size);
        ctx->kernels = chosen;
    }
    pq_model_free(&m);
    return status;
}
