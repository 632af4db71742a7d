/* op_gru_before.c — gated recurrent units whose reset gate stands before the recurrent product, as in Cho et al.
 * (2014) and TensorFlow's GRUCell, and their attentive kin as the authors of DIEN have them (Zhou et al., AAAI 2019):
 *     r = sigmoid(g_r + U_r h + b_r)      k = sigmoid(g_k + U_k h + b_k)
 *     n = tanh(g_n + U_n (r * h) + b_n)
 *     h' = k h + (1 - k) n                gru_before
 *     the same with (1 - a) k for k       augru_before: a = 0 is the plain unit, a = 1 forgets
 *     the same with 1 - a for k           agru_before
 * See recurrence.h for the shapes: G = 3H, [r | k | n], or [r | n] for agru_before; S = H.
 *
 * Backward, with G the gradient of h' and w what h is multiplied by: a_n = G (1 - w) (1 - n²), dw = G (h - n),
 * a_k = dw (1 - a) k (1 - k), da = -dw k; with d = U_n' a_n, a_r = d h r (1 - r) and dh = G w + d r beside the
 * recurrent product's. */
#include "graph/recurrence.h"

/* kept: r | k | n | r * h, or without k */
static void reset(const pq_kernels *kernels, const pq_cell_row *row) {
    uint32_t h = row->h, plain = (row->parts - 1) * h;
    pq_real *r = row->kept;
    for (uint32_t j = 0; j < plain; j++) {
        r[j] += row->gates[j];
    }
    kernels->sigmoid(r, r, plain);
    for (uint32_t j = 0; j < h; j++) {
        r[plain + h + j] = r[j] * row->before[j];
    }
}

/* k of an element: without the gate, all is kept that the attention leaves. */
static pq_real kept_share(const pq_cell_row *row, uint32_t j) {
    return row->parts == 3 ? row->kept[row->h + j] : 1;
}

static void forward(const pq_kernels *kernels, const pq_cell_row *row) {
    uint32_t h = row->h, plain = (row->parts - 1) * h;
    pq_real *n = row->kept + plain;
    for (uint32_t j = 0; j < h; j++) {
        n[j] += row->gates[plain + j];
    }
    kernels->tanh(n, n, h);
    for (uint32_t j = 0; j < h; j++) {
        pq_real w = (1 - row->attention) * kept_share(row, j);
        row->after[j] = n[j] + w * (row->before[j] - n[j]);
    }
}

static void backward(const pq_cell_row *row, const pq_cell_slopes *s) {
    uint32_t h = row->h, plain = (row->parts - 1) * h;
    const pq_real *n = row->kept + plain;
    for (uint32_t j = 0; j < h; j++) {
        pq_real g = s->g[j], k = kept_share(row, j), w = (1 - row->attention) * k;
        pq_real slope_w = g * (row->before[j] - n[j]);
        s->slopes[plain + j] = g * (1 - w) * (1 - n[j] * n[j]);
        if (row->parts == 3) {
            s->slopes[h + j] = slope_w * w * (1 - k);
        }
        *s->d_attention -= slope_w * k;
        s->g[j] = g * w;
    }
}

static void reset_backward(const pq_cell_row *row, const pq_cell_slopes *s, const pq_real *d) {
    const pq_real *r = row->kept;
    for (uint32_t j = 0; j < row->h; j++) {
        s->slopes[j] = d[j] * row->before[j] * r[j] * (1 - r[j]);
        s->g[j] += d[j] * r[j];
    }
    for (uint32_t j = 0; s->d_gates && j < row->parts * row->h; j++) {
        s->d_gates[j] += s->slopes[j];
    }
}

#define CELL(name, gates, attends)                                                                 \
    {                                                                                              \
        name, gates, 1, (gates) + 1, attends, forward, PQ_TRAINING ? backward : NULL, reset,       \
            PQ_TRAINING ? reset_backward : NULL                                                    \
    }

pq_var *pq_op_gru_before(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                         const pq_recurrence *args) {
    static const pq_cell cell = CELL("gru_before", 3, false);
    return pq_recur(t, &cell, gates, u, bias, args);
}

pq_var *pq_op_agru_before(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                          const pq_recurrence *args) {
    static const pq_cell cell = CELL("agru_before", 2, true);
    return pq_recur(t, &cell, gates, u, bias, args);
}

pq_var *pq_op_augru_before(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                           const pq_recurrence *args) {
    static const pq_cell cell = CELL("augru_before", 3, true);
    return pq_recur(t, &cell, gates, u, bias, args);
}
