/* wide_deep.c — Wide & Deep (Cheng et al., DLRS 2016): weights that remember beside a network that generalises.
 *     wide = sum of w_i, and with crosses the sum of the weights of pairs of fields (POLY2)
 *     log-odds = wide + MLP([v_1; …; v_F]), or w' [wide; MLP] + b
 * Crosses. A pair of a user's field and an item's has a weight in the item's row, in the column into which the user's
 * code is hashed, so that the row serves alone: all codes of a field that has several. Pairs within the user, where the
 * first code of a field counts, stand in a hashed table of their own. Pairs within an item are a constant of the item,
 * which its id's linear weight is already. */
#include "base/buckets.h"
#include "models/ctr_input.h"

#define USER_PAIRS 16 /* rows of the table of a user's pairs, for each cross */

typedef enum { JOIN_SUM, JOIN_DENSE } join_kind;

typedef struct {
    pq_ctr_options in;
    pq_mlp mlp;
    int32_t crosses, join;
    bool linear;
    pq_param *user_pairs;  /* (1 + USER_PAIRS crosses, 1) */
    pq_param *head, *bias; /* (1, 2), (1, 1) of `dense` */
} wide_deep;

#define AT(member) offsetof(wide_deep, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "32", "0.01"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "128", "320", "1024", "64", "160", "512", "0", NULL, "256", "relu",
                      NULL, NULL, "0", NULL, NULL),
    PQ_FIELD("linear", AT(linear), "bool", "1", "0", NULL,
             "the wide part has a weight for each field"),
    PQ_FIELD("crosses", AT(crosses), "int 0 4096", "0", "128", NULL,
             "the wide part has weights for pairs of fields, and so many columns into which a "
             "user's codes "
             "are hashed; 0: none"),
    PQ_FIELD("join", AT(join), "sum,dense", "sum", "dense", NULL,
             "how wide and deep part meet: added, or by one more layer"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    wide_deep *c = m->self;
    pq_params *p = &m->params;
    uint32_t crosses = (uint32_t)c->crosses;
    if (!c->linear && crosses == 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "linear = 0 with crosses = 0 leaves nothing to be wide");
    }
    pq_ctr_input_declare(m, &c->in, c->linear, crosses);
    pq_mlp_declare(&c->mlp, p, "mlp", pq_ctr_input_count(m, &c->in) * (uint32_t)c->in.dim, 1);
    if (crosses > 0 && m->profile.column_count > 1) {
        c->user_pairs = pq_params_add(p, "cross.user", 1 + USER_PAIRS * crosses, 1,
                                      (pq_init){.kind = PQ_INIT_ZERO, .pad_row = true});
        if (c->user_pairs) {
            c->user_pairs->sparse = c->user_pairs->linear = true;
        }
    }
    if (c->join == JOIN_DENSE) {
        c->head = pq_params_add(p, "head.w", 1, 2, (pq_init){.kind = PQ_INIT_ONE});
        c->bias = pq_params_add(p, "head.b", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
    }
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

/* ---- crosses ---- */

static uint64_t hash_code(uint64_t seed, uint32_t field, uint32_t code) {
    return pq_mix(seed + ((uint64_t)(field + 1) << 32 | code));
}

/* Code i of the batch's profile as it is crossed: a quantile by its tenth. */
static uint32_t crossed(const pq_model *m, const pq_batch *b, uint32_t field, uint32_t i) {
    uint32_t code = b->profile->values[i];
    float quantile;
    bool tenth = m->profile.columns[field].quantile && pq_quantile_row(code, &quantile) == 1;
    return tenth ? 1 + (uint32_t)(quantile * 10) : code;
}

/* The first code of a user's field. */
static uint32_t code_of(const pq_model *m, const pq_batch *b, uint32_t user, uint32_t field) {
    const uint32_t *own =
        b->profile ? b->profile->offsets + (size_t)user * m->profile.column_count + field : NULL;
    return own && own[0] < own[1] ? crossed(m, b, field, own[0]) : 0;
}

/* The weights of each candidate's pairs with all codes of its user, (C, 1). */
static pq_var *with_user(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *crosses) {
    const size_t count = m->profile.column_count;
    const uint32_t *offsets = b->profile ? b->profile->offsets : NULL;
    uint32_t n = 1; /* codes of a user, at most */
    for (uint32_t user = 0; offsets && user < b->history.count; user++) {
        n = PQ_MAX(n, offsets[(user + 1) * count] - offsets[user * count]);
    }
    uint32_t *columns = pq_tape_take(t, (size_t)b->candidate_count * n, sizeof(*columns));
    for (size_t i = 0; columns && crosses && i < (size_t)b->candidate_count * n; i++) {
        const uint32_t *own = offsets ? offsets + b->candidate_users[i / n] * count : NULL;
        uint32_t at = own ? own[0] + (uint32_t)(i % n) : 0, code = 0, f = 0;
        if (own && at < own[count]) {
            while (own[f + 1] <= at) {
                f++;
            }
            code = crossed(m, b, f, at);
        }
        columns[i] = code ? (uint32_t)(hash_code(0, f, code) % crosses->cols) : PQ_NO_COLUMN;
    }
    return pq_op_pick_columns(t, crosses, columns, n);
}

/* The weights of the pairs of profile fields, each with its first code, (B, 1). */
static pq_var *within_user(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const wide_deep *c = m->self;
    uint32_t n = m->profile.column_count, each = n * (n - 1) / 2, count = b->history.count, at = 0;
    uint32_t *rows = pq_tape_take(t, (size_t)count * each, sizeof(*rows));
    for (uint32_t user = 0; rows && user < count; user++) {
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = i + 1; j < n; j++) {
                uint32_t one = code_of(m, b, user, i), two = code_of(m, b, user, j);
                uint64_t hash = hash_code(hash_code(0, i, one), j, two);
                rows[at++] = one && two ? 1 + (uint32_t)(hash % (c->user_pairs->rows - 1)) : 0;
            }
        }
    }
    pq_var *weights = rows ? pq_op_gather(t, c->user_pairs, rows, at) : NULL;
    return pq_ctr_row_sums(t, pq_op_reshape(t, weights, each), NULL);
}

/* ---- the whole ---- */

static pq_var *wide(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_ctr_parts *x) {
    const wide_deep *c = m->self;
    pq_var *y = x->linear;
    if (c->crosses > 0) {
        pq_var *pairs = with_user(t, m, b, x->crosses);
        y = c->linear ? pq_op_add(t, y, pairs) : pairs;
    }
    if (c->user_pairs) {
        pq_var *own =
            pq_op_select_rows(t, within_user(t, m, b), b->candidate_users, b->candidate_count);
        y = pq_op_add(t, y, own);
    }
    return y;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const wide_deep *c = m->self;
    pq_ctr_parts x = pq_ctr_input(t, m, b, &c->in);
    pq_var *beside = wide(t, m, b, &x), *deep = pq_mlp_run(t, &c->mlp, x.fields);
    if (c->join == JOIN_DENSE) {
        return pq_op_linear(t, pq_op_concat(t, beside, deep), pq_tape_param(t, c->head),
                            pq_tape_param(t, c->bias));
    }
    return pq_op_add(t, beside, deep);
}

const pq_model_def pq_model_wide_deep = {
    .name = "wide_deep",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("Wide & Deep: weights of fields or of pairs of fields beside a network"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .training_paper = PQ_HELP("optimiser=adagrad lr=0.01 linear_optimiser=ftrl ftrl_l1=0.001"),
    .self_size = sizeof(wide_deep),
    .declare = declare,
    .score = score,
};
