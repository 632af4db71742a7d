/* grad_sasrec.c — gradients of SASRec's whole loss, with and without dropout. */
#include "tests/grad/grad_check.h"

#include "tests/unit/sasrec_case.h"

static pq_var *loss(pq_tape *t, const void *argument) {
    const sasrec_case *c = argument;
    return c->model.def->loss(t, &c->model, &c->batch);
}

void grad_sasrec(void **state) {
    (void)state;
    static const char *const norms[] = {
        "norm=post forward=gelu",
        "norm=pre forward=gelu cosine=1 temperature=0.5",
        "norm=code forward=relu input_norm=0 scale_input=1",
    };
    static const pq_loss kinds[] = {PQ_LOSS_SAMPLED, PQ_LOSS_SOFTMAX, PQ_LOSS_BCE, PQ_LOSS_BPR,
                                    PQ_LOSS_GBCE};
    for (size_t i = 0; i < PQ_COUNT(norms) * PQ_COUNT(kinds); i++) {
        char settings[192];
        sasrec_case c = {.batch = sasrec_batch()};
        grad_bench g;
        grad_open(&g, i);
        snprintf(settings, sizeof(settings), "%s%s",
                 "dim=4 layers=2 heads=2 history=7 inner=1 dropout=0.2 ", norms[i % 3]);
        assert_ok(&g.t.ctx, sasrec_model(&c.model, &g.t.ctx, settings));
        c.model.loss.kind = kinds[i / 3];
        c.model.loss.smoothing = 0.1;
        g.params = &c.model.params;
        g.training = i % 2 == 1;
        grad_check(&g, settings, loss, NULL, &c);
        pq_model_free(&c.model);
        grad_close(&g);
    }
}
