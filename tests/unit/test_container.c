/* test_container.c — the model file's container: what is written is read back, and of everything else
 * the reader says what is wrong. */
#include "testing.h"

#include "base/rng.h"
#include "file/container.h"
#include "native/quant/quantise.h"

#include <math.h>

/* A container of the given header and `data_size` bytes of data; the test calls free. */
static void *make(const char *header, size_t data_size, size_t *size) {
    size_t length = strlen(header);
    *size = 8 + length + data_size;
    unsigned char *bytes = calloc(1, *size);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    memcpy(bytes + 8, header, length);
    return bytes;
}

/* A small file with a tensor of most types. */
static const float weights[6] = {1, -2, 0.5f, 0, 3e-40f, -1e30f};
static const int8_t codes[3] = {1, -127, 127};
static const uint32_t counts[2] = {7, 4000000000u};
static const double wide[1] = {0.1};
static const uint16_t halves[2] = {0x3c00, 0xfbff};

static pique_status write_small(pq_ctx *ctx, void **bytes, size_t *size) {
    pq_writer writer;
    pq_writer_init(&writer, ctx);
    pq_writer_text(&writer, "pique.card", "line one\n\"two\" \xe2\x82\xac", 18);
    pq_writer_text(&writer, "pique.version", "1", 1);
    pq_writer_tensor(&writer, "codes", PQ_I8, 1, 3, codes);
    pq_writer_tensor(&writer, "weights", PQ_F32, 3, 2, weights);
    pq_writer_tensor(&writer, "halves", PQ_F16, 2, 0, halves);
    pq_writer_tensor(&writer, "counts", PQ_U32, 2, 0, counts);
    pq_writer_tensor(&writer, "wide", PQ_F64, 1, 0, wide);
    pq_writer_tensor(&writer, "none", PQ_U8, 0, 0, NULL);
    pique_status status = pq_writer_build(&writer, bytes, size);
    pq_writer_free(&writer);
    return status;
}

static void expect(const pq_container *c, const char *name, pq_dtype dtype, uint32_t rows,
                   uint32_t cols, const void *data) {
    const pq_tensor *tensor;
    assert_ok(c->ctx, pq_container_get(c, name, dtype, rows, cols, &tensor));
    assert_int_equal((uintptr_t)tensor->data % pq_dtype_size(dtype), 0);
    assert_memory_equal(tensor->data, data, tensor->count * pq_dtype_size(dtype));
}

static void expect_small(const pq_container *c) {
    assert_int_equal(c->count, 6);
    expect(c, "codes", PQ_I8, 1, 3, codes);
    expect(c, "weights", PQ_F32, 3, 2, weights);
    expect(c, "halves", PQ_F16, 2, 0, halves);
    expect(c, "counts", PQ_U32, 2, 0, counts);
    expect(c, "wide", PQ_F64, 1, 0, wide);
    assert_int_equal(pq_container_find(c, "none")->count, 0);
}

static void test_round_trip(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    void *bytes, *again;
    size_t size, again_size;
    pq_container c;
    assert_ok(&t.ctx, write_small(&t.ctx, &bytes, &size));
    assert_ok(&t.ctx, write_small(&t.ctx, &again, &again_size));
    assert_int_equal(size, again_size);
    assert_memory_equal(bytes, again, size); /* nothing but the content decides */
    pq_free(&t.ctx, again);

    assert_ok(&t.ctx, pq_container_open(&t.ctx, bytes, size, &c));
    expect_small(&c);
    assert_null(c.aside);                                         /* our own files need no copies */
    assert_int_equal(((const unsigned char *)bytes)[0] % 64, 56); /* data begin at 64 n */
    char *text;
    assert_ok(&t.ctx, pq_container_text(&c, "pique.card", &text));
    assert_string_equal(text, "line one\n\"two\" \xe2\x82\xac");
    pq_free(&t.ctx, text);
    assert_ok(&t.ctx, pq_container_text(&c, "pique.absent", &text));
    assert_null(text);
    pq_container_close(&c);
    pq_free(&t.ctx, bytes);
    testing_close(&t);
}

static void test_get_names_what_is_wrong(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    void *bytes;
    size_t size;
    pq_container c;
    const pq_tensor *tensor;
    assert_ok(&t.ctx, write_small(&t.ctx, &bytes, &size));
    assert_ok(&t.ctx, pq_container_open(&t.ctx, bytes, size, &c));
    assert_failure(&t.ctx, pq_container_get(&c, "bias", PQ_F32, 3, 2, &tensor), PIQUE_CORRUPT,
                   "tensor \"bias\" is missing");
    assert_failure(&t.ctx, pq_container_get(&c, "weights", PQ_I8, 3, 2, &tensor), PIQUE_CORRUPT,
                   "tensor \"weights\": element type F32 where I8 belongs");
    assert_failure(&t.ctx, pq_container_get(&c, "weights", PQ_F32, 2, 3, &tensor), PIQUE_CORRUPT,
                   "tensor \"weights\": shape 3 x 2 of 2 dimensions where 2 x 3 belongs");
    assert_failure(&t.ctx, pq_container_get(&c, "weights", PQ_F32, 3, 0, &tensor), PIQUE_CORRUPT,
                   "where 3 x 0 belongs");
    assert_failure(&t.ctx, pq_container_get(&c, "counts", PQ_U32, 2, 1, &tensor), PIQUE_CORRUPT,
                   "of 1 dimensions where 2 x 1 belongs");
    pq_container_close(&c);
    pq_free(&t.ctx, bytes);
    testing_close(&t);
}

static void test_writer_refuses_what_the_reader_would(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"a", "a"}, {"a", "__metadata__"}, {"a", ""}, {"a", "b\"c"}, {"a", "b\\c"}};
    testing t;
    testing_open(&t);
    void *bytes;
    size_t size;
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        pq_writer writer;
        pq_writer_init(&writer, &t.ctx);
        pq_writer_tensor(&writer, names[i][0], PQ_I8, 3, 0, codes);
        pq_writer_tensor(&writer, names[i][1], PQ_I8, 3, 0, codes);
        assert_failure(&t.ctx, pq_writer_build(&writer, &bytes, &size), PIQUE_CORRUPT, "tensor \"");
        assert_null(bytes);
        pq_writer_free(&writer);
    }
    pq_writer writer;
    pq_writer_init(&writer, &t.ctx);
    pq_writer_text(&writer, "key", "1", 1);
    pq_writer_text(&writer, "key", "2", 1);
    assert_failure(&t.ctx, pq_writer_build(&writer, &bytes, &size), PIQUE_CORRUPT,
                   "metadata \"key\" stands twice");
    pq_writer_free(&writer);
    testing_close(&t);
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" offsets "]}"

static void test_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        const char *reason;
    } cases[] = {
        {"{" TENSOR("a", "F32", "[2]", "0,8") "}", 9, "9 bytes of data, its tensors need 8"},
        {"{" TENSOR("a", "F32", "[2]", "0,8") "}", 7, "7 bytes of data, its tensors need 8"},
        {"{}", 1, "1 bytes of data"},
        {"{" TENSOR("a", "F32", "[2]", "0,4") "}", 4,
         "\"a\": the shape needs 8 bytes, the file has 4"},
        {"{" TENSOR("a", "I8", "[4]", "0,4") "," TENSOR("b", "I8", "[4]", "2,6") "}", 6,
         "\"b\": its data overlap"},
        {"{" TENSOR("a", "I8", "[4]", "0,4") "," TENSOR("b", "I8", "[4]", "0,4") "}", 4, "overlap"},
        {"{" TENSOR("a", "I8", "[4]", "0,4") "," TENSOR("b", "I8", "[4]", "5,9") "}", 9,
         "\"b\": there is a gap"},
        {"{" TENSOR("a", "I8", "[4]", "1,5") "}", 5, "\"a\": there is a gap"},
        {"{" TENSOR("a", "I8", "[4]", "4,0") "}", 4, "data_offsets"},
        {"{" TENSOR("a", "I8", "[4]", "-4,0") "}", 4, "data_offsets"},
        {"{" TENSOR("a", "I8", "[4]", "0.0,4") "}", 4, "data_offsets"},
        {"{" TENSOR("a", "I8", "[4]", "0,4,5") "}", 4, "data_offsets"},
        {"{" TENSOR("a", "I8", "[4]", "18446744073709551612,18446744073709551616") "}", 4,
         "data_offsets"},
        {"{" TENSOR("a", "I8", "[4]", "9223372036854775808,9223372036854775812") "}", 4,
         "data_offsets"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":4}}", 4, "data_offsets"},
        {"{" TENSOR("a", "F33", "[2]", "0,8") "}", 8, "\"a\": the element type F33 is not known"},
        {"{" TENSOR("a", "f32", "[2]", "0,8") "}", 8, "is not known"},
        {"{" TENSOR("a", "", "[2]", "0,8") "}", 8, "is not known"},
        {"{\"a\":{\"dtype\":1,\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "is not known"},
        {"{" TENSOR("a", "I8", "[-4]", "0,4") "}", 4, "\"a\": a dimension"},
        {"{" TENSOR("a", "I8", "[4.5]", "0,4") "}", 4, "a dimension"},
        {"{" TENSOR("a", "I8", "[1e1]", "0,10") "}", 10, "a dimension"},
        {"{" TENSOR("a", "I8", "[4294967296]", "0,4") "}", 4, "a dimension"},
        {"{" TENSOR("a", "I8", "[[4]]", "0,4") "}", 4, "a dimension"},
        {"{" TENSOR("a", "I8", "4", "0,4") "}", 4, "the shape is not an array"},
        {"{" TENSOR("a", "I8", "[1,1,1,1,4]", "0,4") "}", 4, "more than four dimensions"},
        {"{" TENSOR("a", "F64", "[4294967295,4294967295,4294967295]", "0,8") "}", 8, "too large"},
        {"{" TENSOR("a", "F64", "[2147483648,4294967295]", "0,8") "}", 8, "too large"},
        {"{" TENSOR("a", "F64", "[536870912,4294967295]", "0,8") "}", 8, "the shape needs"},
        {"{" TENSOR("a", "I8", "[4]", "0,4") "," TENSOR("a", "I8", "[4]", "4,8") "}", 8,
         "tensor \"a\" stands twice"},
        {"{" TENSOR("a\\n", "I8", "[4]", "0,4") "}", 4, "escape"},
        {"{" TENSOR("", "I8", "[4]", "0,4") "}", 4, "empty"},
        {"{\"a\":4}", 4, "\"a\": not an object of"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[4]}}", 4, "not an object of"},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}}", 4,
         "not an object of"},
        {"{\"a\":{\"dtype\":\"I8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
         "not an object of"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "metadata \"k\" is not a string"},
        {"{\"__metadata__\":{\"k\":{}}}", 0, "metadata \"k\" is not a string"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "metadata \"k\" stands twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "stands twice"},
        {"{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0, "NUL"},
        {"[]", 0, "not a JSON object"},
        {" {}", 0, "not a JSON object"},
        {"{} x", 0, "line 1, column 4: unexpected"},
        {"{\"a\":NaN}", 0, "not a JSON value"},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        size_t size;
        void *bytes = make(cases[i].header, cases[i].data_size, &size);
        pq_container c;
        pique_status status = pq_container_open(&t.ctx, bytes, size, &c);
        if (status != PIQUE_CORRUPT || !strstr(t.ctx.error, cases[i].reason)) {
            fail_msg("%s gives %d: %s", cases[i].header, (int)status, t.ctx.error);
        }
        assert_int_equal(t.live, 0);
        free(bytes);
    }
}

static void test_foreign_layouts(void **state) {
    (void)state;
    /* Tensors out of order and at odd offsets, a scalar, empty ones, unpadded header. */
    static const char header[] =
        "{" TENSOR("odd", "F32", "[2]", "3,11") "," TENSOR("first", "I8", "[3]", "0,3") "," TENSOR(
            "scalar", "F64", "[]", "11,19") "," TENSOR("empty", "F32", "[0,7]",
                                                       "3,3") "," TENSOR("deep", "U8", "[1,2,1,2]",
                                                                         "19,23") "}   ";
    testing t;
    testing_open(&t);
    size_t size, total;
    unsigned char *bytes = make(header, 23, &size);
    const double scalar = 2.5;
    memcpy(bytes + size - 23 + 3, weights, 8);
    memcpy(bytes + size - 23 + 11, &scalar, 8);
    for (size_t count = 0; count <= size; count++) { /* size is known with the header, not before */
        assert_ok(&t.ctx, pq_container_size(&t.ctx, bytes, count, &total));
        assert_int_equal(total, count < size - 23 ? 0 : size);
    }
    pq_container c;
    assert_ok(&t.ctx, pq_container_open(&t.ctx, bytes, size, &c));
    assert_int_equal(c.count, 5);
    expect(&c, "odd", PQ_F32, 2, 0, weights);
    const pq_tensor *tensor = pq_container_find(&c, "scalar");
    assert_int_equal(tensor->rank, 0);
    assert_int_equal((uintptr_t)tensor->data % 8, 0);
    assert_true(*(const double *)tensor->data == 2.5);
    assert_int_equal(pq_container_find(&c, "deep")->rank, 4);
    assert_int_equal(pq_container_find(&c, "empty")->count, 0);
    pq_container_close(&c);
    free(bytes);
    testing_close(&t);
}

static void test_not_a_model(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } cases[] = {
        {"", 0, "only 0 bytes"},
        {"1234567", 7, "only 7 bytes"},
        {"<!DOCTYPE html><html>", 21, "not a model file"},
        {"\x1f\x8b\x08\0\0\0\0\0\0\0", 10, "compressed with gzip"},
        {"\1\0\0\0\0\0\0\0{", 9, "not a model file"},
        {"\1\xe1\xf5\5\0\0\0\0{}", 10, "not a model file"}, /* 100,000,001 */
        {"\0\xe1\xf5\5\0\0\0\0{}", 10, "ends inside its header"},
        {"\3\0\0\0\0\0\0\0{}", 10, "ends inside its header"},
        {"\2\0\0\0\0\0\0\1{}", 10, "not a model file"},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        char *bytes = malloc(cases[i].size + 1);
        assert_non_null(bytes);
        memcpy(bytes, cases[i].bytes, cases[i].size);
        pq_container c;
        assert_failure(&t.ctx, pq_container_open(&t.ctx, bytes, cases[i].size, &c), PIQUE_CORRUPT,
                       cases[i].reason);
        free(bytes);
    }
    size_t total;
    assert_failure(&t.ctx, pq_container_size(&t.ctx, "\2\0\0\0\0\0\0\0[", 9, &total), PIQUE_CORRUPT,
                   "no JSON object");
    assert_failure(&t.ctx, pq_container_size(&t.ctx, "<!DOCTYPE", 8, &total), PIQUE_CORRUPT,
                   "not a model file");
    testing_close(&t);
}

/* Copies into a block of exactly that size, so that a sanitizer sees one byte too many. */
static pique_status open_copy(testing *t, const void *bytes, size_t size) {
    void *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    pq_container c;
    t->ctx.error[0] = 0;
    pique_status status = pq_container_open(&t->ctx, copy, size, &c);
    if (status == PIQUE_OK) {
        for (uint32_t i = 0; i < c.count; i++) {
            (void)pq_tensor_finite(&t->ctx, &c.tensors[i]); /* touches all data */
        }
        pq_container_close(&c);
    } else {
        assert_int_equal(status, PIQUE_CORRUPT);
        assert_true(t->ctx.error[0] != 0);
    }
    free(copy);
    assert_int_equal(t->live, 1); /* the original */
    return status;
}

static void test_every_truncation_fails(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    void *bytes;
    size_t size;
    assert_ok(&t.ctx, write_small(&t.ctx, &bytes, &size));
    assert_int_equal(open_copy(&t, bytes, size), PIQUE_OK);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(open_copy(&t, bytes, cut), PIQUE_CORRUPT);
    }
    pq_free(&t.ctx, bytes);
}

static void test_every_bit_flip_is_survived(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    void *block;
    size_t size;
    assert_ok(&t.ctx, write_small(&t.ctx, &block, &size));
    unsigned char *bytes = block;
    size_t header = 8 + bytes[0] + 256u * bytes[1];
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        pique_status status = open_copy(&t, bytes, size);
        if (bit < 64) {
            assert_int_equal(status, PIQUE_CORRUPT); /* any other length of the header */
        }
        if (bit >= header * 8) {
            assert_int_equal(status, PIQUE_OK);
        }
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    pq_free(&t.ctx, block);
}

static void test_finite(void **state) {
    (void)state;
    const float bad_f32[] = {1, 2, NAN, 3}, good_f32[] = {3.4e38f, -3.4e38f, 1e-45f};
    const double bad_f64[] = {0, -HUGE_VAL}, good_f64[] = {1.7e308};
    const uint16_t bad_f16[] = {0x7c00}, nan_f16[] = {0x3c00, 0xfe00},
                   good_f16[] = {0x7bff, 0x83ff};
    const struct {
        const void *data;
        pq_dtype dtype;
        size_t count;
        const char *message; /* NULL: finite */
    } cases[] = {
        {bad_f32, PQ_F32, 4, "tensor \"w\": element 2 is not a finite number"},
        {bad_f64, PQ_F64, 2, "element 1"},
        {bad_f16, PQ_F16, 1, "element 0"},
        {nan_f16, PQ_F16, 2, "element 1"},
        {good_f32, PQ_F32, 3, NULL},
        {good_f64, PQ_F64, 1, NULL},
        {good_f16, PQ_F16, 2, NULL},
        {bad_f32, PQ_U32, 4, NULL},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pq_tensor tensor = {.name = {"w", 1},
                            .dtype = cases[i].dtype,
                            .count = cases[i].count,
                            .data = (void *)cases[i].data};
        pique_status status = pq_tensor_finite(&t.ctx, &tensor);
        if (cases[i].message) {
            assert_failure(&t.ctx, status, PIQUE_CORRUPT, cases[i].message);
        } else {
            assert_int_equal(status, PIQUE_OK);
        }
    }
}

static pique_status write_and_open(testing *t, void *argument) {
    void *bytes;
    size_t size;
    pq_container c;
    char *text = NULL;
    PQ_TRY(write_small(&t->ctx, &bytes, &size));
    char *shifted = argument; /* odd addresses, so that there is a copy to be made as well */
    memcpy(shifted + 1, bytes, size);
    pique_status status = pq_container_open(&t->ctx, shifted + 1, size, &c);
    if (status == PIQUE_OK) {
        expect_small(&c);
        status = pq_container_text(&c, "pique.card", &text);
        pq_free(&t->ctx, text);
        pq_container_close(&c);
    }
    pq_free(&t->ctx, bytes);
    return status;
}

static void test_without_memory(void **state) {
    (void)state;
    static char room[4096];
    testing_fail_each(write_and_open, room);
}

static void test_quantise(void **state) {
    (void)state;
    enum { ROWS = 5, COLS = 9 };
    float rows[ROWS * COLS], scales[ROWS];
    int8_t q[ROWS * COLS];
    pq_rng rng = pq_rng_make(1, 0, 0);
    for (int i = 0; i < 2 * COLS; i++) {
        rows[i] = (float)pq_rng_normal(&rng) * (i < COLS ? 1.0f : 1e-20f);
    }
    for (int i = 0; i < COLS; i++) {
        rows[2 * COLS + i] = 0;
        rows[3 * COLS + i] = i == 0 ? 127.0f : (float)i + 0.5f - (i > 4 ? 10.0f : 0.0f); /* ties */
        rows[4 * COLS + i] = i == 0 ? 2.6e-43f : -2.6e-43f; /* subnormal */
    }
    pq_quantise_rows(rows, ROWS, COLS, false, q, scales);
    for (int r = 0; r < 2; r++) {
        int largest = 0;
        for (int i = r * COLS; i < (r + 1) * COLS; i++) {
            assert_true(fabs(rows[i] - scales[r] * q[i]) <= 0.50001 * scales[r]);
            largest = abs(q[i]) > largest ? abs(q[i]) : largest;
        }
        assert_int_equal(largest, 127);
    }
    assert_true(scales[2] == 0 && q[2 * COLS] == 0 && q[2 * COLS + 8] == 0);
    const int8_t ties[COLS] = {127, 2, 2, 4, 4, -4, -4, -2, -2};
    assert_true(scales[3] == 1);
    assert_memory_equal(q + 3 * COLS, ties, COLS);
    assert_int_equal(q[4 * COLS], 127);
    assert_int_equal(q[4 * COLS + 1], -127);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_get_names_what_is_wrong),
        cmocka_unit_test(test_writer_refuses_what_the_reader_would),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_foreign_layouts),
        cmocka_unit_test(test_not_a_model),
        cmocka_unit_test(test_every_truncation_fails),
        cmocka_unit_test(test_every_bit_flip_is_survived),
        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_quantise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
