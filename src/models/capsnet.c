/* capsnet.c — a capsule network (Sabour, Frosst & Hinton, NIPS 2017, arXiv 1710.09829): tells which of C items an image
 * shows. The image is a field of the
 * users' profile, the first vector of H W numbers; the items are the classes.
 *     h = relu(convolution of the image)                       (B, P1 F)
 *     u = squash(convolution of h with a stride), a capsule for each place and type       (B n_in, P)
 *     v = routing of W_ij u_i over R rounds                     (B C, D)    graph/op_route.c, as MIND's
 * The length of v_j is the chance that the image shows item j; the score is its log-odds. Training minimises the margin
 * loss of all lengths, and a decoder that draws the image from the capsule of the true item adds its squared error. The
 * decoder is no part of a model file.
 *
 * A patch of a convolution has its places in rows, each with its channels (graph/op_patches.c). */
#include "graph/squash.h"
#include "layers/dense.h"
#include "models/model.h"

typedef struct {
    int32_t types, type_dim, dim, rounds, hidden1, hidden2;
    bool route_full;
    double squash_epsilon, init_scale, margin_high, margin_low, margin_down, reconstruction;

    uint32_t image;                              /* field of the profile */
    uint32_t classes, inputs;                    /* C, n_in */
    pq_patches first, second;                    /* their sizes are options */
    pq_param *conv[2], *primary[2], *decoder[6]; /* of each layer weights and bias */
    pq_param *map;
} capsnet;

#define AT(member) offsetof(capsnet, member)

static const pq_field fields[] = {
    PQ_FIELD("height", AT(first.height), "int 1 128", "28", NULL, NULL, "rows of an image"),
    PQ_FIELD("width", AT(first.width), "int 1 128", "28", NULL, NULL, "columns of an image"),
    PQ_FIELD("filters", AT(second.channels), "int 1 1024", "32", NULL, "256",
             "of the first convolution"),
    PQ_FIELD("kernel", AT(first.size), "int 1 32", "9", NULL, NULL, "side of its filters"),
    PQ_FIELD("primary_kernel", AT(second.size), "int 1 32", "9", NULL, NULL,
             "side of the filters of the second convolution, which makes capsules"),
    PQ_FIELD("stride", AT(second.stride), "int 1 32", "2", NULL, NULL, "of the second convolution"),
    PQ_FIELD("types", AT(types), "int 1 256", "8", NULL, "32", "of capsules at each place"),
    PQ_FIELD("type_dim", AT(type_dim), "int 1 64", "8", NULL, NULL, "width of these"),
    PQ_FIELD("dim", AT(dim), "int 1 64", "16", NULL, NULL, "width D of the items' capsules"),
    PQ_FIELD("rounds", AT(rounds), "int 1 10", "3", NULL, NULL, "routing rounds R"),
    PQ_FIELD("squash_epsilon", AT(squash_epsilon), "real 1e-30 1", "1e-9", NULL, NULL,
             "inside the square root of squash"),
    PQ_TRAINING_FIELD("route_full", AT(route_full), "bool", "0", "1", "0",
                      "gradients through all routing rounds, not only the last"),
    PQ_TRAINING_FIELD("init_scale", AT(init_scale), "real 1e-6 10", "0.1", NULL, NULL,
                      "deviation of the maps W of new capsules"),
    PQ_TRAINING_FIELD("margin_high", AT(margin_high), "real 0 1", "0.9", NULL, NULL,
                      "a true item's length is long enough from here on"),
    PQ_TRAINING_FIELD("margin_low", AT(margin_low), "real 0 1", "0.1", NULL, NULL,
                      "another item's length is short enough up to here"),
    PQ_TRAINING_FIELD("margin_down", AT(margin_down), "real 0 1", "0.5", NULL, NULL,
                      "weight of the other items' lengths in the loss"),
    PQ_TRAINING_FIELD("reconstruction", AT(reconstruction), "real 0 10", "0.0005", NULL, NULL,
                      "weight of the drawn image's summed squared error; 0: there is no decoder"),
    PQ_TRAINING_FIELD("hidden1", AT(hidden1), "int 1 4096", "128", "512", "512",
                      "width of the decoder's first layer"),
    PQ_TRAINING_FIELD("hidden2", AT(hidden2), "int 1 4096", "256", "1024", "1024", "of its second"),
    {.name = NULL},
};

/* ---- making ready ---- */

/* The sizes that follow from the options. */
static pique_status measure(pq_model *m) {
    capsnet *c = m->self;
    const uint32_t pixels = c->first.height * c->first.width;
    c->first.channels = c->first.stride = 1;
    c->second.height = pq_patches_fit(c->first.height, &c->first);
    c->second.width = pq_patches_fit(c->first.width, &c->first);
    c->inputs = pq_patches_fit(c->second.height, &c->second) *
                pq_patches_fit(c->second.width, &c->second) * (uint32_t)c->types;
    c->classes = m->items.rows - 2;
    c->image = pq_profile_find_vector(&m->profile, pixels);
    const uint64_t maps = (uint64_t)c->inputs * c->classes * (uint32_t)c->dim;
    if (m->profile.columns && c->image == m->profile.column_count) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "no column of the users is a vector of %u numbers",
                (unsigned)pixels);
    }
    if (maps == 0 || maps > INT32_MAX) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "the image has no room for the filters, or for too many capsules");
    }
    return PIQUE_OK;
}

/* A layer of (out, in) with a bias; PyTorch's initial values. */
static void layer(pq_params *p, const char *name, uint32_t out, uint32_t in, pq_param **place) {
    char part[16];
    pq_init init = {.kind = PQ_INIT_SYMMETRIC, .scale = PQ_TRAINING ? 1 / pq_sqrt(in) : 0};
    (void)pq_format(part, sizeof(part), "%s.w", name);
    place[0] = pq_params_add(p, part, out, in, init);
    (void)pq_format(part, sizeof(part), "%s.b", name);
    place[1] = pq_params_add(p, part, 1, out, init);
}

static void declare_decoder(capsnet *c, pq_params *p) {
    uint32_t pixels = c->first.height * c->first.width;
    layer(p, "decoder1", (uint32_t)c->hidden1, c->classes * (uint32_t)c->dim, c->decoder);
    layer(p, "decoder2", (uint32_t)c->hidden2, (uint32_t)c->hidden1, c->decoder + 2);
    layer(p, "decoder3", pixels, (uint32_t)c->hidden2, c->decoder + 4);
    for (uint32_t i = 0; i < PQ_COUNT(c->decoder); i++) {
        if (c->decoder[i]) {
            c->decoder[i]->unsaved = true;
        }
    }
}

static pique_status declare(pq_model *m) {
    capsnet *c = m->self;
    pq_params *p = &m->params;
    m->interests = m->width = m->items.width = m->max_history = 1;
    m->items.column_count = 0;
    PQ_TRY(measure(m));
    pq_items_declare(&m->items, p);
    if (PQ_TRAINING &&
        m->items.ids) { /* an item is a capsule; the row that every item of a file has is idle */
        m->items.ids->init.kind = PQ_INIT_ZERO;
        m->items.ids->frozen = true;
    }
    layer(p, "conv", c->second.channels, c->first.size * c->first.size, c->conv);
    layer(p, "primary", (uint32_t)c->types * (uint32_t)c->type_dim,
          c->second.size * c->second.size * c->second.channels, c->primary);
    c->map = pq_params_add(p, "caps.w", c->inputs * c->classes * (uint32_t)c->dim,
                           (uint32_t)c->type_dim, (pq_init){PQ_INIT_NORMAL, c->init_scale, false});
    if (!pq_items_baked(&m->items) && c->reconstruction > 0) {
        declare_decoder(c, p);
    }
    return p->status;
}

/* ---- passes ---- */

static pq_var *image(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const capsnet *c = m->self;
    return pq_profile_numbers(t, &m->profile, c->image, b->profile, b->history.count);
}

/* x (B, H W I) to (B P, filters) */
static pq_var *convolve(pq_tape *t, pq_var *x, const pq_patches *p, pq_param *const *with) {
    return pq_dense(t, pq_op_patches(t, x, p), with[0], with[1]);
}

/* The items' capsules of b images, (B C, D). */
static pq_var *capsules(pq_tape *t, const capsnet *c, pq_var *x, uint32_t b) {
    pq_segments *images = pq_tape_take(t, 1, sizeof(*images));
    uint32_t *starts = pq_tape_take(t, (size_t)b + 1, sizeof(*starts));
    uint32_t *inputs = pq_tape_take(t, (size_t)b * c->inputs, sizeof(*inputs));
    if (!images || !starts || !inputs) {
        return NULL;
    }
    *images = (pq_segments){starts, b};
    for (uint32_t i = 0; i <= b; i++) {
        starts[i] = i * c->inputs;
    }
    for (uint32_t i = 0; i < starts[b]; i++) {
        inputs[i] = i % c->inputs;
    }
    pq_var *h = pq_op_activate(t, convolve(t, x, &c->first, c->conv), PQ_RELU);
    h = pq_op_reshape(t, h, c->second.height * c->second.width * c->second.channels);
    pq_var *u = pq_op_reshape(t, convolve(t, h, &c->second, c->primary), (uint32_t)c->type_dim);
    u = pq_op_squash(t, u, c->squash_epsilon);
    u = pq_op_linear_by_group(t, u, pq_tape_param(t, c->map), inputs, c->inputs);
    return pq_op_route(t, u,
                       &(pq_route){.segments = images,
                                   .interests = c->classes,
                                   .per_interest = true,
                                   .rounds = (uint32_t)c->rounds,
                                   .full_gradient = c->route_full,
                                   .epsilon = c->squash_epsilon});
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const capsnet *c = m->self;
    pq_var *v = capsules(t, c, image(t, m, b), b->history.count);
    pq_var *y = pq_tape_var(t, b->candidate_count, 1, false);
    for (uint32_t i = 0; v && y && i < b->candidate_count; i++) {
        /* PAD and UNKNOWN have no capsule: as unlikely as one without length. */
        uint32_t j = b->candidates[i] - 1, row = b->candidate_users[i] * c->classes + j;
        double n = j < c->classes
                       ? pq_capsule_length(t->kernels, v->value + (size_t)row * v->cols, v->cols)
                       : 1e-6;
        y->value[i] = (pq_real)pq_log(n / PQ_MAX(1 - n, 1e-6));
    }
    return v ? y : NULL;
}

/* The image that the decoder draws from the capsules of the true items, (B, H W). */
static pq_var *draw(pq_tape *t, const capsnet *c, pq_var *v, const uint32_t *targets, uint32_t b) {
    bool *keep = pq_tape_take(t, (size_t)b * c->classes, sizeof(*keep));
    for (uint32_t i = 0; keep && i < b * c->classes; i++) {
        keep[i] = targets[i / c->classes] == i % c->classes;
    }
    pq_var *x = keep ? pq_op_mask_rows(t, v, keep) : NULL;
    x = pq_op_reshape(t, x, c->classes * (uint32_t)c->dim);
    x = pq_op_activate(t, pq_dense(t, x, c->decoder[0], c->decoder[1]), PQ_RELU);
    x = pq_op_activate(t, pq_dense(t, x, c->decoder[2], c->decoder[3]), PQ_RELU);
    return pq_op_activate(t, pq_dense(t, x, c->decoder[4], c->decoder[5]), PQ_SIGMOID);
}

/* Of pairs of label 1 alone: each has an image of its own. An item outside the vocabulary is none of the classes. */
static pq_var *loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const capsnet *c = m->self;
    uint32_t n = b->history.count;
    uint32_t *targets = pq_tape_take(t, n, sizeof(*targets));
    if (b->soft) {
        return pq_tape_fail(t, PIQUE_UNSUPPORTED, "capsnet learns from labels, not from a teacher");
    }
    for (uint32_t i = 0; targets && i < n; i++) {
        targets[i] = b->candidates[i] - 1;
    }
    pq_var *x = image(t, m, b);
    pq_var *v = capsules(t, c, x, n);
    pq_margin_loss margin = {.targets = targets,
                             .classes = c->classes,
                             .high = c->margin_high,
                             .low = c->margin_low,
                             .down = c->margin_down,
                             .weight = 1.0 / b->positions};
    pq_var *y = targets ? pq_op_margin_loss(t, v, &margin) : NULL;
    if (!c->decoder[0] || !y) {
        return y;
    }
    pq_var *away = pq_op_add(t, draw(t, c, v, targets, n), pq_op_scale(t, x, -1));
    away = pq_op_reshape(t, away, n * x->cols);
    return pq_op_add(
        t, y, pq_op_scale(t, pq_op_dot_rows(t, away, away), c->reconstruction / b->positions));
}

const pq_model_def pq_model_capsnet = {
    .name = "capsnet",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("capsules with dynamic routing: tells which item an image shows"),
    .fields = fields,
    .training_best = PQ_HELP("batch=64 lr=0.001 epochs=6 eval_every=1 metric=logloss"),
    .positives = true,
    .self_size = sizeof(capsnet),
    .declare = declare,
    .loss = PQ_TRAINING ? loss : NULL,
    .score = score,
};
