/* check_gemm.c — checks of the matrix products: sizes around the edges of tiles and panels, leading
 * dimensions beyond the widths. */
#include "kernel_checks.h"

const gemm_form reference_gemm_nn = {false, false};
const gemm_form reference_gemm_nt = {false, true};
const gemm_form reference_gemm_tn = {true, false};

static double gemm_exact(const gemm_form *form, const pq_gemm_args *g, size_t i, size_t j,
                         double *scale) {
    double sum = 0;
    *scale = 0;
    for (size_t p = 0; p < g->k; p++) {
        double a = form->a_turned ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
        double b = form->b_turned ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
        if (g->scale) {
            const double added = (double)g->scale[p] * (double)g->more[p * g->ldb + j];
            *scale += fabs(a * b);
            b += added;
        }
        sum += a * b;
        *scale += fabs(a * b);
    }
    return sum;
}

/* Elements from the first of a matrix to its last. */
static size_t spanned(size_t rows, size_t cols, size_t ld) {
    return rows == 0 || cols == 0 ? 0 : (rows - 1) * ld + cols;
}

/* What a check adds to the plain product. */
typedef enum { PLAIN, START, MORE } gemm_extra;

static void check_gemm_once(const subject *s, pq_kernel_gemm *kernel, pq_kernel_gemm *scalar,
                            const gemm_form *form, pq_gemm_args g, gemm_extra extra) {
    const size_t a_rows = form->a_turned ? g.k : g.m, a_cols = form->a_turned ? g.m : g.k;
    const size_t b_rows = form->b_turned ? g.n : g.k, b_cols = form->b_turned ? g.k : g.n;
    g.lda = (uint32_t)a_cols + 3;
    g.ldb = (uint32_t)b_cols + 1;
    g.ldc = g.n + 2;
    const size_t c_size = spanned(g.m, g.n, g.ldc);
    array a = array_random(spanned(a_rows, a_cols, g.lda), 1, 20);
    array b = array_random(spanned(b_rows, b_cols, g.ldb), 2, 21);
    array c = array_random(c_size, 3, 22);
    array other = array_copy(&c, c_size, 0), old = array_copy(&c, c_size, 0);
    array first = array_random(g.n, 0, 23);
    array more = array_random(spanned(b_rows, b_cols, g.ldb), 2, 24);
    array factors = array_random(g.k, 1, 25);
    g.start = extra != PLAIN ? first.x : NULL;
    if (extra == MORE) {
        g.more = more.x;
        g.scale = factors.x;
    }
    g.a = a.x;
    g.b = b.x;
    g.c = other.x;
    scalar(&g);
    g.c = c.x;
    kernel(&g);
    for (size_t at = 0; at < c_size; at++) {
        const size_t i = at / g.ldc, j = at % g.ldc;
        if (j >= g.n) { /* beside the matrix */
            expect_same(s, &c.x[at], &old.x[at], 1);
            continue;
        }
        double scale, exact = gemm_exact(form, &g, i, j, &scale);
        if (g.accumulate || g.start) {
            const double before = (double)(g.start ? first.x[j] : old.x[at]);
            exact += before;
            scale += fabs(before);
        }
        expect_near(s, c.x[at], exact, 2e-6 * scale, g.k);
        expect_near(s, c.x[at], other.x[at], s->tolerance * scale, g.k);
    }
    array_free(&a);
    array_free(&b);
    array_free(&c);
    array_free(&other);
    array_free(&old);
    array_free(&first);
    array_free(&more);
    array_free(&factors);
}

/* A row of C is the same bits whatever rows stand beside it, and keeps its NaN to itself. */
static void check_gemm_rows(const subject *s, pq_kernel_gemm *kernel, const gemm_form *form) {
    enum { M = 17, N = 19, K = 300, BAD = 13 };
    array a = array_random((size_t)M * K, 0, 30), b = array_random((size_t)N * K, 0, 31);
    array all = array_make((size_t)M * N, 0);
    a.x[form->a_turned ? 5 * M + BAD : BAD * K + 5] = NAN;
    pq_gemm_args g = {.m = M, .n = N, .k = K, .a = a.x, .b = b.x, .c = all.x};
    g.lda = form->a_turned ? M : K;
    g.ldb = form->b_turned ? K : N;
    g.ldc = N;
    kernel(&g);
    for (size_t i = 0; i < M; i++) {
        float row[N];
        g.m = 1;
        g.a = a.x + i * (form->a_turned ? 1 : K);
        g.c = row;
        kernel(&g);
        for (size_t j = 0; j < N; j++) {
            assert_int_equal(isnan(row[j]) != 0, i == BAD);
            assert_int_equal(isnan(all.x[i * N + j]) != 0, i == BAD);
        }
        if (i != BAD) {
            expect_same(s, row, all.x + i * N, N);
        }
    }
    array_free(&a);
    array_free(&b);
    array_free(&all);
}

void check_gemm(const subject *s, pq_kernel_gemm *kernel, pq_kernel_gemm *scalar, gemm_form form) {
    static const uint32_t rows[] = {0, 1, 4, 5, 6, 7, 50}, cols[] = {0, 1, 7, 8, 16, 17, 31, 70};
    static const uint32_t depths[] = {0, 1, 7, 8, 9, 64, 257, 600};
    for (size_t i = 0; i < PQ_COUNT(rows); i++) {
        for (size_t j = 0; j < PQ_COUNT(cols); j++) {
            for (size_t p = 0; p < PQ_COUNT(depths); p++) {
                pq_gemm_args g = {.m = rows[i], .n = cols[j], .k = depths[p]};
                check_gemm_once(s, kernel, scalar, &form, g, PLAIN);
                check_gemm_once(s, kernel, scalar, &form, g, START);
                if (!form.b_turned) {
                    check_gemm_once(s, kernel, scalar, &form, g, MORE);
                }
                g.accumulate = true;
                check_gemm_once(s, kernel, scalar, &form, g, PLAIN);
            }
        }
    }
    /* Wider than what is packed at a time, even at this depth. */
    const pq_gemm_args wide = {.m = 3, .n = 9001, .k = 2};
    check_gemm_once(s, kernel, scalar, &form, wide, PLAIN);
    check_gemm_once(s, kernel, scalar, &form, wide, START);
    check_gemm_rows(s, kernel, &form);
}
