/* mlp.h — dense layers one after the other:
 *     x = dropout(f(norm(W x + b))) for each hidden layer, then y = W x + b
 * The norm is over the batch, before the activation, or once over the input; `affine` keeps of the latter the gain and
 * the bias alone, as a program does that never tells TensorFlow's batch normalisation that it is training. */
#ifndef PQ_MLP_H
#define PQ_MLP_H

#include "base/fields.h"
#include "graph/ops.h"

#define PQ_MOST_HIDDEN 3

typedef enum {
    PQ_ACT_LINEAR,
    PQ_ACT_RELU,
    PQ_ACT_LEAKY, /* slope 0.1 below zero */
    PQ_ACT_PRELU, /* trained slopes, 0.25 at first */
    PQ_ACT_RRELU, /* drawn slopes, 1/8 to 1/3 */
    PQ_ACT_SELU,
    PQ_ACT_GELU,
    PQ_ACT_TANH,
    PQ_ACT_SIGMOID,
    PQ_ACT_DICE /* trained slopes, 0 at first */
} pq_act_kind;
#define PQ_ACT_CHOICES "linear,relu,leaky,prelu,rrelu,selu,gelu,tanh,sigmoid,dice"

typedef enum { PQ_NORM_NONE, PQ_NORM_INPUT, PQ_NORM_LAYERS, PQ_NORM_AFFINE } pq_norm_kind;

typedef struct {
    pq_param *statistic, *gain, *bias; /* gain and bias may be NULL */
} pq_batch_norm;

typedef struct {
    pq_param *w, *b;
    pq_batch_norm norm;
    pq_param *slope; /* of PReLU and Dice */
} pq_mlp_layer;

/* How Dice begins and normalises; all zeros are the paper's. */
typedef struct {
    double alpha, epsilon; /* first slopes; 0: 1e-8 */
    bool fixed, affine;    /* slopes are not trained; the norm has a gain and a bias */
} pq_dice_options;

typedef struct {
    /* set by the model before declaring */
    int32_t widths[PQ_MOST_HIDDEN]; /* of the hidden layers; the first 0 ends them */
    int32_t activation, norm;       /* pq_act_kind, pq_norm_kind */
    double dropout;                 /* of what hidden layers give */
    pq_dice_options dice;
    bool first_outside; /* the input is W x + b of the first hidden layer already */

    pq_batch_norm input;
    pq_mlp_layer layer[PQ_MOST_HIDDEN + 1];
    uint32_t count; /* layers, the output among them */
    bool output;
} pq_mlp;

/* A row of a table of fields for each option; `at` is the offset of the pq_mlp. */
#define PQ_MLP_WIDTH(name, at, i, best, seed, paper)                                               \
    PQ_FIELD(name, (at) + offsetof(pq_mlp, widths) + (i) * sizeof(int32_t), "int 0 4096", best,    \
             seed, paper, "width of a hidden layer; 0: none from here on")
#define PQ_MLP_ACTIVATION(name, at, best, seed, paper)                                             \
    PQ_FIELD(name, (at) + offsetof(pq_mlp, activation), PQ_ACT_CHOICES, best, seed, paper,         \
             "activation of the hidden layers")
#define PQ_MLP_NORM(name, at, best, seed, paper)                                                   \
    PQ_FIELD(name, (at) + offsetof(pq_mlp, norm), "none,input,layers,affine", best, seed, paper,   \
             "batch normalisation: none, of the input, in every hidden layer, or only its "        \
             "gain and bias on the input")
#define PQ_MLP_DROPOUT(name, at, best, seed, paper)                                                \
    PQ_TRAINING_FIELD(name, (at) + offsetof(pq_mlp, dropout), "real 0 0.95", best, seed, paper,    \
                      "of what the hidden layers give")

/* `at`: the offset of the pq_dice_options; the rest are a seed's values. */
#define PQ_DICE_FIELDS(at, seed_alpha, seed_fixed, seed_affine, seed_epsilon)                      \
    PQ_FIELD("dice_alpha", (at) + offsetof(pq_dice_options, alpha), "real 0 1", "0", seed_alpha,   \
             NULL, "first slopes of dice"),                                                        \
        PQ_FIELD("dice_fixed", (at) + offsetof(pq_dice_options, fixed), "bool", "0", seed_fixed,   \
                 NULL, "they are not trained"),                                                    \
        PQ_FIELD("dice_affine", (at) + offsetof(pq_dice_options, affine), "bool", "0",             \
                 seed_affine, NULL, "its normalisation has a gain and a bias"),                    \
        PQ_FIELD("dice_epsilon", (at) + offsetof(pq_dice_options, epsilon), "real 1e-12 1",        \
                 "1e-8", seed_epsilon, NULL, "what its normalisation adds to variances")

/* in: width of the input; out: of the output, 0 for none. Names begin with `name`. */
void pq_mlp_declare(pq_mlp *mlp, pq_params *params, const char *name, uint32_t in, uint32_t out);
/* Width of what pq_mlp_run gives without an output layer. */
uint32_t pq_mlp_width(const pq_mlp *mlp, uint32_t in);
/* Whether its norm is of the input. */
static inline bool pq_mlp_scales_input(const pq_mlp *mlp) {
    return mlp->norm == PQ_NORM_INPUT || mlp->norm == PQ_NORM_AFFINE;
}
/* Whether it normalises over the batch. */
bool pq_mlp_normalises(const pq_mlp *mlp);
/* x (N, in) to (N, out), or to the last hidden layer. */
pq_var *pq_mlp_run(pq_tape *t, const pq_mlp *mlp, pq_var *x);

#endif
