#include "native/content/reader.h"

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

static pique_status configure(pq_model *m, const pq_reader_options *options) {
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
static pique_status fill(pq_model *m, uint32_t items, const pq_reader_options *options,
                         const float *vectors) {
    const uint32_t d = options->dim;
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

static pique_status make(pq_model *m, const pique_dataset *data, const pq_reader_options *options,
                         const float *vectors, void **bytes, size_t *size) {
    const pq_bake_options bake = {.metrics = options->metrics, .card = options->card};
    PQ_TRY(configure(m, options));
    PQ_TRY(fill(m, data->items.count, options, vectors));
    return pq_bake(m, data, &bake, bytes, size);
}

/* Rows are scaled once more when they are baked: by scalar code, so that the file is the same everywhere. */
pique_status pq_reader_bake(const pique_dataset *data, const pq_reader_options *options,
                            const float *vectors, void **bytes, size_t *size) {
    pq_ctx *ctx = data->ctx;
    const pq_kernels *chosen = ctx->kernels;
    pq_model m;
    pique_status status = pq_model_init(&m, ctx, pq_model_find("mind", strlen("mind")), "best");
    if (status == PIQUE_OK) {
        ctx->kernels = pq_kernels_find("scalar");
        status = make(&m, data, options, vectors, bytes, size);
        ctx->kernels = chosen;
    }
    pq_model_free(&m);
    return status;
}
