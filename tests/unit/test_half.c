/* test_half.c — half precision, exhaustively one way and against a search for the nearest half the other
 * way. The reference knows only what the format is: sign, five bits of exponent, ten of fraction. */
#include "testing.h"

#include "base/half.h"
#include "base/rng.h"

#include <math.h>

#define HALVES 65536u
#define INFINITE 0x7c00u

/* The value of a half without NaN, exact in double. */
static double value_of(uint32_t half) {
    int exponent = (int)(half >> 10 & 31);
    int fraction = (int)(half & 1023);
    double size = exponent == 0    ? ldexp(fraction, -24)
                  : exponent == 31 ? HUGE_VAL
                                   : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

static bool is_nan_half(uint32_t half) {
    return (half & 0x7fff) > INFINITE;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The half nearest to x, of two the one whose last bit is 0; 65536 stands for the infinite ones, as if
 * the exponent went on. */
static uint16_t nearest(double x) {
    uint32_t sign = signbit(x) ? 0x8000u : 0;
    double size = fabs(x);
    uint32_t low = 0,
             high = INFINITE; /* halves rise with their bits: value(low) <= size < value(high) */
    if (isinf(size)) {
        return (uint16_t)(sign | INFINITE);
    }
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (value_of(middle) <= size) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double below = size - value_of(low);
    double above = (high == INFINITE ? 65536.0 : value_of(high)) - size;
    bool up = above < below || (above == below && low % 2 == 1);
    return (uint16_t)(sign | (up ? high : low));
}

static void check_from(float x) {
    uint16_t expected = nearest(x), actual = pq_half_from_float(x);
    if (actual != expected) {
        fail_msg("%a becomes %04x, the nearest is %04x", (double)x, actual, expected);
    }
}

static void test_every_half_has_its_value(void **state) {
    (void)state;
    for (uint32_t half = 0; half < HALVES; half++) {
        float value = pq_half_to_float((uint16_t)half);
        if (is_nan_half(half)) {
            assert_true(isnan(value));
        } else {
            assert_true((double)value == value_of(half));
            assert_int_equal(signbit(value) != 0, half >> 15);
        }
    }
}

static void test_every_half_comes_back(void **state) {
    (void)state;
    for (uint32_t half = 0; half < HALVES; half++) {
        uint16_t again = pq_half_from_float(pq_half_to_float((uint16_t)half));
        if (is_nan_half(half)) {
            assert_true(is_nan_half(again));
            assert_int_equal(again >> 15, half >> 15);
        } else {
            assert_int_equal(again, half);
        }
    }
}

/* Between any two neighbours: the middle goes to the even one, and the floats beside it to their side. */
static void test_ties_go_to_even(void **state) {
    (void)state;
    for (uint32_t half = 0; half < INFINITE; half++) {
        double next = half + 1 == INFINITE ? 65536.0 : value_of(half + 1);
        float middle = (float)((value_of(half) + next) / 2);
        assert_int_equal(pq_half_from_float(middle), half % 2 ? half + 1 : half);
        assert_int_equal(pq_half_from_float(nextafterf(middle, 0)), half);
        assert_int_equal(pq_half_from_float(nextafterf(middle, HUGE_VALF)), half + 1);
        assert_int_equal(pq_half_from_float(-middle), 0x8000u | (half % 2 ? half + 1 : half));
    }
}

static void test_floats_of_every_size(void **state) {
    (void)state;
    static const float special[] = {0.0f,
                                    -0.0f,
                                    65504.0f,
                                    65519.996f,
                                    65520.0f,
                                    -65520.0f,
                                    3.4e38f,
                                    HUGE_VALF,
                                    -HUGE_VALF,
                                    1e-45f,
                                    2.9802322e-8f /* half the least */,
                                    2.9802326e-8f,
                                    6.1035156e-5f,
                                    6.1035152e-5f};
    for (size_t i = 0; i < PQ_COUNT(special); i++) {
        check_from(special[i]);
    }
    pq_rng rng = pq_rng_make(1, 2, 3);
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        for (int i = 0; i < 400; i++) {
            uint32_t random = (uint32_t)pq_rng_next(&rng);
            check_from(float_of((random & 0x807fffffu) | exponent << 23));
        }
    }
    assert_true(
        is_nan_half(pq_half_from_float(float_of(0x7f800001u)))); /* a NaN of low bits alone */
    assert_true(is_nan_half(pq_half_from_float(float_of(0xffffffffu))));
}

static void test_limits_of_the_header(void **state) {
    (void)state;
    assert_true((double)PQ_HALF_MAX == value_of(INFINITE - 1));
    assert_true((double)PQ_HALF_MIN_NORMAL == value_of(0x0400));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half_has_its_value),
        cmocka_unit_test(test_every_half_comes_back),
        cmocka_unit_test(test_ties_go_to_even),
        cmocka_unit_test(test_floats_of_every_size),
        cmocka_unit_test(test_limits_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
