/* test_scan.c — the best items of a table against a search that scores every row in double: all
 * sizes around the blocks of eight, odd and even widths, one to eight interests, every instruction set
 * that this machine has. */
#include "testing.h"

#include "base/half.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "retrieval/scan.h"

#include <math.h>

enum { MOST_ROWS = 70, MOST_COLS = 66, MOST_INTERESTS = 8, MOST_GROUPS = 3, MOST_BOOKS = 66 };

/* One table in every form: rows of a kind, and codes of an additive quantiser. */
typedef struct {
    testing t;
    pq_arena arena;
    pq_table table, codes;
    uint8_t data[MOST_ROWS * MOST_COLS * 4], code_data[MOST_ROWS * MOST_COLS];
    float scales[MOST_ROWS * MOST_GROUPS];
    float centroids[16 * MOST_BOOKS * MOST_COLS];
    float rows[MOST_ROWS * MOST_COLS]; /* what the rows of the table stand for */
    float interests[MOST_INTERESTS * MOST_COLS];
    uint8_t excluded[MOST_ROWS / 8 + 1], absent[MOST_ROWS / 8 + 1];
    pq_scan scan;
} bench;

typedef struct {
    pq_table_kind kind;
    uint32_t rows, cols, interests;
    uint32_t codebooks; /* of PQ; with another kind: codes beside the rows */
    uint32_t distinct;  /* row i is as row i % distinct; 0: all differ */
} shape;

/* Sets one element of rows of floats or halves. */
static void set(bench *b, const shape *s, uint32_t row, uint32_t col, float value) {
    size_t at = (size_t)row * s->cols + col;
    uint16_t half = pq_half_from_float(value);
    b->rows[at] = s->kind == PQ_TABLE_F16 ? pq_half_to_float(half) : value;
    if (s->kind == PQ_TABLE_F32) {
        memcpy(b->data + 4 * at, &value, 4);
    } else {
        memcpy(b->data + 2 * at, &half, 2);
    }
}

static void fill_row(bench *b, const shape *s, uint32_t row) {
    const uint32_t seed = s->distinct ? row % s->distinct : row, groups = (s->cols + 31) / 32;
    pq_rng rng = pq_rng_make(seed, s->cols, (uint32_t)s->kind);
    for (uint32_t g = 0; g < groups; g++) {
        b->scales[row * (s->kind == PQ_TABLE_I4 ? groups : 1) + g] =
            (float)((s->kind == PQ_TABLE_I4 ? 16 : 1) * (0.002 + 0.01 * pq_rng_uniform(&rng)));
    }
    for (uint32_t c = 0; c < s->cols; c++) {
        size_t at = (size_t)row * s->cols + c;
        int byte = (int)pq_rng_below(&rng, 255) - 127, nibble = (int)pq_rng_below(&rng, 15) - 7;
        if (s->kind == PQ_TABLE_I8) {
            b->data[at] = (uint8_t)(int8_t)byte;
            b->rows[at] = (float)byte * b->scales[row];
        } else if (s->kind == PQ_TABLE_I4) {
            b->data[row * ((s->cols + 1) / 2) + c / 2] |=
                (uint8_t)((nibble + 8) << (c % 2 * 4) | (c + 1 == s->cols && c % 2 == 0 ? 128 : 0));
            b->rows[at] = (float)nibble * b->scales[row * groups + c / 32];
        } else if (s->kind != PQ_TABLE_PQ) {
            set(b, s, row, c, (float)pq_rng_normal(&rng));
        }
    }
}

/* The row's codes, and what they stand for when they are the rows. */
static void fill_codes(bench *b, const shape *s, uint32_t row) {
    uint8_t *bytes = (s->kind == PQ_TABLE_PQ ? b->data : b->code_data) + row * (s->codebooks / 2);
    pq_rng rng = pq_rng_make(s->distinct ? row % s->distinct : row, s->cols, 77);
    double sums[MOST_COLS] = {0};
    for (uint32_t m = 0; m < s->codebooks; m++) {
        uint32_t code = pq_rng_below(&rng, 16);
        bytes[m / 2] |= (uint8_t)(code << (m % 2 * 4));
        for (uint32_t c = 0; c < s->cols; c++) {
            sums[c] += b->centroids[(16 * m + code) * s->cols + c];
        }
    }
    for (uint32_t c = 0; s->kind == PQ_TABLE_PQ && c < s->cols; c++) {
        b->rows[row * s->cols + c] = (float)sums[c];
    }
}

static void fill(bench *b, const shape *s) {
    pq_rng rng = pq_rng_make(s->rows, s->cols, s->interests);
    for (uint32_t i = 0; i < s->interests * s->cols; i++) {
        b->interests[i] = (float)pq_rng_normal(&rng);
    }
    for (uint32_t i = 0; i < 16 * s->codebooks * s->cols; i++) {
        b->centroids[i] = (float)(pq_rng_normal(&rng) / sqrt(s->codebooks));
    }
    for (uint32_t row = 0; row < s->rows; row++) {
        fill_row(b, s, row);
        if (s->codebooks > 0) {
            fill_codes(b, s, row);
        }
    }
}

/* What `fill` left (and the test changed) becomes the tables. */
static void build(bench *b, const shape *s) {
    pq_table_parts parts = {.kind = s->kind,
                            .rows = s->rows,
                            .cols = s->cols,
                            .data = b->data,
                            .scales = b->scales,
                            .codebooks = s->codebooks,
                            .centroids = b->centroids};
    assert_ok(&b->t.ctx, pq_table_open(&b->t.ctx, &b->table, &parts));
    b->scan =
        (pq_scan){.table = &b->table, .interests = b->interests, .interest_count = s->interests};
    if (s->codebooks > 0 && s->kind != PQ_TABLE_PQ) {
        parts.kind = PQ_TABLE_PQ;
        parts.data = b->code_data;
        assert_ok(&b->t.ctx, pq_table_open(&b->t.ctx, &b->codes, &parts));
        b->scan.codes = &b->codes;
    }
}

static void open_bench(bench *b) {
    memset(b, 0, sizeof(*b));
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_arena_init(&b->arena, &b->t.ctx);
}

static void close_bench(bench *b) {
    pq_table_close(&b->table);
    if (b->codes.ctx) {
        pq_table_close(&b->codes);
    }
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

/* Rounding of a sum in float: of at most 66 terms, each below 4 * 4 in size here. */
#define CLOSE(a, b) (fabs((a) - (b)) <= 4e-5)

static bool is_out(const bench *b, uint32_t row) {
    return pq_has_row(b->scan.excluded, row) || pq_has_row(b->table.absent, row);
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
            assert_true(best_product(b, row) <= (double)hits[found - 1].score + 4e-5);
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
        bool absent = pq_has_row(b->table.absent, row);
        assert_true(absent ? scores[row] == -HUGE_VALF
                           : CLOSE((double)scores[row], best_product(b, row)));
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
        memset(b.absent, 0, sizeof(b.absent));
        for (uint32_t row = 0; row < s->rows; row++) { /* whole blocks and single rows */
            b.absent[row / 8] |= (uint8_t)((row / 16 % 2 == 1 || row % 5 == 2) << row % 8);
        }
        b.table.absent = b.absent;
        b.codes.absent = b.absent;
        search(&b, 5);
        search(&b, s->rows);
        check_scores(&b);
        b.table.absent = NULL;
        b.codes.absent = NULL;
    }
    close_bench(&b);
}

static void test_every_shape(void **state) {
    (void)state;
    static const uint32_t widths[] = {1, 2, 5, 8, 33, 66};
    for (uint32_t rows = 1; rows <= MOST_ROWS; rows++) {
        for (uint32_t k = 1; k <= MOST_INTERESTS; k++) {
            for (size_t w = 0; w < PQ_COUNT(widths); w++) {
                for (int kind = PQ_TABLE_F32; kind < PQ_TABLE_PQ; kind++) {
                    check_shape(&(shape){(pq_table_kind)kind, rows, widths[w], k, 0, 0});
                }
            }
            check_shape(&(shape){PQ_TABLE_PQ, rows, 2, k, 2, 0});
            check_shape(&(shape){PQ_TABLE_PQ, rows, 12, k, 4, 0});
            check_shape(&(shape){PQ_TABLE_PQ, rows, 66, k, 22, 0});
        }
    }
}

static const shape one_of_each[] = {
    {PQ_TABLE_F32, 21, 33, 3, 0, 2}, {PQ_TABLE_F16, 21, 33, 3, 0, 2},
    {PQ_TABLE_I8, 21, 33, 3, 0, 2},  {PQ_TABLE_I4, 21, 33, 3, 0, 2},
    {PQ_TABLE_PQ, 21, 12, 3, 4, 2},  {PQ_TABLE_I8, 21, 12, 3, 4, 2},
};

/* Equal rows have equal scores wherever they stand, the tail included, and come in their order. */
static void test_ties_by_row(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(one_of_each); i++) {
        const shape *s = &one_of_each[i];
        pq_hit hits[MOST_ROWS];
        float scores[MOST_ROWS];
        uint32_t found;
        bench b;
        open_bench(&b);
        fill(&b, s);
        build(&b, s);
        uint32_t better = best_product(&b, 0) > best_product(&b, 1) ? 0 : 1;
        b.scan.count = 16;
        assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
        assert_int_equal(found, 16);
        uint32_t of_better = better == 0 ? 11 : 10;
        for (uint32_t j = 0; j < found; j++) {
            uint32_t row = j < of_better ? 2 * j + better : 2 * (j - of_better) + 1 - better;
            assert_int_equal(hits[j].row, row);
        }
        assert_ok(&b.t.ctx, pq_scan_scores(&b.arena, &b.scan, scores));
        for (uint32_t row = 2; row < s->rows; row++) {
            assert_memory_equal(&scores[row], &scores[row % 2], sizeof(float));
        }
        close_bench(&b);
    }
}

/* A row with a NaN never enters, wherever it stands, however many are wanted. */
static void test_rows_without_a_score(void **state) {
    (void)state;
    static const uint32_t bad[] = {0, 8, 18}; /* a first, a middle and a tail row */
    for (int kind = PQ_TABLE_F32; kind <= PQ_TABLE_F16; kind++) {
        shape s = {(pq_table_kind)kind, 19, 4, 2, 0, 0};
        pq_hit hits[MOST_ROWS];
        float scores[MOST_ROWS];
        uint32_t found;
        bench b;
        open_bench(&b);
        fill(&b, &s);
        for (size_t i = 0; i < PQ_COUNT(bad); i++) {
            set(&b, &s, bad[i], 2, NAN);
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
}

/* An interest that gives no number leaves the item to the others. */
static void test_interest_without_a_score(void **state) {
    (void)state;
    for (int kind = PQ_TABLE_F32; kind <= PQ_TABLE_F16; kind++) {
        shape s = {(pq_table_kind)kind, 19, 4, 2, 0, 0};
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
}

/* Interests of zeros score every row 0: the order is that of the rows. */
static void test_interests_of_zeros(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(one_of_each); i++) {
        shape s = one_of_each[i];
        pq_hit hits[MOST_ROWS];
        uint32_t found;
        bench b;
        s.rows = MOST_ROWS;
        s.distinct = 0;
        open_bench(&b);
        fill(&b, &s);
        memset(b.interests, 0, sizeof(b.interests));
        b.scales[40] = 0; /* a row of zeros is allowed to have that scale */
        build(&b, &s);
        b.scan.count = 9;
        assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
        assert_int_equal(found, 9);
        for (uint32_t j = 0; j < found; j++) {
            assert_int_equal(hits[j].row, j);
            assert_true(hits[j].score == 0);
        }
        close_bench(&b);
    }
}

/* Codes beside rows: the rows give the scores, and a row that has not arrived is scored by its code. */
static void test_codes_and_rows(void **state) {
    (void)state;
    shape s = {PQ_TABLE_I8, 70, 12, 3, 4, 0}, decoded = s;
    pq_hit hits[MOST_ROWS];
    uint32_t found;
    bench b, c;
    open_bench(&b);
    open_bench(&c);
    fill(&b, &s);
    build(&b, &s);
    decoded.kind = PQ_TABLE_PQ;
    fill(&c, &decoded);
    build(&c, &decoded);
    search(&b, 70); /* everything: in the order of the rows' scores */
    for (uint32_t row = 0; row < s.rows; row += 2) {
        pq_exclude(b.absent, row);
        memcpy(b.rows + row * s.cols, c.rows + row * s.cols, s.cols * sizeof(float));
    }
    b.table.absent = b.absent;
    b.scan.count = s.rows;
    assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
    assert_int_equal(found, s.rows);
    for (uint32_t i = 0; i < found; i++) {
        assert_true(CLOSE((double)hits[i].score, best_product(&b, hits[i].row)));
    }
    b.codes.absent = b.absent; /* now neither is there */
    assert_ok(&b.t.ctx, pq_scan_top(&b.arena, &b.scan, hits, &found));
    assert_int_equal(found, s.rows / 2);
    b.codes.absent = NULL;
    close_bench(&b);
    close_bench(&c);
}

/* ---- a large table ---- */

enum { LARGE_ROWS = 40000, LARGE_COLS = 16, LARGE_WANTED = 40 };

/* Rows of random bytes, the last thousands of them repeating the first, and interests of which the first
 * column outweighs the others, as where models have learned a bias. */
typedef struct {
    pq_table table;
    uint8_t *data;
    float *scales, *centroids, interests[5 * LARGE_COLS];
} large;

static void open_large(large *l, testing *t, pq_table_kind kind) {
    const uint32_t bytes = kind == PQ_TABLE_F32   ? 4 * LARGE_COLS
                           : kind == PQ_TABLE_F16 ? 2 * LARGE_COLS
                           : kind == PQ_TABLE_I8  ? LARGE_COLS
                                                  : LARGE_COLS / 2;
    pq_rng rng = pq_rng_make(5, (uint32_t)kind, 0);
    l->data = malloc((size_t)LARGE_ROWS * bytes);
    l->scales = malloc(LARGE_ROWS * sizeof(float));
    l->centroids = malloc(sizeof(float) * 16 * LARGE_COLS * LARGE_COLS);
    assert_true(l->data && l->scales && l->centroids);
    for (size_t i = 0; i < (size_t)LARGE_ROWS * bytes; i++) {
        l->data[i] = i >= 30000 * (size_t)bytes ? l->data[i - 30000 * (size_t)bytes]
                                                : (uint8_t)(1 + pq_rng_below(&rng, 255));
        if (kind == PQ_TABLE_I4) { /* no nibble 0 */
            l->data[i] |= (uint8_t)(((l->data[i] & 15) == 0) | (l->data[i] < 16) << 4);
        } else if (kind == PQ_TABLE_F16) {
            l->data[i] &= i % 2 == 0 ? 0xff : 0xbf; /* below 2 */
        } else if (kind == PQ_TABLE_F32 && i % 4 == 3) {
            l->data[i] = 0x3f | (l->data[i] & 0x80);
        }
    }
    for (uint32_t i = 0; i < LARGE_ROWS; i++) {
        l->scales[i] = i >= 30000 ? l->scales[i - 30000] : 0.01f + 0.001f * (float)(i % 7);
    }
    for (uint32_t i = 0; i < 16 * LARGE_COLS * LARGE_COLS; i++) {
        l->centroids[i] = (float)pq_rng_normal(&rng) / 4;
    }
    for (uint32_t i = 0; i < PQ_COUNT(l->interests); i++) {
        l->interests[i] = (float)pq_rng_normal(&rng) * (i % LARGE_COLS == 0 ? 30 : 1);
    }
    pq_table_parts parts = {.kind = kind,
                            .rows = LARGE_ROWS - 3,
                            .cols = LARGE_COLS,
                            .data = l->data,
                            .scales = l->scales,
                            .codebooks = 2 * bytes,
                            .centroids = l->centroids};
    assert_ok(&t->ctx, pq_table_open(&t->ctx, &l->table, &parts));
}

static void close_large(large *l) {
    pq_table_close(&l->table);
    free(l->data);
    free(l->scales);
    free(l->centroids);
}

/* From the last to the first: tasks do not wait for each other. */
static void run_backwards(void *state, uint32_t count, void (*task)(void *user, uint32_t i),
                          void *user) {
    *(uint32_t *)state = count;
    while (count > 0) {
        task(user, --count);
    }
}

/* The list that sorting all scores gives. */
static void list_by_scores(testing *t, const pq_scan *scan, pq_hit *hits) {
    pq_arena arena;
    pq_best best = {.hits = hits, .capacity = LARGE_WANTED};
    float *scores = malloc(LARGE_ROWS * sizeof(*scores));
    assert_non_null(scores);
    pq_arena_init(&arena, &t->ctx);
    assert_ok(&t->ctx, pq_scan_scores(&arena, scan, scores));
    for (uint32_t row = 0; row < scan->table->rows; row++) {
        if (!pq_has_row(scan->excluded, row)) {
            pq_best_offer(&best, (pq_hit){.row = row, .score = scores[row]});
        }
    }
    pq_best_order(&best);
    pq_arena_free(&arena);
    free(scores);
}

/* Every instruction set and any number of threads give the list that scoring every row gives: to the
 * bit, except of floats, whose scores the kernels round each in their own way. */
static void test_one_list(void **state) {
    (void)state;
    for (int kind = PQ_TABLE_F16; kind <= PQ_TABLE_PQ; kind++) {
        testing t;
        large l;
        pq_hit expected[LARGE_WANTED], hits[LARGE_WANTED];
        uint8_t excluded[LARGE_ROWS / 8 + 1] = {0};
        uint32_t found, tasks = 0;
        bool runnable;
        pq_arena arena;
        testing_open(&t);
        t.ctx.kernels = pq_kernels_find("scalar");
        open_large(&l, &t, (pq_table_kind)kind);
        pq_arena_init(&arena, &t.ctx);
        for (uint32_t interests = 1; interests <= 5; interests++) {
            for (uint32_t row = interests % 7; row < LARGE_ROWS; row += 7) {
                pq_exclude(excluded, row);
            }
            pq_scan scan = {.table = &l.table,
                            .interests = l.interests,
                            .interest_count = interests,
                            .excluded = excluded,
                            .count = LARGE_WANTED};
            list_by_scores(&t, &scan, expected);
            for (uint32_t i = 0; pq_kernels_at(i, &runnable); i++) {
                for (uint32_t threads = 0; runnable && threads <= 3; threads++) {
                    t.ctx.kernels = pq_kernels_at(i, &runnable);
                    t.ctx.parallel = (pq_parallel){threads, run_backwards, &tasks};
                    pq_arena_reset(&arena);
                    assert_ok(&t.ctx, pq_scan_top(&arena, &scan, hits, &found));
                    assert_int_equal(found, LARGE_WANTED);
                    for (uint32_t j = 0; j < found; j++) {
                        assert_int_equal(hits[j].row, expected[j].row);
                        assert_memory_equal(&hits[j].score, &expected[j].score, sizeof(float));
                    }
                }
            }
        }
        assert_int_equal(tasks, 2); /* of 40,000 rows, however many threads there are */
        pq_arena_free(&arena);
        close_large(&l);
        testing_close(&t);
    }
}

static pique_status search_once(testing *t, void *argument) {
    bench *b = argument;
    pq_arena arena;
    pq_hit hits[8];
    uint32_t found;
    t->ctx.kernels = pq_kernels_find("best");
    pq_arena_init(&arena, &t->ctx);
    pique_status status = pq_scan_top(&arena, &b->scan, hits, &found);
    pq_arena_free(&arena);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(one_of_each); i++) {
        bench b;
        open_bench(&b);
        fill(&b, &one_of_each[i]);
        build(&b, &one_of_each[i]);
        b.scan.count = 8;
        testing_fail_each(search_once, &b);
        close_bench(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shape),
        cmocka_unit_test(test_ties_by_row),
        cmocka_unit_test(test_rows_without_a_score),
        cmocka_unit_test(test_interest_without_a_score),
        cmocka_unit_test(test_interests_of_zeros),
        cmocka_unit_test(test_codes_and_rows),
        cmocka_unit_test(test_one_list),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
