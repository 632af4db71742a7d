/* op_gather.c — y[r] = E[ids[r]]: table (V, D), y (n, D). Backward adds g[r] to row ids[r] of the sparse
 * gradient; the row of PAD stays as it is. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    const pq_param *table;
    const uint32_t *ids;
    pq_var *y;
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_real *g = r->y->grad;
    uint32_t d = r->y->cols;
    if (!g) {
        return;
    }
    for (uint32_t i = 0; i < r->y->rows; i++) {
        if (r->ids[i] == 0 && r->table->init.pad_row) {
            continue;
        }
        pq_real *row = pq_grads_row(t->grads, r->table, r->ids[i]);
        if (!row) {
            t->status = PIQUE_NO_MEMORY;
            return;
        }
        t->kernels->axpy(1, g + (size_t)i * d, row, d);
    }
}

pq_var *pq_op_gather(pq_tape *t, const pq_param *table, const uint32_t *ids, uint32_t n) {
    uint32_t d = table->cols;
    pq_var *y = pq_tape_var(t, n, d, !table->frozen);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    if (!y || !r) {
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] >= table->rows) {
            return pq_tape_fail(t, PIQUE_ARGUMENT, "row %u is outside table \"%s\" of %u rows",
                                (unsigned)ids[i], table->name, (unsigned)table->rows);
        }
        memcpy(y->value + (size_t)i * d, table->value + (size_t)ids[i] * d, d * sizeof(pq_real));
    }
    if (pq_tape_records(y)) {
        *r = (record){table, ids, y};
        pq_tape_record(t, backward, r);
    }
    return y;
}
