#include "retrieval/scan.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "retrieval/exact.h"
#include "retrieval/filter.h"

/* Rows that codes leave to be scored by rows, beside those asked for: 20 wanted of 100,000, and hardly one of
 * those that the rows would give stands further down the codes' list than 4 * 20 + 32. */
#define SHORTLIST_TIMES 4
#define SHORTLIST_MORE 32
/* Below so many rows a second thread costs more than it does. */
#define ROWS_OF_TASK 16384

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

/* A run of blocks with its own best rows, so that tasks share nothing that changes. */
typedef struct {
    pq_filter filter;
    uint32_t end;
    pq_best best;
    float *scratch;
} scan_task;

typedef struct {
    const pq_exact *exact;
    const pq_table *table;
    scan_task *tasks;
} scan_work;

static void run_task(void *user, uint32_t number) {
    const scan_work *work = user;
    scan_task *task = &work->tasks[number];
    const uint32_t block_rows = work->table->block_rows;
    pq_best *best = &task->best;
    pq_scan_found found[PQ_FILTER_ROOM];
    for (;;) {
        float threshold = best->count < best->capacity ? -HUGE_VALF : best->hits[0].score;
        uint32_t count = pq_filter_next(&task->filter, threshold, task->end, found);
        if (count == 0) {
            return;
        }
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t rows = found[i].rows; rows; rows &= rows - 1) {
                pq_hit hit = {.row = found[i].block * block_rows + (uint32_t)__builtin_ctz(rows)};
                hit.score =
                    pq_exact_score(work->exact, work->table, hit.row, task->scratch, &hit.interest);
                if (hit.score > -HUGE_VALF) { /* a NaN would break the heap's order */
                    pq_best_offer(best, hit);
                }
            }
        }
    }
}

static uint32_t count_tasks(const pq_arena *arena, const pq_table *table) {
    return PQ_MAX(1, PQ_MIN(arena->ctx->parallel.threads, table->rows / ROWS_OF_TASK));
}

/* The best rows by the first table into `best`; how the rows are cut into tasks changes nothing. */
static pique_status scan_all(pq_arena *arena, const pq_exact *exact, pq_best *best) {
    const pq_table *table = first_table(exact->scan);
    const uint32_t count = count_tasks(arena, table), blocks = pq_table_blocks(table);
    scan_work work = {.exact = exact, .table = table};
    work.tasks = pq_arena_take(arena, count, sizeof(*work.tasks));
    if (!work.tasks) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        scan_task *task = &work.tasks[i];
        PQ_TRY(pq_filter_init(arena, &task->filter, exact, table));
        task->filter.next = (uint32_t)((uint64_t)blocks * i / count);
        task->end = (uint32_t)((uint64_t)blocks * (i + 1) / count);
        task->best = (pq_best){.capacity = best->capacity};
        task->best.hits = pq_arena_take(arena, best->capacity, sizeof(pq_hit));
        task->scratch = pq_arena_take(arena, pq_exact_scratch(exact->scan), sizeof(*task->scratch));
        if (!task->best.hits || !task->scratch) {
            return PIQUE_NO_MEMORY;
        }
    }
    if (count > 1) {
        const pq_parallel *parallel = &arena->ctx->parallel;
        parallel->run(parallel->state, count, run_task, &work);
    } else {
        run_task(&work, 0);
    }
    *best = work.tasks[0].best;
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < work.tasks[i].best.count; j++) {
            pq_best_offer(best, work.tasks[i].best.hits[j]);
        }
    }
    return PIQUE_OK;
}

pique_status pq_scan_top(pq_arena *arena, const pq_scan *scan, pq_hit *hits, uint32_t *found) {
    const uint32_t rows = scan->table->rows, wanted = PQ_MIN(scan->count, rows);
    const uint64_t shortlist =
        scan->codes ? (uint64_t)wanted * SHORTLIST_TIMES + SHORTLIST_MORE : wanted;
    pq_exact exact;
    *found = 0;
    if (wanted == 0) {
        return PIQUE_OK;
    }
    pq_best first = {.capacity = (uint32_t)PQ_MIN(shortlist, rows)};
    pq_best best = {.hits = hits, .capacity = wanted};
    float *scratch = pq_arena_take(arena, pq_exact_scratch(scan), sizeof(*scratch));
    if (!scratch) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_exact_init(arena, &exact, scan));
    PQ_TRY(scan_all(arena, &exact, &first));
    for (uint32_t i = 0; i < first.count; i++) {
        pq_hit hit = first.hits[i];
        const pq_table *table = table_of(scan, hit.row);
        if (scan->codes && table == scan->table) {
            hit.score = pq_exact_score(&exact, table, hit.row, scratch, &hit.interest);
        }
        if (hit.score > -HUGE_VALF) {
            pq_best_offer(&best, hit);
        }
    }
    pq_best_order(&best);
    *found = best.count;
    return PIQUE_OK;
}

static void score_blocks(const pq_scan *scan, const pq_kernels *kernels, uint32_t block, uint32_t n,
                         float *scores) {
    pq_scan_found none[2];
    uint32_t next = 0;
    kernels->scan_f32(&(pq_scan_args){.blocks = pq_table_block(scan->table, block),
                                      .interests = scan->interests,
                                      .block_count = n,
                                      .interest_count = scan->interest_count,
                                      .cols = scan->table->cols,
                                      .scores = scores,
                                      .room = PQ_COUNT(none),
                                      .found = none},
                      &next);
}

pique_status pq_scan_scores(pq_arena *arena, const pq_scan *scan, float *scores) {
    const pq_table *table = scan->table;
    if (table->kind == PQ_TABLE_F32 && !table->absent) {
        const pq_kernels *kernels = arena->ctx->kernels;
        uint32_t whole = table->rows / PQ_TABLE_BLOCK, rest = table->rows % PQ_TABLE_BLOCK;
        float tail[PQ_TABLE_BLOCK];
        score_blocks(scan, kernels, 0, whole, scores);
        if (rest > 0) {
            score_blocks(scan, kernels, whole, 1, tail);
            memcpy(scores + (size_t)whole * PQ_TABLE_BLOCK, tail, rest * sizeof(*scores));
        }
        return PIQUE_OK;
    }
    pq_exact exact;
    float *scratch = pq_arena_take(arena, pq_exact_scratch(scan), sizeof(*scratch));
    if (!scratch) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_exact_init(arena, &exact, scan));
    for (uint32_t row = 0; row < table->rows; row++) {
        uint32_t interest;
        const pq_table *used = table_of(scan, row);
        scores[row] = used ? pq_exact_score(&exact, used, row, scratch, &interest) : -HUGE_VALF;
    }
    return PIQUE_OK;
}
