/* next_item.h — what models that rank can learn beside the label: which item follows each behaviour, and after
 * the last one the candidate.
 *     o_t = <h_t, e_i> with the vectors of the N items, or W h_t + b
 *     loss = log loss + weight (mean over samples of the mean over t of cross-entropy(o_t, next))
 * A candidate that was not liked is no label of it. What only predicts the next item is not part of the model
 * file. Unknown items are no labels. */
#ifndef PQ_NEXT_ITEM_H
#define PQ_NEXT_ITEM_H

#include "models/model.h"

typedef struct {
    /* set by the model before declaring */
    int32_t output, head, negatives, last_step;
    double weight;

    pq_param
        *own; /* (N, D + 1) of the items without PAD and UNKNOWN: W and, in the last column, b */
} pq_next_item;

/* Rows of fields. The option is the seed preset's aux_head; the row of the weight is the model's, which has a name of its own for it. */
#define PQ_NEXT_ITEM_FIELDS(at, seed_head)                                                         \
    PQ_TRAINING_FIELD(                                                                             \
        "aux_output", (at) + offsetof(pq_next_item, output), "tied,own", "tied", "own", NULL,      \
        "what predicts the next item: the item vectors, or a matrix of its own with a bias"),      \
        PQ_TRAINING_FIELD(                                                                         \
            "aux_head", (at) + offsetof(pq_next_item, head), "linear,tanh_softmax_ce,softmax_ce",  \
            "linear", seed_head, NULL,                                                             \
            "the prediction's logits: linear, or a softmax (of tanh), whose cross-entropy "        \
            "cannot "                                                                              \
            "fall "                                                                                \
            "far"),                                                                                \
        PQ_TRAINING_FIELD(                                                                         \
            "aux_negatives", (at) + offsetof(pq_next_item, negatives), "int 0 1048576", "0", NULL, \
            NULL, "items drawn uniformly to compete with the next one; 0: the whole catalogue"),   \
        PQ_TRAINING_FIELD("last_step_when_negative", (at) + offsetof(pq_next_item, last_step),     \
                          "mask,keep", "mask", "keep", NULL,                                       \
                          "whether a candidate that was not liked is predicted")

/* After m->width and the items are set. */
pique_status pq_next_item_declare(pq_model *m, pq_next_item *n);
/* loss (1, 1) plus the weighted prediction from states (T, D), of the rows of the history. */
pq_var *pq_next_item_add(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_next_item *n,
                         pq_var *states, pq_var *loss);

#endif
