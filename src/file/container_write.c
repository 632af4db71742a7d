/* container_write.c — builds a safetensors container in memory. */
#include "file/container.h"
#include "file/layout.h"

#include <string.h>

#define ALIGNMENT 64

void pq_writer_init(pq_writer *writer, pq_ctx *ctx) {
    *writer = (pq_writer){.ctx = ctx};
    pq_text_init(&writer->metadata, ctx);
}

void pq_writer_free(pq_writer *writer) {
    pq_free(writer->ctx, writer->tensors);
    pq_text_free(&writer->metadata);
    pq_writer_init(writer, writer->ctx);
}

void pq_writer_text(pq_writer *writer, const char *key, const char *value, size_t size) {
    pq_text *metadata = &writer->metadata;
    if (metadata->size) {
        pq_text_bytes(metadata, ",", 1);
    }
    pq_text_json(metadata, key, strlen(key));
    pq_text_bytes(metadata, ":", 1);
    pq_text_json(metadata, value, size);
}

static pique_status add_tensor(pq_writer *writer, const pq_tensor *tensor) {
    void *block = writer->tensors;
    PQ_TRY(pq_reserve(writer->ctx, &block, &writer->capacity, writer->count + 1, sizeof(*tensor)));
    writer->tensors = block;
    writer->tensors[writer->count++] = *tensor;
    return PIQUE_OK;
}

void pq_writer_tensor(pq_writer *writer, const char *name, pq_dtype dtype, uint32_t rows,
                      uint32_t cols, const void *data) {
    pq_tensor tensor = {
        .name = {.bytes = name, .size = strlen(name)},
        .dtype = dtype,
        .rank = cols ? 2 : 1,
        .shape = {rows, cols},
        .data = (void *)data, /* only read */
    };
    uint64_t count = (uint64_t)rows * (cols ? cols : 1);
    if (writer->status != PIQUE_OK) {
        return;
    }
    if (count > SIZE_MAX / 16) {
        writer->status = pq_fail(writer->ctx, PIQUE_UNSUPPORTED,
                                 "tensor \"%s\" is too large for this machine", name);
        return;
    }
    tensor.count = (size_t)count;
    writer->status = add_tensor(writer, &tensor);
}

static size_t size_of(const pq_tensor *tensor) {
    return tensor->count * pq_dtype_size(tensor->dtype);
}

static bool is_last(const pq_writer *writer, const pq_tensor *tensor) {
    return writer->last && strcmp(tensor->name.bytes, writer->last) == 0;
}

/* The place of a tensor's kind in the file: the widest elements first, which keeps all aligned without
 * gaps, and behind them the one that is to be last. */
static unsigned turn(const pq_writer *writer, const pq_tensor *tensor) {
    size_t width = pq_dtype_size(tensor->dtype);
    return is_last(writer, tensor) ? 4 : width == 8 ? 0 : width == 4 ? 1 : width == 2 ? 2 : 3;
}

/* Brings the tensors into the order of the file; those of one kind keep theirs. */
static void sort(const pq_writer *writer) {
    pq_tensor *all = writer->tensors;
    for (size_t i = 1; i < writer->count; i++) {
        pq_tensor tensor = all[i];
        size_t at = i;
        for (; at > 0 && turn(writer, &all[at - 1]) > turn(writer, &tensor); at--) {
            all[at] = all[at - 1];
        }
        all[at] = tensor;
    }
}

/* Fills up what stands before the last tensor, so that this begins aligned. */
static pique_status pad(pq_writer *writer) {
    static const uint8_t zeros[8] = {0};
    size_t before = 0;
    for (size_t i = 0; writer->last && i < writer->count; i++) {
        before += is_last(writer, &writer->tensors[i]) ? 0 : size_of(&writer->tensors[i]) % 8;
    }
    if (before % 8) {
        pq_writer_tensor(writer, PQ_PADDING, PQ_U8, (uint32_t)(8 - before % 8), 0, zeros);
    }
    return writer->status;
}

/* Gives every tensor its place. */
static pique_status lay_out(pq_writer *writer, size_t *total) {
    PQ_TRY(pad(writer));
    sort(writer);
    *total = 0;
    for (size_t i = 0; i < writer->count; i++) {
        pq_tensor *tensor = &writer->tensors[i];
        if (size_of(tensor) > SIZE_MAX / 4 - *total) {
            PQ_FAIL(writer->ctx, PIQUE_UNSUPPORTED, "the model is too large for this machine");
        }
        tensor->offset = *total;
        *total += size_of(tensor);
    }
    return PIQUE_OK;
}

/* Eight bytes for the length, the JSON, and spaces up to the alignment. */
static void write_header(const pq_writer *writer, pq_text *out) {
    static const char spaces[ALIGNMENT] = "                                "
                                          "                               ";
    pq_text_bytes(out, spaces, 8);
    pq_text_bytes(out, "{\"__metadata__\":{", 17);
    pq_text_bytes(out, writer->metadata.data, writer->metadata.size);
    pq_text_bytes(out, "}", 1);
    for (size_t i = 0; i < writer->count; i++) {
        const pq_tensor *tensor = &writer->tensors[i];
        pq_text_bytes(out, ",", 1);
        pq_text_json(out, tensor->name.bytes, tensor->name.size);
        pq_text_add(out, ":{\"dtype\":\"%s\",\"shape\":[%lu", pq_dtype_name(tensor->dtype),
                    (unsigned long)tensor->shape[0]);
        if (tensor->rank == 2) {
            pq_text_add(out, ",%lu", (unsigned long)tensor->shape[1]);
        }
        pq_text_add(out, "],\"data_offsets\":[%lu,%lu]}", (unsigned long)tensor->offset,
                    (unsigned long)(tensor->offset + size_of(tensor)));
    }
    pq_text_bytes(out, "}", 1);
    pq_text_bytes(out, spaces, (ALIGNMENT - out->size % ALIGNMENT) % ALIGNMENT);
}

pique_status pq_writer_build(pq_writer *writer, void **bytes, size_t *size) {
    size_t data_size;
    *bytes = NULL;
    PQ_TRY(writer->status);
    PQ_TRY(pq_text_status(&writer->metadata));
    PQ_TRY(lay_out(writer, &data_size));
    pq_text out;
    pq_text_init(&out, writer->ctx);
    write_header(writer, &out);
    pique_status status = pq_text_status(&out);
    if (status != PIQUE_OK) {
        pq_text_free(&out);
        return status;
    }
    uint64_t length = out.size - 8;
    for (int i = 0; i < 8; i++) {
        out.data[i] = (char)(length >> (8 * i) & 0xff);
    }
    char *whole = pq_resize(writer->ctx, out.data, out.size + data_size, 1);
    if (!whole) {
        pq_text_free(&out);
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < writer->count; i++) {
        const pq_tensor *tensor = &writer->tensors[i];
        if (tensor->count) {
            memcpy(whole + out.size + tensor->offset, tensor->data, size_of(tensor));
        }
    }
    /* The reader's own check of the header: equal or unfit names never get into a file. */
    status = pq_container_size(writer->ctx, whole, out.size, size);
    if (status != PIQUE_OK) {
        pq_free(writer->ctx, whole);
        return status;
    }
    *bytes = whole;
    return PIQUE_OK;
}
