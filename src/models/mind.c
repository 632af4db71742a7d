/* mind.c — MIND: multi-interest network with dynamic routing (Li et al., CIKM 2019, arXiv 1904.08030).
 *
 * A history of L behaviours becomes K' = clamp(floor(log2 L), 1, K) interest vectors:
 *     x_t      behaviour vectors                      (T, D)      layers/items.h
 *     v_k      = capsules of x, and two layers        (B K, D)    layers/capsules.h
 * Training attends to the interests with the label's item vector e and minimises sampled softmax;
 * serving scores an item by max over k of <v_k, e>.
 *
 * Beyond the paper, each an option: item and interest vectors of length 1 with a temperature; a
 * behaviour's part in an interest fading with its age, at a pace of the interest's own; a skip
 * connection around the two layers. */
#include "layers/ages.h"
#include "layers/capsules.h"
#include "models/retrieval_loss.h"

typedef struct {
    int32_t dim, profile_dim, behaviour, pool, power_kind;
    bool hard, attention_stop;
    double power, temperature, dropout, init_scale;
    pq_capsules capsules;
} mind;

#define AT(member) offsetof(mind, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 4 1024", "64", "32", NULL, "width D of all vectors"),
    PQ_CAPSULES_FIELDS(AT(capsules), "shared", "per_interest", "shared", "log2", "ln", "log2",
                       "linear", "relu", "relu", "0.2", "1", "1", "0.2", "3", "10", "0", "uniform",
                       "1e-8", "50"),
    PQ_FIELD("profile_dim", AT(profile_dim), "int 1 256", "16", NULL, NULL,
             "width of each profile field's embedding"),
    PQ_FIELD("behaviour", AT(behaviour), "pool,concat_selu", "pool", "concat_selu", "pool",
             "behaviour vector: the item's pooled vector, or SELU of a projection of all fields"),
    PQ_FIELD("pool", AT(pool), "mean,sum", "sum", "mean", "mean",
             "how the embeddings of an item's fields become one vector"),
    PQ_TRAINING_FIELD("hard", AT(hard), "bool", "0", "1", "0",
                      "label-aware attention takes the best interest alone"),
    PQ_TRAINING_FIELD("power", AT(power), "real 0 100", "1", "2", "2",
                      "p of the label-aware attention"),
    PQ_TRAINING_FIELD("power_kind", AT(power_kind), "signed,raw,temperature", "temperature", "raw",
                      "raw", "sign(s)|s|^p, s^p, or p s"),
    PQ_TRAINING_FIELD("attention_stop", AT(attention_stop), "bool", "1", NULL, NULL,
                      "no gradient through the label-aware attention's weights"),
    PQ_TRAINING_FIELD("temperature", AT(temperature), "real 1e-3 100", "0.1", "1", "1",
                      "inner products are divided by it in the loss"),
    PQ_TRAINING_FIELD("dropout", AT(dropout), "real 0 0.95", "0.2", "0", "0",
                      "share of the elements of behaviours that are dropped in training"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "0", "0",
                      "deviation of new item embeddings; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    mind *c = m->self;
    m->interests = (uint32_t)c->capsules.interests;
    m->width = (uint32_t)c->dim;
    m->max_history = (uint32_t)c->capsules.history;
    m->items.width = m->width;
    m->items.behaviour = (pq_behaviour)c->behaviour;
    m->items.pool = (pq_pool)c->pool;
    m->items.normalise = c->capsules.cosine;
    m->items.init_scale = c->init_scale;
    m->profile.width = (uint32_t)c->profile_dim;
    pq_items_declare(&m->items, &m->params);
    pq_profile_declare(&m->profile, &m->params);
    pq_capsules_declare(&c->capsules, &m->params, m->width,
                        m->profile.width * m->profile.column_count);
    return m->params.status;
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    const mind *c = m->self;
    uint32_t *age = pq_ages(t, &b->history, m->max_history);
    if (!age) {
        return NULL;
    }
    pq_capsules_live(&c->capsules, &b->history, live);
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    x = pq_op_dropout(t, x, c->dropout);
    const pq_capsule_input in = {
        .history = &b->history,
        .age = age,
        .live = live,
        .profile = pq_profile_vector(t, &m->profile, b->profile, b->history.count),
        .shares = b->shares};
    return pq_capsules_run(t, &c->capsules, x, &in);
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
    if (c->capsules.cosine && !c->hard) {
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
