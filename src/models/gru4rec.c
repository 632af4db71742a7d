/* gru4rec.c — GRU4Rec: recurrent networks for sequences of items (Hidasi et al., ICLR 2016, arXiv
 * 1511.06939), in the form of today's comparisons: item vectors shared between input and output (Hidasi &
 * Karatzoglou, CIKM 2018, section 3.3) and the whole catalogue in the loss.
 *
 *     x_t = dropout(e_t)                                         (T, D)
 *     per layer:  x = GRU(W dropout(x) + b)                      (T, H), from zero in every history
 *     state = W_out x + b_out                                    (T, D), when there is a projection
 * The state of the last row is the user's vector, and training predicts the next item after every row.
 * The GRU is that of PyTorch (graph/op_gru.c), whose weights fit as they are; the other cells can take its
 * place.
 *
 * The seed preset is the size that MIND's and ComiRec's comparisons use. The paper preset has the
 * paper's size and pairwise loss; there, inputs are one-hot and the optimiser is Adagrad. */
#include "layers/dense.h"
#include "layers/recurrent.h"
#include "models/retrieval_loss.h"

typedef struct {
    int32_t dim, history;
    bool project, cosine;
    double temperature, init_scale;
    pq_recurrent net;

    pq_param *out, *out_bias;
} gru4rec;

#define AT(member) offsetof(gru4rec, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "64", "64", "100", "width D of item vectors"),
    PQ_FIELD("cell", AT(net.cell), PQ_CELL_CHOICES, "gru", NULL, NULL, "recurrent cell"),
    PQ_FIELD("hidden", AT(net.hidden), "int 1 1024", "128", "64", "100",
             "width H of the recurrent state"),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_RECURRENT), "1", "1", "1",
             "recurrent layers"),
    PQ_FIELD("project", AT(project), "bool", "1", "0", "0",
             "a linear layer from the state to D; needed when H is not D"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", NULL, NULL,
             "newest behaviours that are looked at"),
    PQ_TRAINING_FIELD("dropout", AT(net.dropout), "real 0 0.95", "0.5", "0", "0.2",
                      "of the input of every layer"),
    PQ_FIELD("cosine", AT(cosine), "bool", "0", "0", "0", "user and item vectors have length 1"),
    PQ_TRAINING_FIELD("temperature", AT(temperature), "real 1e-3 100", "1", "1", "1",
                      "inner products are divided by it in the loss"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.02", "0", "0",
                      "deviation of new item vectors; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    gru4rec *c = m->self;
    uint32_t d = (uint32_t)c->dim, h = (uint32_t)c->net.hidden;
    if (!c->project && d != h) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "hidden = %u is not dim = %u, which needs the linear layer of project = 1",
                (unsigned)h, (unsigned)d);
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
    c->net.glorot = true;
    pq_recurrent_declare(&c->net, &m->params, d);
    if (c->project) {
        pq_init random = {.kind = PQ_INIT_GLOROT_UNIFORM};
        c->out = pq_params_add(&m->params, "out.w", d, h, random);
        c->out_bias = pq_params_add(&m->params, "out.b", 1, d, (pq_init){0});
    }
    return m->params.status;
}

/* The state after every row, (T, D). */
static pq_var *states(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const gru4rec *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    x = pq_recurrent_run(t, &c->net, x, &b->history, NULL, NULL);
    if (c->project) {
        x = pq_dense(t, x, c->out, c->out_bias);
    }
    return c->cosine ? pq_op_normalise(t, x, 1e-12) : x;
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const gru4rec *c = m->self;
    return pq_causal_loss(t, m, states(t, m, b), b, 1 / c->temperature);
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    return pq_causal_user(t, m, states(t, m, b), b, live);
}

const pq_model_def pq_model_gru4rec = {
    .name = "gru4rec",
    .task = PQ_TASK_RETRIEVAL,
    .summary = PQ_HELP("the next item by gated recurrent units over the history"),
    .fields = fields,
    .training_best =
        PQ_HELP("supervision=all loss=softmax label_smoothing=0.1 batch=256 samples_per_user=1 "
                "around=0 lr=0.002 schedule=cosine epochs=32 patience=5 metric=ndcg cutoff=10 "
                "eval_every=2"),
    .training_paper =
        PQ_HELP("supervision=all loss=bpr batch=50 samples_per_user=1 around=0 lr=0.001 "
                "schedule=constant epochs=40 patience=5 eval_every=2 sampler=popularity"),
    .causal = true,
    .self_size = sizeof(gru4rec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
};
