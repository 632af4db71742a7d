/* grad_check.h — the gradients of an op, a layer or a model against central differences, in double.
 *
 * A case declares its inputs as parameters, gives a function that runs the forward pass, and calls
 * grad_check. The loss is the inner product of the result with fixed weights (grad_probe), so that
 * every element of the result pulls with a strength of its own. */
#ifndef GRAD_CHECK_H
#define GRAD_CHECK_H

#include "tests/unit/testing.h"

#include "graph/ops.h"

typedef struct {
    testing t;
    pq_params own;     /* inputs declared by grad_input and grad_table */
    pq_params *params; /* those, or a model's */
    uint64_t seed;     /* of the inputs and of the tape's rng */
    bool training;
} grad_bench;

void grad_open(grad_bench *g, uint64_t seed);
void grad_close(grad_bench *g);
/* A dense input filled with N(0, 1); frozen inputs take part without a gradient. */
pq_param *grad_input(grad_bench *g, const char *name, uint32_t rows, uint32_t cols);
/* A row-sparse table whose row 0 is PAD. */
pq_param *grad_table(grad_bench *g, const char *name, uint32_t rows, uint32_t cols);

/* The forward pass: any shape. It must be a function of the parameters and the tape's rng alone. */
typedef pq_var *grad_forward(pq_tape *t, const void *argument);
/* What the op differentiates in place of its value, when that is not the same. */
typedef double grad_value(const void *argument);

/* The value of a forward pass, in memory of the tape, which this begins and the caller frees. */
const pq_var *grad_run(pq_tape *t, grad_bench *g, grad_forward *forward, const void *argument);
/* That it fails as a defect, with these words. */
void grad_refuses(grad_bench *g, grad_forward *forward, const void *argument, const char *words);
/* Weight of element i of the result in the loss, between 0.5 and 1.5 in size. */
double grad_probe(size_t i);
/* The loss itself, for forward passes that end in a scalar of their own. */
double grad_loss(grad_bench *g, grad_forward *forward, const void *argument);
/* Fails unless every gradient agrees; `what` names the case in the message. `value` NULL: the
 * forward pass is what is differentiated. Rows of PAD must have no gradient at all. */
void grad_check(grad_bench *g, const char *what, grad_forward *forward, grad_value *value,
                const void *argument);

/* |got - want| <= size + size |want|, in a way that NaN fails. */
void grad_close_to(const char *what, double got, double want, double size);

/* One row per op: runs all its cases. */
typedef void grad_cases(void);
grad_cases grad_gather, grad_bag, grad_linear, grad_linear_by_group, grad_activate, grad_add,
    grad_scale, grad_concat, grad_repeat, grad_mask_rows, grad_dropout, grad_normalise, grad_route,
    grad_label_attention, grad_sampled_softmax;
grad_cases grad_rnn, grad_gru, grad_lstm, grad_pool_segments;
grad_cases grad_columns, grad_dot_rows, grad_softmax_rows, grad_cross_entropy;
grad_cases grad_softmax_segments;
grad_cases grad_select_rows, grad_layer_norm, grad_attention;
grad_cases grad_softmax_loss, grad_pair_loss, grad_logistic_loss, grad_soft_softmax;
grad_cases grad_gru_before, grad_agru_before, grad_augru_before;
grad_cases grad_agru, grad_augru, grad_multiply_pairs, grad_add_pairs, grad_scale_rows;
grad_cases grad_batch_norm, grad_dice, grad_prelu, grad_leaky_relu;
grad_cases grad_squash, grad_patches, grad_margin_loss;
grad_cases grad_fm_pool, grad_reshape, grad_conv1d, grad_pick_columns, grad_straight_through,
    grad_squared_error;
grad_cases grad_adjacency, grad_neighbours, grad_total, grad_interest_score;
/* And what is made of ops. */
void grad_tape(void **state);
void grad_layers(void **state);
void grad_mind(void **state);
void grad_sasrec(void **state);
void grad_rnn_family(void **state);
void grad_interest(void **state);
void grad_pmgt(void **state);
void grad_fm_family(void **state);
void grad_mmrec(void **state);
void grad_capsnet(void **state);

#endif
