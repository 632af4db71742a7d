#include "native/quant/cholesky.h"

#include <math.h>
#include <stddef.h>

bool pq_cholesky(double *a, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        double *row = a + (size_t)i * n;
        for (uint32_t j = 0; j <= i; j++) {
            const double *other = a + (size_t)j * n;
            double sum = row[j];
            for (uint32_t k = 0; k < j; k++) {
                sum -= row[k] * other[k];
            }
            if (j < i) {
                row[j] = sum / other[j];
            } else if (sum > 0) {
                row[i] = sqrt(sum);
            } else {
                return false; /* also when it is no number */
            }
        }
        for (uint32_t j = i + 1; j < n; j++) {
            row[j] = 0;
        }
    }
    return true;
}

void pq_solve_lower(const double *l, uint32_t n, double *x) {
    for (uint32_t i = 0; i < n; i++) {
        double sum = x[i];
        for (uint32_t k = 0; k < i; k++) {
            sum -= l[(size_t)i * n + k] * x[k];
        }
        x[i] = sum / l[(size_t)i * n + i];
    }
}

void pq_solve_upper(const double *l, uint32_t n, double *x) {
    for (uint32_t i = n; i-- > 0;) {
        double sum = x[i];
        for (uint32_t k = i + 1; k < n; k++) {
            sum -= l[(size_t)k * n + i] * x[k];
        }
        x[i] = sum / l[(size_t)i * n + i];
    }
}
