/* op_lstm.c — a layer of long short-term memory (Hochreiter & Schmidhuber, 1997; forget gate: Gers et al.,
 * 2000) over each segment, as in PyTorch's nn.LSTM. With a = g + U h + b:
 *     i = sigmoid(a_i)   f = sigmoid(a_f)   j = tanh(a_j)   o = sigmoid(a_o)
 *     c' = f * c + i * j,  h' = o * tanh(c')
 * See recurrence.h for the shapes: G = 4H, [i | f | j | o]; S = 2H, [h | c].
 *
 * Backward, with G the gradient of h', C that of c', s = tanh(c'):
 *     dc' = C + G o (1 - s²)
 *     A = [dc' j i (1 - i) | dc' c f (1 - f) | dc' i (1 - j²) | G s o (1 - o)], which the gates get too
 *     dc = dc' f,  dh = A u */
#include "graph/recurrence.h"

/* kept: i | f | j | o | s */
static void forward(const pq_kernels *kernels, const pq_cell_row *row) {
    uint32_t h = row->h;
    pq_real *i = row->kept, *f = i + h, *j = f + h, *o = j + h, *s = o + h;
    const pq_real *cell = row->before + h;
    for (uint32_t x = 0; x < 4 * h; x++) {
        i[x] += row->gates[x];
    }
    kernels->sigmoid(i, i, (size_t)2 * h);
    kernels->tanh(j, j, h);
    kernels->sigmoid(o, o, h);
    for (uint32_t x = 0; x < h; x++) {
        row->after[h + x] = f[x] * cell[x] + i[x] * j[x];
    }
    kernels->tanh(row->after + h, s, h);
    for (uint32_t x = 0; x < h; x++) {
        row->after[x] = o[x] * s[x];
    }
}

static void backward(const pq_cell_row *row, const pq_cell_slopes *to) {
    uint32_t h = row->h;
    const pq_real *i = row->kept, *f = i + h, *j = f + h, *o = j + h, *s = o + h;
    const pq_real *cell = row->before + h;
    pq_real *a = to->slopes, *dh = to->g, *dc = dh + h;
    for (uint32_t x = 0; x < h; x++) {
        pq_real whole = dc[x] + dh[x] * o[x] * (1 - s[x] * s[x]);
        a[x] = whole * j[x] * i[x] * (1 - i[x]);
        a[h + x] = whole * cell[x] * f[x] * (1 - f[x]);
        a[2 * h + x] = whole * i[x] * (1 - j[x] * j[x]);
        a[3 * h + x] = dh[x] * s[x] * o[x] * (1 - o[x]);
        dc[x] = whole * f[x];
        dh[x] = 0;
    }
    for (uint32_t x = 0; to->d_gates && x < 4 * h; x++) {
        to->d_gates[x] += a[x];
    }
}

pq_var *pq_op_lstm(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_recurrence *args) {
    static const pq_cell cell = {"lstm", 4,   2, 5, false, forward, PQ_TRAINING ? backward : NULL,
                                 NULL,   NULL};
    return pq_recur(t, &cell, gates, u, bias, args);
}
