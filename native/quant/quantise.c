#include "native/quant/quantise.h"

#include <math.h>

#include "base/half.h"
#include "base/table.h"

static float largest_of(const float *values, uint32_t count) {
    float largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        float magnitude = fabsf(values[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

static float rounded_scale(float scale, bool half_scale) {
    return half_scale ? pq_half_to_float(pq_half_from_float(scale)) : scale;
}

/* A scale that was rounded down, or clips, leaves large weights beyond the limit. */
static float code_of(float weight, float scale, float limit) {
    float code = scale > 0 ? nearbyintf(weight / scale) : 0;
    code = code > limit ? limit : code;
    return code < -limit ? -limit : code;
}

void pq_quantise_rows(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                      int8_t *codes, float *scales) {
    for (uint32_t r = 0; r < row_count; r++) {
        size_t begin = (size_t)r * cols;
        scales[r] = rounded_scale(largest_of(rows + begin, cols) / 127, half_scales);
        for (uint32_t i = 0; i < cols; i++) {
            codes[begin + i] = (int8_t)code_of(rows[begin + i], scales[r], 127);
        }
    }
}

/* ---- int4 ---- */

#define INT4_LIMIT 7
#define CLIP_STEPS 16 /* scales tried: the maximum times 1, 1 - 1/32, … */
#define CLIP_PARTS 32

uint32_t pq_int4_groups(uint32_t cols) {
    return (cols + PQ_TABLE_GROUP - 1) / PQ_TABLE_GROUP;
}

static double squared_error(const float *group, uint32_t count, float scale) {
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        double miss = (double)group[i] - (double)(code_of(group[i], scale, INT4_LIMIT) * scale);
        sum += miss * miss;
    }
    return sum;
}

static float best_scale(const float *group, uint32_t count, bool half_scale) {
    const float widest = largest_of(group, count) / INT4_LIMIT;
    float best = 0;
    double least = HUGE_VAL;
    for (int step = 0; step < CLIP_STEPS; step++) {
        float clip = (float)(CLIP_PARTS - step) / CLIP_PARTS;
        float scale = rounded_scale(widest * clip, half_scale);
        double error = squared_error(group, count, scale);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

static void encode_row(const float *row, uint32_t cols, bool half_scales, uint8_t *codes,
                       float *scales) {
    for (uint32_t i = 0; i < pq_int4_bytes(cols); i++) {
        codes[i] = 8 | 8 << 4;
    }
    for (uint32_t first = 0; first < cols; first += PQ_TABLE_GROUP) {
        const uint32_t count = PQ_MIN((uint32_t)PQ_TABLE_GROUP, cols - first);
        const float scale = best_scale(row + first, count, half_scales);
        scales[first / PQ_TABLE_GROUP] = scale;
        for (uint32_t i = first; i < first + count; i++) {
            const int code = (int)code_of(row[i], scale, INT4_LIMIT) + 8;
            const uint8_t kept = i % 2 ? codes[i / 2] & 0x0f : codes[i / 2] & 0xf0;
            codes[i / 2] = (uint8_t)(kept | (i % 2 ? code << 4 : code));
        }
    }
}

void pq_int4_encode(const float *rows, uint32_t row_count, uint32_t cols, bool half_scales,
                    uint8_t *codes, float *scales) {
    for (uint32_t r = 0; r < row_count; r++) {
        encode_row(rows + (size_t)r * cols, cols, half_scales, codes + r * pq_int4_bytes(cols),
                   scales + (size_t)r * pq_int4_groups(cols));
    }
}

void pq_int4_decode(const uint8_t *codes, const float *scales, uint32_t row_count, uint32_t cols,
                    float *rows) {
    for (uint32_t r = 0; r < row_count; r++) {
        const uint8_t *line = codes + r * pq_int4_bytes(cols);
        for (uint32_t i = 0; i < cols; i++) {
            const int code = line[i / 2] >> (i % 2 * 4) & 15;
            rows[(size_t)r * cols + i] =
                (float)(code - 8) * scales[r * pq_int4_groups(cols) + i / PQ_TABLE_GROUP];
        }
    }
}

void pq_int4_round(const float *row, uint32_t cols, float *out) {
    uint8_t codes[PQ_TABLE_GROUP / 2] = {0};
    for (uint32_t first = 0; first < cols; first += PQ_TABLE_GROUP) {
        const uint32_t count = PQ_MIN((uint32_t)PQ_TABLE_GROUP, cols - first);
        float scale;
        encode_row(row + first, count, true, codes, &scale);
        pq_int4_decode(codes, &scale, 1, count, out + first);
    }
}
