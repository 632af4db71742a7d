#include "native/train/item_start.h"

#include "file/layout.h"
#include "native/data/dataset.h"
#include "native/data/side_file.h"

#include <stdio.h>
#include <string.h>

#define TABLES 2

/* The tables whose rows are items' own: NULL where the model has none. */
static void tables_of(const pq_model *m, pq_param *tables[TABLES]) {
    tables[0] = m->items.ids;
    tables[1] = m->items.history ? m->items.history->ids : NULL;
}

uint32_t pq_item_cold(const pique_dataset *dataset) {
    uint32_t cold = 0;
    while (cold < dataset->items.count && dataset->popularity[dataset->items.count - cold] == 0) {
        cold++;
    }
    return cold;
}

void pq_item_start_cold(const pq_model *m) {
    pq_param *tables[TABLES];
    tables_of(m, tables);
    for (uint32_t i = 0; i < TABLES; i++) {
        if (tables[i]) {
            size_t first = m->items.rows - 1 - m->items.cold, cols = tables[i]->cols;
            memset(tables[i]->value + first * cols, 0, m->items.cold * cols * sizeof(pq_real));
        }
    }
}

static void fill(pq_param *table, const pq_side_rows *rows, double scale) {
    for (uint32_t i = 0; i < table->rows; i++) {
        const float *row = pq_side_row(rows, i);
        float *own = table->value + (size_t)i * table->cols;
        for (uint32_t j = 0; row && j < table->cols; j++) {
            own[j] = (float)(scale * row[j]);
        }
    }
}

static void tell(const pq_side_file *file, const pique_listener *listener) {
    char line[160];
    if (!listener || !listener->log) {
        return;
    }
    snprintf(line, sizeof(line),
             "--init-items: %lu items begin with the file's rows, %lu at random; %lu ids of the "
             "file are not in the data",
             (unsigned long)file->found, (unsigned long)file->lacking,
             (unsigned long)file->unexpected);
    listener->log(listener->user, line);
}

pique_status pq_item_start(pq_model *m, const pique_dataset *dataset, const char *path,
                           const pq_train_options *options, const pique_listener *listener) {
    pq_param *tables[TABLES];
    pq_side_file file;
    pq_side_rows rows;
    tables_of(m, tables);
    if (!options->item_ids) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "item_ids = 0 leaves items no rows of their own to begin with a file's");
    }
    if (!tables[0]) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "%s has no table of items to begin with rows of a file",
                m->def->name);
    }
    PQ_TRY(pq_side_file_open(&file, m->ctx, path, &dataset->items));
    pique_status status = pq_side_file_rows(&file, PQ_ITEM_WEIGHT, tables[0]->cols, &rows);
    for (uint32_t i = 0; status == PIQUE_OK && i < TABLES; i++) {
        if (tables[i] && tables[i]->cols == rows.width) {
            fill(tables[i], &rows, options->init_scale);
        }
    }
    if (status == PIQUE_OK) {
        tell(&file, listener);
        pq_side_rows_free(&rows);
    }
    pq_side_file_close(&file);
    return status;
}

void pq_item_freeze(const pq_model *m, const pq_train_options *options) {
    pq_param *tables[TABLES];
    tables_of(m, tables);
    for (uint32_t i = 0; options->init_freeze && i < TABLES; i++) {
        if (tables[i]) {
            tables[i]->frozen = true;
        }
    }
}
