#include "native/train/model_side.h"

#include <stdio.h>
#include <string.h>

pique_status pq_model_side_check(pq_ctx *ctx, const pq_model_def *def, const char *path) {
    if (path && !def->side) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "%s takes no rows of items from a side file", def->name);
    }
    if (!path && def->side) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "%s needs a side file (--side) with \"%s\" of the items",
                def->name, def->side[0].name);
    }
    return PIQUE_OK;
}

static void tell(const pique_listener *listener, const char *path, uint32_t count, const char *what,
                 const char *name) {
    char line[320];
    if (count > 0 && listener && listener->log) {
        snprintf(line, sizeof(line), "%.200s: %lu items %s%.64s", path, (unsigned long)count, what,
                 name);
        listener->log(listener->user, line);
    }
}

static uint32_t empty_items(const pq_side_rows *rows, uint32_t items) {
    uint32_t count = 0;
    for (uint32_t i = 1; i <= items; i++) {
        count += rows->counts[i] == 0;
    }
    return count;
}

/* A tensor beside another has as many rows of each item. */
static pique_status check_beside(const pq_side_file *file, const pq_side_def *def,
                                 const pq_side_rows *rows, const pq_side_rows *other) {
    for (uint32_t i = 0; i < file->item_rows; i++) {
        if (rows->counts[i] != other->counts[i]) {
            PQ_FAIL(file->ctx, PIQUE_DATA,
                    "%.200s: tensor \"%s\" has %lu rows of entry %lu, for which \"%s\" has %lu",
                    file->path, def->name, (unsigned long)rows->counts[i],
                    (unsigned long)file->entries[i], def->beside, (unsigned long)other->counts[i]);
        }
    }
    return PIQUE_OK;
}

static pique_status read_all(pq_model_side *side, const pq_side_file *file, const pq_side_def *defs,
                             const pique_listener *listener) {
    for (uint32_t i = 0; defs[i].name; i++) {
        const pq_side_def *def = &defs[i];
        pq_side_rows *rows = &side->read[i];
        side->rows[i].width = PQ_MAX(def->width, 1);
        if (def->beside && !pq_side_file_has(file, def->name)) {
            continue;
        }
        PQ_TRY(pq_side_file_rows(file, def->name, def->width, rows));
        for (uint32_t j = 0; def->beside && j < i; j++) {
            if (strcmp(defs[j].name, def->beside) == 0) {
                PQ_TRY(check_beside(file, def, rows, &side->read[j]));
            }
        }
        if (!def->beside) {
            const uint32_t without = empty_items(rows, file->item_rows - 2) - file->lacking;
            tell(listener, file->path, without, "have no ", def->name);
        }
        side->rows[i] = (pq_item_rows){rows->values, rows->width, rows->first, rows->counts};
    }
    return PIQUE_OK;
}

pique_status pq_model_side_open(pq_model_side *side, pq_ctx *ctx, const pq_model_def *def,
                                const pique_dataset *dataset, const char *path,
                                const pique_listener *listener) {
    pq_side_file file;
    PQ_TRY(pq_side_file_open(&file, ctx, path, &dataset->items));
    tell(listener, path, file.lacking, "of the data are not in it", "");
    tell(listener, path, file.unexpected, "are none of the data's", "");
    snprintf(side->sum, sizeof(side->sum), "%08lx", (unsigned long)file.crc32);
    pique_status status = read_all(side, &file, def->side, listener);
    pq_side_file_close(&file);
    return status;
}

void pq_model_side_close(pq_model_side *side) {
    for (uint32_t i = 0; i < PQ_MOST_SIDE; i++) {
        pq_side_rows_free(&side->read[i]);
    }
}
