/* op_bag.c — y[r] = mean over the bag of row r of times E[value]: table (V, D), y (n, D). times is 1 except for
 * quantiles. An empty bag gives zeros. Backward: every value of the bag gets times g[r] / size.
 * Of a vector y[r] = sum over its numbers x_j of x_j E[j + 1], j from 0. */
#include "graph/ops.h"

#include <string.h>

#include "base/buckets.h"

typedef struct {
    const pq_param *table;
    pq_bag bag;
    pq_var *y;
} record;

/* Values of the bag that are not PAD. */
static uint32_t bag_size(const pq_bag *bag, uint32_t r) {
    uint32_t size = 0;
    for (uint32_t i = bag->offsets[bag->owners[r]]; i < bag->offsets[bag->owners[r] + 1]; i++) {
        size += bag->values[i] != 0;
    }
    return size;
}

/* The row of value j of an owner, and how much of it counts. */
static uint32_t row_of(const pq_bag *bag, uint32_t owner, uint32_t j, uint32_t size,
                       pq_real *share) {
    float times = 1;
    uint32_t value = bag->values[j];
    if (bag->vector) {
        *share = (pq_real)pq_number_of_code(value);
        return j - bag->offsets[owner] + 1;
    }
    uint32_t row = bag->quantile ? pq_quantile_row(value, &times) : value;
    *share = (pq_real)times / (pq_real)size;
    return row;
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    uint32_t d = r->y->cols;
    if (!g) {
        return;
    }
    for (uint32_t i = 0; i < r->y->rows; i++) {
        uint32_t size = bag_size(&r->bag, i);
        uint32_t owner = r->bag.owners[i];
        for (uint32_t j = r->bag.offsets[owner]; j < r->bag.offsets[owner + 1]; j++) {
            pq_real share;
            uint32_t value = row_of(&r->bag, owner, j, size, &share);
            if (value == 0) {
                continue;
            }
            pq_real *row = pq_grads_row(t->grads, r->table, value);
            if (!row) {
                t->status = PIQUE_NO_MEMORY;
                return;
            }
            t->kernels->axpy(share, g + (size_t)i * d, row, d);
        }
    }
}

pq_var *pq_op_bag(pq_tape *t, const pq_param *table, const pq_bag *bag, uint32_t n) {
    uint32_t d = table->cols;
    pq_var *y = pq_tape_var(t, n, d, !table->frozen);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    memset(y->value, 0, (size_t)n * d * sizeof(pq_real));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t size = bag_size(bag, i);
        uint32_t owner = bag->owners[i];
        for (uint32_t j = bag->offsets[owner]; j < bag->offsets[owner + 1]; j++) {
            pq_real share;
            uint32_t value = row_of(bag, owner, j, size, &share);
            if (value >= table->rows) {
                return pq_tape_fail(t, PIQUE_ARGUMENT, "row %u is outside table \"%s\" of %u rows",
                                    (unsigned)value, table->name, (unsigned)table->rows);
            }
            if (value != 0) {
                t->kernels->axpy(share, table->value + (size_t)value * d, y->value + (size_t)i * d,
                                 d);
            }
        }
    }
    if (pq_tape_records(y)) {
        *r = (record){table, *bag, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
