/* dsin.c — the deep session interest network (Feng et al., IJCAI 2019): what a user does between two pauses
 * belongs together.
 *     x = rows of the newest sessions (layers/sessions.h) + positions                  (R, H)
 *         `bias`: x[q,t,c] += w_q + w_t + w_c for session q, place t, column c
 *     I_q = mean of session q's rows after blocks of self-attention, the same for all  (S, H)
 *     H_q = bidirectional LSTM over I_1 .. I_Q of the user                             (S, H)
 *     u = sum of a_q I_q, v = sum of b_q H_q, with a and b softmaxes over the user's sessions of what an attention
 *         unit makes of candidate e and I_q, and another of e and H_q
 *     log-odds = MLP([profile; e; u; v])
 * I and H are computed once per user. Without times a history is one session. */

#include "layers/attention_unit.h"
#include "layers/bidirectional.h"
#include "layers/dense.h"
#include "layers/interest_tower.h"
#include "layers/positions.h"
#include "layers/sessions.h"
#include "layers/transformer.h"
#include "models/ctr_input.h"

#define POSITION_BIAS (PQ_POSITIONS_SINUSOID + 1)

typedef enum { ATT_MLP, ATT_BILINEAR } attention;
typedef enum { MEAN_VALID, MEAN_PADDED } mean_kind;
typedef enum { STACK_JOINT, STACK_PER_DIRECTION } stack_kind;

typedef struct {
    pq_attention_unit unit;
    pq_param *map; /* (H, H) of `bilinear` */
} activation;

typedef struct {
    int32_t dim, history, inner, position, mean, stack, att;
    bool ln;
    double init_scale;
    pq_session_rule rule;
    pq_transformer net;
    pq_bidirectional lstm;
    activation interests, states; /* of I and H; the options are the first's */
    pq_interest_tower tower;

    pq_param *positions;
    pq_param *of_session, *of_place, *of_column; /* (Q, 1), (places, 1), (1, H) of `bias` */
} dsin;

#define AT(member) offsetof(dsin, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "18", "4", "4",
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", "200", "200",
             "newest behaviours that are cut into sessions"),
    PQ_FIELD("gap", AT(rule.gap), "int 1 1000000000", "1800", NULL, NULL,
             "seconds: a longer pause ends a session"),
    PQ_FIELD("sessions", AT(rule.sessions), "int 1 100", "5", NULL, NULL,
             "newest sessions that are looked at"),
    PQ_FIELD("session_length", AT(rule.events), "int 1 1000", "10", NULL, NULL,
             "newest behaviours of a session that are looked at"),
    PQ_FIELD("session_least", AT(rule.shortest), "int 1 1000", "1", "3", "3",
             "sessions of fewer behaviours are left out"),
    PQ_FIELD("sess_order", AT(rule.order), PQ_SESSION_ORDERS, "chrono", NULL, NULL,
             "which session comes first, in numbers of `bias` and in the LSTM: the oldest or the "
             "newest"),
    PQ_FIELD("position", AT(position), PQ_POSITION_CHOICES ",bias", "bias", "sinusoid", NULL,
             "what tells the places of a session apart; bias: a number for each session, place and "
             "column"),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS), "1", NULL, NULL,
             "blocks"),
    PQ_FIELD("heads", AT(net.heads), "int 1 16", "2", "8", "8", "attention heads"),
    PQ_FIELD("head_width", AT(net.head_width), "int 1 1024", "16", "1", "1", "width of each head"),
    PQ_FIELD("inner", AT(inner), "int 1 8192", "64", "32", "32", "width of the feed-forward layer"),
    PQ_FIELD("ln", AT(ln), "bool", "1", "0", NULL, "blocks normalise after each sum"),
    PQ_FIELD("blind", AT(net.blind), "bool", "0", "1", NULL, "a behaviour does not look at itself"),
    PQ_FIELD("mean", AT(mean), "valid,padded", "valid", "padded", NULL,
             "a session's sum is divided by its behaviours, or by session_length"),
    PQ_TRAINING_FIELD("block_dropout", AT(net.dropout), "real 0 0.95", "0.1", "0", "0",
                      "of the input, the attention weights and what blocks add"),
    PQ_FIELD("lstm_layers", AT(lstm.layers), "int 1 " PQ_DIGITS(PQ_MOST_BIDIRECTIONAL), "1", "2",
             "2", "layers of the LSTM over the sessions"),
    PQ_FIELD("lstm_stack", AT(stack), "joint,per_direction", "joint", "per_direction", NULL,
             "further layers of the LSTM see both directions, or each its own"),
    PQ_FIELD("lstm_merge", AT(lstm.merge), PQ_MERGE_CHOICES, "mean", NULL, NULL,
             "mean of both directions, or side by side, each half as wide"),
    PQ_TRAINING_FIELD("lstm_dropout", AT(lstm.dropout), "real 0 0.95", "0", "0.2", "0.2",
                      "of the input of every layer of the LSTM"),
    PQ_FIELD("att", AT(att), "mlp,bilinear", "mlp", NULL, "bilinear",
             "attention of a candidate: the attention unit, or I' W e"),
    PQ_ATTENTION_UNIT_FIELDS(AT(interests.unit), "64", "16", "64", "16", "sigmoid", "sigmoid"),
    PQ_MLP_WIDTH("hidden1", AT(tower.mlp), 0, "200", NULL, NULL),
    PQ_MLP_WIDTH("hidden2", AT(tower.mlp), 1, "80", NULL, NULL),
    PQ_MLP_WIDTH("hidden3", AT(tower.mlp), 2, "0", NULL, NULL),
    PQ_MLP_ACTIVATION("activation", AT(tower.mlp), "dice", "relu", "relu"),
    PQ_MLP_NORM("norm", AT(tower.mlp), "none", NULL, NULL),
    PQ_MLP_DROPOUT("dropout", AT(tower.mlp), "0", NULL, NULL),
    PQ_HEAD_FIELDS_OF(AT(tower.head), NULL, NULL),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.01", "0.0001", "0.0001",
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    {.name = NULL},
};

#define NORM_EPSILON 1e-5

static void declare_positions(dsin *c, pq_params *p, uint32_t h) {
    pq_init small = {.kind = PQ_INIT_TRUNCATED, .scale = 1e-4};
    uint32_t places = (uint32_t)c->rule.events;
    if (c->position != POSITION_BIAS) {
        c->positions = pq_positions_declare(p, c->position, places, h);
        return;
    }
    c->of_session = pq_params_add(p, "bias.session", (uint32_t)c->rule.sessions, 1, small);
    c->of_place = pq_params_add(p, "bias.place", places, 1, small);
    c->of_column = pq_params_add(p, "bias.column", 1, h, small);
}

static void declare_activation(const dsin *c, activation *a, pq_params *p, const char *name,
                               uint32_t h) {
    if (c->att == ATT_MLP) {
        pq_attention_unit_declare(&a->unit, p, name, h);
        return;
    }
    char map[48];
    (void)pq_format(map, sizeof(map), "%s.map", name);
    a->map = pq_params_add(p, map, h, h, (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
}

static pique_status declare(pq_model *m) {
    dsin *c = m->self;
    pq_params *p = &m->params;
    pq_ctr_declare(m, (uint32_t)c->dim, false, c->init_scale, (uint32_t)c->history);
    uint32_t h = m->width;
    bool side_by_side = c->lstm.merge == PQ_MERGE_CONCAT;
    if (side_by_side && h % 2 != 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "lstm_merge = concat needs rows of even width, not %u",
                (unsigned)h);
    }
    declare_positions(c, p, h);
    c->net.inner = (uint32_t)c->inner;
    c->net.forward = PQ_RELU;
    c->net.epsilon = NORM_EPSILON;
    c->net.init = (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM};
    c->net.bare = !c->ln;
    PQ_TRY(pq_transformer_declare(&c->net, p, "layer", h));
    c->lstm.apart = c->stack == STACK_PER_DIRECTION;
    c->lstm.cell = PQ_CELL_LSTM;
    c->lstm.hidden = side_by_side ? h / 2 : h;
    pq_bidirectional_declare(&c->lstm, p, "lstm", h);
    c->states = c->interests;
    declare_activation(c, &c->interests, p, "interests", h);
    declare_activation(c, &c->states, p, "states", h);
    c->tower.input = PQ_TOWER_PLAIN;
    c->tower.output = true;
    PQ_TRY(pq_interest_tower_declare(&c->tower, p, m->profile.column_count * m->profile.width, h,
                                     2 * h));
    bool normalises = pq_mlp_normalises(&c->tower.mlp) || pq_mlp_normalises(&c->interests.unit.mlp);
    m->batch_parts = normalises ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* x (R, H) with what tells the rows' places apart. */
static pq_var *add_positions(pq_tape *t, const dsin *c, pq_var *x, const pq_sessions *s) {
    if (c->position != POSITION_BIAS || !x) {
        return pq_positions_add(t, c->positions, x, s->place);
    }
    pq_var *ones = pq_op_reshape(t, pq_ctr_ones(t, x->cols), 1);
    pq_var *own = pq_op_add(t, pq_op_gather(t, c->of_session, s->session, x->rows),
                            pq_op_gather(t, c->of_place, s->place, x->rows));
    return pq_op_add(t, x, pq_op_linear(t, own, ones, pq_tape_param(t, c->of_column)));
}

/* I, (S, H). */
static pq_var *session_interests(pq_tape *t, const pq_model *m, const pq_batch *b,
                                 const pq_sessions *s) {
    const dsin *c = m->self;
    uint32_t rows = s->sessions.starts[s->sessions.count];
    uint32_t *items = pq_tape_take(t, rows, sizeof(*items));
    for (uint32_t i = 0; items && i < rows; i++) {
        items[i] = b->items[s->rows[i]];
    }
    pq_var *x = items ? pq_items_behaviours(t, &m->items, items, rows) : NULL;
    x = pq_op_dropout(t, add_positions(t, c, x, s), c->net.dropout);
    x = pq_transformer_run(t, &c->net, x, NULL, &s->sessions);
    bool padded = c->mean == MEAN_PADDED;
    pq_pool_segments mean = {.segments = &s->sessions, .mean = !padded};
    x = pq_op_pool_segments(t, x, NULL, &mean);
    return padded ? pq_op_scale(t, x, 1.0 / c->rule.events) : x;
}

/* The sum of the sessions' rows as far as each candidate looks at them, (C, H). */
static pq_var *activate(pq_tape *t, const activation *a, pq_var *candidates, pq_var *rows,
                        const pq_pairs *pairs) {
    pq_var *s;
    if (a->map) {
        s = pq_pairs_dot(t, pq_op_linear(t, candidates, pq_tape_param(t, a->map), NULL), rows,
                         pairs);
    } else {
        s = pq_attention_unit_run(t, &a->unit, candidates, rows, pairs);
    }
    return pq_pairs_pool(t, rows, s, pairs, true);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const dsin *c = m->self;
    const pq_sessions *s = pq_sessions_cut(t, &b->history, b->times, &c->rule);
    const pq_pairs *pairs =
        s ? pq_pairs_make(t, &s->users, b->candidate_users, b->candidate_count) : NULL;
    if (!pairs) {
        return NULL;
    }
    pq_var *interests = session_interests(t, m, b, s);
    pq_var *states = pq_bidirectional_run(t, &c->lstm, interests, &s->users);
    pq_var *candidates = pq_ctr_candidates(t, m, b);
    pq_var *seen = pq_op_concat(t, activate(t, &c->interests, candidates, interests, pairs),
                                activate(t, &c->states, candidates, states, pairs));
    pq_var *profile = pq_ctr_profile(t, m, b);
    return pq_interest_tower_run(t, &c->tower, profile, candidates, NULL, NULL, NULL, seen);
}

const pq_model_def pq_model_dsin = {
    .name = "dsin",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP(
        "deep session interest network: sessions between pauses, attended to by candidates"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed = PQ_HELP("batch=4096 optimiser=adagrad lr=0.01 epochs=1"),
    .training_paper = PQ_HELP("batch=4096 optimiser=adagrad lr=0.01 epochs=1"),
    .self_size = sizeof(dsin),
    .declare = declare,
    .score = score,
};
