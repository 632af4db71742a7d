/* number.h — the number type of the graph, and elementary functions that give the same bits on every
 * machine (the C library's differ between versions and processors).
 *
 * PQ_REAL_DOUBLE builds the graph in double, for the gradient tests. */
#ifndef PQ_NUMBER_H
#define PQ_NUMBER_H

#include <stdint.h>

#ifdef PQ_REAL_DOUBLE
typedef double pq_real;
#else
typedef float pq_real;
#endif

double pq_exp(double x);
double pq_log(double x); /* x <= 0: -infinity or NaN as in IEEE 754 */
double pq_cos(double x); /* |x| <= 2 pi */
double pq_sqrt(double x);
double pq_pow(double x, double y); /* x >= 0 */

/* Index of the highest set bit; x > 0. */
static inline uint32_t pq_log2_floor(uint32_t x) {
    uint32_t bit = 0;
    while (x >>= 1) {
        bit++;
    }
    return bit;
}

#endif
