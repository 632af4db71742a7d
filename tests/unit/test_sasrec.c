/* test_sasrec.c — SASRec as a whole, in float: what a state may see, what comes out where there is little or
 * nothing, which settings are refused, and the memory of a training step. */
#include "sasrec_case.h"

/* ---- what a state may see ---- */

#define LONG 30 /* rows; attention takes another way for long segments than for short ones */

/* The state after `row`, by its trace: with one label, of items that no history has, the gradients of the
 * two items are multiples of it. */
static void trace_of(sasrec_case *b, uint32_t row, const uint32_t *history, uint32_t length,
                     pq_real *trace) {
    static const uint32_t target = 9, negative = 10;
    const uint32_t own_starts[] = {0, length}, size = b->model.width;
    const pq_param *table = sasrec_param(b, "item.id");
    b->batch.history = (pq_segments){own_starts, 1};
    b->batch.items = history;
    b->batch.label_count = b->batch.positions = 1;
    b->batch.label_rows = &row;
    b->batch.targets = &target;
    b->batch.pair_negatives = &negative;
    b->model.loss = (pq_loss_options){.kind = PQ_LOSS_BCE, .pair_count = 1};
    sasrec_step(b, false);
    memcpy(trace, pq_grads_row(&b->grads, table, target), size * sizeof(*trace));
    memcpy(trace + size, pq_grads_row(&b->grads, table, negative), size * sizeof(*trace));
}

/* Another item at one place changes no state before it, and every state from there on. */
static void check_causal(const char *settings, uint32_t length) {
    sasrec_case b;
    uint32_t history[LONG];
    pq_real before[2 * 8], after[2 * 8];
    sasrec_open(&b, settings);
    for (uint32_t changed = 0; changed < length; changed += 1 + length / 8) {
        for (uint32_t row = 0; row < length; row++) {
            for (uint32_t i = 0; i < length; i++) {
                history[i] = 1 + i * 5 % 7;
            }
            trace_of(&b, row, history, length, before);
            history[changed] = 8;
            trace_of(&b, row, history, length, after);
            if (sasrec_same(before, after, 2 * 8) != (row < changed)) {
                fail_msg("%s: item %u of %u %s state %u", settings, (unsigned)changed,
                         (unsigned)length, row < changed ? "changes" : "does not change",
                         (unsigned)row);
            }
        }
    }
    sasrec_close(&b);
}

static void causality(void **state) {
    (void)state;
    static const char *const norms[] = {"norm=post", "norm=pre", "norm=code cosine=1"};
    for (size_t i = 0; i < PQ_COUNT(norms); i++) {
        char settings[128];
        snprintf(settings, sizeof(settings), "%s%s", SASREC_SIZES "history=30 ", norms[i]);
        check_causal(settings, 6);
        check_causal(settings, LONG);
    }
}

static void users_do_not_mix(void **state) {
    (void)state;
    static const uint32_t alone[] = {0, 7};
    sasrec_case b;
    pq_real kept[8];
    sasrec_open(&b, SASREC_SIZES);
    memcpy(kept, sasrec_users(&b) + (size_t)3 * 8, sizeof(kept));
    b.batch.history = (pq_segments){alone, 1};
    b.batch.items += 6;
    assert_true(sasrec_same(sasrec_users(&b), kept, 8));
    sasrec_close(&b);
}

/* The newest behaviour has the last position, whatever the length. */
static void positions_count_from_the_newest(void **state) {
    (void)state;
    sasrec_case b;
    pq_real kept[8 * SASREC_USERS];
    sasrec_open(&b, SASREC_SIZES);
    memcpy(kept, sasrec_users(&b), sizeof(kept));
    pq_param *position = sasrec_param(&b, "position");
    for (uint32_t row = 0; row < 7; row++) {
        static const uint32_t lengths[SASREC_USERS] = {5, 0, 1, 7};
        position->value[(size_t)row * 8] += 1;
        const pq_real *v = sasrec_users(&b);
        for (uint32_t u = 0; u < SASREC_USERS; u++) {
            bool same = sasrec_same(v + (size_t)u * 8, kept + (size_t)u * 8, 8);
            assert_int_equal(same, row + lengths[u] < 7);
        }
        position->value[(size_t)row * 8] -= 1;
        memcpy(kept, sasrec_users(&b),
               sizeof(kept)); /* the number may not come back to the last bit */
    }
    sasrec_close(&b);
}

/* ---- little or nothing to see ---- */

/* One behaviour gets all of the attention: queries and keys do not count. */
static void history_of_one(void **state) {
    (void)state;
    static const char *const names[] = {"layer1.q.w", "layer2.k.w", "layer1.q.b"};
    enum { LONE = 2 * 8 }; /* where the user's vector begins who has one behaviour */
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        sasrec_case b;
        pq_real kept[8 * SASREC_USERS];
        sasrec_open(&b, SASREC_SIZES);
        memcpy(kept, sasrec_users(&b), sizeof(kept));
        sasrec_param(&b, names[i])->value[3] += 1;
        const pq_real *v = sasrec_users(&b);
        assert_true(sasrec_same(v + LONE, kept + LONE, 8));
        assert_false(sasrec_same(v, kept, 8));
        sasrec_param(&b, "layer1.v.b")->value[3] += 1;
        assert_false(sasrec_same(sasrec_users(&b) + LONE, kept + LONE, 8));
        sasrec_close(&b);
    }
}

/* Zeros for nobody's history, in a batch and alone, with reasons asked for too. */
static void empty_history(void **state) {
    (void)state;
    static const uint32_t none[] = {0, 0, 0};
    static const char *const norms[] = {SASREC_SIZES "norm=post", SASREC_SIZES "norm=pre cosine=1"};
    for (size_t i = 0; i < PQ_COUNT(norms); i++) {
        sasrec_case b;
        pq_real shares[SASREC_ROWS];
        sasrec_open(&b, norms[i]);
        b.batch.shares = shares;
        const pq_real *v = sasrec_users(&b);
        for (uint32_t j = 0; j < 8; j++) {
            assert_true(v[8 + j] == 0);
            assert_true(isfinite(v[j]));
        }
        b.batch.history = (pq_segments){none, 2};
        v = sasrec_users(&b);
        for (uint32_t j = 0; j < 2 * 8; j++) {
            assert_true(v[j] == 0);
        }
        sasrec_close(&b);
    }
}

/* Behaviours count by max(0, <e, v>), as shares of the whole. */
static void shares_of_behaviours(void **state) {
    (void)state;
    sasrec_case b;
    pq_real shares[SASREC_ROWS], v[8 * SASREC_USERS];
    sasrec_open(&b, SASREC_SIZES);
    b.batch.shares = shares;
    memcpy(v, sasrec_users(&b), sizeof(v));
    const pq_param *table = sasrec_param(&b, "item.id");
    for (uint32_t u = 0; u < SASREC_USERS; u++) {
        double match[SASREC_ROWS], total = 0;
        for (uint32_t r = b.batch.history.starts[u]; r < b.batch.history.starts[u + 1]; r++) {
            match[r] = 0;
            for (uint32_t j = 0; j < 8; j++) {
                match[r] += (double)table->value[b.batch.items[r] * 8 + j] * v[u * 8 + j];
            }
            match[r] = match[r] > 0 ? match[r] : 0;
            total += match[r];
        }
        for (uint32_t r = b.batch.history.starts[u]; r < b.batch.history.starts[u + 1]; r++) {
            assert_true(fabs(shares[r] - (total > 0 ? match[r] / total : 0)) < 1e-5);
        }
    }
    sasrec_close(&b);
}

/* ---- what is refused ---- */

static void refused(void **state) {
    (void)state;
    static const uint32_t long_starts[] = {0, 8}, outside[] = {3, 1, 4, 12, 7};
    sasrec_case b;
    uint32_t live[SASREC_USERS];
    sasrec_open(&b, SASREC_SIZES);
    b.batch.history = (pq_segments){long_starts, 1};
    pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
    assert_null(b.model.def->user(&b.tape, &b.model, &b.batch, live));
    assert_failure(&b.t.ctx, b.tape.status, PIQUE_ARGUMENT,
                   "a history has 8 behaviours, at most 7 fit");
    b.batch = sasrec_batch();
    b.batch.history.count = 1;
    b.batch.items = outside;
    pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
    assert_null(b.model.def->user(&b.tape, &b.model, &b.batch, live));
    assert_failure(&b.t.ctx, b.tape.status, PIQUE_ARGUMENT, "row 12 is outside table \"item.id\"");
    sasrec_close(&b);

    testing t;
    pq_model m;
    testing_open(&t);
    assert_failure(&t.ctx, sasrec_model(&m, &t.ctx, "dim=10 heads=4"), PIQUE_ARGUMENT,
                   "heads = 4 does not divide the width 10");
    pq_model_free(&m);
    testing_close(&t);
}

/* ---- memory ---- */

static void warm_steps_do_not_allocate(void **state) {
    (void)state;
    static const pq_loss kinds[] = {PQ_LOSS_SAMPLED, PQ_LOSS_SOFTMAX, PQ_LOSS_BCE};
    for (size_t i = 0; i < PQ_COUNT(kinds); i++) {
        sasrec_case b;
        sasrec_open(&b, ""); /* full size, with dropout: several arena blocks */
        b.model.loss.kind = kinds[i];
        for (int n = 0; n < 5; n++) {
            sasrec_step(&b, true);
        }
        size_t calls = b.t.calls;
        assert_true(calls > 10);
        for (int n = 0; n < 5; n++) {
            sasrec_step(&b, true);
        }
        assert_int_equal(b.t.calls, calls);
        sasrec_close(&b);
    }
}

typedef struct {
    const char *settings;
    pq_loss loss;
} life;

/* From nothing: serving with reasons, then a step. */
static pique_status whole_life(testing *t, void *argument) {
    const life *l = argument;
    pq_model m = {0};
    pq_grads grads = {0};
    pq_tape tape;
    pq_real shares[SASREC_ROWS];
    uint32_t live[SASREC_USERS];
    pq_batch batch = sasrec_batch();
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t->ctx);
    pique_status status;
    PQ_TRY_GOTO(status, sasrec_model(&m, &t->ctx, l->settings));
    m.loss.kind = l->loss;
    PQ_TRY_GOTO(status, pq_grads_init(&grads, &t->ctx, &m.params));
    batch.shares = shares;
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    (void)m.def->user(&tape, &m, &batch, live);
    PQ_TRY_GOTO(status, tape.status);
    pq_tape_begin(&tape, &grads, true, pq_rng_make(1, 2, 3));
    status = pq_tape_backward(&tape, m.def->loss(&tape, &m, &batch));

done:
    if (grads.list) {
        pq_grads_free(&grads);
    }
    pq_tape_free(&tape);
    pq_model_free(&m);
    return status;
}

static void short_of_memory(void **state) {
    (void)state;
    testing_fail_each(whole_life, &(life){"dim=64 heads=4 norm=post layers=1", PQ_LOSS_SOFTMAX});
    testing_fail_each(whole_life, &(life){"dim=64 norm=code layers=1 inner=1", PQ_LOSS_BCE});
    testing_fail_each(whole_life, &(life){"dim=64 norm=pre layers=1 cosine=1", PQ_LOSS_SAMPLED});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(causality),
        cmocka_unit_test(users_do_not_mix),
        cmocka_unit_test(positions_count_from_the_newest),
        cmocka_unit_test(history_of_one),
        cmocka_unit_test(empty_history),
        cmocka_unit_test(shares_of_behaviours),
        cmocka_unit_test(refused),
        cmocka_unit_test(warm_steps_do_not_allocate),
        cmocka_unit_test(short_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
