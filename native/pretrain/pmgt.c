#include "native/pretrain/pmgt.h"

#include <stdio.h>

#include "layers/dense.h"

#define NORM_EPSILON 1e-12   /* of layer norms, as in BERT */
#define LENGTH_EPSILON 1e-12 /* under the root of a length */

static pq_param *matrix(pq_pmgt *net, const char *name, uint32_t rows, uint32_t cols) {
    return pq_params_add(&net->params, name, rows, cols,
                         (pq_init){.kind = PQ_INIT_TRUNCATED, .scale = net->options.init_scale});
}

static pq_param *zeros(pq_pmgt *net, const char *name, uint32_t cols) {
    return pq_params_add(&net->params, name, 1, cols, (pq_init){0});
}

static void declare_modalities(pq_pmgt *net, uint32_t d) {
    char name[32];
    for (uint32_t m = 0; m < net->modality_count; m++) {
        snprintf(name, sizeof(name), "modality%u.w", (unsigned)(m + 1));
        net->map[m] = matrix(net, name, d, net->widths[m]);
        snprintf(name, sizeof(name), "modality%u.b", (unsigned)(m + 1));
        net->map_bias[m] = zeros(net, name, d);
    }
    if (net->modality_count > 1) {
        net->gate = matrix(net, "gate.w", net->modality_count, net->modality_count * d);
        net->gate_bias = zeros(net, "gate.b", net->modality_count);
    }
}

pique_status pq_pmgt_init(pq_pmgt *net, pq_ctx *ctx, const pq_pmgt_options *o,
                          const uint32_t *widths, uint32_t count) {
    const uint32_t d = (uint32_t)o->dim;
    uint32_t all = 0;
    *net = (pq_pmgt){.options = *o, .modality_count = count};
    pq_params_init(&net->params, ctx);
    if (count == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "nothing is known of the items: no column and no side file");
    }
    for (uint32_t m = 0; m < count; m++) {
        net->widths[m] = widths[m];
        all += widths[m];
    }
    declare_modalities(net, d);
    net->positions = matrix(net, "position", (uint32_t)o->context + 1, d);
    net->roles = matrix(net, "role", 2, d);
    net->gain = pq_params_add(&net->params, "norm.gain", 1, d, (pq_init){.kind = PQ_INIT_ONE});
    net->bias = zeros(net, "norm.bias", d);
    net->blocks = (pq_transformer){.layers = o->layers,
                                   .heads = o->heads,
                                   .kind = PQ_BLOCK_POST,
                                   .inner = (uint32_t)o->inner,
                                   .forward = PQ_GELU,
                                   .diversity = o->delta,
                                   .dropout = o->dropout,
                                   .epsilon = NORM_EPSILON,
                                   .init = {.kind = PQ_INIT_TRUNCATED, .scale = o->init_scale}};
    PQ_TRY(pq_transformer_declare(&net->blocks, &net->params, "block", d));
    if (o->out == PQ_PMGT_POOLER) {
        net->pooler = matrix(net, "pooler.w", d, d);
        net->pooler_bias = zeros(net, "pooler.b", d);
    }
    net->decoder = matrix(net, "decoder.w", all, d);
    net->decoder_bias = zeros(net, "decoder.b", all);
    return net->params.status;
}

void pq_pmgt_free(pq_pmgt *net) {
    pq_params_free(&net->params);
}

/* e (T, D): the modalities' vectors, each weighed for the item. */
static pq_var *gated(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, uint32_t rows) {
    pq_var *each[PQ_MODALITIES], *joined = NULL;
    for (uint32_t m = 0; m < net->modality_count; m++) {
        pq_var *x = pq_tape_constant(t, b->features[m], rows, net->widths[m]);
        each[m] = pq_dense(t, x, net->map[m], net->map_bias[m]);
        joined = m ? pq_op_concat(t, joined, each[m]) : each[m];
    }
    if (!net->gate) {
        return joined;
    }
    pq_var *shares = pq_op_softmax_rows(
        t, pq_dense(t, pq_op_activate(t, joined, PQ_TANH), net->gate, net->gate_bias));
    pq_var *sum = NULL;
    for (uint32_t m = 0; m < net->modality_count; m++) {
        pq_var *part = pq_op_scale_rows(t, each[m], pq_op_columns(t, shares, m, 1), NULL);
        sum = m ? pq_op_add(t, sum, part) : part;
    }
    return sum;
}

pq_var *pq_pmgt_states(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b) {
    const uint32_t *starts = b->sequences.starts, rows = starts[b->sequences.count];
    uint32_t *places = pq_tape_take(t, rows, sizeof(*places));
    uint32_t *roles = pq_tape_take(t, rows, sizeof(*roles));
    if (!places || !roles) {
        return NULL;
    }
    for (uint32_t s = 0; s < b->sequences.count; s++) {
        for (uint32_t i = starts[s]; i < starts[s + 1]; i++) {
            places[i] = i - starts[s];
            roles[i] = i > starts[s];
        }
    }
    pq_var *x = gated(t, net, b, rows);
    x = pq_op_add(t, x, pq_op_gather(t, net->positions, places, rows));
    x = pq_op_add(t, x, pq_op_gather(t, net->roles, roles, rows));
    x = pq_op_layer_norm(t, x, pq_tape_param(t, net->gain), pq_tape_param(t, net->bias),
                         NORM_EPSILON);
    x = pq_op_dropout(t, x, net->options.dropout);
    return pq_transformer_run(t, &net->blocks, x, NULL, &b->sequences);
}

pq_var *pq_pmgt_vectors(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, pq_var *states) {
    pq_var *z = pq_op_select_rows(t, states, b->sequences.starts, b->sequences.count);
    if (net->pooler) {
        z = pq_dense(t, z, net->pooler, net->pooler_bias);
    }
    return pq_op_normalise(t, z, LENGTH_EPSILON);
}

static pq_var *graph_loss(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, pq_var *states) {
    pq_var *z = pq_pmgt_vectors(t, net, b, states);
    pq_var *cosine = pq_op_dot_rows(t, pq_op_select_rows(t, z, b->left, b->pair_count),
                                    pq_op_select_rows(t, z, b->right, b->pair_count));
    const pq_logistic_loss args = {.labels = b->labels, .weight = 1.0 / b->all_pairs};
    return pq_op_logistic_loss(t, pq_op_scale(t, cosine, net->options.logit_scale), &args);
}

static pq_var *feature_loss(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b,
                            pq_var *states) {
    pq_var *h = pq_op_select_rows(t, states, b->masked, b->masked_count);
    pq_var *told = pq_dense(t, h, net->decoder, net->decoder_bias);
    const pq_squared_error args = {.targets = b->targets,
                                   .weight = 1 / ((double)b->all_masked * net->decoder->rows)};
    return pq_op_squared_error(t, told, &args);
}

pq_var *pq_pmgt_loss(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, double *graph,
                     double *features) {
    pq_var *states = pq_pmgt_states(t, net, b);
    pq_var *sum = graph_loss(t, net, b, states);
    if (graph) {
        *graph = sum ? sum->value[0] : 0;
    }
    if (features) {
        *features = 0;
    }
    sum = pq_op_scale(t, sum, net->options.graph);
    if (b->masked_count == 0 || net->options.beta == 0) {
        return sum;
    }
    pq_var *told = feature_loss(t, net, b, states);
    if (features && told) {
        *features = told->value[0];
    }
    return pq_op_add(t, sum, pq_op_scale(t, told, net->options.beta));
}
