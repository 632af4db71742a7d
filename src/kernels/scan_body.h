/* scan_body.h — scores of interleaved items (base/table.h) against interests, the largest over the
 * interests kept: one pass over the items for all interests, written on vec.h.
 *
 * Lanes are items, so every score is a sum over the dimensions in order, whatever the set; for int8
 * it is the same integer. A NaN score never wins; where all are NaN the result is -infinity. */
#ifndef PQ_SCAN_BODY_H
#define PQ_SCAN_BODY_H

#include "base/table.h"
#include "kernels/kernels.h"
#include "kernels/vec.h"

#include <math.h>

#define BLOCK_VECS (PQ_TABLE_BLOCK / VEC_WIDTH)

/* Interests whose sums are kept in registers at once. */
#ifdef PQ_ISA_SCALAR
#define SCAN_GROUP 1
#else
#define SCAN_GROUP 4
#endif

/* best = max(best, block . interest) for each of `count` interests of the width `cols`. */
VEC_INLINE void score_f32(const float *block, const float *interest, uint32_t cols, int count,
                          vec best[BLOCK_VECS]) {
    vec sum[SCAN_GROUP][BLOCK_VECS];
    for (int k = 0; k < count; k++) {
        for (int v = 0; v < BLOCK_VECS; v++) {
            sum[k][v] = vec_splat(0);
        }
    }
    for (uint32_t d = 0; d < cols; d++) {
        const float *line = block + (size_t)d * PQ_TABLE_BLOCK;
        for (int k = 0; k < count; k++) {
            vec factor = vec_splat(interest[(size_t)k * cols + d]);
            for (int v = 0; v < BLOCK_VECS; v++) {
                sum[k][v] = vec_fma(vec_load(line + v * VEC_WIDTH), factor, sum[k][v]);
            }
        }
    }
    for (int k = 0; k < count; k++) {
        for (int v = 0; v < BLOCK_VECS; v++) {
            best[v] = vec_max(best[v], sum[k][v]);
        }
    }
}

static void kernel_scan_f32(const pq_scan_f32_args *args) {
    const size_t block_size = (size_t)args->cols * PQ_TABLE_BLOCK;
    for (uint32_t b = 0; b < args->block_count; b++) {
        const float *block = args->blocks + b * block_size;
        vec best[BLOCK_VECS];
        for (int v = 0; v < BLOCK_VECS; v++) {
            best[v] = vec_splat(-HUGE_VALF);
        }
        const float *interest = args->interests;
        uint32_t left = args->interest_count;
        for (; left >= SCAN_GROUP; left -= SCAN_GROUP) {
            score_f32(block, interest, args->cols, SCAN_GROUP, best);
            interest += (size_t)SCAN_GROUP * args->cols;
        }
        if (SCAN_GROUP > 2 && left >= 2) {
            score_f32(block, interest, args->cols, 2, best);
            interest += (size_t)2 * args->cols;
            left -= 2;
        }
        if (left > 0) {
            score_f32(block, interest, args->cols, 1, best);
        }
        for (int v = 0; v < BLOCK_VECS; v++) {
            vec_store(args->out + (size_t)b * PQ_TABLE_BLOCK + v * VEC_WIDTH, best[v]);
        }
    }
}

/* best = max(best, scale * (block . interest)) for each of `count` interests of `pairs` dimension
 * pairs. */
VEC_INLINE void score_i8(const int8_t *block, const int16_t *interest, const float *scales,
                         uint32_t pairs, int count, vec best[BLOCK_VECS]) {
    sums8 sum[SCAN_GROUP];
    for (int k = 0; k < count; k++) {
        sum[k] = sums8_zero();
    }
    for (uint32_t d = 0; d < pairs; d++) {
        pairs8 line = pairs8_load(block + (size_t)d * 2 * PQ_TABLE_BLOCK);
        for (int k = 0; k < count; k++) {
            query factor = query_load(interest + ((size_t)k * pairs + d) * 2);
            sum[k] = sums8_add(sum[k], line, factor);
        }
    }
    for (int k = 0; k < count; k++) {
        vec value[BLOCK_VECS];
        sums8_floats(sum[k], value);
        for (int v = 0; v < BLOCK_VECS; v++) {
            best[v] = vec_max(best[v], vec_mul(value[v], vec_splat(scales[k])));
        }
    }
}

static void kernel_scan_i8(const pq_scan_i8_args *args) {
    const uint32_t pairs = args->cols / 2 + args->cols % 2;
    const size_t block_size = (size_t)pairs * 2 * PQ_TABLE_BLOCK;
    for (uint32_t b = 0; b < args->block_count; b++) {
        const int8_t *block = args->blocks + b * block_size;
        vec best[BLOCK_VECS];
        for (int v = 0; v < BLOCK_VECS; v++) {
            best[v] = vec_splat(-HUGE_VALF);
        }
        const int16_t *interest = args->interests;
        const float *scale = args->interest_scales;
        uint32_t left = args->interest_count;
        for (; left >= SCAN_GROUP; left -= SCAN_GROUP) {
            score_i8(block, interest, scale, pairs, SCAN_GROUP, best);
            interest += (size_t)SCAN_GROUP * pairs * 2;
            scale += SCAN_GROUP;
        }
        if (SCAN_GROUP > 2 && left >= 2) {
            score_i8(block, interest, scale, pairs, 2, best);
            interest += (size_t)2 * pairs * 2;
            scale += 2;
            left -= 2;
        }
        if (left > 0) {
            score_i8(block, interest, scale, pairs, 1, best);
        }
        for (int v = 0; v < BLOCK_VECS; v++) {
            vec_store(args->out + (size_t)b * PQ_TABLE_BLOCK + v * VEC_WIDTH, best[v]);
        }
    }
}

#endif
