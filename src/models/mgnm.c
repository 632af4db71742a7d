/* mgnm.c — MGNM: interests of several levels (Tian et al., "When multi-level meets multi-interest", SIGIR 2022,
 * arXiv 2205.01286). A history of T behaviours is a graph whose edges depend on the user:
 *     x          behaviour vectors                                              (T, D)    layers/items.h
 *     u          the user, W [mean of x; profile] + b                           (B, D)
 *     A_ij     = sigmoid(sum over f of x_if u_f x_jf), and normalised by degree            op_segment_graph.c
 *     H^0 = x;   H^l = leaky_relu(A H^(l-1) W_l + b_l), l < levels              (T, D)
 *     v_lk     = sequential capsules of H^l, with the maps of all levels        (B K, D)  layers/capsules.h
 * The levels times K interests find items by inner products. Their exact score of an item e, which `score` gives
 * and which the largest inner product bounds from above, is
 *     max over l of z_l,   z_l = sum over k of softmax over k (p <v_lk, e>) <v_lk, e>
 * Every level is trained: the loss is the sum over the levels, of label-aware attention as in MIND, or where it is
 * binary cross-entropy of z_l itself, in which every negative has an attention of its own.
 *
 * The paper has a vector for each user. Here u comes from the history, as pages have visitors whom nobody trained on.
 * At first u = 1: edges then are as similar as the items are. Beyond the paper, each an option: a level adds to
 * the one before; narrower states of the LSTM; and MIND's options. */
#include "layers/ages.h"
#include "layers/capsules.h"
#include "layers/dense.h"
#include "layers/pairs.h"
#include "models/retrieval_loss.h"

#define MOST_LEVELS 4
#define SLOPE 0.2 /* of leaky_relu below zero */

typedef enum { REDUCE_MEAN, REDUCE_SUM } reduce;

typedef struct {
    int32_t dim, levels, norm, profile_dim, pool, reduce;
    bool user_aware, skip, profile, hard, attention_stop;
    double l1, graph_scale, power, temperature, dropout, init_scale;
    pq_capsules capsules;

    pq_param *user_w, *user_b;
    pq_param *graph_w[MOST_LEVELS], *graph_b[MOST_LEVELS]; /* from level 1 on */
} mgnm;

#define AT(member) offsetof(mgnm, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 4 1024", "64", "16", "16", "width D of all vectors"),
    PQ_FIELD("levels", AT(levels), "int 1 " PQ_DIGITS(MOST_LEVELS), "2", "4", "3",
             "levels, of which the first has the behaviours themselves"),
    PQ_FIELD("user_aware", AT(user_aware), "bool", "1", "0", "1",
             "edges depend on the user, not only on the two items"),
    PQ_FIELD("norm", AT(norm), PQ_DEGREE_CHOICES, "sym", "none", "sym",
             "edges by the degrees of both rows, by that of their row, or as they are"),
    PQ_FIELD("skip", AT(skip), "bool", "1", "0", "0",
             "a level is what the one before gave, plus what its edges bring"),
    PQ_CAPSULES_FIELDS(AT(capsules), "shared", "per_position_interest", "per_position_interest",
                       "log2", "all", "all", "linear", "none", "none", "0.2", "1", "1", "0.2", "4",
                       "100", "1", "table", "1e-9", "20"),
    PQ_FIELD("sequential", AT(capsules.sequential), "bool", "0", "1", "1",
             "an LSTM from both ends guides the middle rounds of routing"),
    PQ_FIELD("sequence_hidden", AT(capsules.sequence_hidden), "int 0 1024", "16", "0", "0",
             "sequential: width of the LSTM's states from each end; 0: D"),
    PQ_PROFILE_FIELD(AT(profile)),
    PQ_FIELD("profile_dim", AT(profile_dim), "int 1 256", "16", NULL, NULL,
             "width of each profile field's embedding"),
    PQ_FIELD("pool", AT(pool), "mean,sum", "sum", NULL, NULL,
             "how the embeddings of an item's fields become one vector"),
    PQ_FIELD("hard", AT(hard), "bool", "0", NULL, NULL,
             "label-aware attention takes the best interest alone"),
    PQ_FIELD("power", AT(power), "real 0 100", "1", NULL, NULL,
             "p: the fit is multiplied by it before the softmax"),
    PQ_TRAINING_FIELD("attention_stop", AT(attention_stop), "bool", "1", "0", "0",
                      "no gradient through the label-aware attention's weights"),
    PQ_TRAINING_FIELD("temperature", AT(temperature), "real 1e-3 100", "0.1", "1", "1",
                      "inner products are divided by it in the loss"),
    PQ_TRAINING_FIELD("l1", AT(l1), "real 0 10", "0", "1e-5", "1e-5",
                      "the sum of all edges times it is added to the loss"),
    PQ_TRAINING_FIELD(
        "reduce", AT(reduce), "mean,sum", "mean", "sum", "mean",
        "the loss of a batch: the mean over its labels (bce: and negatives), or the sum"),
    PQ_TRAINING_FIELD("graph_scale", AT(graph_scale), "real 0 10", "0.01", NULL, NULL,
                      "deviation of new weights between levels; 0: Glorot uniform"),
    PQ_TRAINING_FIELD(
        "sequence_scale", AT(capsules.sequence_scale), "real 0 10", "0.01", "0", "0",
        "sequential: deviation of new weights from the LSTM to routing; 0: Glorot uniform"),
    PQ_TRAINING_FIELD("dropout", AT(dropout), "real 0 0.95", "0.2", "0", "0",
                      "share of the elements of behaviours that are dropped in training"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "0", "0",
                      "deviation of new item embeddings; 0: Glorot uniform"),
    {.name = NULL},
};

static void declare_graph(mgnm *c, pq_params *p, uint32_t d, uint32_t profile) {
    pq_init weights = {.kind = c->graph_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                       .scale = c->graph_scale};
    if (c->levels > 1 && c->user_aware) {
        c->user_b = pq_params_add(p, "user.b", 1, d, (pq_init){.kind = PQ_INIT_ONE});
        c->user_w =
            pq_params_add(p, "user.w", d, d + profile, (pq_init){PQ_INIT_NORMAL, 0.01, false});
    }
    for (uint32_t l = 1; l < (uint32_t)c->levels; l++) {
        char name[24];
        (void)pq_format(name, sizeof(name), "graph%u.w", (unsigned)l);
        c->graph_w[l] = pq_params_add(p, name, d, d, weights);
        (void)pq_format(name, sizeof(name), "graph%u.b", (unsigned)l);
        c->graph_b[l] = pq_params_add(p, name, 1, d, (pq_init){.kind = PQ_INIT_ZERO});
    }
}

static pique_status declare(pq_model *m) {
    mgnm *c = m->self;
    m->interests = (uint32_t)(c->capsules.interests * c->levels);
    m->width = (uint32_t)c->dim;
    m->max_history = (uint32_t)c->capsules.history;
    m->items.width = m->width;
    m->items.pool = (pq_pool)c->pool;
    m->items.normalise = c->capsules.cosine;
    m->items.init_scale = c->init_scale;
    m->profile.width = (uint32_t)c->profile_dim;
    m->profile.column_count = c->profile ? m->profile.column_count : 0;
    uint32_t profile = m->profile.width * m->profile.column_count;
    pq_items_declare(&m->items, &m->params);
    pq_profile_declare(&m->profile, &m->params);
    declare_graph(c, &m->params, m->width, profile);
    pq_capsules_declare(&c->capsules, &m->params, m->width, profile);
    return m->params.status;
}

/* A forward pass up to the capsules. */
typedef struct {
    uint32_t *live;              /* [B] interests in use in every level */
    pq_var *edges;               /* NULL with one level */
    pq_var *levels[MOST_LEVELS]; /* (B * K, D) */
} encoded;

/* The edges between the behaviours of each history. */
static pq_var *draw_edges(pq_tape *t, const mgnm *c, const pq_capsule_input *in, pq_var *x) {
    if (!c->user_w) {
        return pq_op_adjacency(t, x, x, in->history);
    }
    const pq_pool_segments mean = {.segments = in->history, .mean = true};
    pq_var *u = pq_op_pool_segments(t, x, NULL, &mean);
    u = in->profile ? pq_op_concat(t, u, in->profile) : u;
    u = pq_dense(t, u, c->user_w, c->user_b);
    const pq_pairs *own = pq_pairs_of_segments(t, in->history);
    return own ? pq_op_adjacency(t, pq_op_multiply_pairs(t, u, x, own), x, in->history) : NULL;
}

static void encode(pq_tape *t, const pq_model *m, const pq_batch *b, encoded *out) {
    const mgnm *c = m->self;
    const uint32_t users = b->history.count, levels = (uint32_t)c->levels;
    *out = (encoded){.live = pq_tape_take(t, users, sizeof(*out->live))};
    pq_capsule_input in = {.history = &b->history,
                           .age = pq_ages(t, &b->history, m->max_history),
                           .live = out->live,
                           .share_step = levels};
    if (!in.age || !in.live) {
        return;
    }
    pq_capsules_live(&c->capsules, &b->history, out->live);
    in.profile = pq_profile_vector(t, &m->profile, b->profile, users);
    pq_var *h = pq_items_behaviours(t, &m->items, b->items, b->history.starts[users]);
    h = pq_op_dropout(t, h, c->dropout);
    for (uint32_t l = 0; l < levels; l++) {
        if (l > 0) {
            out->edges = l == 1 ? draw_edges(t, c, &in, h) : out->edges;
            pq_var *near = pq_op_neighbours(t, out->edges, h, in.history, (pq_degree)c->norm);
            near = pq_dense(t, near, c->graph_w[l], c->graph_b[l]);
            near = pq_op_leaky_relu(t, near, SLOPE, SLOPE);
            h = c->skip ? pq_op_add(t, h, near) : near;
        }
        in.shares = b->shares ? b->shares + l : NULL;
        out->levels[l] = pq_capsules_run(t, &c->capsules, h, &in);
    }
}

/* Interest k of level l is interest k * levels + l of all: so those in use come first. */
static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    const mgnm *c = m->self;
    encoded e;
    encode(t, m, b, &e);
    pq_var *all = e.levels[0];
    for (uint32_t l = 1; l < (uint32_t)c->levels; l++) {
        all = pq_op_concat(t, all, e.levels[l]);
    }
    for (uint32_t i = 0; all && i < b->history.count; i++) {
        live[i] = e.live[i] * (uint32_t)c->levels;
    }
    return pq_op_reshape(t, all, m->width);
}

static pq_label_attention attention(const mgnm *c, const uint32_t *live) {
    return (pq_label_attention){.live = live,
                                .interests = (uint32_t)c->capsules.interests,
                                .power = c->power,
                                .kind = PQ_POWER_TEMPERATURE,
                                .hard = c->hard,
                                .stop_gradient = c->attention_stop};
}

/* z of one level for items e (C, D), each of one of the users: (C, 1). */
static pq_var *fit(pq_tape *t, const pq_model *m, const encoded *from, uint32_t level,
                   const uint32_t *users, pq_var *e) {
    pq_label_attention args = attention(m->self, from->live);
    return pq_op_interest_score(t, from->levels[level], e, users, &args);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const mgnm *c = m->self;
    encoded from;
    encode(t, m, b, &from);
    pq_var *e = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    pq_var *best = NULL;
    for (uint32_t l = 0; l < (uint32_t)c->levels; l++) {
        pq_var *z = fit(t, m, &from, l, b->candidate_users, e);
        for (uint32_t i = 0; best && z && i < b->candidate_count; i++) {
            z->value[i] = PQ_MAX(best->value[i], z->value[i]);
        }
        best = z;
    }
    return best;
}

/* Binary cross-entropy of every label and its negatives, as pairs of a user and an item. */
static pq_var *pointwise(pq_tape *t, const pq_model *m, const pq_batch *b, const encoded *from) {
    const mgnm *c = m->self;
    const uint32_t each = m->loss.pair_count + 1, n = b->label_count * each;
    const uint32_t *ids = pq_pair_slates(t, b, m->loss.pair_count);
    uint32_t *users = pq_tape_take(t, n, sizeof(*users));
    pq_real *labels = pq_tape_take(t, n, sizeof(*labels));
    if (!ids || !users || !labels) {
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        users[i] = i / each;
        labels[i] = i % each == 0;
    }
    pq_logistic_loss args = {.labels = labels, .weight = 1.0 / ((double)b->positions * each)};
    pq_var *e = pq_items_vectors(t, &m->items, ids, n), *sum = NULL;
    for (uint32_t l = 0; l < (uint32_t)c->levels; l++) {
        pq_var *z = pq_op_scale(t, fit(t, m, from, l, users, e), 1 / c->temperature);
        z = pq_op_logistic_loss(t, z, &args);
        sum = l ? pq_op_add(t, sum, z) : z;
    }
    return sum;
}

/* A loss of retrieval for each level, whose query is what the label makes of the interests. */
static pq_var *by_query(pq_tape *t, const pq_model *m, const pq_batch *b, const encoded *from) {
    const mgnm *c = m->self;
    pq_var *positive = pq_items_vectors(t, &m->items, b->targets, b->label_count), *sum = NULL;
    pq_label_attention args = attention(c, from->live);
    for (uint32_t l = 0; l < (uint32_t)c->levels; l++) {
        pq_var *u = pq_op_label_attention(t, from->levels[l], positive, &args);
        if (c->capsules.cosine && !c->hard) {
            u = pq_op_normalise(t, u, 1e-12); /* a mean of unit vectors is shorter than one */
        }
        u = pq_retrieval_loss(t, m, u, b, 1 / c->temperature);
        sum = l ? pq_op_add(t, sum, u) : u;
    }
    return sum;
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const mgnm *c = m->self;
    /* What a teacher says is about a query's slate. */
    bool pairs = m->loss.kind == PQ_LOSS_BCE && !b->soft;
    double rows = (double)b->positions * (pairs ? m->loss.pair_count + 1 : 1);
    encoded from;
    encode(t, m, b, &from);
    if (!from.live) {
        return NULL;
    }
    pq_var *sum = pairs ? pointwise(t, m, b, &from) : by_query(t, m, b, &from);
    if (from.edges && c->l1 > 0) {
        sum = pq_op_add(t, sum, pq_op_total(t, from.edges, c->l1 / rows));
    }
    return c->reduce == REDUCE_SUM ? pq_op_scale(t, sum, rows) : sum;
}

const pq_model_def pq_model_mgnm = {
    .name = "mgnm",
    .task = PQ_TASK_RETRIEVAL,
    .summary = PQ_HELP("interests of several levels by graph convolution and sequential capsules"),
    .fields = fields,
    .training_seed =
        PQ_HELP("loss=bce pair_negatives=5 sampler=uniform batch=43 l2=1e-5 epochs=50"),
    .training_paper =
        PQ_HELP("loss=bce pair_negatives=5 sampler=uniform batch=43 l2=1e-5 epochs=50"),
    .self_size = sizeof(mgnm),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
    .score = score,
};
