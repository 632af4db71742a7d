/* pool.c — sequential pooling, the baseline of models that rank: the history is the sum or the mean of its
 * item vectors, whatever their order.
 *     p = sum or mean over t of e_t                              (B, D)
 *     log-odds of candidate i = w' f(W [p; e_i] + b1) + b2       or, without the hidden layer, w' [p; e_i] + b
 * Without the hidden layer the score is a term of the user plus a term of the item, so that every user has
 * the same order of items: it tells how far popularity goes. W is kept in its two halves, and the user's is
 * multiplied once, however many candidates there are. With `profile` the vectors of the user's fields stand beside
 * p. */
#include "layers/dense.h"
#include "layers/head.h"
#include "models/model.h"

typedef enum { POOL_SUM, POOL_MEAN } pool_kind;

typedef struct {
    int32_t dim, history, hidden, kind;
    double init_scale;
    bool profile;
    pq_head head;

    pq_param *user, *item, *b1; /* (H, D), (H, D), (1, H); H = 1 without the hidden layer */
    pq_param *w2, *b2;
} pool;

#define AT(member) offsetof(pool, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "64", "128", NULL, "width D of item vectors"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", "5", NULL,
             "newest behaviours that are looked at"),
    PQ_FIELD("pool", AT(kind), "sum,mean", "mean", "sum", NULL,
             "how the vectors of a history become one"),
    PQ_FIELD(
        "hidden", AT(hidden), "int 0 4096", "64", "0", NULL,
        "width of the hidden layer (ReLU); 0: none, and all users have the same order of items"),
    PQ_PROFILE_FIELD(AT(profile)),
    PQ_HEAD_FIELDS(AT(head)),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "1", NULL,
                      "deviation of new item vectors; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    pool *c = m->self;
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->dim, out = c->hidden ? (uint32_t)c->hidden : 1;
    m->interests = 1;
    m->width = d;
    m->max_history = (uint32_t)c->history;
    m->items.width = d;
    m->items.pool = PQ_POOL_SUM;
    m->items.init_scale = c->init_scale;
    m->profile.width = d;
    m->profile.init_scale = c->init_scale;
    pq_items_declare(&m->items, p);
    pq_init first = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(2.0 * d)};
    c->user = pq_params_add(p, "user.w", out, d, first);
    c->item = pq_params_add(p, "item.w", out, d, first);
    pq_profile_declare_map(&m->profile, p, c->profile, out, first);
    c->b1 = pq_params_add(p, "b1", 1, out, first);
    if (c->hidden) {
        pq_init second = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(out)};
        c->w2 = pq_params_add(p, "w2", 1, out, second);
        c->b2 = pq_params_add(p, "b2", 1, 1, second);
    }
    return p->status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const pool *c = m->self;
    pq_pool_segments how = {.segments = &b->history, .mean = c->kind == POOL_MEAN};
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    pq_var *p = pq_op_pool_segments(t, x, NULL, &how);
    pq_var *user = pq_dense(t, p, c->user, c->b1);
    user = pq_profile_add(t, &m->profile, b->profile, b->history.count, NULL, user);
    pq_var *e = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    pq_var *item = pq_op_linear(t, e, pq_tape_param(t, c->item), NULL);
    pq_var *y =
        pq_op_add(t, pq_op_select_rows(t, user, b->candidate_users, b->candidate_count), item);
    if (c->hidden) {
        y = pq_dense(t, pq_op_activate(t, y, PQ_RELU), c->w2, c->b2);
    }
    return pq_head_apply(t, &c->head, y);
}

const pq_model_def pq_model_pool = {
    .name = "pool",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a label from the sum or mean of the history's item vectors"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .self_size = sizeof(pool),
    .declare = declare,
    .score = score,
};
