/* op_gru.c — a layer of gated recurrent units (Cho et al., 2014) over each segment, with the reset gate
 * behind the recurrent product, as in PyTorch's nn.GRU:
 *     r = sigmoid(g_r + U_r h + b_r)      z = sigmoid(g_z + U_z h + b_z)
 *     n = tanh(g_n + r * q),  q = U_n h + b_n
 *     h' = (1 - z) * n + z * h
 * See recurrence.h for the shapes: G = 3H, [r | z | n]; S = H.
 *
 * Backward, with G the gradient of h':
 *     dn = G (1 - z),  a_n = dn (1 - n²),  dq = a_n r
 *     a_r = a_n q r (1 - r),  a_z = G (h - n) z (1 - z)
 *     d_gates = [a_r | a_z | a_n],  A = [a_r | a_z | dq],  dh = G z + A u */
#include "graph/recurrence.h"

/* kept: r | z | q | n */
static void forward(const pq_kernels *kernels, const pq_cell_row *row) {
    uint32_t h = row->h;
    pq_real *r = row->kept, *z = r + h, *q = z + h, *n = q + h;
    for (uint32_t j = 0; j < 2 * h; j++) {
        r[j] += row->gates[j];
    }
    kernels->sigmoid(r, r, (size_t)2 * h);
    for (uint32_t j = 0; j < h; j++) {
        n[j] = row->gates[2 * h + j] + r[j] * q[j];
    }
    kernels->tanh(n, n, h);
    for (uint32_t j = 0; j < h; j++) {
        row->after[j] = (1 - z[j]) * n[j] + z[j] * row->before[j];
    }
}

static void backward(const pq_cell_row *row, const pq_cell_slopes *s) {
    uint32_t h = row->h;
    const pq_real *r = row->kept, *z = r + h, *q = z + h, *n = q + h;
    pq_real *a = s->slopes;
    for (uint32_t j = 0; j < h; j++) {
        pq_real g = s->g[j];
        pq_real slope_n = g * (1 - z[j]) * (1 - n[j] * n[j]);
        a[j] = slope_n * q[j] * r[j] * (1 - r[j]);
        a[h + j] = g * (row->before[j] - n[j]) * z[j] * (1 - z[j]);
        a[2 * h + j] = slope_n * r[j];
        s->g[j] = g * z[j];
        if (s->d_gates) {
            s->d_gates[j] += a[j];
            s->d_gates[h + j] += a[h + j];
            s->d_gates[2 * h + j] += slope_n;
        }
    }
}

pq_var *pq_op_gru(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_recurrence *args) {
    static const pq_cell cell = {"gru", 3,   1, 4, false, forward, PQ_TRAINING ? backward : NULL,
                                 NULL,  NULL};
    return pq_recur(t, &cell, gates, u, bias, args);
}
