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
#include "layers/transformer.h"
#include "models/retrieval_loss.h"

typedef enum { FORWARD_GELU, FORWARD_RELU } forward_kind;

typedef struct {
    int32_t dim, history, inner, forward;
    bool scale_input, input_norm, cosine;
    double init_scale, temperature;
    pq_transformer net;

    pq_param *positions, *input_gain, *input_bias, *last_gain, *last_bias;
} sasrec;

#define AT(member) offsetof(sasrec, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 4 1024", "64", "50", "50", "width D of all vectors"),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS), "2", NULL, NULL,
             "blocks"),
    PQ_FIELD("heads", AT(net.heads), "int 1 16", "2", "1", "1",
             "attention heads; divides the width"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", NULL, NULL,
             "newest behaviours that are looked at"),
    PQ_FIELD("inner", AT(inner), "int 1 64", "4", "1", "1",
             "width of the feed-forward layer in multiples of D"),
    PQ_FIELD("norm", AT(net.kind), "post,pre,code", "post", "code", "pre",
             "where the layer norms stand: after the residual, before the sublayer, or as in the "
             "authors' "
             "code"),
    PQ_FIELD("forward", AT(forward), "gelu,relu", "gelu", "relu", "relu",
             "activation of the feed-forward layer"),
    PQ_FIELD("scale_input", AT(scale_input), "bool", "0", "1", "0",
             "input embeddings are multiplied by sqrt(D)"),
    PQ_FIELD("input_norm", AT(input_norm), "bool", "1", "0", "0", "layer norm of the input"),
    PQ_FIELD("cosine", AT(cosine), "bool", "0", NULL, NULL, "user and item vectors have length 1"),
    PQ_TRAINING_FIELD("temperature", AT(temperature), "real 1e-3 100", "1", NULL, NULL,
                      "inner products are divided by it in the loss"),
    PQ_TRAINING_FIELD("dropout", AT(net.dropout), "real 0 0.95", "0.5", NULL, NULL,
                      "of the input, the attention weights and the sublayers' outputs"),
    PQ_FIELD("norm_epsilon", AT(net.epsilon), "real 1e-30 1", "1e-8", NULL, NULL,
             "inside the square root of the layer norms"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.02", "0", "0",
                      "deviation of new weights; 0: Glorot uniform"),
    {.name = NULL},
};

static pq_init weights(const sasrec *c) {
    return (pq_init){.kind = c->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                     .scale = c->init_scale};
}

static void declare_norm(pq_model *m, const char *name, pq_param **gain, pq_param **bias) {
    char full[48];
    (void)pq_format(full, sizeof(full), "%s.gain", name);
    *gain = pq_params_add(&m->params, full, 1, m->width, (pq_init){.kind = PQ_INIT_ONE});
    (void)pq_format(full, sizeof(full), "%s.bias", name);
    *bias = pq_params_add(&m->params, full, 1, m->width, (pq_init){0});
}

static pique_status declare(pq_model *m) {
    sasrec *c = m->self;
    uint32_t d = (uint32_t)c->dim;
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
    c->net.inner = d * (uint32_t)c->inner;
    c->net.forward = c->forward == FORWARD_GELU ? PQ_GELU : PQ_RELU;
    c->net.causal = true;
    c->net.init = weights(c);
    PQ_TRY(pq_transformer_declare(&c->net, &m->params, "layer", d));
    if (c->net.kind != PQ_BLOCK_POST) {
        declare_norm(m, "last_norm", &c->last_gain, &c->last_bias);
    }
    return m->params.status;
}

static pq_var *normed(pq_tape *t, const sasrec *c, pq_var *x, const pq_param *gain,
                      const pq_param *bias) {
    return pq_op_layer_norm(t, x, pq_tape_param(t, gain), pq_tape_param(t, bias), c->net.epsilon);
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
    x = pq_op_dropout(t, x, c->net.dropout);
    x = pq_transformer_run(t, &c->net, x, NULL, &b->history);
    if (c->net.kind != PQ_BLOCK_POST) {
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
    .summary = PQ_HELP("the next item by causal self-attention over the history"),
    .fields = fields,
    .training_best =
        PQ_HELP("supervision=all loss=softmax batch=256 samples_per_user=1 around=0 lr=0.001 "
                "schedule=constant epochs=40 patience=5 metric=ndcg cutoff=10 eval_every=2"),
    .training_seed =
        PQ_HELP("supervision=all loss=bce batch=128 samples_per_user=1 around=0 lr=0.001 "
                "beta2=0.98 schedule=constant epochs=200 eval_every=20 sampler=uniform"),
    .training_paper =
        PQ_HELP("supervision=all loss=bce batch=128 samples_per_user=1 around=0 lr=0.001 "
                "beta2=0.98 schedule=constant epochs=200 eval_every=20 sampler=uniform"),
    .causal = true,
    .self_size = sizeof(sasrec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
};
