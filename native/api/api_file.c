/* api_file.c — model files on disk: reading, and writing again with other item rows. */
#include <string.h>

#include "base/arena.h"
#include "base/half.h"
#include "file/container.h"
#include "file/layout.h"
#include "native/data/fileio.h"
#include "native/quant/quantise.h"
#include "pique_train.h"

/* Largest unpacked model: keeps a small hostile file from filling the memory. */
#define MODEL_LIMIT ((size_t)UINT32_MAX)

/* The message of a damaged file, with its name in front. */
static pique_status name_file(pq_ctx *ctx, pique_status status, const char *path) {
    bool of_contents =
        status == PIQUE_CORRUPT || status == PIQUE_VERSION || status == PIQUE_UNSUPPORTED;
    if (of_contents && !strstr(ctx->error, path)) {
        return pq_fail(ctx, status, "%s: %.400s", path, ctx->error);
    }
    return status;
}

pique_status pique_model_read(pique_context *ctx, const char *path, pique_model **out) {
    void *bytes;
    size_t size;
    *out = NULL;
    PQ_TRY(pq_file_read(ctx, path, MODEL_LIMIT, &bytes, &size));
    return name_file(ctx, pique_model_open(ctx, bytes, size, out), path);
}

typedef struct {
    pq_ctx *ctx;
    const pq_container *container;
    pq_writer writer;
    pq_arena arena; /* names and converted rows */
    bool to_int8;
} export;

static bool is_item_rows(const char *name) {
    return strcmp(name, PQ_ITEM_WEIGHT) == 0 || strcmp(name, PQ_BEHAVIOUR_WEIGHT) == 0;
}

/* Which bucket a number falls into must not hang on the kind of file. */
static bool is_bounds(const char *name) {
    size_t size = strlen(name), ending = strlen(PQ_BOUNDS_SUFFIX);
    return size >= ending && strcmp(name + size - ending, PQ_BOUNDS_SUFFIX) == 0;
}

static char *keep(export *e, const char *bytes, size_t size, const char *suffix) {
    char *name = pq_arena_take(&e->arena, size + strlen(suffix) + 1, 1);
    if (name) {
        memcpy(name, bytes, size);
        memcpy(name + size, suffix, strlen(suffix) + 1);
    }
    return name;
}

/* Beside int8 rows the other floats are stored in half precision, where it can hold them: at 11 bits they
 * are still finer than the rows. `least` bounds from below what may be rounded to a multiple of 2^-24. */
static bool fits_half(const float *values, size_t count, float least) {
    for (size_t i = 0; i < count; i++) {
        float size = values[i] < 0 ? -values[i] : values[i];
        if (!(size <= PQ_HALF_MAX) || (size > 0 && size < least)) {
            return false;
        }
    }
    return true;
}

static pique_status add_floats(export *e, const char *name, const pq_tensor *shape,
                               const float *values, float least) {
    uint32_t cols = shape->rank == 2 ? shape->shape[1] : 0;
    size_t count = (size_t)shape->shape[0] * (cols ? cols : 1);
    if (!fits_half(values, count, least)) {
        pq_writer_tensor(&e->writer, name, PQ_F32, shape->shape[0], cols, values);
        return PIQUE_OK;
    }
    uint16_t *halves = pq_arena_take(&e->arena, count, sizeof(*halves));
    if (!halves) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        halves[i] = pq_half_from_float(values[i]);
    }
    pq_writer_tensor(&e->writer, name, PQ_F16, shape->shape[0], cols, halves);
    return PIQUE_OK;
}

/* Item rows in the kind asked for. */
static pique_status export_rows(export *e, const char *name, const pq_tensor *tensor) {
    uint32_t rows = tensor->shape[0], cols = tensor->shape[1];
    char *scale_name = keep(e, name, strlen(name), PQ_SCALE_SUFFIX);
    if (!scale_name) {
        return PIQUE_NO_MEMORY;
    }
    if (e->to_int8 && tensor->dtype == PQ_F32) {
        int8_t *codes = pq_arena_take(&e->arena, tensor->count, sizeof(*codes));
        float *scales = pq_arena_take(&e->arena, rows, sizeof(*scales));
        if (!codes || !scales) {
            return PIQUE_NO_MEMORY;
        }
        pq_quantise_rows(tensor->data, rows, cols, false, codes, scales);
        if (fits_half(scales, rows, PQ_HALF_MIN_NORMAL)) {
            pq_quantise_rows(tensor->data, rows, cols, true, codes, scales);
        }
        pq_writer_tensor(&e->writer, name, PQ_I8, rows, cols, codes);
        pq_tensor shape = {.rank = 1, .shape = {rows}};
        return add_floats(e, scale_name, &shape, scales, PQ_HALF_MIN_NORMAL);
    }
    if (!e->to_int8 && tensor->dtype == PQ_I8) {
        PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED,
                "tensor \"%s\" is int8 already: what rounding took cannot be brought back", name);
    }
    pq_writer_tensor(&e->writer, name, tensor->dtype, rows, cols, tensor->data);
    return PIQUE_OK;
}

static pique_status export_tensors(export *e) {
    for (uint32_t i = 0; i < e->container->count; i++) {
        const pq_tensor *tensor = &e->container->tensors[i];
        char *name = keep(e, tensor->name.bytes, tensor->name.size, "");
        if (!name) {
            return PIQUE_NO_MEMORY;
        }
        if (tensor->rank == 0 || tensor->rank > 2) {
            PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED, "tensor \"%s\" has %u dimensions", name,
                    (unsigned)tensor->rank);
        }
        if (is_item_rows(name)) {
            PQ_TRY(export_rows(e, name, tensor));
        } else if (e->to_int8 && tensor->dtype == PQ_F32 && !is_bounds(name)) {
            PQ_TRY(add_floats(e, name, tensor, tensor->data, 0));
        } else {
            pq_writer_tensor(&e->writer, name, tensor->dtype, tensor->shape[0],
                             tensor->rank == 2 ? tensor->shape[1] : 0, tensor->data);
        }
    }
    return PIQUE_OK;
}

static pique_status export_metadata(export *e) {
    const pq_json *json = &e->container->json;
    int object = e->container->metadata;
    int at = pq_json_first(json, object);
    for (int i = 0; i < pq_json_size(json, object); i++, at = pq_json_next(json, at)) {
        size_t size = 0;
        char *key = pq_json_string(json, at, &size);
        char *value = NULL;
        pique_status status = key ? pq_container_text(e->container, key, &value) : PIQUE_NO_MEMORY;
        if (status == PIQUE_OK && value) {
            bool quant = strcmp(key, "pique.quant") == 0;
            const char *text = quant ? (e->to_int8 ? "int8" : "f32") : value;
            pq_writer_text(&e->writer, key, text, strlen(text));
        }
        pq_free(e->ctx, key);
        pq_free(e->ctx, value);
        PQ_TRY(status);
    }
    return PIQUE_OK;
}

static pique_status export_to(export *e, const char *out) {
    void *bytes = NULL;
    size_t size;
    PQ_TRY(export_metadata(e));
    PQ_TRY(export_tensors(e));
    PQ_TRY(pq_writer_build(&e->writer, &bytes, &size));
    pique_status status = pq_file_write(e->ctx, out, bytes, size, true);
    pq_free(e->ctx, bytes);
    return status;
}

/* Opens the file as a model first: what is not one is not written again. */
static pique_status check_model(pq_ctx *ctx, const char *path) {
    pique_model *model;
    PQ_TRY(pique_model_read(ctx, path, &model));
    pique_model_free(model);
    return PIQUE_OK;
}

pique_status pique_model_export(pique_context *ctx, const char *path, const char *quant,
                                const char *out) {
    pq_container container = {0};
    export e = {.ctx = ctx, .container = &container, .to_int8 = strcmp(quant, "int8") == 0};
    void *bytes = NULL;
    size_t size;
    if (!e.to_int8 && strcmp(quant, "f32") != 0) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "item rows can be \"f32\" or \"int8\", not \"%.40s\"", quant);
    }
    PQ_TRY(check_model(ctx, path));
    pq_writer_init(&e.writer, ctx);
    pq_arena_init(&e.arena, ctx);
    pique_status status = pq_file_read(ctx, path, MODEL_LIMIT, &bytes, &size);
    if (status == PIQUE_OK) {
        status = name_file(ctx, pq_container_open(ctx, bytes, size, &container), path);
    }
    if (status == PIQUE_OK) {
        status = export_to(&e, out);
    }
    pq_container_close(&container);
    pq_arena_free(&e.arena);
    pq_writer_free(&e.writer);
    pq_free(ctx, bytes);
    return status;
}
