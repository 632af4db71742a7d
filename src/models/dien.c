/* dien.c — the deep interest evolution network (Zhou et al., AAAI 2019): interests are the states of a recurrent
 * network over the history, and a second one follows how the interest in a candidate came about.
 *     h_t = GRU(x_t, h_{t-1})                                            once per user
 *     a   = softmax over t of the attention of candidate e and h_t
 *     aigru:  z_t = GRU(a_t h_t, z_{t-1})
 *     agru:   z_t = (1 - a_t) z_{t-1} + a_t n_t                          a_t in place of the update gate
 *     augru:  z_t = (1 - a_t u_t) z_{t-1} + a_t u_t n_t                  a_t scales the update gate u_t
 *     interest = the last z;  with gru: z_t = GRU(h_t, z_{t-1}) once per user, and the sum of a_t z_t, where
 *                the attention looks at z
 *     log-odds = MLP([profile; e; sum of x_t; e * sum of x_t; interest])
 * cell = tf has the cells of the authors' program (graph/op_gru_before.c), in which an attention of 0 leaves an
 * ordinary step and one of 1 forgets all that was: another model than the paper's, in which 0 freezes the state.
 * In training, the state after a behaviour must tell the behaviour that followed from an item that did not:
 *     loss = ctr_scale log loss + alpha (mean log loss of D(h_t, x_{t+1}) = 1 and D(h_t, negative_{t+1}) = 0)
 * D is an MLP of both, or their inner product; same_label asks the inner product about behaviour t itself. With
 * aux_norm = padded the sum is divided by the places that full histories have, not by those there are. D's
 * parameters are not part of the model file.
 * tables = separate: x, and the x of negatives, are rows of tables of their own, by which D can tell them apart.
 * h0 = random: the second network begins at noise, which training draws anew; what serves is drawn once. */
#include "layers/attention_unit.h"
#include "layers/dense.h"
#include "layers/interest_tower.h"
#include "layers/last_rows.h"
#include "layers/recurrent.h"
#include "models/ctr_input.h"
#include "models/label_loss.h"

typedef enum { EVOLVE_GRU, EVOLVE_AIGRU, EVOLVE_AGRU, EVOLVE_AUGRU } evolution_kind;
typedef enum { ATT_MLP, ATT_MLP_PRELU_QUERY, ATT_BILINEAR, ATT_ONE } attention;
typedef enum { CELL_PAPER, CELL_TF } cell_origin;
typedef enum { AUX_NONE, AUX_NEXT_MLP, AUX_NEXT_DOT, AUX_SAME_LABEL } aux_kind;
typedef enum { AUX_VALID2, AUX_PADDED } aux_divisor;
typedef enum { H0_ZERO, H0_RANDOM } first_state;
typedef enum { TABLES_SHARED, TABLES_SEPARATE } table_owner;

typedef struct {
    int32_t dim, history, evolution, cell, att, aux, aux_norm, h0, tables;
    bool scale;
    double alpha, ctr_scale, init_scale;
    pq_recurrent extractor;
    pq_attention_unit unit;
    pq_mlp discriminator;
    pq_interest_tower tower;
    pq_items behaviours, negatives; /* of separate tables */

    pq_param *start;         /* NULL or (1, H) */
    pq_param *map;           /* (H, H) of `bilinear` and of the query of `mlp_prelu_query`, … */
    pq_param *shift, *slope; /* … which has these too, (1, H) */
    pq_param *w, *b;         /* of the evolution: of its input, (G, H) and (1, G) */
    pq_param *state, *bias;  /* and of its state */
} dien;

#define AT(member) offsetof(dien, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "18", "16", NULL,
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", NULL, "100",
             "newest behaviours that are looked at"),
    PQ_FIELD("evolution", AT(evolution), "gru,aigru,agru,augru", "augru", NULL, NULL,
             "how the attention enters the second recurrent network"),
    PQ_FIELD("cell", AT(cell), "paper,tf", "paper", NULL, NULL,
             "recurrent cells: the paper's, or those of its authors' TensorFlow program, which "
             "keeps where the paper updates and resets before the recurrent product"),
    PQ_FIELD("h0", AT(h0), "zero,random", "zero", NULL, NULL,
             "state at which the second recurrent network begins: zero, or noise, drawn anew in "
             "training and once for what serves"),
    PQ_FIELD("tables", AT(tables), "shared,separate", "shared", NULL, NULL,
             "candidates, behaviours and the negatives of `aux` look up the same vectors, or each "
             "their own"),
    PQ_FIELD("att", AT(att), "mlp,mlp_prelu_query,bilinear,one", "mlp", NULL, NULL,
             "attention of a candidate: the attention unit, the same with PReLU(W e + b) in the "
             "candidate's place, h' W e, or 1 for every behaviour"),
    PQ_FIELD("att_scale", AT(scale), "bool", "0", "1", "0",
             "logits are divided by the square root of their vectors' width"),
    PQ_ATTENTION_UNIT_FIELDS(AT(unit), "80", "40", "16", "8", "sigmoid", "dice"),
    PQ_TRAINING_FIELD(
        "aux", AT(aux), "none,next_mlp,next_dot,same_label", "next_mlp", NULL, NULL,
        "what tells the behaviour that followed from one that did not; same_label: the inner "
        "product tells the state's own behaviour from its negative"),
    PQ_TRAINING_FIELD(
        "aux_norm", AT(aux_norm), "valid2,padded", "valid2", NULL, NULL,
        "its loss is divided by twice the behaviours there are, or by the places of full "
        "histories"),
    PQ_TRAINING_FIELD("alpha", AT(alpha), "real 0 1000", "1", NULL, NULL, "weight of its loss"),
    PQ_TRAINING_FIELD("ctr_scale", AT(ctr_scale), "real 0 1000", "1", NULL, NULL,
                      "weight of the candidates' loss"),
    PQ_MLP_WIDTH("aux1", AT(discriminator), 0, "100", NULL, NULL),
    PQ_MLP_WIDTH("aux2", AT(discriminator), 1, "50", NULL, NULL),
    PQ_INTEREST_TOWER_FIELDS(AT(tower), "200", "32", "80", "16", "0", "dice", "prelu", "input",
                             "layers", "0", "0.25", "full", "plain", "1", "1", "0.5"),
    PQ_DICE_FIELDS(AT(tower.mlp.dice), NULL, NULL, NULL, NULL),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.01", "1", "0",
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    {.name = NULL},
};

/* Gates of the evolution's cell. */
static uint32_t gates_of(const dien *c) {
    return c->evolution == EVOLVE_AGRU ? 2 : 3;
}

/* Glorot's for one row. */
static double start_bound(uint32_t h) {
    return pq_sqrt(6.0 / (1.0 + h));
}

static void declare_evolution(dien *c, pq_params *p, uint32_t h) {
    uint32_t g = gates_of(c) * h;
    pq_init w = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(h)}, b = w, bias = w;
    if (c->cell == CELL_TF) {
        w = (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM};
        b = pq_recurrent_bias_before(gates_of(c), h);
        bias = (pq_init){.kind = PQ_INIT_ZERO};
    }
    c->w = pq_params_add(p, "evolution.input.w", g, h, w);
    c->b = pq_params_add(p, "evolution.input.b", 1, g, b);
    c->state = pq_params_add(p, "evolution.state.w", g, h, w);
    c->bias = pq_params_add(p, "evolution.state.b", 1, g, bias);
    if (c->h0 == H0_RANDOM) {
        pq_init noise = {.kind = PQ_INIT_SYMMETRIC, .scale = start_bound(h)};
        c->start = pq_params_add(p, "evolution.start", 1, h, noise);
        if (c->start) {
            c->start->frozen = true;
        }
    }
}

/* What the model file has in place of the behaviours' tables is told by m->items.history alone. */
static void declare_tables(pq_model *m) {
    dien *c = m->self;
    if (c->tables == TABLES_SHARED) {
        return;
    }
    if (!pq_items_baked(&m->items)) {
        c->behaviours = c->negatives = m->items;
        c->behaviours.name = "behaviour";
        c->negatives.name = "negative";
        pq_items_declare(&c->behaviours, &m->params);
        if (c->aux != AUX_NONE) {
            pq_items_declare(&c->negatives, &m->params);
        }
    }
    m->items.history = &c->behaviours;
}

/* What only training needs. */
static void declare_discriminator(pq_model *m) {
    dien *c = m->self;
    uint32_t first = m->params.count;
    if (c->aux != AUX_NEXT_MLP || pq_items_baked(&m->items)) {
        return;
    }
    c->discriminator.activation = PQ_ACT_SIGMOID;
    pq_mlp_declare(&c->discriminator, &m->params, "aux", 2 * m->width, 1);
    for (uint32_t i = first; i < m->params.count; i++) {
        m->params.list[i]->unsaved = true;
    }
}

static void declare_attention(dien *c, pq_params *p, uint32_t h) {
    if (c->att == ATT_MLP || c->att == ATT_MLP_PRELU_QUERY) {
        pq_attention_unit_declare(&c->unit, p, "attention", h);
    }
    if (c->att == ATT_MLP_PRELU_QUERY || c->att == ATT_BILINEAR) {
        c->map = pq_params_add(p, "attention.map", h, h, (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    }
    if (c->att == ATT_MLP_PRELU_QUERY) {
        c->shift = pq_params_add(p, "attention.shift", 1, h, (pq_init){.kind = PQ_INIT_ZERO});
        c->slope = pq_params_add(p, "attention.slope", 1, h,
                                 (pq_init){.kind = PQ_INIT_CONSTANT, .scale = 0.1});
    }
}

static pique_status declare(pq_model *m) {
    dien *c = m->self;
    pq_params *p = &m->params;
    pq_ctr_declare(m, (uint32_t)c->dim, false, c->init_scale, (uint32_t)c->history);
    uint32_t h = m->width;
    declare_tables(m);
    c->extractor.cell = c->cell == CELL_TF ? PQ_CELL_GRU_BEFORE : PQ_CELL_GRU;
    c->extractor.hidden = (int32_t)h;
    c->extractor.layers = 1;
    pq_recurrent_declare(&c->extractor, p, h);
    c->unit.mlp.dice = c->tower.mlp.dice;
    declare_attention(c, p, h);
    declare_evolution(c, p, h);
    declare_discriminator(m);
    PQ_TRY(
        pq_interest_tower_declare(&c->tower, p, m->profile.column_count * m->profile.width, h, h));
    bool normalises = pq_mlp_normalises(&c->tower.mlp) || pq_mlp_normalises(&c->unit.mlp);
    m->batch_parts = normalises ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* The attention of each pair, (P, 1): a softmax over the pairs of a candidate, or 1. */
static pq_var *attend(pq_tape *t, const dien *c, pq_var *candidates, pq_var *states,
                      const pq_pairs *pairs) {
    if (c->att == ATT_ONE) {
        return pq_op_reshape(t, pq_ctr_ones(t, pairs->count), 1);
    }
    pq_var *s = candidates;
    if (c->map) {
        s = pq_op_linear(t, s, pq_tape_param(t, c->map),
                         c->shift ? pq_tape_param(t, c->shift) : NULL);
    }
    if (c->slope) {
        s = pq_op_prelu(t, s, pq_tape_param(t, c->slope));
    }
    s = c->att == ATT_BILINEAR ? pq_pairs_dot(t, s, states, pairs)
                               : pq_attention_unit_run(t, &c->unit, s, states, pairs);
    if (c->scale && s) {
        s = pq_op_scale(t, s, 1 / pq_sqrt(states->cols));
    }
    return pq_op_softmax_segments(t, s, &pairs->segments);
}

/* The gates' input of aigru: W (a h) + b of every pair. */
static pq_var *scaled_gates(pq_tape *t, const dien *c, pq_var *states, pq_var *a,
                            const pq_pairs *pairs) {
    pq_var *product = pq_op_linear(t, states, pq_tape_param(t, c->w), NULL);
    return pq_op_add(t, pq_op_scale_rows(t, product, a, pairs->keys), pq_tape_param(t, c->b));
}

typedef pq_var *recurrent_op(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                             const pq_recurrence *args);

static recurrent_op *const cells[][2] = {
    [EVOLVE_GRU] = {pq_op_gru, pq_op_gru_before},
    [EVOLVE_AIGRU] = {pq_op_gru, pq_op_gru_before},
    [EVOLVE_AGRU] = {pq_op_agru, pq_op_agru_before},
    [EVOLVE_AUGRU] = {pq_op_augru, pq_op_augru_before},
};

/* The states before the first step, (n, H); NULL where they are zero. */
static pq_var *begin(pq_tape *t, const dien *c, uint32_t n) {
    pq_var *noise = c->start ? pq_op_repeat(t, pq_tape_param(t, c->start), n) : NULL;
    if (PQ_TRAINING && noise && t->training) {
        double bound = start_bound(noise->cols);
        for (size_t i = 0; i < (size_t)n * noise->cols; i++) {
            noise->value[i] = (pq_real)(bound * (2 * pq_rng_uniform(&t->rng) - 1));
        }
    }
    return noise;
}

/* What the history has come to in each candidate's eyes, (C, H). */
static pq_var *evolve(pq_tape *t, const dien *c, pq_var *candidates, pq_var *states,
                      const pq_segments *history, const pq_pairs *pairs) {
    pq_var *u = pq_tape_param(t, c->state), *bias = pq_tape_param(t, c->bias), *z;
    recurrent_op *cell = cells[c->evolution][c->cell];
    if (c->evolution == EVOLVE_GRU) {
        pq_recurrence once = {.segments = history, .start = begin(t, c, history->count)};
        z = cell(t, pq_dense(t, states, c->w, c->b), u, bias, &once);
        return pq_pairs_pool(t, z, attend(t, c, candidates, z, pairs), pairs, false);
    }
    pq_var *a = attend(t, c, candidates, states, pairs);
    pq_recurrence args = {.segments = &pairs->segments,
                          .start = begin(t, c, pairs->segments.count)};
    if (c->evolution == EVOLVE_AIGRU) {
        z = cell(t, scaled_gates(t, c, states, a, pairs), u, bias, &args);
    } else {
        args.rows = pairs->keys;
        args.attention = a;
        z = cell(t, pq_dense(t, states, c->w, c->b), u, bias, &args);
    }
    return pq_last_rows(t, z, &pairs->segments);
}

/* behaviours, states (T, H): the rows of the history and what the extractor made of them. */
static pq_var *score_states(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *behaviours,
                            pq_var *states) {
    const dien *c = m->self;
    pq_var *candidates = pq_ctr_candidates(t, m, b);
    const pq_pairs *pairs = pq_pairs_make(t, &b->history, b->candidate_users, b->candidate_count);
    if (!pairs) {
        return NULL;
    }
    pq_var *interest = evolve(t, c, candidates, states, &b->history, pairs);
    pq_var *profile = pq_ctr_profile(t, m, b);
    return pq_interest_tower_run(t, &c->tower, profile, candidates, behaviours, &b->history,
                                 b->candidate_users, interest);
}

static pq_var *extract(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var **behaviours) {
    const dien *c = m->self;
    *behaviours = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    return pq_recurrent_run(t, &c->extractor, *behaviours, &b->history, NULL, NULL);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    pq_var *behaviours, *states = extract(t, m, b, &behaviours);
    return score_states(t, m, b, behaviours, states);
}

/* ---- the auxiliary loss ---- */

/* Rows of what followed each state (or came with it), then as many of what did not. */
typedef struct {
    uint32_t count;
    uint32_t *before; /* [count] row of the state */
    uint32_t *items;  /* [count] */
    pq_real *labels;  /* [count] */
    double weight;    /* of each in the loss */
} next_events;

/* ahead: 1 for the behaviour that followed, 0 for the state's own. */
static bool find_next(pq_tape *t, const pq_batch *b, uint32_t ahead, next_events *e) {
    uint32_t rows = b->history.starts[b->history.count], n = 0;
    *e = (next_events){.before = pq_tape_take(t, (size_t)2 * rows, sizeof(*e->before)),
                       .items = pq_tape_take(t, (size_t)2 * rows, sizeof(*e->items)),
                       .labels = pq_tape_take(t, (size_t)2 * rows, sizeof(*e->labels))};
    if (!e->before || !e->items || !e->labels) {
        return false;
    }
    for (int followed = 1; followed >= 0; followed--) {
        const uint32_t *items = followed ? b->items : b->history_negatives;
        for (uint32_t s = 0; s < b->history.count; s++) {
            for (uint32_t row = b->history.starts[s]; row + ahead < b->history.starts[s + 1];
                 row++) {
                e->before[n] = row;
                e->items[n] = items[row + ahead];
                e->labels[n++] = (pq_real)followed;
            }
        }
    }
    e->count = n;
    return true;
}

/* Of rows whose items are in one table. */
static pq_var *tell(pq_tape *t, const dien *c, const next_events *e, const pq_items *table,
                    pq_var *states) {
    pq_var *h = pq_op_select_rows(t, states, e->before, e->count);
    pq_var *x = pq_items_behaviours(t, table, e->items, e->count);
    pq_var *logits = c->aux == AUX_NEXT_MLP
                         ? pq_mlp_run(t, &c->discriminator, pq_op_concat(t, h, x))
                         : pq_op_dot_rows(t, h, x);
    pq_logistic_loss args = {.labels = e->labels, .weight = e->weight};
    return pq_op_logistic_loss(t, logits, &args);
}

static pq_var *aux_loss(pq_tape *t, const pq_model *m, const next_events *e, pq_var *states) {
    const dien *c = m->self;
    if (c->tables == TABLES_SHARED) {
        return tell(t, c, e, &m->items, states);
    }
    next_events followed = *e, other = *e;
    followed.count = other.count = e->count / 2;
    other.before += followed.count;
    other.items += followed.count;
    other.labels += followed.count;
    return pq_op_add(t, tell(t, c, &followed, &c->behaviours, states),
                     tell(t, c, &other, &c->negatives, states));
}

/* Each part of a batch counts by its share of the candidates. */
static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const dien *c = m->self;
    next_events e;
    pq_var *behaviours, *states = extract(t, m, b, &behaviours);
    uint32_t ahead = c->aux == AUX_SAME_LABEL ? 0 : 1;
    pq_var *sum = pq_label_loss(t, b, score_states(t, m, b, behaviours, states), c->ctr_scale);
    if (!sum || c->aux == AUX_NONE || c->alpha == 0 || !b->history_negatives ||
        !find_next(t, b, ahead, &e) || e.count == 0) {
        return sum;
    }
    double share = (double)b->candidate_count / b->positions;
    double divisor = c->aux_norm == AUX_VALID2
                         ? (double)e.count
                         : (double)b->history.count * (m->max_history - ahead);
    e.weight = share / divisor;
    return pq_op_add(t, sum, pq_op_scale(t, aux_loss(t, m, &e, states), c->alpha));
}

/* `seed` has the sizes of seed 004; 004's own head is bare. 001 is the authors' program, in which a softmax over two
 * halves the candidates' loss. 002's softmax is over an axis of size 1, so that all its weights are 1. */
static const pq_preset presets[] = {
    {"seed001",
     PQ_HELP("dim=18 history=100 cell=tf att=mlp_prelu_query att_scale=0 attention1=80 "
             "attention2=40 attention_activation=sigmoid attention_dropout=0 aux=next_mlp "
             "aux_norm=padded ctr_scale=0.5 hidden1=200 hidden2=80 activation=dice norm=none "
             "dropout=0 input=full head_tanh=0 head_dropout=0 init_scale=0 lr=0.001 l2=0 "
             "dense_rows=0 epochs=3 patience=0 schedule=step lr_every=1 lr_factor=0.5 "
             "dice_epsilon=1e-9")},
    {"seed002",
     PQ_HELP("dim=128 history=5 att=one att_scale=0 aux=same_label aux_norm=padded alpha=0.2 "
             "hidden1=128 hidden2=64 activation=dice norm=none dropout=0 input=compact "
             "head_tanh=0 head_dropout=0 batch=1024 lr=0.001 l2=0 weight_decay=0.005 max_norm=1 "
             "epochs=10 patience=0 dice_alpha=0.1 dice_fixed=1 dice_affine=1 dice_epsilon=1e-5")},
    {"seed004", PQ_HELP("head_tanh=0 head_dropout=0 dice_affine=1")},
    {NULL, NULL},
};

const pq_model_def pq_model_dien = {
    .name = "dien",
    .task = PQ_TASK_RANKING,
    .summary =
        PQ_HELP("deep interest evolution network: how the interest in each candidate came about"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=128 lr=0.002 l2=0.001 dense_rows=1 epochs=100 patience=10 eval_every=1"),
    .training_paper = PQ_HELP("batch=128 lr=0.001 epochs=3"),
    .presets = PQ_TRAINING ? presets : NULL,
    .history_negatives = true,
    .self_size = sizeof(dien),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .score = score,
};
