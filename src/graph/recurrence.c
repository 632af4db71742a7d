#include "graph/recurrence.h"

#include <string.h>

#include "graph/lockstep.h"

/* Rows of `before`, `kept` and the slopes are packed (lockstep.h). */
typedef struct {
    const pq_cell *cell;
    pq_var *gates, *u, *bias, *start, *attention, *y;
    const uint32_t *rows; /* of the gates, or NULL */
    pq_lockstep order;
    uint32_t h, g, s, k; /* H, G, S and the length of a row of `kept` */
    pq_real *before;     /* (T, S) */
    pq_real *kept;       /* (T, k) */
} record;

static size_t gates_row(const record *r, size_t row) {
    return r->rows ? r->rows[row] : row;
}

static pq_cell_row row_at(const record *r, size_t at) {
    size_t row = r->order.rows[at];
    return (pq_cell_row){.h = r->h,
                         .attention = r->attention ? r->attention->value[row] : 0,
                         .gates = r->gates->value + gates_row(r, row) * r->g,
                         .before = r->before + at * r->s,
                         .after = r->y->value + row * r->s,
                         .kept = r->kept + at * r->k};
}

/* ---- forward ---- */

/* The states before the first rows. */
static void begin(const record *r) {
    uint32_t count = pq_lockstep_alive(&r->order, 0);
    memset(r->before, 0, (size_t)count * r->s * sizeof(*r->before));
    for (uint32_t i = 0; r->start && i < count; i++) {
        memcpy(r->before + (size_t)i * r->s, r->start->value + (size_t)r->order.segments[i] * r->s,
               r->s * sizeof(*r->before));
    }
}

/* turned: U' (H, G), so that the product of a step need not turn it again. */
static void step_forward(const pq_tape *t, const record *r, uint32_t step, const pq_real *turned) {
    uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
    for (uint32_t i = first; i < first + alive; i++) {
        memcpy(r->kept + (size_t)i * r->k, r->bias->value, r->g * sizeof(*r->kept));
    }
    if (step > 0 || r->start) { /* else h is zero */
        t->kernels->gemm_nn(&(pq_gemm_args){.m = alive,
                                            .n = r->g,
                                            .k = r->h,
                                            .a = r->before + (size_t)first * r->s,
                                            .lda = r->s,
                                            .b = turned,
                                            .ldb = r->g,
                                            .c = r->kept + (size_t)first * r->k,
                                            .ldc = r->k,
                                            .accumulate = true});
    }
    uint32_t next = pq_lockstep_alive(&r->order, step + 1);
    for (uint32_t i = 0; i < alive; i++) {
        pq_cell_row row = row_at(r, (size_t)first + i);
        r->cell->forward(t->kernels, &row);
        if (i < next) {
            memcpy(r->before + (size_t)(first + alive + i) * r->s, row.after,
                   r->s * sizeof(*row.after));
        }
    }
}

#define BLOCK 16 /* rows of U whose elements of a column are written side by side */

static void turn(const record *r, pq_real *turned) {
    for (uint32_t top = 0; top < r->g; top += BLOCK) {
        uint32_t rows = PQ_MIN(BLOCK, r->g - top);
        for (uint32_t j = 0; j < r->h; j++) {
            const pq_real *from = r->u->value + (size_t)top * r->h + j;
            pq_real *to = turned + (size_t)j * r->g + top;
            for (uint32_t i = 0; i < rows; i++) {
                to[i] = from[(size_t)i * r->h];
            }
        }
    }
}

static bool forward(pq_tape *t, const record *r) {
    pq_real *turned = pq_tape_take(t, (size_t)r->h * r->g, sizeof(*turned));
    if (!turned) {
        return false;
    }
    turn(r, turned);
    begin(r);
    for (uint32_t step = 0; step < r->order.steps; step++) {
        step_forward(t, r, step, turned);
    }
    return true;
}

/* ---- backward ---- */

/* carried (alive, S): the gradient of the states after this step from later ones; becomes that of those
 * before it. */
static void step_backward(const pq_tape *t, const record *r, uint32_t step, pq_real *carried,
                          pq_real *slopes) {
    uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
    for (uint32_t i = 0; i < alive; i++) {
        size_t at = (size_t)first + i, row = r->order.rows[at];
        pq_cell_row values = row_at(r, at);
        pq_real *d_gates = r->gates->grad ? r->gates->grad + gates_row(r, row) * r->g : NULL;
        pq_real ignored = 0;
        bool attended = r->attention && r->attention->grad;
        pq_cell_slopes s = {.g = carried + (size_t)i * r->s,
                            .slopes = slopes + at * r->g,
                            .d_gates = d_gates,
                            .d_attention = attended ? r->attention->grad + row : &ignored};
        t->kernels->axpy(1, r->y->grad + row * r->s, s.g, r->s);
        r->cell->backward(&values, &s);
    }
    if (step > 0 || r->start) {
        t->kernels->gemm_nn(&(pq_gemm_args){.m = alive,
                                            .n = r->h,
                                            .k = r->g,
                                            .a = slopes + (size_t)first * r->g,
                                            .lda = r->g,
                                            .b = r->u->value,
                                            .ldb = r->h,
                                            .c = carried,
                                            .ldc = r->s,
                                            .accumulate = true});
    }
}

static void start_backward(pq_tape *t, const record *r, const pq_real *carried) {
    pq_real *d = r->start ? pq_tape_grad(t, r->start) : NULL;
    for (uint32_t i = 0; d && i < pq_lockstep_alive(&r->order, 0); i++) {
        t->kernels->axpy(1, carried + (size_t)i * r->s, d + (size_t)r->order.segments[i] * r->s,
                         r->s);
    }
}

/* slopes (T, G) of all packed rows. */
static void weights_backward(pq_tape *t, const record *r, const pq_real *slopes) {
    uint32_t rows = r->y->rows;
    uint32_t skipped = r->start ? 0 : r->order.starts[1]; /* where h is zero */
    pq_real *du = pq_tape_grad(t, r->u);
    pq_real *db = pq_tape_grad(t, r->bias);
    if (du) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = r->g,
                                            .n = r->h,
                                            .k = rows - skipped,
                                            .a = slopes + (size_t)skipped * r->g,
                                            .lda = r->g,
                                            .b = r->before + (size_t)skipped * r->s,
                                            .ldb = r->s,
                                            .c = du,
                                            .ldc = r->h,
                                            .accumulate = true});
    }
    for (uint32_t i = 0; db && i < rows; i++) {
        t->kernels->axpy(1, slopes + (size_t)i * r->g, db, r->g);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    if (!r->y->grad || r->order.steps == 0) {
        return;
    }
    size_t most = (size_t)pq_lockstep_alive(&r->order, 0) * r->s;
    pq_real *carried = pq_tape_take(t, most, sizeof(*carried));
    pq_real *slopes = pq_tape_take(t, (size_t)r->y->rows * r->g, sizeof(*slopes));
    pq_tape_grad(t, r->gates);
    if (r->attention) {
        pq_tape_grad(t, r->attention);
    }
    if (!carried || !slopes || t->status != PIQUE_OK) {
        return;
    }
    memset(carried, 0, most * sizeof(*carried));
    for (uint32_t step = r->order.steps; step-- > 0;) {
        step_backward(t, r, step, carried, slopes);
    }
    start_backward(t, r, carried);
    weights_backward(t, r, slopes);
}

static bool fits(const pq_cell *cell, const pq_var *gates, const pq_var *u, const pq_var *bias,
                 const pq_recurrence *args) {
    uint32_t h = u->cols, count = args->segments->count, rows = args->segments->starts[count];
    const pq_var *start = args->start, *attention = args->attention;
    for (uint32_t i = 0; args->rows && i < rows; i++) {
        if (args->rows[i] >= gates->rows) {
            return false;
        }
    }
    return h > 0 && u->rows == cell->gates * h && gates->cols == u->rows && bias->rows == 1 &&
           bias->cols == u->rows && (args->rows || rows == gates->rows) &&
           (!start || (start->rows == count && start->cols == cell->state * h)) &&
           (!cell->attends || (attention && attention->rows == rows && attention->cols == 1));
}

pq_var *pq_recur(pq_tape *t, const pq_cell *cell, pq_var *gates, pq_var *u, pq_var *bias,
                 const pq_recurrence *args) {
    if (!gates || !u || !bias) {
        return NULL;
    }
    pq_var *start = args->start, *attention = cell->attends ? args->attention : NULL;
    if (!fits(cell, gates, u, bias, args)) {
        return PQ_MISFIT(t, cell->name,
                         "gates are %u x %u, u is %u x %u, bias has %u columns, the start "
                         "%u x %u, %u segments hold %u rows",
                         (unsigned)gates->rows, (unsigned)gates->cols, (unsigned)u->rows,
                         (unsigned)u->cols, (unsigned)bias->cols, start ? (unsigned)start->rows : 0,
                         start ? (unsigned)start->cols : 0, (unsigned)args->segments->count,
                         (unsigned)args->segments->starts[args->segments->count]);
    }
    uint32_t h = u->cols, rows = args->segments->starts[args->segments->count];
    bool needs_grad = gates->needs_grad || u->needs_grad || bias->needs_grad ||
                      (attention && attention->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_lockstep order;
    if (!r || !pq_lockstep_make(t, args->segments, &order)) {
        return NULL;
    }
    *r = (record){
        .cell = cell,
        .gates = gates,
        .u = u,
        .bias = bias,
        .start = start,
        .attention = attention,
        .rows = args->rows,
        .y = pq_tape_var(t, rows, cell->state * h, needs_grad || (start && start->needs_grad)),
        .order = order,
        .h = h,
        .g = cell->gates * h,
        .s = cell->state * h,
        .k = cell->kept * h};
    r->before = pq_tape_take(t, (size_t)rows * r->s, sizeof(*r->before));
    r->kept = pq_tape_take(t, (size_t)rows * r->k, sizeof(*r->kept));
    if (!r->y || !r->before || !r->kept || !forward(t, r)) {
        return NULL;
    }
    if (pq_tape_records(r->y)) {
        pq_tape_record(t, backward, r);
    }
    return r->y;
}
