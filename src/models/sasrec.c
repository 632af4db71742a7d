/* sasrec.c — SASRec: self-attentive sequential recommendation (Kang & McAuley, ICDM 2018, arXiv
 * 1808.09781).
 *
 * Every row of a history becomes a state that has seen itself and the rows before it:
 *     x = LN(e_t + p_t)                                          (T, D)
 *     per layer:  x = LN(x + W_o attention(W_q x, W_k x, W_v x));  x = LN(x + W_2 f(W_1 x))
 * (norm = post; pre: x + g(LN(x)) with a last LN; code: the authors' order, in which the residual adds
 * the normalised input and the query alone is normalised.) The state of the last row is the user's
 * vector, item vectors are shared between input and output, and training predicts the next item after
 * every row.
 *
 * Positions count from the newest row of the window, which always has the last of the learned positions,
 * as in the papers' left-padded matrices. */
#include "layers/dense.h"
#include "models/retrieval_loss.h"

#include <stdio.h>

typedef enum { NORM_POST, NORM_PRE, NORM_CODE } norm_place;
typedef enum { FORWARD_GELU, FORWARD_RELU } forward_kind;

#define MOST_LAYERS 8

typedef struct {
    pq_param *q, *q_bias, *k, *k_bias, *v, *v_bias, *out, *out_bias;
    pq_param *w1, *b1, *w2, *b2;
    pq_param *gain_a, *bias_a, *gain_f, *bias_f;
} layer;

typedef struct {
    int32_t dim, layers, heads, history, inner, norm, forward;
    bool scale_input, input_norm, cosine;
    double dropout, norm_epsilon, init_scale, temperature;

    layer layer[MOST_LAYERS];
    pq_param *positions, *input_gain, *input_bias, *last_gain, *last_bias;
} sasrec;

#define AT(member) offsetof(sasrec, member)

static const pq_field fields[] = {
    {"dim", PQ_FIELD_INT, AT(dim), 4, 1024, NULL, "64", "50", "50", "width D of all vectors"},
    {"layers", PQ_FIELD_INT, AT(layers), 1, MOST_LAYERS, NULL, "2", NULL, NULL, "blocks"},
    {"heads", PQ_FIELD_INT, AT(heads), 1, 16, NULL, "2", "1", "1",
     "attention heads; divides the width"},
    {"history", PQ_FIELD_INT, AT(history), 1, 1000, NULL, "50", NULL, NULL,
     "newest behaviours that are looked at"},
    {"inner", PQ_FIELD_INT, AT(inner), 1, 64, NULL, "4", "1", "1",
     "width of the feed-forward layer in multiples of D"},
    {"norm", PQ_FIELD_CHOICE, AT(norm), 0, 0, "post,pre,code", "post", "code", "pre",
     "where the layer norms stand: after the residual, before the sublayer, or as in the authors' "
     "code"},
    {"forward", PQ_FIELD_CHOICE, AT(forward), 0, 0, "gelu,relu", "gelu", "relu", "relu",
     "activation of the feed-forward layer"},
    {"scale_input", PQ_FIELD_BOOL, AT(scale_input), 0, 0, NULL, "0", "1", "0",
     "input embeddings are multiplied by sqrt(D)"},
    {"input_norm", PQ_FIELD_BOOL, AT(input_norm), 0, 0, NULL, "1", "0", "0",
     "layer norm of the input"},
    {"cosine", PQ_FIELD_BOOL, AT(cosine), 0, 0, NULL, "0", NULL, NULL,
     "user and item vectors have length 1"},
    {"temperature", PQ_FIELD_REAL, AT(temperature), 1e-3, 100, NULL, "1", NULL, NULL,
     "inner products are divided by it in the loss"},
    {"dropout", PQ_FIELD_REAL, AT(dropout), 0, 0.95, NULL, "0.5", NULL, NULL,
     "of the input, the attention weights and the sublayers' outputs"},
    {"norm_epsilon", PQ_FIELD_REAL, AT(norm_epsilon), 1e-30, 1, NULL, "1e-12", "1e-8", "1e-8",
     "inside the square root of the layer norms"},
    {"init_scale", PQ_FIELD_REAL, AT(init_scale), 0, 10, NULL, "0.02", "0", "0",
     "deviation of new weights; 0: Glorot uniform"},
    {NULL, PQ_FIELD_INT, 0, 0, 0, NULL, NULL, NULL, NULL, NULL},
};

static pq_init weights(const sasrec *c) {
    return (pq_init){.kind = c->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                     .scale = c->init_scale};
}

static pq_param *add(pq_model *m, uint32_t at, const char *what, uint32_t rows, uint32_t cols,
                     pq_init init) {
    char name[48];
    snprintf(name, sizeof(name), "layer%u.%s", (unsigned)(at + 1), what);
    return pq_params_add(&m->params, name, rows, cols, init);
}

static void declare_layer(pq_model *m, uint32_t at) {
    sasrec *c = m->self;
    uint32_t d = m->width, inner = d * (uint32_t)c->inner;
    pq_init random = weights(c), zero = {0}, one = {.kind = PQ_INIT_ONE};
    layer *l = &c->layer[at];
    l->q = add(m, at, "q.w", d, d, random);
    l->q_bias = add(m, at, "q.b", 1, d, zero);
    l->k = add(m, at, "k.w", d, d, random);
    l->k_bias = add(m, at, "k.b", 1, d, zero);
    l->v = add(m, at, "v.w", d, d, random);
    l->v_bias = add(m, at, "v.b", 1, d, zero);
    l->out = add(m, at, "out.w", d, d, random);
    l->out_bias = add(m, at, "out.b", 1, d, zero);
    l->w1 = add(m, at, "forward1.w", inner, d, random);
    l->b1 = add(m, at, "forward1.b", 1, inner, zero);
    l->w2 = add(m, at, "forward2.w", d, inner, random);
    l->b2 = add(m, at, "forward2.b", 1, d, zero);
    l->gain_a = add(m, at, "norm1.gain", 1, d, one);
    l->bias_a = add(m, at, "norm1.bias", 1, d, zero);
    l->gain_f = add(m, at, "norm2.gain", 1, d, one);
    l->bias_f = add(m, at, "norm2.bias", 1, d, zero);
}

static void declare_norm(pq_model *m, const char *name, pq_param **gain, pq_param **bias) {
    char full[48];
    snprintf(full, sizeof(full), "%s.gain", name);
    *gain = pq_params_add(&m->params, full, 1, m->width, (pq_init){.kind = PQ_INIT_ONE});
    snprintf(full, sizeof(full), "%s.bias", name);
    *bias = pq_params_add(&m->params, full, 1, m->width, (pq_init){0});
}

static pique_status declare(pq_model *m) {
    sasrec *c = m->self;
    uint32_t d = (uint32_t)c->dim;
    if (c->dim % c->heads != 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "heads = %d does not divide dim = %d", (int)c->heads,
                (int)c->dim);
    }
    m->interests = 1;
    m->width = d;
    m->max_history = (uint32_t)c->history;
    m->items.width = d;
    m->items.pool = PQ_POOL_SUM;
    m->items.normalise = c->cosine;
    m->items.init_scale = c->init_scale;
    m->profile.column_count = 0; /* the sequence alone */
    pq_items_declare(&m->items, &m->params);
    c->positions = pq_params_add(&m->params, "position", m->max_history, d, weights(c));
    if (c->positions) {
        c->positions->sparse = true;
    }
    if (c->input_norm) {
        declare_norm(m, "input_norm", &c->input_gain, &c->input_bias);
    }
    for (uint32_t i = 0; i < (uint32_t)c->layers; i++) {
        declare_layer(m, i);
    }
    if (c->norm != NORM_POST) {
        declare_norm(m, "last_norm", &c->last_gain, &c->last_bias);
    }
    return m->params.status;
}

static pq_var *normed(pq_tape *t, const sasrec *c, pq_var *x, const pq_param *gain,
                      const pq_param *bias) {
    return pq_op_layer_norm(t, x, pq_tape_param(t, gain), pq_tape_param(t, bias), c->norm_epsilon);
}

/* W_o attention(W_q query, W_k x, W_v x), dropped. */
static pq_var *attend(pq_tape *t, const sasrec *c, const layer *l, pq_var *query, pq_var *x,
                      const pq_segments *segments) {
    pq_attention args = {
        .segments = segments, .heads = (uint32_t)c->heads, .causal = true, .dropout = c->dropout};
    pq_var *q = pq_dense(t, query, l->q, l->q_bias);
    pq_var *k = pq_dense(t, x, l->k, l->k_bias);
    pq_var *v = pq_dense(t, x, l->v, l->v_bias);
    pq_var *a = pq_dense(t, pq_op_attention(t, q, k, v, &args), l->out, l->out_bias);
    return c->norm == NORM_CODE ? a : pq_op_dropout(t, a, c->dropout);
}

static pq_var *forward(pq_tape *t, const sasrec *c, const layer *l, pq_var *x) {
    pq_activation kind = c->forward == FORWARD_GELU ? PQ_GELU : PQ_RELU;
    pq_var *h = pq_op_activate(t, pq_dense(t, x, l->w1, l->b1), kind);
    if (c->norm == NORM_CODE) { /* the authors drop the inner layer too */
        h = pq_op_dropout(t, h, c->dropout);
    }
    return pq_op_dropout(t, pq_dense(t, h, l->w2, l->b2), c->dropout);
}

static pq_var *block(pq_tape *t, const sasrec *c, const layer *l, pq_var *x,
                     const pq_segments *segments) {
    if (c->norm == NORM_POST) {
        x = pq_op_add(t, x, attend(t, c, l, x, x, segments));
        x = normed(t, c, x, l->gain_a, l->bias_a);
        x = pq_op_add(t, x, forward(t, c, l, x));
        return normed(t, c, x, l->gain_f, l->bias_f);
    }
    pq_var *q = normed(t, c, x, l->gain_a, l->bias_a);
    if (c->norm == NORM_PRE) {
        x = pq_op_add(t, x, attend(t, c, l, q, q, segments));
        return pq_op_add(t, x, forward(t, c, l, normed(t, c, x, l->gain_f, l->bias_f)));
    }
    x = pq_op_add(t, q, attend(t, c, l, q, x, segments));
    pq_var *y = normed(t, c, x, l->gain_f, l->bias_f);
    return pq_op_add(t, y, forward(t, c, l, y));
}

/* The state after every row, (T, D). */
static pq_var *states(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const sasrec *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    uint32_t *place = pq_tape_take(t, rows, sizeof(*place));
    if (!place) {
        return NULL;
    }
    for (uint32_t s = 0; s < b->history.count; s++) {
        uint32_t end = b->history.starts[s + 1];
        if (pq_segment_length(&b->history, s) > m->max_history) {
            return pq_tape_fail(t, PIQUE_ARGUMENT, "a history has %u behaviours, at most %u fit",
                                (unsigned)pq_segment_length(&b->history, s),
                                (unsigned)m->max_history);
        }
        for (uint32_t i = b->history.starts[s]; i < end; i++) {
            place[i] = m->max_history - (end - i);
        }
    }
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    x = pq_op_scale(t, x, c->scale_input ? pq_sqrt(c->dim) : 1);
    x = pq_op_add(t, x, pq_op_gather(t, c->positions, place, rows));
    if (c->input_norm) {
        x = normed(t, c, x, c->input_gain, c->input_bias);
    }
    x = pq_op_dropout(t, x, c->dropout);
    for (uint32_t i = 0; i < (uint32_t)c->layers; i++) {
        x = block(t, c, &c->layer[i], x, &b->history);
    }
    if (c->norm != NORM_POST) {
        x = normed(t, c, x, c->last_gain, c->last_bias);
    }
    return c->cosine ? pq_op_normalise(t, x, 1e-12) : x;
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const sasrec *c = m->self;
    return pq_causal_loss(t, m, states(t, m, b), b, 1 / c->temperature);
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    return pq_causal_user(t, m, states(t, m, b), b, live);
}

const pq_model_def pq_model_sasrec = {
    .name = "sasrec",
    .task = PQ_TASK_RETRIEVAL,
    .summary = "the next item by causal self-attention over the history",
    .fields = fields,
    .training_best = "supervision=all loss=softmax batch=256 samples_per_user=1 around=0 lr=0.001 "
                     "schedule=constant epochs=40 patience=5 metric=ndcg cutoff=10 eval_every=2",
    .training_seed = "supervision=all loss=bce batch=128 samples_per_user=1 around=0 lr=0.001 "
                     "beta2=0.98 schedule=constant epochs=200 eval_every=20 sampler=uniform",
    .training_paper = "supervision=all loss=bce batch=128 samples_per_user=1 around=0 lr=0.001 "
                      "beta2=0.98 schedule=constant epochs=200 eval_every=20 sampler=uniform",
    .causal = true,
    .self_size = sizeof(sasrec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
};
