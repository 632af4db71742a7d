/* check_arrays.c — checks of the kernels over arrays, at every length up to MOST. */
#include "kernel_checks.h"

#define MOST 67 /* every tail of every set, behind whole vectors */

/* ---- map ---- */

/* e^x in double is `exact`: within 2e-7, and half of the last place where that is coarser. */
static void expect_exp(const subject *s, float x, float value, double exact) {
    const double limit = 0x1.ffffffp127; /* from here on, float rounds to infinity */
    if (fabs(exact - limit) <= 3e-7 * limit) {
        return;
    }
    if (exact > limit) {
        expect_near(s, value, HUGE_VAL, 0, 1);
        return;
    }
    double tolerance = 2e-7 * exact + (exact < FLT_MIN ? 0x1p-150 : 0);
    if (!(fabs((double)value - exact) <= tolerance)) {
        fail_msg("exp in %s of %.9g: %.9g instead of %.9g", s->isa, (double)x, (double)value,
                 exact);
    }
}

void reference_exp(const subject *s, pq_kernel_map *kernel) {
    static const float special[][2] = {
        {0, 1},          {-0.0f, 1},           {1e-42f, 1},   {HUGE_VALF, HUGE_VALF},
        {-HUGE_VALF, 0}, {FLT_MAX, HUGE_VALF}, {-FLT_MAX, 0}, {-104, 0},
        {89, HUGE_VALF}};
    for (size_t i = 0; i < PQ_COUNT(special); i++) {
        float y = -1;
        kernel(&special[i][0], &y, 1);
        if (!(y == special[i][1])) {
            fail_msg("exp in %s of %g is %g", s->isa, (double)special[i][0], (double)y);
        }
    }
    float nan[2] = {NAN, -NAN}, out[2] = {0};
    kernel(nan, out, 2);
    assert_true(isnan(out[0]) && isnan(out[1]));
    /* The whole range between the ends in small, uneven steps. */
    enum { BATCH = 1000 };
    float x[BATCH], y[BATCH];
    double at = -106;
    while (at < 91) {
        for (size_t i = 0; i < BATCH; i++) {
            x[i] = (float)at;
            at += 0.000731;
        }
        kernel(x, y, BATCH);
        for (size_t i = 0; i < BATCH; i++) {
            expect_exp(s, x[i], y[i], pq_exp(x[i]));
        }
    }
    /* Towards zero, where steps of that size see nothing. */
    for (float small = 1; small > 1e-30f; small *= 0.9f) {
        float pair[2] = {small, -small};
        kernel(pair, y, 2);
        expect_exp(s, pair[0], y[0], pq_exp(pair[0]));
        expect_exp(s, pair[1], y[1], pq_exp(pair[1]));
    }
}

/* `kernel` at x is within `relative` of the function, or `absolute`. */
static void expect_function(const subject *s, pq_kernel_map *kernel, double function(double),
                            const double size[2], float x) {
    float y = -7;
    kernel(&x, &y, 1);
    double exact = function((double)x);
    if (!(fabs((double)y - exact) <= size[0] * fabs(exact) + size[1])) {
        fail_msg("%s in %s of %.9g: %.9g instead of %.9g", s->name, s->isa, (double)x, (double)y,
                 exact);
    }
}

/* Everywhere in -most..most in small, uneven steps; near zero; far out, where the ends are exact. */
static void expect_saturating(const subject *s, pq_kernel_map *kernel, double function(double),
                              const double size[2], double most) {
    for (double at = -most; at < most; at += 0.000731) {
        expect_function(s, kernel, function, size, (float)at);
    }
    for (float small = 1; small > 1e-30f; small *= 0.9f) {
        expect_function(s, kernel, function, size, small);
        expect_function(s, kernel, function, size, -small);
    }
    static const float far[] = {0, -0.0f, 1e-42f, 30, 88, 89, 104, 1e10f, FLT_MAX, HUGE_VALF};
    static const double exact[2] = {0, 0};
    for (size_t i = 0; i < PQ_COUNT(far); i++) {
        expect_function(s, kernel, function, size, far[i]);
        expect_function(s, kernel, function, size, -far[i]);
    }
    expect_function(s, kernel, function, exact, 0);
    expect_function(s, kernel, function, exact, 200);
    expect_function(s, kernel, function, exact, -1e10f);
    float nan = NAN, y = 0;
    kernel(&nan, &y, 1);
    assert_true(isnan(y));
}

static double exact_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

void reference_sigmoid(const subject *s, pq_kernel_map *kernel) {
    static const double size[2] = {2e-7, FLT_MIN};
    expect_saturating(s, kernel, exact_sigmoid, size, 95);
}

void reference_tanh(const subject *s, pq_kernel_map *kernel) {
    static const double size[2] = {2e-7, 0x1p-149};
    expect_saturating(s, kernel, tanh, size, 25);
}

void check_map(const subject *s, pq_kernel_map *kernel, pq_kernel_map *scalar,
               map_reference *reference) {
    reference(s, kernel);
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, n % 4, 1), y = array_make(n, (n + 1) % 4), z = array_make(n, 0);
        if (n > 5) {
            x.x[n - 1] = NAN; /* must stay in its lane */
            x.x[n - 3] = -HUGE_VALF;
        }
        kernel(x.x, y.x, n);
        scalar(x.x, z.x, n);
        for (size_t i = 0; i < n; i++) {
            expect_near(s, y.x[i], z.x[i], s->tolerance * fabs((double)z.x[i]), n);
            float alone;
            kernel(x.x + i, &alone, 1);
            expect_same(s, y.x + i, &alone, 1); /* wherever the element stands */
        }
        kernel(x.x, x.x, n);
        expect_same(s, x.x, y.x, n);
        array_free(&x);
        array_free(&y);
        array_free(&z);
    }
}

/* ---- reductions ---- */

double reference_sum(const float *x, size_t n, double *scale) {
    double sum = 0;
    *scale = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
        *scale += fabs((double)x[i]);
    }
    return sum;
}

double reference_max(const float *x, size_t n, double *scale) {
    double largest = -HUGE_VAL;
    *scale = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i])) {
            return NAN;
        }
        largest = fmax(largest, (double)x[i]);
    }
    return largest;
}

static void check_reduce_once(const subject *s, pq_kernel_reduce *kernel, pq_kernel_reduce *scalar,
                              reduce_reference *reference, const array *x, size_t n) {
    double scale;
    const double exact = reference(x->x, n, &scale);
    scale = isfinite(scale) ? scale : 0;
    expect_near(s, kernel(x->x, n), exact, 1e-6 * scale, n);
    expect_near(s, kernel(x->x, n), scalar(x->x, n), s->tolerance * scale, n);
}

void check_reduce(const subject *s, pq_kernel_reduce *kernel, pq_kernel_reduce *scalar,
                  reduce_reference *reference) {
    static const float special[] = {NAN, HUGE_VALF, -HUGE_VALF};
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, n % 4, 2);
        check_reduce_once(s, kernel, scalar, reference, &x, n);
        for (size_t i = 0; i < n; i++) {
            x.x[i] = -fabsf(x.x[i]) - 1; /* zeros beside the array would be the largest */
        }
        check_reduce_once(s, kernel, scalar, reference, &x, n);
        for (size_t i = 0; i < n; i++) {
            const float kept = x.x[i];
            for (size_t c = 0; c < PQ_COUNT(special); c++) {
                x.x[i] = special[c];
                check_reduce_once(s, kernel, scalar, reference, &x, n);
            }
            x.x[i] = kept;
        }
        array_free(&x);
    }
}

double reference_dot(const float *x, const float *y, size_t n, double *scale) {
    double sum = 0;
    *scale = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * (double)y[i];
        *scale += fabs((double)x[i] * (double)y[i]);
    }
    return sum;
}

void check_reduce2(const subject *s, pq_kernel_reduce2 *kernel, pq_kernel_reduce2 *scalar,
                   reduce2_reference *reference) {
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, n % 4, 3), y = array_random(n, (n + 1) % 4, 4);
        double scale;
        const double exact = reference(x.x, y.x, n, &scale);
        expect_near(s, kernel(x.x, y.x, n), exact, 1e-6 * scale, n);
        expect_near(s, kernel(x.x, y.x, n), scalar(x.x, y.x, n), s->tolerance * scale, n);
        array moved_x = array_copy(&x, n, 3), moved_y = array_copy(&y, n, 2);
        float here = kernel(x.x, y.x, n), there = kernel(moved_x.x, moved_y.x, n);
        expect_same(s, &here, &there, 1); /* the order does not depend on the address */
        if (n > 0) {
            x.x[n - 1] = NAN;
            assert_true(isnan(kernel(x.x, y.x, n)));
        }
        array_free(&x);
        array_free(&y);
        array_free(&moved_x);
        array_free(&moved_y);
    }
}

/* ---- axpy ---- */

double reference_axpy(double a, double x, double y) {
    return y + a * x;
}

void check_axpy(const subject *s, pq_kernel_axpy *kernel, pq_kernel_axpy *scalar,
                axpy_reference *reference) {
    const float a = -0.7f;
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, n % 4, 5), y = array_random(n, (n + 1) % 4, 6);
        array z = array_copy(&y, n, 0), before = array_copy(&y, n, 1);
        kernel(a, x.x, y.x, n);
        scalar(a, x.x, z.x, n);
        for (size_t i = 0; i < n; i++) {
            double exact = reference(a, x.x[i], before.x[i]);
            double scale = fabs((double)before.x[i]) + fabs((double)(a * x.x[i]));
            expect_near(s, y.x[i], exact, 2e-7 * scale, n);
            expect_near(s, y.x[i], z.x[i], s->tolerance * scale, n);
        }
        array same = array_copy(&x, n, 2);
        kernel(a, same.x, same.x, n);
        for (size_t i = 0; i < n; i++) {
            double exact = reference(a, x.x[i], x.x[i]);
            expect_near(s, same.x[i], exact, 4e-7 * fabs((double)x.x[i]), n);
        }
        array_free(&same);
        array_free(&x);
        array_free(&y);
        array_free(&z);
        array_free(&before);
    }
}

/* ---- softmax ---- */

double reference_softmax(const float *x, double *y, size_t n) {
    double scale, sum = 0;
    const double largest = reference_max(x, n, &scale);
    for (size_t i = 0; i < n; i++) {
        y[i] = largest == -HUGE_VAL ? 0 : exp((double)x[i] - largest);
        sum += y[i];
    }
    for (size_t i = 0; i < n && sum != 0; i++) {
        y[i] /= sum;
    }
    return largest == -HUGE_VAL ? largest : largest + log(sum);
}

static void check_softmax_once(const subject *s, pq_kernel_softmax *kernel,
                               pq_kernel_softmax *scalar, softmax_reference *reference,
                               const array *x, size_t n) {
    double exact[MOST];
    array y = array_make(n, n % 4), z = array_make(n, 0);
    const double lse = reference(x->x, exact, n);
    const double near_lse = kernel(x->x, y.x, n);
    expect_near(s, near_lse, lse, 1e-6 * fabs(lse) + 1e-6, n);
    expect_near(s, near_lse, scalar(x->x, z.x, n), s->tolerance * (1 + fabs(lse)), n);
    for (size_t i = 0; i < n; i++) {
        expect_near(s, y.x[i], exact[i], 1e-6 * exact[i] + 0x1p-149, n);
        expect_near(s, y.x[i], z.x[i], s->tolerance * exact[i] + 0x1p-149, n);
    }
    array in_place = array_copy(x, n, (n + 3) % 4);
    kernel(in_place.x, in_place.x, n);
    expect_same(s, in_place.x, y.x, n);
    array_free(&y);
    array_free(&z);
    array_free(&in_place);
}

void check_softmax(const subject *s, pq_kernel_softmax *kernel, pq_kernel_softmax *scalar,
                   softmax_reference *reference) {
    for (size_t n = 0; n <= MOST; n++) {
        array x = array_random(n, (n + 2) % 4, 7);
        for (size_t i = 0; i < n; i++) {
            /* e^x alone would be infinite, or zero. */
            x.x[i] = 3 * x.x[i] + (n % 2 == 0 ? 200.0f : -200.0f);
        }
        check_softmax_once(s, kernel, scalar, reference, &x, n);
        for (size_t i = n; i-- > 0;) {
            x.x[i] = -HUGE_VALF; /* more and more without mass, at last all */
            check_softmax_once(s, kernel, scalar, reference, &x, n);
        }
        if (n > 0) {
            float y[MOST];
            x.x[n / 2] = NAN;
            assert_true(isnan(kernel(x.x, y, n)));
            assert_true(isnan(y[0]) && isnan(y[n - 1]));
        }
        array_free(&x);
    }
}

/* ---- Adam ---- */

void reference_adam(const pq_adam_args *a, double *w, double *m, double *v, double g) {
    g = g * (double)a->grad_scale + (double)a->l2 * *w;
    *m = (double)a->beta1 * *m + (1 - (double)a->beta1) * g;
    *v = (double)a->beta2 * *v + (1 - (double)a->beta2) * g * g;
    *w -= (double)a->decay * *w;
    *w -= (double)a->rate * *m / (sqrt(*v) * (double)a->v_scale + (double)a->epsilon);
}

void check_adam(const subject *s, pq_kernel_adam *kernel, pq_kernel_adam *scalar,
                adam_reference *reference) {
    const pq_adam_args args = {.rate = 0.01f,
                               .v_scale = 1.5f,
                               .beta1 = 0.875f,
                               .beta2 = 0.96875f,
                               .epsilon = 1e-3f,
                               .decay = 0.02f,
                               .grad_scale = 0.3f,
                               .l2 = 0.07f};
    enum { W, M, V, G, PARTS };
    for (size_t n = 0; n <= MOST; n++) {
        array now[PARTS], other[PARTS], old[PARTS];
        for (size_t p = 0; p < PARTS; p++) {
            now[p] = array_random(n, (n + p) % 4, 8 + p);
            for (size_t i = 0; p == V && i < n; i++) {
                now[V].x[i] = fabsf(now[V].x[i]);
            }
            other[p] = array_copy(&now[p], n, 0);
            old[p] = array_copy(&now[p], n, 0);
        }
        kernel(&args, now[W].x, now[M].x, now[V].x, now[G].x, n);
        scalar(&args, other[W].x, other[M].x, other[V].x, other[G].x, n);
        for (size_t i = 0; i < n; i++) {
            double exact[3] = {old[W].x[i], old[M].x[i], old[V].x[i]};
            reference(&args, &exact[W], &exact[M], &exact[V], old[G].x[i]);
            for (size_t p = W; p < G; p++) {
                double size = 1 + fabs((double)old[p].x[i]);
                expect_near(s, now[p].x[i], exact[p], 3e-7 * size, n);
                expect_near(s, now[p].x[i], other[p].x[i], s->tolerance * size, n);
            }
        }
        expect_same(s, now[G].x, old[G].x, n);
        for (size_t p = 0; p < PARTS; p++) {
            array_free(&now[p]);
            array_free(&other[p]);
            array_free(&old[p]);
        }
    }
}
