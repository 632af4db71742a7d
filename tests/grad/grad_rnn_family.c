/* grad_rnn_family.c — gradients of the whole losses of pool and the recurrent models. */
#include "tests/grad/grad_check.h"

#include "tests/unit/rnn_case.h"

typedef struct {
    pq_model model;
    pq_batch batch;
} ranking;

static pq_var *loss(pq_tape *t, const void *argument) {
    const ranking *r = argument;
    return pq_model_loss(t, &r->model, &r->batch);
}

void grad_rnn_family(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"pool", "dim=4 hidden=3"},
        {"pool", "dim=4 hidden=0 pool=sum head_tanh=1 head_dropout=0.3"},
        {"rnn", "dim=3 hidden=4 cell=rnn head_tanh=1"},
        {"rnn", "dim=3 hidden=4 cell=gru layers=2"},
        {"rnn", "dim=3 hidden=2 cell=lstm layers=2 dropout=0.3"},
        {"rnn_als", "dim=4 cell=rnn dropout=0.3"},
        {"rnn_als", "dim=4 cell=lstm"},
        {"rnn_joint", "dim=4 cell=gru lambda=0.7"},
        {"rnn_joint", "dim=4 cell=rnn aux_output=own last_step_when_negative=keep"},
        {"rnn_joint", "dim=4 cell=lstm aux_output=own aux_head=tanh_softmax_ce"},
        {"rnn_joint", "dim=3 cell=rnn aux_head=tanh_softmax_ce"},
        {"rnn_joint", "dim=4 cell=rnn aux_output=own aux_negatives=5"},
        {"rnn_joint", "dim=4 cell=rnn aux_negatives=5 dropout=0.2"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        ranking r = {.batch = rnn_case_batch()};
        grad_bench g;
        grad_open(&g, i);
        assert_ok(&g.t.ctx, rnn_case_model(&r.model, &g.t.ctx, cases[i][0], cases[i][1]));
        g.params = &r.model.params;
        for (uint32_t training = 0; training < 2; training++) {
            g.training = training == 1;
            grad_check(&g, cases[i][1], loss, NULL, &r);
        }
        pq_model_free(&r.model);
        grad_close(&g);
    }
}
