/* test_mind.c — MIND as a whole, in float: how many interests, what comes out where there is nothing,
 * which input is refused, shards of a batch, and the memory of a training step. */
#include "tests/unit/mind_case.h"

#include "native/train/shards.h"

#include <math.h>

typedef struct {
    testing t;
    mind_case c;
    pq_tape tape;
    pq_grads grads;
} bench;

static void bench_open(bench *b, const char *preset, const char *settings) {
    *b = (bench){0};
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b->tape, &b->t.ctx);
    assert_ok(&b->t.ctx, mind_case_open(&b->c, &b->t.ctx, preset, settings));
    mind_case_fill(&b->c, 1, 0.7);
    assert_ok(&b->t.ctx, pq_grads_init(&b->grads, &b->t.ctx, &b->c.model.params));
}

static void bench_close(bench *b) {
    pq_grads_free(&b->grads);
    pq_tape_free(&b->tape);
    mind_case_close(&b->c);
    testing_close(&b->t);
}

/* Interests (B * K, D) of the bench's batch. */
static const pq_real *interests(bench *b, bool training, uint64_t seed, uint32_t *live) {
    pq_tape_begin(&b->tape, NULL, training, pq_rng_make(seed, 0, 0));
    pq_var *v = b->c.model.def->user(&b->tape, &b->c.model, &b->c.batch, live);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_int_equal(v->rows, b->c.batch.history.count * b->c.model.interests);
    return v->value;
}

static pique_status one_step(bench *b, double *value) {
    pq_grads_clear(&b->grads);
    pq_tape_begin(&b->tape, &b->grads, true, pq_rng_make(3, 0, 0));
    pq_var *loss = b->c.model.def->loss(&b->tape, &b->c.model, &b->c.batch);
    pique_status status = pq_tape_backward(&b->tape, loss);
    *value = status == PIQUE_OK ? loss->value[0] : 0;
    return status;
}

static bool all_finite(const pq_grads *grads) {
    for (uint32_t i = 0; i < grads->params->count; i++) {
        const pq_param *param = grads->params->list[i];
        const pq_grad *grad = &grads->list[i];
        for (uint32_t j = 0; j < pq_grad_count(grad, param) * param->cols; j++) {
            uint32_t row = pq_grad_at(grad, j / param->cols);
            if (!isfinite(pq_grad_row(grad, param, row)[j % param->cols])) {
                return false;
            }
        }
    }
    return true;
}

/* ---- interests in use ---- */

static void interest_counts(void **state) {
    (void)state;
    static const uint32_t lengths[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 20, 21};
    static const struct {
        const char *settings;
        uint32_t want[11];
    } cases[] = {
        {"history=32 interests=4 interest_count=log2", {1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4}},
        {"history=32 interests=3 interest_count=log2", {1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3}},
        {"history=32 interests=4 interest_count=log2p1", {1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4}},
        {"history=32 interests=4 interest_count=ln", {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3}},
        {"history=32 interests=4 interest_count=all", {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}},
    };
    uint32_t starts[12] = {0}, items[128], nothing[22] = {0};
    const pq_codes profile = {testing_one_each(), nothing};
    for (size_t i = 0; i < PQ_COUNT(lengths); i++) {
        starts[i + 1] = starts[i] + lengths[i];
    }
    for (size_t i = 0; i < PQ_COUNT(items); i++) {
        items[i] = (uint32_t)(1 + i % 10);
    }
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        bench b;
        bench_open(&b, "paper", cases[i].settings);
        b.c.batch.history = (pq_segments){starts, PQ_COUNT(lengths)};
        b.c.batch.items = items;
        b.c.batch.profile = &profile;
        uint32_t live[11], k = b.c.model.interests, d = b.c.model.width;
        const pq_real *v = interests(&b, false, 0, live);
        for (size_t u = 0; u < PQ_COUNT(lengths); u++) {
            assert_int_equal(live[u], cases[i].want[u]);
            for (uint32_t j = 0; j < k * d; j++) { /* not in use: exactly zero; else finite */
                pq_real value = v[u * k * d + j];
                assert_true(j / d < live[u] ? isfinite(value) : value == 0);
            }
        }
        bench_close(&b);
    }
}

static const char *const variants[] = {
    "bilinear=shared",
    "bilinear=per_interest",
    "bilinear=per_position",
    "bilinear=per_position_interest",
};

/* Serving gives the same interests always; training draws its noise from the step. */
static void noise(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        char settings[128];
        snprintf(settings, sizeof(settings), MIND_CASE_SIZES "%s", variants[i]);
        bench_open(&b, "paper", settings);
        pq_real kept[5 * 3 * 4];
        uint32_t live[5];
        memcpy(kept, interests(&b, false, 1, live), sizeof(kept));
        assert_memory_equal(interests(&b, false, 2, live), kept, sizeof(kept));
        memcpy(kept, interests(&b, true, 1, live), sizeof(kept));
        assert_memory_equal(interests(&b, true, 1, live), kept, sizeof(kept));
        bool noisy = pq_params_find(&b.c.model.params, "route.noise") != NULL;
        assert_int_equal(noisy, i == 0 || i == 2);
        bool same = memcmp(interests(&b, true, 2, live), kept, sizeof(kept)) == 0;
        assert_int_equal(same, !noisy);
        bench_close(&b);
    }
}

/* A user's interests are the same bits alone and among others. */
static void users_do_not_mix(void **state) {
    (void)state;
    static const uint32_t alone[] = {0, 7};
    for (size_t i = 0; i < PQ_COUNT(variants); i++) {
        bench b;
        char settings[128];
        snprintf(settings, sizeof(settings), MIND_CASE_SIZES "%s", variants[i]);
        bench_open(&b, "paper", settings);
        pq_real kept[3 * 4];
        uint32_t live[5];
        memcpy(kept, interests(&b, false, 1, live) + 3 * 12, sizeof(kept));
        b.c.batch.history = (pq_segments){alone, 1};
        b.c.batch.items += 6;
        const pq_codes last = {b.c.batch.profile->offsets + 6, b.c.batch.profile->values};
        b.c.batch.profile = &last;
        assert_memory_equal(interests(&b, false, 1, live), kept, sizeof(kept));
        bench_close(&b);
    }
}

/* ---- what is refused, what is borne ---- */

static void refused(void **state) {
    (void)state;
    static const uint32_t outside[] = {3, 1, 4, 1, 12, 9, 2, 6, 5, 11, 8, 10, 1, 5, 5, 2, 9};
    static const uint32_t long_starts[] = {0, 8};
    static const char *const settings[] = {MIND_CASE_SIZES,
                                           MIND_CASE_SIZES "behaviour=concat_selu"};
    uint32_t live[5];
    for (int i = 0; i < 2; i++) {
        bench b;
        bench_open(&b, "paper", settings[i]);
        const pq_model *m = &b.c.model;
        pq_batch batch = b.c.batch;
        batch.items = outside;
        pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
        assert_null(m->def->user(&b.tape, m, &batch, live));
        assert_failure(&b.t.ctx, b.tape.status, PIQUE_ARGUMENT,
                       "row 12 is outside table \"item.id\"");
        batch = b.c.batch;
        batch.history = (pq_segments){long_starts, 1};
        pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
        assert_null(m->def->user(&b.tape, m, &batch, live));
        assert_failure(&b.t.ctx, b.tape.status, PIQUE_ARGUMENT, "8 behaviours");
        bench_close(&b);
    }
}

/* No profile is the same as PAD in every field. */
static void no_profile(void **state) {
    (void)state;
    static const uint32_t nothing[10] = {0};
    const pq_codes none = {testing_one_each(), nothing};
    bench b;
    uint32_t live[5];
    pq_real kept[5 * 3 * 4];
    bench_open(&b, "paper", MIND_CASE_SIZES);
    b.c.batch.profile = &none;
    memcpy(kept, interests(&b, false, 0, live), sizeof(kept));
    b.c.batch.profile = NULL;
    assert_memory_equal(interests(&b, false, 0, live), kept, sizeof(kept));
    bench_close(&b);
}

/* Extreme but allowed options leave loss and gradients finite. */
static void extremes(void **state) {
    (void)state;
    static const char *const settings[] = {
        MIND_CASE_SIZES "output=linear fade=10 fade_spread=10 route_full=1 interest_count=all",
        MIND_CASE_SIZES "output=linear hard=0 attention_stop=0 power=100 power_kind=signed",
        MIND_CASE_SIZES "output=linear hard=0 attention_stop=0 power=100 power_kind=raw",
        MIND_CASE_SIZES "output=linear hard=0 attention_stop=0 power=100 power_kind=temperature",
        MIND_CASE_SIZES "output=none squash_epsilon=1e-30",
        MIND_CASE_SIZES "output=linear cosine=1 temperature=0.001",
    };
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench b;
        double value;
        bench_open(&b, "paper", settings[i]);
        mind_case_fill(&b.c, 2, 3);
        assert_ok(&b.t.ctx, one_step(&b, &value));
        if (!isfinite(value) || !all_finite(&b.grads)) {
            fail_msg("%s: the loss is %g, gradients %s finite", settings[i], value,
                     all_finite(&b.grads) ? "are" : "are not");
        }
        bench_close(&b);
    }
}

/* ---- shards ---- */

static void step_on(bench *b, pq_grads *grads, const pq_batch *batch, double *value) {
    pq_tape_begin(&b->tape, grads, false, (pq_rng){0});
    pq_var *loss = b->c.model.def->loss(&b->tape, &b->c.model, batch);
    assert_ok(&b->t.ctx, pq_tape_backward(&b->tape, loss));
    *value = loss->value[0];
}

/* A batch cut in two, each part on a store of its own, adds up to the whole. */
static void shards_add_up(void **state) {
    (void)state;
    static const uint32_t first[] = {0, 5, 5}, second[] = {0, 1, 8, 12};
    bench b;
    pq_grads other, whole;
    double value[3];
    bench_open(&b, "paper", MIND_CASE_SIZES "output=linear");
    const pq_params *params = &b.c.model.params;
    assert_ok(&b.t.ctx, pq_grads_init(&other, &b.t.ctx, params));
    assert_ok(&b.t.ctx, pq_grads_init(&whole, &b.t.ctx, params));
    pq_batch part[2] = {b.c.batch, b.c.batch};
    part[0].history = (pq_segments){first, 2};
    part[0].label_count = 2;
    part[1].label_count = 3;
    part[1].history = (pq_segments){second, 3};
    part[1].items += 5;
    const pq_codes rest = {b.c.batch.profile->offsets + 4, b.c.batch.profile->values};
    part[1].profile = &rest;
    part[1].targets += 2;
    part[1].target_log_q += 2;
    step_on(&b, &whole, &b.c.batch, &value[0]);
    step_on(&b, &b.grads, &part[0], &value[1]);
    step_on(&b, &other, &part[1], &value[2]);
    assert_ok(&b.t.ctx, pq_grads_sum((pq_grads *[]){&b.grads, &other}, 2, 1));
    assert_true(fabs(value[1] + value[2] - value[0]) <= 1e-6);
    for (uint32_t i = 0; i < params->count; i++) {
        const pq_param *param = params->list[i];
        for (uint32_t j = 0; !param->frozen && j < param->rows; j++) {
            const pq_real *got = pq_grad_row(&b.grads.list[i], param, j);
            const pq_real *want = pq_grad_row(&whole.list[i], param, j);
            assert_int_equal(got != NULL, want != NULL);
            for (uint32_t k = 0; got && k < param->cols; k++) {
                if (!(fabs(got[k] - want[k]) <= 1e-6 + 1e-5 * fabs(want[k]))) {
                    fail_msg("%s[%u][%u]: %g in two parts, %g whole", param->name, (unsigned)j,
                             (unsigned)k, got[k], want[k]);
                }
            }
        }
    }
    pq_grads_free(&other);
    pq_grads_free(&whole);
    bench_close(&b);
}

/* ---- memory ---- */

static void warm_steps_do_not_allocate(void **state) {
    (void)state;
    bench b;
    double value;
    bench_open(&b, "best", "dropout=0.1 route_full=1"); /* full size: several arena blocks */
    for (int i = 0; i < 5; i++) {
        assert_ok(&b.t.ctx, one_step(&b, &value));
    }
    size_t calls = b.t.calls;
    assert_true(calls > 10);
    for (int i = 0; i < 5; i++) {
        assert_ok(&b.t.ctx, one_step(&b, &value));
    }
    assert_int_equal(b.t.calls, calls);
    bench_close(&b);
}

/* Two steps and a reduction, from nothing. */
static pique_status whole_life(testing *t, void *argument) {
    mind_case c = {0};
    pq_grads grads[2] = {{0}};
    pq_tape tape;
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t->ctx);
    pique_status status;
    PQ_TRY_GOTO(status, mind_case_open(&c, &t->ctx, "paper", argument));
    for (int i = 0; i < 2; i++) {
        PQ_TRY_GOTO(status, pq_grads_init(&grads[i], &t->ctx, &c.model.params));
    }
    for (int i = 0; i < 2; i++) {
        pq_tape_begin(&tape, &grads[i], true, pq_rng_make(1, 2, 3));
        pq_var *loss = c.model.def->loss(&tape, &c.model, &c.batch);
        PQ_TRY_GOTO(status, pq_tape_backward(&tape, loss));
    }
    status = pq_grads_sum((pq_grads *[]){&grads[0], &grads[1]}, 2, 1);

done:
    for (int i = 0; i < 2; i++) {
        if (grads[i].list) {
            pq_grads_free(&grads[i]);
        }
    }
    pq_tape_free(&tape);
    mind_case_close(&c);
    return status;
}

/* Serving may run short too: never a result with the status of success. */
static pique_status serve(testing *t, void *argument) {
    mind_case c = {0};
    pq_tape tape;
    uint32_t live[5];
    t->ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t->ctx);
    pique_status status;
    PQ_TRY_GOTO(status, mind_case_open(&c, &t->ctx, "paper", argument));
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    bool got = c.model.def->user(&tape, &c.model, &c.batch, live) != NULL;
    status = tape.status;
    assert_int_equal(got, status == PIQUE_OK);

done:
    pq_tape_free(&tape);
    mind_case_close(&c);
    return status;
}

static void short_of_memory(void **state) {
    (void)state;
    testing_fail_each(whole_life, "dim=64 bilinear=per_position_interest history=7");
    testing_fail_each(whole_life, "dim=256 behaviour=concat_selu route_full=1 hard=0 dropout=0.1");
    testing_fail_each(serve, "dim=1024 interests=16 fade=0.1");
}

/* Once a take failed, smaller ones that would still fit fail too: an op can never take the NULL of a
 * failure for "not wanted" and go on to a wrong result. */
static void nothing_after_a_failure(void **state) {
    (void)state;
    testing t;
    pq_tape tape;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&tape, &t.ctx);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    assert_non_null(pq_tape_take(&tape, 1, 8));
    t.fail_at = t.calls + 1;
    assert_null(pq_tape_take(&tape, 1u << 20, 8));
    assert_null(pq_tape_take(&tape, 1, 8));
    assert_int_equal(tape.status, PIQUE_NO_MEMORY);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    assert_non_null(pq_tape_take(&tape, 1, 8));
    pq_tape_free(&tape);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interest_counts),  cmocka_unit_test(noise),
        cmocka_unit_test(users_do_not_mix), cmocka_unit_test(refused),
        cmocka_unit_test(no_profile),       cmocka_unit_test(extremes),
        cmocka_unit_test(shards_add_up),    cmocka_unit_test(warm_steps_do_not_allocate),
        cmocka_unit_test(short_of_memory),  cmocka_unit_test(nothing_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
