/* feature_mlp.c — a network on the vectors of all fields side by side:
 *     log-odds = MLP([v_1; …; v_F]) */
#include "layers/head.h"
#include "models/ctr_input.h"

typedef struct {
    pq_ctr_options in;
    pq_mlp mlp;
    pq_head head;
} feature_mlp;

#define AT(member) offsetof(feature_mlp, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", NULL, "0.01"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "128", "320", NULL, "64", "128", NULL, "0", NULL, NULL, "relu",
                      "tanh", NULL, "0", NULL, NULL),
    PQ_HEAD_FIELDS(AT(head)),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    feature_mlp *c = m->self;
    pq_ctr_input_declare(m, &c->in, false, 0);
    uint32_t in = pq_ctr_input_count(m, &c->in) * (uint32_t)c->in.dim;
    pq_mlp_declare(&c->mlp, &m->params, "mlp", in, 1);
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return m->params.status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const feature_mlp *c = m->self;
    pq_var *x = pq_ctr_input(t, m, b, &c->in).fields;
    return pq_head_apply(t, &c->head, pq_mlp_run(t, &c->mlp, x));
}

const pq_model_def pq_model_feature_mlp = {
    .name = "feature_mlp",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a network on the vectors of all fields"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .self_size = sizeof(feature_mlp),
    .declare = declare,
    .score = score,
};
