/* head.h — the end of a model that ranks: from one number per candidate to its log-odds.
 *
 * tanh and dropout are the habit of teaching code. They bound the log-odds to ±1, and so the log loss from
 * below; as they stand in a seed, models offer them. */
#ifndef PQ_HEAD_H
#define PQ_HEAD_H

#include "base/fields.h"
#include "graph/ops.h"

typedef struct {
    bool tanh;
    double dropout;
} pq_head;

/* The two rows of a table of fields for the pq_head at `offset`, with what a seed has. */
#define PQ_HEAD_FIELDS_OF(offset, seed_tanh, seed_dropout)                                         \
    PQ_FIELD("head_tanh", (offset) + offsetof(pq_head, tanh), "bool", "0", seed_tanh, NULL,        \
             "log-odds go through tanh"),                                                          \
        PQ_TRAINING_FIELD("head_dropout", (offset) + offsetof(pq_head, dropout), "real 0 0.95",    \
                          "0", seed_dropout, NULL,                                                 \
                          "share of the log-odds that are set to 0 in training")
#define PQ_HEAD_FIELDS(offset) PQ_HEAD_FIELDS_OF(offset, "1", "0.5")

static inline pq_var *pq_head_apply(pq_tape *t, const pq_head *head, pq_var *x) {
    return pq_op_dropout(t, pq_op_activate(t, x, head->tanh ? PQ_TANH : PQ_LINEAR), head->dropout);
}

#endif
