/* grad_mmrec.c — gradients of mmrec's whole losses, through the encoder of items and the looks of candidates. */
#include "tests/grad/grad_check.h"

#include "tests/unit/mmrec_case.h"

static pq_var *loss(pq_tape *t, const void *argument) {
    const mmrec_case *c = argument;
    return pq_model_loss(t, &c->model, &c->batch);
}

void grad_mmrec(void **state) {
    (void)state;
    static const uint32_t negatives[] = {2, 8, 5};
    static const char *const cases[] = {"dropout=0",
                                        "dropout=0.3 scale=1 offset=1",
                                        "offset=1 offset_hidden=3",
                                        "crossmodal=own layers=0 co_layers=2",
                                        "crossmodal=text heads=1",
                                        "crossmodal=image co_layers=0 layers=2",
                                        "objective=softmax dropout=0.2"};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        static mmrec_case c;
        grad_bench g;
        c = (mmrec_case){.model = {0}};
        grad_open(&g, i);
        assert_ok(&g.t.ctx, mmrec_case_open(&c, &g.t.ctx, cases[i]));
        c.batch.negatives = negatives;
        c.batch.negative_count = PQ_COUNT(negatives);
        g.params = &c.model.params;
        g.training = strstr(cases[i], "dropout=0.") != NULL;
        grad_check(&g, cases[i], loss, NULL, &c);
        pq_model_free(&c.model);
        grad_close(&g);
    }
}
