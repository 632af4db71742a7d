#include "native/export/blocks_write.h"

#include <string.h>

#include "base/arena.h"
#include "base/half.h"
#include "file/blocks.h"
#include "file/layout.h"
#include "native/data/fileio.h"
#include "native/export/cluster.h"

typedef struct {
    pq_ctx *ctx;
    pq_container container; /* of the file as it was */
    pq_writer writer;
    pq_arena arena;    /* names and tensors in the new order */
    const char *table; /* name of the tensor that comes in blocks */
    uint32_t rows;     /* of items, PAD and UNKNOWN */
    uint32_t *old;     /* [rows] the row of each new row before */
    pique_block *blocks;
    uint32_t count, block_rows;
    void **members; /* [count + 1] gzip members, the head's first */
    size_t head_size;
} blocks_file;

/* ---- the new order ---- */

/* Popular items keep their numbers, and so do PAD and UNKNOWN. */
static pique_status order(blocks_file *f, const float *vectors, uint32_t cols) {
    f->old = pq_arena_take(&f->arena, f->rows, sizeof(*f->old));
    if (!f->old) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t row = 0; row < f->rows; row++) {
        f->old[row] = row;
    }
    if (f->rows - 1 <= f->block_rows) {
        return PIQUE_OK;
    }
    return pq_cluster(f->ctx, vectors, cols, f->old + f->block_rows, f->rows - 1 - f->block_rows,
                      f->block_rows);
}

static pique_status cut(blocks_file *f) {
    f->count = (f->rows - 1) / f->block_rows + 1;
    f->blocks = pq_arena_take(&f->arena, f->count, sizeof(*f->blocks));
    f->members = pq_alloc(f->ctx, (size_t)f->count + 1, sizeof(*f->members));
    if (!f->blocks || !f->members) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        uint32_t first = i * f->block_rows;
        f->blocks[i] =
            (pique_block){.first = first, .rows = PQ_MIN(f->block_rows, f->rows - first)};
    }
    return PIQUE_OK;
}

/* ---- tensors ---- */

/* Tensors that have a row for every row of items. */
static bool has_item_rows(const char *name) {
    static const char *const names[] = {
        PQ_ITEM_WEIGHT,      PQ_ITEM_WEIGHT PQ_SCALE_SUFFIX,      PQ_ITEM_LENGTH,
        PQ_BEHAVIOUR_WEIGHT, PQ_BEHAVIOUR_WEIGHT PQ_SCALE_SUFFIX, PQ_ITEM_CODES};
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, PQ_ITEM_CATEGORY, strlen(PQ_ITEM_CATEGORY)) == 0;
}

static pique_status check_rows(const blocks_file *f, const char *name, const pq_tensor *tensor) {
    if (tensor->shape[0] != f->rows) {
        PQ_FAIL(f->ctx, PIQUE_CORRUPT, "tensor \"%.80s\" has %lu rows, the file has %lu of items",
                name, (unsigned long)tensor->shape[0], (unsigned long)f->rows);
    }
    return PIQUE_OK;
}

/* The rows of a tensor in the new order; NULL when memory is short. */
static void *reordered(blocks_file *f, const pq_tensor *tensor) {
    size_t size = pq_dtype_size(tensor->dtype) * (tensor->count / f->rows);
    char *rows = pq_arena_take(&f->arena, f->rows, size);
    for (uint32_t row = 0; rows && row < f->rows; row++) {
        memcpy(rows + row * size, (const char *)tensor->data + f->old[row] * size, size);
    }
    return rows;
}

/* Ids have no rows of PAD and UNKNOWN. */
static pique_status add_ids(blocks_file *f, const pq_tensor *bytes) {
    const pq_tensor *tensor = pq_container_find(&f->container, PQ_ITEM_IDS PQ_OFFSETS_SUFFIX);
    const uint32_t *from = tensor->data;
    uint32_t *offsets = pq_arena_take(&f->arena, (size_t)f->rows - 1, sizeof(*offsets));
    char *ids = pq_arena_take(&f->arena, bytes->count, 1);
    if (!offsets || !ids) {
        return PIQUE_NO_MEMORY;
    }
    offsets[0] = 0;
    for (uint32_t item = 1; item < f->rows - 1; item++) {
        uint32_t was = f->old[item], size = from[was] - from[was - 1];
        memcpy(ids + offsets[item - 1], (const char *)bytes->data + from[was - 1], size);
        offsets[item] = offsets[item - 1] + size;
    }
    pq_writer_tensor(&f->writer, PQ_ITEM_IDS, PQ_U8, (uint32_t)bytes->count, 0, ids);
    pq_writer_tensor(&f->writer, PQ_ITEM_IDS PQ_OFFSETS_SUFFIX, PQ_U32, f->rows - 1, 0, offsets);
    return PIQUE_OK;
}

static pique_status add_tensor(blocks_file *f, const char *name, const pq_tensor *tensor) {
    void *data = tensor->data;
    if (strcmp(name, PQ_ITEM_BLOCKS) == 0 || strcmp(name, PQ_ITEM_CENTROIDS) == 0 ||
        strcmp(name, PQ_PADDING) == 0 || strcmp(name, PQ_ITEM_IDS PQ_OFFSETS_SUFFIX) == 0) {
        return PIQUE_OK; /* made anew */
    }
    if (strcmp(name, PQ_ITEM_IDS) == 0) {
        return add_ids(f, tensor);
    }
    if (has_item_rows(name)) {
        PQ_TRY(check_rows(f, name, tensor));
        data = reordered(f, tensor);
    }
    if (!data) {
        return PIQUE_NO_MEMORY;
    }
    pq_writer_tensor(&f->writer, name, tensor->dtype, tensor->shape[0],
                     tensor->rank == 2 ? tensor->shape[1] : 0, data);
    return PIQUE_OK;
}

static pique_status add_tensors(blocks_file *f) {
    for (uint32_t i = 0; i < f->container.count; i++) {
        const pq_tensor *tensor = &f->container.tensors[i];
        char *name = pq_arena_take(&f->arena, tensor->name.size + 1, 1);
        if (!name) {
            return PIQUE_NO_MEMORY;
        }
        memcpy(name, tensor->name.bytes, tensor->name.size);
        name[tensor->name.size] = 0;
        PQ_TRY(add_tensor(f, name, tensor));
    }
    return PIQUE_OK;
}

/* The mean of each block's items, which leaves PAD and UNKNOWN out. */
static pique_status add_centroids(blocks_file *f, const float *vectors, uint32_t cols) {
    float *means = pq_arena_take(&f->arena, (size_t)f->count * cols, sizeof(*means));
    double *sum = pq_arena_take(&f->arena, cols, sizeof(*sum));
    if (!means || !sum) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t b = 0; b < f->count; b++) {
        uint32_t first = PQ_MAX(f->blocks[b].first, 1), items = 0;
        uint32_t end = PQ_MIN(f->blocks[b].first + f->blocks[b].rows, f->rows - 1);
        memset(sum, 0, cols * sizeof(*sum));
        for (uint32_t row = first; row < end; row++, items++) {
            for (uint32_t d = 0; d < cols; d++) {
                sum[d] += vectors[(size_t)f->old[row] * cols + d];
            }
        }
        for (uint32_t d = 0; d < cols; d++) {
            means[(size_t)b * cols + d] = (float)(sum[d] / PQ_MAX(items, 1));
        }
    }
    pq_writer_tensor(&f->writer, PQ_ITEM_CENTROIDS, PQ_F32, f->count, cols, means);
    return PIQUE_OK;
}

static pique_status add_metadata(blocks_file *f) {
    const pq_json *json = &f->container.json;
    int object = f->container.metadata, at = pq_json_first(json, object);
    for (int i = 0; i < pq_json_size(json, object); i++, at = pq_json_next(json, at)) {
        size_t size = 0;
        char *key = pq_json_string(json, at, NULL), *value = pq_json_string(json, at + 1, &size);
        if (key && value) {
            pq_writer_text(&f->writer, key, value, size);
        }
        bool made = key && value;
        pq_free(f->ctx, key);
        pq_free(f->ctx, value);
        if (!made) {
            return PIQUE_NO_MEMORY;
        }
    }
    return PIQUE_OK;
}

/* ---- members ---- */

/* The index is part of the head, but not of the blocks that it tells of: those are made first. */
static pique_status make_members(blocks_file *f, char *bytes, size_t size) {
    pq_container made;
    PQ_TRY(pq_container_open(f->ctx, bytes, size, &made));
    char *rows = pq_container_find(&made, f->table)->data;
    void *index = pq_container_find(&made, PQ_ITEM_BLOCKS)->data;
    pq_container_close(&made);
    size_t row_size = (size_t)(bytes + size - rows) / f->rows, place = 0, member;
    for (uint32_t i = 0; i < f->count; i++) {
        pique_block *b = &f->blocks[i];
        const char *data = rows + b->first * row_size;
        PQ_TRY(pq_gzip_member(f->ctx, data, b->rows * row_size, &f->members[i + 1], &member));
        if (member > UINT32_MAX - place) {
            PQ_FAIL(f->ctx, PIQUE_UNSUPPORTED, "the blocks take more than 4 GB");
        }
        b->offset = (uint32_t)place;
        b->size = (uint32_t)member;
        b->crc = pq_crc32(data, b->rows * row_size);
        place += member;
    }
    memcpy(index, f->blocks, f->count * sizeof(*f->blocks));
    return pq_gzip_member(f->ctx, bytes, (size_t)(rows - bytes), &f->members[0], &f->head_size);
}

static pique_status write_members(blocks_file *f, const char *path) {
    pq_output out;
    PQ_TRY(pq_output_open(&out, f->ctx, path, false));
    (void)pq_output_write(&out, f->members[0], f->head_size); /* the commit tells */
    for (uint32_t i = 0; i < f->count; i++) {
        (void)pq_output_write(&out, f->members[i + 1], f->blocks[i].size);
    }
    return pq_output_commit(&out);
}

static pique_status arrange(blocks_file *f, const char *path, const float *vectors, uint32_t cols) {
    f->table = pq_blocks_tensor(&f->container);
    const pq_tensor *table = pq_container_find(&f->container, f->table);
    if (!table || table->rank != 2 || table->shape[0] < 3) {
        PQ_FAIL(f->ctx, PIQUE_UNSUPPORTED, "the file has no rows of items to put into blocks");
    }
    f->rows = table->shape[0];
    PQ_TRY(order(f, vectors, cols));
    PQ_TRY(cut(f));
    f->writer.last = f->table;
    PQ_TRY(add_metadata(f));
    PQ_TRY(add_tensors(f));
    PQ_TRY(add_centroids(f, vectors, cols));
    pq_writer_tensor(&f->writer, PQ_ITEM_BLOCKS, PQ_U32, f->count, PQ_BLOCK_FIELDS, f->blocks);
    void *bytes = NULL;
    size_t size;
    PQ_TRY(pq_writer_build(&f->writer, &bytes, &size));
    pique_status status = make_members(f, bytes, size);
    pq_free(f->ctx, bytes);
    return status == PIQUE_OK ? write_members(f, path) : status;
}

pique_status pq_blocks_write(pq_ctx *ctx, const char *path, void *container, size_t size,
                             uint32_t block_rows, const float *vectors, uint32_t cols) {
    blocks_file f = {.ctx = ctx, .block_rows = block_rows};
    if (block_rows == 0 || block_rows % PQ_BLOCK_ALIGNMENT || block_rows > PQ_MOST_BLOCK_ROWS) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "blocks hold a multiple of %u rows up to %u, not %lu",
                (unsigned)PQ_BLOCK_ALIGNMENT, (unsigned)PQ_MOST_BLOCK_ROWS,
                (unsigned long)block_rows);
    }
    pq_writer_init(&f.writer, ctx);
    pq_arena_init(&f.arena, ctx);
    pique_status status = pq_container_open(ctx, container, size, &f.container);
    if (status == PIQUE_OK) {
        status = arrange(&f, path, vectors, cols);
        pq_container_close(&f.container);
    }
    for (uint32_t i = 0; f.members && i <= f.count; i++) {
        pq_free(ctx, f.members[i]);
    }
    pq_free(ctx, f.members);
    pq_writer_free(&f.writer);
    pq_arena_free(&f.arena);
    return status;
}
