/* recurrence.h — what the recurrent cells (op_rnn.c, op_gru.c, op_lstm.c) share: the walk over the segments in
 * lockstep, the recurrent product, the states, and all of that backwards. A cell is what happens in one row.
 *
 *     gates (T, G)   W x + b of every row, computed beforehand in one product; with args->rows, segments may
 *                    share rows of it
 *     u (G, H), bias (1, G)    of the recurrent product U h + b
 *     y (T, S)       the state after every row; its first H columns are h
 * Weights are those of PyTorch's nn.RNN, nn.GRU and nn.LSTM, as they are.
 *
 * All segments advance together, one product [alive, H] x [H, G] a step (lockstep.h). A state does not
 * depend on which other segments there are, to the last bit. */
#ifndef PQ_RECURRENCE_H
#define PQ_RECURRENCE_H

#include "graph/ops.h"

/* One row of one step. */
typedef struct {
    uint32_t h, parts;     /* H; G / H */
    pq_real attention;     /* of cells that take it */
    const pq_real *gates;  /* [G] of the input */
    const pq_real *before; /* [S] */
    pq_real *after;        /* [S] */
    pq_real *kept;         /* U h + b; forward leaves there what backward needs */
} pq_cell_row;

typedef struct {
    pq_real
        *g; /* [S] gradient of `after`; becomes that of `before` but for the recurrent product's */
    pq_real *slopes;      /* [G] gradient of U h + b, to be written */
    pq_real *d_gates;     /* NULL or [G] gradient of `gates`, to be added to */
    pq_real *d_attention; /* of cells that take it: to be added to */
} pq_cell_slopes;

typedef struct {
    const char *name;
    uint32_t gates, state, kept; /* G, S and the length of `kept` >= G in multiples of H */
    bool attends;                /* takes attention (T, 1) */
    void (*forward)(const pq_kernels *kernels, const pq_cell_row *row);
    void (*backward)(const pq_cell_row *row, const pq_cell_slopes *s);
    /* NULL; or the last of the gates has U (r * h) in the place of U h. `reset` comes before `forward` and leaves
     * r * h [H] behind the G of `kept`; `reset_backward` comes after `backward`, with the gradient of r * h [H]. */
    void (*reset)(const pq_kernels *kernels, const pq_cell_row *row);
    void (*reset_backward)(const pq_cell_row *row, const pq_cell_slopes *s, const pq_real *d);
} pq_cell;

pq_var *pq_recur(pq_tape *t, const pq_cell *cell, pq_var *gates, pq_var *u, pq_var *bias,
                 const pq_recurrence *args);

#endif
