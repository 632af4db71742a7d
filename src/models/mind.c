/* mind.c — MIND: multi-interest network with dynamic routing (Li et al., CIKM 2019, arXiv 1904.08030).
 *
 * A history of L behaviours becomes K' = clamp(floor(log2 L), 1, K) interest vectors:
 *     x_t      behaviour vectors                                   (T, D)      layers/items.h
 *     u_t,k    = S x_t, or with a map per interest and/or position (T, D | K D)
 *     c_k      = B2I routing of u over R rounds                    (B K, D)    graph/op_route.c
 *     v_k      = relu(W2 relu(W1 [c_k; p] + b1) + b2)              (B K, D)    p: the user's profile
 * Training attends to the interests with the label's item vector e and minimises sampled softmax;
 * serving scores an item by max over k of <v_k, e>.
 *
 * Positions count from the newest behaviour, which always has the same map and the same routing noise:
 * a longer history only adds older positions.
 *
 * Beyond the paper, each an option: item and interest vectors of length 1 with a temperature; a
 * behaviour's part in an interest fading with its age, at a pace of the interest's own; a skip
 * connection around the two layers. */
#include "layers/ages.h"
#include "layers/dense.h"
#include "models/retrieval_loss.h"

typedef enum {
    BILINEAR_SHARED,
    BILINEAR_PER_INTEREST,
    BILINEAR_PER_POSITION,
    BILINEAR_PER_POSITION_INTEREST
} bilinear;
typedef enum { COUNT_LOG2, COUNT_LN, COUNT_LOG2P1, COUNT_ALL } interest_count;
typedef enum { NOISE_TABLE, NOISE_UNIFORM } route_eval;
typedef enum { OUTPUT_RELU, OUTPUT_LINEAR, OUTPUT_RESIDUAL, OUTPUT_NONE } output;

typedef struct {
    int32_t dim, interests, history, rounds, hidden, profile_dim;
    int32_t bilinear, interest_count, route_eval, output, behaviour, pool, power_kind;
    bool route_live, route_full, hard, attention_stop, cosine;
    double sigma, power, squash_epsilon, temperature, dropout, fade, fade_spread, init_scale;

    pq_param *map, *noise, *w1, *b1, *w2, *b2;
} mind;

#define AT(member) offsetof(mind, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 4 1024", "64", "32", NULL, "width D of all vectors"),
    PQ_FIELD("interests", AT(interests), "int 1 16", "4", "3", NULL,
             "largest number of interests K"),
    PQ_FIELD("history", AT(history), "int 1 1000", "20", "10", "50",
             "newest behaviours that are looked at"),
    PQ_FIELD("rounds", AT(rounds), "int 1 10", "3", NULL, NULL, "routing rounds R"),
    PQ_FIELD(
        "bilinear", AT(bilinear), "shared,per_interest,per_position,per_position_interest",
        "shared", "per_interest", "shared",
        "map from behaviour to interest: one matrix (routing starts from noise), one per interest "
        "(starts from zero), one per position (noise), one per position and interest (zero)"),
    PQ_FIELD("interest_count", AT(interest_count), "log2,ln,log2p1,all", "log2", "ln", "log2",
             "interests in use for L behaviours: floor of log2 L, of ln L, of log2(1 + L), or K"),
    PQ_FIELD("route_live", AT(route_live), "bool", "1", "0", "1",
             "only interests in use compete for behaviours"),
    PQ_FIELD(
        "route_eval", AT(route_eval), "table,uniform", "table", "uniform", "table",
        "noise that serves: N(0, sigma) or U[0, sigma), drawn once and kept in the model file"),
    PQ_FIELD("route_full", AT(route_full), "bool", "0", NULL, NULL,
             "gradients through all routing rounds, not only the last"),
    PQ_FIELD("sigma", AT(sigma), "real 0 100", "0.2", "1", "1",
             "deviation of the routing noise, cut at two deviations"),
    PQ_FIELD("squash_epsilon", AT(squash_epsilon), "real 1e-30 1", "1e-9", "1e-8", NULL,
             "inside the square root of squash"),
    PQ_FIELD("hidden", AT(hidden), "int 1 4096", "128", NULL, NULL,
             "width of the first of the two layers on each interest"),
    PQ_FIELD("output", AT(output), "relu,linear,residual,none", "linear", "relu", "relu",
             "the two layers: second with or without ReLU, added to the capsule, or left out"),
    PQ_FIELD("profile_dim", AT(profile_dim), "int 1 256", "16", NULL, NULL,
             "width of each profile field's embedding"),
    PQ_FIELD("behaviour", AT(behaviour), "pool,concat_selu", "pool", "concat_selu", "pool",
             "behaviour vector: the item's pooled vector, or SELU of a projection of all fields"),
    PQ_FIELD("pool", AT(pool), "mean,sum", "sum", "mean", "mean",
             "how the embeddings of an item's fields become one vector"),
    PQ_FIELD("hard", AT(hard), "bool", "0", "1", "0",
             "label-aware attention takes the best interest alone"),
    PQ_FIELD("power", AT(power), "real 0 100", "1", "2", "2", "p of the label-aware attention"),
    PQ_FIELD("power_kind", AT(power_kind), "signed,raw,temperature", "temperature", "raw", "raw",
             "sign(s)|s|^p, s^p, or p s"),
    PQ_FIELD("attention_stop", AT(attention_stop), "bool", "1", NULL, NULL,
             "no gradient through the label-aware attention's weights"),
    PQ_FIELD("cosine", AT(cosine), "bool", "1", "0", "0",
             "interests and item vectors have length 1"),
    PQ_FIELD("temperature", AT(temperature), "real 1e-3 100", "0.1", "1", "1",
             "inner products are divided by it in the loss"),
    PQ_FIELD("fade", AT(fade), "real 0 10", "0.2", "0", "0",
             "a behaviour of age a (0: the newest) counts e^(-fade a) in an interest"),
    PQ_FIELD("fade_spread", AT(fade_spread), "real 0 10", "0", "0", "0",
             "added to fade for each further interest, so that some look further back"),
    PQ_FIELD("dropout", AT(dropout), "real 0 0.95", "0.2", "0", "0",
             "share of the elements of behaviours that are dropped in training"),
    PQ_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "0", "0",
             "deviation of new item embeddings; 0: Glorot uniform"),
    {.name = NULL},
};

static bool starts_from_noise(const mind *c) {
    return c->bilinear == BILINEAR_SHARED || c->bilinear == BILINEAR_PER_POSITION;
}

static bool per_position(const mind *c) {
    return c->bilinear == BILINEAR_PER_POSITION || c->bilinear == BILINEAR_PER_POSITION_INTEREST;
}

static bool per_interest(const mind *c) {
    return c->bilinear == BILINEAR_PER_INTEREST || c->bilinear == BILINEAR_PER_POSITION_INTEREST;
}

static pique_status declare(pq_model *m) {
    mind *c = m->self;
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->dim, k = (uint32_t)c->interests, len = (uint32_t)c->history;
    m->interests = k;
    m->width = d;
    m->max_history = len;
    m->items.width = d;
    m->items.behaviour = (pq_behaviour)c->behaviour;
    m->items.pool = (pq_pool)c->pool;
    m->items.normalise = c->cosine;
    m->items.init_scale = c->init_scale;
    m->profile.width = (uint32_t)c->profile_dim;
    pq_items_declare(&m->items, p);
    pq_profile_declare(&m->profile, p);

    pq_init glorot = {.kind = PQ_INIT_GLOROT_UNIFORM};
    /* The shape's fan-in and fan-out are those of one map, however many are stacked. */
    pq_init map_init = {.kind = PQ_INIT_NORMAL, .scale = 1 / pq_sqrt(d)};
    uint32_t maps = (per_position(c) ? len : 1) * (per_interest(c) ? k : 1);
    c->map = pq_params_add(p, "map.w", maps * d, d, map_init);
    if (starts_from_noise(c)) {
        pq_init_kind kind = c->route_eval == NOISE_TABLE ? PQ_INIT_TRUNCATED : PQ_INIT_UNIFORM;
        c->noise = pq_params_add(p, "route.noise", len, k, (pq_init){kind, c->sigma, false});
        if (c->noise) {
            c->noise->frozen = true;
        }
    }
    if (c->output != OUTPUT_NONE || m->profile.column_count > 0) {
        uint32_t in = d + m->profile.width * m->profile.column_count;
        c->w1 = pq_params_add(p, "mlp.w1", (uint32_t)c->hidden, in, glorot);
        c->b1 = pq_params_add(p, "mlp.b1", 1, (uint32_t)c->hidden, (pq_init){0});
        c->w2 = pq_params_add(p, "mlp.w2", d, (uint32_t)c->hidden, glorot);
        c->b2 = pq_params_add(p, "mlp.b2", 1, d, (pq_init){0});
    }
    return p->status;
}

/* floor(log2 L) is the index of the highest set bit: no logarithm that could round the wrong way. */
static uint32_t live_interests(const mind *c, uint32_t length) {
    uint32_t count = (uint32_t)c->interests;
    uint32_t wanted = 0;
    switch ((interest_count)c->interest_count) {
    case COUNT_LOG2:
        wanted = length ? pq_log2_floor(length) : 0;
        break;
    case COUNT_LN:
        wanted = length ? (uint32_t)pq_log(length) : 0;
        break;
    case COUNT_LOG2P1:
        wanted = pq_log2_floor(length + 1);
        break;
    case COUNT_ALL:
        wanted = count;
        break;
    }
    return PQ_MAX(1, PQ_MIN(count, wanted));
}

/* Where routing starts: fresh noise in training, the file's table otherwise, or zero (NULL). */
static const pq_real *start_logits(pq_tape *t, const mind *c, const uint32_t *age, uint32_t rows) {
    uint32_t k = (uint32_t)c->interests;
    pq_real *logits = c->noise ? pq_tape_take(t, (size_t)rows * k, sizeof(*logits)) : NULL;
    for (size_t i = 0; logits && i < (size_t)rows * k; i++) {
        if (t->training) {
            logits[i] = (pq_real)(c->sigma * pq_rng_truncated_normal(&t->rng));
        } else {
            logits[i] = c->noise->value[(size_t)age[i / k] * k + i % k];
        }
    }
    return logits;
}

#define FADED 1e-30 /* as good as nothing, but still a number that float has and can divide by */

/* e^(-(fade + k fade_spread) age), or NULL when behaviours do not fade. */
static const pq_real *fading(pq_tape *t, const mind *c, const uint32_t *age, uint32_t rows) {
    uint32_t k = (uint32_t)c->interests;
    if (c->fade == 0 && c->fade_spread == 0) {
        return NULL;
    }
    pq_real *mass = pq_tape_take(t, (size_t)rows * k, sizeof(*mass));
    for (size_t i = 0; mass && i < (size_t)rows * k; i++) {
        double pace = c->fade + (double)(i % k) * c->fade_spread;
        uint32_t row = (uint32_t)(i / k);
        mass[i] = (pq_real)PQ_MAX(FADED, pq_exp(-pace * age[row]));
    }
    return mass;
}

/* The two layers on [c_k; p], one interest at a time. */
static pq_var *finish(pq_tape *t, const pq_model *m, pq_var *capsules, const pq_batch *b) {
    const mind *c = m->self;
    if (!c->w1 || !capsules) {
        return capsules;
    }
    pq_var *in = capsules;
    if (m->profile.column_count > 0) {
        pq_var *p = pq_profile_vector(t, &m->profile, b->profile, b->history.count);
        in = pq_op_concat(t, capsules, pq_op_repeat(t, p, m->interests));
    }
    pq_var *v = pq_op_activate(t, pq_dense(t, in, c->w1, c->b1), PQ_RELU);
    v = pq_dense(t, v, c->w2, c->b2);
    v = pq_op_activate(t, v, c->output == OUTPUT_RELU ? PQ_RELU : PQ_LINEAR);
    return c->output == OUTPUT_RELU || c->output == OUTPUT_LINEAR ? v : pq_op_add(t, v, capsules);
}

static const bool *live_rows(pq_tape *t, const uint32_t *live, uint32_t b, uint32_t k) {
    bool *keep = pq_tape_take(t, (size_t)b * k, sizeof(*keep));
    for (uint32_t i = 0; keep && i < b * k; i++) {
        keep[i] = i % k < live[i / k];
    }
    return keep;
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    const mind *c = m->self;
    uint32_t users = b->history.count, rows = b->history.starts[users];
    uint32_t *age = pq_ages(t, &b->history, m->max_history);
    if (!age) {
        return NULL;
    }
    for (uint32_t i = 0; i < users; i++) {
        live[i] = live_interests(c, pq_segment_length(&b->history, i));
    }
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
    x = pq_op_dropout(t, x, c->dropout);
    pq_var *map = pq_tape_param(t, c->map);
    pq_var *u = per_position(c) ? pq_op_linear_by_group(t, x, map, age, (uint32_t)c->history)
                                : pq_op_linear(t, x, map, NULL);
    pq_route route = {.segments = &b->history,
                      .live = live,
                      .logits = start_logits(t, c, age, rows),
                      .mass = fading(t, c, age, rows),
                      .interests = m->interests,
                      .per_interest = per_interest(c),
                      .rounds = (uint32_t)c->rounds,
                      .routed = c->route_live ? 0 : m->interests,
                      .full_gradient = c->route_full,
                      .epsilon = c->squash_epsilon,
                      .shares = b->shares};
    pq_var *v = finish(t, m, pq_op_route(t, u, &route), b);
    if (c->cosine) {
        v = pq_op_normalise(t, v, 1e-12);
    }
    return pq_op_mask_rows(t, v, live_rows(t, live, users, m->interests));
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const mind *c = m->self;
    uint32_t users = b->history.count;
    uint32_t *live = pq_tape_take(t, users, sizeof(*live));
    if (!live) {
        return NULL;
    }
    pq_var *v = user(t, m, b, live);
    pq_var *positive = pq_items_vectors(t, &m->items, b->targets, users);
    pq_label_attention attention = {.live = live,
                                    .interests = m->interests,
                                    .power = c->power,
                                    .kind = (pq_power)c->power_kind,
                                    .hard = c->hard,
                                    .stop_gradient = c->attention_stop};
    pq_var *u = pq_op_label_attention(t, v, positive, &attention);
    if (c->cosine && !c->hard) {
        u = pq_op_normalise(t, u, 1e-12); /* a mean of unit vectors is shorter than one */
    }
    return pq_retrieval_loss(t, m, u, b, 1 / c->temperature);
}

const pq_model_def pq_model_mind = {
    .name = "mind",
    .task = PQ_TASK_RETRIEVAL,
    .summary = PQ_HELP("several interest vectors per user by capsule routing"),
    .fields = fields,
    .self_size = sizeof(mind),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
};
