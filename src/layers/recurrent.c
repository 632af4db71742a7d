#include "layers/recurrent.h"

#include "layers/dense.h"

typedef pq_var *recurrent_op(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                             const pq_recurrence *args);

static const struct {
    recurrent_op *op;
    uint32_t gates; /* G / H */
} cells[] = {
    [PQ_CELL_RNN] = {pq_op_rnn, 1},
    [PQ_CELL_GRU] = {pq_op_gru, 3},
    [PQ_CELL_LSTM] = {pq_op_lstm, 4},
    [PQ_CELL_GRU_BEFORE] = {pq_op_gru_before, 3},
};

static pq_param *add(pq_params *params, const pq_recurrent *r, uint32_t at, const char *what,
                     uint32_t rows, uint32_t cols, pq_init init) {
    char name[48];
    (void)pq_format(name, sizeof(name), "%s%u.%s", r->name[0] ? r->name : "layer",
                    (unsigned)(r->first + at + 1), what);
    return pq_params_add(params, name, rows, cols, init);
}

void pq_recurrent_declare(pq_recurrent *r, pq_params *params, uint32_t in) {
    uint32_t h = (uint32_t)r->hidden, g = cells[r->cell].gates * h;
    pq_init weights = {.kind = PQ_INIT_GLOROT_UNIFORM}, biases = {.kind = PQ_INIT_ZERO};
    bool before = r->cell == PQ_CELL_GRU_BEFORE;
    if (!r->glorot && !before) {
        weights = biases = (pq_init){.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(h)};
    }
    for (uint32_t i = 0; i < (uint32_t)r->layers; i++) {
        pq_recurrent_layer *l = &r->layer[i];
        l->w = add(params, r, i, "input.w", g, i ? h : in, weights);
        l->b = add(params, r, i, "input.b", 1, g,
                   before ? pq_recurrent_bias_before(g / h, h) : biases);
        l->u = add(params, r, i, "state.w", g, h, weights);
        l->c = add(params, r, i, "state.b", 1, g, biases);
    }
}

pq_var *pq_recurrent_run(pq_tape *t, const pq_recurrent *r, pq_var *x, const pq_segments *segments,
                         const pq_recurrent_states *from, pq_recurrent_states *after) {
    for (uint32_t i = 0; i < (uint32_t)r->layers; i++) {
        const pq_recurrent_layer *l = &r->layer[i];
        pq_recurrence args = {.segments = segments, .start = from ? from->layer[i] : NULL};
        pq_var *gates = pq_dense(t, pq_op_dropout(t, x, r->dropout), l->w, l->b);
        x = cells[r->cell].op(t, gates, pq_tape_param(t, l->u), pq_tape_param(t, l->c), &args);
        if (after) {
            after->layer[i] = x;
        }
        x = pq_op_columns(t, x, 0, (uint32_t)r->hidden);
    }
    return x;
}
