/* test_fields.c — lists of strings, and tables of options. */
#include "testing.h"

#include "base/fields.h"
#include "base/strings.h"
#include "models/model.h"
#include "native/train/options.h"

#include <math.h>

/* ---- strings ---- */

static void add_many(pq_strings *strings, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        uint32_t number;
        int size = snprintf(name, sizeof(name), "item-%lu", (unsigned long)i * 7919);
        assert_ok(strings->ctx, pq_strings_add(strings, name, (size_t)size, &number));
        assert_int_equal(number, i);
    }
}

static void test_strings_number_in_order(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_strings strings;
    pq_strings_init(&strings, &t.ctx);
    assert_int_equal(pq_strings_find(&strings, "a", 1), PQ_NOT_FOUND);
    add_many(&strings, 5000);
    uint32_t number;
    size_t size;
    assert_ok(&t.ctx, pq_strings_add(&strings, "", 0, &number));
    assert_int_equal(number, 5000);
    assert_ok(&t.ctx, pq_strings_add(&strings, "a\0b", 3, &number));
    assert_ok(&t.ctx, pq_strings_add(&strings, "item-7919 and more", 9, &number));
    assert_int_equal(number, 1);
    assert_int_equal(strings.count, 5002);
    assert_int_equal(pq_strings_find(&strings, "a\0b", 3), 5001);
    assert_int_equal(pq_strings_find(&strings, "a\0c", 3), PQ_NOT_FOUND);
    assert_int_equal(pq_strings_find(&strings, "a", 1), PQ_NOT_FOUND);
    assert_int_equal(pq_strings_find(&strings, "", 0), 5000);
    const char *text = pq_strings_get(&strings, 4999, &size);
    assert_int_equal(size, strlen("item-39587081"));
    assert_memory_equal(text, "item-39587081", size);
    assert_null(pq_strings_get(&strings, 5002, &size));
    assert_int_equal(size, 0);
    pq_strings_free(&strings);
    pq_strings_free(&strings); /* again does nothing */
    testing_close(&t);
}

static void test_strings_borrow(void **state) {
    (void)state;
    static const char bytes[] = "onetwothree";
    const uint32_t offsets[] = {0, 3, 6, 6, 11};
    testing t;
    testing_open(&t);
    pq_strings strings;
    assert_ok(&t.ctx, pq_strings_borrow(&strings, &t.ctx, bytes, 11, offsets, 4));
    assert_int_equal(pq_strings_find(&strings, "three", 5), 3);
    assert_int_equal(pq_strings_find(&strings, "", 0), 2);
    assert_int_equal(pq_strings_find(&strings, "four", 4), PQ_NOT_FOUND);
    uint32_t number;
    assert_failure(&t.ctx, pq_strings_add(&strings, "four", 4, &number), PIQUE_INTERNAL,
                   "cannot grow");
    pq_strings_free(&strings);
    const uint32_t none[] = {0};
    assert_ok(&t.ctx, pq_strings_borrow(&strings, &t.ctx, bytes, 0, none, 0));
    assert_int_equal(pq_strings_find(&strings, "one", 3), PQ_NOT_FOUND);
    pq_strings_free(&strings);
    testing_close(&t);
}

static void test_strings_borrow_refuses(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t offsets[4];
        const char *reason;
    } cases[] = {
        {"abcabx", {1, 2, 4, 6}, "not 0 to 6"},
        {"abcabx", {0, 2, 4, 5}, "not 0 to 6"},
        {"abcabx", {0, 2, 4, 7}, "not 0 to 6"},
        {"abcabx", {0, 4, 2, 6}, "fall at number 1"},
        {"abcabx", {0, 4000000000u, 4, 6}, "fall at number 1"},
        {"ababcd", {0, 2, 4, 6}, "\"ab\" stands twice, as number 0 and 1"},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pq_strings strings;
        assert_failure(&t.ctx,
                       pq_strings_borrow(&strings, &t.ctx, cases[i].bytes, 6, cases[i].offsets, 3),
                       PIQUE_CORRUPT, cases[i].reason);
        assert_int_equal(t.live, 0);
    }
}

static pique_status fill_strings(testing *t, void *argument) {
    (void)argument;
    pq_strings strings;
    pq_strings_init(&strings, &t->ctx);
    pique_status status = PIQUE_OK;
    for (uint32_t i = 0; i < 200 && status == PIQUE_OK; i++) {
        uint32_t number;
        char name[8] = {(char)('a' + i % 16), (char)('a' + i / 16), 'x'};
        status = pq_strings_add(&strings, name, 8, &number);
        assert_true(status != PIQUE_OK || (number == i && strings.count == i + 1));
    }
    for (uint32_t i = 0; i < strings.count; i++) { /* what was added stays */
        char name[8] = {(char)('a' + i % 16), (char)('a' + i / 16), 'x'};
        assert_int_equal(pq_strings_find(&strings, name, 8), i);
    }
    pq_strings_free(&strings);
    return status;
}

static void test_strings_without_memory(void **state) {
    (void)state;
    testing_fail_each(fill_strings, NULL);
}

/* ---- fields ---- */

typedef struct {
    double rate;
    int32_t width;
    bool wide;
    int32_t mode;
} options;

static const pq_field fields[] = {
    PQ_FIELD("width", offsetof(options, width), "int 1 1024", "64", "36", NULL, "Width D"),
    PQ_FIELD("rate", offsetof(options, rate), "real 0 1", ".001", NULL, "0.01", "Step \"lr\""),
    PQ_FIELD("wide", offsetof(options, wide), "bool", "1", "false", NULL, ""),
    PQ_FIELD("mode", offsetof(options, mode), "one,two,three", "two", NULL, "three", "How"),
    {.name = NULL},
};

static pq_span span(const char *text) {
    return (pq_span){.bytes = text, .size = strlen(text)};
}

static void test_presets(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    options o;
    assert_ok(&t.ctx, pq_fields_preset(&t.ctx, fields, &o, "best"));
    assert_true(o.width == 64 && o.rate == 0.001 && o.wide && o.mode == 1);
    assert_ok(&t.ctx, pq_fields_preset(&t.ctx, fields, &o, "seed"));
    assert_true(o.width == 36 && o.rate == 0.001 && !o.wide && o.mode == 1);
    assert_ok(&t.ctx, pq_fields_preset(&t.ctx, fields, &o, "paper"));
    assert_true(o.width == 64 && o.rate == 0.01 && o.wide && o.mode == 2);
    assert_failure(&t.ctx, pq_fields_preset(&t.ctx, fields, &o, "worst"), PIQUE_ARGUMENT,
                   "\"worst\" is not one of best, seed, paper");
    assert_true(pq_fields_has(fields, "mode", 4));
    assert_false(pq_fields_has(fields, "mode", 3));
    testing_close(&t);
}

static void test_set(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *message; /* message NULL: accepted */
    } cases[] = {
        {"width", "1", NULL},
        {"width", "1e3", NULL},
        {"width", "0", "option width: \"0\" is not a whole number from 1 to 1024"},
        {"width", "1025", "from 1 to 1024"},
        {"width", "2.5", "\"2.5\" is not a whole number"},
        {"width", "", "\"\" is not a whole number"},
        {"width", "12x", "\"12x\""},
        {"width", "nan", "\"nan\""},
        {"rate", "0.25", NULL},
        {"rate", "-0.1", "option rate: \"-0.1\" is not a number from 0 to 1"},
        {"rate", "1e-400000", NULL},
        {"wide", "true", NULL},
        {"wide", "0", NULL},
        {"wide", "yes", "option wide: \"yes\" is not true or false"},
        {"mode", "three", NULL},
        {"mode", "thre", "option mode: \"thre\" is not one of one,two,three"},
        {"mode", "", "option mode: \"\""},
        {"mode", "one,two", "is not one of"},
        {"Mode", "one", "there is no option \"Mode\""},
    };
    testing t;
    testing_open(&t);
    options o = {.width = 5};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pique_status status =
            pq_fields_set(&t.ctx, fields, &o, span(cases[i].name), span(cases[i].value));
        if (cases[i].message) {
            assert_failure(&t.ctx, status, PIQUE_ARGUMENT, cases[i].message);
        } else {
            assert_ok(&t.ctx, status);
        }
    }
    assert_true(o.width == 1000 && o.rate == 0 && !o.wide && o.mode == 2);
    testing_close(&t);
}

static void test_read_and_write(void **state) {
    (void)state;
    static const char source[] =
        "{\"other\": [], \"width\": 128, \"rate\": 0.3, \"mode\": \"one\", \"wide\": false}";
    testing t;
    testing_open(&t);
    options o, again;
    pq_json json;
    pq_text text;
    assert_ok(&t.ctx, pq_fields_preset(&t.ctx, fields, &o, "best"));
    assert_ok(&t.ctx, pq_json_parse(&t.ctx, source, strlen(source), "config", &json));
    assert_ok(&t.ctx, pq_fields_read(&t.ctx, fields, &o, &json, PQ_JSON_ROOT));
    pq_json_free(&json);
    assert_true(o.width == 128 && o.rate == 0.3 && !o.wide && o.mode == 0);

    pq_text_init(&text, &t.ctx);
    pq_text_add(&text, "{");
    pq_fields_write(fields, &o, &text);
    pq_text_add(&text, "}");
    assert_string_equal(text.data,
                        "{\"width\": 128, \"rate\": 0.3, \"wide\": false, \"mode\": \"one\"}");
    assert_ok(&t.ctx, pq_fields_preset(&t.ctx, fields, &again, "paper"));
    assert_ok(&t.ctx, pq_json_parse(&t.ctx, text.data, text.size, "config", &json));
    assert_ok(&t.ctx, pq_fields_read(&t.ctx, fields, &again, &json, PQ_JSON_ROOT));
    assert_true(again.width == 128 && again.rate == 0.3 && !again.wide && again.mode == 0);
    pq_json_free(&json);
    pq_text_free(&text);
    testing_close(&t);
}

static void test_read_refuses(void **state) {
    (void)state;
    static const struct {
        const char *source, *message;
    } cases[] = {
        {"{\"width\": \"128\"}", "option width: 128 is not a number"},
        {"{\"width\": null}", "option width: \"null\" is not a whole number"},
        {"{\"width\": [1]}", "option width: \"[1]\""},
        {"{\"wide\": \"true\"}", "option wide: true is not a truth value"},
        {"{\"mode\": 1}", "option mode: 1 is not a string"},
        {"{\"rate\": 2}", "from 0 to 1"},
    };
    testing t;
    testing_open(&t);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        options o;
        pq_json json;
        const char *source = cases[i].source;
        assert_ok(&t.ctx, pq_json_parse(&t.ctx, source, strlen(source), "config", &json));
        assert_failure(&t.ctx, pq_fields_read(&t.ctx, fields, &o, &json, PQ_JSON_ROOT),
                       PIQUE_ARGUMENT, cases[i].message);
        pq_json_free(&json);
    }
    testing_close(&t);
}

static void test_describe(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_text text;
    pq_json json;
    pq_text_init(&text, &t.ctx);
    pq_fields_describe(fields, &text);
    assert_ok(&t.ctx, pq_text_status(&text));
    assert_ok(&t.ctx, pq_json_parse(&t.ctx, text.data, text.size, "description", &json));
    assert_int_equal(pq_json_size(&json, PQ_JSON_ROOT), 4);
    assert_non_null(strstr(text.data,
                           "{\"name\": \"rate\", \"type\": \"real\", \"default\": 0.001, "
                           "\"seed\": 0.001, \"paper\": 0.01, \"min\": 0, \"max\": 1, "
                           "\"help\": \"Step \\\"lr\\\"\"}"));
    assert_non_null(strstr(text.data,
                           "\"default\": \"two\", \"seed\": \"two\", \"paper\": \"three\", "
                           "\"choices\": [\"one\", \"two\", \"three\"]"));
    assert_non_null(strstr(text.data, "\"type\": \"bool\", \"default\": true, \"seed\": false"));
    pq_json_free(&json);
    pq_text_free(&text);
    testing_close(&t);
}

/* A run's settings are those of its model and of training, by one name each. */
static void test_no_name_has_two_meanings(void **state) {
    (void)state;
    for (uint32_t i = 0; pq_model_at(i); i++) {
        for (const pq_field *field = pq_model_at(i)->fields; field->name; field++) {
            if (pq_fields_has(pq_train_fields, field->name, strlen(field->name))) {
                fail_msg("%s: \"%s\" is an option of training too", pq_model_at(i)->name,
                         field->name);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_number_in_order),
        cmocka_unit_test(test_strings_borrow),
        cmocka_unit_test(test_strings_borrow_refuses),
        cmocka_unit_test(test_strings_without_memory),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_no_name_has_two_meanings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
