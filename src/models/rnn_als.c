/* rnn_als.c — rnn_als and rnn_joint: a recurrent network makes the user's vector, and an inner product with an
 * item's vector is the log-odds of the item's label, so that the same model ranks candidates and finds items:
 *     h_t = cells over (e_1, …, e_t)                             (T, D)
 *     log-odds = <h_L, e_candidate>
 * rnn_joint also predicts after every behaviour which one follows, and after the last the candidate:
 *     o_t = W h_t + b over the N items, or <h_t, e_i> with the item vectors themselves
 *     loss = log loss + lambda (mean over samples of the mean over t of cross-entropy(o_t, next))
 * A candidate that was not liked is no label of it. What only predicts the next item is not part of the
 * model file. Unknown items are no labels. */
#include "layers/dense.h"
#include "layers/last_rows.h"
#include "layers/recurrent.h"
#include "models/retrieval_loss.h"

#include <string.h>

typedef enum { AUX_TIED, AUX_OWN } aux_output;
typedef enum { AUX_LINEAR, AUX_TANH_SOFTMAX_CE } aux_head;
typedef enum { LAST_MASK, LAST_KEEP } last_step;

typedef struct {
    int32_t dim, history;
    double init_scale;
    pq_recurrent net;

    /* rnn_joint */
    int32_t aux_output, aux_head, aux_negatives, last_step;
    double lambda;
    pq_param
        *aux; /* (N, D + 1) of the items without PAD and UNKNOWN: W and, in the last column, b */
} rnn_als;

#define AT(member) offsetof(rnn_als, member)

#define SHARED_FIELDS                                                                              \
    {"dim", PQ_FIELD_INT, AT(dim), 1,    1024,                                                     \
     NULL,  "64",         "128",   NULL, "width D of item vectors and of the recurrent state"},    \
        {"cell",          PQ_FIELD_CHOICE, AT(net.cell), 0,    0,                                  \
         PQ_CELL_CHOICES, "gru",           "rnn",        NULL, "recurrent cell"},                  \
        {"layers", PQ_FIELD_INT, AT(net.layers), 1,    PQ_MOST_RECURRENT,                          \
         NULL,     "1",          NULL,           NULL, "recurrent layers"},                        \
        {"history", PQ_FIELD_INT, AT(history), 1,    1000,                                         \
         NULL,      "50",         "5",         NULL, "newest behaviours that are looked at"},      \
        {"dropout",                                                                                \
         PQ_FIELD_REAL,                                                                            \
         AT(net.dropout),                                                                          \
         0,                                                                                        \
         0.95,                                                                                     \
         NULL,                                                                                     \
         "0.2",                                                                                    \
         "0",                                                                                      \
         NULL,                                                                                     \
         "of the input of every layer"},                                                           \
    {                                                                                              \
        "init_scale", PQ_FIELD_REAL, AT(init_scale), 0, 10, NULL, "0.1", "1", NULL,                \
            "deviation of new item vectors; 0: Glorot uniform"                                     \
    }
#define END_OF_FIELDS                                                                              \
    { NULL, PQ_FIELD_INT, 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

static const pq_field als_fields[] = {SHARED_FIELDS, END_OF_FIELDS};

static const pq_field joint_fields[] = {
    SHARED_FIELDS,
    {"lambda", PQ_FIELD_REAL, AT(lambda), 0, 1000, NULL, "1", NULL, NULL,
     "weight of the prediction of the next item in the loss"},
    {"aux_output", PQ_FIELD_CHOICE, AT(aux_output), 0, 0, "tied,own", "tied", "own", NULL,
     "what predicts the next item: the item vectors, or a matrix of its own with a bias"},
    {"aux_head", PQ_FIELD_CHOICE, AT(aux_head), 0, 0, "linear,tanh_softmax_ce", "linear",
     "tanh_softmax_ce", NULL,
     "the prediction's logits: linear, or softmax of tanh, whose cross-entropy cannot fall far"},
    {"aux_negatives", PQ_FIELD_INT, AT(aux_negatives), 0, 1 << 20, NULL, "0", NULL, NULL,
     "items drawn uniformly to compete with the next one; 0: the whole catalogue"},
    {"last_step_when_negative", PQ_FIELD_CHOICE, AT(last_step), 0, 0, "mask,keep", "mask", "keep",
     NULL, "whether a candidate that was not liked is predicted"},
    END_OF_FIELDS,
};

static uint32_t catalogue_size(const pq_model *m) {
    return m->items.rows - 2; /* without PAD and UNKNOWN */
}

static pique_status declare(pq_model *m) {
    rnn_als *c = m->self;
    uint32_t d = (uint32_t)c->dim;
    if (c->aux_head == AUX_TANH_SOFTMAX_CE && c->aux_negatives > 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "aux_head = tanh_softmax_ce takes the whole catalogue, not aux_negatives = %d",
                (int)c->aux_negatives);
    }
    m->interests = 1;
    m->width = d;
    m->max_history = (uint32_t)c->history;
    m->items.width = d;
    m->items.pool = PQ_POOL_SUM;
    m->items.init_scale = c->init_scale;
    m->profile.column_count = 0; /* the sequence alone */
    pq_items_declare(&m->items, &m->params);
    c->net.hidden = c->dim;
    pq_recurrent_declare(&c->net, &m->params, d);
    if (c->aux_output == AUX_OWN && !m->items.baked) {
        pq_init linear = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(d)};
        c->aux = pq_params_add(&m->params, "aux.w", catalogue_size(m), d + 1, linear);
        if (c->aux) {
            c->aux->unsaved = true;
            c->aux->sparse = c->aux_negatives > 0;
        }
    }
    return m->params.status;
}

/* The state after every row, (T, D). */
static pq_var *states(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const rnn_als *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    return pq_recurrent_run(t, &c->net, x, &b->history, NULL, NULL);
}

static pq_var *match(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *states) {
    pq_var *u = pq_last_rows(t, states, &b->history);
    pq_var *e = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    return pq_op_dot_rows(t, pq_op_select_rows(t, u, b->candidate_users, b->candidate_count), e);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    return match(t, m, b, states(t, m, b));
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    return pq_causal_user(t, m, states(t, m, b), b, live);
}

/* ---- the prediction of the next item ---- */

typedef struct {
    uint32_t count;    /* P */
    uint32_t *rows;    /* [P] of the history */
    uint32_t *targets; /* [P] place of the item that follows in the catalogue */
    pq_real *weights;  /* [P] */
} next_items;

static void add_label(const pq_model *m, next_items *n, uint32_t row, uint32_t item) {
    if (item >= 1 && item <= catalogue_size(m)) {
        n->rows[n->count] = row;
        n->targets[n->count++] = item - 1;
    }
}

/* A segment's labels share its part of the loss, which is that of its candidates; the last label is the
 * first of these that counts as one. */
static bool find_labels(pq_tape *t, const pq_model *m, const pq_batch *b, next_items *n) {
    const rnn_als *c = m->self;
    uint32_t rows = b->history.starts[b->history.count], next = 0;
    *n = (next_items){.rows = pq_tape_take(t, rows, sizeof(*n->rows)),
                      .targets = pq_tape_take(t, rows, sizeof(*n->targets)),
                      .weights = pq_tape_take(t, rows, sizeof(*n->weights))};
    if (!n->rows || !n->targets || !n->weights) {
        return false;
    }
    for (uint32_t s = 0; s < b->history.count; s++) {
        uint32_t end = b->history.starts[s + 1], first = n->count, candidates = 0, last = 0;
        for (; next < b->candidate_count && b->candidate_users[next] == s; next++, candidates++) {
            bool counts = c->last_step == LAST_KEEP || b->candidate_labels[next] > 0;
            last = last == 0 && counts ? b->candidates[next] : last;
        }
        for (uint32_t row = b->history.starts[s]; row < end; row++) {
            add_label(m, n, row, row + 1 < end ? b->items[row + 1] : last);
        }
        for (uint32_t i = first; i < n->count; i++) {
            n->weights[i] = (pq_real)((double)candidates / b->positions / (n->count - first));
        }
    }
    return true;
}

/* Vectors of items by their places in the catalogue, as wide as the queries. */
static pq_var *output_rows(pq_tape *t, const pq_model *m, const uint32_t *places, uint32_t count) {
    const rnn_als *c = m->self;
    if (c->aux) {
        return c->aux->sparse ? pq_op_gather(t, c->aux, places, count)
                              : pq_op_select_rows(t, pq_tape_param(t, c->aux), places, count);
    }
    uint32_t *ids = pq_tape_take(t, count, sizeof(*ids));
    for (uint32_t i = 0; ids && i < count; i++) {
        ids[i] = places[i] + 1;
    }
    return ids ? pq_items_vectors(t, &m->items, ids, count) : NULL;
}

static pq_var *whole_catalogue(pq_tape *t, const pq_model *m, pq_var *u, const next_items *n) {
    const rnn_als *c = m->self;
    uint32_t size = catalogue_size(m);
    uint32_t *all = pq_tape_take(t, size, sizeof(*all));
    for (uint32_t i = 0; all && i < size; i++) {
        all[i] = i;
    }
    pq_var *items = !all ? NULL : c->aux ? pq_tape_param(t, c->aux) : output_rows(t, m, all, size);
    if (c->aux_head == AUX_LINEAR) {
        pq_softmax_loss args = {
            .targets = n->targets, .last = size, .scale = 1, .weight = 1, .weights = n->weights};
        return pq_op_softmax_loss(t, u, items, &args);
    }
    pq_cross_entropy args = {.targets = n->targets, .weights = n->weights};
    pq_var *bounded = pq_op_activate(t, pq_op_linear(t, u, items, NULL), PQ_TANH);
    return pq_op_cross_entropy(t, pq_op_softmax_rows(t, bounded), &args);
}

/* The label counts as one item and each of n drawn ones as N / n, so that the sum over the catalogue is
 * estimated without bias. */
static pq_var *against_negatives(pq_tape *t, const pq_model *m, pq_var *u, const next_items *n) {
    const rnn_als *c = m->self;
    uint32_t count = (uint32_t)c->aux_negatives, size = catalogue_size(m);
    uint32_t *drawn = pq_tape_take(t, count, sizeof(*drawn));
    pq_real *log_q = pq_tape_take(t, count, sizeof(*log_q));
    pq_real *none = pq_tape_take(t, n->count, sizeof(*none));
    if (!drawn || !log_q || !none) {
        return NULL;
    }
    memset(none, 0, n->count * sizeof(*none));
    for (uint32_t i = 0; i < count; i++) {
        drawn[i] = pq_rng_below(&t->rng, size);
        log_q[i] = (pq_real)pq_log((double)count / size);
    }
    pq_sampled_softmax args = {.positive_ids = n->targets,
                               .negative_ids = drawn,
                               .positive_log_q = none,
                               .negative_log_q = log_q,
                               .scale = 1,
                               .weight = 1,
                               .weights = n->weights};
    return pq_op_sampled_softmax(t, u, output_rows(t, m, n->targets, n->count),
                                 output_rows(t, m, drawn, count), &args);
}

static pq_var *joint_loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const rnn_als *c = m->self;
    next_items n;
    pq_var *h = states(t, m, b);
    pq_logistic_loss args = {.labels = b->candidate_labels, .weight = 1.0 / b->positions};
    pq_var *loss = pq_op_logistic_loss(t, match(t, m, b, h), &args);
    if (!loss || c->lambda == 0 || !find_labels(t, m, b, &n) || n.count == 0) {
        return loss;
    }
    pq_var *u = pq_op_select_rows(t, h, n.rows, n.count);
    if (c->aux) { /* the column that multiplies the bias */
        pq_var *one = pq_tape_var(t, n.count, 1, false);
        for (uint32_t i = 0; one && i < n.count; i++) {
            one->value[i] = 1;
        }
        u = pq_op_concat(t, u, one);
    }
    pq_var *aux =
        c->aux_negatives > 0 ? against_negatives(t, m, u, &n) : whole_catalogue(t, m, u, &n);
    return pq_op_add(t, loss, pq_op_scale(t, aux, c->lambda));
}

#define TRAINING_BEST                                                                              \
    "batch=1024 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"
#define TRAINING_SEED "batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"

const pq_model_def pq_model_rnn_als = {
    .name = "rnn_als",
    .task = PQ_TASK_RANKING,
    .summary = "a label by the inner product of a recurrent user vector and an item vector",
    .fields = als_fields,
    .training_best = TRAINING_BEST,
    .training_seed = TRAINING_SEED,
    .self_size = sizeof(rnn_als),
    .declare = declare,
    .user = user,
    .score = score,
};

const pq_model_def pq_model_rnn_joint = {
    .name = "rnn_joint",
    .task = PQ_TASK_RANKING,
    .summary = "rnn_als that also learns to predict the next item after every behaviour",
    .fields = joint_fields,
    .training_best = TRAINING_BEST,
    .training_seed = TRAINING_SEED,
    .self_size = sizeof(rnn_als),
    .declare = declare,
    .loss = PQ_TRAINING ? joint_loss : NULL,
    .user = user,
    .score = score,
};
