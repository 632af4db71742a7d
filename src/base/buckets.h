/* buckets.h — numbers as codes, which training and the page make alike: boundaries cut the numbers into buckets, or
 * landmarks map them to quantiles. */
#ifndef PQ_BUCKETS_H
#define PQ_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* 1 .. count + 1: one more than there are bounds below the value. */
uint32_t pq_bucket(const float *bounds, uint32_t count, double value);
/* Whether the bounds are finite and rise strictly; `equal`: or stay. */
bool pq_buckets_rise(const float *bounds, uint32_t count, bool equal);

/* Landmarks [count], count > 0, are the quantiles 0, 1 / (count - 1), …, 1 of the training values, and may repeat. The
 * value's place among them, from 0 to 1: linear between two landmarks, the mean of those that equal the value, 0 and 1
 * up to the first and from the last on; 0 of all values when the landmarks are one number. */
float pq_quantile(const float *landmarks, uint32_t count, double value);

/* Quantiles as codes. A column of quantiles has one vector, row 1 of its table, which counts as often as the quantile
 * says, beside PAD, row 0, and UNKNOWN, row 2; a code is 0 (PAD), 1 + the bits of a float from 0 to 1, or UNKNOWN. */
#define PQ_QUANTILE_CODES 0x3f800003U
uint32_t pq_quantile_code(float quantile);
/* The row of a code, and how often it counts. */
uint32_t pq_quantile_row(uint32_t code, float *times);

/* The numbers of a vector have codes too: the bits of a float. */
static inline float pq_number_of_code(uint32_t code) {
    float number;
    memcpy(&number, &code, sizeof(number));
    return number;
}
static inline uint32_t pq_number_code(float number) {
    uint32_t code;
    memcpy(&code, &number, sizeof(code));
    return code;
}

#endif
