#include "layers/items.h"

#include <stdio.h>

#define LENGTH_EPSILON 1e-12

void pq_items_declare(pq_items *items, pq_params *params) {
    if (items->baked) {
        return;
    }
    pq_init init = {.kind = items->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                    .scale = items->init_scale,
                    .pad_row = true};
    items->ids = pq_params_add(params, "item.id", items->rows, items->width, init);
    if (items->ids) {
        items->ids->sparse = items->ids->unsaved = true;
    }
    for (uint32_t f = 0; f < items->column_count; f++) {
        char name[48];
        snprintf(name, sizeof(name), "item.%.32s", items->columns[f].name);
        items->fields[f] = pq_params_add(params, name, items->columns[f].rows, items->width, init);
        if (items->fields[f]) {
            items->fields[f]->sparse = items->fields[f]->unsaved = true;
        }
    }
    if (items->behaviour == PQ_BEHAVIOUR_CONCAT_SELU) {
        uint32_t in = items->width * (items->column_count + 1);
        items->w_in = pq_params_add(params, "behaviour.w", items->width, in,
                                    (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
        items->b_in = pq_params_add(params, "behaviour.b", 1, items->width, (pq_init){0});
        if (items->w_in && items->b_in) {
            items->w_in->unsaved = items->b_in->unsaved = true;
        }
    }
}

static pq_var *field(pq_tape *t, const pq_items *items, uint32_t f, const uint32_t *ids,
                     uint32_t n) {
    const pq_column *column = &items->columns[f];
    pq_bag bag = {.owners = ids, .offsets = column->offsets, .values = column->values};
    return pq_op_bag(t, items->fields[f], &bag, n);
}

static pq_var *pooled(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    pq_var *sum = pq_op_gather(t, items->ids, ids, n);
    /* The ids are known to be good only when the gather succeeded. */
    for (uint32_t f = 0; sum && f < items->column_count; f++) {
        sum = pq_op_add(t, sum, field(t, items, f, ids, n));
    }
    return items->pool == PQ_POOL_SUM ? sum : pq_op_scale(t, sum, 1.0 / (items->column_count + 1));
}

static pq_var *table_rows(pq_tape *t, const pq_table *table, const float *lengths,
                          const uint32_t *ids, uint32_t n) {
    pq_var *y = pq_tape_var(t, n, table->cols, false);
    float *row = pq_tape_take(t, table->cols, sizeof(*row));
    if (!y || !row) {
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] >= table->rows) {
            return pq_tape_fail(t, PIQUE_ARGUMENT, "item number %u is outside the %u rows",
                                (unsigned)ids[i], (unsigned)table->rows);
        }
        pq_table_row(table, ids[i], row);
        for (uint32_t j = 0; j < table->cols; j++) {
            y->value[(size_t)i * table->cols + j] = lengths ? lengths[ids[i]] * row[j] : row[j];
        }
    }
    return y;
}

pq_var *pq_items_vectors(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    if (items->baked) {
        return table_rows(t, items->vectors, NULL, ids, n);
    }
    pq_var *e = pooled(t, items, ids, n);
    return items->normalise ? pq_op_normalise(t, e, LENGTH_EPSILON) : e;
}

#if PQ_TRAINING
pq_var *pq_items_all(pq_tape *t, const pq_items *items) {
    if (items->column_count == 0) { /* the table itself: nothing to copy, nothing to look up */
        pq_var *e = pq_tape_param(t, items->ids);
        return items->normalise ? pq_op_normalise(t, e, LENGTH_EPSILON) : e;
    }
    uint32_t *all = pq_tape_take(t, items->rows, sizeof(*all));
    for (uint32_t i = 0; all && i < items->rows; i++) {
        all[i] = i;
    }
    return all ? pq_items_vectors(t, items, all, items->rows) : NULL;
}
#endif

pq_var *pq_items_behaviours(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    if (items->baked) {
        return items->behaviours ? table_rows(t, items->behaviours, NULL, ids, n)
                                 : table_rows(t, items->vectors, items->lengths, ids, n);
    }
    if (items->behaviour == PQ_BEHAVIOUR_POOL) {
        return pooled(t, items, ids, n);
    }
    pq_var *all = pq_op_gather(t, items->ids, ids, n);
    for (uint32_t f = 0; all && f < items->column_count; f++) {
        all = pq_op_concat(t, all, field(t, items, f, ids, n));
    }
    pq_var *w = pq_tape_param(t, items->w_in);
    pq_var *b = pq_tape_param(t, items->b_in);
    return pq_op_activate(t, pq_op_linear(t, all, w, b), PQ_SELU);
}
