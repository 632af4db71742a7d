#include "native/export/convert.h"

#include <string.h>

#include "base/half.h"
#include "file/layout.h"
#include "native/quant/quantise.h"

/* Below so many columns a scale a row takes as much as the codes save. */
#define LEAST_INT8_COLUMNS 8

void pq_conversion_init(pq_conversion *c, pq_ctx *ctx, const pq_container *from,
                        const pq_scheme *scheme, pq_coder *coder) {
    *c = (pq_conversion){.ctx = ctx, .from = from, .scheme = *scheme, .coder = coder};
    pq_arena_init(&c->arena, ctx);
    pq_writer_init(&c->writer, ctx);
}

void pq_conversion_free(pq_conversion *c) {
    if (c->ctx) {
        pq_writer_free(&c->writer);
        pq_arena_free(&c->arena);
    }
}

static bool ends_with(const char *name, const char *ending) {
    size_t size = strlen(name), length = strlen(ending);
    return size >= length && strcmp(name + size - length, ending) == 0;
}

static bool is_rows(const char *name) {
    return strcmp(name, PQ_ITEM_WEIGHT) == 0 || strcmp(name, PQ_BEHAVIOUR_WEIGHT) == 0;
}

static char *join(pq_arena *arena, const char *bytes, size_t size, const char *suffix) {
    char *name = pq_arena_take(arena, size + strlen(suffix) + 1, 1);
    if (name) {
        memcpy(name, bytes, size);
        memcpy(name + size, suffix, strlen(suffix) + 1);
    }
    return name;
}

static char *scale_of(pq_conversion *c, const char *name) {
    return join(&c->arena, name, strlen(name), PQ_SCALE_SUFFIX);
}

/* ---- floats ---- */

/* `least` bounds from below what may be rounded to a multiple of 2^-24. */
static bool fits_half(const float *values, size_t count, float least) {
    for (size_t i = 0; i < count; i++) {
        float size = values[i] < 0 ? -values[i] : values[i];
        if (!(size <= PQ_HALF_MAX) || (size > 0 && size < least)) {
            return false;
        }
    }
    return true;
}

/* As F16 where halves can hold the numbers, else as F32; cols 0: rank 1. */
static pique_status add_halves(pq_conversion *c, const char *name, uint32_t rows, uint32_t cols,
                               const float *values, float least) {
    size_t count = (size_t)rows * (cols ? cols : 1);
    if (!fits_half(values, count, least)) {
        pq_writer_tensor(&c->writer, name, PQ_F32, rows, cols, values);
        return PIQUE_OK;
    }
    uint16_t *halves = pq_arena_take(&c->arena, count, sizeof(*halves));
    if (!halves) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        halves[i] = pq_half_from_float(values[i]);
    }
    pq_writer_tensor(&c->writer, name, PQ_F16, rows, cols, halves);
    return PIQUE_OK;
}

static pique_status add_int8(pq_conversion *c, const char *name, uint32_t rows, uint32_t cols,
                             const float *values) {
    const char *scale_name = scale_of(c, name);
    int8_t *codes = pq_arena_take(&c->arena, (size_t)rows * cols, sizeof(*codes));
    float *scales = pq_arena_take(&c->arena, rows, sizeof(*scales));
    if (!scale_name || !codes || !scales) {
        return PIQUE_NO_MEMORY;
    }
    pq_quantise_rows(values, rows, cols, false, codes, scales);
    if (fits_half(scales, rows, PQ_HALF_MIN_NORMAL)) {
        pq_quantise_rows(values, rows, cols, true, codes, scales);
    }
    pq_writer_tensor(&c->writer, name, PQ_I8, rows, cols, codes);
    return add_halves(c, scale_name, rows, 0, scales, PQ_HALF_MIN_NORMAL);
}

static pique_status add_int4(pq_conversion *c, const char *name, uint32_t rows, uint32_t cols,
                             const float *values) {
    const uint32_t bytes = (uint32_t)pq_int4_bytes(cols), groups = pq_int4_groups(cols);
    const size_t count = (size_t)rows * groups;
    const char *scale_name = scale_of(c, name);
    uint8_t *codes = pq_arena_take(&c->arena, (size_t)rows * bytes, sizeof(*codes));
    float *scales = pq_arena_take(&c->arena, count, sizeof(*scales));
    if (!scale_name || !codes || !scales) {
        return PIQUE_NO_MEMORY;
    }
    pq_int4_encode(values, rows, cols, false, codes, scales);
    if (fits_half(scales, count, PQ_HALF_MIN_NORMAL)) {
        pq_int4_encode(values, rows, cols, true, codes, scales);
    }
    pq_writer_tensor(&c->writer, name, PQ_U8, rows, bytes, codes);
    return add_halves(c, scale_name, rows, groups, scales, PQ_HALF_MIN_NORMAL);
}

/* ---- item rows ---- */

pq_rows pq_rows_of(const pq_container *from, const char *name) {
    const pq_tensor *rows = pq_container_find(from, name);
    switch (rows ? rows->dtype : PQ_DTYPE_COUNT) {
    case PQ_F32:
        return PQ_ROWS_F32;
    case PQ_F16:
        return PQ_ROWS_F16;
    case PQ_I8:
        return PQ_ROWS_INT8;
    case PQ_U8:
        return PQ_ROWS_INT4;
    default:
        return PQ_ROWS_NONE;
    }
}

pique_status pq_read_rows(pq_arena *arena, const pq_container *from, const char *name, float **out,
                          uint32_t *rows, uint32_t *width) {
    const pq_tensor *tensor = pq_container_find(from, name);
    const char *scale_name = join(arena, name, strlen(name), PQ_SCALE_SUFFIX);
    const pq_tensor *scale = scale_name ? pq_container_find(from, scale_name) : NULL;
    *rows = tensor->shape[0];
    *width = tensor->shape[1];
    *out = pq_arena_take(arena, tensor->count, sizeof(**out));
    if (!*out || !scale_name) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < tensor->count; i++) {
        switch (tensor->dtype) {
        case PQ_F32:
            (*out)[i] = ((const float *)tensor->data)[i];
            break;
        case PQ_F16:
            (*out)[i] = pq_half_to_float(((const uint16_t *)tensor->data)[i]);
            break;
        default: { /* int8: the model was opened before, so the scales are there */
            size_t row = i / *width;
            float factor = scale->dtype == PQ_F16
                               ? pq_half_to_float(((const uint16_t *)scale->data)[row])
                               : ((const float *)scale->data)[row];
            (*out)[i] = (float)((const int8_t *)tensor->data)[i] * factor;
        }
        }
    }
    return PIQUE_OK;
}

static const char *const row_names[] = {"f32", "f16", "int8", "int4", "codes"};

/* Rows as they are, or narrower. */
static pique_status add_rows(pq_conversion *c, const char *name, pq_rows kind) {
    const pq_tensor *tensor = pq_container_find(c->from, name);
    const pq_rows has = pq_rows_of(c->from, name);
    if (has > kind) {
        PQ_FAIL(c->ctx, PIQUE_UNSUPPORTED,
                "tensor \"%s\" is %s already: what rounding took cannot be brought back", name,
                row_names[has]);
    }
    float *values;
    uint32_t rows, width;
    if (has == kind) { /* the scales follow when their turn comes */
        pq_writer_tensor(&c->writer, name, tensor->dtype, tensor->shape[0], tensor->shape[1],
                         tensor->data);
        return PIQUE_OK;
    }
    PQ_TRY(pq_read_rows(&c->arena, c->from, name, &values, &rows, &width));
    switch (kind) {
    case PQ_ROWS_F16:
        return add_halves(c, name, rows, width, values, 0);
    case PQ_ROWS_INT8:
        return add_int8(c, name, rows, width, values);
    default:
        return add_int4(c, name, rows, width, values);
    }
}

static pique_status add_codes(pq_conversion *c) {
    const pq_coded *coded;
    if (pq_rows_of(c->from, PQ_ITEM_WEIGHT) > PQ_ROWS_INT8) {
        PQ_FAIL(c->ctx, PIQUE_UNSUPPORTED,
                "tensor \"" PQ_ITEM_WEIGHT "\" is too coarse to fit codes to: export from f32");
    }
    const pq_tensor *tensor = pq_container_find(c->from, PQ_ITEM_WEIGHT);
    const uint32_t rows = tensor->shape[0], width = tensor->shape[1];
    PQ_TRY(pq_scheme_check_width(c->ctx, &c->scheme, width));
    coded = pq_coder_find(c->coder, c->scheme.bytes);
    if (!coded) {
        float *values;
        uint32_t count, cols;
        PQ_TRY(pq_read_rows(&c->arena, c->from, PQ_ITEM_WEIGHT, &values, &count, &cols));
        PQ_TRY(pq_coder_fit(c->coder, values, rows, width, c->scheme.bytes, &coded));
    }
    pq_writer_tensor(&c->writer, PQ_ITEM_CODES, PQ_U8, rows, c->scheme.bytes, coded->codes);
    return add_int8(c, PQ_ITEM_CODEBOOK, 2 * c->scheme.bytes * PQ_TABLE_CENTROIDS, width,
                    coded->centroids);
}

/* Behaviours are looked up and never scanned: beside codes alone they are int4. */
static pq_rows kind_wanted(const pq_conversion *c, const char *name) {
    bool items = strcmp(name, PQ_ITEM_WEIGHT) == 0;
    return !items && c->scheme.rows == PQ_ROWS_NONE ? PQ_ROWS_INT4 : c->scheme.rows;
}

static pique_status add_item_rows(pq_conversion *c, const char *name) {
    const pq_rows kind = kind_wanted(c, name);
    if (strcmp(name, PQ_ITEM_WEIGHT) == 0 && c->scheme.bytes &&
        !pq_container_find(c->from, PQ_ITEM_CODES)) {
        PQ_TRY(add_codes(c));
    }
    return kind == PQ_ROWS_NONE ? PIQUE_OK : add_rows(c, name, kind);
}

/* The rows whose scales these are; NULL for any other name. */
static const char *rows_of_scales(const char *name) {
    static const char *const rows[] = {PQ_ITEM_WEIGHT, PQ_BEHAVIOUR_WEIGHT};
    for (size_t i = 0; i < PQ_COUNT(rows); i++) {
        size_t size = strlen(rows[i]);
        if (strncmp(name, rows[i], size) == 0 && strcmp(name + size, PQ_SCALE_SUFFIX) == 0) {
            return rows[i];
        }
    }
    return NULL;
}

/* ---- the whole file ---- */

/* What numbers are encoded with: which bucket one falls into must not hang on the kind of file. */
static bool is_of_encoder(const char *name) {
    return ends_with(name, PQ_BOUNDS_SUFFIX) || ends_with(name, PQ_QUANTILES_SUFFIX) ||
           ends_with(name, PQ_MISSING_SUFFIX);
}

/* A parameter or a list. */
static pique_status add_other(pq_conversion *c, const char *name, const pq_tensor *tensor) {
    const uint32_t rows = tensor->shape[0], cols = tensor->rank == 2 ? tensor->shape[1] : 0;
    bool number = tensor->dtype == PQ_F32 && !is_of_encoder(name);
    if (number && strcmp(name, PQ_ITEM_CODEBOOK) == 0) {
        return add_int8(c, name, rows, cols, tensor->data);
    }
    if (number && c->scheme.dense == PQ_DENSE_INT8 && rows > 1 && cols >= LEAST_INT8_COLUMNS) {
        return add_int8(c, name, rows, cols, tensor->data);
    }
    if (number && c->scheme.dense != PQ_DENSE_F32) {
        return add_halves(c, name, rows, cols, tensor->data, 0);
    }
    pq_writer_tensor(&c->writer, name, tensor->dtype, rows, cols, tensor->data);
    return PIQUE_OK;
}

static pique_status add_tensors(pq_conversion *c) {
    for (uint32_t i = 0; i < c->from->count; i++) {
        const pq_tensor *tensor = &c->from->tensors[i];
        const char *name = join(&c->arena, tensor->name.bytes, tensor->name.size, "");
        if (!name) {
            return PIQUE_NO_MEMORY;
        }
        if (tensor->rank == 0 || tensor->rank > 2) {
            PQ_FAIL(c->ctx, PIQUE_UNSUPPORTED, "tensor \"%s\" has %u dimensions", name,
                    (unsigned)tensor->rank);
        }
        const char *rows = rows_of_scales(name);
        if (strcmp(name, PQ_ITEM_BLOCKS) == 0 || strcmp(name, PQ_ITEM_CENTROIDS) == 0 ||
            strcmp(name, PQ_PADDING) == 0) {
            continue; /* of a file of blocks: they fit its rows alone */
        }
        if (is_rows(name)) {
            PQ_TRY(add_item_rows(c, name));
        } else if (!rows || pq_rows_of(c->from, rows) == kind_wanted(c, rows)) {
            PQ_TRY(add_other(c, name, tensor));
        }
    }
    return PIQUE_OK;
}

/* The card with a line about the loss; each line of a card stands for itself. */
static pique_status add_card(pq_conversion *c, const char *card, const char *line) {
    pq_text text;
    pq_text_init(&text, c->ctx);
    pq_text_bytes(&text, card, strlen(card));
    pq_text_bytes(&text, line, strlen(line));
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK) {
        pq_writer_text(&c->writer, "pique.card", text.data ? text.data : "", text.size);
    }
    pq_text_free(&text);
    return status;
}

static pique_status add_entry(pq_conversion *c, const char *key, const char *value,
                              const char *loss, const char *line) {
    pq_writer *w = &c->writer;
    if (strcmp(key, "pique.quant") == 0) {
        pq_writer_text(w, key, c->scheme.name, strlen(c->scheme.name));
        if (loss) {
            pq_writer_text(w, PQ_LOSS_KEY, loss, strlen(loss));
        }
    } else if (strcmp(key, "pique.card") == 0 && line) {
        return add_card(c, value, line);
    } else if (strcmp(key, PQ_LOSS_KEY) != 0) {
        pq_writer_text(w, key, value, strlen(value));
    }
    return PIQUE_OK;
}

static pique_status add_metadata(pq_conversion *c, const char *loss, const char *line) {
    const pq_json *json = &c->from->json;
    int object = c->from->metadata, at = pq_json_first(json, object);
    pq_text_free(&c->writer.metadata);
    for (int i = 0; i < pq_json_size(json, object); i++, at = pq_json_next(json, at)) {
        size_t size = 0;
        char *key = pq_json_string(json, at, &size), *value = NULL;
        pique_status status = key ? pq_container_text(c->from, key, &value) : PIQUE_NO_MEMORY;
        if (status == PIQUE_OK && value) {
            status = add_entry(c, key, value, loss, line);
        }
        pq_free(c->ctx, key);
        pq_free(c->ctx, value);
        PQ_TRY(status);
    }
    return PIQUE_OK;
}

bool pq_keeps_codes(const pq_container *from, const pq_scheme *scheme) {
    const pq_tensor *codes = pq_container_find(from, PQ_ITEM_CODES);
    return codes && codes->rank == 2 && codes->shape[1] == scheme->bytes &&
           pq_rows_of(from, PQ_ITEM_WEIGHT) == scheme->rows;
}

static pique_status check_codes(const pq_conversion *c) {
    if (pq_container_find(c->from, PQ_ITEM_CODES) && !pq_keeps_codes(c->from, &c->scheme)) {
        PQ_FAIL(c->ctx, PIQUE_UNSUPPORTED,
                "the file has codes of items already, which can only stay as they are: "
                "export %s from an f32 file",
                c->scheme.name);
    }
    return PIQUE_OK;
}

pique_status pq_convert(pq_conversion *c) {
    PQ_TRY(check_codes(c));
    return add_tensors(c);
}

pique_status pq_conversion_build(pq_conversion *c, const char *loss, const char *line, void **bytes,
                                 size_t *size) {
    *bytes = NULL;
    PQ_TRY(add_metadata(c, loss, line));
    return pq_writer_build(&c->writer, bytes, size);
}
