#include "native/quant/cholesky.h"

#include <math.h>
#include <stddef.h>

/* to -= factor * from, of n numbers. */
static void take_from(double *restrict to, const double *restrict from, double factor, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        to[i] -= factor * from[i];
    }
}

static void divide(double *x, double by, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        x[i] /= by;
    }
}

/* L' in the upper triangle, line by line, each taken from those below it: no sum waits for itself. */
static bool factor_upper(double *a, uint32_t n) {
    for (uint32_t k = 0; k < n; k++) {
        double *line = a + (size_t)k * n;
        if (!(line[k] > 0)) {
            return false; /* also when it is no number */
        }
        line[k] = sqrt(line[k]);
        divide(line + k + 1, line[k], n - k - 1);
        for (uint32_t i = k + 1; i < n; i++) {
            take_from(a + (size_t)i * n + i, line + i, line[i], n - i);
        }
    }
    return true;
}

bool pq_cholesky(double *a, uint32_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            a[j * n + i] = a[i * n + j];
        }
    }
    const bool good = factor_upper(a, n);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = 0;
        }
    }
    return good;
}

void pq_solve_lower(const double *l, uint32_t n, double *x, uint32_t cols) {
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < i; k++) {
            take_from(x + (size_t)i * cols, x + (size_t)k * cols, l[(size_t)i * n + k], cols);
        }
        divide(x + (size_t)i * cols, l[(size_t)i * n + i], cols);
    }
}

void pq_solve_upper(const double *l, uint32_t n, double *x, uint32_t cols) {
    for (uint32_t i = n; i-- > 0;) {
        for (uint32_t k = i + 1; k < n; k++) {
            take_from(x + (size_t)i * cols, x + (size_t)k * cols, l[(size_t)k * n + i], cols);
        }
        divide(x + (size_t)i * cols, l[(size_t)i * n + i], cols);
    }
}
