/* test_table.c — base/table.h: every element of a table is found again where the layout puts it. */
#include "testing.h"

#include "base/table.h"

#define MOST_ROWS 27
#define MOST_COLS 9

/* Small numbers that are exact in both kinds, none of them 0. */
static int value(uint32_t row, uint32_t col) {
    int v = (int)((row * 31 + col * 7) % 120);
    return v < 60 ? v - 60 : v - 59;
}

static float scale(uint32_t row) {
    return 0.25f * (float)(row + 1);
}

typedef struct {
    pq_table_kind kind;
    uint32_t rows, cols;
    float floats[MOST_ROWS * MOST_COLS];
    int8_t bytes[MOST_ROWS * MOST_COLS];
    float scales[MOST_ROWS];
} sample;

static void make(sample *s, pq_table_kind kind, uint32_t rows, uint32_t cols) {
    memset(s, 0, sizeof(*s));
    s->kind = kind;
    s->rows = rows;
    s->cols = cols;
    for (uint32_t r = 0; r < rows; r++) {
        s->scales[r] = scale(r);
        for (uint32_t c = 0; c < cols; c++) {
            s->floats[r * cols + c] = (float)value(r, c);
            s->bytes[r * cols + c] = (int8_t)value(r, c);
        }
    }
}

static pique_status open_sample(testing *t, pq_table *table, sample *s) {
    if (s->kind == PQ_TABLE_F32) {
        return pq_table_open(&t->ctx, table, s->kind, s->rows, s->cols, s->floats, NULL);
    }
    return pq_table_open(&t->ctx, table, s->kind, s->rows, s->cols, s->bytes, s->scales);
}

/* The element of a block by the layout that table.h draws, not by the library's formula. */
static int stored(const pq_table *table, const void *block, uint32_t lane, uint32_t col) {
    if (table->kind == PQ_TABLE_F32) {
        const float *line = (const float *)block + (size_t)col * 8;
        return (int)line[lane];
    }
    const int8_t *pairs = (const int8_t *)block + (size_t)(col / 2) * 16;
    return pairs[2 * lane + col % 2];
}

static void check(pq_table_kind kind, uint32_t rows, uint32_t cols) {
    testing t;
    sample s;
    pq_table table;
    testing_open(&t);
    make(&s, kind, rows, cols);
    assert_ok(&t.ctx, open_sample(&t, &table, &s));
    assert_int_equal(pq_table_blocks(&table), (rows + 7) / 8);
    const uint32_t stored_cols = kind == PQ_TABLE_I8 ? cols + cols % 2 : cols;
    for (uint32_t b = 0; b < pq_table_blocks(&table); b++) {
        const void *block = pq_table_block(&table, b);
        for (uint32_t lane = 0; lane < 8; lane++) {
            for (uint32_t c = 0; c < stored_cols; c++) {
                uint32_t row = 8 * b + lane;
                int expected = row < rows && c < cols ? value(row, c) : 0;
                assert_int_equal(stored(&table, block, lane, c), expected);
            }
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        float out[MOST_COLS];
        pq_table_row(&table, r, out);
        for (uint32_t c = 0; c < cols; c++) {
            float expected = (float)value(r, c) * (kind == PQ_TABLE_I8 ? scale(r) : 1);
            assert_true(out[c] == expected);
        }
    }
    pq_table_close(&table);
    testing_close(&t);
}

static void test_layout(void **state) {
    (void)state;
    for (uint32_t rows = 0; rows <= MOST_ROWS; rows++) {
        for (uint32_t cols = 1; cols <= MOST_COLS; cols++) {
            check(PQ_TABLE_F32, rows, cols);
            check(PQ_TABLE_I8, rows, cols);
        }
    }
}

/* Whole blocks of an even width are not copied: a catalogue must fit into memory once. */
static void test_in_place(void **state) {
    (void)state;
    testing t;
    sample s;
    pq_table table;
    testing_open(&t);
    make(&s, PQ_TABLE_I8, 16, 4);
    assert_ok(&t.ctx, open_sample(&t, &table, &s));
    assert_ptr_equal(pq_table_block(&table, 0), s.bytes);
    assert_int_equal(t.live, 0);
    pq_table_close(&table);
    make(&s, PQ_TABLE_F32, 16, 5);
    assert_ok(&t.ctx, open_sample(&t, &table, &s));
    assert_ptr_equal(pq_table_block(&table, 1), s.floats + 8 * 5);
    assert_int_equal(t.live, 0);
    pq_table_close(&table);
    testing_close(&t);
}

static void test_refused(void **state) {
    (void)state;
    testing t;
    pq_table table;
    float floats[8] = {0};
    int8_t bytes[8] = {0};
    testing_open(&t);
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, PQ_TABLE_F32, 8, 0, floats, NULL),
                   PIQUE_ARGUMENT, "width");
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, PQ_TABLE_F32, 1, UINT32_MAX, floats, NULL),
                   PIQUE_ARGUMENT, "4294967295");
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, PQ_TABLE_I8, 8, 1, bytes, NULL),
                   PIQUE_ARGUMENT, "scales");
    pq_table_close(&table);
    testing_close(&t);
}

static pique_status open_and_close(testing *t, void *argument) {
    sample s;
    pq_table table;
    make(&s, PQ_TABLE_I8, 13, *(uint32_t *)argument);
    PQ_TRY(open_sample(t, &table, &s));
    pq_table_close(&table);
    return PIQUE_OK;
}

static void test_no_memory(void **state) {
    (void)state;
    uint32_t even = 4, odd = 5;
    testing_fail_each(open_and_close, &even);
    testing_fail_each(open_and_close, &odd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
