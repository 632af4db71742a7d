/* fm.c — the factorisation machine (Rendle, ICDM 2010): every pair of fields counts by the inner product of the two
 * fields' vectors.
 *     log-odds = w0 + sum of w_i + sum over i < j of <v_i, v_j> */
#include "models/ctr_input.h"

typedef struct {
    pq_ctr_options in;
    bool linear;
    pq_param *bias;
} fm;

#define AT(member) offsetof(fm, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "8", "0.05"),
    {"linear", PQ_FIELD_BOOL, AT(linear), 0, 0, NULL, "1", NULL, NULL,
     PQ_HELP("each field has a weight of its own beside its vector")},
    PQ_CTR_END,
};

static pique_status declare(pq_model *m) {
    fm *c = m->self;
    pq_ctr_input_declare(m, &c->in, c->linear, 0);
    c->bias = pq_params_add(&m->params, "bias", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
    return m->params.status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fm *c = m->self;
    pq_ctr_parts x = pq_ctr_input(t, m, b, &c->in);
    pq_var *pairs = pq_op_fm_pool(t, x.fields, (uint32_t)c->in.dim);
    pq_var *y = pq_ctr_row_sums(t, pairs, c->bias);
    return c->linear ? pq_op_add(t, y, x.linear) : y;
}

const pq_model_def pq_model_fm = {
    .name = "fm",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("factorisation machine: inner products of all pairs of fields"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .self_size = sizeof(fm),
    .declare = declare,
    .score = score,
};
