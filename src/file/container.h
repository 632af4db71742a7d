/* container.h — the safetensors container, read without trust and written in one pass.
 *
 *   8 bytes   little-endian length H of the header
 *   H bytes   JSON: {"__metadata__": {key: text, …}, "name": {"dtype", "shape", "data_offsets"}, …},
 *             padded with spaces so that the data begins at a multiple of 64
 *   the rest  the tensors, row-major, little-endian, without gaps, widest element type first
 *
 * A `.pique` file is this, gzip-compressed as a whole (the gzip lives outside the core). */
#ifndef PQ_CONTAINER_H
#define PQ_CONTAINER_H

#include "base/json.h"
#include "base/strings.h"
#include "base/text.h"

#define PQ_TENSOR_RANK 4

typedef enum {
    PQ_F32,
    PQ_F16,
    PQ_I8,
    PQ_U8,
    PQ_I32,
    PQ_U32,
    PQ_I64,
    PQ_F64,
    PQ_DTYPE_COUNT
} pq_dtype;

typedef struct {
    pq_span name; /* inside the header's JSON; names with escapes are refused */
    pq_dtype dtype;
    uint32_t rank;
    uint32_t shape[PQ_TENSOR_RANK];
    size_t count;  /* elements */
    size_t offset; /* of the first byte, from the end of the header */
    void *data;    /* inside the container's bytes; aligned for its type */
} pq_tensor;

typedef struct {
    pq_ctx *ctx;
    pq_json json;
    pq_tensor *tensors; /* by rising offset */
    uint32_t count;
    int metadata; /* object of the JSON, -1 when absent */
    void *aside;  /* copies of the tensors that do not stand aligned in the file, or NULL */
} pq_container;

size_t pq_dtype_size(pq_dtype dtype);
const char *pq_dtype_name(pq_dtype dtype);

/* Total size from the first `count` bytes; *total = 0 while more are needed. */
pique_status pq_container_size(pq_ctx *ctx, const void *bytes, size_t count, size_t *total);
/* The container points into `bytes`, which the caller keeps (and may change: tables are interleaved
 * in place). Tensors that another program wrote at odd addresses are copied aside, into memory that
 * the container owns. PIQUE_UNSUPPORTED on a big-endian machine. Every length, offset, overlap, gap, type, shape, overflow and duplicate is checked;
 * PIQUE_CORRUPT names the tensor and the reason. */
pique_status pq_container_open(pq_ctx *ctx, void *bytes, size_t size, pq_container *out);
void pq_container_close(pq_container *container);

/* NULL when absent. */
const pq_tensor *pq_container_find(const pq_container *container, const char *name);
/* The tensor of that type and shape (rows x cols; cols 0: rank 1), or PIQUE_CORRUPT with its name. */
pique_status pq_container_get(const pq_container *container, const char *name, pq_dtype dtype,
                              uint32_t rows, uint32_t cols, const pq_tensor **out);
/* PIQUE_CORRUPT when a float of the tensor is NaN or infinite. */
pique_status pq_tensor_finite(pq_ctx *ctx, const pq_tensor *tensor);
/* A list of strings stored as bytes, U8 under that name, and offsets (PQ_OFFSETS_SUFFIX); they are the container's. */
pique_status pq_container_strings(const pq_container *container, const char *name, pq_strings *out);
/* Metadata text, escapes resolved, terminated, allocated; NULL without an error when absent. */
pique_status pq_container_text(const pq_container *container, const char *key, char **out);

/* Writing: collect, then build the whole container in one block of the context's. The names and data
 * given are kept by pointer until pq_writer_build. Tensors keep their order among equal element
 * sizes, but for the one that is named as the last; the result depends on nothing else. What the reader would refuse (two equal names, a name that
 * needs escapes) fails in pq_writer_build. */
typedef struct {
    pq_ctx *ctx;
    pq_tensor *tensors;
    size_t count, capacity;
    pq_text metadata;
    const char *last;    /* name of the tensor that ends the file; NULL: whichever */
    pique_status status; /* first failure of an addition */
} pq_writer;

void pq_writer_init(pq_writer *writer, pq_ctx *ctx);
void pq_writer_text(pq_writer *writer, const char *key, const char *value, size_t size);
/* cols 0: rank 1. */
void pq_writer_tensor(pq_writer *writer, const char *name, pq_dtype dtype, uint32_t rows,
                      uint32_t cols, const void *data);
pique_status pq_writer_build(pq_writer *writer, void **bytes, size_t *size);
void pq_writer_free(pq_writer *writer);

#endif
