/* concat_mlp.c — a vector for the user, a vector for the item, and a network on both:
 *     u = mean over the history of e_t + sum over the profile's fields of v_f     (C, d)
 *     log-odds = MLP([u; e])
 * e is the sum of the vectors of an item's fields. */
#include "layers/head.h"
#include "models/ctr_input.h"

typedef struct {
    int32_t dim, history;
    double init_scale;
    pq_mlp mlp;
    pq_head head;
} concat_mlp;

#define AT(member) offsetof(concat_mlp, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "32", "128", NULL,
             "width of the user's and the item's vector"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", NULL, NULL,
             "newest behaviours that are looked at"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.05", "1", NULL,
                      "deviation of new vectors; 0: Glorot uniform"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "64", "128", NULL, "32", "64", NULL, "0", NULL, NULL, "relu", "tanh",
                      NULL, "0", NULL, NULL),
    PQ_HEAD_FIELDS(AT(head)),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    concat_mlp *c = m->self;
    m->items.pool = PQ_POOL_SUM;
    m->width = m->items.width = m->profile.width = (uint32_t)c->dim;
    m->items.init_scale = m->profile.init_scale = c->init_scale;
    m->interests = 1;
    m->max_history = (uint32_t)c->history;
    pq_items_declare(&m->items, &m->params);
    pq_profile_declare(&m->profile, &m->params);
    pq_mlp_declare(&c->mlp, &m->params, "mlp", 2 * m->width, 1);
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return m->params.status;
}

/* (B, d) */
static pq_var *user_vector(pq_tape *t, const pq_model *m, const pq_batch *b) {
    pq_var *sum = pq_ctr_history(t, m, b);
    pq_var *profile = pq_profile_vector(t, &m->profile, b->profile, b->history.count);
    for (uint32_t f = 0; f < m->profile.column_count; f++) {
        sum = pq_op_add(t, sum, pq_op_columns(t, profile, f * m->width, m->width));
    }
    return sum;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const concat_mlp *c = m->self;
    pq_var *u = pq_op_select_rows(t, user_vector(t, m, b), b->candidate_users, b->candidate_count);
    pq_var *x = pq_op_concat(t, u, pq_ctr_candidates(t, m, b));
    return pq_head_apply(t, &c->head, pq_mlp_run(t, &c->mlp, x));
}

const pq_model_def pq_model_concat_mlp = {
    .name = "concat_mlp",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a network on a vector for the user and one for the item"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.2 dense_rows=1 max_norm=1"),
    .self_size = sizeof(concat_mlp),
    .declare = declare,
    .score = score,
};
