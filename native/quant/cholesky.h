/* cholesky.h — systems of a symmetric positive definite matrix in double, row-major [n, n]. */
#ifndef PQ_CHOLESKY_H
#define PQ_CHOLESKY_H

#include <stdbool.h>
#include <stdint.h>

/* a = L L', of which L replaces the lower triangle and zeros the upper. false: not positive definite. */
bool pq_cholesky(double *a, uint32_t n);
/* x := L^-1 x and x := L'^-1 x for the columns of x [n, cols]. */
void pq_solve_lower(const double *l, uint32_t n, double *x, uint32_t cols);
void pq_solve_upper(const double *l, uint32_t n, double *x, uint32_t cols);

#endif
