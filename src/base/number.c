#include "base/number.h"

#include <math.h>
#include <string.h>

/* ln 2 in two parts: the first has so few bits that n * LN2_HIGH is exact for the n used here. */
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10

double pq_exp(double x) {
    if (x != x) {
        return x;
    }
    if (x > 709.78) {
        return HUGE_VAL;
    }
    if (x < -745.0) {
        return 0;
    }
    /* x = n ln 2 + r, |r| <= ln 2 / 2; the Taylor series of e^r to r^14 is exact to double. */
    double n = floor(x / (LN2_HIGH + LN2_LOW) + 0.5);
    double r = (x - n * LN2_HIGH) - n * LN2_LOW;
    double sum = 1;
    for (int i = 14; i >= 1; i--) {
        sum = 1 + sum * r / i;
    }
    return ldexp(sum, (int)n);
}

double pq_log(double x) {
    if (!(x > 0)) {
        return x == 0 ? -HUGE_VAL : NAN;
    }
    if (x == HUGE_VAL) {
        return x;
    }
    /* x = m 2^e with m in [sqrt(1/2), sqrt 2); f = m - 1 is exact. With s = f / (2 + f),
     * ln m = 2 artanh s = 2 s + s R, R = 2 (s^2 / 3 + s^4 / 5 + …), and 2 s = f - s f: the rounding of
     * s only reaches the small second term. */
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double f = m - 1;
    double s = f / (2 + f);
    double s2 = s * s;
    double sum = 0;
    for (int i = 23; i >= 3; i -= 2) {
        sum = (sum + 2.0 / i) * s2;
    }
    return e * LN2_HIGH - ((s * (f - sum) - e * LN2_LOW) - f);
}

double pq_cos(double x) {
    /* Halve twice, take the Taylor series, double the angle twice. */
    double q = x / 4;
    double q2 = q * q;
    double sum = 1;
    for (int i = 22; i >= 2; i -= 2) {
        sum = 1 - sum * q2 / (i * (i - 1));
    }
    double half = 2 * sum * sum - 1;
    return 2 * half * half - 1;
}

double pq_sqrt(double x) {
    return sqrt(x); /* exact by IEEE 754 */
}

double pq_pow(double x, double y) {
    if (x == 0) {
        return y == 0 ? 1 : y < 0 ? HUGE_VAL : 0;
    }
    return pq_exp(y * pq_log(x));
}
