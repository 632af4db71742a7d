/* rnn_als.c — rnn_als and rnn_joint: a recurrent network makes the user's vector, and an inner product with an
 * item's vector is the log-odds of the item's label, so that the same model ranks candidates and finds items:
 *     h_t = cells over (e_1, …, e_t)                             (T, D)
 *     u = h_L + P p                                              (B, D)
 *     log-odds = <u, e_candidate>
 * p is the user's profile, where `profile` lets it count.
 * rnn_joint also predicts after every behaviour which one follows, and after the last the candidate:
 *     o_t = W h_t + b over the N items, or <h_t, e_i> with the item vectors themselves
 *     loss = log loss + lambda (mean over samples of the mean over t of cross-entropy(o_t, next))
 * A candidate that was not liked is no label of it. What only predicts the next item is not part of the
 * model file. Unknown items are no labels. */
#include "layers/dense.h"
#include "layers/last_rows.h"
#include "layers/recurrent.h"
#include "models/label_loss.h"
#include "models/next_item.h"
#include "models/retrieval_loss.h"

typedef struct {
    int32_t dim, history;
    double init_scale;
    bool profile;
    pq_recurrent net;

    pq_next_item next; /* of rnn_joint */
} rnn_als;

#define AT(member) offsetof(rnn_als, member)

#define SHARED_FIELDS                                                                              \
    PQ_FIELD("dim", AT(dim), "int 1 1024", "64", "128", NULL,                                      \
             "width D of item vectors and of the recurrent state"),                                \
        PQ_FIELD("cell", AT(net.cell), PQ_CELL_CHOICES, "gru", "rnn", NULL, "recurrent cell"),     \
        PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_RECURRENT), "1", NULL, NULL, \
                 "recurrent layers"),                                                              \
        PQ_FIELD("history", AT(history), "int 1 1000", "50", "5", NULL,                            \
                 "newest behaviours that are looked at"),                                          \
        PQ_TRAINING_FIELD("dropout", AT(net.dropout), "real 0 0.95", "0.2", "0", NULL,             \
                          "of the input of every layer"),                                          \
        PQ_PROFILE_FIELD(AT(profile)),                                                             \
        PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "1", NULL,             \
                          "deviation of new item vectors; 0: Glorot uniform")

static const pq_field als_fields[] = {SHARED_FIELDS, {.name = NULL}};

static const pq_field joint_fields[] = {
    SHARED_FIELDS,
    PQ_TRAINING_FIELD("lambda", AT(next.weight), "real 0 1000", "1", NULL, NULL,
                      "weight of the prediction of the next item in the loss"),
    PQ_NEXT_ITEM_FIELDS(AT(next), "tanh_softmax_ce"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    rnn_als *c = m->self;
    uint32_t d = (uint32_t)c->dim;
    m->interests = 1;
    m->width = d;
    m->max_history = (uint32_t)c->history;
    m->items.width = d;
    m->items.pool = PQ_POOL_SUM;
    m->items.init_scale = c->init_scale;
    m->profile.width = d;
    m->profile.init_scale = c->init_scale;
    pq_items_declare(&m->items, &m->params);
    pq_profile_declare_map(&m->profile, &m->params, c->profile, d,
                           (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    c->net.hidden = c->dim;
    pq_recurrent_declare(&c->net, &m->params, d);
    return pq_next_item_declare(m, &c->next);
}

/* The state after every row, (T, D). */
static pq_var *states(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const rnn_als *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    return pq_recurrent_run(t, &c->net, x, &b->history, NULL, NULL);
}

/* u of the users, (B, D). */
static pq_var *users(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *states) {
    pq_var *last = pq_last_rows(t, states, &b->history);
    return pq_profile_add(t, &m->profile, b->profile, b->history.count, NULL, last);
}

static pq_var *match(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *states) {
    pq_var *u = users(t, m, b, states);
    pq_var *e = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    return pq_op_dot_rows(t, pq_op_select_rows(t, u, b->candidate_users, b->candidate_count), e);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    return match(t, m, b, states(t, m, b));
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    return pq_one_interest(t, m, users(t, m, b, states(t, m, b)), b, live);
}

static pq_var *joint_loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const rnn_als *c = m->self;
    pq_var *h = states(t, m, b);
    pq_var *loss = pq_label_loss(t, b, match(t, m, b, h), 1);
    return pq_next_item_add(t, m, b, &c->next, h, loss);
}

#define TRAINING_BEST                                                                              \
    "batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"
#define TRAINING_SEED "batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"

const pq_model_def pq_model_rnn_als = {
    .name = "rnn_als",
    .task = PQ_TASK_RANKING,
    .summary =
        PQ_HELP("a label by the inner product of a recurrent user vector and an item vector"),
    .fields = als_fields,
    .training_best = PQ_HELP(TRAINING_BEST),
    .training_seed = PQ_HELP(TRAINING_SEED),
    .self_size = sizeof(rnn_als),
    .declare = declare,
    .user = user,
    .score = score,
};

const pq_model_def pq_model_rnn_joint = {
    .name = "rnn_joint",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("rnn_als that also learns to predict the next item after every behaviour"),
    .fields = joint_fields,
    .training_best = PQ_HELP(TRAINING_BEST),
    .training_seed = PQ_HELP(TRAINING_SEED),
    .self_size = sizeof(rnn_als),
    .declare = declare,
    .loss = PQ_TRAINING ? joint_loss : NULL,
    .user = user,
    .score = score,
};
