/* quantise.h — int8 rows with one scale each: w ≈ scale * q, q in -127..127, scale = max|w| / 127. */
#ifndef PQ_QUANTISE_H
#define PQ_QUANTISE_H

#include <stdbool.h>
#include <stdint.h>

/* rows [rows, cols] -> codes [rows, cols], scales [rows]. An all-zero row gets scale 0. Rounds to
 * nearest, ties to even. half_scales: scales are numbers that F16 holds exactly, and codes are made for
 * those. */
void pq_quantise_rows(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                      int8_t *codes, float *scales);

#endif
