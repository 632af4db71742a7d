/* two_tower.c — two networks that meet in an inner product, so that the model ranks candidates and finds items:
 *     a = MLP_user([profile fields; mean of the history's rows])
 *     c = MLP_item([id; columns])
 *     log-odds = scale <a, c>
 * The item's tower is baked into the file's item vectors. The scale is part of the user's vector. */
#include "models/ctr_input.h"

typedef struct {
    pq_ctr_options in;
    pq_mlp user, item; /* the options are those of `user` */
    int32_t out;
    double scale, dropout;
} two_tower;

#define AT(member) offsetof(two_tower, member)

static const pq_field fields[] = {
    PQ_FIELD("dim", AT(in.dim), "int 1 1024", "32", "256", NULL,
             "width of the vector of each field: the id, each column, each field of the profile"),
    PQ_FIELD("history", AT(in.history), "int 1 1000", "50", NULL, NULL,
             "newest behaviours whose mean the user's tower sees"),
    PQ_TRAINING_FIELD("init_scale", AT(in.init_scale), "real 0 10", "0.05", "1", NULL,
                      "deviation of new vectors of fields; 0: Glorot uniform"),
    PQ_CTR_MLP_FIELDS(AT(user), "64", "128", NULL, "0", "64", NULL, "0", NULL, NULL, "relu", "tanh",
                      NULL, "0", NULL, NULL),
    PQ_FIELD(
        "out", AT(out), "int 0 1024", "32", "0", NULL,
        "width of the linear layer that ends each tower; 0: none, the last hidden layer ends it"),
    PQ_TRAINING_FIELD("tower_dropout", AT(dropout), "real 0 0.95", "0", "0.5", NULL,
                      "of what the towers give"),
    PQ_FIELD("scale", AT(scale), "real 0.01 100", "3", NULL, NULL, "multiplies the inner product"),
    {.name = NULL},
};

static pq_var *item_tower(pq_tape *t, const void *self, pq_var *rows) {
    const two_tower *c = self;
    return pq_mlp_run(t, &c->item, rows);
}

static pique_status declare(pq_model *m) {
    two_tower *c = m->self;
    pq_params *p = &m->params;
    m->items.map = item_tower;
    m->items.map_self = c;
    pq_ctr_input_declare(m, &c->in, false, 0);
    uint32_t row = m->width, out = (uint32_t)c->out;
    m->width = out > 0 ? out : pq_mlp_width(&c->user, row);
    c->item = c->user;
    pq_mlp_declare(&c->user, p, "user", m->profile.column_count * m->profile.width + row, out);
    if (!pq_items_baked(&m->items)) {
        uint32_t first = p->count;
        pq_mlp_declare(&c->item, p, "tower", row, out);
        for (uint32_t i = first; i < p->count; i++) {
            p->list[i]->unsaved = true;
        }
    }
    m->batch_parts = pq_mlp_normalises(&c->user) ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* (B, D) */
static pq_var *towers(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const two_tower *c = m->self;
    pq_var *profile = pq_profile_vector(t, &m->profile, b->profile, b->history.count);
    pq_var *x = pq_ctr_join(t, m->profile.column_count > 0, profile, pq_ctr_history(t, m, b));
    return pq_op_scale(t, pq_mlp_run(t, &c->user, x), c->scale);
}

static pq_var *user(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live) {
    for (uint32_t i = 0; i < b->history.count; i++) {
        live[i] = 1;
    }
    return towers(t, m, b);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const two_tower *c = m->self;
    pq_var *a = pq_op_dropout(t, towers(t, m, b), c->dropout);
    pq_var *items = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    items = pq_op_dropout(t, items, c->dropout);
    return pq_op_dot_rows(t, pq_op_select_rows(t, a, b->candidate_users, b->candidate_count),
                          items);
}

const pq_model_def pq_model_two_tower = {
    .name = "two_tower",
    .task = PQ_TASK_RANKING,
    .summary =
        PQ_HELP("a network for the user and one for the item, which meet in an inner product"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.2 dense_rows=1 max_norm=1"),
    .self_size = sizeof(two_tower),
    .declare = declare,
    .user = user,
    .score = score,
};
