/* transformer.h — blocks of self-attention and a feed-forward network (Vaswani et al., 2017) over each segment:
 *     post:  x = LN(x + attention(x));  x = LN(x + W_2 f(W_1 x + b_1) + b_2)
 *     pre:   x = x + attention(LN(x));  x = x + W_2 f(W_1 LN(x) + b_1) + b_2
 *     code:  as in the code of SASRec's authors, in which the residual adds the normalised input and the query
 *            alone is normalised
 * `bare` is `post` without LN. A block of a decoder looks at a memory in between: x = LN(x + attention(x, memory)),
 * `post` alone; with `memory_asks`, the memory's rows are the queries and x is what they look at, later rows too.
 * With `diversity` d, rows are also attended to by how unlike they are (Liu et al., "Pre-training graph transformer with
 * multimodal side information", 2021): with c = W_c x and the cosines of its heads' rows, the weights are
 *     (1 - d) softmax_j(<q_i, k_j> / sqrt(W)) + d softmax_j(1 - cos(c_i, c_j) + [i = j])
 * The attention's width is that of its heads together, whatever the width D of x. */
#ifndef PQ_TRANSFORMER_H
#define PQ_TRANSFORMER_H

#include "graph/ops.h"

#define PQ_MOST_BLOCKS 8

typedef enum { PQ_BLOCK_POST, PQ_BLOCK_PRE, PQ_BLOCK_CODE } pq_block_kind;

/* Of the attention, and the layer norm before or after it. */
typedef struct {
    pq_param *q, *q_bias, *k, *k_bias, *v, *v_bias, *out, *out_bias;
    pq_param *c, *c_bias; /* of diversity, else NULL */
    pq_param *gain, *bias;
} pq_block_attention;

typedef struct {
    pq_block_attention own, memory; /* memory: of a decoder */
    pq_param *w1, *b1, *w2, *b2;
    pq_param *gain, *bias;
} pq_transformer_block;

typedef struct {
    /* set by the model before declaring */
    int32_t layers, heads, kind; /* blocks, at most PQ_MOST_BLOCKS; kind: pq_block_kind */
    int32_t head_width;          /* 0: D / heads, which must be whole */
    uint32_t inner;              /* units of the feed-forward network */
    pq_activation forward;
    bool causal; /* a row sees itself and those before it */
    bool blind;  /* of its own segment a row does not see itself */
    bool bare, decoder, memory_asks;
    bool leaky;       /* the network has slope 0.1 below zero, whatever `forward` says */
    double diversity; /* share of the attention that goes by unlikeness; in training alone */
    double dropout;   /* of attention weights and of what is added */
    double epsilon;   /* of the layer norms */
    pq_init init;     /* of matrices */

    pq_transformer_block block[PQ_MOST_BLOCKS];
} pq_transformer;

/* d: width of x. Names begin with `name`1. … PIQUE_ARGUMENT when the heads do not divide it. */
pique_status pq_transformer_declare(pq_transformer *tr, pq_params *params, const char *name,
                                    uint32_t d);
/* x (T, D) to (T, D). memory: (T, D) with the same segments, of a decoder; else NULL. */
pq_var *pq_transformer_run(pq_tape *t, const pq_transformer *tr, pq_var *x, pq_var *memory,
                           const pq_segments *segments);

/* Rows (T, D) of segments, which last as long as the step. */
typedef struct {
    pq_var *rows;
    const pq_segments *segments;
} pq_stack;

/* What block i, of kind `post`, makes of x when its attention looks at the rows of the same segment of `other`
 * instead of x's own: of zeros where that has none. */
pq_var *pq_transformer_look(pq_tape *t, const pq_transformer *tr, uint32_t i, const pq_stack *x,
                            const pq_stack *other);

#endif
