/* rnn.c — ranking by a recurrent network that reads the history and then the candidate:
 *     h = cells over (e_1, …, e_L, e_candidate + P p)            (C, H)
 *     log-odds = w' h + b
 * p is the user's profile, where `profile` lets it count.
 * All candidates of a user have the same history, so it is read once, and each candidate takes one step
 * from the state that it left. */
#include "layers/dense.h"
#include "layers/head.h"
#include "layers/last_rows.h"
#include "layers/recurrent.h"
#include "models/model.h"

typedef struct {
    int32_t dim, history;
    double init_scale;
    bool profile;
    pq_head head;
    pq_recurrent net;

    pq_param *w, *b;
} rnn;

#define AT(member) offsetof(rnn, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "64", "128", NULL, "width D of item vectors"),
    PQ_FIELD("cell", AT(net.cell), PQ_CELL_CHOICES, "gru", "rnn", NULL, "recurrent cell"),
    PQ_FIELD("hidden", AT(net.hidden), "int 1 1024", "64", NULL, NULL,
             "width H of the recurrent state"),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_RECURRENT), "1", NULL, NULL,
             "recurrent layers"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", "5", NULL,
             "newest behaviours that are looked at"),
    PQ_TRAINING_FIELD("dropout", AT(net.dropout), "real 0 0.95", "0.2", "0", NULL,
                      "of the input of every layer"),
    PQ_PROFILE_FIELD(AT(profile)),
    PQ_HEAD_FIELDS(AT(head)),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "1", NULL,
                      "deviation of new item vectors; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    rnn *c = m->self;
    uint32_t d = (uint32_t)c->dim, h = (uint32_t)c->net.hidden;
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
    pq_recurrent_declare(&c->net, &m->params, d);
    pq_init linear = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(h)};
    c->w = pq_params_add(&m->params, "out.w", 1, h, linear);
    c->b = pq_params_add(&m->params, "out.b", 1, 1, linear);
    return m->params.status;
}

/* C segments of one row each. */
static bool single_rows(pq_tape *t, uint32_t count, pq_segments *out) {
    uint32_t *starts = pq_tape_take(t, (size_t)count + 1, sizeof(*starts));
    for (uint32_t i = 0; starts && i <= count; i++) {
        starts[i] = i;
    }
    *out = (pq_segments){starts, count};
    return starts != NULL;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const rnn *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    pq_segments candidates;
    pq_recurrent_states states;
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    x = pq_recurrent_run(t, &c->net, x, &b->history, NULL, &states);
    if (!x || !single_rows(t, b->candidate_count, &candidates)) {
        return NULL;
    }
    for (uint32_t i = 0; i < (uint32_t)c->net.layers; i++) {
        pq_var *last = pq_last_rows(t, states.layer[i], &b->history);
        states.layer[i] = pq_op_select_rows(t, last, b->candidate_users, b->candidate_count);
    }
    pq_var *e = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    e = pq_profile_add(t, &m->profile, b->profile, b->history.count, b->candidate_users, e);
    pq_var *h = pq_recurrent_run(t, &c->net, e, &candidates, &states, NULL);
    return pq_head_apply(t, &c->head, pq_dense(t, h, c->w, c->b));
}

const pq_model_def pq_model_rnn = {
    .name = "rnn",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a label by a recurrent network over the history and then the candidate"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .self_size = sizeof(rnn),
    .declare = declare,
    .score = score,
};
