/* pmgt.h — the network of PMGT (Liu et al., "Pre-training graph transformer with multimodal side information for
 * recommendation", ACM MM 2021): vectors of items from what is known of them and of their neighbours in the item graph.
 *
 * A sequence is a node and its context (item_graph.h). With the features x^m of modality m (modalities.h),
 *     e^m = W^m x^m + b^m;   g = softmax(W_g tanh([e^1; ..; e^M]) + b_g);   e = sum_m g_m e^m
 *     H = dropout(LN(e + position + role)), through post-LN transformer blocks with attention by unlikeness
 *     z = W_p H[0] + b_p (`out` = pooler) or H[0] (`out` = state), scaled to length 1
 * Losses, of pairs of sequences of which some are neighbours, and of context positions whose features were hidden:
 *     L = graph mean BCE(scale cos(z_a, z_b), are neighbours) + beta mean (W_f H[masked] + b_f - x)²
 * T rows of all sequences, B sequences, D width, F features of all modalities together. */
#ifndef PQ_PMGT_H
#define PQ_PMGT_H

#include "base/fields.h"
#include "layers/transformer.h"
#include "native/pretrain/modalities.h"

typedef enum { PQ_PMGT_POOLER, PQ_PMGT_STATE } pq_pmgt_out;

typedef struct {
    int32_t dim, heads, layers, inner, context, out;
    double delta, graph, beta, logit_scale, dropout, init_scale;
} pq_pmgt_options;

typedef struct {
    pq_pmgt_options options;
    uint32_t modality_count;
    uint32_t widths[PQ_MODALITIES];
    pq_params params;
    pq_param *map[PQ_MODALITIES], *map_bias[PQ_MODALITIES];
    pq_param *gate, *gate_bias; /* NULL with one modality */
    pq_param *positions, *roles, *gain, *bias;
    pq_transformer blocks;
    pq_param *pooler, *pooler_bias, *decoder, *decoder_bias;
} pq_pmgt;

typedef struct {
    pq_segments sequences;            /* B */
    pq_real *features[PQ_MODALITIES]; /* [T, width] as the network is to see them */
    uint32_t pair_count;              /* pairs of sequences */
    const uint32_t *left, *right;     /* [pair_count] */
    const pq_real *labels;            /* [pair_count] 1: neighbours, 0: not */
    uint32_t masked_count;
    const uint32_t *masked;         /* [masked_count] rows whose features are to be told */
    const pq_real *targets;         /* [masked_count, F] */
    uint32_t all_pairs, all_masked; /* of the whole batch, over all its parts */
} pq_pmgt_batch;

/* Declares the parameters for modalities of those widths. Also good for pq_pmgt_free when this fails. */
pique_status pq_pmgt_init(pq_pmgt *net, pq_ctx *ctx, const pq_pmgt_options *options,
                          const uint32_t *widths, uint32_t count);
void pq_pmgt_free(pq_pmgt *net);

/* H (T, D), and z (B, D) of length 1. */
pq_var *pq_pmgt_states(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b);
pq_var *pq_pmgt_vectors(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, pq_var *states);
/* The part of the loss, (1, 1), that belongs to this part of a batch: both losses, or one where the other's weight is 0.
 * graph, features: NULL, or what each adds to it, unweighted. */
pq_var *pq_pmgt_loss(pq_tape *t, const pq_pmgt *net, const pq_pmgt_batch *b, double *graph,
                     double *features);

#endif
