/* op_attention_gru.c — recurrent units that an attention a (T, 1) drives (Zhou et al., AAAI 2019), with the
 * reset gate behind the recurrent product as in op_gru.c. See recurrence.h for the shapes; S = H.
 *     augru   G = 3H, [r | z | n], u = 1 - z:   h' = (1 - a u) h + a u n
 *     agru    G = 2H, [r | n]:                  h' = (1 - a) h + a n
 * Backward, with G the gradient of h' and w the weight of n (a u, or a): dn = G w, dw = G (n - h), dh = G (1 - w)
 * beside the recurrent product's; then as in op_gru.c, with dz = -a dw and da = u dw, or da = dw. */
#include "graph/recurrence.h"

/* kept: r | q | n, with r over the sums at first and n's product in q */
static void agru_forward(const pq_kernels *kernels, const pq_cell_row *row) {
    uint32_t h = row->h;
    pq_real *r = row->kept, *q = r + h, *n = q + h;
    for (uint32_t j = 0; j < h; j++) {
        r[j] += row->gates[j];
    }
    kernels->sigmoid(r, r, h);
    for (uint32_t j = 0; j < h; j++) {
        n[j] = row->gates[h + j] + r[j] * q[j];
    }
    kernels->tanh(n, n, h);
    for (uint32_t j = 0; j < h; j++) {
        row->after[j] = row->before[j] + row->attention * (n[j] - row->before[j]);
    }
}

static void agru_backward(const pq_cell_row *row, const pq_cell_slopes *s) {
    uint32_t h = row->h;
    const pq_real *r = row->kept, *q = r + h, *n = q + h;
    pq_real *a = s->slopes, d_attention = 0;
    for (uint32_t j = 0; j < h; j++) {
        pq_real g = s->g[j], slope_n = g * row->attention * (1 - n[j] * n[j]);
        a[j] = slope_n * q[j] * r[j] * (1 - r[j]);
        a[h + j] = slope_n * r[j];
        d_attention += g * (n[j] - row->before[j]);
        s->g[j] = g * (1 - row->attention);
        if (s->d_gates) {
            s->d_gates[j] += a[j];
            s->d_gates[h + j] += slope_n;
        }
    }
    *s->d_attention += d_attention;
}

pq_var *pq_op_agru(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_recurrence *args) {
    static const pq_cell cell = {
        "agru", 2, 1, 3, true, agru_forward, PQ_TRAINING ? agru_backward : NULL, NULL, NULL};
    return pq_recur(t, &cell, gates, u, bias, args);
}

/* kept: r | z | q | n */
static void augru_forward(const pq_kernels *kernels, const pq_cell_row *row) {
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
        pq_real w = row->attention * (1 - z[j]);
        row->after[j] = row->before[j] + w * (n[j] - row->before[j]);
    }
}

static void augru_backward(const pq_cell_row *row, const pq_cell_slopes *s) {
    uint32_t h = row->h;
    const pq_real *r = row->kept, *z = r + h, *q = z + h, *n = q + h;
    pq_real *a = s->slopes, d_attention = 0;
    for (uint32_t j = 0; j < h; j++) {
        pq_real g = s->g[j], w = row->attention * (1 - z[j]);
        pq_real slope_n = g * w * (1 - n[j] * n[j]), slope_w = g * (n[j] - row->before[j]);
        a[j] = slope_n * q[j] * r[j] * (1 - r[j]);
        a[h + j] = -row->attention * slope_w * z[j] * (1 - z[j]);
        a[2 * h + j] = slope_n * r[j];
        d_attention += (1 - z[j]) * slope_w;
        s->g[j] = g * (1 - w);
        if (s->d_gates) {
            s->d_gates[j] += a[j];
            s->d_gates[h + j] += a[h + j];
            s->d_gates[2 * h + j] += slope_n;
        }
    }
    *s->d_attention += d_attention;
}

pq_var *pq_op_augru(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_recurrence *args) {
    static const pq_cell cell = {
        "augru", 3, 1, 4, true, augru_forward, PQ_TRAINING ? augru_backward : NULL, NULL, NULL};
    return pq_recur(t, &cell, gates, u, bias, args);
}
