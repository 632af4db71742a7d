/* scan_body.h — which items of an interleaved table (base/table.h) may beat a threshold: one pass over the
 * items for all interests, nothing stored but the blocks that hold such an item. Written on vec.h and
 * scan_vec.h.
 *
 * Lanes are items. Interests are taken in groups whose sums stay in registers; the largest of their scores
 * meets the threshold there too. Blocks of which no row is wanted are not read. A NaN score is never above
 * the threshold. */
#ifndef PQ_SCAN_BODY_H
#define PQ_SCAN_BODY_H

#include "kernels/kernels.h"
#include "kernels/scan_vec.h"

#include <math.h>

/* Calls what is built for a group or for one interest, from the first to the last. */
#define EACH_GROUP(first, total, call)                                                             \
    do {                                                                                           \
        uint32_t first = 0;                                                                        \
        for (; PQ_SCAN_GROUP <= (total)-first; first += PQ_SCAN_GROUP) {                           \
            call(PQ_SCAN_GROUP);                                                                   \
        }                                                                                          \
        for (; first < (total); first++) {                                                         \
            call(1);                                                                               \
        }                                                                                          \
    } while (0)

/* How far ahead memory is asked for: the processor's own prefetching stops at every page. */
#define SCAN_AHEAD 4096

VEC_INLINE void scan_prefetch(const uint8_t *p, size_t size) {
#ifdef __wasm__
    (void)p;
    (void)size;
#else
    for (size_t i = 0; i < size; i += 64) {
        __builtin_prefetch(p + SCAN_AHEAD + i);
    }
#endif
}

/* The bits of block `block` of `rows` rows, 8 or 32; 0 where there are none. */
VEC_INLINE uint32_t rows_of(const uint8_t *bits, uint32_t block, int rows) {
    uint32_t word;
    if (!bits) {
        return 0;
    }
    if (rows == PQ_TABLE_BLOCK) {
        return bits[block];
    }
    memcpy(&word, bits + (size_t)block * sizeof(word), sizeof(word));
    return word;
}

/* Rows of one block that are wanted, as bits. */
VEC_INLINE uint32_t wanted_rows(const pq_scan_args *args, uint32_t block, int rows) {
    uint32_t out = rows_of(args->excluded, block, rows) | rows_of(args->absent, block, rows);
    return ~out & 0xffffffffu >> (32 - rows);
}

/* best = max(best, x) where x is a number. */
VEC_INLINE void keep_best(vec best[SCAN_VECS], const vec x[SCAN_VECS]) {
    for (int v = 0; v < SCAN_VECS; v++) {
        best[v] = vec_max(best[v], x[v]);
    }
}

/* The blocks from `block` on that a step takes: pointers to the first and the last of them. */
typedef struct {
    const uint8_t *a, *b;
    uint32_t block;
    uint32_t wanted; /* bits */
} scan_step;

VEC_INLINE scan_step step_at(const pq_scan_args *args, uint32_t block, size_t block_size) {
    scan_step s = {.block = block, .wanted = wanted_rows(args, block, PQ_TABLE_BLOCK)};
    s.a = (const uint8_t *)args->blocks + block * block_size;
    s.b = s.a;
    if (SCAN_BLOCKS > 1 && block + 1 < args->block_count) {
        s.b = s.a + block_size;
        s.wanted |= wanted_rows(args, block + 1, PQ_TABLE_BLOCK) << PQ_TABLE_BLOCK;
    }
    return s;
}

/* ---- floats and halves ---- */

VEC_INLINE void dots_real(const scan_step *s, bool half, const float *interest, uint32_t cols,
                          int count, vec best[SCAN_VECS]) {
    vec sum[PQ_SCAN_GROUP][SCAN_VECS];
    for (int k = 0; k < count; k++) {
        for (int v = 0; v < SCAN_VECS; v++) {
            sum[k][v] = vec_splat(0);
        }
    }
    for (uint32_t d = 0; d < cols; d++) {
        vec x[SCAN_VECS];
        const size_t at = (size_t)d * PQ_TABLE_BLOCK;
        if (half) {
            items_f16((const uint16_t *)(const void *)s->a + at,
                      (const uint16_t *)(const void *)s->b + at, x);
        } else {
            items_f32((const float *)(const void *)s->a + at,
                      (const float *)(const void *)s->b + at, x);
        }
        for (int k = 0; k < count; k++) {
            vec factor = vec_splat(interest[(size_t)k * cols + d]);
            for (int v = 0; v < SCAN_VECS; v++) {
                sum[k][v] = vec_fma(x[v], factor, sum[k][v]);
            }
        }
    }
    for (int k = 0; k < count; k++) {
        keep_best(best, sum[k]);
    }
}

/* ---- int8 and int4 ---- */

VEC_INLINE void dots_i8(const scan_step *s, const int16_t *interest, uint32_t lines, int count,
                        sums sum[PQ_SCAN_GROUP]) {
    for (uint32_t i = 0; i < lines; i++) {
        pairs p = pairs_i8(s->a + (size_t)i * 16, s->b + (size_t)i * 16);
        for (int k = 0; k < count; k++) {
            sum[k] = sums_add(sum[k], p,
                              query_load(interest + ((size_t)i * (size_t)count + (size_t)k) * 2));
        }
    }
}

#ifdef SCAN_OCTETS
#define OCTET_LINES 4 /* of a register */

/* sum += x . the same eight columns of `count` interests. */
VEC_INLINE void add_octets(octets x, const int8_t *interest, int count, octets sum[PQ_SCAN_GROUP]) {
    for (int k = 0; k < count; k++) {
        sum[k] = octets_add(sum[k], x, interest + (size_t)k * 8);
    }
}

VEC_INLINE void dots_of_block(const uint8_t *items, const int8_t *interest, uint32_t lines,
                              int count, octets sum[PQ_SCAN_GROUP]) {
    for (int k = 0; k < count; k++) {
        sum[k] = octets_zero();
    }
    for (; lines >= OCTET_LINES; lines -= OCTET_LINES) {
        add_octets(octets_load(items), interest, count, sum);
        items += 64;
        interest += (size_t)count * 8;
    }
    if (lines > 0) {
        add_octets(octets_load_part(items, lines), interest, count, sum);
    }
}

/* The same with interests of bytes, block after block: where one load reads memory in the order in which it lies,
 * the processor's own prefetching is the fastest, and asking ahead only disturbs it. */
VEC_INLINE void dots_i8_bytes(const scan_step *s, const int8_t *interest, uint32_t lines, int count,
                              sums sum[PQ_SCAN_GROUP]) {
    octets of[2][PQ_SCAN_GROUP];
    for (int i = 0; i < 2; i++) {
        dots_of_block(i == 0 ? s->a : s->b, interest, lines, count, of[i]);
    }
    for (int k = 0; k < count; k++) {
        sum[k] = octets_sums(of[0][k], of[1][k]);
    }
}
#endif

/* Lines from `first` to `end`; a line of int4 is four dimensions. */
VEC_INLINE void dots_i4(const scan_step *s, const int16_t *interest, uint32_t first, uint32_t end,
                        int count, sums sum[PQ_SCAN_GROUP]) {
    for (uint32_t i = first; i < end; i++) {
        pairs even, odd;
        pairs_i4(s->a + (size_t)i * 16, s->b + (size_t)i * 16, &even, &odd);
        for (int k = 0; k < count; k++) {
            const int16_t *at = interest + ((size_t)i * (size_t)count + (size_t)k) * 4;
            sum[k] = sums_add(sum[k], even, query_load(at));
            sum[k] = sums_add(sum[k], odd, query_load(at + 2));
        }
    }
}

/* Sums of integers as the scores they may at most stand for, before the rows' scales. */
VEC_INLINE void most_of(sums sum, float scale, float slack, vec x[SCAN_VECS]) {
    sums_floats(sum, x);
    for (int v = 0; v < SCAN_VECS; v++) {
        x[v] = vec_fma(x[v], vec_splat(scale), vec_splat(slack));
    }
}

VEC_INLINE void scores_i8(const scan_step *s, const pq_scan_args *args, uint32_t first, int count,
                          bool by_bytes, vec best[SCAN_VECS]) {
    const uint32_t lines = args->cols / 2 + args->cols % 2;
    sums sum[PQ_SCAN_GROUP];
#ifdef SCAN_OCTETS
    if (by_bytes) {
        const size_t size = ((size_t)lines + 3) / 4 * 8;
        dots_i8_bytes(s, (const int8_t *)args->interests + first * size, lines, count, sum);
        for (int k = 0; k < count; k++) {
            sum[k] = sums_start(sum[k], args->starts[first + (uint32_t)k]);
        }
    }
#endif
    if (!by_bytes) {
        for (int k = 0; k < count; k++) {
            sum[k] = sums_zero();
        }
        dots_i8(s, (const int16_t *)args->interests + (size_t)first * lines * 2, lines, count, sum);
    }
    for (int k = 0; k < count; k++) {
        vec x[SCAN_VECS];
        most_of(sum[k], args->interest_scales[first + (uint32_t)k],
                args->slacks[first + (uint32_t)k], x);
        keep_best(best, x);
    }
}

/* Scale `group` of `groups` of each row of the step. */
VEC_INLINE void scales_of(const scan_step *s, const float *scales, uint32_t groups, uint32_t group,
                          vec out[SCAN_VECS]) {
    float rows[SCAN_ITEMS];
    if (groups == 1) {
        const float *first = scales + (size_t)s->block * PQ_TABLE_BLOCK;
        items_f32(first, first + (s->a == s->b ? 0 : PQ_TABLE_BLOCK), out);
        return;
    }
    for (uint32_t i = 0; i < SCAN_ITEMS; i++) {
        bool second = i >= PQ_TABLE_BLOCK && s->a != s->b;
        size_t row = (size_t)s->block * PQ_TABLE_BLOCK + i % PQ_TABLE_BLOCK;
        rows[i] = scales[(row + (second ? PQ_TABLE_BLOCK : 0)) * groups + group];
    }
    for (int v = 0; v < SCAN_VECS; v++) {
        out[v] = vec_load(rows + v * VEC_WIDTH);
    }
}

VEC_INLINE void scores_i4(const scan_step *s, const pq_scan_args *args, uint32_t first, int count,
                          vec best[SCAN_VECS]) {
    const uint32_t lines = (args->cols + 3) / 4, lines_of_group = PQ_TABLE_GROUP / 4;
    const uint32_t groups = (args->cols + PQ_TABLE_GROUP - 1) / PQ_TABLE_GROUP;
    vec total[PQ_SCAN_GROUP][SCAN_VECS];
    for (int k = 0; k < count; k++) {
        for (int v = 0; v < SCAN_VECS; v++) {
            total[k][v] = vec_splat(0);
        }
    }
    for (uint32_t g = 0; g < groups; g++) {
        sums sum[PQ_SCAN_GROUP];
        vec scale[SCAN_VECS];
        for (int k = 0; k < count; k++) {
            sum[k] = sums_zero();
        }
        dots_i4(s, (const int16_t *)args->interests + (size_t)first * lines * 4, g * lines_of_group,
                PQ_MIN((g + 1) * lines_of_group, lines), count, sum);
        scales_of(s, args->scales, groups, g, scale);
        for (int k = 0; k < count; k++) {
            vec x[SCAN_VECS];
            most_of(sum[k], args->interest_scales[first + (uint32_t)k],
                    args->slacks[first + (uint32_t)k], x);
            for (int v = 0; v < SCAN_VECS; v++) {
                total[k][v] = vec_fma(x[v], scale[v], total[k][v]);
            }
        }
    }
    for (int k = 0; k < count; k++) {
        keep_best(best, total[k]);
    }
}

/* ---- what they share ---- */

/* The scores of the step's rows as they are. */
VEC_INLINE void store_scores(const scan_step *s, const pq_scan_args *args,
                             const vec best[SCAN_VECS]) {
    float *out = args->scores + (size_t)s->block * PQ_TABLE_BLOCK;
    for (int v = 0; v < SCAN_VECS; v++) {
        if (SCAN_BLOCKS > 1 && s->block + 1 == args->block_count) {
            vec_store_part(out, PQ_TABLE_BLOCK, best[v]);
        } else {
            vec_store(out + v * VEC_WIDTH, best[v]);
        }
    }
}

/* Rows of the step that may be above the threshold, as bits. */
VEC_INLINE uint32_t rows_above(const scan_step *s, const pq_scan_args *args, pq_table_kind kind,
                               bool by_bytes) {
    vec best[SCAN_VECS], scale[SCAN_VECS];
    uint32_t bits = 0;
    for (int v = 0; v < SCAN_VECS; v++) {
        best[v] = vec_splat(-HUGE_VALF);
    }
#define CALL(count)                                                                                \
    if (kind == PQ_TABLE_I8) {                                                                     \
        scores_i8(s, args, k, count, by_bytes, best);                                              \
    } else if (kind == PQ_TABLE_I4) {                                                              \
        scores_i4(s, args, k, count, best);                                                        \
    } else {                                                                                       \
        dots_real(s, kind == PQ_TABLE_F16,                                                         \
                  (const float *)args->interests + (size_t)k * args->cols, args->cols, count,      \
                  best);                                                                           \
    }
    EACH_GROUP(k, args->interest_count, CALL);
#undef CALL
    if (kind == PQ_TABLE_I8) {
        scales_of(s, args->scales, 1, 0, scale);
    }
    if (kind == PQ_TABLE_F32 && args->scores) {
        store_scores(s, args, best);
        return 0;
    }
    for (int v = 0; v < SCAN_VECS; v++) {
        if (kind == PQ_TABLE_I8) {
            best[v] = vec_mul(best[v], scale[v]);
        }
        bits |= vec_above(best[v], vec_splat(args->threshold)) << (v * VEC_WIDTH);
    }
    return bits & s->wanted;
}

/* Adds the blocks of the step that have a row in `bits`. */
VEC_INLINE uint32_t found_rows(const scan_step *s, uint32_t bits, pq_scan_found *found,
                               uint32_t count) {
    for (uint32_t i = 0; i < SCAN_BLOCKS; i++) {
        uint32_t rows = bits >> (i * PQ_TABLE_BLOCK) & 0xffu;
        if (rows) {
            found[count++] = (pq_scan_found){s->block + i, rows};
        }
    }
    return count;
}

VEC_INLINE uint32_t scan_blocks(const pq_scan_args *args, pq_table_kind kind, bool by_bytes,
                                size_t block_size, uint32_t *next) {
    uint32_t block = *next, count = 0;
    for (; block < args->block_count && count + SCAN_BLOCKS <= args->room; block += SCAN_BLOCKS) {
        scan_step s = step_at(args, block, block_size);
        if (s.wanted) {
            if (!by_bytes) {
                scan_prefetch(s.a, SCAN_BLOCKS * block_size);
            }
            count = found_rows(&s, rows_above(&s, args, kind, by_bytes), args->found, count);
        }
    }
    *next = PQ_MIN(block, args->block_count);
    return count;
}

VEC_INLINE size_t i8_block_size(const pq_scan_args *args) {
    return (size_t)(args->cols / 2 + args->cols % 2) * 16;
}

static uint32_t kernel_scan_f32(const pq_scan_args *args, uint32_t *next) {
    return scan_blocks(args, PQ_TABLE_F32, false, (size_t)args->cols * 4 * PQ_TABLE_BLOCK, next);
}

static uint32_t kernel_scan_f16(const pq_scan_args *args, uint32_t *next) {
    return scan_blocks(args, PQ_TABLE_F16, false, (size_t)args->cols * 2 * PQ_TABLE_BLOCK, next);
}

static uint32_t kernel_scan_i8(const pq_scan_args *args, uint32_t *next) {
    return scan_blocks(args, PQ_TABLE_I8, false, i8_block_size(args), next);
}

#ifdef SCAN_OCTETS
static uint32_t kernel_scan_i8_bytes(const pq_scan_args *args, uint32_t *next) {
    return scan_blocks(args, PQ_TABLE_I8, true, i8_block_size(args), next);
}
#endif

static uint32_t kernel_scan_i4(const pq_scan_args *args, uint32_t *next) {
    return scan_blocks(args, PQ_TABLE_I4, false, (size_t)((args->cols + 3) / 4) * 16, next);
}

#include "kernels/scan_codes_body.h"

#endif
