/* test_side_file.c — rows beside the data: they are joined by id, and what does not fit is named. */
#include "tests/unit/testing.h"

#include "base/half.h"
#include "file/layout.h"
#include "native/data/fileio.h"
#include "native/data/side_file.h"

#include <math.h>

/* Entries "c", "x", "a"; the data have "a", "b", "c". */
typedef struct {
    const char *ids;
    uint32_t id_offsets[4], id_count;
    float one[6];     /* (3, 2) */
    uint16_t half[6]; /* the same as F16 */
    float several[8]; /* (4, 2): two of "c", none of "x", two of "a" */
    uint32_t offsets[4];
    float table[10]; /* (5, 2), with PAD and UNKNOWN */
    float infinite[6];
    bool model;
} side;

static side good(void) {
    return (side){.ids = "cxa",
                  .id_offsets = {0, 1, 2, 3},
                  .id_count = 3,
                  .one = {1, 2, 3, 4, 5, 6},
                  .half = {0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600},
                  .several = {1, 2, 3, 4, 5, 6, 7, 8},
                  .offsets = {0, 2, 2, 4},
                  .table = {9, 9, 1, 2, 3, 4, 5, 6, 9, 9},
                  .infinite = {1, 2, INFINITY, 4, 5, 6}};
}

static pique_status write_side(pq_ctx *ctx, const side *s, const char *path) {
    pq_writer w;
    void *bytes = NULL;
    size_t size;
    pq_writer_init(&w, ctx);
    if (s->model) {
        pq_writer_text(&w, "pique.version", "1", 1);
    }
    pq_writer_tensor(&w, PQ_ITEM_IDS, PQ_U8, s->id_offsets[s->id_count], 0, s->ids);
    pq_writer_tensor(&w, PQ_ITEM_IDS PQ_OFFSETS_SUFFIX, PQ_U32, s->id_count + 1, 0, s->id_offsets);
    pq_writer_tensor(&w, "one", PQ_F32, 3, 2, s->one);
    pq_writer_tensor(&w, "half", PQ_F16, 3, 2, s->half);
    pq_writer_tensor(&w, "flat", PQ_F32, 6, 0, s->one);
    pq_writer_tensor(&w, "codes", PQ_U8, 3, 1, "abc");
    pq_writer_tensor(&w, "several", PQ_F32, 4, 2, s->several);
    pq_writer_tensor(&w, "several.offsets", PQ_U32, 4, 0, s->offsets);
    pq_writer_tensor(&w, PQ_ITEM_WEIGHT, PQ_F32, 5, 2, s->table);
    pq_writer_tensor(&w, "infinite", PQ_F32, 3, 2, s->infinite);
    pique_status status = pq_writer_build(&w, &bytes, &size);
    if (status == PIQUE_OK) {
        status = pq_file_write(ctx, path, bytes, size, true);
    }
    pq_free(ctx, bytes);
    pq_writer_free(&w);
    return status;
}

static pique_status name_items(pq_ctx *ctx, const char *letters, pq_strings *items) {
    uint32_t number;
    pq_strings_init(items, ctx);
    for (; *letters; letters++) {
        PQ_TRY(pq_strings_add(items, letters, 1, &number));
    }
    return PIQUE_OK;
}

typedef struct {
    testing t;
    char folder[TESTING_PATH], path[TESTING_PATH];
    pq_strings items;
    pq_side_file file;
} fixture;

static pique_status begin(fixture *f, const side *s, const char *items) {
    testing_open(&f->t);
    testing_folder(f->folder);
    testing_path(f->path, f->folder, "side");
    assert_ok(&f->t.ctx, write_side(&f->t.ctx, s, f->path));
    assert_ok(&f->t.ctx, name_items(&f->t.ctx, items, &f->items));
    return pq_side_file_open(&f->file, &f->t.ctx, f->path, &f->items);
}

static void end(fixture *f) {
    pq_side_file_close(&f->file);
    pq_strings_free(&f->items);
    testing_folder_remove(f->folder);
    testing_close(&f->t);
}

static void expect_row(const pq_side_rows *rows, uint32_t item, float a, float b) {
    const float *row = pq_side_row(rows, item);
    assert_non_null(row);
    assert_true(row[0] == a && row[1] == b);
}

static void test_one_row_each(void **state) {
    (void)state;
    const side s = good();
    static const char *const names[] = {"one", "half"};
    fixture f;
    assert_ok(&f.t.ctx, begin(&f, &s, "abc"));
    assert_int_equal(f.file.found, 2);
    assert_int_equal(f.file.lacking, 1);    /* b */
    assert_int_equal(f.file.unexpected, 1); /* x */
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        pq_side_rows rows;
        assert_true(pq_side_file_has(&f.file, names[i]));
        assert_ok(&f.t.ctx, pq_side_file_rows(&f.file, names[i], 2, &rows));
        assert_int_equal(rows.width, 2);
        expect_row(&rows, 1, 5, 6); /* a */
        expect_row(&rows, 3, 1, 2); /* c */
        assert_null(pq_side_row(&rows, 0));
        assert_null(pq_side_row(&rows, 2));
        assert_null(pq_side_row(&rows, 4));
        pq_side_rows_free(&rows);
    }
    end(&f);
}

static void test_several_rows_each(void **state) {
    (void)state;
    const side s = good();
    fixture f;
    pq_side_rows rows;
    assert_ok(&f.t.ctx, begin(&f, &s, "axc"));
    assert_ok(&f.t.ctx, pq_side_file_rows(&f.file, "several", 0, &rows));
    assert_int_equal(rows.total, 4);
    assert_int_equal(rows.counts[1], 2);
    expect_row(&rows, 1, 5, 6);
    assert_int_equal(rows.counts[2], 0); /* x is there and has none */
    assert_null(pq_side_row(&rows, 2));
    expect_row(&rows, 3, 1, 2);
    pq_side_rows_free(&rows);
    end(&f);
}

static void test_model_file(void **state) {
    (void)state;
    side s = good();
    s.model = true;
    fixture f;
    pq_side_rows rows;
    assert_ok(&f.t.ctx, begin(&f, &s, "ca"));
    assert_ok(&f.t.ctx, pq_side_file_rows(&f.file, PQ_ITEM_WEIGHT, 2, &rows));
    expect_row(&rows, 1, 1, 2);
    expect_row(&rows, 2, 5, 6);
    pq_side_rows_free(&rows);
    end(&f);
}

static void expect_refusal(const side *s, const char *name, uint32_t width, pique_status expected,
                           const char *words) {
    fixture f;
    pq_side_rows rows;
    assert_ok(&f.t.ctx, begin(&f, s, "abc"));
    pique_status status = pq_side_file_rows(&f.file, name, width, &rows);
    assert_failure(&f.t.ctx, status, expected, words);
    assert_failure(&f.t.ctx, status, expected, f.path);
    end(&f);
}

static void test_bad_tensors(void **state) {
    (void)state;
    side s = good();
    expect_refusal(&s, "absent", 0, PIQUE_CORRUPT, "tensor \"absent\" is missing");
    expect_refusal(&s, "codes", 0, PIQUE_CORRUPT, "element type U8 where F32 or F16 belongs");
    expect_refusal(&s, "flat", 0, PIQUE_CORRUPT, "not a matrix");
    expect_refusal(&s, "one", 3, PIQUE_DATA, "\"one\" has rows of width 2, not 3");
    expect_refusal(&s, PQ_ITEM_WEIGHT, 2, PIQUE_CORRUPT, "has 5 rows for 3 ids");
    expect_refusal(&s, "infinite", 2, PIQUE_CORRUPT, "element 2 is not a finite number");
    s.offsets[1] = 3;
    expect_refusal(&s, "several", 2, PIQUE_CORRUPT, "\"several.offsets\" falls at entry 1");
    s = good();
    s.offsets[3] = 5;
    expect_refusal(&s, "several", 2, PIQUE_CORRUPT, "runs from 0 to 5, not 0 to 4");
    s = good();
    s.offsets[0] = 1;
    expect_refusal(&s, "several", 2, PIQUE_CORRUPT, "runs from 1 to 4, not 0 to 4");
    s = good();
    s.model = true; /* then there must be rows of PAD and UNKNOWN */
    expect_refusal(&s, "one", 2, PIQUE_CORRUPT, "has 3 rows for 3 ids");
}

static void test_bad_ids(void **state) {
    (void)state;
    side s = good();
    fixture f;
    s.ids = "cac";
    assert_failure(&f.t.ctx, begin(&f, &s, "abc"), PIQUE_CORRUPT, "\"c\" stands twice");
    end(&f);
    s = good();
    s.id_offsets[1] = 3;
    assert_failure(&f.t.ctx, begin(&f, &s, "abc"), PIQUE_CORRUPT, "fall at number 1");
    end(&f);
    s = good();
    assert_failure(&f.t.ctx, begin(&f, &s, "yz"), PIQUE_DATA, "none of its 3 ids");
    end(&f);
    assert_ok(&f.t.ctx, begin(&f, &s, "abc"));
    pq_side_file_close(&f.file);
    testing_write_text(f.path, "no container at all");
    assert_failure(&f.t.ctx, pq_side_file_open(&f.file, &f.t.ctx, f.path, &f.items), PIQUE_CORRUPT,
                   f.path);
    end(&f);
}

static pique_status read_once(testing *t, void *path) {
    pq_strings items;
    pq_side_file file;
    pq_side_rows rows;
    pique_status status = name_items(&t->ctx, "abc", &items);
    if (status == PIQUE_OK) {
        status = pq_side_file_open(&file, &t->ctx, path, &items);
    }
    if (status == PIQUE_OK) {
        status = pq_side_file_rows(&file, "half", 2, &rows);
        pq_side_rows_free(&rows);
        pq_side_file_close(&file);
    }
    pq_strings_free(&items);
    return status;
}

static void test_short_memory(void **state) {
    (void)state;
    const side s = good();
    fixture f;
    assert_ok(&f.t.ctx, begin(&f, &s, "abc"));
    testing_fail_each(read_once, f.path);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_row_each), cmocka_unit_test(test_several_rows_each),
        cmocka_unit_test(test_model_file),   cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_bad_ids),      cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
