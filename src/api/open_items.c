/* open_items.c — the tensors of numbers in a model file: parameters, and the items' rows in each of the kinds
 * that layout.h names. Every code and scale is checked, so that serving need not. */
#include <string.h>

#include "api/opened.h"
#include "base/format.h"
#include "base/half.h"

/* Room for a parameter's name and PQ_SCALE_SUFFIX. */
#define NAME 80

/* F32: the file's own bytes; F16: converted. */
static pique_status open_plain(pique_model *model, const char *name, uint32_t rows, uint32_t cols,
                               float **out) {
    const pq_tensor *tensor = pq_container_find(&model->container, name);
    pq_dtype dtype = tensor && tensor->dtype == PQ_F16 ? PQ_F16 : PQ_F32;
    PQ_TRY(pq_container_get(&model->container, name, dtype, rows, cols, &tensor));
    PQ_TRY(pq_tensor_finite(model->ctx, tensor));
    *out = tensor->data;
    if (dtype == PQ_F16) {
        const uint16_t *halves = tensor->data;
        *out = pq_arena_take(&model->floats, tensor->count, sizeof(**out));
        if (!*out) {
            return PIQUE_NO_MEMORY;
        }
        for (size_t i = 0; i < tensor->count; i++) {
            (*out)[i] = pq_half_to_float(halves[i]);
        }
    }
    return PIQUE_OK;
}

static pique_status open_scales(pique_model *model, const char *name, uint32_t rows, uint32_t cols,
                                float **out) {
    char scale_name[NAME];
    (void)pq_format(scale_name, sizeof(scale_name), "%s" PQ_SCALE_SUFFIX, name);
    PQ_TRY(open_plain(model, scale_name, rows, cols, out));
    size_t count = (size_t)rows * (cols ? cols : 1);
    for (size_t i = 0; i < count; i++) {
        if ((*out)[i] < 0) {
            PQ_FAIL(model->ctx, PIQUE_CORRUPT, "tensor \"%s\": scale %lu is negative", scale_name,
                    (unsigned long)i);
        }
    }
    return PIQUE_OK;
}

pique_status pq_open_floats(pique_model *model, const char *name, uint32_t rows, uint32_t cols,
                            float **out) {
    const pq_tensor *tensor = pq_container_find(&model->container, name);
    if (!tensor || tensor->dtype != PQ_I8 || !cols) {
        return open_plain(model, name, rows, cols, out);
    }
    float *scales;
    PQ_TRY(pq_container_get(&model->container, name, PQ_I8, rows, cols, &tensor));
    PQ_TRY(open_scales(model, name, rows, 0, &scales));
    *out = pq_arena_take(&model->floats, tensor->count, sizeof(**out));
    if (!*out) {
        return PIQUE_NO_MEMORY;
    }
    const int8_t *codes = tensor->data;
    for (size_t i = 0; i < tensor->count; i++) {
        (*out)[i] = (float)codes[i] * scales[i / cols];
    }
    return PIQUE_OK;
}

/* Halves of bytes are codes + 8 from 1 to 15; what fills up a row of an odd width is 0 + 8. */
static pique_status check_int4(pq_ctx *ctx, const char *name, const uint8_t *codes, uint32_t rows,
                               uint32_t cols) {
    const size_t bytes = (cols + (size_t)1) / 2;
    for (size_t i = 0; i < rows * bytes; i++) {
        bool last = cols % 2 && i % bytes == bytes - 1;
        if (!(codes[i] & 15) || !(codes[i] >> 4) || (last && codes[i] >> 4 != 8)) {
            PQ_FAIL(ctx, PIQUE_CORRUPT, "tensor \"%s\": byte %lu has no int4 code", name,
                    (unsigned long)i);
        }
    }
    return PIQUE_OK;
}

static pq_table_kind kind_of(const pq_tensor *tensor) {
    switch (tensor ? tensor->dtype : PQ_F32) {
    case PQ_F16:
        return PQ_TABLE_F16;
    case PQ_I8:
        return PQ_TABLE_I8;
    case PQ_U8:
        return PQ_TABLE_I4;
    default:
        return PQ_TABLE_F32;
    }
}

pique_status pq_check_rows(const pique_model *model, const pq_tensor *rows) {
    return model->rows->kind == PQ_TABLE_I4
               ? check_int4(model->ctx, PQ_ITEM_WEIGHT, rows->data, rows->shape[0], model->m.width)
               : pq_tensor_finite(model->ctx, rows);
}

/* later: they come in blocks. */
static pique_status open_rows(pique_model *model, const char *name, uint32_t cols, bool later,
                              pq_table *out) {
    static const pq_dtype dtypes[] = {PQ_F32, PQ_F16, PQ_I8, PQ_U8};
    const uint32_t rows = model->m.items.rows;
    const pq_tensor *tensor = pq_container_find(&model->container, name);
    const pq_table_kind kind = kind_of(tensor);
    const bool int4 = kind == PQ_TABLE_I4;
    float *scales = NULL;
    PQ_TRY(pq_container_get(&model->container, name, dtypes[kind], rows,
                            int4 ? cols / 2 + cols % 2 : cols, &tensor));
    if (int4) {
        uint32_t groups = (cols + PQ_TABLE_GROUP - 1) / PQ_TABLE_GROUP;
        PQ_TRY(later ? PIQUE_OK : check_int4(model->ctx, name, tensor->data, rows, cols));
        PQ_TRY(open_scales(model, name, rows, groups, &scales));
    } else if (kind == PQ_TABLE_I8) {
        PQ_TRY(open_scales(model, name, rows, 0, &scales));
    } else if (!later) {
        PQ_TRY(pq_tensor_finite(model->ctx, tensor));
    }
    return pq_table_open(model->ctx, out,
                         &(pq_table_parts){.kind = kind,
                                           .rows = rows,
                                           .cols = cols,
                                           .data = tensor->data,
                                           .later = later,
                                           .scales = scales});
}

static pique_status open_codes(pique_model *model, const pq_tensor *codes, bool later) {
    const uint32_t rows = model->m.items.rows, cols = model->m.width;
    const uint32_t bytes = codes->rank == 2 ? codes->shape[1] : 0;
    /* At most a byte for two columns; a file may name any number. */
    if (bytes == 0 || bytes > cols / 2) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT,
                "tensor \"" PQ_ITEM_CODES "\": %lu bytes an item of width %lu",
                (unsigned long)bytes, (unsigned long)cols);
    }
    float *centroids;
    PQ_TRY(pq_container_get(&model->container, PQ_ITEM_CODES, PQ_U8, rows, bytes, &codes));
    PQ_TRY(
        pq_open_floats(model, PQ_ITEM_CODEBOOK, 2 * bytes * PQ_TABLE_CENTROIDS, cols, &centroids));
    return pq_table_open(model->ctx, &model->codes,
                         &(pq_table_parts){.kind = PQ_TABLE_PQ,
                                           .rows = rows,
                                           .cols = cols,
                                           .data = codes->data,
                                           .later = later,
                                           .codebooks = 2 * bytes,
                                           .centroids = centroids});
}

pique_status pq_open_items(pique_model *model) {
    pq_items *items = &model->m.items;
    const pq_tensor *codes = pq_container_find(&model->container, PQ_ITEM_CODES);
    const bool alone = codes && !pq_container_find(&model->container, PQ_ITEM_WEIGHT);
    const bool later = model->absent != NULL;
    if (codes) {
        PQ_TRY(open_codes(model, codes, alone && later));
    }
    if (!alone) {
        PQ_TRY(open_rows(model, PQ_ITEM_WEIGHT, model->m.width, later, &model->vectors));
        model->shortlist = codes ? &model->codes : NULL;
        items->codes = model->shortlist;
    }
    model->rows = alone ? &model->codes : &model->vectors;
    model->rows->absent = model->absent;
    items->vectors = model->rows;
    if (pq_items_own_behaviours(items)) {
        PQ_TRY(open_rows(model, PQ_BEHAVIOUR_WEIGHT, pq_items_width(items), false,
                         &model->behaviours));
        items->behaviours = &model->behaviours;
    } else if (items->normalise) {
        float *lengths;
        PQ_TRY(pq_open_floats(model, PQ_ITEM_LENGTH, items->rows, 0, &lengths));
        items->lengths = lengths;
    }
    return PIQUE_OK;
}

void pq_find_width(pique_model *model) {
    static const char *const names[] = {PQ_BEHAVIOUR_WEIGHT, PQ_ITEM_WEIGHT, PQ_ITEM_CODEBOOK};
    pq_items *items = &model->m.items;
    for (size_t i = 0; i < PQ_COUNT(names) && !items->baked_width; i++) {
        const pq_tensor *rows = pq_container_find(&model->container, names[i]);
        if (rows && rows->rank == 2) {
            items->baked_halves = rows->dtype == PQ_U8;
            items->baked_width = rows->shape[1];
        }
    }
}

void pq_write_scheme(const pique_model *model, pq_text *out) {
    static const char *const kinds[] = {"f32", "f16", "int8", "int4"};
    const pq_table *rows = model->m.items.vectors;
    if (model->codes.rows) {
        pq_text_add(out, "pq%u", (unsigned)(model->codes.codebooks / 2));
    }
    if (rows->kind != PQ_TABLE_PQ) {
        pq_text_add(out, "%s%s", model->shortlist ? "+" : "", kinds[rows->kind]);
    }
}
