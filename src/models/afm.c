/* afm.c — the attentional factorisation machine (Xiao et al., IJCAI 2017): pairs of fields do not count alike.
 *     P_ij = v_i * v_j,  s_ij = h' relu(W P_ij + b)                         for the M pairs i < j
 *     a = softmax of s over the M pairs
 *     log-odds = w0 + sum of w_i + p' sum of a_ij P_ij
 * `agg` is the form of teaching code, which attends to the sum over pairs as if it were one: every weight is 1. */
#include "layers/dense.h"
#include "models/ctr_input.h"

typedef enum { MODE_PAIRS, MODE_AGG } mode;

typedef struct {
    pq_ctr_options in;
    int32_t attention, mode;
    bool linear, half;
    double dropout;
    pq_param *bias, *p;  /* (1, 1), (1, d) */
    pq_param *w, *b, *h; /* (t, d), (1, t), (1, t) */
} afm;

#define AT(member) offsetof(afm, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "256", "0.05"),
    PQ_FIELD("attention", AT(attention), "int 1 1024", "16", "6", "256",
             "width of the attention's hidden layer"),
    PQ_FIELD("mode", AT(mode), "pairs,agg", "pairs", "agg", NULL,
             "attention over the pairs of fields; or none, since their sum is all that it sees"),
    PQ_TRAINING_FIELD("dropout", AT(dropout), "real 0 0.95", "0", NULL, "0.3",
                      "of the sum over the pairs"),
    PQ_FIELD("linear", AT(linear), "bool", "1", "0", NULL,
             "each field has a weight of its own beside its vector"),
    PQ_FIELD("half", AT(half), "bool", "1", "0", NULL,
             "mode = agg: each pair counts once; 0: twice, as in (sum of v)^2 - sum of v^2"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    afm *c = m->self;
    pq_params *p = &m->params;
    pq_init glorot = {.kind = PQ_INIT_GLOROT_UNIFORM}, zero = {.kind = PQ_INIT_ZERO};
    uint32_t d = (uint32_t)c->in.dim, width = (uint32_t)c->attention;
    pq_ctr_input_declare(m, &c->in, c->linear, 0);
    if (c->mode == MODE_PAIRS && pq_ctr_input_count(m, &c->in) < 2) {
        PQ_FAIL(m->ctx, PIQUE_DATA, "afm needs two fields to make a pair of, and the data has one");
    }
    c->bias = pq_params_add(p, "bias", 1, 1, zero);
    c->p = pq_params_add(p, "p", 1, d, (pq_init){.kind = PQ_INIT_ONE}); /* first: an FM's mean */
    if (c->mode == MODE_PAIRS) {
        c->w = pq_params_add(p, "attention.w", width, d, glorot);
        c->b = pq_params_add(p, "attention.b", 1, width, zero);
        c->h = pq_params_add(p, "attention.h", 1, width, glorot);
    }
    return p->status;
}

/* The pairs of fields of each of `rows` candidates, as rows of the (rows n, d) matrix of their vectors. */
static pq_pairs *all_pairs(pq_tape *t, uint32_t rows, uint32_t n) {
    uint64_t each = (uint64_t)n * (n - 1) / 2, count = each * rows;
    if (count > UINT32_MAX) {
        return pq_tape_fail(t, PIQUE_ARGUMENT, "%u candidates have too many pairs for one call",
                            (unsigned)rows);
    }
    pq_pairs *out = pq_tape_take(t, 1, sizeof(*out));
    uint32_t *starts = pq_tape_take(t, (size_t)rows + 1, sizeof(*starts));
    uint32_t *first = pq_tape_take(t, (size_t)count, sizeof(*first));
    uint32_t *second = pq_tape_take(t, (size_t)count, sizeof(*second)), at = 0;
    if (!out || !starts || !first || !second) {
        return NULL;
    }
    starts[0] = 0;
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = i + 1; j < n; j++) {
                first[at] = row * n + i;
                second[at++] = row * n + j;
            }
        }
        starts[row + 1] = at;
    }
    *out = (pq_pairs){first, second, (uint32_t)count, {starts, rows}};
    return out;
}

/* (C, d) */
static pq_var *attend(pq_tape *t, const afm *c, pq_var *x) {
    uint32_t d = (uint32_t)c->in.dim;
    pq_pairs *pairs = x ? all_pairs(t, x->rows, x->cols / d) : NULL;
    if (!pairs) {
        return NULL;
    }
    pq_var *v = pq_op_reshape(t, x, d);
    pq_var *products = pq_op_multiply_pairs(t, v, v, pairs);
    pq_var *hidden = pq_op_activate(t, pq_dense(t, products, c->w, c->b), PQ_RELU);
    pq_var *s = pq_op_linear(t, hidden, pq_tape_param(t, c->h), NULL);
    pq_pool_segments how = {.segments = &pairs->segments, .softmax = true};
    return pq_op_pool_segments(t, products, s, &how);
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const afm *c = m->self;
    pq_ctr_parts x = pq_ctr_input(t, m, b, &c->in);
    pq_var *z;
    if (c->mode == MODE_AGG) {
        z = pq_op_fm_pool(t, x.fields, (uint32_t)c->in.dim);
        z = c->half ? z : pq_op_scale(t, z, 2);
    } else {
        z = attend(t, c, x.fields);
    }
    pq_var *y = pq_dense(t, pq_op_dropout(t, z, c->dropout), c->p, c->bias);
    return c->linear ? pq_op_add(t, y, x.linear) : y;
}

const pq_model_def pq_model_afm = {
    .name = "afm",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("attentional factorisation machine: attention over the pairs of fields"),
    .fields = fields,
    /* A mean over the pairs moves its rows less than a sum. */
    .training_best =
        PQ_HELP("batch=256 lr=0.003 weight_decay=0.00001 schedule=constant clip=5 epochs=20 "
                "patience=3 eval_every=1"),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .self_size = sizeof(afm),
    .declare = declare,
    .score = score,
};
