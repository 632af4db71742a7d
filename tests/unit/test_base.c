/* test_base.c — allocation, arenas, random streams and elementary functions. */
#include "testing.h"

#include "base/arena.h"
#include "base/number.h"
#include "base/rng.h"

#include <math.h>

/* ---- context ---- */

static void test_alloc_zeroes_and_refuses_overflow(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    unsigned char *block = pq_alloc(&t.ctx, 7, 3);
    assert_non_null(block);
    for (int i = 0; i < 21; i++) {
        assert_int_equal(block[i], 0);
    }
    assert_null(pq_alloc(&t.ctx, SIZE_MAX / 2, 3));
    assert_non_null(strstr(t.ctx.error, "out of memory"));
    pq_free(&t.ctx, block);
    testing_close(&t);
}

static void test_fail_may_quote_the_message_it_replaces(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    (void)pq_fail(&t.ctx, PIQUE_DATA, "line %d", 3);
    assert_int_equal(pq_fail(&t.ctx, PIQUE_IO, "a.csv: %s", t.ctx.error), PIQUE_IO);
    assert_string_equal(t.ctx.error, "a.csv: line 3");
    char long_text[2000];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    (void)pq_fail(&t.ctx, PIQUE_DATA, "%s", long_text);
    assert_int_equal(strlen(t.ctx.error), sizeof(t.ctx.error) - 1);
}

static void test_reserve_keeps_contents(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    void *block = NULL;
    size_t capacity = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_ok(&t.ctx, pq_reserve(&t.ctx, &block, &capacity, i + 1, sizeof(uint32_t)));
        ((uint32_t *)block)[i] = i * 7;
    }
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(((uint32_t *)block)[i], i * 7);
    }
    assert_true(t.calls < 10);
    void *before = block;
    t.fail_at = 1;
    assert_failure(&t.ctx, pq_reserve(&t.ctx, &block, &capacity, 5000, 4), PIQUE_NO_MEMORY,
                   "out of memory");
    assert_ptr_equal(block, before);
    pq_free(&t.ctx, block);
    testing_close(&t);
}

/* ---- arena ---- */

static void step(pq_arena *arena, size_t scale) {
    unsigned char *before = NULL;
    for (size_t i = 1; i < 200; i++) {
        unsigned char *block = pq_arena_take(arena, i * scale, 3);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % PQ_ALIGNMENT, 0);
        assert_true(!before || *before == (unsigned char)(i - 1)); /* no overlap */
        memset(block, (int)i, i * scale * 3);
        before = block;
    }
}

/* What came before a mark stays as it is, what comes behind it uses the same memory again and again. */
static void test_arena_goes_back_to_a_mark(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_arena arena;
    pq_arena_init(&arena, &t.ctx);
    pq_arena_back(&arena, pq_arena_here(&arena)); /* of nothing */
    for (int round = 0; round < 2; round++) {     /* in several blocks, then in one */
        unsigned char *kept = pq_arena_take(&arena, 1000, 1);
        assert_non_null(kept);
        memset(kept, 7, 1000);
        const pq_arena_mark mark = pq_arena_here(&arena);
        const size_t used = arena.used;
        size_t calls = 0;
        for (int i = 0; i < 20; i++) {
            step(&arena, 40);
            pq_arena_back(&arena, mark);
            assert_int_equal(arena.used, used);
            calls = i == 2 ? t.calls : calls;
        }
        assert_int_equal(t.calls, calls);
        for (size_t i = 0; i < 1000; i++) {
            assert_int_equal(kept[i], 7);
        }
        pq_arena_reset(&arena);
    }
    pq_arena_free(&arena);
    testing_close(&t);
}

static void test_arena_allocates_nothing_after_warm_up(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_arena arena;
    pq_arena_init(&arena, &t.ctx);
    step(&arena, 40);
    assert_true(t.live > 1); /* it grew in blocks */
    pq_arena_reset(&arena);
    assert_int_equal(t.live, 1); /* and joined them */
    size_t calls = t.calls, peak = arena.peak;
    for (int i = 0; i < 10; i++) {
        step(&arena, 40);
        pq_arena_reset(&arena);
        step(&arena, 3);
        pq_arena_reset(&arena);
        assert_int_equal(arena.used, 0);
    }
    assert_int_equal(t.calls, calls);
    assert_true(arena.peak >= peak && arena.peak < peak + 64 * 200);
    pq_arena_free(&arena);
    testing_close(&t);
}

static void test_arena_survives_failures(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_arena arena;
    pq_arena_init(&arena, &t.ctx);
    assert_null(pq_arena_take(&arena, SIZE_MAX / 8, 16));
    assert_non_null(strstr(t.ctx.error, "out of memory"));
    assert_non_null(pq_arena_take(&arena, 1 << 16, 1));
    assert_non_null(pq_arena_take(&arena, 1 << 18, 1));
    t.fail_at = t.calls + 1;
    assert_null(pq_arena_take(&arena, 1 << 20, 1));
    pq_arena_reset(&arena); /* cannot join its blocks */
    assert_int_equal(t.live, 0);
    assert_null(pq_arena_take(&arena, 1, 1));
    t.fail_at = 0;
    assert_non_null(pq_arena_take(&arena, 1, 1));
    pq_arena_free(&arena);
    testing_close(&t);
}

/* ---- random numbers ---- */

/* Known answers, so that runs of different versions and machines stay comparable. */
static void test_streams_are_stable(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(1, 2, 3);
    assert_true(pq_rng_next(&rng) == UINT64_C(0xd154dcd0ec56bdad));
    assert_true(pq_rng_next(&rng) == UINT64_C(0x0ba41575bbd022da));
    rng = pq_rng_make(0, 0, 0);
    assert_true(pq_rng_next(&rng) == UINT64_C(0xa4c62257a6388d35));
    /* SplitMix64 with seed 0 begins so: the published first output. */
    assert_true(pq_mix(UINT64_C(0x9e3779b97f4a7c15)) == UINT64_C(0xe220a8397b1dcdaf));
}

static void test_streams_differ(void **state) {
    (void)state;
    uint64_t seen[81];
    int count = 0;
    for (uint64_t i = 0; i < 27; i++) {
        pq_rng rng = pq_rng_make(i / 9, i / 3 % 3, i % 3);
        for (int k = 0; k < 3; k++) {
            seen[count] = pq_rng_next(&rng);
            for (int j = 0; j < count; j++) {
                assert_true(seen[j] != seen[count]);
            }
            count++;
        }
    }
}

static void test_uniform_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    double sum = 0, squares = 0, neighbours = 0, before = 0;
    pq_rng rng = pq_rng_make(5, 0, 0);
    for (int i = 0; i < N; i++) {
        double x = pq_rng_uniform(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
        neighbours += (x - .5) * before;
        before = x - .5;
    }
    /* Five standard errors. */
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(fabs(neighbours / N) < 5 * (1.0 / 12) / sqrt(N));
}

static void test_normal_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    double sum = 0, squares = 0, fourth = 0, inside = 0;
    pq_rng rng = pq_rng_make(6, 0, 0);
    for (int i = 0; i < N; i++) {
        double x = pq_rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
        inside += fabs(x) < 1;
        double cut = pq_rng_truncated_normal(&rng);
        assert_true(cut >= -2 && cut <= 2);
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(fourth / N - 3) < 5 * sqrt(96.0 / N));
    assert_true(fabs(inside / N - 0.682689) < 5 * sqrt(0.2166 / N));
}

static void test_below_has_no_bias(void **state) {
    (void)state;
    /* Without redrawing, every third number below 3 * 2^30 comes twice as often. */
    const uint32_t ends[] = {1, 2, 3, 7, 10, 3u << 30, UINT32_MAX};
    enum { N = 60000 };
    for (size_t e = 0; e < PQ_COUNT(ends); e++) {
        pq_rng rng = pq_rng_make(7, e, 0);
        uint32_t bins = ends[e] < 10 ? ends[e] : 3;
        double counts[10] = {0}, chi_square = 0;
        for (int i = 0; i < N; i++) {
            uint32_t x = pq_rng_below(&rng, ends[e]);
            assert_true(x < ends[e]);
            counts[x % bins]++;
        }
        for (uint32_t b = 0; b < bins; b++) {
            uint32_t members = (ends[e] - b - 1) / bins + 1;
            double expected = (double)N * members / ends[e];
            chi_square += (counts[b] - expected) * (counts[b] - expected) / expected;
        }
        assert_true(chi_square < 30); /* at most 6 degrees of freedom: p < 1e-4 */
    }
}

/* ---- elementary functions ---- */

static double ulps(double a, double b) {
    return fabs(a - b) / (nextafter(fabs(b), HUGE_VAL) - fabs(b));
}

static void test_exp_against_libm(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(8, 0, 0);
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        double x = (pq_rng_uniform(&rng) * 2 - 1) * (i % 2 ? 700 : 2);
        worst = fmax(worst, ulps(pq_exp(x), exp(x)));
    }
    assert_true(worst <= 2);
    assert_true(pq_exp(0) == 1);
    assert_true(pq_exp(-HUGE_VAL) == 0 && pq_exp(-1000) == 0);
    assert_true(pq_exp(HUGE_VAL) == HUGE_VAL && pq_exp(710) == HUGE_VAL);
    assert_true(ulps(pq_exp(709.7), exp(709.7)) <= 2);
    assert_true(ulps(pq_exp(-744), exp(-744)) <= 1); /* subnormal */
    assert_true(isnan(pq_exp(NAN)));
}

static void test_log_against_libm(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(9, 0, 0);
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        double u = pq_rng_uniform(&rng);
        double x = i % 2 ? ldexp(u + 0.5, (int)pq_rng_below(&rng, 2000) - 1000) : 0.5 + u;
        worst = fmax(worst, ulps(pq_log(x), log(x)));
    }
    assert_true(worst <= 2);
    assert_true(pq_log(1) == 0);
    assert_true(ulps(pq_log(5e-324), log(5e-324)) <= 1);
    assert_true(pq_log(0) == -HUGE_VAL && pq_log(HUGE_VAL) == HUGE_VAL);
    assert_true(isnan(pq_log(-1)) && isnan(pq_log(NAN)));
}

static void test_cos_and_pow_against_libm(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(10, 0, 0);
    double worst_cos = 0, worst_pow = 0;
    for (int i = 0; i < 100000; i++) {
        double x = (pq_rng_uniform(&rng) * 2 - 1) * 6.283185307179586;
        worst_cos = fmax(worst_cos, fabs(pq_cos(x) - cos(x)));
        double base = pq_rng_uniform(&rng), power = pq_rng_uniform(&rng) * 8;
        worst_pow = fmax(worst_pow, fabs(pq_pow(base, power) / pow(base, power) - 1));
    }
    assert_true(worst_cos <= 2e-15);
    assert_true(worst_pow <= 1e-14);
    assert_true(pq_pow(0, 0) == 1 && pq_pow(0, 2) == 0 && pq_pow(3, 0) == 1);
    assert_true(pq_pow(0, -1) == HUGE_VAL);
}

static void test_log2_floor(void **state) {
    (void)state;
    for (uint32_t bit = 0; bit < 32; bit++) {
        assert_int_equal(pq_log2_floor((uint32_t)1 << bit), bit);
        assert_int_equal(pq_log2_floor(((uint32_t)1 << bit) | (((uint32_t)1 << bit) - 1)), bit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_zeroes_and_refuses_overflow),
        cmocka_unit_test(test_fail_may_quote_the_message_it_replaces),
        cmocka_unit_test(test_reserve_keeps_contents),
        cmocka_unit_test(test_arena_goes_back_to_a_mark),
        cmocka_unit_test(test_arena_allocates_nothing_after_warm_up),
        cmocka_unit_test(test_arena_survives_failures),
        cmocka_unit_test(test_streams_are_stable),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_uniform_moments),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_below_has_no_bias),
        cmocka_unit_test(test_exp_against_libm),
        cmocka_unit_test(test_log_against_libm),
        cmocka_unit_test(test_cos_and_pow_against_libm),
        cmocka_unit_test(test_log2_floor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
