#include "retrieval/filter.h"

#include <math.h>
#include <string.h>

/* ---- integers ---- */

/* Where column d of interest k goes. */
static size_t slot(const pq_filter *f, uint32_t lines, uint32_t k, uint32_t d) {
    static const uint8_t order[4] = {0, 2, 1, 3};
    const uint32_t count = f->args.interest_count;
    return f->table->kind == PQ_TABLE_I4 ? pq_scan_place(k, count, lines, d / 4) * 4 + order[d % 4]
                                         : pq_scan_place(k, count, lines, d / 2) * 2 + d % 2;
}

/* The interests as int16 such that no sum of products with int8 leaves int32, with what rounding can change:
 * half a step for each code, and the roundings of sums in float. */
static pique_status round_interests(pq_arena *arena, pq_filter *f, const pq_scan *scan) {
    const pq_table_kind kind = f->table->kind;
    const uint32_t cols = f->table->cols, unit = kind == PQ_TABLE_I4 ? 4 : 2;
    const uint32_t lines = (cols + unit - 1) / unit, wide = lines * unit;
    const uint32_t count = scan->interest_count;
    const uint32_t limit = PQ_MIN(32767u, INT32_MAX / 127u / wide);
    const float most_code = kind == PQ_TABLE_I4 ? 7 : 127;
    const float most_sum = most_code * (float)(kind == PQ_TABLE_I4 ? PQ_TABLE_GROUP : cols);
    int16_t *out = pq_arena_take(arena, (size_t)count * wide, sizeof(*out));
    float *scales = pq_arena_take(arena, count, 2 * sizeof(*scales)), *slacks = scales + count;
    if (!out || !scales) {
        return PIQUE_NO_MEMORY;
    }
    memset(out, 0, (size_t)count * wide * sizeof(*out));
    for (uint32_t k = 0; k < count; k++) {
        const float *interest = scan->interests + (size_t)k * cols;
        float most = 0;
        for (uint32_t d = 0; d < cols; d++) {
            most = PQ_MAX(most, fabsf(interest[d]));
        }
        scales[k] = most / (float)limit;
        slacks[k] = scales[k] * most_sum * (0.5f + (float)cols * (float)limit * 0x1p-23f);
        for (uint32_t d = 0; d < cols; d++) {
            float x = interest[d] / most * (float)limit;
            x += x < 0 ? -0.5f : 0.5f;
            if (x > -32768 && x < 32768) { /* not where 0 / 0 or an infinity is in it */
                out[slot(f, lines, k, d)] = (int16_t)x;
            }
        }
    }
    f->args.interests = out;
    f->args.interest_scales = scales;
    f->args.slacks = slacks;
    f->args.scales = f->table->scales;
    return PIQUE_OK;
}

/* ---- the last rows, which stand apart ---- */

static pique_status prepare_tail(pq_arena *arena, pq_filter *f) {
    const pq_table *table = f->table;
    const uint32_t block_rows = table->block_rows, rest = table->rows % block_rows;
    const uint32_t first = table->rows - rest;
    f->tail = f->args;
    f->tail.blocks = table->tail;
    f->tail.block_count = rest > 0;
    f->tail.excluded = f->tail_out;
    f->tail.absent = NULL;
    for (uint32_t i = 0; i < block_rows; i++) {
        if (i >= rest || pq_has_row(f->args.excluded, first + i) ||
            pq_has_row(f->args.absent, first + i)) {
            pq_exclude(f->tail_out, i);
        }
    }
    if (f->args.scales && rest > 0) {
        const size_t groups = table->kind == PQ_TABLE_I4 ? pq_table_groups(table) : 1;
        float *scales = pq_arena_take(arena, block_rows * groups, sizeof(*scales));
        if (!scales) {
            return PIQUE_NO_MEMORY;
        }
        memset(scales, 0, block_rows * groups * sizeof(*scales));
        memcpy(scales, f->args.scales + first * groups, rest * groups * sizeof(*scales));
        f->tail.scales = scales;
    }
    return PIQUE_OK;
}

pique_status pq_filter_init(pq_arena *arena, pq_filter *filter, const pq_exact *exact,
                            const pq_table *table) {
    const pq_scan *scan = exact->scan;
    const pq_kernels *kernels = arena->ctx->kernels;
    pq_kernel_scan *const of_kind[] = {kernels->scan_f32, kernels->scan_f16, kernels->scan_i8,
                                       kernels->scan_i4, kernels->scan_pq};
    *filter = (pq_filter){.table = table, .exact = exact, .kernel = of_kind[table->kind]};
    filter->args = (pq_scan_args){.blocks = table->blocks,
                                  .block_count = table->rows / table->block_rows,
                                  .interest_count = scan->interest_count,
                                  .cols = table->cols,
                                  .excluded = scan->excluded,
                                  .absent = table->absent,
                                  .room = PQ_FILTER_ROOM};
    if (table->kind == PQ_TABLE_PQ) {
        filter->args.cols = table->codebooks;
        PQ_TRY(pq_losses_init(arena, &filter->losses, exact, table));
    } else if (table->kind == PQ_TABLE_I8 || table->kind == PQ_TABLE_I4) {
        PQ_TRY(round_interests(arena, filter, scan));
    } else {
        filter->args.interests = scan->interests;
    }
    return prepare_tail(arena, filter);
}

uint32_t pq_filter_next(pq_filter *f, float threshold, uint32_t end, pq_scan_found *found) {
    const uint32_t whole = f->args.block_count;
    if (f->table->kind == PQ_TABLE_PQ) {
        f->args.interests = pq_losses_for(&f->losses, threshold);
    } else if (f->table->kind <= PQ_TABLE_F16) {
        threshold -= 1e-5f * fabsf(threshold); /* sums are rounded in another order */
    }
    if (f->next < PQ_MIN(end, whole)) {
        pq_scan_args args = f->args;
        args.block_count = PQ_MIN(end, whole);
        args.threshold = threshold;
        args.found = found;
        uint32_t count = f->kernel(&args, &f->next);
        if (count > 0) {
            return count;
        }
    }
    if (f->next >= end || f->tail.block_count == 0) {
        return 0;
    }
    pq_scan_args args = f->tail;
    uint32_t block = 0;
    args.interests = f->args.interests;
    args.threshold = threshold;
    args.found = found;
    uint32_t count = f->kernel(&args, &block);
    f->next++;
    for (uint32_t i = 0; i < count; i++) {
        found[i].block += whole;
    }
    return count;
}
