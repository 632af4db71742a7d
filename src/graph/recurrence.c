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
                         .parts = r->cell->gates,
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

/* So many gates have U h. */
static uint32_t plain_gates(const record *r) {
    return r->g - (r->cell->reset ? r->h : 0);
}

/* Gates from .. end - 1 of a step += x U', turned being U' (H, G), so that no step need turn it again. */
static void multiply(const pq_tape *t, const record *r, uint32_t step, uint32_t from, uint32_t end,
                     const pq_real *x, uint32_t wide, const pq_real *turned) {
    uint32_t first = r->order.starts[step];
    if (step > 0 || r->start) { /* else h is zero */
        t->kernels->gemm_nn(&(pq_gemm_args){.m = pq_lockstep_alive(&r->order, step),
                                            .n = end - from,
                                            .k = r->h,
                                            .a = x + (size_t)first * wide,
                                            .lda = wide,
                                            .b = turned + from,
                                            .ldb = r->g,
                                            .c = r->kept + (size_t)first * r->k + from,
                                            .ldc = r->k,
                                            .accumulate = true});
    }
}

static void step_forward(const pq_tape *t, const record *r, uint32_t step, const pq_real *turned) {
    uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
    uint32_t plain = plain_gates(r);
    for (uint32_t i = first; i < first + alive; i++) {
        memcpy(r->kept + (size_t)i * r->k, r->bias->value, r->g * sizeof(*r->kept));
    }
    multiply(t, r, step, 0, plain, r->before, r->s, turned);
    if (r->cell->reset) {
        for (uint32_t i = 0; i < alive; i++) {
            pq_cell_row row = row_at(r, (size_t)first + i);
            r->cell->reset(t->kernels, &row);
        }
        multiply(t, r, step, plain, r->g, r->kept + r->g, r->k, turned);
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

/* What flows back in a step. */
typedef struct {
    pq_real *
        carried; /* (alive, S) the gradient of the states after a step from later ones; becomes that of
                         those before it */
    pq_real *slopes; /* (T, G) of all packed rows */
    pq_real *reset;  /* (alive, H) of r * h */
} flow;

static void row_backward(const record *r, const flow *f, size_t at, uint32_t i,
                         const pq_real *d_reset) {
    size_t row = r->order.rows[at];
    pq_cell_row values = row_at(r, at);
    pq_real ignored = 0;
    pq_cell_slopes s = {
        .g = f->carried + (size_t)i * r->s,
        .slopes = f->slopes + at * r->g,
        .d_gates = r->gates->grad ? r->gates->grad + gates_row(r, row) * r->g : NULL,
        .d_attention = r->attention && r->attention->grad ? r->attention->grad + row : &ignored};
    if (d_reset) {
        r->cell->reset_backward(&values, &s, d_reset);
    } else {
        r->cell->backward(&values, &s);
    }
}

/* y (alive, H) += or = the slopes of gates from .. end - 1 times their rows of U. */
static void through_u(const pq_tape *t, const record *r, const flow *f, uint32_t step,
                      uint32_t from, uint32_t end, pq_real *y, uint32_t wide, bool accumulate) {
    t->kernels->gemm_nn(
        &(pq_gemm_args){.m = pq_lockstep_alive(&r->order, step),
                        .n = r->h,
                        .k = end - from,
                        .a = f->slopes + (size_t)r->order.starts[step] * r->g + from,
                        .lda = r->g,
                        .b = r->u->value + (size_t)from * r->h,
                        .ldb = r->h,
                        .c = y,
                        .ldc = wide,
                        .accumulate = accumulate});
}

static void step_backward(const pq_tape *t, const record *r, uint32_t step, const flow *f) {
    uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
    uint32_t plain = plain_gates(r);
    for (uint32_t i = 0; i < alive; i++) {
        size_t at = (size_t)first + i;
        t->kernels->axpy(1, r->y->grad + r->order.rows[at] * (size_t)r->s,
                         f->carried + (size_t)i * r->s, r->s);
        row_backward(r, f, at, i, NULL);
    }
    if (r->cell->reset) {
        through_u(t, r, f, step, plain, r->g, f->reset, r->h, false);
        for (uint32_t i = 0; i < alive; i++) {
            row_backward(r, f, (size_t)first + i, i, f->reset + (size_t)i * r->h);
        }
    }
    if (step > 0 || r->start) {
        through_u(t, r, f, step, 0, plain, f->carried, r->s, true);
    }
}

static void start_backward(pq_tape *t, const record *r, const pq_real *carried) {
    pq_real *d = r->start ? pq_tape_grad(t, r->start) : NULL;
    for (uint32_t i = 0; d && i < pq_lockstep_alive(&r->order, 0); i++) {
        t->kernels->axpy(1, carried + (size_t)i * r->s, d + (size_t)r->order.segments[i] * r->s,
                         r->s);
    }
}

/* dU of gates from .. end - 1, whose product was with the packed rows x. */
static void u_backward(pq_tape *t, const record *r, const pq_real *slopes, uint32_t from,
                       uint32_t end, const pq_real *x, uint32_t wide) {
    uint32_t skipped = r->start ? 0 : r->order.starts[1]; /* where h is zero */
    pq_real *du = pq_tape_grad(t, r->u);
    if (du) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = end - from,
                                            .n = r->h,
                                            .k = r->y->rows - skipped,
                                            .a = slopes + (size_t)skipped * r->g + from,
                                            .lda = r->g,
                                            .b = x + (size_t)skipped * wide,
                                            .ldb = wide,
                                            .c = du + (size_t)from * r->h,
                                            .ldc = r->h,
                                            .accumulate = true});
    }
}

static void weights_backward(pq_tape *t, const record *r, const pq_real *slopes) {
    u_backward(t, r, slopes, 0, plain_gates(r), r->before, r->s);
    if (r->cell->reset) {
        u_backward(t, r, slopes, plain_gates(r), r->g, r->kept + r->g, r->k);
    }
    pq_real *db = pq_tape_grad(t, r->bias);
    for (uint32_t i = 0; db && i < r->y->rows; i++) {
        t->kernels->axpy(1, slopes + (size_t)i * r->g, db, r->g);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    if (!r->y->grad || r->order.steps == 0) {
        return;
    }
    size_t most = (size_t)pq_lockstep_alive(&r->order, 0) * r->s;
    flow f = {.carried = pq_tape_take(t, most, sizeof(*f.carried)),
              .slopes = pq_tape_take(t, (size_t)r->y->rows * r->g, sizeof(*f.slopes)),
              .reset = r->cell->reset ? pq_tape_take(t, most, sizeof(*f.reset)) : NULL};
    pq_tape_grad(t, r->gates);
    if (r->attention) {
        pq_tape_grad(t, r->attention);
    }
    if (!f.carried || !f.slopes || t->status != PIQUE_OK) {
        return;
    }
    memset(f.carried, 0, most * sizeof(*f.carried));
    for (uint32_t step = r->order.steps; step-- > 0;) {
        step_backward(t, r, step, &f);
    }
    start_backward(t, r, f.carried);
    weights_backward(t, r, f.slopes);
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
