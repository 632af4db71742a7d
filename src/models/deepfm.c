/* deepfm.c — DeepFM (Guo et al., IJCAI 2017): a factorisation machine and a network on the same vectors.
 *     z = sum over i < j of v_i * v_j                                        (C, d)
 *     log-odds = w0 + sum of w_i + sum of z + MLP([v_1; …; v_F])             join = sum
 *              = w0 + sum of w_i + w' [z; last hidden layer of the MLP]      join = concat */
#include "models/ctr_input.h"

typedef enum { JOIN_SUM, JOIN_CONCAT } join_kind;

typedef struct {
    pq_ctr_options in;
    pq_mlp mlp;
    int32_t join;
    bool linear, inner_sigmoid;
    pq_param *bias, *head; /* head (1, d + last hidden) of `concat` */
} deepfm;

#define AT(member) offsetof(deepfm, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "10", "0.01"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "128", "320", "400", "64", "160", "400", "0", NULL, "400", "relu",
                      NULL, NULL, "0", NULL, "0.5"),
    PQ_FIELD("join", AT(join), "sum,concat", "sum", NULL, NULL,
             "how machine and network meet: their log-odds are added, or what they give goes "
             "through one "
             "more layer"),
    PQ_FIELD("linear", AT(linear), "bool", "1", "0", NULL,
             "each field has a weight of its own beside its vector"),
    PQ_FIELD(
        "inner_sigmoid", AT(inner_sigmoid), "bool", "0", "1", NULL,
        "join = sum: what the network adds goes through a sigmoid, so it lies between 0 and 1"),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    deepfm *c = m->self;
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->in.dim;
    pq_ctr_input_declare(m, &c->in, c->linear, 0);
    uint32_t in = pq_ctr_input_count(m, &c->in) * d;
    c->bias = pq_params_add(p, "bias", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
    pq_mlp_declare(&c->mlp, p, "mlp", in, c->join == JOIN_SUM ? 1 : 0);
    if (c->join == JOIN_CONCAT) {
        c->head = pq_params_add(p, "head.w", 1, d + pq_mlp_width(&c->mlp, in),
                                (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    }
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const deepfm *c = m->self;
    pq_ctr_parts x = pq_ctr_input(t, m, b, &c->in);
    pq_var *pairs = pq_op_fm_pool(t, x.fields, (uint32_t)c->in.dim), *y;
    pq_var *deep = pq_mlp_run(t, &c->mlp, x.fields);
    if (c->join == JOIN_CONCAT) {
        y = pq_op_linear(t, pq_op_concat(t, pairs, deep), pq_tape_param(t, c->head),
                         pq_tape_param(t, c->bias));
    } else {
        deep = c->inner_sigmoid ? pq_op_activate(t, deep, PQ_SIGMOID) : deep;
        y = pq_op_add(t, pq_ctr_row_sums(t, pairs, c->bias), deep);
    }
    return c->linear ? pq_op_add(t, y, x.linear) : y;
}

const pq_model_def pq_model_deepfm = {
    .name = "deepfm",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("DeepFM: a factorisation machine and a network on the same vectors"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .training_paper = PQ_HELP("lr=0.001"),
    .self_size = sizeof(deepfm),
    .declare = declare,
    .score = score,
};
