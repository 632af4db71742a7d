/* fnn.c — fnn and fnn_plus: networks on what a factorisation machine makes of the fields.
 *
 * fnn (Zhang et al., ECIR 2016): a field's row is its vector and its linear weight, x = [v_1; w_1; …; v_F; w_F]. It is
 * trained in two stages:
 *     pretraining:  machine = w0 + sum of w_i + sum over i < j of <v_i, v_j>
 *     then:         log-odds = MLP(x), on the rows that the machine left, which go on learning or are `frozen`
 *
 * fnn_plus, end to end:
 *     log-odds = sum of w_i + MLP(sum over i < j of v_i * v_j) */
#include "layers/head.h"
#include "models/ctr_input.h"
#include "models/label_loss.h"

typedef enum { ROWS_TRAINABLE, ROWS_FROZEN } rows_kind;

typedef struct {
    pq_ctr_options in;
    pq_mlp mlp;
    int32_t rows;
    bool half, linear;
    pq_head head;
    pq_param *bias; /* w0 */
} fnn;

#define AT(member) offsetof(fnn, member)

static const pq_field fnn_fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", "10", "0.05"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "128", "64", "200", "64", "32", "300", "0", NULL, "100", "tanh",
                      NULL, NULL, "0", NULL, "0.5"),
    PQ_FIELD("embedding", AT(rows), "trainable,frozen", "trainable", "frozen", NULL,
             "whether the network moves the rows of fields that pretraining left, or keeps them"),
    {.name = NULL},
};

static const pq_field plus_fields[] = {
    PQ_CTR_FIELDS(AT(in), "16", "128", NULL, "0.01"),
    PQ_CTR_MLP_FIELDS(AT(mlp), "128", "64", NULL, "64", "32", NULL, "0", NULL, NULL, "relu", "tanh",
                      NULL, "0.3", "0", NULL),
    PQ_FIELD("half", AT(half), "bool", "1", "0", NULL,
             "each pair of fields counts once; 0: twice, as in (sum of v)^2 - sum of v^2"),
    PQ_FIELD("linear", AT(linear), "bool", "1", "0", NULL,
             "each field has a weight of its own beside its vector"),
    PQ_HEAD_FIELDS(AT(head)),
    {.name = NULL},
};

static uint32_t width(const fnn *c) {
    return (uint32_t)c->in.dim;
}

static pique_status declare_network(pq_model *m, uint32_t in) {
    fnn *c = m->self;
    pq_mlp_declare(&c->mlp, &m->params, "mlp", in, 1);
    m->batch_parts = pq_mlp_normalises(&c->mlp) ? PQ_NORMALISING_PARTS : 0;
    return m->params.status;
}

/* ---- fnn ---- */

static pq_ctr_options with_weight(const fnn *c) {
    pq_ctr_options in = c->in;
    in.dim++; /* the linear weight stands last */
    return in;
}

static pique_status declare_fnn(pq_model *m) {
    fnn *c = m->self;
    pq_ctr_options in = with_weight(c);
    pq_ctr_input_declare(m, &in, false, 0);
    for (uint32_t i = 0; i < m->params.count; i++) {
        m->params.list[i]->pretrained = c->rows == ROWS_FROZEN;
    }
    if (!pq_items_baked(&m->items)) {
        if (c->rows == ROWS_FROZEN && m->pretrain == 0) {
            PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                    "embedding = frozen keeps what pretraining learns, and pretrain = 0 is none");
        }
        c->bias = pq_params_add(&m->params, "bias", 1, 1, (pq_init){.kind = PQ_INIT_ZERO});
        if (c->bias) {
            c->bias->unsaved = true;
        }
    }
    return declare_network(m, pq_ctr_input_count(m, &in) * (width(c) + 1));
}

static pq_var *look_up(pq_tape *t, const pq_model *m, const pq_batch *b) {
    pq_ctr_options in = with_weight(m->self);
    return pq_ctr_input(t, m, b, &in).fields;
}

static pq_var *score_fnn(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fnn *c = m->self;
    return pq_mlp_run(t, &c->mlp, look_up(t, m, b));
}

/* The machine's log-odds. */
static pq_var *machine(pq_tape *t, const fnn *c, pq_var *x) {
    uint32_t d = width(c);
    pq_var *pairs = pq_op_columns(t, pq_op_fm_pool(t, x, d + 1), 0, d);
    pq_var *weights = x ? pq_tape_var(t, 1, x->cols, false) : NULL;
    for (uint32_t j = 0; weights && j < x->cols; j++) {
        weights->value[j] = j % (d + 1) == d;
    }
    pq_var *linear = weights ? pq_op_linear(t, x, weights, NULL) : NULL;
    return pq_op_add(t, pq_ctr_row_sums(t, pairs, c->bias), linear);
}

static pq_var *loss_fnn(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fnn *c = m->self;
    pq_var *x = look_up(t, m, b);
    if (m->pretraining) {
        return pq_label_loss(t, b, machine(t, c, x), 1);
    }
    if (x && c->rows == ROWS_FROZEN) {
        x = pq_tape_constant(t, x->value, x->rows, x->cols);
    }
    return pq_label_loss(t, b, pq_mlp_run(t, &c->mlp, x), 1);
}

/* ---- fnn_plus ---- */

static pique_status declare_plus(pq_model *m) {
    fnn *c = m->self;
    pq_ctr_input_declare(m, &c->in, c->linear, 0);
    return declare_network(m, width(c));
}

static pq_var *score_plus(pq_tape *t, const pq_model *m, const pq_batch *b) {
    const fnn *c = m->self;
    pq_ctr_parts x = pq_ctr_input(t, m, b, &c->in);
    pq_var *z = pq_op_fm_pool(t, x.fields, width(c));
    pq_var *y = pq_mlp_run(t, &c->mlp, c->half ? z : pq_op_scale(t, z, 2));
    return pq_head_apply(t, &c->head, c->linear ? pq_op_add(t, y, x.linear) : y);
}

const pq_model_def pq_model_fnn = {
    .name = "fnn",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a network on the vectors that a factorisation machine learnt before"),
    .fields = fnn_fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST " pretrain=5"),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED " pretrain=20"),
    .training_paper = PQ_HELP("pretrain=5"),
    .pretrains = true,
    .self_size = sizeof(fnn),
    .declare = declare_fnn,
    .loss = PQ_TRAINING ? loss_fnn : NULL,
    .score = score_fnn,
};

const pq_model_def pq_model_fnn_plus = {
    .name = "fnn_plus",
    .task = PQ_TASK_RANKING,
    .summary = PQ_HELP("a network on the pooled products of all pairs of fields, end to end"),
    .fields = plus_fields,
    .training_best = PQ_HELP(PQ_CTR_TRAINING_BEST),
    .training_seed = PQ_HELP(PQ_CTR_TRAINING_SEED),
    .self_size = sizeof(fnn),
    .declare = declare_plus,
    .score = score_plus,
};
