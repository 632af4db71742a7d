/* test_scan.c — the best items of a table against a search that scores every row in double: all
 * sizes around the blocks of eight, odd and even widths, one to eight interests, every instruction set
 * that this machine has. */
#include "testing.h"

#include "base/rng.h"
#include "kernels/kernels.h"
#include "retrieval/scan.h"

#include <math.h>

enum { MOST_ROWS = 70, MOST_COLS = 33, MOST_INTERESTS = 8 };

/* A table, the interests, and what the rows hold. */
typedef struct {
    testing t;
    pq_arena arena;
    pq_table table;
    float rows[MOST_ROWS * MOST_COLS];
    int8_t codes[MOST_ROWS * MOST_COLS];
    float floats[MOST_ROWS * MOST_COLS];
    float scales[MOST_ROWS];
    float interests[MOST_INTERESTS * MOST_COLS];
    uint8_t excluded[MOST_ROWS / 8 + 1];
    pq_scan scan;
} bench;

typedef struct {
    pq_table_kind kind;
    uint32_t rows, cols, interests;
} shape;

static void fill(bench *b, const shape *s) {
    pq_rng rng = pq_rng_make(s->rows, s->cols, s->interests * 2 + (s->kind == PQ_TABLE_I8));
    for (uint32_t i = 0; i < s->rows * s->cols; i++) {
        b->codes[i] = (int8_t)((int)pq_rng_below(&rng, 255) - 127);
        b->floats[i] = (float)pq_rng_normal(&rng);
    }
    for (uint32_t r = 0; r < s->rows; r++) {
        b->scales[r] = (float)(0.002 + 0.01 * pq_rng_uniform(&rng));
    }
    for (uint32_t i = 0; i < s->interests * s->cols; i++) {
        b->interests[i] = (float)pq_rng_normal(&rng);
    }
}

/* What `fill` left (and the test changed) becomes the table. */
static void build(bench *b, const shape *s) {
    for (uint32_t i = 0; i < s->rows * s->cols; i++) {
        b->rows[i] =
            s->kind == PQ_TABLE_F32 ? b->floats[i] : (float)b->codes[i] * b->scales[i / s->cols];
    }
    void *data = s->kind == PQ_TABLE_F32 ? (void *)b->floats : (void *)b->codes;
    assert_ok(&b->t.ctx, pq_table_open(&b->t.ctx, &b->table, s->kind, s->rows, s->cols, data,
                                       s->kind == PQ_TABLE_I8 ? b->scales : NULL));
    b->scan =
        (pq_scan){.table = &b->table, .interests = b->interests, .interest_count = s->interests};
}

static void open_bench(bench *b) {
    memset(b, 0, sizeof(*b));
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_arena_init(&b->arena, &b->t.ctx);
}

static void close_bench(bench *b) {
    pq_table_close(&b->table);
    pq_arena_free(&b->arena);
    testing_close(&b->t);
}

static double product(const bench *b, uint32_t row, uint32_t k) {
    double sum = 0;
    uint32_t cols = b->table.cols;
    for (uint32_t d = 0; d < cols; d++) {
        sum += (double)b->rows[row * cols + d] * (double)b->interests[k * cols + d];
    }
    return sum;
}

static double best_product(const bench *b, uint32_t row) {
    double best = -HUGE_VAL;
    for (uint32_t k = 0; k < b->scan.interest_count; k++) {
        best = fmax(best, product(b, row, k));
    }
    return best;
}

/* Rounding of a sum in float: of 33 terms, each below 4 * 4 in size here. */
#define CLOSE(a, b) (fabs((a) - (b)) <= 2e-5)

static bool is_out(const bench *b, uint32_t row) {
    return b->scan.excluded && (b->scan.excluded[row / 8] >> row % 8 & 1);
}

/* The list is what the search finds: right scores, right winners, falling, nothing better left out. */
static void check_list(const bench *b, const pq_hit *hits, uint32_t found) {
    bool listed[MOST_ROWS] = {false};
    uint32_t eligible = 0;
    for (uint32_t row = 0; row < b->table.rows; row++) {
        eligible += !is_out(b, row);
    }
    assert_int_equal(found, PQ_MIN(b->scan.count, eligible));
    for (uint32_t i = 0; i < found; i++) {
        uint32_t row = hits[i].row;
        assert_true(row < b->table.rows && !listed[row] && !is_out(b, row));
        assert_true(CLOSE((double)hits[i].score, best_product(b, row)));
        assert_true(hits[i].interest < b->scan.interest_count);
        assert_true(CLOSE((double)hits[i].score, product(b, row, hits[i].interest)));
        if (i > 0) {
            assert_true(hits[i - 1].score > hits[i].score ||
                        (hits[i - 1].score == hits[i].score && hits[i - 1].row < row));
        }
        listed[row] = true;
    }
    for (uint32_t row = 0; found > 0 && row < b->table.rows; row++) {
        if (!listed[row] && !is_out(b, row)) {
            assert_true(best_product(b, row) <= (double)hits[found - 1].score + 2e-5);
        }
    }
}

static void search(bench *b, uint32_t count) {
    pq_hit hits[MOST_ROWS + 4];
    uint32_t found = 99;
    b->scan.count = count;
    pq_arena_reset(&b->arena);
    assert_ok(&b->t.ctx, pq_scan_top(&b->arena, &b->scan, hits, &found));
    check_list(b, hits, found);
}

static void check_scores(bench *b) {
    float scores[MOST_ROWS];
    pq_arena_reset(&b->arena);
    assert_ok(&b->t.ctx, pq_scan_scores(&b->arena, &b->scan, scores));
    for (uint32_t row = 0; row < b->table.rows; row++) {
        assert_true(CLOSE((double)scores[row], best_product(b, row)));
    }
}

static void check_shape(const shape *s) {
    bench b;
    bool runnable;
    open_bench(&b);
    fill(&b, s);
    build(&b, s);
    for (uint32_t i = 0; pq_kernels_at(i, &runnable); i++) {
        if (!runnable) {
            continue;
        }
        b.t.ctx.kernels = pq_kernels_at(i, &runnable);
        b.scan.excluded = NULL;
        for (uint32_t count = 0; count <= s->rows + 3; count += 1 + count * 2) {
            search(&b, count);
        }
        search(&b, s->rows);
        search(&b, UINT32_MAX); /* more than there are */
        check_scores(&b);
        b.scan.excluded = b.excluded;
        memset(b.excluded, 0, sizeof(b.excluded));
        for (uint32_t row = s->rows % 3; row < s->rows; row += 3) {
            pq_exclude(b.excluded, row);
        }
        search(&b, 5);
        search(&b, s->rows);
        check_scores(&b); /* leaves nothing out */
    }
    close_bench(&b);
}

static void test_every_shape(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 2, 5, 8, 33};
    for (uint32_t rows = 1; rows <= MOST_ROWS; rows++) {
        for (size_t w = 0; w < PQ_COUNT(widths); w++) {
            for (uint32_t k = 1; k <= MOST_INTERESTS; k++) {
                check_shape(&(shape){PQ_TABLE_F32, rows, widths[w], k});
                check_shape(&(shape){PQ_TABLE_I8, rows, widths[w], k});
            }
        }
    }
}

/* Equal rows have equal scores wherever they stand, the tail included, and come in their order. */
static void test_ties_by_row(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        shape s = {kind ? PQ_TABLE_I8 : PQ_TABLE_F32, 21, 33, 3};
        pq_hit hits[MOST_ROWS];
        float scores[MOST_ROWS];
        uint32_t found;
        bench b;
        open_bench(&b);
        fill(&b, &s);
        for (uint32_t row = 0; row < s.rows; row++) { /* two kinds of rows */
            memcpy(&b.floats[row * s.cols], &b.floats[row % 2 * s.cols], s.cols * sizeof(float));
            memcpy(&b.codes[row * s.cols], &b.codes[row % 2 * s.cols], s.cols);
            b.scales[row] = b.scales[row % 2];
        }
        build(&b, &s);
        uint32_t better = best_product(&b, 0) > best_product(&b, 1) ? 0 : 1;
        b.scan.count = 16;
        assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
        assert_int_equal(found, 16);
        uint32_t of_better = better == 0 ? 11 : 10;
        for (uint32_t i = 0; i < found; i++) {
            uint32_t row = i < of_better ? 2 * i + better : 2 * (i - of_better) + 1 - better;
            assert_int_equal(hits[i].row, row);
        }
        assert_ok(&b.t.ctx, pq_scan_scores(&b.arena, &b.scan, scores));
        for (uint32_t row = 2; row < s.rows; row++) {
            assert_memory_equal(&scores[row], &scores[row % 2], sizeof(float));
        }
        close_bench(&b);
    }
}

/* A row with a NaN never enters, wherever it stands, however many are wanted. */
static void test_rows_without_a_score(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 8, 18}; /* a first, a middle and a tail row */
    shape s = {PQ_TABLE_F32, 19, 4, 2};
    pq_hit hits[MOST_ROWS];
    float scores[MOST_ROWS];
    uint32_t found;
    bench b;
    open_bench(&b);
    fill(&b, &s);
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        b.floats[bad[i] * s.cols + 2] = NAN;
    }
    build(&b, &s);
    b.scan.count = s.rows;
    assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
    assert_int_equal(found, s.rows - PQ_COUNT(bad));
    for (uint32_t i = 0; i < found; i++) {
        assert_true(isfinite(hits[i].score));
        assert_true(hits[i].row != bad[0] && hits[i].row != bad[1] && hits[i].row != bad[2]);
    }
    assert_ok(&b.t.ctx, pq_scan_scores(&b.arena, &b.scan, scores));
    for (uint32_t row = 0; row < s.rows; row++) { /* below everything else */
        bool is_bad = row == bad[0] || row == bad[1] || row == bad[2];
        assert_true(is_bad ? scores[row] == -HUGE_VALF : (bool)isfinite(scores[row]));
    }
    close_bench(&b);
}

/* An interest that gives no number leaves the item to the others. */
static void test_interest_without_a_score(void **state) {
    (void)state;
    shape s = {PQ_TABLE_F32, 19, 4, 2};
    pq_hit hits[MOST_ROWS];
    float scores[MOST_ROWS];
    uint32_t found;
    bench b;
    open_bench(&b);
    fill(&b, &s);
    b.interests[3] = NAN;
    build(&b, &s);
    b.scan.count = s.rows;
    assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
    assert_ok(&b.t.ctx, pq_scan_scores(&b.arena, &b.scan, scores));
    assert_int_equal(found, s.rows);
    for (uint32_t i = 0; i < found; i++) {
        assert_int_equal(hits[i].interest, 1);
        assert_true(CLOSE((double)hits[i].score, product(&b, hits[i].row, 1)));
        assert_true(CLOSE((double)scores[i], product(&b, i, 1)));
    }
    close_bench(&b);
}

/* Interests of zeros score every row 0: the order is that of the rows. */
static void test_interests_of_zeros(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        shape s = {kind ? PQ_TABLE_I8 : PQ_TABLE_F32, 70, 6, 1};
        pq_hit hits[MOST_ROWS];
        uint32_t found;
        bench b;
        open_bench(&b);
        fill(&b, &s);
        memset(b.interests, 0, sizeof(b.interests));
        b.scales[40] = 0; /* a row of zeros is allowed to have that scale */
        build(&b, &s);
        b.scan.count = 9;
        assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
        assert_int_equal(found, 9);
        for (uint32_t i = 0; i < found; i++) {
            assert_int_equal(hits[i].row, i);
            assert_true(hits[i].score == 0);
        }
        close_bench(&b);
    }
}

static pique_status search_once(testing *t, void *argument) {
    static const float item[16] = {1, 2, 3, 4, 5, 6, 7, 8};
    static int8_t codes[16];
    static const float scales[8];
    float interest[2] = {1, 1};
    float data[16];
    pq_hit hits[8];
    pq_table table;
    pq_arena arena;
    uint32_t found;
    bool int8 = *(bool *)argument;
    memcpy(data, item, sizeof(data));
    t->ctx.kernels = pq_kernels_find("best");
    PQ_TRY(pq_table_open(&t->ctx, &table, int8 ? PQ_TABLE_I8 : PQ_TABLE_F32, 8, 2,
                         int8 ? (void *)codes : (void *)data, int8 ? scales : NULL));
    pq_arena_init(&arena, &t->ctx);
    pq_scan scan = {.table = &table, .interests = interest, .interest_count = 1, .count = 3};
    pique_status status = pq_scan_top(&arena, &scan, hits, &found);
    pq_arena_free(&arena);
    pq_table_close(&table);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        bool int8 = kind == 1;
        testing_fail_each(search_once, &int8);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shape),
        cmocka_unit_test(test_ties_by_row),
        cmocka_unit_test(test_rows_without_a_score),
        cmocka_unit_test(test_interest_without_a_score),
        cmocka_unit_test(test_interests_of_zeros),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
