/* op_gru.c — a layer of gated recurrent units (Cho et al., 2014) over each segment, with the reset gate
 * behind the recurrent product, as in PyTorch's nn.GRU, whose weights can be taken over as they are:
 *     r = sigmoid(g_r + U_r h + b_r)      z = sigmoid(g_z + U_z h + b_z)
 *     n = tanh(g_n + r * q),  q = U_n h + b_n
 *     h' = (1 - z) * n + z * h            from h = 0 at the start of a segment
 * gates (T, 3H) = [g_r | g_z | g_n]: W x + b of every row; u (3H, H) = [U_r; U_z; U_n], bias (1, 3H)
 * likewise; y (T, H): the state after every row.
 *
 * All segments advance together, one product [alive, H] x [H, 3H] a step (lockstep.h). A state does not
 * depend on which other segments there are, to the last bit.
 *
 * Backward, time reversed, with G the gradient of h' from its own row and from the step after:
 *     dn = G (1 - z),  a_n = dn (1 - n²),  dq = a_n r
 *     a_r = a_n q r (1 - r),  a_z = G (h - n) z (1 - z)
 *     d_gates = [a_r | a_z | a_n],  A = [a_r | a_z | dq]
 *     dh = G z + A u,  du = A' h,  d_bias = column sums of A */
#include "graph/lockstep.h"
#include "graph/ops.h"

#include <string.h>

/* Rows of the arrays are packed (lockstep.h). */
typedef struct {
    pq_var *gates, *u, *bias, *y;
    pq_lockstep order;
    pq_real *before; /* (T, H) h; zeros in the first step */
    pq_real *rz;     /* (T, 2H) r | z */
    pq_real *n, *q;  /* (T, H) */
} record;

/* ---- forward ---- */

/* Sums of a step's gates, from products (alive, 3H) that hold U h + b: what sigmoid takes goes to rz, q to
 * its place. */
static void add_gates(const record *r, uint32_t first, uint32_t alive, const pq_real *products) {
    uint32_t h = r->y->cols;
    for (uint32_t i = 0; i < alive; i++) {
        const pq_real *p = products + (size_t)i * 3 * h;
        const pq_real *g = r->gates->value + (size_t)r->order.rows[first + i] * 3 * h;
        pq_real *rz = r->rz + (size_t)(first + i) * 2 * h;
        for (uint32_t j = 0; j < 2 * h; j++) {
            rz[j] = g[j] + p[j];
        }
        memcpy(r->q + (size_t)(first + i) * h, p + (size_t)2 * h, h * sizeof(*p));
    }
}

static void reset(const record *r, uint32_t first, uint32_t alive) {
    uint32_t h = r->y->cols;
    for (uint32_t i = first; i < first + alive; i++) {
        const pq_real *g = r->gates->value + (size_t)r->order.rows[i] * 3 * h + (size_t)2 * h;
        const pq_real *gate = r->rz + (size_t)i * 2 * h;
        const pq_real *q = r->q + (size_t)i * h;
        pq_real *n = r->n + (size_t)i * h;
        for (uint32_t j = 0; j < h; j++) {
            n[j] = g[j] + gate[j] * q[j];
        }
    }
}

static void mix(const record *r, uint32_t first, uint32_t alive) {
    uint32_t h = r->y->cols;
    for (uint32_t i = first; i < first + alive; i++) {
        const pq_real *z = r->rz + (size_t)i * 2 * h + h;
        const pq_real *n = r->n + (size_t)i * h, *before = r->before + (size_t)i * h;
        pq_real *y = r->y->value + (size_t)r->order.rows[i] * h;
        for (uint32_t j = 0; j < h; j++) {
            y[j] = (1 - z[j]) * n[j] + z[j] * before[j];
        }
    }
}

/* products: (alive, 3H), to write over. */
static void step_forward(pq_tape *t, const record *r, uint32_t step, pq_real *products) {
    uint32_t h = r->y->cols;
    uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
    for (uint32_t i = 0; i < alive; i++) {
        memcpy(products + (size_t)i * 3 * h, r->bias->value, (size_t)3 * h * sizeof(*products));
    }
    if (step > 0) { /* before that, h is zero */
        t->kernels->gemm_nt(&(pq_gemm_args){.m = alive,
                                            .n = 3 * h,
                                            .k = h,
                                            .a = r->before + (size_t)first * h,
                                            .lda = h,
                                            .b = r->u->value,
                                            .ldb = h,
                                            .c = products,
                                            .ldc = 3 * h,
                                            .accumulate = true});
    }
    pq_real *rz = r->rz + (size_t)first * 2 * h, *n = r->n + (size_t)first * h;
    add_gates(r, first, alive, products);
    t->kernels->sigmoid(rz, rz, (size_t)alive * 2 * h);
    reset(r, first, alive);
    t->kernels->tanh(n, n, (size_t)alive * h);
    mix(r, first, alive);
    uint32_t after = pq_lockstep_alive(&r->order, step + 1);
    for (uint32_t i = 0; i < after; i++) {
        memcpy(r->before + (size_t)(first + alive + i) * h,
               r->y->value + (size_t)r->order.rows[first + i] * h, h * sizeof(*n));
    }
}

/* ---- backward ---- */

/* From G (alive, H) of a step to A (alive, 3H) and, in place of G, to G z; d_gates NULL: not wanted. */
static void step_slopes(const record *r, uint32_t first, uint32_t alive, pq_real *carried,
                        pq_real *slopes, pq_real *d_gates) {
    uint32_t h = r->y->cols;
    for (uint32_t i = 0; i < alive; i++) {
        size_t at = (size_t)first + i, row = r->order.rows[at];
        const pq_real *reset_gate = r->rz + at * 2 * h, *keep = reset_gate + h;
        const pq_real *n = r->n + at * h, *q = r->q + at * h, *before = r->before + at * h;
        const pq_real *own = r->y->grad + row * h;
        pq_real *g = carried + (size_t)i * h, *a = slopes + at * 3 * h;
        pq_real *to = d_gates ? d_gates + row * 3 * h : NULL;
        for (uint32_t j = 0; j < h; j++) {
            pq_real whole = g[j] + own[j];
            pq_real slope_n = whole * (1 - keep[j]) * (1 - n[j] * n[j]);
            a[j] = slope_n * q[j] * reset_gate[j] * (1 - reset_gate[j]);
            a[h + j] = whole * (before[j] - n[j]) * keep[j] * (1 - keep[j]);
            a[2 * h + j] = slope_n * reset_gate[j];
            g[j] = whole * keep[j];
            if (to) {
                to[2 * h + j] += slope_n;
            }
        }
        for (uint32_t j = 0; to && j < 2 * h; j++) {
            to[j] += a[j];
        }
    }
}

/* slopes (T, 3H): A of all packed rows. */
static void weights_backward(pq_tape *t, const record *r, const pq_real *slopes) {
    uint32_t h = r->y->cols, rows = r->y->rows;
    uint32_t skipped = r->order.starts[1]; /* the first step, in which h is zero */
    pq_real *du = pq_tape_grad(t, r->u);
    pq_real *db = pq_tape_grad(t, r->bias);
    if (du) {
        t->kernels->gemm_tn(&(pq_gemm_args){.m = 3 * h,
                                            .n = h,
                                            .k = rows - skipped,
                                            .a = slopes + (size_t)skipped * 3 * h,
                                            .lda = 3 * h,
                                            .b = r->before + (size_t)skipped * h,
                                            .ldb = h,
                                            .c = du,
                                            .ldc = h,
                                            .accumulate = true});
    }
    for (uint32_t i = 0; db && i < rows; i++) {
        t->kernels->axpy(1, slopes + (size_t)i * 3 * h, db, (size_t)3 * h);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    uint32_t h = r->y->cols, steps = r->order.steps;
    if (!r->y->grad || steps == 0) {
        return;
    }
    size_t most = pq_lockstep_alive(&r->order, 0);
    pq_real *d_gates = pq_tape_grad(t, r->gates);
    pq_real *carried = pq_tape_take(t, most * h, sizeof(*carried));
    pq_real *slopes = pq_tape_take(t, (size_t)r->y->rows * 3 * h, sizeof(*slopes));
    if (!carried || !slopes) {
        return;
    }
    memset(carried, 0, most * h * sizeof(*carried));
    for (uint32_t step = steps; step-- > 0;) {
        uint32_t first = r->order.starts[step], alive = pq_lockstep_alive(&r->order, step);
        step_slopes(r, first, alive, carried, slopes, d_gates);
        if (step > 0) {
            t->kernels->gemm_nn(&(pq_gemm_args){.m = alive,
                                                .n = h,
                                                .k = 3 * h,
                                                .a = slopes + (size_t)first * 3 * h,
                                                .lda = 3 * h,
                                                .b = r->u->value,
                                                .ldb = h,
                                                .c = carried,
                                                .ldc = h,
                                                .accumulate = true});
        }
    }
    weights_backward(t, r, slopes);
}

static bool fits(const pq_var *gates, const pq_var *u, const pq_var *bias,
                 const pq_segments *segments) {
    return u->cols > 0 && u->rows == 3 * u->cols && gates->cols == u->rows && bias->rows == 1 &&
           bias->cols == u->rows && segments->starts[segments->count] == gates->rows;
}

pq_var *pq_op_gru(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_segments *segments) {
    if (!gates || !u || !bias) {
        return NULL;
    }
    if (!fits(gates, u, bias, segments)) {
        return pq_tape_fail(t, PIQUE_INTERNAL,
                            "gru: gates are %u x %u, u is %u x %u, bias has %u columns, the "
                            "segments hold %u rows",
                            (unsigned)gates->rows, (unsigned)gates->cols, (unsigned)u->rows,
                            (unsigned)u->cols, (unsigned)bias->cols,
                            (unsigned)segments->starts[segments->count]);
    }
    uint32_t h = u->cols;
    size_t size = (size_t)gates->rows * h;
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_var *y =
        pq_tape_var(t, gates->rows, h, gates->needs_grad || u->needs_grad || bias->needs_grad);
    pq_real *before = pq_tape_take(t, size, sizeof(*before));
    pq_real *rz = pq_tape_take(t, 2 * size, sizeof(*rz));
    pq_real *n = pq_tape_take(t, size, sizeof(*n));
    pq_real *q = pq_tape_take(t, size, sizeof(*q));
    pq_lockstep order;
    if (!r || !y || !before || !rz || !n || !q || !pq_lockstep_make(t, segments, &order)) {
        return NULL;
    }
    size_t most = pq_lockstep_alive(&order, 0);
    pq_real *products = pq_tape_take(t, most * 3 * h, sizeof(*products));
    if (!products) {
        return NULL;
    }
    memset(before, 0, most * h * sizeof(*before));
    *r = (record){gates, u, bias, y, order, before, rz, n, q};
    for (uint32_t step = 0; step < order.steps; step++) {
        step_forward(t, r, step, products);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
