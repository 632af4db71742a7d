/* half.h — IEEE 754 half precision (F16), as files store it. */
#ifndef PQ_HALF_H
#define PQ_HALF_H

#include <stdint.h>

#define PQ_HALF_MAX 65504.0f
#define PQ_HALF_MIN_NORMAL 6.103515625e-05f

float pq_half_to_float(uint16_t half);
/* Rounds to nearest, ties to even; too large becomes infinite, NaN stays NaN. */
uint16_t pq_half_from_float(float value);

#endif
