/* overfit.h — training on one batch again and again, for tests that a model can learn it by heart. */
#ifndef OVERFIT_H
#define OVERFIT_H

#include "tests/unit/testing.h"

#include "models/model.h"
#include "native/train/optimiser.h"

/* The loss of the last step. before (or NULL) is called before each step, numbered from 1: it may change what
 * the batch points to. */
static inline double overfit(const pq_model *m, const pq_batch *batch, double lr, uint64_t steps,
                             void (*before)(void *user, uint64_t step), void *user) {
    pq_adam adam = {.lr = lr, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    pq_tape tape;
    pq_grads grads;
    pq_optimiser optimiser;
    double last = 0;
    pq_tape_init(&tape, m->ctx);
    assert_ok(m->ctx, pq_grads_init(&grads, m->ctx, &m->params));
    assert_ok(m->ctx, pq_optimiser_init(&optimiser, m->ctx, &m->params));
    for (uint64_t step = 1; step <= steps; step++) {
        if (before) {
            before(user, step);
        }
        pq_grads_clear(&grads);
        pq_tape_begin(&tape, &grads, true, pq_rng_make(1, step, 0));
        pq_var *loss = pq_model_loss(&tape, m, batch);
        assert_ok(m->ctx, pq_tape_backward(&tape, loss));
        last = (double)loss->value[0];
        assert_ok(m->ctx, pq_optimiser_step(&optimiser, &adam, &grads));
    }
    pq_optimiser_free(&optimiser);
    pq_grads_free(&grads);
    pq_tape_free(&tape);
    return last;
}

#endif
