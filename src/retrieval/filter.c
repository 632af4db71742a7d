#include "retrieval/filter.h"

#include <math.h>
#include <string.h>

/* ---- integers ---- */

/* How interests are rounded for a table. */
typedef struct {
    uint32_t unit;     /* columns of a line */
    uint32_t limit;    /* of a code */
    uint32_t together; /* columns of the table's rows that share a scale */
    float most_code;   /* of the table */
    bool bytes;
    void *codes; /* int8 or int16 */
} rounding;

/* Such that no sum of products with the rows' codes leaves int32; in bytes where the set has a kernel for them. */
static rounding rounding_for(const pq_table *table, const pq_kernels *kernels) {
    const uint32_t cols = table->cols, most = INT32_MAX / 255 / 127; /* columns of bytes */
    rounding r = {.unit = 4, .together = PQ_TABLE_GROUP, .most_code = 7};
    if (table->kind == PQ_TABLE_I8) {
        r.bytes = kernels->scan_i8_bytes && cols <= most;
        r.unit = r.bytes ? 8 : 2;
        r.together = cols;
        r.most_code = 127;
    }
    r.limit = r.bytes ? 127 : PQ_MIN(32767u, INT32_MAX / 127u / (cols + r.unit - 1));
    return r;
}

/* Where column d of interest k goes. */
static size_t slot(const pq_filter *f, uint32_t unit, uint32_t k, uint32_t d) {
    static const uint8_t order[4] = {0, 2, 1, 3};
    const size_t lines = (f->table->cols + unit - 1) / unit;
    const size_t line = pq_scan_place(k, f->args.interest_count, lines, d / unit);
    return line * unit + (unit == 4 ? order[d % 4] : d % unit);
}

/* Codes of one interest, their scale and start, and what rounding can change: what each code is off, and the
 * roundings of sums in float. */
static void round_interest(const pq_filter *f, const rounding *r, const float *interest, uint32_t k,
                           float *scale, float *slack, int32_t *start) {
    const uint32_t cols = f->table->cols;
    float most = 0, off = 0, most_off = 0;
    for (uint32_t d = 0; d < cols; d++) {
        most = PQ_MAX(most, fabsf(interest[d]));
    }
    *scale = most / (float)r->limit;
    *start = 0;
    for (uint32_t d = 0; d < cols; d++) {
        const size_t at = slot(f, r->unit, k, d);
        float x = interest[d] / most * (float)r->limit;
        x += x < 0 ? -0.5f : 0.5f;
        if (x > -32768 && x < 32768) { /* not where 0 / 0 or an infinity is in it */
            const int16_t code = (int16_t)x;
            off = (d % r->together ? off : 0) + fabsf(interest[d] - (float)code * *scale);
            most_off = PQ_MAX(most_off, off);
            if (r->bytes) {
                ((int8_t *)r->codes)[at] = (int8_t)code;
                *start -= 128 * code;
            } else {
                ((int16_t *)r->codes)[at] = code;
            }
        }
    }
    off = (float)(cols + 3) * most * 0x1p-23f * (float)r->together;
    *slack = r->most_code * (most_off + off);
}

static pique_status round_interests(pq_arena *arena, pq_filter *f, const pq_scan *scan) {
    const pq_kernels *kernels = arena->ctx->kernels;
    const uint32_t cols = f->table->cols, count = scan->interest_count;
    rounding r = rounding_for(f->table, kernels);
    const size_t size = count * (size_t)((cols + r.unit - 1) / r.unit * r.unit) * sizeof(int16_t);
    float *scales = pq_arena_take(arena, count, 2 * sizeof(*scales)), *slacks = scales + count;
    int32_t *starts = pq_arena_take(arena, count, sizeof(*starts));
    r.codes = pq_arena_take(arena, size, 1);
    if (!r.codes || !scales || !starts) {
        return PIQUE_NO_MEMORY;
    }
    memset(r.codes, 0, size);
    for (uint32_t k = 0; k < count; k++) {
        round_interest(f, &r, scan->interests + (size_t)k * cols, k, &scales[k], &slacks[k],
                       &starts[k]);
    }
    f->kernel = r.bytes ? kernels->scan_i8_bytes : f->kernel;
    f->args.interests = r.codes;
    f->args.starts = starts;
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
