/* side_file.h — rows of floats for the items of a data set, from a safetensors file beside it (raw or gzip).
 *
 *   item.ids, item.ids.offsets   the ids of the file's entries, as a model file has them (file/layout.h)
 *   NAME (entries, W)            F32 or F16: one row an entry; or
 *   NAME (rows, W) with          several: entry e has the rows NAME.offsets[e] .. NAME.offsets[e + 1] - 1
 *   NAME.offsets (entries + 1)   U32
 *
 * A model file is one, too: its item.weight has rows of PAD and UNKNOWN around those of the entries, which belong to
 * no item of the data. Entries whose ids the data do not have are counted and left out; so are items that the file
 * lacks. */
#ifndef PQ_SIDE_FILE_H
#define PQ_SIDE_FILE_H

#include "base/strings.h"
#include "file/container.h"

typedef struct {
    pq_ctx *ctx;
    char *path;
    void *bytes;
    uint32_t crc32; /* of the file as it stands on the disk */
    pq_container container;
    pq_strings ids;      /* of the entries */
    bool is_model;       /* a .pique file */
    uint32_t *entries;   /* [item_rows] the entry of each item number, or PQ_NOT_FOUND */
    uint32_t item_rows;  /* PAD, the items of the data, UNKNOWN */
    uint32_t found;      /* items that have an entry */
    uint32_t lacking;    /* items that have none */
    uint32_t unexpected; /* entries whose id the data do not have */
} pq_side_file;

/* The rows of a tensor, by item number. */
typedef struct {
    pq_ctx *ctx;
    uint32_t width;
    uint32_t total;   /* rows of the tensor */
    float *values;    /* [total, width] in the file's order */
    uint32_t *first;  /* [item_rows] where the rows of an item begin */
    uint32_t *counts; /* [item_rows] how many it has; 0: none, as PAD and UNKNOWN */
} pq_side_rows;

/* items: item i of the data is string i - 1. PIQUE_CORRUPT with the file's name: damaged, an id twice; PIQUE_DATA: no
 * id is one of the data's. */
pique_status pq_side_file_open(pq_side_file *file, pq_ctx *ctx, const char *path,
                               const pq_strings *items);
void pq_side_file_close(pq_side_file *file);

/* Whether the file has a tensor of that name. */
bool pq_side_file_has(const pq_side_file *file, const char *name);
/* width 0: any. PIQUE_CORRUPT, with file, tensor and reason: missing, another type, number of rows or offsets that do not
 * fit the entries, a number that is not finite; PIQUE_DATA: another width. The rows outlive the file. */
pique_status pq_side_file_rows(const pq_side_file *file, const char *name, uint32_t width,
                               pq_side_rows *out);
void pq_side_rows_free(pq_side_rows *rows);

/* The first of the item's rows; NULL when it has none. */
static inline const float *pq_side_row(const pq_side_rows *rows, uint32_t item) {
    return rows->counts[item] ? rows->values + (size_t)rows->first[item] * rows->width : NULL;
}

#endif
