#include "layers/mlp.h"

#include "layers/dense.h"

#define NORM_EPSILON 1e-5
#define DICE_EPSILON 1e-8
#define LEAKY_SLOPE 0.1
#define RRELU_LOW (1.0 / 8)
#define RRELU_HIGH (1.0 / 3)
#define PRELU_START 0.25

static pq_param *add(pq_params *params, const char *name, uint32_t at, const char *what,
                     uint32_t rows, uint32_t cols, pq_init init) {
    char full[48];
    (void)pq_format(full, sizeof(full), "%.20s%u.%s", name, (unsigned)at, what);
    return pq_params_add(params, full, rows, cols, init);
}

static pq_batch_norm add_norm(pq_params *params, const char *name, uint32_t at, uint32_t width,
                              bool affine) {
    pq_batch_norm norm = {0};
    norm.statistic =
        add(params, name, at, "statistic", 3, width, (pq_init){.kind = PQ_INIT_STATISTIC});
    if (norm.statistic) {
        norm.statistic->statistic = true;
    }
    if (affine) {
        norm.gain = add(params, name, at, "gain", 1, width, (pq_init){.kind = PQ_INIT_ONE});
        norm.bias = add(params, name, at, "bias", 1, width, (pq_init){.kind = PQ_INIT_ZERO});
    }
    return norm;
}

static void add_layer(pq_mlp *mlp, pq_params *params, const char *name, uint32_t in, uint32_t out,
                      bool hidden) {
    uint32_t at = mlp->count + 1;
    pq_mlp_layer *layer = &mlp->layer[mlp->count++];
    if (!(at == 1 && mlp->first_outside)) {
        layer->w = add(params, name, at, "w", out, in, (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
        layer->b = add(params, name, at, "b", 1, out, (pq_init){.kind = PQ_INIT_ZERO});
    }
    if (!hidden) {
        return;
    }
    bool dice = mlp->activation == PQ_ACT_DICE;
    if (mlp->norm == PQ_NORM_LAYERS ||
        dice) { /* Dice bends at the normalised zero: no affine, unless it is asked for */
        layer->norm = add_norm(params, name, at, out, dice ? mlp->dice.affine : true);
    }
    if (dice || mlp->activation == PQ_ACT_PRELU) {
        layer->slope =
            add(params, name, at, "slope", 1, out,
                (pq_init){.kind = PQ_INIT_CONSTANT, .scale = dice ? mlp->dice.alpha : PRELU_START});
        if (layer->slope) {
            layer->slope->frozen = dice && mlp->dice.fixed;
        }
    }
}

void pq_mlp_declare(pq_mlp *mlp, pq_params *params, const char *name, uint32_t in, uint32_t out) {
    mlp->count = 0;
    mlp->output = out > 0;
    if (pq_mlp_scales_input(mlp)) {
        mlp->input = add_norm(params, name, 0, in, true);
        if (mlp->input.statistic) { /* mean 0 and variance 1 for good */
            mlp->input.statistic->frozen = mlp->norm == PQ_NORM_AFFINE;
        }
    }
    for (uint32_t i = 0; i < PQ_MOST_HIDDEN && mlp->widths[i] > 0; i++) {
        add_layer(mlp, params, name, in, (uint32_t)mlp->widths[i], true);
        in = (uint32_t)mlp->widths[i];
    }
    if (mlp->output) {
        add_layer(mlp, params, name, in, out, false);
    }
}

uint32_t pq_mlp_width(const pq_mlp *mlp, uint32_t in) {
    for (uint32_t i = 0; i < PQ_MOST_HIDDEN && mlp->widths[i] > 0; i++) {
        in = (uint32_t)mlp->widths[i];
    }
    return in;
}

bool pq_mlp_normalises(const pq_mlp *mlp) {
    return mlp->norm == PQ_NORM_INPUT || mlp->norm == PQ_NORM_LAYERS ||
           (mlp->activation == PQ_ACT_DICE && mlp->widths[0] > 0);
}

static pq_var *normalise(pq_tape *t, const pq_batch_norm *norm, pq_var *x, double epsilon) {
    pq_var *gain = norm->gain ? pq_tape_param(t, norm->gain) : NULL;
    pq_var *bias = norm->bias ? pq_tape_param(t, norm->bias) : NULL;
    return pq_op_batch_norm(t, x, norm->statistic, gain, bias, epsilon);
}

static pq_var *activate(pq_tape *t, const pq_mlp *mlp, const pq_mlp_layer *layer, pq_var *x) {
    static const pq_activation plain[] = {
        [PQ_ACT_LINEAR] = PQ_LINEAR, [PQ_ACT_RELU] = PQ_RELU, [PQ_ACT_SELU] = PQ_SELU,
        [PQ_ACT_GELU] = PQ_GELU,     [PQ_ACT_TANH] = PQ_TANH, [PQ_ACT_SIGMOID] = PQ_SIGMOID};
    if (mlp->activation == PQ_ACT_DICE) {
        double epsilon = mlp->dice.epsilon > 0 ? mlp->dice.epsilon : DICE_EPSILON;
        return pq_op_dice(t, x, normalise(t, &layer->norm, x, epsilon),
                          pq_tape_param(t, layer->slope));
    }
    if (mlp->norm == PQ_NORM_LAYERS) {
        x = normalise(t, &layer->norm, x, NORM_EPSILON);
    }
    switch (mlp->activation) {
    case PQ_ACT_LEAKY:
        return pq_op_leaky_relu(t, x, LEAKY_SLOPE, LEAKY_SLOPE);
    case PQ_ACT_RRELU:
        return pq_op_leaky_relu(t, x, RRELU_LOW, RRELU_HIGH);
    case PQ_ACT_PRELU:
        return pq_op_prelu(t, x, pq_tape_param(t, layer->slope));
    default:
        return pq_op_activate(t, x, plain[mlp->activation]);
    }
}

pq_var *pq_mlp_run(pq_tape *t, const pq_mlp *mlp, pq_var *x) {
    if (pq_mlp_scales_input(mlp)) {
        x = normalise(t, &mlp->input, x, NORM_EPSILON);
    }
    for (uint32_t i = 0; i < mlp->count; i++) {
        const pq_mlp_layer *layer = &mlp->layer[i];
        x = layer->w ? pq_dense(t, x, layer->w, layer->b) : x;
        if (!(mlp->output && i + 1 == mlp->count)) {
            x = pq_op_dropout(t, activate(t, mlp, layer, x), mlp->dropout);
        }
    }
    return x;
}
