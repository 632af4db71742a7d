/* quantise.h — rows of floats as small whole numbers with scales: w ≈ scale * q. Codes are made for the scale
 * that is written: with half_scales scales are numbers that F16 holds exactly. Rounds to nearest, ties to even;
 * the result depends on the arguments alone. */
#ifndef PQ_QUANTISE_H
#define PQ_QUANTISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* int8: q in -127..127, one scale a row, max|w| / 127; of an all-zero row 0.
 * rows [row_count, cols] -> codes [row_count, cols], scales [row_count]. */
void pq_quantise_rows(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                      int8_t *codes, float *scales);

/* int4: q in -7..7, one scale for each group of PQ_TABLE_GROUP columns, the one of a few clipped maxima that
 * leaves the smallest squared error. Two codes a byte, as base/table.h has them. */
static inline size_t pq_int4_bytes(uint32_t cols) {
    return (cols + (size_t)1) / 2;
}
uint32_t pq_int4_groups(uint32_t cols);
/* rows [row_count, cols] -> codes [row_count, pq_int4_bytes], scales [row_count, pq_int4_groups]. */
void pq_int4_encode(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                    uint8_t *codes, float *scales);
void pq_int4_decode(const uint8_t *codes, const float *scales, uint32_t row_count, uint32_t cols,
                    float *rows);
/* One row as int4 with F16 scales would give it back: what training aware of quantisation looks at.
 * out may be row. */
void pq_int4_round(const float *row, uint32_t cols, float *out);

#endif
