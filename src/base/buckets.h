/* buckets.h — numbers as codes: boundaries that rise cut the numbers into buckets, which training and the page
 * number alike. */
#ifndef PQ_BUCKETS_H
#define PQ_BUCKETS_H

#include <stdbool.h>
#include <stdint.h>

/* 1 .. count + 1: one more than there are bounds below the value. */
uint32_t pq_bucket(const float *bounds, uint32_t count, double value);
/* Whether the bounds are finite and rise strictly. */
bool pq_buckets_rise(const float *bounds, uint32_t count);

#endif
