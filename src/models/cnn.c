/* cnn.c — a convolution over the matrix of the fields' vectors, X (F, d), and a network on what it gives:
 *     axis = dims     channels are the fields, and the filters slide along the d numbers of a vector
 *     axis = fields   channels are those numbers, and the filters slide over neighbouring fields
 *     log-odds = MLP(filters of width `taps` over X)
 * Neither the numbers of a vector nor the fields have an order that means something: a layer to learn from, whose
 * weights are few. */
#include "layers/head.h"
#include "models/ctr_input.h"

typedef enum { AXIS_DIMS, AXIS_FIELDS } axis_kind;

typedef struct {
    pq_ctr_options in;
    pq_mlp mlp;
    pq_head head;
    int32_t axis, filters, taps;
    pq_conv1d conv;
    pq_param *w, *b; /* (filters, channels taps), (1, filters) */
} cnn;

#define AT(member) offsetof(cnn, member)

static const pq_field fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", NULL, "0.05"),
    PQ_FIELD("axis", AT(axis), "dims,fields", "dims", NULL, NULL,
             "along what the filters slide: the numbers of a vector, or the fields"),
    PQ_FIELD("filters", AT(filters), "int 1 256", "8", "1", NULL, "how many filters"),
    PQ_FIELD("taps", AT(taps), "int 1 64", "3", NULL, NULL, "width of a filter"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "64", "64", NULL, "0", NULL, NULL, "0", NULL, NULL, "relu", "tanh",
                      NULL, "0", NULL, NULL),
    PQ_HEAD_FIELDS(AT(head)),
    {.name = NULL},
};

static pique_status declare(pq_model *m) {
    cnn *c = m->self;
    pq_params *p = &m->params;
    uint32_t d = (uint32_t)c->in.dim, filters = (uint32_t)c->filters, taps = (uint32_t)c->taps;
    pq_ctr_input_declare(m, &c->in, false, 0);
    uint32_t count = pq_ctr_input_count(m, &c->in);
    bool along = c->axis == AXIS_DIMS;
    uint32_t channels = along ? count : d, length = along ? d : count;
    if (taps > length) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT, "taps = %u is wider than the %u %s that they slide along",
                (unsigned)taps, (unsigned)length, along ? "numbers of a vector" : "fields");
    }
    c->conv = (pq_conv1d){.channels = channels, .taps = taps, .interleaved = !along};
    pq_init init = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt((double)channels * taps)};
    c->w = pq_params_add(p, "conv.w", filters, channels * taps, init);
    c->b = pq_params_add(p, "conv.b", 1, filters, init);
    pq_mlp_declare(&c->mlp, p, "mlp", filters * (length - taps + 1), 1);
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return p->status;
}

static pq_var *score(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const cnn *c = m->self;
    pq_var *x = pq_ctr_input(t, m, b, &c->in).fields;
    pq_var *y = pq_op_conv1d(t, x, pq_tape_param(t, c->w), pq_tape_param(t, c->b), &c->conv);
    return pq_head_apply(t, &c->head, pq_mlp_run(t, &c->mlp, y));
}

const pq_model_def pq_model_cnn = {
    .name = "cnn",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a convolution over the matrix of the fields' vectors"),
    .fields = fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed =
        PQ_HELP("batch=1024 epochs=10 lr=0.001 weight_decay=0.005 dense_rows=1 max_norm=1"),
    .self_size = sizeof(cnn),
    .declare = declare,
    .score = score,
};
