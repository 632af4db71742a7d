#include "native/pretrain/modalities.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "native/content/factors.h"
#include "native/data/side_file.h"

void pq_modalities_init(pq_modalities *m, pq_ctx *ctx, const pique_dataset *dataset) {
    *m = (pq_modalities){.ctx = ctx, .item_rows = dataset->item_rows};
}

void pq_modalities_free(pq_modalities *m) {
    for (uint32_t i = 0; m->ctx && i < m->count; i++) {
        pq_free(m->ctx, m->list[i].rows);
    }
    *m = (pq_modalities){0};
}

/* An empty modality. */
static pique_status add(pq_modalities *m, const char *name, size_t size, uint32_t width,
                        pq_modality **out) {
    if (m->count == PQ_MODALITIES) {
        PQ_FAIL(m->ctx, PIQUE_UNSUPPORTED, "more than %d modalities", PQ_MODALITIES);
    }
    float *rows = pq_alloc(m->ctx, (size_t)m->item_rows * width, sizeof(*rows));
    if (!rows) {
        return PIQUE_NO_MEMORY;
    }
    *out = &m->list[m->count++];
    **out = (pq_modality){.width = width, .rows = rows};
    snprintf((*out)->name, sizeof((*out)->name), "%.*s", (int)PQ_MIN(size, 63), name);
    m->width += width;
    return PIQUE_OK;
}

/* Every row to length 1; zeros stay. */
static void scale_rows(const pq_modality *modality, uint32_t rows) {
    for (uint32_t i = 0; i < rows; i++) {
        float *row = modality->rows + (size_t)i * modality->width;
        double square = 0;
        for (uint32_t j = 0; j < modality->width; j++) {
            square += (double)row[j] * row[j];
        }
        for (uint32_t j = 0; square > 0 && j < modality->width; j++) {
            row[j] = (float)(row[j] / pq_sqrt(square));
        }
    }
}

/* ---- columns ---- */

/* Codes 1.. of the items 1 .. rows - 2 as a weighted matrix, code c in column c - 1. */
static pique_status weigh(pq_ctx *ctx, const pq_feature *f, uint32_t rows, pq_sparse *a) {
    const size_t first = f->offsets[1], last = f->offsets[rows - 1];
    double *df = pq_alloc(ctx, f->rows, sizeof(*df)), having = 0;
    *a = (pq_sparse){.rows = rows - 2, .cols = f->rows - 1};
    a->starts = pq_alloc(ctx, (size_t)a->rows + 1, sizeof(*a->starts));
    a->columns = pq_alloc(ctx, last - first + 1, sizeof(*a->columns));
    a->values = pq_alloc(ctx, last - first + 1, sizeof(*a->values));
    if (!df || !a->starts || !a->columns || !a->values) {
        pq_free(ctx, df);
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 1; i < rows - 1; i++) {
        having += f->offsets[i + 1] > f->offsets[i];
        for (uint32_t at = f->offsets[i]; at < f->offsets[i + 1]; at++) {
            df[f->values[at]]++;
        }
    }
    for (uint32_t i = 1; i < rows - 1; i++) {
        size_t to = a->starts[i - 1] = f->offsets[i] - first;
        for (uint32_t at = f->offsets[i]; at < f->offsets[i + 1]; at++, to++) {
            a->columns[to] = f->values[at] ? f->values[at] - 1 : 0;
            a->values[to] = f->values[at] ? pq_log((1 + having) / df[f->values[at]]) : 0;
        }
    }
    a->starts[a->rows] = last - first;
    pq_free(ctx, df);
    return PIQUE_OK;
}

static void free_sparse(pq_ctx *ctx, pq_sparse *a) {
    pq_free(ctx, a->starts);
    pq_free(ctx, a->columns);
    pq_free(ctx, a->values);
}

/* Rows of length 1, so that an item with many codes counts as much as one with few. */
static void scale_sparse(pq_sparse *a) {
    for (uint32_t i = 0; i < a->rows; i++) {
        double square = 0;
        for (size_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
            square += a->values[k] * a->values[k];
        }
        for (size_t k = a->starts[i]; square > 0 && k < a->starts[i + 1]; k++) {
            a->values[k] /= pq_sqrt(square);
        }
    }
}

static pique_status add_column(pq_modalities *m, const pq_feature *f, uint32_t width,
                               uint64_t seed) {
    pq_sparse a = {0};
    pq_modality *modality;
    if (f->quantile || f->offsets[m->item_rows - 1] == f->offsets[1]) {
        return PIQUE_OK;
    }
    bool wide = f->rows - 1 > width;
    PQ_TRY(add(m, f->name, strlen(f->name), wide ? width : f->rows - 1, &modality));
    pique_status status = weigh(m->ctx, f, m->item_rows, &a);
    if (status == PIQUE_OK && wide) {
        scale_sparse(&a);
        status = pq_factors(m->ctx, &a, width, seed, modality->rows + width);
    }
    for (uint32_t i = 0; status == PIQUE_OK && !wide && i < a.rows; i++) {
        for (size_t k = a.starts[i]; k < a.starts[i + 1]; k++) {
            modality->rows[(size_t)(i + 1) * modality->width + a.columns[k]] = (float)a.values[k];
        }
    }
    free_sparse(m->ctx, &a);
    scale_rows(modality, m->item_rows);
    return status;
}

/* Whether the list names the column. */
static bool is_named(const char *columns, const char *name) {
    size_t size = strlen(name);
    for (const char *at = columns; at; at = strchr(at, ','), at = at ? at + 1 : NULL) {
        if (strncmp(at, name, size) == 0 && (at[size] == 0 || at[size] == ',')) {
            return true;
        }
    }
    return false;
}

static pique_status check_names(pq_ctx *ctx, const pique_dataset *dataset, const char *columns) {
    while (columns && *columns) {
        size_t size = strcspn(columns, ",");
        bool found = false;
        for (uint32_t f = 0; f < dataset->item_feature_count; f++) {
            const char *name = dataset->item_features[f].name;
            found = found || (strlen(name) == size && strncmp(name, columns, size) == 0);
        }
        if (!found) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "the items have no column \"%.*s\"", (int)PQ_MIN(size, 80),
                    columns);
        }
        columns += size + (columns[size] == ',');
    }
    return PIQUE_OK;
}

pique_status pq_modalities_of_columns(pq_modalities *m, const pique_dataset *dataset,
                                      const char *columns, uint32_t width, uint64_t seed) {
    PQ_TRY(check_names(m->ctx, dataset, columns));
    for (uint32_t f = 0; f < dataset->item_feature_count; f++) {
        const pq_feature *feature = &dataset->item_features[f];
        if (!columns || is_named(columns, feature->name)) {
            PQ_TRY(add_column(m, feature, width, seed));
        }
    }
    return PIQUE_OK;
}

/* ---- side files ---- */

static pique_status add_tensor(pq_modalities *m, const pq_side_file *file, const char *name) {
    pq_side_rows rows;
    pq_modality *modality;
    PQ_TRY(pq_side_file_rows(file, name, 0, &rows));
    pique_status status = add(m, name, strlen(name), rows.width, &modality);
    for (uint32_t i = 0; status == PIQUE_OK && i < m->item_rows; i++) {
        const float *row = pq_side_row(&rows, i);
        if (row) {
            memcpy(modality->rows + (size_t)i * rows.width, row, rows.width * sizeof(*row));
        }
    }
    if (status == PIQUE_OK) {
        scale_rows(modality, m->item_rows);
    }
    pq_side_rows_free(&rows);
    return status;
}

static bool is_floats(const pq_side_file *file, const pq_tensor *tensor) {
    uint32_t rows = file->ids.count + (file->is_model ? 2 : 0);
    return (tensor->dtype == PQ_F32 || tensor->dtype == PQ_F16) && tensor->rank == 2 &&
           tensor->shape[0] == rows && tensor->name.size < 64;
}

pique_status pq_modalities_of_file(pq_modalities *m, const pique_dataset *dataset,
                                   const char *path) {
    pq_side_file file;
    char name[64];
    const uint32_t before = m->count;
    PQ_TRY(pq_side_file_open(&file, m->ctx, path, &dataset->items));
    pique_status status = PIQUE_OK;
    for (uint32_t t = 0; status == PIQUE_OK && t < file.container.count; t++) {
        const pq_tensor *tensor = &file.container.tensors[t];
        if (is_floats(&file, tensor)) {
            snprintf(name, sizeof(name), "%.*s", (int)tensor->name.size, tensor->name.bytes);
            status = add_tensor(m, &file, name);
        }
    }
    if (status == PIQUE_OK && m->count == before) {
        status = pq_fail(m->ctx, PIQUE_DATA,
                         "%.200s: no tensor of floats (F32, F16) has a row for each of its %lu ids",
                         path, (unsigned long)file.ids.count);
    }
    pq_side_file_close(&file);
    return status;
}

uint32_t pq_modalities_bare(const pq_modalities *m) {
    uint32_t bare = 0;
    for (uint32_t i = 1; i + 1 < m->item_rows; i++) {
        bool known = false;
        for (uint32_t f = 0; f < m->count; f++) {
            const float *row = m->list[f].rows + (size_t)i * m->list[f].width;
            for (uint32_t j = 0; !known && j < m->list[f].width; j++) {
                known = row[j] != 0;
            }
        }
        bare += !known;
    }
    return bare;
}
