/* dense.h — a linear layer on its parameters: x (T, I), w (O, I), b (1, O), result (T, O). */
#ifndef PQ_DENSE_H
#define PQ_DENSE_H

#include "graph/ops.h"

static inline pq_var *pq_dense(pq_tape *t, pq_var *x, const pq_param *w, const pq_param *b) {
    return pq_op_linear(t, x, pq_tape_param(t, w), pq_tape_param(t, b));
}

#endif
