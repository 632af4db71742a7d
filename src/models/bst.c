/* bst.c — the behaviour sequence transformer (Chen et al., 2019): the candidate stands at the end of the history,
 * and all rows look at each other.
 *     x = rows of (history, candidate) + positions                (L + 1, H)
 *     x = blocks of self-attention
 *     log-odds = MLP([profile; all rows of x side by side])
 * Rows that a history lacks are zeros. The whole is computed for each candidate, since every row sees it.
 * With target_in_encoder = 0, as in DeepCTR, the blocks see the history alone, once per user, and the candidate looks
 * at what they made of it:
 *     a = softmax over t of an attention unit of candidate e and x_t
 *     log-odds = MLP([profile; e; sum of a_t x_t]) */
#include "layers/ages.h"
#include "layers/attention_unit.h"
#include "layers/flat.h"
#include "layers/interest_tower.h"
#include "layers/positions.h"
#include "layers/time_gaps.h"
#include "layers/transformer.h"
#include "models/ctr_input.h"

typedef enum { FORWARD_RELU, FORWARD_LEAKY } forward_kind;
#define POSITION_TIME_GAP (PQ_POSITIONS_SINUSOID + 1)

typedef struct {
    int32_t dim, history, inner, forward, position;
    double init_scale;
    bool with_target;
    pq_transformer net;
    pq_attention_unit unit;  /* these two together without the target, of which … */
    pq_interest_tower tower; /* … the MLP and the head serve with it, too */

    pq_param *positions;
    pq_flat first; /* layer of the MLP, with the target */
} bst;

#define AT(member) offsetof(bst, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "18", "128", NULL,
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(history), "int 1 1000", "20", "5", "20",
             "newest behaviours that are looked at"),
    PQ_FIELD(
        "target_in_encoder", AT(with_target), "bool", "1", NULL, NULL,
        "the candidate stands among the rows of the blocks; 0: it attends to what they make of "
        "the history"),
    PQ_ATTENTION_UNIT_FIELDS(AT(unit), "64", "16", NULL, NULL, "sigmoid", NULL),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS), "1", "2", "1", "blocks"),
    PQ_FIELD("heads", AT(net.heads), "int 1 16", "2", "3", "8", "attention heads"),
    PQ_FIELD("head_width", AT(net.head_width), "int 1 1024", "16", "64", "8", "width of each head"),
    PQ_FIELD("inner", AT(inner), "int 1 8192", "64", NULL, "256",
             "width of the feed-forward layer"),
    PQ_FIELD("ff_act", AT(forward), "relu,leaky", "relu", NULL, "leaky", "its activation"),
    PQ_FIELD("block_norm", AT(net.kind), "post,pre", "pre", "post", "post",
             "where a block normalises: after each sum, or before what is added"),
    PQ_FIELD("position", AT(position), PQ_POSITION_CHOICES ",time_gap", "none", "sinusoid",
             "time_gap",
             "what tells places apart, counted from the candidate; time_gap: how long before the "
             "newest behaviour, in steps that double"),
    PQ_MLP_WIDTH("hidden1", AT(tower.mlp), 0, "128", "384", "1024"),
    PQ_MLP_WIDTH("hidden2", AT(tower.mlp), 1, "64", "192", "512"),
    PQ_MLP_WIDTH("hidden3", AT(tower.mlp), 2, "0", "0", "256"),
    PQ_MLP_ACTIVATION("activation", AT(tower.mlp), "leaky", NULL, NULL),
    PQ_MLP_NORM("norm", AT(tower.mlp), "none", NULL, NULL),
    PQ_MLP_DROPOUT("dropout", AT(tower.mlp), "0.3", "0", "0"),
    PQ_TRAINING_FIELD("block_dropout", AT(net.dropout), "real 0 0.95", "0.3", "0.1", "0.2",
                      "of the input, the attention weights and what blocks add"),
    PQ_HEAD_FIELDS_OF(AT(tower.head), NULL, NULL),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.01", "1", "0",
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    {.name = NULL},
};

#define NORM_EPSILON 1e-5

/* An MLP whose first layer has a part for each place of the rows. */
static pique_status declare_flat(pq_model *m, uint32_t profile) {
    bst *c = m->self;
    pq_params *p = &m->params;
    uint32_t h = m->width, first = (uint32_t)c->tower.mlp.widths[0];
    if (first == 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "hidden1 = 0: there must be a hidden layer");
    }
    if (pq_mlp_scales_input(&c->tower.mlp)) { /* which is not laid side by side */
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "norm: only none and layers can be with target_in_encoder = 1");
    }
    c->first.ages = m->max_history + 1;
    pq_flat_declare(&c->first, p, h, profile, first);
    c->tower.mlp.first_outside = true;
    pq_mlp_declare(&c->tower.mlp, p, "tower", h, 1);
    return p->status;
}

static pique_status declare(pq_model *m) {
    bst *c = m->self;
    pq_params *p = &m->params;
    pq_ctr_declare(m, (uint32_t)c->dim, false, c->init_scale, (uint32_t)c->history);
    uint32_t h = m->width, profile = m->profile.column_count * m->profile.width;
    bool gaps = c->position == POSITION_TIME_GAP;
    c->positions = pq_positions_declare(p, gaps ? PQ_POSITIONS_LEARNED : c->position,
                                        gaps ? PQ_GAP_COUNT : m->max_history + c->with_target, h);
    c->net.inner = (uint32_t)c->inner;
    c->net.forward = PQ_RELU;
    c->net.leaky = c->forward == FORWARD_LEAKY;
    c->net.epsilon = NORM_EPSILON;
    c->net.init = (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM};
    PQ_TRY(pq_transformer_declare(&c->net, p, "layer", h));
    bool normalises = pq_mlp_normalises(&c->tower.mlp);
    if (c->with_target) {
        PQ_TRY(declare_flat(m, profile));
    } else {
        pq_attention_unit_declare(&c->unit, p, "attention", h);
        c->tower.input = PQ_TOWER_PLAIN;
        c->tower.output = true;
        PQ_TRY(pq_interest_tower_declare(&c->tower, p, profile, h, h));
        normalises = normalises || pq_mlp_normalises(&c->unit.mlp);
    }
    m->batch_parts = normalises ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* The history of each candidate and then the candidate: C segments, and their items. NULL on failure. */
static const pq_segments *lay_out(pq_tape *t, const pq_batch *b, uint32_t **items) {
    uint64_t rows = b->candidate_count;
    for (uint32_t i = 0; i < b->candidate_count; i++) {
        rows += pq_segment_length(&b->history, b->candidate_users[i]);
    }
    if (rows > UINT32_MAX) {
        return pq_tape_fail(t, PIQUE_ARGUMENT,
                            "%u candidates have too many behaviours for one call",
                            (unsigned)b->candidate_count);
    }
    uint32_t *starts = pq_tape_take(t, (size_t)b->candidate_count + 1, sizeof(*starts)), n = 0;
    pq_segments *segments = pq_tape_take(t, 1, sizeof(*segments));
    *items = pq_tape_take(t, (size_t)rows, sizeof(**items));
    for (uint32_t i = 0; starts && *items && i < b->candidate_count; i++) {
        uint32_t user = b->candidate_users[i];
        starts[i] = n;
        for (uint32_t row = b->history.starts[user]; row < b->history.starts[user + 1]; row++) {
            (*items)[n++] = b->items[row];
        }
        (*items)[n++] = b->candidates[i];
    }
    if (!starts || !segments || !*items) {
        return NULL;
    }
    starts[b->candidate_count] = n;
    *segments = (pq_segments){starts, b->candidate_count};
    return segments;
}

/* x (T, H) with positions, after the blocks. users: of the segments, or NULL where they are the users. */
static pq_var *encode(pq_tape *t, const bst *c, const pq_batch *b, pq_var *x,
                      const pq_segments *segments, const uint32_t *ages, const uint32_t *users) {
    const uint32_t *places = ages;
    if (c->position == POSITION_TIME_GAP && x) {
        places = pq_time_gaps(t, &b->history, b->times, users, segments->count, x->rows);
    }
    x = pq_positions_add(t, c->positions, places ? x : NULL, places);
    x = pq_op_dropout(t, x, c->net.dropout);
    return pq_transformer_run(t, &c->net, x, NULL, segments);
}

static pq_var *score_without(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const bst *c = m->self;
    const uint32_t *ages = pq_ages(t, &b->history, m->max_history);
    const pq_pairs *pairs = pq_pairs_make(t, &b->history, b->candidate_users, b->candidate_count);
    if (!ages || !pairs) {
        return NULL;
    }
    pq_var *x = pq_items_behaviours(t, &m->items, b->items, b->history.starts[b->history.count]);
    x = encode(t, c, b, x, &b->history, ages, NULL);
    pq_var *candidates = pq_ctr_candidates(t, m, b);
    pq_var *s = pq_attention_unit_run(t, &c->unit, candidates, x, pairs);
    return pq_interest_tower_run(t, &c->tower, pq_ctr_profile(t, m, b), candidates, NULL, NULL,
                                 NULL, pq_pairs_pool(t, x, s, pairs, true));
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const bst *c = m->self;
    if (!c->with_target) {
        return score_without(t, m, b);
    }
    uint32_t *items = NULL;
    const pq_segments *segments = lay_out(t, b, &items);
    const uint32_t *ages = segments ? pq_ages(t, segments, m->max_history + 1) : NULL;
    if (!ages) {
        return NULL;
    }
    pq_var *x = pq_items_vectors(t, &m->items, items, segments->starts[segments->count]);
    x = encode(t, c, b, x, segments, ages, b->candidate_users);
    pq_var *z = pq_flat_run(t, &c->first, x, segments, ages, pq_ctr_profile(t, m, b));
    return pq_head_apply(t, &c->tower.head, pq_mlp_run(t, &c->tower.mlp, z));
}

const pq_model_def pq_model_bst = {
    .name = "bst",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("behaviour sequence transformer: history and candidate look at each other"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .training_paper = PQ_HELP("batch=256 optimiser=adagrad lr=0.01 epochs=1"),
    .self_size = sizeof(bst),
    .declare = declare,
    .score = score,
};
