/* check_gelu.c — GELU against x erfc(-x / sqrt 2) / 2 in double, and the check of kernels that add a
 * slope. */
#include "kernel_checks.h"

#define MOST 67

static double below(double x) { /* Phi */
    return 0.5 * erfc(-x * 0.70710678118654752);
}

static double exact_gelu(double x) {
    return x < -1000 ? 0 : x * below(x);
}

double reference_gelu_slope(double x) {
    return fabs(x) > 1000 ? x > 0 : below(x) + x * exp(-0.5 * x * x) * 0.39894228040143268;
}

/* What the row promises, and that tails below zero stay good to 5e-6 of themselves. */
static void expect_gelu(const subject *s, pq_kernel_map *kernel, float x) {
    float y = -7;
    kernel(&x, &y, 1);
    double exact = exact_gelu((double)x), size = PQ_MAX(1, fabs((double)x));
    expect_near(s, y, exact, 2e-7 * size, 1);
    if (exact < -1e-30) {
        expect_near(s, y, exact, 5e-6 * -exact, 1);
    }
}

void reference_gelu(const subject *s, pq_kernel_map *kernel) {
    static const float far[] = {0, 1e-42f, 15, 16, 1e10f, FLT_MAX, HUGE_VALF};
    for (double at = -20; at < 20; at += 0.000731) {
        expect_gelu(s, kernel, (float)at);
    }
    for (float small = 1; small > 1e-30f; small *= 0.9f) {
        float both[2] = {small, -small}, y[2];
        kernel(both, y, 2); /* here it is nearly x / 2 */
        for (size_t i = 0; i < 2; i++) {
            double exact = exact_gelu((double)both[i]);
            expect_near(s, y[i], exact, 5e-7 * fabs(exact), 2);
        }
    }
    for (size_t i = 0; i < PQ_COUNT(far); i++) {
        expect_gelu(s, kernel, far[i]);
        expect_gelu(s, kernel, -far[i]);
    }
    float nan = NAN, y = 0;
    kernel(&nan, &y, 1);
    assert_true(isnan(y));
}

void check_slope(const subject *s, pq_kernel_slope *kernel, pq_kernel_slope *scalar,
                 slope_reference *reference) {
    for (double at = -20; at < 20; at += 0.000731) {
        float x = (float)at, g = 1, dx = 0;
        kernel(&x, &g, &dx, 1);
        expect_near(s, dx, reference((double)x), 4e-7, 1);
    }
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, n % 4, 40), g = array_random(n, (n + 1) % 4, 41);
        array old = array_random(n, 0, 42), dx = array_copy(&old, n, (n + 3) % 4);
        array other = array_copy(&old, n, 0);
        if (n > 5) {
            x.x[n - 1] = NAN;
            x.x[n - 3] = -HUGE_VALF;
            x.x[n - 4] = HUGE_VALF;
        }
        kernel(x.x, g.x, dx.x, n);
        scalar(x.x, g.x, other.x, n);
        for (size_t i = 0; i < n; i++) {
            double scale = fabs((double)g.x[i]) + fabs((double)old.x[i]);
            double exact = (double)old.x[i] + (double)g.x[i] * reference((double)x.x[i]);
            expect_near(s, dx.x[i], exact, 6e-7 * scale, n);
            expect_near(s, dx.x[i], other.x[i], s->tolerance * scale, n);
        }
        array_free(&x);
        array_free(&g);
        array_free(&old);
        array_free(&dx);
        array_free(&other);
    }
}
