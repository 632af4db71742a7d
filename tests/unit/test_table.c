/* test_table.c — base/table.h: every element of a table is found again where the layout puts it. */
#include "testing.h"

#include "base/half.h"
#include "base/table.h"

enum { MOST_ROWS = 70, MOST_COLS = 66, MOST_GROUPS = 3, MOST_BOOKS = 66 };

typedef struct {
    pq_table_kind kind;
    uint32_t rows, cols;
    uint32_t codebooks; /* of PQ */
} shape;

typedef struct {
    shape s;
    uint8_t bytes[MOST_ROWS * MOST_COLS * 4], before[MOST_ROWS * MOST_COLS * 4];
    float scales[MOST_ROWS * MOST_GROUPS];
    float centroids[MOST_BOOKS * 16 * MOST_COLS];
} sample;

/* A small number for the place, exact in halves, none of them 0. */
static int value(uint32_t row, uint32_t col, int most) {
    int v = (int)((row * 31 + col * 7) % (2 * (uint32_t)most));
    return v < most ? v - most : v - most + 1;
}

static uint32_t row_bytes(const shape *s) {
    switch (s->kind) {
    case PQ_TABLE_F32:
        return 4 * s->cols;
    case PQ_TABLE_F16:
        return 2 * s->cols;
    case PQ_TABLE_I8:
        return s->cols;
    case PQ_TABLE_I4:
        return (s->cols + 1) / 2;
    default:
        return s->codebooks / 2;
    }
}

static uint32_t code(uint32_t row, uint32_t m) {
    return (row * 5 + m * 3 + row / 16) % 16;
}

/* Row-major, as a file holds it. */
static void fill_row(const shape *s, uint32_t row, uint8_t *to) {
    memset(to, 0, row_bytes(s));
    for (uint32_t c = 0; s->kind != PQ_TABLE_PQ && c < s->cols; c++) {
        float number = (float)value(row, c, 60);
        uint16_t half = pq_half_from_float(number);
        if (s->kind == PQ_TABLE_F32) {
            memcpy(to + 4 * c, &number, 4);
        } else if (s->kind == PQ_TABLE_F16) {
            memcpy(to + 2 * c, &half, 2);
        } else if (s->kind == PQ_TABLE_I8) {
            to[c] = (uint8_t)(int8_t)value(row, c, 60);
        } else {
            to[c / 2] |= (uint8_t)((value(row, c, 7) + 8) << (c % 2 * 4));
        }
    }
    if (s->kind == PQ_TABLE_I4 && s->cols % 2 == 1) {
        to[s->cols / 2] |= 8 << 4;
    }
    for (uint32_t m = 0; s->kind == PQ_TABLE_PQ && m < s->codebooks; m++) {
        to[m / 2] |= (uint8_t)(code(row, m) << (m % 2 * 4));
    }
}

static pq_table_parts make(sample *f, const shape *s) {
    memset(f, 0, sizeof(*f));
    f->s = *s;
    for (uint32_t r = 0; r < s->rows; r++) {
        fill_row(s, r, f->bytes + (size_t)r * row_bytes(s));
    }
    memcpy(f->before, f->bytes, sizeof(f->bytes));
    for (uint32_t i = 0; i < MOST_ROWS * MOST_GROUPS; i++) {
        f->scales[i] = 0.25f * (float)(i + 1);
    }
    for (uint32_t i = 0; i < 16 * s->codebooks * s->cols; i++) {
        f->centroids[i] = (float)value(i / 16, i, 9);
    }
    return (pq_table_parts){.kind = s->kind,
                            .rows = s->rows,
                            .cols = s->cols,
                            .data = f->bytes,
                            .scales = f->scales,
                            .codebooks = s->codebooks,
                            .centroids = f->centroids};
}

/* Byte i of the lane in a block by the layout that table.h draws, not by the library's formula. */
static unsigned stored(const shape *s, const uint8_t *block, uint32_t lane, uint32_t i) {
    if (s->kind == PQ_TABLE_F32) {
        return block[i / 4 * 32 + lane * 4 + i % 4];
    }
    if (s->kind == PQ_TABLE_PQ) { /* two codes of a row stand in two lines */
        unsigned low = block[2 * i * 16 + lane % 16], high = block[(2 * i + 1) * 16 + lane % 16];
        return lane < 16 ? (low & 15u) | (high & 15u) << 4 : low >> 4 | (high & 0xf0u);
    }
    return block[i / 2 * 16 + lane * 2 + i % 2];
}

static float expected(const sample *f, uint32_t row, uint32_t col) {
    const shape *s = &f->s;
    float sum = 0;
    switch (s->kind) {
    case PQ_TABLE_I8:
        return (float)value(row, col, 60) * f->scales[row];
    case PQ_TABLE_I4:
        return (float)value(row, col, 7) * f->scales[row * ((s->cols + 31) / 32) + col / 32];
    case PQ_TABLE_PQ:
        for (uint32_t m = 0; m < s->codebooks; m++) { /* whole numbers: exact */
            sum += f->centroids[(16 * m + code(row, m)) * s->cols + col];
        }
        return sum;
    default:
        return (float)value(row, col, 60);
    }
}

static void check_rows(const sample *f, const pq_table *table) {
    const shape *s = &f->s;
    const uint32_t lanes = s->kind == PQ_TABLE_PQ ? 32 : 8, size = row_bytes(s);
    assert_int_equal(table->block_rows, lanes);
    assert_int_equal(pq_table_blocks(table), (s->rows + lanes - 1) / lanes);
    for (uint32_t row = 0; row < pq_table_blocks(table) * lanes; row++) {
        for (uint32_t i = 0; i < size; i++) {
            unsigned byte = row < s->rows ? f->before[row * size + i] : 0;
            const void *block = pq_table_block(table, row / lanes);
            assert_int_equal(stored(s, block, row % lanes, i), byte);
        }
    }
    for (uint32_t row = 0; row < s->rows; row++) {
        float out[MOST_COLS];
        pq_table_row(table, row, out);
        for (uint32_t c = 0; c < s->cols; c++) {
            assert_true(out[c] == expected(f, row, c));
        }
        for (uint32_t m = 0; s->kind == PQ_TABLE_PQ && m < s->codebooks; m++) {
            assert_int_equal(pq_table_code(table, row, m), code(row, m));
        }
    }
}

/* The same rows opened at once, and arriving in parts in a table of zeros. */
static void check(const shape *s) {
    testing t;
    sample f;
    pq_table table;
    testing_open(&t);
    pq_table_parts parts = make(&f, s);
    assert_ok(&t.ctx, pq_table_open(&t.ctx, &table, &parts));
    check_rows(&f, &table);
    pq_table_close(&table);
    memset(f.bytes, 0, sizeof(f.bytes));
    assert_ok(&t.ctx, pq_table_open(&t.ctx, &table, &parts));
    uint32_t size = row_bytes(s), first = s->rows / 3, second = s->rows / 2;
    pq_table_put(&table, second, s->rows - second, f.before + second * size);
    pq_table_put(&table, 0, first, f.before);
    pq_table_put(&table, first, second - first, f.before + first * size);
    pq_table_put(&table, 0, s->rows, f.before); /* again: what was there is replaced */
    check_rows(&f, &table);
    pq_table_close(&table);
    testing_close(&t);
}

static void test_layout(void **state) {
    (void)state;
    for (uint32_t rows = 0; rows <= 27; rows++) {
        for (uint32_t cols = 1; cols <= 9; cols++) {
            for (int kind = PQ_TABLE_F32; kind < PQ_TABLE_PQ; kind++) {
                check(&(shape){(pq_table_kind)kind, rows, cols, 0});
            }
        }
    }
    for (uint32_t cols = 30; cols <= MOST_COLS; cols++) { /* around the groups of int4 */
        check(&(shape){PQ_TABLE_I4, 11, cols, 0});
    }
    for (uint32_t rows = 0; rows <= MOST_ROWS; rows++) {
        check(&(shape){PQ_TABLE_PQ, rows, 2, 2});
        check(&(shape){PQ_TABLE_PQ, rows, 12, 4});
        check(&(shape){PQ_TABLE_PQ, rows, 13, 6});
        check(&(shape){PQ_TABLE_PQ, rows, 66, 66});
    }
}

/* Whole blocks of rows that fill their units are not copied: a catalogue must fit into memory once. */
static void test_in_place(void **state) {
    (void)state;
    static const shape shapes[] = {{PQ_TABLE_F32, 64, 5, 0},
                                   {PQ_TABLE_F16, 64, 5, 0},
                                   {PQ_TABLE_I8, 64, 4, 0},
                                   {PQ_TABLE_I4, 64, 64, 0},
                                   {PQ_TABLE_PQ, 64, 64, 32}};
    testing t;
    sample f;
    pq_table table;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        pq_table_parts parts = make(&f, &shapes[i]);
        assert_ok(&t.ctx, pq_table_open(&t.ctx, &table, &parts));
        assert_ptr_equal(pq_table_block(&table, 0), f.bytes);
        assert_int_equal(table.block_size, table.block_rows * row_bytes(&shapes[i]));
        assert_int_equal(t.live, 0);
        pq_table_close(&table);
    }
    testing_close(&t);
}

static void test_refused(void **state) {
    (void)state;
    testing t;
    sample f;
    pq_table table;
    testing_open(&t);
    pq_table_parts parts = make(&f, &(shape){PQ_TABLE_F32, 8, 1, 0});
    parts.cols = 0;
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, &parts), PIQUE_ARGUMENT, "width");
    parts.cols = UINT32_MAX;
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, &parts), PIQUE_ARGUMENT, "4294967295");
    parts.cols = 8;
    parts.scales = NULL;
    for (int kind = PQ_TABLE_I8; kind <= PQ_TABLE_I4; kind++) {
        parts.kind = (pq_table_kind)kind;
        assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, &parts), PIQUE_ARGUMENT, "scales");
    }
    parts.kind = PQ_TABLE_PQ;
    static const uint32_t bad[] = {0, 1, 5, 10}; /* none; odd; more than columns */
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        parts.codebooks = bad[i];
        assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, &parts), PIQUE_ARGUMENT,
                       "8 columns cannot have");
    }
    parts.codebooks = 8;
    parts.centroids = NULL;
    assert_failure(&t.ctx, pq_table_open(&t.ctx, &table, &parts), PIQUE_ARGUMENT, "8 codebooks");
    pq_table_close(&table);
    testing_close(&t);
}

static pique_status open_and_close(testing *t, void *argument) {
    sample f;
    pq_table table;
    pq_table_parts parts = make(&f, argument);
    PQ_TRY(pq_table_open(&t->ctx, &table, &parts));
    pq_table_close(&table);
    return PIQUE_OK;
}

static void test_no_memory(void **state) {
    (void)state;
    shape shapes[] = {{PQ_TABLE_I8, 13, 4, 0}, {PQ_TABLE_I8, 13, 5, 0}, {PQ_TABLE_PQ, 37, 4, 2}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        testing_fail_each(open_and_close, &shapes[i]);
    }
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
