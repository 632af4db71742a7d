/* fm.c — the factorisation machine (Rendle, ICDM 2010): every pair of fields counts by the inner product of the two
 * fields' vectors.
 *     log-odds = w0 + sum of w_i + sum over i < j of <v_i, v_j>
 * The pairs of a user's field and an item's are one inner product of the sums of both sides, so that the machine
 * ranks candidates and finds items:
 *     log-odds = what the user's fields are worth alone + <[sum of the user's v; 1], [sum of the item's v; c]>
 * c is what the item's fields are worth alone. The second vectors are baked into the file's item vectors. */
#include "models/ctr_input.h"

typedef struct {
    pq_ctr_options in;
    bool linear;
    pq_param *bias;
} fm;

#define AT(member) offsetof(fm, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "8", "0.05"),
    PQ_FIELD("linear", AT(linear), "bool", "1", NULL, NULL,
             "each field has a weight of its own beside its vector"),
    {.name = NULL},
};

/* The sum of fields, each d wide, of x (n, F d): (n, d). */
static pq_var *sum_fields(pq_tape *t, pq_var *x, uint32_t d) {
    pq_var *sum = pq_op_columns(t, x, 0, d);
    for (uint32_t at = d; x && at < x->cols; at += d) {
        sum = pq_op_add(t, sum, pq_op_columns(t, x, at, d));
    }
    return sum;
}

/* What fields are worth without the other side, (n, 1). */
static pq_var *alone(pq_tape *t, pq_var *x, uint32_t d, pq_var *linear, const pq_param *bias) {
    pq_var *y = pq_ctr_row_sums(t, pq_op_fm_pool(t, x, d), bias);
    return linear ? pq_op_add(t, y, linear) : y;
}

/* [sum of v; c] */
static pq_var *item_side(pq_tape *t, const void *self, pq_var *rows) {
    const fm *c = self;
    uint32_t d = (uint32_t)c->in.dim;
    if (!rows) {
        return NULL;
    }
    pq_var *v = pq_op_columns(t, rows, 0, rows->cols - (c->linear ? 1 : 0));
    pq_var *linear = c->linear ? pq_op_columns(t, rows, rows->cols - 1, 1) : NULL;
    return pq_op_concat(t, sum_fields(t, v, d), alone(t, v, d, linear, NULL));
}

static pique_status declare(pq_model *m) {
    fm *c = m->self;
    m->items.map = item_side;
    m->items.map_self = c;
    pq_ctr_input_declare(m, &c->in, c->linear, 0);
    m->width = (uint32_t)c->in.dim + 1;
    c->bias = pq_params_add(&m->params, "bias", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
    return m->params.status;
}

/* The user's fields, (B, F d): those of the profile and of the history, or one of zeros. */
static pq_var *user_fields(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fm *c = m->self;
    bool profile = m->profile.column_count > 0;
    pq_var *x = profile ? pq_profile_vector(t, &m->profile, b->profile, b->history.count) : NULL;
    if (c->in.history > 0) {
        return pq_ctr_join(t, profile, x, pq_ctr_history(t, m, b));
    }
    uint32_t d = (uint32_t)c->in.dim;
    return profile ? x
                   : pq_op_scale(t, pq_op_reshape(t, pq_ctr_ones(t, b->history.count * d), d), 0);
}

/* [sum of v; 1] */
static pq_var *user_side(pq_tape *t, const pq_model *m, pq_var *v) {
    pq_var *one = v ? pq_op_reshape(t, pq_ctr_ones(t, v->rows), 1) : NULL;
    return pq_op_concat(t, sum_fields(t, v, m->width - 1), one);
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    for (uint32_t i = 0; i < b->history.count; i++) {
        live[i] = 1;
    }
    return user_side(t, m, user_fields(t, m, b));
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fm *c = m->self;
    pq_var *v = user_fields(t, m, b);
    pq_var *linear =
        c->linear ? pq_profile_linear(t, &m->profile, b->profile, b->history.count) : NULL;
    pq_var *own = alone(t, v, (uint32_t)c->in.dim, linear, c->bias);
    pq_var *items = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    pq_var *users =
        pq_op_select_rows(t, user_side(t, m, v), b->candidate_users, b->candidate_count);
    own = pq_op_select_rows(t, own, b->candidate_users, b->candidate_count);
    return pq_op_add(t, pq_op_dot_rows(t, users, items), own);
}

const pq_model_def pq_model_fm = {
    .name = "fm",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("factorisation machine: inner products of all pairs of fields"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .self_size = sizeof(fm),
    .declare = declare,
    .user = user,
    .score = score,
};
