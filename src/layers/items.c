#include "layers/items.h"

#include <string.h>

#define LENGTH_EPSILON 1e-12

uint32_t pq_items_width(const pq_items *items) {
    if (items->pool != PQ_POOL_CONCAT) {
        return items->width;
    }
    return items->width * (items->column_count + 1) + items->linear;
}

/* A table of the training alone. */
static pq_param *add_table(const pq_items *items, pq_params *params, const char *column,
                           bool linear, uint32_t rows, pq_init init) {
    char name[48];
    (void)pq_format(name, sizeof(name), "%s.%.32s%s", items->name ? items->name : "item", column,
                    linear ? ".linear" : "");
    uint32_t width = linear ? items->linear : items->width;
    pq_param *table = pq_params_add(params, name, rows, width, init);
    if (table) {
        table->sparse = table->unsaved = true;
    }
    return table;
}

/* From the width of a file's rows. */
static void count_columns(pq_items *items, pq_params *params) {
    uint32_t linear = items->linear, d = items->width;
    uint32_t wide = items->baked_width << items->baked_halves;
    uint32_t fields = wide > linear ? (wide - linear) / d : 0;
    items->column_count = fields ? fields - 1 : 0;
    uint32_t spare = wide - pq_items_width(items);
    if ((fields == 0 || items->column_count > PQ_MAX_FIELDS || spare > items->baked_halves) &&
        params->status == PIQUE_OK) {
        params->status =
            pq_fail(params->ctx, PIQUE_CORRUPT,
                    "items have rows of width %u, which is not that of fields of width %u",
                    (unsigned)wide, (unsigned)d);
    }
}

void pq_items_declare(pq_items *items, pq_params *params) {
    if (pq_items_baked(items)) {
        if (items->pool == PQ_POOL_CONCAT) {
            count_columns(items, params);
        }
        return;
    }
    pq_init init = {.kind = items->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                    .scale = items->init_scale,
                    .pad_row = true};
    pq_init weight = {.kind = PQ_INIT_ZERO, .pad_row = true};
    items->ids = add_table(items, params, "id", false, items->rows, init);
    if (items->linear) {
        items->weights[0] = add_table(items, params, "id", true, items->rows, weight);
    }
    for (uint32_t f = 0; f < items->column_count; f++) {
        const pq_column *column = &items->columns[f];
        uint32_t rows = pq_column_rows(column);
        items->fields[f] = add_table(items, params, column->name, false, rows, init);
        if (items->linear) {
            items->weights[f + 1] = add_table(items, params, column->name, true, rows, weight);
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

pq_var *pq_column_vectors(pq_tape *t, const pq_param *table, const pq_column *column,
                          const uint32_t *owners, uint32_t n) {
    pq_bag bag = {.owners = owners,
                  .offsets = column->offsets,
                  .values = column->values,
                  .quantile = column->quantile,
                  .vector = column->vector};
    return pq_op_bag(t, table, &bag, n);
}

static pq_var *field(pq_tape *t, const pq_items *items, uint32_t f, const uint32_t *ids,
                     uint32_t n) {
    return pq_column_vectors(t, items->fields[f], &items->columns[f], ids, n);
}

static pq_var *side_by_side(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    pq_var *all = pq_op_gather(t, items->ids, ids, n);
    for (uint32_t f = 0; all && f < items->column_count; f++) {
        all = pq_op_concat(t, all, field(t, items, f, ids, n));
    }
    return all;
}

static pq_var *linear(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    pq_var *sum = pq_op_gather(t, items->weights[0], ids, n);
    for (uint32_t f = 0; sum && f < items->column_count; f++) {
        pq_var *next = pq_column_vectors(t, items->weights[f + 1], &items->columns[f], ids, n);
        sum = pq_op_add(t, sum, next);
    }
    return sum;
}

static pq_var *pooled(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    if (PQ_TRAINING && items->encode) {
        return items->encode(t, items->map_self, ids, n);
    }
    if (items->pool == PQ_POOL_CONCAT) {
        pq_var *all = side_by_side(t, items, ids, n);
        return items->linear ? pq_op_concat(t, all, linear(t, items, ids, n)) : all;
    }
    pq_var *sum = pq_op_gather(t, items->ids, ids, n);
    /* The ids are known to be good only when the gather succeeded. */
    for (uint32_t f = 0; sum && f < items->column_count; f++) {
        sum = pq_op_add(t, sum, field(t, items, f, ids, n));
    }
    return items->pool == PQ_POOL_SUM ? sum : pq_op_scale(t, sum, 1.0 / (items->column_count + 1));
}

/* One row; where it has not come, what its code stands for, or as PAD: what is not there says nothing. */
static void look_up(const pq_items *items, const pq_table *table, uint32_t id, float *row) {
    if (!pq_table_lacks(table, id)) {
        pq_table_row(table, id, row);
    } else if (items->codes) {
        pq_table_row(items->codes, id, row);
    } else {
        memset(row, 0, table->cols * sizeof(*row));
    }
}

static pq_var *table_rows(pq_tape *t, const pq_items *items, const pq_table *table,
                          const float *lengths, const uint32_t *ids, uint32_t n) {
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
        look_up(items, table, ids[i], row);
        for (uint32_t j = 0; j < table->cols; j++) {
            y->value[(size_t)i * table->cols + j] = lengths ? lengths[ids[i]] * row[j] : row[j];
        }
    }
    return y;
}

/* e, or (`lengths`) x = length e, with the vectors that the file will have. */
static pq_var *rounded(pq_tape *t, const pq_items *items, pq_var *rows, const uint32_t *ids,
                       bool lengths) {
    if (!PQ_TRAINING || !items->rounded) {
        return rows;
    }
    pq_straight_through args = {.rows = items->rounded, .ids = ids, .lengths = lengths};
    return pq_op_straight_through(t, rows, &args);
}

pq_var *pq_items_vectors(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    if (pq_items_baked(items)) {
        return table_rows(t, items, items->vectors, NULL, ids, n);
    }
    pq_var *e = pooled(t, items, ids, n);
    if (items->map) {
        e = items->map(t, items->map_self, e);
    } else if (items->normalise) {
        e = pq_op_normalise(t, e, LENGTH_EPSILON);
    }
    return rounded(t, items, e, ids, false);
}

#if PQ_TRAINING
pq_var *pq_items_all(pq_tape *t, const pq_items *items) {
    if (items->column_count == 0 && !items->map && !items->encode &&
        !items->linear) { /* the table itself: nothing to copy, nothing to look up */
        pq_var *e = pq_tape_param(t, items->ids);
        e = items->normalise ? pq_op_normalise(t, e, LENGTH_EPSILON) : e;
        return rounded(t, items, e, NULL, false);
    }
    uint32_t *all = pq_tape_take(t, items->rows, sizeof(*all));
    for (uint32_t i = 0; all && i < items->rows; i++) {
        all[i] = i;
    }
    return all ? pq_items_vectors(t, items, all, items->rows) : NULL;
}
#endif

pq_var *pq_items_behaviours(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n) {
    if (pq_items_baked(items)) {
        return items->behaviours ? table_rows(t, items, items->behaviours, NULL, ids, n)
                                 : table_rows(t, items, items->vectors, items->lengths, ids, n);
    }
    if (PQ_TRAINING && items->history) {
        return pq_items_vectors(t, items->history, ids, n);
    }
    if (items->behaviour == PQ_BEHAVIOUR_POOL) {
        pq_var *x = pooled(t, items, ids, n);
        return items->map ? x : rounded(t, items, x, ids, items->normalise);
    }
    pq_var *all = side_by_side(t, items, ids, n);
    pq_var *w = pq_tape_param(t, items->w_in);
    pq_var *b = pq_tape_param(t, items->b_in);
    return pq_op_activate(t, pq_op_linear(t, all, w, b), PQ_SELU);
}

pq_var *pq_items_behaviour_fields(pq_tape *t, const pq_items *items, const uint32_t *ids,
                                  uint32_t n) {
    if (items->linear > 0 && !pq_items_baked(items)) {
        return side_by_side(t, items, ids, n);
    }
    return pq_op_columns(t, pq_items_behaviours(t, items, ids, n), 0,
                         pq_items_width(items) - items->linear);
}
