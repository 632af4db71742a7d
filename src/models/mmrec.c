/* mmrec.c — MM-Rec (Wu et al., SIGIR 2022, arXiv 2104.07407): ranking by what items say and show. An item comes with
 * vectors of its tokens and of its regions; ids count for nothing.
 *     h^t = LN(W_t token + place), h^p = LN(W_p region + W_b box)                  a row for each
 *     self-attention within each, then co-attention: tokens look at regions and regions at tokens
 *     g = dense h;  r = sum of g weighted by the softmax of <query, g>             r^t, r^p (D), once per item
 *     for the candidate c and the behaviours i, x and y of {t, p}:  a^xy = softmax over i of <r_c^x, r_i^y>
 *     u = sum over i of (a^tt + a^pt) r_i^t + (a^tp + a^pp) r_i^p
 *     log-odds = <u, r_c^t + r_c^p>
 * crossmodal = own leaves out what crosses, in the attention as in the product: <sum of a^tt r_i^t, r_c^t> + the same
 * of p; text and image are one of these two alone.
 * `offset` adds a linear term of [mean of r_i; r_c], r = [r^t; r^p]: that a user likes much, which the paper's softmax
 * over the candidates of one user cancels, and the log loss of labelled pairs does not. The products alone cannot tell
 * it from how much is liked of an item, since <r_i, r_c> is the same either way. With `offset_hidden` it is a hidden layer
 * of [sum of r_i; r_c] and a linear one: more users can be told apart, and how many behaviours there are.
 * Items without tokens or regions have zeros for that r, and users without a history for u. The file has [r^t; r^p]
 * of every item, so that what serves begins at a^xy. */
#include "layers/co_attention.h"
#include "layers/dense.h"
#include "layers/item_rows.h"
#include "layers/pairs.h"
#include "layers/positions.h"
#include "models/label_loss.h"
#include "models/model.h"

enum { TEXT, IMAGE, MODALITIES };
typedef enum { CROSS_ALL, CROSS_OWN, CROSS_TEXT, CROSS_IMAGE } crossmodal;
typedef enum { OBJECTIVE_LOG, OBJECTIVE_SOFTMAX } objective;
enum { TOKENS, REGIONS, BOXES };

#define BOX_WIDTH 5
#define NORM_EPSILON 1e-12

/* From the rows of an item to r; all of it is the training's alone. */
typedef struct {
    pq_param *w, *b, *box, *gain, *bias;
    pq_transformer net;
    pq_param *dense, *dense_bias, *query;
} modality;

typedef struct {
    int32_t out, history, crossmodal, offset_hidden;
    bool scale, offset;
    int32_t dim, tokens, regions, layers, co_layers, heads, inner, objective;
    double dropout, init_scale;

    const pq_item_rows *rows; /* TOKENS, REGIONS, BOXES */
    uint32_t item_rows;
    modality modality[MODALITIES];
    pq_param *positions;
    pq_co_attention co;
    pq_param *hidden_w, *hidden_b; /* (H, 4 D) on [sum of r_i; r_c], or NULL */
    pq_param *offset_w, *offset_b; /* (1, H) on that, or (1, 4 D) on [mean of r_i; r_c] */
} mmrec;

#define AT(member) offsetof(mmrec, member)

static const pq_field fields[] = {
    PQ_FIELD("out", AT(out), "int 1 1024", "32", "128", "1024",
             "width of an item's vector in each modality"),
    PQ_FIELD("history", AT(history), "int 1 1000", "50", NULL, NULL,
             "newest behaviours that are looked at"),
    PQ_FIELD("crossmodal", AT(crossmodal), "all,own,text,image", "all", NULL, NULL,
             "what the candidate's modalities meet of the behaviours': all, each its own, or one "
             "of these alone"),
    PQ_FIELD("scale", AT(scale), "bool", "0", NULL, NULL,
             "the logits of these looks are divided by the square root of `out`"),
    PQ_FIELD("offset", AT(offset), "bool", "1", "0", "0",
             "a linear term of the candidate and of the history's mean beside that"),
    PQ_FIELD("offset_hidden", AT(offset_hidden), "int 0 1024", "64", "0", "0",
             "offset: width of a hidden layer (ReLU), which sees the history's sum; 0: none"),
    PQ_TRAINING_FIELD("dim", AT(dim), "int 1 1024", "32", "128", "1024",
                      "width of tokens and regions"),
    PQ_TRAINING_FIELD("tokens", AT(tokens), "int 1 1000", "24", NULL, NULL,
                      "first tokens of an item that are looked at"),
    PQ_TRAINING_FIELD("regions", AT(regions), "int 1 1000", "31", NULL, NULL,
                      "first regions of an item that are looked at"),
    PQ_TRAINING_FIELD("layers", AT(layers), "int 0 " PQ_DIGITS(PQ_MOST_BLOCKS), "1", NULL, NULL,
                      "blocks of self-attention over the tokens, and over the regions"),
    PQ_TRAINING_FIELD("co_layers", AT(co_layers), "int 0 " PQ_DIGITS(PQ_MOST_BLOCKS), "1", NULL,
                      NULL, "layers in which they look at each other"),
    PQ_TRAINING_FIELD("heads", AT(heads), "int 1 16", "2", NULL, NULL,
                      "attention heads; divides `dim` and `out`"),
    PQ_TRAINING_FIELD("inner", AT(inner), "int 1 64", "2", "4", "4",
                      "width of the feed-forward layers in multiples of `dim`"),
    PQ_TRAINING_FIELD("dropout", AT(dropout), "real 0 0.95", "0.1", NULL, NULL,
                      "of the input, the attention weights and the sublayers' outputs"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 0 10", "0.1", "0.02", "0.02",
                      "deviation of new weights; 0: Glorot uniform"),
    PQ_TRAINING_FIELD(
        "objective", AT(objective), "log,softmax", "log", NULL, NULL,
        "the log loss of labelled pairs, or of each liked one against `negatives` drawn items"),
    {.name = NULL},
};

/* ---- the item's side ---- */

static pq_param *add(pq_params *params, const char *of, const char *what, uint32_t rows,
                     uint32_t cols, pq_init init) {
    char name[48];
    (void)pq_format(name, sizeof(name), "%s.%s", of, what);
    return pq_params_add(params, name, rows, cols, init);
}

static pique_status declare_modality(pq_params *p, const mmrec *c, const char *name,
                                     const pq_transformer *net, uint32_t width, modality *out) {
    uint32_t d = (uint32_t)c->dim, to = (uint32_t)c->out;
    pq_init zero = {.kind = PQ_INIT_ZERO};
    out->w = add(p, name, "w", d, width, (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    out->b = add(p, name, "b", 1, d, zero);
    out->gain = add(p, name, "norm.gain", 1, d, (pq_init){.kind = PQ_INIT_ONE});
    out->bias = add(p, name, "norm.bias", 1, d, zero);
    out->net = *net;
    PQ_TRY(pq_transformer_declare(&out->net, p, name, d));
    out->dense = add(p, name, "dense.w", to, d, net->init);
    out->dense_bias = add(p, name, "dense.b", 1, to, zero);
    out->query = add(p, name, "query", 1, to, net->init);
    return p->status;
}

/* Width of a kind of rows, 1 while there are no data. */
static uint32_t width_of(const mmrec *c, int kind) {
    return c->rows ? c->rows[kind].width : 1;
}

static pique_status declare_encoder(pq_model *m, mmrec *c) {
    static const char *const streams[] = {"co.text", "co.image"};
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->dim, first = p->count;
    pq_init init = {.kind = c->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                    .scale = c->init_scale};
    pq_transformer net = {.layers = c->layers,
                          .heads = c->heads,
                          .kind = PQ_BLOCK_POST,
                          .inner = d * (uint32_t)c->inner,
                          .forward = PQ_GELU,
                          .dropout = c->dropout,
                          .epsilon = NORM_EPSILON,
                          .init = init};
    if (c->dim % c->heads || c->out % c->heads) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "heads = %d does not divide dim = %d and out = %d",
                (int)c->heads, (int)c->dim, (int)c->out);
    }
    c->positions = pq_positions_declare(p, PQ_POSITIONS_LEARNED, (uint32_t)c->tokens, d);
    PQ_TRY(declare_modality(p, c, "text", &net, width_of(c, TOKENS), &c->modality[TEXT]));
    PQ_TRY(declare_modality(p, c, "image", &net, width_of(c, REGIONS), &c->modality[IMAGE]));
    if (c->rows && c->rows[BOXES].values) {
        c->modality[IMAGE].box =
            add(p, "image", "box", d, BOX_WIDTH, (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    }
    net.layers = c->co_layers;
    net.head_width = c->out / c->heads;
    c->co.stream[0] = net;
    PQ_TRY(pq_co_attention_declare(&c->co, p, streams, d));
    for (uint32_t i = first; i < p->count; i++) {
        p->list[i]->unsaved = true;
    }
    return p->status;
}

/* h of the rows of one modality. */
static pq_stack embed(pq_tape *t, const mmrec *c, int which, const pq_distinct *items) {
    const modality *m = &c->modality[which];
    const pq_item_rows *rows = &c->rows[which == TEXT ? TOKENS : REGIONS];
    uint32_t *places, most = (uint32_t)(which == TEXT ? c->tokens : c->regions);
    pq_stack h = pq_item_rows_take(t, rows, items, most, &places);
    if (!h.rows) {
        return h;
    }
    h.rows = pq_dense(t, h.rows, m->w, m->b);
    if (which == TEXT) {
        h.rows = pq_positions_add(t, c->positions, h.rows, places);
    }
    if (m->box) {
        pq_stack boxes = pq_item_rows_take(t, &c->rows[BOXES], items, most, NULL);
        pq_var *box = pq_op_linear(t, boxes.rows, pq_tape_param(t, m->box), NULL);
        h.rows = pq_op_add(t, h.rows, box);
    }
    h.rows = pq_op_layer_norm(t, h.rows, pq_tape_param(t, m->gain), pq_tape_param(t, m->bias),
                              NORM_EPSILON);
    h.rows = pq_op_dropout(t, h.rows, c->dropout);
    h.rows = pq_transformer_run(t, &m->net, h.rows, NULL, h.segments);
    return h;
}

/* r of each segment. */
static pq_var *pool(pq_tape *t, const modality *m, const pq_stack *h) {
    const pq_pool_segments softmax = {.segments = h->segments, .softmax = true};
    pq_var *g = pq_dense(t, h->rows, m->dense, m->dense_bias);
    return pq_op_pool_segments(t, g, pq_op_linear(t, g, pq_tape_param(t, m->query), NULL),
                               &softmax);
}

/* [r^t; r^p] of n items, each distinct one computed once. */
static pq_var *encode(pq_tape *t, const void *self, const uint32_t *ids, uint32_t n) {
    const mmrec *c = self;
    pq_distinct items;
    pq_stack h[MODALITIES];
    pq_var *r[MODALITIES];
    if (!c->rows) {
        return pq_tape_fail(t, PIQUE_ARGUMENT, "mmrec has no rows of its items");
    }
    if (!pq_distinct_items(t, c->item_rows, ids, n, &items)) {
        return NULL;
    }
    for (int i = 0; i < MODALITIES; i++) {
        h[i] = embed(t, c, i, &items);
    }
    pq_co_attention_run(t, &c->co, h);
    for (int i = 0; i < MODALITIES; i++) {
        r[i] = pool(t, &c->modality[i], &h[i]);
    }
    return pq_op_select_rows(t, pq_op_concat(t, r[TEXT], r[IMAGE]), items.at, n);
}

static pique_status declare(pq_model *m) {
    mmrec *c = m->self;
    m->interests = 1;
    m->width = m->items.width = 2 * (uint32_t)c->out;
    m->max_history = (uint32_t)c->history;
    m->profile.column_count = m->items.column_count = 0; /* the content alone */
    if (c->offset) {
        uint32_t in = 2 * m->width, hidden = (uint32_t)c->offset_hidden;
        if (hidden) {
            pq_init first = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(in)};
            c->hidden_w = pq_params_add(&m->params, "offset.hidden.w", hidden, in, first);
            c->hidden_b = pq_params_add(&m->params, "offset.hidden.b", 1, hidden, (pq_init){0});
            in = hidden;
        }
        c->offset_w = pq_params_add(&m->params, "offset.w", 1, in, (pq_init){0});
        c->offset_b = pq_params_add(&m->params, "offset.b", 1, 1, (pq_init){0});
    }
    if (pq_items_baked(&m->items)) {
        return m->params.status;
    }
    /* One part: items that two parts share would be encoded twice. */
    m->batch_parts = 1;
    m->items.encode = encode;
    m->items.map_self = c;
    c->rows = m->items.side;
    c->item_rows = m->items.rows;
    return declare_encoder(m, c);
}

/* ---- the user's side ---- */

/* Columns of a modality. */
static pq_var *part(pq_tape *t, const mmrec *c, pq_var *r, int which) {
    return pq_op_columns(t, r, (uint32_t)which * (uint32_t)c->out, (uint32_t)c->out);
}

/* What modality y of the behaviours gives each candidate, (C, D): from every modality x of the candidate that looks at
 * it. r: rows of the behaviours; candidates: of the candidates. */
static pq_var *seen(pq_tape *t, const mmrec *c, pq_var *r, pq_var *candidates,
                    const pq_pairs *pairs, int y) {
    pq_var *keys = part(t, c, r, y), *sum = NULL;
    for (int x = 0; x < MODALITIES; x++) {
        if (x != y && c->crossmodal != CROSS_ALL) {
            continue;
        }
        pq_var *s = pq_pairs_dot(t, part(t, c, candidates, x), keys, pairs);
        if (c->scale) {
            s = pq_op_scale(t, s, 1 / pq_sqrt(c->out));
        }
        s = pq_pairs_pool(t, keys, s, pairs, true);
        sum = sum ? pq_op_add(t, sum, s) : s;
    }
    return sum;
}

/* <u, what it meets> */
static pq_var *meet(pq_tape *t, const mmrec *c, pq_var *r, pq_var *candidates,
                    const pq_pairs *pairs) {
    pq_var *u[MODALITIES], *of[MODALITIES];
    for (int y = 0; y < MODALITIES; y++) {
        u[y] = seen(t, c, r, candidates, pairs, y);
        of[y] = part(t, c, candidates, y);
    }
    switch ((crossmodal)c->crossmodal) {
    case CROSS_ALL:
        return pq_op_dot_rows(t, pq_op_add(t, u[TEXT], u[IMAGE]),
                              pq_op_add(t, of[TEXT], of[IMAGE]));
    case CROSS_OWN:
        return pq_op_dot_rows(t, pq_op_concat(t, u[TEXT], u[IMAGE]), candidates);
    default: {
        const int one = c->crossmodal == CROSS_IMAGE;
        return pq_op_dot_rows(t, u[one], of[one]);
    }
    }
}

/* The offset of each candidate, (C, 1). */
static pq_var *offset(pq_tape *t, const mmrec *c, pq_var *r, pq_var *candidates,
                      const pq_pairs *pairs) {
    const pq_pool_segments how = {
        .segments = &pairs->segments, .rows = pairs->keys, .mean = !c->hidden_w};
    pq_var *x = pq_op_concat(t, pq_op_pool_segments(t, r, NULL, &how), candidates);
    if (c->hidden_w) {
        x = pq_op_activate(t, pq_dense(t, x, c->hidden_w, c->hidden_b), PQ_RELU);
    }
    return pq_dense(t, x, c->offset_w, c->offset_b);
}

/* Behaviours and candidates are looked up together, so that training encodes an item once that is both. */
static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const mmrec *c = m->self;
    const uint32_t count = b->candidate_count;
    const uint32_t rows = b->history.starts[b->history.count];
    uint32_t *ids = pq_tape_take(t, (size_t)rows + count, sizeof(*ids));
    uint32_t *at = pq_tape_take(t, count, sizeof(*at));
    if (!ids || !at) {
        return NULL;
    }
    for (uint32_t i = 0; i < rows + count; i++) {
        ids[i] = i < rows ? b->items[i] : b->candidates[i - rows];
    }
    for (uint32_t i = 0; i < count; i++) {
        at[i] = rows + i;
    }
    pq_var *r = pq_items_vectors(t, &m->items, ids, rows + count);
    pq_var *candidates = pq_op_select_rows(t, r, at, count);
    const pq_pairs *pairs = pq_pairs_make(t, &b->history, b->candidate_users, count);
    if (!pairs) {
        return NULL;
    }
    pq_var *y = meet(t, c, r, candidates, pairs);
    return c->offset ? pq_op_add(t, y, offset(t, c, r, candidates, pairs)) : y;
}

/* ---- training ---- */

/* The liked pairs, each followed by the batch's negatives; one that is the liked item itself gives way to the next.
 * Returns how many are liked. */
static uint32_t against_drawn(pq_tape *t, const pq_batch *b, pq_batch *out) {
    const uint32_t n = b->negative_count;
    uint32_t liked = 0;
    uint32_t *items = pq_tape_take(t, (size_t)b->candidate_count * (n + 1), sizeof(*items));
    uint32_t *whose = pq_tape_take(t, (size_t)b->candidate_count * (n + 1), sizeof(*whose));
    *out = *b;
    for (uint32_t i = 0; items && whose && i < b->candidate_count; i++) {
        if (b->candidate_labels[i] <= 0) {
            continue;
        }
        for (uint32_t j = 0; j <= n; j++) {
            const bool same = j > 0 && b->negatives[j - 1] == b->candidates[i];
            const uint32_t k = liked * (n + 1) + j;
            items[k] = j == 0 ? b->candidates[i] : b->negatives[same ? j % n : j - 1];
            whose[k] = b->candidate_users[i];
        }
        liked++;
    }
    out->candidates = items;
    out->candidate_users = whose;
    out->candidate_count = liked * (n + 1);
    return liked;
}

static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const mmrec *c = m->self;
    if (c->objective == OBJECTIVE_LOG) {
        return pq_label_loss(t, b, score(t, m, b), 1);
    }
    if (b->soft) {
        return pq_tape_fail(t, PIQUE_ARGUMENT, "objective = softmax has no use for a teacher");
    }
    pq_batch drawn;
    const uint32_t liked = against_drawn(t, b, &drawn);
    uint32_t *targets = pq_tape_take(t, liked, sizeof(*targets));
    pq_real *weights = pq_tape_take(t, liked, sizeof(*weights));
    if (!targets || !weights) {
        return NULL;
    }
    for (uint32_t i = 0; i < liked; i++) {
        targets[i] = 0;
        weights[i] = 1 / (pq_real)liked;
    }
    const pq_cross_entropy args = {targets, weights};
    return pq_op_cross_entropy(t, pq_op_reshape(t, score(t, m, &drawn), b->negative_count + 1),
                               &args);
}

static const pq_side_def side[] = {
    {"tokens", 0, NULL}, {"regions", 0, NULL}, {"boxes", BOX_WIDTH, "regions"}, {NULL, 0, NULL}};

const pq_model_def pq_model_mmrec = {
    .name = "mmrec",
    .task = PQ_TASK_RANKING,
    .summary =
        PQ_HELP("tokens and regions of items, which look at each other and at the history's"),
    .fields = fields,
    .training_best = PQ_HELP("batch=512 lr=0.003 schedule=constant clip=1 epochs=20 patience=3 "
                             "eval_every=1 negatives=4 sampler=uniform"),
    .training_seed = PQ_HELP("batch=64 lr=0.00001 schedule=constant clip=1 epochs=3 negatives=4 "
                             "sampler=uniform"),
    .training_paper = PQ_HELP("batch=64 lr=0.00001 schedule=constant clip=1 epochs=3 negatives=4 "
                              "sampler=uniform"),
    .side = PQ_TRAINING ? side : NULL,
    .self_size = sizeof(mmrec),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .score = score,
};
