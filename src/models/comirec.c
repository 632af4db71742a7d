/* comirec.c — ComiRec: controllable multi-interest recommendation (Cen et al., KDD 2020, arXiv
 * 2005.09347). A history becomes K interests in one of two ways:
 *
 *   sa  self-attention:  a = W2 f(W1 (x_t + p_t) + b1) + b2                       (T, K)
 *                        v_k = sum over t of softmax over t (a_k)[t] x_t          (B K, D)
 *   dr  dynamic routing: u_t,k = S_t,k x_t, then B2I routing from zero            (B K, D)
 * Training takes the interest that fits the label best; serving scores an item by max over k of
 * <v_k, e>. All K interests are in use. Other than MIND's, the softmax of sa runs over the behaviours, and
 * that of dr over all K interests; there are no layers after the capsules and no profile.
 *
 * Positions count from the newest behaviour, as in MIND. Beyond the paper, each an option: vectors of length
 * 1 with a temperature, one set of maps for all positions in dr, dropout, and soft label-aware attention. */
#include "layers/ages.h"
#include "layers/dense.h"
#include "models/retrieval_loss.h"

typedef enum { VARIANT_SA, VARIANT_DR } variant;
typedef enum { VALUE_PLAIN, VALUE_POSITION } value;
typedef enum { LOGIT_NONE, LOGIT_TANH } logit;

typedef struct {
    int32_t dim, interests, history, rounds, hidden, variant, sa_value, sa_logit_act;
    bool position_maps, hard, cosine;
    double power, squash_epsilon, temperature, dropout, init_scale;

    pq_param *map;                           /* dr */
    pq_param *positions, *w1, *b1, *w2, *b2; /* sa */
} comirec;

#define AT(member) offsetof(comirec, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 4 1024", "64", NULL, NULL, "width D of all vectors"),
    PQ_FIELD("interests", AT(interests), "int 1 16", "4", NULL, NULL, "number of interests K"),
    PQ_FIELD("history", AT(history), "int 1 1000", "20", NULL, NULL,
             "newest behaviours that are looked at"),
    PQ_FIELD("variant", AT(variant), "sa,dr", "sa", NULL, NULL,
             "interests by self-attention or by dynamic routing"),
    PQ_FIELD("hidden", AT(hidden), "int 1 4096", "256", NULL, NULL,
             "sa: width of the hidden layer of the attention"),
    PQ_FIELD("sa_value", AT(sa_value), "plain,position", "plain", NULL, NULL,
             "sa: what is summed, behaviours without or with their positions"),
    PQ_FIELD("sa_logit_act", AT(sa_logit_act), "none,tanh", "none", NULL, NULL,
             "sa: activation of the attention's logits"),
    PQ_FIELD("rounds", AT(rounds), "int 1 10", "3", NULL, NULL, "dr: routing rounds R"),
    PQ_FIELD("position_maps", AT(position_maps), "bool", "1", NULL, NULL,
             "dr: maps of each position, or the same for all"),
    PQ_FIELD("squash_epsilon", AT(squash_epsilon), "real 1e-30 1", "1e-9", NULL, NULL,
             "dr: inside the square root of squash"),
    PQ_FIELD("cosine", AT(cosine), "bool", "0", NULL, NULL,
             "interests and item vectors have length 1"),
    PQ_TRAINING_FIELD("hard", AT(hard), "bool", "1", NULL, NULL,
                      "training takes the interest that fits the label best, not a mean by fit"),
    PQ_TRAINING_FIELD("power", AT(power), "real 0 100", "1", NULL, NULL,
                      "soft attention: the fit is multiplied by it before the softmax"),
    PQ_TRAINING_FIELD("temperature", AT(temperature), "real 1e-3 100", "1", NULL, NULL,
                      "inner products are divided by it in the loss"),
    PQ_TRAINING_FIELD("dropout", AT(dropout), "real 0 0.95", "0.5", "0", "0",
                      "share of the elements of behaviours that are dropped in training"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.02", "0", "0",
                      "deviation of new item embeddings; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    comirec *c = m->self;
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->dim, k = (uint32_t)c->interests, length = (uint32_t)c->history;
    m->interests = k;
    m->width = d;
    m->max_history = length;
    m->items.width = d;
    m->items.pool = PQ_POOL_SUM;
    m->items.normalise = c->cosine;
    m->items.init_scale = c->init_scale;
    m->profile.column_count = 0; /* the sequence alone */
    pq_items_declare(&m->items, p);
    if (c->variant == VARIANT_DR) {
        uint32_t maps = (c->position_maps ? length : 1) * k;
        /* Fan-in and fan-out are those of one map, however many are stacked. */
        pq_init init = {.kind = PQ_INIT_NORMAL, .scale = 1 / pq_sqrt(d)};
        c->map = pq_params_add(p, "map.w", maps * d, d, init);
        return p->status;
    }
    pq_init glorot = {.kind = PQ_INIT_GLOROT_UNIFORM};
    uint32_t hidden = (uint32_t)c->hidden;
    c->positions = pq_params_add(p, "position.w", length, d, glorot);
    c->w1 = pq_params_add(p, "attention.w1", hidden, d, glorot);
    c->b1 = pq_params_add(p, "attention.b1", 1, hidden, (pq_init){0});
    c->w2 = pq_params_add(p, "attention.w2", k, hidden, glorot);
    if (c->sa_logit_act == LOGIT_TANH) { /* else the softmax cancels it */
        c->b2 = pq_params_add(p, "attention.b2", 1, k, (pq_init){0});
    }
    return p->status;
}

static pq_var *attend(pq_tape *t, const comirec *c, pq_var *x, const uint32_t *age,
                      const pq_batch *b) {
    pq_var *places = pq_op_select_rows(t, pq_tape_param(t, c->positions), age, x->rows);
    pq_var *q = pq_op_add(t, x, places);
    pq_var *a = pq_op_activate(t, pq_dense(t, q, c->w1, c->b1), PQ_TANH);
    a = pq_op_linear(t, a, pq_tape_param(t, c->w2), c->b2 ? pq_tape_param(t, c->b2) : NULL);
    a = pq_op_activate(t, a, c->sa_logit_act == LOGIT_TANH ? PQ_TANH : PQ_LINEAR);
    pq_pool_segments pool = {.segments = &b->history, .softmax = true, .shares = b->shares};
    return pq_op_pool_segments(t, c->sa_value == VALUE_POSITION ? q : x, a, &pool);
}

static pq_var *route(pq_tape *t, const pq_model *m, pq_var *x, const uint32_t *age,
                     const pq_batch *b, const uint32_t *live) {
    const comirec *c = m->self;
    pq_var *map = pq_tape_param(t, c->map);
    size_t count = (size_t)x->rows * m->interests;
    pq_real *zero = pq_tape_take(t, count, sizeof(*zero));
    for (size_t i = 0; zero && i < count; i++) {
        zero[i] = 0;
    }
    pq_var *u = c->position_maps ? pq_op_linear_by_group(t, x, map, age, (uint32_t)c->history)
                                 : pq_op_linear(t, x, map, NULL);
    pq_route args = {.segments = &b->history,
                     .live = live,
                     .logits = zero,
                     .interests = m->interests,
                     .per_interest = true,
                     .rounds = (uint32_t)c->rounds,
                     .epsilon = c->squash_epsilon,
                     .shares = b->shares};
    return zero ? pq_op_route(t, u, &args) : NULL;
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    const comirec *c = m->self;
    uint32_t *age = pq_ages(t, &b->history, m->max_history);
    for (uint32_t i = 0; i < b->history.count; i++) {
        live[i] = m->interests;
    }
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    x = pq_op_dropout(t, x, c->dropout);
    if (!age || !x) {
        return NULL;
    }
    pq_var *v = c->variant == VARIANT_SA ? attend(t, c, x, age, b) : route(t, m, x, age, b, live);
    return c->cosine ? pq_op_normalise(t, v, 1e-12) : v;
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const comirec *c = m->self;
    uint32_t *live = pq_tape_take(t, b->history.count, sizeof(*live));
    if (!live) {
        return NULL;
    }
    pq_var *v = user(t, m, b, live);
    pq_var *positive = pq_items_vectors(t, &m->items, b->targets, b->label_count);
    pq_label_attention attention = {.live = live,
                                    .interests = m->interests,
                                    .power = c->power,
                                    .kind = PQ_POWER_TEMPERATURE,
                                    .hard = c->hard,
                                    .stop_gradient = true};
    pq_var *u = pq_op_label_attention(t, v, positive, &attention);
    return pq_retrieval_loss(t, m, u, b, 1 / c->temperature);
}

const pq_model_def pq_model_comirec = {
    .name = "comirec",
    .task = PQ_TASK_RETRIEVAL,
    .summary = PQ_HELP("several interest vectors per user by self-attention or routing"),
    .fields = fields,
    .training_best =
        PQ_HELP("loss=softmax batch=512 samples_per_user=0 around=0 lr=0.001 "
                "schedule=constant epochs=40 patience=5 metric=ndcg cutoff=10 eval_every=2"),
    .training_seed = PQ_HELP("negatives=1280 batch=128 lr=0.001"),
    .training_paper = PQ_HELP("negatives=1280 batch=128 lr=0.001"),
    .self_size = sizeof(comirec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .user = user,
};
