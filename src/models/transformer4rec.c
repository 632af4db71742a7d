/* transformer4rec.c — an encoder of the history whose output, row by row, is what the label is told from; in
 * training, a decoder on top of it predicts the next items.
 *     M = blocks of self-attention over x_1 .. x_L + positions             (T, H), once per user
 *     log-odds = MLP([profile; all rows of M side by side; e])
 *     D = decoder blocks over the same rows, which also look at M          (T, H)
 *     loss = log loss + alpha * cross-entropy of D's rows and the next items (next_item.h)
 * Rows that a history lacks are zeros. Row t of the decoder sees rows up to t alone, of M too, so that the item it
 * is to predict stays unseen; enc_causal = 0 gives that up, since rows of M have then seen the items that follow.
 * dec_input = same and cross_query = encoder, which the seed has, tell the answer. The decoder is not part of the model file. */
#include "layers/ages.h"
#include "layers/flat.h"
#include "layers/head.h"
#include "layers/mlp.h"
#include "layers/positions.h"
#include "layers/transformer.h"
#include "models/ctr_input.h"
#include "models/label_loss.h"
#include "models/next_item.h"

typedef enum { CAUSAL_LE, CAUSAL_STRICT } causal_kind;
typedef enum { QUERY_DECODER, QUERY_ENCODER } query_kind;
typedef enum { GIVEN_SHIFTED, GIVEN_SAME } given_kind;

typedef struct {
    int32_t dim, history, inner, position, causal, query, given;
    double init_scale;
    pq_transformer encoder, decoder; /* the options are the first's */
    pq_mlp mlp;
    pq_head head;
    pq_next_item next;

    pq_param *positions;
    pq_flat rows;   /* these two together are the MLP's first layer, … */
    pq_param *item; /* … of which this is the part for the candidate */
} transformer4rec;

#define AT(member) offsetof(transformer4rec, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(dim), "int 1 1024", "18", "128", NULL,
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(history), "int 1 1000", "20", "5", NULL,
             "newest behaviours that are looked at"),
    PQ_FIELD("layers", AT(encoder.layers), "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS), "1", "2", NULL,
             "blocks of the encoder, and of the decoder"),
    PQ_FIELD("heads", AT(encoder.heads), "int 1 16", "2", "3", NULL, "attention heads"),
    PQ_FIELD("head_width", AT(encoder.head_width), "int 1 1024", "16", "64", NULL,
             "width of each head"),
    PQ_FIELD("inner", AT(inner), "int 1 8192", "64", NULL, NULL, "width of the feed-forward layer"),
    PQ_FIELD("position", AT(position), PQ_POSITION_CHOICES, "learned", "sinusoid", NULL,
             "what tells places apart, counted from the newest"),
    PQ_FIELD("enc_causal", AT(encoder.causal), "bool", "1", "0", NULL,
             "a row of the encoder sees those before it alone"),
    PQ_FIELD("dec_causal", AT(causal), "le,strict", "le", "strict", NULL,
             "a row of the decoder sees those up to itself, or those before it"),
    PQ_FIELD("cross_query", AT(query), "decoder,encoder", "decoder", "encoder", NULL,
             "whose rows look at the other's; the encoder's see later rows, too"),
    PQ_FIELD("dec_input", AT(given), "shifted,same", "shifted", "same", NULL,
             "what the decoder is given: the behaviour before the one to predict, or that itself, "
             "which tells it the answer"),
    PQ_MLP_WIDTH("hidden1", AT(mlp), 0, "128", "384", NULL),
    PQ_MLP_WIDTH("hidden2", AT(mlp), 1, "64", "192", NULL),
    PQ_MLP_WIDTH("hidden3", AT(mlp), 2, "0", NULL, NULL),
    PQ_MLP_ACTIVATION("activation", AT(mlp), "leaky", NULL, NULL),
    PQ_MLP_DROPOUT("dropout", AT(mlp), "0.2", "0", "0"),
    PQ_TRAINING_FIELD("block_dropout", AT(encoder.dropout), "real 0 0.95", "0.1", NULL, NULL,
                      "of the input, the attention weights and what blocks add"),
    PQ_TRAINING_FIELD("alpha", AT(next.weight), "real 0 1000", "0.2", NULL, NULL,
                      "weight of the prediction of the next item in the loss"),
    PQ_NEXT_ITEM_FIELDS(AT(next), "softmax_ce"),
    PQ_HEAD_FIELDS_OF(AT(head), NULL, NULL),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.01", "1", "0",
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    {.name = NULL},
};

#define NORM_EPSILON 1e-5

/* What only training needs. */
static pique_status declare_decoder(pq_model *m) {
    transformer4rec *c = m->self;
    uint32_t first = m->params.count;
    if (c->next.weight == 0 || pq_items_baked(&m->items)) {
        return PIQUE_OK;
    }
    c->decoder = c->encoder;
    c->decoder.causal = c->decoder.decoder = true;
    c->decoder.blind = c->causal == CAUSAL_STRICT;
    c->decoder.memory_asks = c->query == QUERY_ENCODER;
    PQ_TRY(pq_transformer_declare(&c->decoder, &m->params, "decoder", m->width));
    for (uint32_t i = first; i < m->params.count; i++) {
        m->params.list[i]->unsaved = true;
    }
    return pq_next_item_declare(m, &c->next);
}

static pique_status declare(pq_model *m) {
    transformer4rec *c = m->self;
    pq_params *p = &m->params;
    pq_ctr_declare(m, (uint32_t)c->dim, false, c->init_scale, (uint32_t)c->history);
    uint32_t h = m->width, profile = m->profile.column_count * m->profile.width;
    uint32_t first = (uint32_t)c->mlp.widths[0];
    if (first == 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "hidden1 = 0: there must be a hidden layer");
    }
    c->positions = pq_positions_declare(p, c->position, m->max_history, h);
    c->encoder.inner = (uint32_t)c->inner;
    c->encoder.forward = PQ_RELU;
    c->encoder.epsilon = NORM_EPSILON;
    c->encoder.init = (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM};
    PQ_TRY(pq_transformer_declare(&c->encoder, p, "layer", h));
    c->rows.ages = m->max_history;
    pq_flat_declare(&c->rows, p, h, profile, first);
    c->item = pq_params_add(p, "tower1.item", first, h, c->encoder.init);
    c->mlp.first_outside = true;
    pq_mlp_declare(&c->mlp, p, "tower", h, 1);
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return declare_decoder(m);
}

/* The rows of the history as both stacks of blocks are given them, and the memory M. */
typedef struct {
    uint32_t *ages;
    pq_var *x, *memory;
} encoded;

static encoded encode(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const transformer4rec *c = m->self;
    uint32_t rows = b->history.starts[b->history.count];
    encoded e = {.ages = pq_ages(t, &b->history, m->max_history)};
    if (e.ages) {
        pq_var *x = pq_items_behaviours(t, &m->items, b->items, rows);
        e.x = pq_op_dropout(t, pq_positions_add(t, c->positions, x, e.ages), c->encoder.dropout);
        e.memory = pq_transformer_run(t, &c->encoder, e.x, NULL, &b->history);
    }
    return e;
}

/* The part of the MLP's first layer that a user's candidates share is computed once. */
static pq_var *match(pq_tape *t, const pq_model *m, const pq_batch *b, const encoded *e) {
    const transformer4rec *c = m->self;
    if (!e->memory) {
        return NULL;
    }
    pq_var *profile =
        c->rows.profile ? pq_profile_vector(t, &m->profile, b->profile, b->history.count) : NULL;
    pq_var *user = pq_flat_run(t, &c->rows, e->memory, &b->history, e->ages, profile);
    pq_var *z = pq_op_linear(t, pq_ctr_candidates(t, m, b), pq_tape_param(t, c->item), NULL);
    z = pq_op_add(t, z, pq_op_select_rows(t, user, b->candidate_users, b->candidate_count));
    return pq_head_apply(t, &c->head, pq_mlp_run(t, &c->mlp, z));
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    encoded e = encode(t, m, b);
    return match(t, m, b, &e);
}

/* The rows of what follows each behaviour, and after the last of the user's first candidate. */
static pq_var *answers(pq_tape *t, const pq_model *m, const pq_batch *b, const encoded *e) {
    const transformer4rec *c = m->self;
    uint32_t rows = b->history.starts[b->history.count], next = 0;
    uint32_t *items = pq_tape_take(t, rows, sizeof(*items));
    if (!items || !e->ages) {
        return NULL;
    }
    for (uint32_t user = 0; user < b->history.count; user++) {
        while (next < b->candidate_count && b->candidate_users[next] < user) {
            next++;
        }
        bool asked = next < b->candidate_count && b->candidate_users[next] == user;
        for (uint32_t i = b->history.starts[user]; i < b->history.starts[user + 1]; i++) {
            bool last = i + 1 == b->history.starts[user + 1];
            items[i] = !last ? b->items[i + 1] : asked ? b->candidates[next] : 0;
        }
    }
    pq_var *x = pq_items_behaviours(t, &m->items, items, rows);
    return pq_op_dropout(t, pq_positions_add(t, c->positions, x, e->ages), c->encoder.dropout);
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const transformer4rec *c = m->self;
    encoded e = encode(t, m, b);
    pq_var *loss = pq_label_loss(t, b, match(t, m, b, &e), 1);
    if (c->next.weight == 0) {
        return loss;
    }
    pq_var *given = c->given == GIVEN_SAME ? answers(t, m, b, &e) : e.x;
    pq_var *states = pq_transformer_run(t, &c->decoder, given, e.memory, &b->history);
    return pq_next_item_add(t, m, b, &c->next, states, loss);
}

const pq_model_def pq_model_transformer4rec = {
    .name = "transformer4rec",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP(
        "an encoded history and a candidate, learned together with a decoder of next items"),
    .fields = fields,
    .training_best =
        PQ_HELP("batch=256 lr=0.001 schedule=constant clip=5 epochs=20 patience=3 eval_every=1"),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .self_size = sizeof(transformer4rec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .score = score,
};
