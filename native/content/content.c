#include "native/content/content.h"

#include "base/text.h"
#include "native/content/reader.h"
#include "native/data/dataset.h"

#include <string.h>

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

pique_status pq_content_bake(const pq_corpus *corpus, const pique_content_options *options,
                             const float *vectors, void **bytes, size_t *size) {
    pq_ctx *ctx = corpus->ctx;
    const pq_reader_options reader = {.dim = options->dim,
                                      .interests = options->interests,
                                      .seed = options->seed,
                                      .metrics = "{}",
                                      .card = "Vectors of texts and tags (pique content): no "
                                              "interactions were seen. Related items are those "
                                              "that share words; a history is the faded mean of "
                                              "its items, or several of them."};
    pique_dataset *data = pq_alloc(ctx, 1, sizeof(*data));
    if (!data) {
        return PIQUE_NO_MEMORY;
    }
    data->ctx = ctx;
    pq_strings_init(&data->items, ctx);
    pq_strings_init(&data->users, ctx);
    pique_status status = describe(data, corpus);
    if (status == PIQUE_OK) {
        status = pq_reader_bake(data, &reader, vectors, bytes, size);
    }
    pq_dataset_free(data);
    return status;
}
