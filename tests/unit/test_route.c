/* test_route.c — values of squash and of behaviour-to-interest routing: the worked example of MIND with
 * two behaviours and two interests, and what must hold for any input. */
#include "tests/unit/testing.h"

#include "graph/ops.h"

#include <math.h>

#define TOLERANCE 2e-6

typedef struct {
    testing t;
    pq_tape tape;
    uint32_t starts[3];
    pq_segments segments;
    uint32_t live[2];
    pq_real u[8 * 12], logits[8 * 4];
    uint32_t d;
    pq_route args;
} bench;

/* One segment of `length` behaviours with u and logits N(0, 1). */
static void bench_open(bench *r, uint32_t length, uint32_t interests, uint32_t d) {
    *r = (bench){.starts = {0, length, length}, .d = d, .live = {interests, interests}};
    testing_open(&r->t);
    r->t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&r->tape, &r->t.ctx);
    r->segments = (pq_segments){r->starts, 1};
    pq_rng rng = pq_rng_make(5, length, interests);
    for (size_t i = 0; i < PQ_COUNT(r->u); i++) {
        r->u[i] = (pq_real)pq_rng_normal(&rng);
    }
    for (size_t i = 0; i < PQ_COUNT(r->logits); i++) {
        r->logits[i] = (pq_real)pq_rng_normal(&rng);
    }
    r->args = (pq_route){.segments = &r->segments,
                         .live = r->live,
                         .logits = r->logits,
                         .interests = interests,
                         .rounds = 3,
                         .epsilon = 1e-9};
}

static void bench_close(bench *r) {
    pq_tape_free(&r->tape);
    testing_close(&r->t);
}

/* Capsules (B * K, D), valid until the next call. */
static const pq_real *capsules(bench *r) {
    pq_tape_begin(&r->tape, NULL, false, (pq_rng){0});
    uint32_t rows = r->starts[r->segments.count];
    uint32_t cols = r->args.per_interest ? r->args.interests * r->d : r->d;
    pq_var *u = pq_tape_constant(&r->tape, r->u, rows, cols);
    pq_var *y = pq_op_route(&r->tape, u, &r->args);
    assert_ok(&r->t.ctx, r->tape.status);
    assert_int_equal(y->rows, r->segments.count * r->args.interests);
    assert_int_equal(y->cols, r->d);
    return y->value;
}

static void assert_near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance)) {
        fail_msg("%.9g instead of %.9g", got, want);
    }
}

/* |z| from |squash(z)| = q / (1 + q), q = |z|². */
static double before_squash(double length) {
    return sqrt(length / (1 - length));
}

static double length_of(const pq_real *c, uint32_t d) {
    double square = 0;
    for (uint32_t i = 0; i < d; i++) {
        square += (double)c[i] * c[i];
    }
    return sqrt(square);
}

static void squash_values(void **state) {
    (void)state;
    static const double cases[][4] = {
        {3, 4, 15.0 / 26, 20.0 / 26}, {0.3, 0.4, 0.12, 0.16}, {0, 0, 0, 0}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        bench r;
        bench_open(&r, 1, 1, 2);
        r.u[0] = (pq_real)cases[i][0];
        r.u[1] = (pq_real)cases[i][1];
        const pq_real *c = capsules(&r);
        assert_near(c[0], cases[i][2], TOLERANCE);
        assert_near(c[1], cases[i][3], TOLERANCE);
        bench_close(&r);
    }
}

/* Two behaviours (1, 0) and (0, 1): capsule k before squash is the couplings of interest k. */
static void worked_example(void **state) {
    (void)state;
    static const double couplings[] = {0.731059, 0.772772, 0.816160};
    bench r;
    bench_open(&r, 2, 2, 2);
    for (int i = 0; i < 4; i++) {
        r.u[i] = r.logits[i] = i == 0 || i == 3;
    }
    double logits[4] = {1, 0, 0, 1};
    for (uint32_t round = 1; round <= 3; round++) {
        r.args.rounds = round;
        const pq_real *c = capsules(&r);
        for (int k = 0; k < 2; k++) {
            double length = length_of(c + 2 * k, 2);
            double z = before_squash(length);
            assert_near(c[2 * k + k] / length * z, couplings[round - 1], 3e-6);
            assert_near(c[2 * k + 1 - k] / length * z, 1 - couplings[round - 1], 3e-6);
            for (int t = 0; round < 3 && t < 2; t++) {
                logits[2 * t + k] += c[2 * k + t];
            }
        }
        if (round == 3) {
            assert_near(c[0], 0.401671, TOLERANCE);
            assert_near(c[1], 0.090476, TOLERANCE);
            assert_near(c[2], 0.090476, TOLERANCE);
            assert_near(c[3], 0.401671, TOLERANCE);
        }
    }
    static const double after[] = {1.731934, 0.241388, 0.241388, 1.731934};
    for (int i = 0; i < 4; i++) {
        assert_near(logits[i], after[i], TOLERANCE);
    }
    bench_close(&r);
}

/* With behaviours that are unit vectors, capsules before squash hold the couplings one by one: for
 * each behaviour they sum to 1 over the interests that compete. */
static void couplings_sum_to_one(void **state) {
    (void)state;
    for (uint32_t routed = 0; routed <= 4; routed += 4) {
        bench r;
        bench_open(&r, 8, 4, 8);
        memset(r.u, 0, sizeof(r.u));
        for (int t = 0; t < 8; t++) {
            r.u[t * 8 + t] = 1;
        }
        r.live[0] = 3;
        r.args.routed = routed;
        const pq_real *c = capsules(&r);
        for (int t = 0; t < 8; t++) {
            double sum = 0;
            for (int k = 0; k < 3; k++) {
                double length = length_of(c + k * 8, 8);
                sum += c[k * 8 + t] / length * before_squash(length);
            }
            if (routed == 0) {
                assert_near(sum, 1, 1e-5);
            } else { /* the dead interest took its part, then vanished */
                assert_true(sum > 0.05 && sum < 0.999);
            }
        }
        for (int i = 0; i < 8; i++) {
            assert_true(c[3 * 8 + i] == 0);
        }
        bench_close(&r);
    }
}

/* The order of the behaviours is nothing to routing, when their logits go along. */
static void order_does_not_matter(void **state) {
    (void)state;
    static const uint32_t order[] = {4, 2, 0, 5, 1, 3};
    for (int per_interest = 0; per_interest < 2; per_interest++) {
        bench r;
        bench_open(&r, 6, 3, 4);
        r.args.per_interest = per_interest;
        uint32_t width = per_interest ? 12 : 4;
        pq_real kept[12], u[6 * 12], logits[6 * 3];
        memcpy(kept, capsules(&r), sizeof(kept));
        memcpy(u, r.u, sizeof(u));
        memcpy(logits, r.logits, sizeof(logits));
        for (int t = 0; t < 6; t++) {
            memcpy(r.u + t * width, u + order[t] * width, width * sizeof(*u));
            memcpy(r.logits + t * 3, logits + order[t] * 3, 3 * sizeof(*logits));
        }
        const pq_real *c = capsules(&r);
        for (int i = 0; i < 12; i++) {
            assert_near(c[i], kept[i], TOLERANCE);
        }
        bench_close(&r);
    }
}

/* A segment's capsules are the same bits alone and beside another; an empty one gives zeros. */
static void segments_do_not_mix(void **state) {
    (void)state;
    bench r;
    bench_open(&r, 5, 3, 4);
    pq_real alone[12];
    memcpy(alone, capsules(&r), sizeof(alone));
    r.starts[2] = 8;
    r.segments.count = 2;
    assert_memory_equal(capsules(&r), alone, sizeof(alone));
    r.starts[2] = 5;
    const pq_real *c = capsules(&r);
    assert_memory_equal(c, alone, sizeof(alone));
    for (int i = 12; i < 24; i++) {
        assert_true(c[i] == 0);
    }
    bench_close(&r);
}

/* One map for all interests and no noise: nothing tells the interests apart, ever. */
static void no_noise_no_difference(void **state) {
    (void)state;
    bench r;
    bench_open(&r, 7, 4, 3);
    memset(r.logits, 0, sizeof(r.logits));
    const pq_real *c = capsules(&r);
    assert_true(length_of(c, 3) > 0.01);
    for (int k = 1; k < 4; k++) {
        assert_memory_equal(c + 3 * k, c, 3 * sizeof(*c));
    }
    bench_close(&r);
}

/* A single interest takes everything whole, whatever the noise: the squash of the plain sum. */
static void one_interest(void **state) {
    (void)state;
    bench r;
    bench_open(&r, 5, 1, 4);
    double z[4] = {0}, q = 0;
    for (int i = 0; i < 20; i++) {
        z[i % 4] += r.u[i];
    }
    for (int i = 0; i < 4; i++) {
        q += z[i] * z[i];
    }
    for (uint32_t rounds = 1; rounds <= 3; rounds++) {
        r.args.rounds = rounds;
        const pq_real *c = capsules(&r);
        for (int i = 0; i < 4; i++) {
            assert_near(c[i], q / (1 + q) * z[i] / sqrt(q), TOLERANCE);
        }
    }
    bench_close(&r);
}

/* Capsules are shorter than 1 for inputs of any ordinary size. */
static void shorter_than_one(void **state) {
    (void)state;
    static const double sizes[] = {1e-6, 0.1, 1, 10};
    for (size_t i = 0; i < PQ_COUNT(sizes); i++) {
        bench r;
        bench_open(&r, 8, 4, 4);
        for (size_t j = 0; j < PQ_COUNT(r.u); j++) {
            r.u[j] *= (pq_real)sizes[i];
        }
        const pq_real *c = capsules(&r);
        for (int k = 0; k < 4; k++) {
            double length = length_of(c + 4 * k, 4);
            assert_true(length < 1 && length >= 0);
        }
        bench_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squash_values),        cmocka_unit_test(worked_example),
        cmocka_unit_test(couplings_sum_to_one), cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(segments_do_not_mix),  cmocka_unit_test(no_noise_no_difference),
        cmocka_unit_test(one_interest),         cmocka_unit_test(shorter_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
