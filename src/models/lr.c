/* lr.c — logistic regression on the fields of a pair: the baseline of models that rank.
 *     log-odds = w0 + sum over fields i of w_i
 * with a weight for each code of the profile and the mean weight of an item's values in a column. A term of the user
 * plus a term of the item: every user has the same order of items. */
#include "models/ctr_input.h"

typedef struct {
    pq_param *bias;
} lr;

static const pq_field fields[] = {{.name = NULL}};

/* The weights are vectors of width 1. */
static pique_status declare(pq_model *m) {
    lr *c = m->self;
    m->items.pool = PQ_POOL_SUM;
    m->items.width = m->profile.width = m->width = 1;
    m->interests = m->max_history = 1;
    pq_items_declare(&m->items, &m->params);
    pq_profile_declare(&m->profile, &m->params);
    c->bias = pq_params_add(&m->params, "bias", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
    return m->params.status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const lr *c = m->self;
    bool profile = m->profile.column_count > 0;
    pq_var *weights = pq_ctr_join(t, profile, pq_ctr_profile(t, m, b), pq_ctr_candidates(t, m, b));
    return pq_ctr_row_sums(t, weights, c->bias);
}

const pq_model_def pq_model_lr = {
    .name = "lr",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("logistic regression on the fields of user and item: the baseline"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.01 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .self_size = sizeof(lr),
    .declare = declare,
    .score = score,
};
