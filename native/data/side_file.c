#include "native/data/side_file.h"

#include "base/half.h"
#include "file/blocks.h"
#include "file/layout.h"
#include "native/data/fileio.h"

#include <string.h>

#define NAME 80 /* room for a tensor's name and PQ_OFFSETS_SUFFIX */

/* Which entry belongs to which item. */
static pique_status join(pq_side_file *file, const pq_strings *items) {
    file->item_rows = items->count + 2;
    file->entries = pq_alloc(file->ctx, file->item_rows, sizeof(*file->entries));
    if (!file->entries) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < file->item_rows; i++) {
        file->entries[i] = PQ_NOT_FOUND;
    }
    for (uint32_t e = 0; e < file->ids.count; e++) {
        size_t size;
        const char *id = pq_strings_get(&file->ids, e, &size);
        uint32_t item = pq_strings_find(items, id, size);
        if (item == PQ_NOT_FOUND) {
            file->unexpected++;
        } else {
            file->entries[item + 1] = e;
            file->found++;
        }
    }
    file->lacking = items->count - file->found;
    if (file->found == 0) {
        PQ_FAIL(file->ctx, PIQUE_DATA, "%.200s: none of its %lu ids is that of an item of the data",
                file->path, (unsigned long)file->ids.count);
    }
    return PIQUE_OK;
}

static pique_status open_container(pq_side_file *file, size_t size) {
    char *version;
    PQ_TRY(pq_container_open(file->ctx, file->bytes, size, &file->container));
    PQ_TRY(pq_container_text(&file->container, "pique.version", &version));
    file->is_model = version != NULL;
    pq_free(file->ctx, version);
    return pq_container_strings(&file->container, PQ_ITEM_IDS, &file->ids);
}

static pique_status open_file(pq_side_file *file, const char *path, const pq_strings *items) {
    size_t size;
    file->path = pq_alloc(file->ctx, strlen(path) + 1, 1);
    if (!file->path) {
        return PIQUE_NO_MEMORY;
    }
    memcpy(file->path, path, strlen(path) + 1);
    PQ_TRY(pq_file_read(file->ctx, path, PQ_MODEL_LIMIT, &file->bytes, &size));
    file->crc32 = pq_crc32(file->bytes, size);
    PQ_TRY(pq_file_named(file->ctx, open_container(file, size), path));
    return join(file, items);
}

pique_status pq_side_file_open(pq_side_file *file, pq_ctx *ctx, const char *path,
                               const pq_strings *items) {
    *file = (pq_side_file){.ctx = ctx, .container = {.ctx = ctx, .json = {.ctx = ctx}}};
    pq_strings_init(&file->ids, ctx);
    pique_status status = open_file(file, path, items);
    if (status != PIQUE_OK) {
        pq_side_file_close(file);
    }
    return status;
}

void pq_side_file_close(pq_side_file *file) {
    if (!file->ctx) {
        return;
    }
    pq_strings_free(&file->ids);
    pq_container_close(&file->container);
    pq_free(file->ctx, file->bytes);
    pq_free(file->ctx, file->path);
    pq_free(file->ctx, file->entries);
    *file = (pq_side_file){0};
}

bool pq_side_file_has(const pq_side_file *file, const char *name) {
    return pq_container_find(&file->container, name) != NULL;
}

/* A matrix of floats of any height. */
static pique_status find_matrix(const pq_side_file *file, const char *name, uint32_t width,
                                const pq_tensor **out) {
    const pq_tensor *tensor = pq_container_find(&file->container, name);
    if (!tensor) {
        PQ_FAIL(file->ctx, PIQUE_CORRUPT, "tensor \"%.64s\" is missing", name);
    }
    if (tensor->dtype != PQ_F32 && tensor->dtype != PQ_F16) {
        PQ_FAIL(file->ctx, PIQUE_CORRUPT,
                "tensor \"%.64s\": element type %s where F32 or F16 belongs", name,
                pq_dtype_name(tensor->dtype));
    }
    if (tensor->rank != 2 || tensor->shape[1] == 0) {
        PQ_FAIL(file->ctx, PIQUE_CORRUPT, "tensor \"%.64s\" is not a matrix of rows", name);
    }
    if (width && tensor->shape[1] != width) {
        PQ_FAIL(file->ctx, PIQUE_DATA, "%.200s: tensor \"%.64s\" has rows of width %lu, not %lu",
                file->path, name, (unsigned long)tensor->shape[1], (unsigned long)width);
    }
    *out = tensor;
    return pq_tensor_finite(file->ctx, tensor);
}

/* offsets [entries + 1] of the rows of each entry, or NULL: one each. */
static pique_status find_offsets(const pq_side_file *file, const char *name, uint32_t total,
                                 const uint32_t **out) {
    char full[NAME];
    const pq_tensor *tensor = NULL;
    uint32_t count = file->ids.count;
    size_t size = pq_format(full, sizeof(full), "%s" PQ_OFFSETS_SUFFIX, name);
    *out = NULL;
    if (size >= sizeof(full) || !pq_container_find(&file->container, full)) {
        return PIQUE_OK;
    }
    PQ_TRY(pq_container_get(&file->container, full, PQ_U32, count + 1, 0, &tensor));
    const uint32_t *offsets = tensor->data;
    for (uint32_t e = 0; e < count; e++) {
        if (offsets[e] > offsets[e + 1]) {
            PQ_FAIL(file->ctx, PIQUE_CORRUPT, "tensor \"%s\" falls at entry %lu", full,
                    (unsigned long)e);
        }
    }
    if (offsets[0] != 0 || offsets[count] != total) {
        PQ_FAIL(file->ctx, PIQUE_CORRUPT, "tensor \"%s\" runs from %lu to %lu, not 0 to %lu", full,
                (unsigned long)offsets[0], (unsigned long)offsets[count], (unsigned long)total);
    }
    *out = offsets;
    return PIQUE_OK;
}

static void copy_floats(const pq_tensor *tensor, float *out) {
    const uint16_t *halves = tensor->data;
    if (tensor->dtype == PQ_F32) {
        memcpy(out, tensor->data, tensor->count * sizeof(*out));
        return;
    }
    for (size_t i = 0; i < tensor->count; i++) {
        out[i] = pq_half_to_float(halves[i]);
    }
}

static pique_status read_rows(const pq_side_file *file, const char *name, uint32_t width,
                              pq_side_rows *out) {
    const pq_tensor *tensor;
    const uint32_t *offsets;
    PQ_TRY(find_matrix(file, name, width, &tensor));
    out->total = tensor->shape[0];
    out->width = tensor->shape[1];
    PQ_TRY(find_offsets(file, name, out->total, &offsets));
    const uint32_t around = file->is_model && !offsets; /* the row of PAD, and that of UNKNOWN */
    if (!offsets && out->total != file->ids.count + 2 * around) {
        PQ_FAIL(file->ctx, PIQUE_CORRUPT, "tensor \"%.64s\" has %lu rows for %lu ids", name,
                (unsigned long)out->total, (unsigned long)file->ids.count);
    }
    out->values = pq_alloc(file->ctx, PQ_MAX(tensor->count, 1), sizeof(*out->values));
    out->first = pq_alloc(file->ctx, file->item_rows, sizeof(*out->first));
    out->counts = pq_alloc(file->ctx, file->item_rows, sizeof(*out->counts));
    if (!out->values || !out->first || !out->counts) {
        return PIQUE_NO_MEMORY;
    }
    copy_floats(tensor, out->values);
    for (uint32_t i = 0; i < file->item_rows; i++) {
        uint32_t e = file->entries[i];
        if (e != PQ_NOT_FOUND) {
            out->first[i] = offsets ? offsets[e] : e + around;
            out->counts[i] = offsets ? offsets[e + 1] - offsets[e] : 1;
        }
    }
    return PIQUE_OK;
}

pique_status pq_side_file_rows(const pq_side_file *file, const char *name, uint32_t width,
                               pq_side_rows *out) {
    *out = (pq_side_rows){.ctx = file->ctx};
    pique_status status = read_rows(file, name, width, out);
    if (status != PIQUE_OK) {
        pq_side_rows_free(out);
    }
    return status == PIQUE_NO_MEMORY ? status : pq_file_named(file->ctx, status, file->path);
}

void pq_side_rows_free(pq_side_rows *rows) {
    if (rows->ctx) {
        pq_free(rows->ctx, rows->values);
        pq_free(rows->ctx, rows->first);
        pq_free(rows->ctx, rows->counts);
    }
    *rows = (pq_side_rows){0};
}
