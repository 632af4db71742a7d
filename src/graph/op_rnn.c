/* op_rnn.c — a layer of simple recurrent units (Elman, 1990) over each segment, as in PyTorch's nn.RNN:
 *     h' = tanh(g + U h + b)
 * See recurrence.h for the shapes: G = S = H.
 *
 * Backward, with G the gradient of h':  A = G (1 - h'²), which the gates get too; dh = A u. */
#include "graph/recurrence.h"

static void forward(const pq_kernels *kernels, const pq_cell_row *row) {
    for (uint32_t j = 0; j < row->h; j++) {
        row->kept[j] += row->gates[j];
    }
    kernels->tanh(row->kept, row->after, row->h);
}

static void backward(const pq_cell_row *row, const pq_cell_slopes *s) {
    for (uint32_t j = 0; j < row->h; j++) {
        s->slopes[j] = s->g[j] * (1 - row->after[j] * row->after[j]);
        s->g[j] = 0;
    }
    for (uint32_t j = 0; s->d_gates && j < row->h; j++) {
        s->d_gates[j] += s->slopes[j];
    }
}

pq_var *pq_op_rnn(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias, const pq_recurrence *args) {
    static const pq_cell cell = {"rnn", 1,   1, 1, false, forward, PQ_TRAINING ? backward : NULL,
                                 NULL,  NULL};
    return pq_recur(t, &cell, gates, u, bias, args);
}
