/* test_json.c — numbers as text, text that grows, and reading JSON. */
#include "testing.h"

#include "base/decimal.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/text.h"

#include <float.h>
#include <math.h>

/* ---- numbers ---- */

static void test_print_known_numbers(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-2.5, "-2.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789, "123456789"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {0.000001, "0.000001"},
        {1e-7, "1e-7"},
        {-1.25e-9, "-1.25e-9"},
        {5e-324, "5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"}, /* the largest subnormal */
        {DBL_MAX, "1.7976931348623157e+308"},
        {9007199254740993.0, "9007199254740992"},
        {5.684341886080802e-14, "5.684341886080802e-14"}, /* a power of two: uneven neighbours */
        {4.35, "4.35"},
        {2.0 / 3, "0.6666666666666666"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        char text[PQ_DECIMAL_SIZE];
        size_t size = pq_decimal_print(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(size, strlen(text));
    }
}

static double random_double(pq_rng *rng) {
    for (;;) {
        uint64_t bits = pq_rng_next(rng);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (isfinite(value)) {
            return value;
        }
    }
}

/* Significant digits of a number's text. */
static int digits_of(const char *text) {
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text == '0') {
            zeros += count > 0;
        } else if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* Against the C library, which is exact in both directions on the machines that build this. */
static void test_numbers_read_back_and_are_shortest(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(1, 0, 0);
    for (int i = 0; i < 20000; i++) {
        double value = i % 2 ? random_double(&rng) : (float)random_double(&rng) * 1e-3;
        value = isfinite(value) ? value : 0.5;
        char text[PQ_DECIMAL_SIZE], shorter[64];
        size_t size = pq_decimal_print(value, text);
        double again;
        assert_true(pq_decimal_parse(text, size, &again));
        assert_memory_equal(&again, &value, sizeof(value));
        assert_true(strtod(text, NULL) == value);
        int digits = digits_of(text);
        assert_true(digits <= 17);
        if (digits > 1) {
            snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, value);
            assert_true(strtod(shorter, NULL) != value);
        }
    }
}

static void test_parse_against_the_library(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(2, 0, 0);
    for (int i = 0; i < 20000; i++) {
        char text[64];
        int size = 0;
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%llu",
                         (unsigned long long)(pq_rng_next(&rng) >> pq_rng_below(&rng, 60)));
        size += snprintf(text + size, sizeof(text) - (size_t)size, ".%llu",
                         (unsigned long long)(pq_rng_next(&rng) >> pq_rng_below(&rng, 60)));
        size += snprintf(text + size, sizeof(text) - (size_t)size, "e%d",
                         (int)pq_rng_below(&rng, i % 2 ? 640 : 40) - (i % 2 ? 340 : 20));
        double value, expected = strtod(text, NULL);
        bool good = pq_decimal_parse(text, (size_t)size, &value);
        assert_int_equal(good, isfinite(expected));
        assert_true(!good || value == expected);
    }
}

/* Halves between neighbouring doubles, with something tiny behind them or not. */
static void test_parse_rounds_ties_to_even(void **state) {
    (void)state;
    char text[1200];
    double value;
    for (int i = 0; i < 200; i++) {
        pq_rng rng = pq_rng_make(3, 0, (uint64_t)i);
        double low = i < 100 ? fabs(random_double(&rng)) : (double)i * 5e-324;
        if (low > 1e300) {
            continue;
        }
        /* The middle is exact as a long double with its 64 bits, but for subnormals. */
        int size;
        if (i < 100) {
            long double middle = ((long double)low + (long double)nextafter(low, HUGE_VAL)) / 2;
            size = snprintf(text, sizeof(text), "%.1080Le", middle);
        } else {
            long double middle = ldexpl((long double)i + 0.5L, -1074);
            size = snprintf(text, sizeof(text), "%.1080Le", middle);
        }
        assert_true(pq_decimal_parse(text, (size_t)size, &value));
        assert_true(value == strtod(text, NULL));
        char *exponent = strchr(text, 'e');
        exponent[-1] = '1'; /* beyond the digits that are kept */
        assert_true(pq_decimal_parse(text, (size_t)size, &value));
        assert_true(value == strtod(text, NULL));
    }
}

static void test_parse_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",    "-",     "+",   ".",     "e5",           "1e",
        "1e+", "1 ",    " 1",  "1.2.3", "0x10",         "nan",
        "inf", "1e309", "--1", "1,5",   "1e9999999999", "1.7976931348623159e308"};
    double value = 7;
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        if (pq_decimal_parse(bad[i], strlen(bad[i]), &value)) {
            fail_msg("\"%s\" was read as a number", bad[i]);
        }
    }
    static const struct {
        const char *text;
        double value;
    } good[] = {{"+1", 1},        {".5", .5},           {"5.", 5},
                {"-.25e1", -2.5}, {"0e99999999999", 0}, {"1e-99999999999", 0},
                {"007", 7},       {"2e-324", 0},        {"3e-324", 5e-324}};
    for (size_t i = 0; i < PQ_COUNT(good); i++) {
        assert_true(pq_decimal_parse(good[i].text, strlen(good[i].text), &value));
        assert_true(value == good[i].value);
    }
}

/* ---- text ---- */

static void test_text_grows(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_text text;
    pq_text_init(&text, &t.ctx);
    for (int i = 0; i < 300; i++) {
        pq_text_add(&text, "%d,", i % 10);
    }
    pq_text_bytes(&text, "", 0);
    pq_text_number(&text, 0.5);
    pq_text_number(&text, NAN);
    pq_text_number(&text, -HUGE_VAL);
    assert_ok(&t.ctx, pq_text_status(&text));
    assert_int_equal(text.size, 600 + 3 + 4 + 4);
    assert_memory_equal(text.data, "0,1,2,", 6);
    assert_string_equal(text.data + 598, "9,0.5nullnull");
    pq_text_free(&text);
    testing_close(&t);
}

static void test_text_escapes(void **state) {
    (void)state;
    static const struct {
        const char *raw;
        const char *json;
    } cases[] = {
        {"", "\"\""},
        {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
        {"\b\f\n\r\t\x01\x1f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\""},
        {"\x7f", "\"\x7f\""},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},                 /* overlong */
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
        {"\xf4\x90\x80\x80x", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\""},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pq_text text;
        pq_text_init(&text, &t.ctx);
        pq_text_json(&text, cases[i].raw, strlen(cases[i].raw));
        assert_ok(&t.ctx, pq_text_status(&text));
        assert_string_equal(text.data, cases[i].json);
        pq_text_free(&text);
    }
    testing_close(&t);
}

/* ---- JSON ---- */

static pique_status parse(testing *t, const char *text, pq_json *json) {
    return pq_json_parse(&t->ctx, text, strlen(text), "the test", json);
}

static void test_json_access(void **state) {
    (void)state;
    static const char source[] =
        " {\"s\":\"\", \"a\": [1, -2.5e1, {}, [] , \"x\"], \"b\" : {\"c\":true, \"d\":null},\r\n\t"
        "\"big\":18446744073709551615, \"bigger\":18446744073709551616} ";
    testing t;
    testing_open(&t);
    pq_json json;
    assert_ok(&t.ctx, parse(&t, source, &json));
    assert_true(pq_json_is_object(&json, PQ_JSON_ROOT));
    assert_int_equal(pq_json_size(&json, PQ_JSON_ROOT), 5);
    int a = pq_json_find(&json, PQ_JSON_ROOT, "a");
    assert_true(pq_json_is_array(&json, a));
    assert_int_equal(pq_json_size(&json, a), 5);
    int at = pq_json_first(&json, a);
    double number;
    uint64_t whole;
    assert_true(pq_json_unsigned(&json, at, &whole) && whole == 1);
    at = pq_json_next(&json, at);
    assert_true(pq_json_number(&json, at, &number) && number == -25);
    assert_false(pq_json_unsigned(&json, at, &whole));
    at = pq_json_next(&json, at);
    assert_true(pq_json_is_object(&json, at));
    assert_int_equal(pq_json_first(&json, at), -1);
    at = pq_json_next(&json, pq_json_next(&json, at));
    assert_true(pq_json_is_string(&json, at));
    assert_false(pq_json_number(&json, at, &number));
    assert_int_equal(pq_json_next(&json, at), -1);
    int b = pq_json_find(&json, PQ_JSON_ROOT, "b");
    assert_int_equal(pq_json_size(&json, b), 2);
    pq_span span = pq_json_span(&json, pq_json_find(&json, b, "c"));
    assert_int_equal(span.size, 4);
    assert_memory_equal(span.bytes, "true", 4);
    assert_false(pq_json_number(&json, pq_json_find(&json, b, "d"), &number));
    assert_int_equal(pq_json_find(&json, PQ_JSON_ROOT, "c"), -1);
    assert_int_equal(pq_json_find(&json, a, "a"), -1);
    assert_int_equal(pq_json_find(&json, -1, "a"), -1);
    assert_true(pq_json_unsigned(&json, pq_json_find(&json, PQ_JSON_ROOT, "big"), &whole) &&
                whole == UINT64_MAX);
    assert_false(pq_json_unsigned(&json, pq_json_find(&json, PQ_JSON_ROOT, "bigger"), &whole));
    int members = 0;
    for (at = pq_json_first(&json, PQ_JSON_ROOT); at >= 0; at = pq_json_next(&json, at)) {
        assert_true(pq_json_is_string(&json, at));
        members++;
    }
    assert_int_equal(members, 5);
    pq_json_free(&json);
    testing_close(&t);
}

static void test_json_strings(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_json json;
    assert_ok(&t.ctx, parse(&t,
                            "[\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\","
                            "\"\\u0041\\u00fC\\u20AC\\ud83d\\ude00\\uD7FF!\",3]",
                            &json));
    size_t size;
    char *text = pq_json_string(&json, 1, &size);
    assert_string_equal(text, "a\"\\/\b\f\n\r\t");
    assert_int_equal(size, 9);
    pq_free(&t.ctx, text);
    text = pq_json_string(&json, 2, NULL);
    assert_string_equal(text, "A\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xed\x9f\xbf!");
    pq_free(&t.ctx, text);
    assert_null(pq_json_string(&json, 3, NULL));
    assert_non_null(strstr(t.ctx.error, "not a string"));
    pq_json_free(&json);
    testing_close(&t);
}

static void test_json_accepts(void **state) {
    (void)state;
    static const char *const good[] = {
        "1",
        "-0",
        "0.5e-3",
        "\"x\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[[],[[]],{}]",
        "{\"\":0}",
        "\n[ 1 ,\t2 ]\r\n",
        "[\"[{\\\\\\\"\",\"]\"]",
        "{\"a\":{\"b\":[{\"c\":1},2]},\"d\":[]}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"};
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(good); i++) {
        pq_json json;
        assert_ok(&t.ctx, parse(&t, good[i], &json));
        pq_json_free(&json);
    }
    testing_close(&t);
}

static void test_json_refuses(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *reason;
    } bad[] = {
        {"", "missing"},
        {"  ", "missing"},
        {"{", "ends too early"},
        {"[1", "ends too early"},
        {"\"abc", "ends too early"},
        {"]", "invalid"},
        {"[}", "invalid"},
        {"{]", "invalid"},
        {"[1,]", "unexpected"},
        {"[,1]", "unexpected"},
        {"[1,,2]", "unexpected"},
        {"[1 2]", "comma"},
        {"[[]1]", "comma"},
        {"[1]2", "unexpected"},
        {"[1][2]", "unexpected"},
        {"1,", "unexpected"},
        {"1 2", "unexpected"},
        {"{}{}", "unexpected"},
        {"{\"a\"}", "value is missing"},
        {"{\"a\":}", "value is missing"},
        {"{\"a\" 1}", "colon"},
        {"{\"a\",1}", "unexpected"},
        {"{\"a\":1,}", "unexpected"},
        {"{\"a\":1 \"b\":2}", "unexpected"},
        {"{\"a\"::1}", "unexpected"},
        {"{\"a\":1:2}", "unexpected"},
        {"{1:2}", "key"},
        {"{[]:2}", "key"},
        {"{a:1}", "key"},
        {"[\"a\":1]", "unexpected"},
        {"'a'", "not a JSON value"},
        {"tru", "not a JSON value"},
        {"True", "not a JSON value"},
        {"nulll", "not a JSON value"},
        {"NaN", "not a JSON value"},
        {"-", "not a JSON value"},
        {"+1", "not a JSON value"},
        {"01", "not a JSON value"},
        {"1.", "not a JSON value"},
        {".5", "not a JSON value"},
        {"1e", "not a JSON value"},
        {"1e+", "not a JSON value"},
        {"0x1", "not a JSON value"},
        {"1\"\"", "unexpected"},
        {"[a\",[[[]]]]", "unexpected"},
        {"1{\"a\"", "unexpected"},
        {"\"\\x\"", "invalid"},
        {"\"\\u12g4\"", "invalid"},
        {"\"\\u12\"", "invalid"},
        {"\"\\u0000\"", "NUL"},
        {"\"\\ud800\"", "surrogate"},
        {"\"\\ud800x\"", "surrogate"},
        {"\"\\ud800\\n12345\"", "surrogate"},
        {"\"\\ud800\\ud800\"", "surrogate"},
        {"\"\\udc00\\ud800\"", "surrogate"},
        {"\"\\udc00\\udc00\"", "surrogate"},
        {"\"a\nb\"", "control character"},
        {"{\"a\tb\":1}", "control character"},
        {"\"\xff\"", "UTF-8"},
        {"\"\xe2\x82\"", "UTF-8"},
        {"\xef\xbb\xbf{}", "unexpected"},
        {"[1]//", "unexpected"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "deeper than 32"},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        pq_json json;
        pique_status status = parse(&t, bad[i].text, &json);
        if (status != PIQUE_CORRUPT || !strstr(t.ctx.error, bad[i].reason) ||
            !strstr(t.ctx.error, "the test: line ")) {
            fail_msg("%s gives %d: %s", bad[i].text, (int)status, t.ctx.error);
        }
        assert_int_equal(t.live, 0);
    }
    pq_json json;
    assert_failure(&t.ctx, pq_json_parse(&t.ctx, "[1]\0", 4, "the test", &json), PIQUE_CORRUPT,
                   "NUL byte");
    assert_failure(&t.ctx, parse(&t, "{\n \"a\": 1,\n \"b\": x}", &json), PIQUE_CORRUPT,
                   "line 3, column 7: not a JSON value");
    testing_close(&t);
}

/* jsmn alone needs the square of the depth for this. */
static void test_json_deep_nesting_is_cheap(void **state) {
    (void)state;
    enum { N = 1 << 22 };
    testing t;
    testing_open(&t);
    char *text = malloc(N);
    assert_non_null(text);
    memset(text, '[', N / 2);
    memset(text + N / 2, ']', N / 2);
    pq_json json;
    assert_failure(&t.ctx, pq_json_parse(&t.ctx, text, N, "the test", &json), PIQUE_CORRUPT,
                   "deeper than 32");
    free(text);
    testing_close(&t);
}

static pique_status parse_and_copy(testing *t, void *argument) {
    (void)argument;
    pq_json json;
    PQ_TRY(parse(t, "{\"a\": [1, 2], \"b\": \"x\\ny\"}", &json));
    pq_text text;
    pq_text_init(&text, &t->ctx);
    char *copy = pq_json_string(&json, pq_json_find(&json, PQ_JSON_ROOT, "b"), NULL);
    pique_status status = PIQUE_NO_MEMORY;
    if (copy) {
        pq_text_json(&text, copy, strlen(copy));
        pq_text_add(&text, "%060d", 1);
        pq_text_number(&text, 1.5);
        status = pq_text_status(&text);
    }
    pq_free(&t->ctx, copy);
    pq_text_free(&text);
    pq_json_free(&json);
    return status;
}

static void test_json_without_memory(void **state) {
    (void)state;
    testing_fail_each(parse_and_copy, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_known_numbers),
        cmocka_unit_test(test_numbers_read_back_and_are_shortest),
        cmocka_unit_test(test_parse_against_the_library),
        cmocka_unit_test(test_parse_rounds_ties_to_even),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_text_grows),
        cmocka_unit_test(test_text_escapes),
        cmocka_unit_test(test_json_access),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_accepts),
        cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_json_deep_nesting_is_cheap),
        cmocka_unit_test(test_json_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
