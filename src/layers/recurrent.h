/* recurrent.h — layers of recurrent cells, one on top of the other, over each segment:
 *     per layer:  x = cell(W dropout(x) + b), from zero or from a given state
 * The cells are PyTorch's (graph/recurrence.h), whose weights fit as they are; PQ_CELL_GRU_BEFORE is TensorFlow's
 * (graph/op_gru_before.c), and begins as there: weights Glorot uniform, biases 1 for gates and 0 for the candidate. */
#ifndef PQ_RECURRENT_H
#define PQ_RECURRENT_H

#include "graph/ops.h"

#define PQ_MOST_RECURRENT 8

typedef enum { PQ_CELL_RNN, PQ_CELL_GRU, PQ_CELL_LSTM, PQ_CELL_GRU_BEFORE } pq_cell_kind;
#define PQ_CELL_CHOICES "rnn,gru,lstm" /* for a field of options */

typedef struct {
    pq_param *w, *b; /* of the input, (G, in) and (1, G) */
    pq_param *u, *c; /* of the state, (G, H) and (1, G) */
} pq_recurrent_layer;

typedef struct {
    /* set by the model before declaring */
    int32_t cell, hidden, layers; /* pq_cell_kind; H; at most PQ_MOST_RECURRENT */
    double dropout;               /* of the input of every layer */
    bool glorot;                  /* weights Glorot uniform, biases zero; else all U(±1/sqrt(H)) */
    char name[24];                /* that the parameters' names begin with; "": layer */
    uint32_t first;               /* the number of the first layer in names, from 0 */

    pq_recurrent_layer layer[PQ_MOST_RECURRENT];
} pq_recurrent;

/* Of each layer, one row per token row or per segment, S wide: h, and the cell of an LSTM beside it. */
typedef struct {
    pq_var *layer[PQ_MOST_RECURRENT];
} pq_recurrent_states;

/* in: width of the input. The parameters' names begin with `name`1. … */
void pq_recurrent_declare(pq_recurrent *r, pq_params *params, uint32_t in);

/* x (T, in) to the last layer's h after every row, (T, H). `from`: NULL, or the states (B, S) before each
 * segment. `after`: NULL, or receives the states (T, S) after every row. */
pq_var *pq_recurrent_run(pq_tape *t, const pq_recurrent *r, pq_var *x, const pq_segments *segments,
                         const pq_recurrent_states *from, pq_recurrent_states *after);

/* The first biases of a cell of TensorFlow's with so many gates, of which the last is the candidate. */
static inline pq_init pq_recurrent_bias_before(uint32_t gates, uint32_t h) {
    return (pq_init){.kind = PQ_INIT_LEADING_ONES, .scale = (double)(gates - 1) * h};
}

#endif
