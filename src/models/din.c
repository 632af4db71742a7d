/* din.c — the deep interest network (Zhou et al., KDD 2018): every candidate looks at the history with its own
 * eyes.
 *     s_t = what the attention makes of candidate e and behaviour x_t     a number for every pair
 *     a = softmax of s over the user's behaviours, or s itself, or its sigmoid
 *     p = sum over t of a_t x_t
 *     log-odds = MLP([profile; e; sum of x_t; e * sum of x_t; p])
 * `full` is the attention unit of the authors' program, and `outer` has the outer product of the paper as well. `self` and `user` do not see the candidate: they look with the
 * behaviour's own vector, or with the profile's, so that a user's interest is computed once. */
#include "layers/attention_unit.h"
#include "layers/dense.h"
#include "layers/interest_tower.h"
#include "models/ctr_input.h"

typedef enum {
    ATT_FULL,
    ATT_DOT,
    ATT_BILINEAR,
    ATT_SELF,
    ATT_USER,
    ATT_ELEM_ADD,
    ATT_ELEM_SUB,
    ATT_ELEM_MUL,
    ATT_OUTER
} attention;
typedef enum { ATT_SOFTMAX, ATT_NONE, ATT_SIGMOID } attention_norm;

typedef struct {
    int32_t dim, history, att, norm;
    bool scale;
    double init_scale;
    pq_attention_unit unit;
    pq_interest_tower tower;

    pq_param *map; /* (H, H) of `bilinear`, (H, profile) of `user` */
} din;

#define AT(member) offsetof(din, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "18", "128", NULL,
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", "5", "100",
             "newest behaviours that are looked at"),
    PQ_FIELD(
        "att", AT(att), "full,dot,bilinear,self,user,elem_add,elem_sub,elem_mul,outer", "full",
        "self", NULL,
        "what looks at a behaviour: the candidate by the attention unit, an inner product or "
        "x' W e; the behaviour itself; the profile; the candidate by layers on x + e, x - e or "
        "x * e, or by a unit that sees all products x_i e_j as well"),
    PQ_FIELD("att_norm", AT(norm), "softmax,none,sigmoid", "softmax", NULL, "none",
             "how the logits of a history become weights"),
    PQ_FIELD("att_scale", AT(scale), "bool", "0", NULL, NULL,
             "logits are divided by the square root of their vectors' width"),
    PQ_ATTENTION_UNIT_FIELDS(AT(unit), "80", "40", "64", "0", "sigmoid", "relu"),
    PQ_INTEREST_TOWER_FIELDS(AT(tower), "200", "1", "80", "0", "0", "dice", "dice", "input", "none",
                             "0", "0", "full", "compact", "0", "0", "0.5"),
    PQ_DICE_FIELDS(AT(tower.mlp.dice), "0.1", "1", "1", "1e-5"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.01", "1", "0",
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    din *c = m->self;
    pq_params *p = &m->params;
    pq_ctr_declare(m, (uint32_t)c->dim, false, c->init_scale, (uint32_t)c->history);
    uint32_t h = m->width, profile = m->profile.column_count * m->profile.width;
    pq_init glorot = {.kind = PQ_INIT_GLOROT_UNIFORM};
    if (c->att == ATT_USER && profile == 0) {
        PQ_FAIL(m->ctx, PIQUE_DATA,
                "att = user needs users with a profile, which the data has not");
    }
    c->unit.mlp.dice = c->tower.mlp.dice;
    c->unit.outer = c->att == ATT_OUTER;
    switch ((attention)c->att) {
    case ATT_FULL:
    case ATT_OUTER:
        pq_attention_unit_declare(&c->unit, p, "attention", h);
        break;
    case ATT_USER:
        c->map = pq_params_add(p, "attention.map", h, profile, glorot);
        pq_attention_unit_declare(&c->unit, p, "attention", h);
        break;
    case ATT_BILINEAR:
        c->map = pq_params_add(p, "attention.map", h, h, glorot);
        break;
    case ATT_SELF:
    case ATT_ELEM_ADD:
    case ATT_ELEM_SUB:
    case ATT_ELEM_MUL:
        pq_mlp_declare(&c->unit.mlp, p, "attention", h, 1);
        break;
    case ATT_DOT:
        break;
    }
    PQ_TRY(pq_interest_tower_declare(&c->tower, p, profile, h, h));
    bool normalises = pq_mlp_normalises(&c->tower.mlp) || pq_mlp_normalises(&c->unit.mlp);
    m->batch_parts = normalises ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* x + e, x - e or x * e of each pair, (P, H). */
static pq_var *elements(pq_tape *t, const din *c, pq_var *queries, pq_var *keys,
                        const pq_pairs *pairs) {
    if (c->att == ATT_ELEM_MUL) {
        return pq_op_multiply_pairs(t, queries, keys, pairs);
    }
    pq_var *e = pq_op_select_rows(t, queries, pairs->queries, pairs->count);
    e = pq_op_scale(t, e, c->att == ATT_ELEM_ADD ? 1 : -1);
    return pq_op_add(t, pq_op_select_rows(t, keys, pairs->keys, pairs->count), e);
}

/* (P, 1) */
static pq_var *logits(pq_tape *t, const din *c, pq_var *queries, pq_var *keys,
                      const pq_pairs *pairs) {
    switch ((attention)c->att) {
    case ATT_DOT:
        return pq_pairs_dot(t, queries, keys, pairs);
    case ATT_BILINEAR:
        return pq_pairs_dot(t, pq_op_linear(t, queries, pq_tape_param(t, c->map), NULL), keys,
                            pairs);
    case ATT_SELF:
        return pq_mlp_run(t, &c->unit.mlp, keys); /* a pair for every behaviour, in their order */
    case ATT_ELEM_ADD:
    case ATT_ELEM_SUB:
    case ATT_ELEM_MUL:
        return pq_mlp_run(t, &c->unit.mlp, elements(t, c, queries, keys, pairs));
    default:
        return pq_attention_unit_run(t, &c->unit, queries, keys, pairs);
    }
}

/* p of every query, (C, H). */
static pq_var *look(pq_tape *t, const din *c, pq_var *queries, pq_var *keys,
                    const pq_pairs *pairs) {
    pq_var *s = logits(t, c, queries, keys, pairs);
    if (c->scale && s) {
        s = pq_op_scale(t, s, 1 / pq_sqrt(keys->cols));
    }
    if (c->norm == ATT_SIGMOID) {
        s = pq_op_activate(t, s, PQ_SIGMOID);
    }
    return pq_pairs_pool(t, keys, s, pairs, c->norm == ATT_SOFTMAX);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const din *c = m->self;
    pq_var *keys = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    pq_var *candidates = pq_ctr_candidates(t, m, b), *queries = candidates, *interest;
    bool of_user = c->att == ATT_SELF || c->att == ATT_USER;
    const pq_pairs *pairs =
        of_user ? pq_pairs_of_segments(t, &b->history)
                : pq_pairs_make(t, &b->history, b->candidate_users, b->candidate_count);
    if (!pairs) {
        return NULL;
    }
    if (c->att == ATT_USER) {
        pq_var *user = pq_profile_vector(t, &m->profile, b->profile, b->history.count);
        queries = pq_op_linear(t, user, pq_tape_param(t, c->map), NULL);
    }
    interest = look(t, c, queries, keys, pairs);
    if (of_user) {
        interest = pq_op_select_rows(t, interest, b->candidate_users, b->candidate_count);
    }
    pq_var *profile = pq_ctr_profile(t, m, b);
    return pq_interest_tower_run(t, &c->tower, profile, candidates, keys, &b->history,
                                 b->candidate_users, interest);
}

/* `seed` is the simple DIN of seed 002. 001 is the authors' program, 004 a PyTorch model of its line. */
static const pq_preset presets[] = {
    {"seed001",
     PQ_HELP("dim=18 history=100 att=full attention1=80 attention2=40 attention_activation=sigmoid "
             "hidden1=200 hidden2=80 hidden3=0 activation=dice dropout=0 input=full output=1 "
             "head_dropout=0 init_scale=0 batch=128 lr=0.001 epochs=3 schedule=step lr_every=1 "
             "lr_factor=0.5 weight_decay=0 dense_rows=0 max_norm=0 dice_alpha=0 dice_fixed=0 "
             "dice_affine=0 dice_epsilon=1e-9")},
    {"seed002", PQ_HELP("")},
    {"seed004",
     PQ_HELP("dim=16 history=50 att=full att_norm=sigmoid att_scale=1 attention1=16 attention2=8 "
             "attention_activation=dice attention_dropout=0.1 hidden1=32 hidden2=16 hidden3=0 "
             "activation=prelu norm=layers dropout=0.25 input=plain output=1 head_dropout=0 "
             "batch=128 lr=0.002 l2=0.001 weight_decay=0 max_norm=0 epochs=100 patience=10 "
             "eval_every=1 dice_alpha=0 dice_fixed=0 dice_epsilon=1e-8")},
    {NULL, NULL},
};

const pq_model_def pq_model_din = {
    .name = "din",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("deep interest network: each candidate attends to the history"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .training_paper = PQ_HELP("batch=128 lr=0.001 epochs=3"),
    .presets = PQ_TRAINING ? presets : NULL,
    .self_size = sizeof(din),
    .declare = declare,
    .score = score,
};
