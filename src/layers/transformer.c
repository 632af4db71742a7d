#include "layers/transformer.h"

#include "layers/dense.h"

#define LEAKY_SLOPE 0.1
#define COSINE_EPSILON 1e-12

/* What the names of a block's parameters are made of. */
typedef struct {
    pq_params *params;
    const char *name;
    uint32_t at;
} naming;

static pq_param *add(const naming *n, const char *part, const char *what, uint32_t rows,
                     uint32_t cols, pq_init init) {
    char full[48];
    (void)pq_format(full, sizeof(full), "%.16s%u.%s%s", n->name, (unsigned)(n->at + 1), part, what);
    return pq_params_add(n->params, full, rows, cols, init);
}

static void declare_attention(const naming *n, pq_block_attention *a, const pq_transformer *tr,
                              uint32_t d, const char *part, const char *norm) {
    uint32_t width =
        (uint32_t)tr->heads * (tr->head_width ? (uint32_t)tr->head_width : d / (uint32_t)tr->heads);
    pq_init zero = {0};
    a->q = add(n, part, "q.w", width, d, tr->init);
    a->q_bias = add(n, part, "q.b", 1, width, zero);
    a->k = add(n, part, "k.w", width, d, tr->init);
    a->k_bias = add(n, part, "k.b", 1, width, zero);
    a->v = add(n, part, "v.w", width, d, tr->init);
    a->v_bias = add(n, part, "v.b", 1, width, zero);
    a->out = add(n, part, "out.w", d, width, tr->init);
    a->out_bias = add(n, part, "out.b", 1, d, zero);
    if (PQ_TRAINING && tr->diversity > 0) {
        a->c = add(n, part, "c.w", width, d, tr->init);
        a->c_bias = add(n, part, "c.b", 1, width, zero);
    }
    if (!tr->bare) {
        a->gain = add(n, norm, "gain", 1, d, (pq_init){.kind = PQ_INIT_ONE});
        a->bias = add(n, norm, "bias", 1, d, zero);
    }
}

pique_status pq_transformer_declare(pq_transformer *tr, pq_params *params, const char *name,
                                    uint32_t d) {
    if (tr->head_width == 0 && d % (uint32_t)tr->heads != 0) {
        PQ_FAIL(params->ctx, PIQUE_ARGUMENT, "heads = %d does not divide the width %u",
                (int)tr->heads, (unsigned)d);
    }
    for (uint32_t i = 0; i < (uint32_t)tr->layers; i++) {
        naming n = {params, name, i};
        pq_transformer_block *b = &tr->block[i];
        declare_attention(&n, &b->own, tr, d, "", "norm1.");
        if (tr->decoder) {
            declare_attention(&n, &b->memory, tr, d, "memory.", "memory.norm.");
        }
        b->w1 = add(&n, "forward1.", "w", tr->inner, d, tr->init);
        b->b1 = add(&n, "forward1.", "b", 1, tr->inner, (pq_init){0});
        b->w2 = add(&n, "forward2.", "w", d, tr->inner, tr->init);
        b->b2 = add(&n, "forward2.", "b", 1, d, (pq_init){0});
        if (!tr->bare) {
            b->gain = add(&n, "norm2.", "gain", 1, d, (pq_init){.kind = PQ_INIT_ONE});
            b->bias = add(&n, "norm2.", "bias", 1, d, (pq_init){0});
        }
    }
    return params->status;
}

static pq_var *normed(pq_tape *t, const pq_transformer *tr, pq_var *x, const pq_param *gain,
                      const pq_param *bias) {
    if (!gain) {
        return x;
    }
    return pq_op_layer_norm(t, x, pq_tape_param(t, gain), pq_tape_param(t, bias), tr->epsilon);
}

/* own: not of a memory. */
static pq_attention looking(const pq_transformer *tr, bool own, const pq_segments *segments) {
    return (pq_attention){.segments = segments,
                          .heads = (uint32_t)tr->heads,
                          .causal = tr->causal && (own || !tr->memory_asks),
                          .blind = tr->blind && own,
                          .dropout = tr->dropout};
}

/* (T, W H): softmax_j(1 - cos(c_i, c_j) + [i = j]) v, as an attention whose scores are <-c_i, c_j> with c of length 1:
 * the 1 that all scores share changes nothing. */
static pq_var *unlike(pq_tape *t, const pq_block_attention *a, pq_var *x, pq_var *v,
                      const pq_attention *args) {
    pq_attention own = *args;
    own.self = 1;
    uint32_t width = a->c->rows, each = width / args->heads;
    pq_var *c = pq_op_reshape(t, pq_dense(t, x, a->c, a->c_bias), each);
    c = pq_op_reshape(t, pq_op_normalise(t, c, COSINE_EPSILON), width);
    return pq_op_attention(t, pq_op_scale(t, c, -pq_sqrt(each)), c, v, &own);
}

/* W_o attention(W_q query, W_k x, W_v x), dropped. */
static pq_var *attend(pq_tape *t, const pq_transformer *tr, const pq_block_attention *a,
                      pq_var *query, pq_var *x, const pq_attention *args) {
    pq_var *q = pq_dense(t, query, a->q, a->q_bias);
    pq_var *k = pq_dense(t, x, a->k, a->k_bias);
    pq_var *v = pq_dense(t, x, a->v, a->v_bias);
    pq_var *y = pq_op_attention(t, q, k, v, args);
    if (PQ_TRAINING && a->c) {
        y = pq_op_add(t, pq_op_scale(t, y, 1 - tr->diversity),
                      pq_op_scale(t, unlike(t, a, x, v, args), tr->diversity));
    }
    y = pq_dense(t, y, a->out, a->out_bias);
    return tr->kind == PQ_BLOCK_CODE ? y : pq_op_dropout(t, y, tr->dropout);
}

static pq_var *forward(pq_tape *t, const pq_transformer *tr, const pq_transformer_block *b,
                       pq_var *x) {
    pq_var *h = pq_dense(t, x, b->w1, b->b1);
    h = tr->leaky ? pq_op_leaky_relu(t, h, LEAKY_SLOPE, LEAKY_SLOPE)
                  : pq_op_activate(t, h, tr->forward);
    if (tr->kind == PQ_BLOCK_CODE) { /* the authors drop the inner layer too */
        h = pq_op_dropout(t, h, tr->dropout);
    }
    return pq_op_dropout(t, pq_dense(t, h, b->w2, b->b2), tr->dropout);
}

/* LN(x + attention(query, key)) */
static pq_var *looked(pq_tape *t, const pq_transformer *tr, const pq_block_attention *a, pq_var *x,
                      pq_var *query, pq_var *key, const pq_attention *args) {
    x = pq_op_add(t, x, attend(t, tr, a, query, key, args));
    return normed(t, tr, x, a->gain, a->bias);
}

/* LN(x + the network of x) */
static pq_var *ended(pq_tape *t, const pq_transformer *tr, const pq_transformer_block *b,
                     pq_var *x) {
    x = pq_op_add(t, x, forward(t, tr, b, x));
    return normed(t, tr, x, b->gain, b->bias);
}

static pq_var *run_block(pq_tape *t, const pq_transformer *tr, const pq_transformer_block *b,
                         pq_var *x, pq_var *memory, const pq_segments *segments) {
    const pq_attention own = looking(tr, true, segments);
    if (tr->kind == PQ_BLOCK_POST) {
        x = looked(t, tr, &b->own, x, x, x, &own);
        if (tr->decoder) {
            pq_var *query = tr->memory_asks ? memory : x, *key = tr->memory_asks ? x : memory;
            const pq_attention args = looking(tr, false, segments);
            x = looked(t, tr, &b->memory, x, query, key, &args);
        }
        return ended(t, tr, b, x);
    }
    pq_var *q = normed(t, tr, x, b->own.gain, b->own.bias);
    if (tr->kind == PQ_BLOCK_PRE) {
        x = pq_op_add(t, x, attend(t, tr, &b->own, q, q, &own));
        return pq_op_add(t, x, forward(t, tr, b, normed(t, tr, x, b->gain, b->bias)));
    }
    x = pq_op_add(t, q, attend(t, tr, &b->own, q, x, &own));
    pq_var *y = normed(t, tr, x, b->gain, b->bias);
    return pq_op_add(t, y, forward(t, tr, b, y));
}

pq_var *pq_transformer_run(pq_tape *t, const pq_transformer *tr, pq_var *x, pq_var *memory,
                           const pq_segments *segments) {
    for (uint32_t i = 0; i < (uint32_t)tr->layers; i++) {
        x = run_block(t, tr, &tr->block[i], x, memory, segments);
    }
    return x;
}

pq_var *pq_transformer_look(pq_tape *t, const pq_transformer *tr, uint32_t i, const pq_stack *x,
                            const pq_stack *other) {
    const pq_transformer_block *b = &tr->block[i];
    pq_attention args = looking(tr, true, x->segments);
    args.keys = other->segments;
    pq_var *y = looked(t, tr, &b->own, x->rows, x->rows, other->rows, &args);
    return ended(t, tr, b, y);
}
