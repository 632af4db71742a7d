#include "file/quantise.h"

#include "base/half.h"

#include <math.h>
#include <stddef.h>

static void quantise_row(const float *row, uint32_t cols, bool half_scale, int8_t *codes,
                         float *scale) {
    float largest = 0;
    for (uint32_t i = 0; i < cols; i++) {
        float magnitude = fabsf(row[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    *scale = largest / 127;
    if (half_scale) {
        *scale = pq_half_to_float(pq_half_from_float(*scale));
    }
    for (uint32_t i = 0; i < cols; i++) {
        float code = *scale > 0 ? nearbyintf(row[i] / *scale) : 0;
        /* A scale that was rounded down leaves the largest weight beyond 127. */
        code = code > 127 ? 127 : code;
        code = code < -127 ? -127 : code;
        codes[i] = (int8_t)code;
    }
}

void pq_quantise_rows(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                      int8_t *codes, float *scales) {
    for (uint32_t r = 0; r < row_count; r++) {
        size_t begin = (size_t)r * cols;
        quantise_row(rows + begin, cols, half_scales, codes + begin, &scales[r]);
    }
}
