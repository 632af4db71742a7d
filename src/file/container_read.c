/* container_read.c — opens a safetensors container from bytes that may be anything. Nothing of the
 * header is believed before it has been checked against the size of the whole. */
#include "file/container.h"
#include "file/layout.h"

#include <string.h>

#define LENGTH_BYTES 8
#define MAX_HEADER 100000000u /* the limit of the safetensors format */

/* A name in a message, cut to a readable length. */
#define SHOWN(span) (int)PQ_MIN((span).size, 64), (span).bytes

static const struct {
    char name[4];
    uint8_t size;
} dtypes[PQ_DTYPE_COUNT] = {
    [PQ_F32] = {"F32", 4}, [PQ_F16] = {"F16", 2}, [PQ_I8] = {"I8", 1},   [PQ_U8] = {"U8", 1},
    [PQ_I32] = {"I32", 4}, [PQ_U32] = {"U32", 4}, [PQ_I64] = {"I64", 8}, [PQ_F64] = {"F64", 8},
};

size_t pq_dtype_size(pq_dtype dtype) {
    return dtypes[dtype].size;
}

const char *pq_dtype_name(pq_dtype dtype) {
    return dtypes[dtype].name;
}

static bool is_little_endian(void) {
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 1;
}

/* The header's length from the first eight bytes. */
static pique_status read_length(pq_ctx *ctx, const uint8_t *bytes, size_t *length) {
    uint64_t value = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    if (bytes[0] == 0x1f && bytes[1] == 0x8b) {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "the model file is still compressed with gzip");
    }
    if (value < 2 || value > MAX_HEADER) {
        PQ_FAIL(ctx, PIQUE_CORRUPT,
                "not a model file: it begins with no header length from 2 to %lu bytes",
                (unsigned long)MAX_HEADER);
    }
    *length = (size_t)value;
    return PIQUE_OK;
}

static pique_status refuse(const pq_container *c, const pq_tensor *tensor, const char *reason) {
    PQ_FAIL(c->ctx, PIQUE_CORRUPT, "tensor \"%.*s\": %s", SHOWN(tensor->name), reason);
}

static pique_status read_dtype(const pq_container *c, pq_tensor *tensor, int at) {
    pq_span span = pq_json_span(&c->json, at);
    for (int i = 0; i < PQ_DTYPE_COUNT && pq_json_is_string(&c->json, at); i++) {
        if (span.size == strlen(dtypes[i].name) &&
            memcmp(span.bytes, dtypes[i].name, span.size) == 0) {
            tensor->dtype = (pq_dtype)i;
            return PIQUE_OK;
        }
    }
    PQ_FAIL(c->ctx, PIQUE_CORRUPT, "tensor \"%.*s\": the element type %.*s is not known",
            SHOWN(tensor->name), SHOWN(span));
}

static pique_status read_shape(const pq_container *c, pq_tensor *tensor, int at) {
    const pq_json *json = &c->json;
    if (!pq_json_is_array(json, at)) {
        return refuse(c, tensor, "the shape is not an array");
    }
    if (pq_json_size(json, at) > PQ_TENSOR_RANK) {
        return refuse(c, tensor, "more than four dimensions");
    }
    tensor->count = 1;
    for (int i = pq_json_first(json, at); i >= 0; i = pq_json_next(json, i)) {
        uint64_t extent;
        if (!pq_json_unsigned(json, i, &extent) || extent > UINT32_MAX) {
            return refuse(c, tensor, "a dimension is not a whole number below 2^32");
        }
        if (extent && tensor->count > SIZE_MAX / 8 / extent) {
            return refuse(c, tensor, "the shape is too large");
        }
        tensor->count *= (size_t)extent;
        tensor->shape[tensor->rank++] = (uint32_t)extent;
    }
    return PIQUE_OK;
}

static pique_status read_offsets(const pq_container *c, pq_tensor *tensor, int at) {
    const pq_json *json = &c->json;
    uint64_t begin, end;
    bool good = pq_json_is_array(json, at) && pq_json_size(json, at) == 2 &&
                pq_json_unsigned(json, at + 1, &begin) && pq_json_unsigned(json, at + 2, &end) &&
                begin <= end && end <= SIZE_MAX / 2;
    if (!good) {
        return refuse(c, tensor, "data_offsets are not two rising whole numbers in range");
    }
    if (end - begin != tensor->count * pq_dtype_size(tensor->dtype)) {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT,
                "tensor \"%.*s\": the shape needs %lu bytes, the file has %lu", SHOWN(tensor->name),
                (unsigned long)(tensor->count * pq_dtype_size(tensor->dtype)),
                (unsigned long)(end - begin));
    }
    tensor->offset = (size_t)begin;
    return PIQUE_OK;
}

static bool has_escape(pq_span span) {
    for (size_t i = 0; i < span.size; i++) {
        if (span.bytes[i] == '\\') {
            return true;
        }
    }
    return false;
}

static pique_status read_tensor(const pq_container *c, pq_tensor *tensor, int key) {
    int value = key + 1;
    int dtype = pq_json_find(&c->json, value, "dtype");
    int shape = pq_json_find(&c->json, value, "shape");
    int offsets = pq_json_find(&c->json, value, "data_offsets");
    tensor->name = pq_json_span(&c->json, key);
    if (tensor->name.size == 0 || has_escape(tensor->name)) {
        return refuse(c, tensor, "the name is empty or has an escape");
    }
    if (dtype < 0 || shape < 0 || offsets < 0 || pq_json_size(&c->json, value) != 3) {
        return refuse(c, tensor, "not an object of dtype, shape and data_offsets");
    }
    PQ_TRY(read_dtype(c, tensor, dtype));
    PQ_TRY(read_shape(c, tensor, shape));
    return read_offsets(c, tensor, offsets);
}

/* No key of the object stands twice; `what` names its kind. */
static pique_status check_distinct(const pq_container *c, int object, const char *what) {
    pq_strings seen;
    pq_strings_init(&seen, c->ctx);
    pique_status status = PIQUE_OK;
    for (int at = pq_json_first(&c->json, object); at >= 0; at = pq_json_next(&c->json, at)) {
        pq_span key = pq_json_span(&c->json, at);
        uint32_t before = seen.count, number;
        PQ_TRY_GOTO(status, pq_strings_add(&seen, key.bytes, key.size, &number));
        if (seen.count == before) {
            status = pq_fail(c->ctx, PIQUE_CORRUPT, "%s \"%.*s\" stands twice", what, SHOWN(key));
            goto done;
        }
    }
done:
    pq_strings_free(&seen);
    return status;
}

static pique_status check_metadata(const pq_container *c) {
    if (!pq_json_is_object(&c->json, c->metadata)) {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT, "__metadata__ is not an object");
    }
    for (int at = pq_json_first(&c->json, c->metadata); at >= 0; at = pq_json_next(&c->json, at)) {
        if (!pq_json_is_string(&c->json, at + 1)) {
            PQ_FAIL(c->ctx, PIQUE_CORRUPT, "metadata \"%.*s\" is not a string",
                    SHOWN(pq_json_span(&c->json, at)));
        }
    }
    return check_distinct(c, c->metadata, "metadata");
}

/* By offset; an empty tensor stands before the one that begins at the same place. */
static bool stands_before(const pq_tensor *x, const pq_tensor *y) {
    return x->offset != y->offset ? x->offset < y->offset : x->count == 0 && y->count > 0;
}

/* Puts the tensor into the heap of `end` tensors whose place `at` is free. */
static void sink(pq_tensor *heap, uint32_t at, uint32_t end, pq_tensor tensor) {
    for (uint32_t child; (child = 2 * at + 1) < end; at = child) {
        child += child + 1 < end && stands_before(&heap[child], &heap[child + 1]);
        if (!stands_before(&tensor, &heap[child])) {
            break;
        }
        heap[at] = heap[child];
    }
    heap[at] = tensor;
}

/* Heap sort, so that no file's order makes it slow; the C library's qsort weighs four times as much. */
static void sort_by_offset(pq_tensor *tensors, uint32_t count) {
    for (uint32_t at = count / 2; at-- > 0;) {
        sink(tensors, at, count, tensors[at]);
    }
    for (uint32_t end = count; end-- > 1;) {
        pq_tensor last = tensors[end];
        tensors[end] = tensors[0];
        sink(tensors, 0, end, last);
    }
}

/* The tensors follow each other without gap or overlap; *size becomes the end of the last. */
static pique_status check_layout(const pq_container *c, size_t *size) {
    *size = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const pq_tensor *tensor = &c->tensors[i];
        if (tensor->offset != *size) {
            return refuse(c, tensor,
                          tensor->offset < *size ? "its data overlap the tensor before"
                                                 : "there is a gap before its data");
        }
        *size += tensor->count * pq_dtype_size(tensor->dtype);
    }
    return PIQUE_OK;
}

/* Fills the container from the header alone; *data_size: the bytes that must follow it. */
static pique_status read_header(pq_container *c, const char *header, size_t length,
                                size_t *data_size) {
    PQ_TRY(pq_json_parse(c->ctx, header, length, "header of the model file", &c->json));
    if (!pq_json_is_object(&c->json, PQ_JSON_ROOT) || header[0] != '{') {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT, "the header of the model file is not a JSON object");
    }
    PQ_TRY(check_distinct(c, PQ_JSON_ROOT, "tensor"));
    c->metadata = pq_json_find(&c->json, PQ_JSON_ROOT, "__metadata__");
    if (c->metadata >= 0) {
        PQ_TRY(check_metadata(c));
    }
    size_t members = (size_t)pq_json_size(&c->json, PQ_JSON_ROOT);
    c->tensors = pq_alloc(c->ctx, members, sizeof(*c->tensors));
    if (!c->tensors) {
        return PIQUE_NO_MEMORY;
    }
    int at = pq_json_first(&c->json, PQ_JSON_ROOT);
    for (; at >= 0; at = pq_json_next(&c->json, at)) {
        if (at + 1 != c->metadata) {
            PQ_TRY(read_tensor(c, &c->tensors[c->count], at));
            c->count++;
        }
    }
    sort_by_offset(c->tensors, c->count);
    return check_layout(c, data_size);
}

static bool is_aligned(const char *data, const pq_tensor *tensor) {
    return ((uintptr_t)(data + tensor->offset) & (pq_dtype_size(tensor->dtype) - 1)) == 0;
}

/* Points every tensor at its data, or at a copy where these do not stand aligned. */
static pique_status place_tensors(pq_container *c, char *data) {
    size_t copied = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const pq_tensor *tensor = &c->tensors[i];
        if (!is_aligned(data, tensor)) {
            copied += (tensor->count * pq_dtype_size(tensor->dtype) + 7) & ~(size_t)7;
        }
    }
    if (copied) {
        c->aside = pq_resize(c->ctx, NULL, copied, 1);
        if (!c->aside) {
            return PIQUE_NO_MEMORY;
        }
    }
    char *aside = c->aside;
    for (uint32_t i = 0; i < c->count; i++) {
        pq_tensor *tensor = &c->tensors[i];
        size_t size = tensor->count * pq_dtype_size(tensor->dtype);
        tensor->data = data + tensor->offset;
        if (!is_aligned(data, tensor)) {
            tensor->data = memcpy(aside, data + tensor->offset, size);
            aside += (size + 7) & ~(size_t)7;
        }
    }
    return PIQUE_OK;
}

pique_status pq_container_size(pq_ctx *ctx, const void *bytes, size_t count, size_t *total) {
    const char *text = bytes;
    size_t length = 0, data_size = 0;
    *total = 0;
    if (count < LENGTH_BYTES) {
        return PIQUE_OK;
    }
    PQ_TRY(read_length(ctx, bytes, &length));
    if (count > LENGTH_BYTES && text[LENGTH_BYTES] != '{') {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "not a model file: its header is no JSON object");
    }
    if (count - LENGTH_BYTES < length) {
        return PIQUE_OK;
    }
    pq_container c = {.ctx = ctx, .json = {.ctx = ctx}};
    pique_status status = read_header(&c, text + LENGTH_BYTES, length, &data_size);
    pq_container_close(&c);
    if (status == PIQUE_OK) {
        *total = LENGTH_BYTES + length + data_size;
    }
    return status;
}

static pique_status open_all(pq_container *c, char *bytes, size_t size) {
    size_t length = 0, data_size = 0;
    if (!is_little_endian()) {
        PQ_FAIL(c->ctx, PIQUE_UNSUPPORTED, "model files need a little-endian machine");
    }
    if (size < LENGTH_BYTES) {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT, "not a model file: it has only %lu bytes",
                (unsigned long)size);
    }
    PQ_TRY(read_length(c->ctx, (const uint8_t *)bytes, &length));
    if (length > size - LENGTH_BYTES) {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT, "the model file ends inside its header: %lu of %lu bytes",
                (unsigned long)size, (unsigned long)(LENGTH_BYTES + length));
    }
    PQ_TRY(read_header(c, bytes + LENGTH_BYTES, length, &data_size));
    if (data_size != size - LENGTH_BYTES - length) {
        PQ_FAIL(c->ctx, PIQUE_CORRUPT, "the model file has %lu bytes of data, its tensors need %lu",
                (unsigned long)(size - LENGTH_BYTES - length), (unsigned long)data_size);
    }
    return place_tensors(c, bytes + LENGTH_BYTES + length);
}

pique_status pq_container_open(pq_ctx *ctx, void *bytes, size_t size, pq_container *out) {
    *out = (pq_container){.ctx = ctx, .json = {.ctx = ctx}, .metadata = -1};
    pique_status status = open_all(out, bytes, size);
    if (status != PIQUE_OK) {
        pq_container_close(out);
    }
    return status;
}

void pq_container_close(pq_container *container) {
    pq_free(container->ctx, container->tensors);
    pq_free(container->ctx, container->aside);
    pq_json_free(&container->json);
    container->tensors = NULL;
    container->aside = NULL;
    container->count = 0;
    container->metadata = -1;
}

const pq_tensor *pq_container_find(const pq_container *container, const char *name) {
    size_t size = strlen(name);
    for (uint32_t i = 0; i < container->count; i++) {
        pq_span span = container->tensors[i].name;
        if (span.size == size && memcmp(span.bytes, name, size) == 0) {
            return &container->tensors[i];
        }
    }
    return NULL;
}

static bool has_shape(const pq_tensor *tensor, uint32_t rows, uint32_t cols) {
    return tensor->rank == (cols ? 2u : 1u) && tensor->shape[0] == rows && tensor->shape[1] == cols;
}

pique_status pq_container_get(const pq_container *container, const char *name, pq_dtype dtype,
                              uint32_t rows, uint32_t cols, const pq_tensor **out) {
    const pq_tensor *tensor = pq_container_find(container, name);
    if (!tensor) {
        PQ_FAIL(container->ctx, PIQUE_CORRUPT, "tensor \"%s\" is missing", name);
    }
    if (tensor->dtype != dtype) {
        PQ_FAIL(container->ctx, PIQUE_CORRUPT, "tensor \"%s\": element type %s where %s belongs",
                name, pq_dtype_name(tensor->dtype), pq_dtype_name(dtype));
    }
    if (!has_shape(tensor, rows, cols)) {
        /* A missing second dimension is written as 0. */
        PQ_FAIL(container->ctx, PIQUE_CORRUPT,
                "tensor \"%s\": shape %lu x %lu of %lu dimensions where %lu x %lu belongs", name,
                (unsigned long)tensor->shape[0], (unsigned long)tensor->shape[1],
                (unsigned long)tensor->rank, (unsigned long)rows, (unsigned long)cols);
    }
    *out = tensor;
    return PIQUE_OK;
}

static bool is_finite(const pq_tensor *tensor, size_t at) {
    switch (tensor->dtype) {
    case PQ_F16:
        return (((const uint16_t *)tensor->data)[at] & 0x7c00) != 0x7c00;
    case PQ_F32:
        return (((const uint32_t *)tensor->data)[at] & 0x7f800000) != 0x7f800000;
    case PQ_F64:
        return (((const uint64_t *)tensor->data)[at] >> 52 & 0x7ff) != 0x7ff;
    default:
        return true;
    }
}

pique_status pq_tensor_finite(pq_ctx *ctx, const pq_tensor *tensor) {
    for (size_t i = 0; i < tensor->count; i++) {
        if (!is_finite(tensor, i)) {
            PQ_FAIL(ctx, PIQUE_CORRUPT, "tensor \"%.*s\": element %lu is not a finite number",
                    SHOWN(tensor->name), (unsigned long)i);
        }
    }
    return PIQUE_OK;
}

pique_status pq_container_strings(const pq_container *container, const char *name,
                                  pq_strings *out) {
    pq_ctx *ctx = container->ctx;
    char offsets_name[80];
    size_t length = strlen(name);
    if (length + sizeof(PQ_OFFSETS_SUFFIX) > sizeof(offsets_name)) {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "tensor name \"%.40s\" is too long", name);
    }
    memcpy(offsets_name, name, length);
    memcpy(offsets_name + length, PQ_OFFSETS_SUFFIX, sizeof(PQ_OFFSETS_SUFFIX));
    const pq_tensor *bytes = pq_container_find(container, name);
    const pq_tensor *offsets = pq_container_find(container, offsets_name);
    if (!bytes || bytes->dtype != PQ_U8 || !offsets || offsets->dtype != PQ_U32 ||
        offsets->rank != 1 || offsets->count == 0) {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "tensors \"%s\" (U8) and \"%s\" (U32) are missing or not lists",
                name, offsets_name);
    }
    pique_status status = pq_strings_borrow(out, ctx, bytes->data, bytes->count, offsets->data,
                                            (uint32_t)(offsets->count - 1));
    if (status == PIQUE_CORRUPT) {
        char reason[200];
        memcpy(reason, ctx->error, sizeof(reason) - 1);
        reason[sizeof(reason) - 1] = 0;
        PQ_FAIL(ctx, PIQUE_CORRUPT, "tensor \"%s\": %s", name, reason);
    }
    return status;
}

pique_status pq_container_text(const pq_container *container, const char *key, char **out) {
    *out = NULL;
    int at = pq_json_find(&container->json, container->metadata, key);
    if (at < 0) {
        return PIQUE_OK;
    }
    *out = pq_json_string(&container->json, at, NULL);
    return *out ? PIQUE_OK : PIQUE_NO_MEMORY;
}
