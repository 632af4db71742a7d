#include "retrieval/scan.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

/* Blocks scored before their scores are looked at: the scores stay in the nearest cache. */
#define CHUNK_BLOCKS 64
/* How many more items than asked an int8 scan keeps, so that rounding the interests cannot push out one
 * that belongs in the list. */
#define SHORTLIST_MARGIN 32

/* The table that every row is looked up in; what it leaves is scored again. */
static const pq_table *first_table(const pq_scan *scan) {
    return scan->codes ? scan->codes : scan->table;
}

/* The table that gives the row's score, NULL when none has it yet. */
static const pq_table *table_of(const pq_scan *scan, uint32_t row) {
    if (!pq_has_row(scan->table->absent, row)) {
        return scan->table;
    }
    return scan->codes && !pq_has_row(scan->codes->absent, row) ? scan->codes : NULL;
}

static bool is_left_out(const pq_scan *scan, uint32_t row) {
    return pq_has_row(scan->excluded, row) || pq_has_row(first_table(scan)->absent, row);
}

/* Looks through the scores of the rows from `first` on. */
static void collect(const pq_scan *scan, pq_best *best, const float *scores, uint32_t first,
                    uint32_t rows) {
    for (uint32_t i = 0; i < rows; i++) {
        float score = scores[i];
        if (scan->table->kind == PQ_TABLE_I8) {
            score *= scan->table->scales[first + i];
        }
        if (best->count == best->capacity && score < best->hits[0].score) {
            continue;
        }
        /* Neither -infinity (no interest gave a number) nor NaN (which would break the heap's order). */
        if (score > -HUGE_VALF && !is_left_out(scan, first + i)) {
            pq_best_offer(best, (pq_hit){.row = first + i, .score = score});
        }
    }
}

/* The interests as int16 such that no sum of cols products with int8 leaves int32. */
static void round_interests(const pq_scan *scan, int16_t *out, float *scales) {
    uint32_t cols = scan->table->cols, wide = cols + cols % 2;
    uint32_t limit = PQ_MIN(32767u, INT32_MAX / 127u / wide);
    memset(out, 0, (size_t)scan->interest_count * wide * sizeof(*out));
    for (uint32_t k = 0; k < scan->interest_count; k++) {
        const float *interest = scan->interests + (size_t)k * cols;
        float most = 0;
        for (uint32_t i = 0; i < cols; i++) {
            float size = interest[i] < 0 ? -interest[i] : interest[i];
            most = PQ_MAX(most, size);
        }
        scales[k] = most / (float)limit;
        for (uint32_t i = 0; most > 0 && i < cols; i++) {
            float x = interest[i] / most * (float)limit;
            out[(size_t)k * wide + i] = (int16_t)(x < 0 ? x - 0.5f : x + 0.5f);
        }
    }
}

/* The best product of the row with an interest, and which gives it; -infinity when no product is a number.
 * scratch [cols]. */
static float score_row(const pq_scan *scan, const pq_table *table, const pq_kernels *kernels,
                       uint32_t row, float *scratch, uint32_t *interest) {
    uint32_t cols = table->cols;
    float best = -HUGE_VALF;
    *interest = 0;
    pq_table_row(table, row, scratch);
    for (uint32_t k = 0; k < scan->interest_count; k++) {
        float score = kernels->dot(scan->interests + (size_t)k * cols, scratch, cols);
        if (score > best) { /* never when it is NaN */
            best = score;
            *interest = k;
        }
    }
    return best;
}

/* Row by row. */
static pique_status scan_rows(pq_arena *arena, const pq_scan *scan, pq_best *best) {
    const pq_table *table = first_table(scan);
    float *scratch = pq_arena_take(arena, table->cols, sizeof(*scratch));
    if (!scratch) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t row = 0; row < table->rows; row++) {
        if (!is_left_out(scan, row)) {
            pq_hit hit = {.row = row};
            hit.score = score_row(scan, table, arena->ctx->kernels, row, scratch, &hit.interest);
            if (hit.score > -HUGE_VALF) {
                pq_best_offer(best, hit);
            }
        }
    }
    return PIQUE_OK;
}

static pique_status scan_all(pq_arena *arena, const pq_scan *scan, pq_best *best) {
    const pq_table *table = first_table(scan);
    if (table->kind != PQ_TABLE_F32 && table->kind != PQ_TABLE_I8) {
        return scan_rows(arena, scan, best);
    }
    const pq_kernels *kernels = arena->ctx->kernels;
    uint32_t wide = table->cols + table->cols % 2;
    float scores[CHUNK_BLOCKS * PQ_TABLE_BLOCK];
    int16_t *rounded = NULL;
    float *scales = NULL;
    if (table->kind == PQ_TABLE_I8) {
        rounded = pq_arena_take(arena, (size_t)scan->interest_count * wide, sizeof(*rounded));
        scales = pq_arena_take(arena, scan->interest_count, sizeof(*scales));
        if (!rounded || !scales) {
            return PIQUE_NO_MEMORY;
        }
        round_interests(scan, rounded, scales);
    }
    uint32_t blocks = pq_table_blocks(table), whole = table->rows / PQ_TABLE_BLOCK;
    for (uint32_t block = 0; block < blocks;) {
        /* The tail block stands elsewhere in memory. */
        uint32_t n = block < whole ? PQ_MIN(CHUNK_BLOCKS, whole - block) : 1;
        if (table->kind == PQ_TABLE_F32) {
            kernels->scan_f32(&(pq_scan_f32_args){pq_table_block(table, block), scan->interests, n,
                                                  scan->interest_count, table->cols, scores});
        } else {
            kernels->scan_i8(&(pq_scan_i8_args){pq_table_block(table, block), rounded, scales, n,
                                                scan->interest_count, table->cols, scores});
        }
        uint32_t first = block * PQ_TABLE_BLOCK;
        collect(scan, best, scores, first, PQ_MIN(n * PQ_TABLE_BLOCK, table->rows - first));
        block += n;
    }
    return PIQUE_OK;
}

pique_status pq_scan_top(pq_arena *arena, const pq_scan *scan, pq_hit *hits, uint32_t *found) {
    uint32_t margin = scan->codes || scan->table->kind == PQ_TABLE_I8 ? SHORTLIST_MARGIN : 0;
    uint32_t wanted = PQ_MIN(scan->count, scan->table->rows);
    pq_best best = {.capacity = PQ_MIN(wanted + margin, scan->table->rows)};
    *found = 0;
    if (wanted == 0) {
        return PIQUE_OK;
    }
    best.hits = pq_arena_take(arena, best.capacity, sizeof(*best.hits));
    float *scratch = pq_arena_take(arena, scan->table->cols, sizeof(*scratch));
    if (!best.hits || !scratch) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(scan_all(arena, scan, &best));
    pq_best exact = {.hits = hits, .capacity = wanted};
    for (uint32_t i = 0; i < best.count; i++) {
        pq_hit hit = {.row = best.hits[i].row};
        const pq_table *table = table_of(scan, hit.row);
        if (!table) {
            continue;
        }
        hit.score = score_row(scan, table, arena->ctx->kernels, hit.row, scratch, &hit.interest);
        if (hit.score > -HUGE_VALF) {
            pq_best_offer(&exact, hit);
        }
    }
    pq_best_order(&exact);
    *found = exact.count;
    return PIQUE_OK;
}

static void score_blocks(const pq_scan *scan, const pq_kernels *kernels, uint32_t block, uint32_t n,
                         float *scores) {
    kernels->scan_f32(&(pq_scan_f32_args){pq_table_block(scan->table, block), scan->interests, n,
                                          scan->interest_count, scan->table->cols, scores});
}

pique_status pq_scan_scores(pq_arena *arena, const pq_scan *scan, float *scores) {
    const pq_table *table = scan->table;
    const pq_kernels *kernels = arena->ctx->kernels;
    if (table->kind == PQ_TABLE_F32 && !table->absent) {
        uint32_t whole = table->rows / PQ_TABLE_BLOCK, rest = table->rows % PQ_TABLE_BLOCK;
        float tail[PQ_TABLE_BLOCK];
        score_blocks(scan, kernels, 0, whole, scores);
        if (rest > 0) {
            score_blocks(scan, kernels, whole, 1, tail);
            memcpy(scores + (size_t)whole * PQ_TABLE_BLOCK, tail, rest * sizeof(*scores));
        }
        return PIQUE_OK;
    }
    float *scratch = pq_arena_take(arena, table->cols, sizeof(*scratch));
    if (!scratch) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t row = 0; row < table->rows; row++) {
        uint32_t interest;
        const pq_table *used = table_of(scan, row);
        scores[row] = used ? score_row(scan, used, kernels, row, scratch, &interest) : -HUGE_VALF;
    }
    return PIQUE_OK;
}
