/* decimal.h — numbers to text and back without the C library, whose versions depend on the locale and
 * differ between machines. Both directions are exact. */
#ifndef PQ_DECIMAL_H
#define PQ_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

#define PQ_DECIMAL_SIZE 32

/* The shortest text that reads back as the same double (of several, the nearest), as JavaScript
 * writes it: 0.5, 100, 1e+21, 1e-7. Terminated; returns its length. The value is finite. */
size_t pq_decimal_print(double value, char text[PQ_DECIMAL_SIZE]);

/* [+-] digits [. digits] [e [+-] digits], one digit at least before or after the point, and nothing
 * else around it. Rounds to nearest, ties to even. false when the text is not such a number or is too
 * large for a double. */
bool pq_decimal_parse(const char *text, size_t size, double *out);

#endif
