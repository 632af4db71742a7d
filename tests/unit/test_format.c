/* test_format.c — pq_format beside the C library's snprintf, on every form that it knows. */
#include "testing.h"

#include "base/format.h"
#include "base/rng.h"

#include <limits.h>

/* Both write the same bytes and return the same length, whatever the room; nothing behind is touched. */
#define assert_same(capacity, ...)                                                                 \
    do {                                                                                           \
        char ours[600], theirs[600];                                                               \
        memset(ours, '~', sizeof(ours));                                                           \
        memset(theirs, '~', sizeof(theirs));                                                       \
        size_t whole = pq_format(ours, (capacity), __VA_ARGS__);                                   \
        assert_int_equal(whole, snprintf(theirs, (capacity), __VA_ARGS__));                        \
        assert_memory_equal(ours, theirs, sizeof(ours));                                           \
    } while (0)

static void test_forms(void **state) {
    (void)state;
    assert_same(600, "%s", "");
    assert_same(600, "plain, 100%% of it");
    assert_same(600, "%s|%s", "one", "two");
    assert_same(600, "%.3s|%.0s|%.20s|", "abcdef", "gone", "short");
    assert_same(600, "%.*s|%.*s|%.*s", 2, "abc", 0, "gone", -1, "whole");
    assert_same(600, "%.64s.%u", "name", 7u);
    assert_same(600, "%u %u %u", 0u, 10u, UINT_MAX);
    assert_same(600, "%lu %lu %lu", 0ul, 1234567890ul, ULONG_MAX);
    assert_same(600, "%d %d %d %d", 0, -1, INT_MIN, INT_MAX);
    assert_same(600, "option %s: \"%.*s\" is not one of %s (%d, %u, %lu)%%", "dim", 3, "12x", "a,b",
                -5, 6u, 7ul);
}

static void test_a_text_without_a_terminator_is_not_read_beyond_its_length(void **state) {
    (void)state;
    char *bytes = malloc(3); /* the sanitizer sees a fourth */
    assert_non_null(bytes);
    memcpy(bytes, "abc", 3);
    char text[8];
    assert_int_equal(pq_format(text, sizeof(text), "%.*s", 3, bytes), 3);
    assert_string_equal(text, "abc");
    free(bytes);
}

static void test_every_room(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < 40; capacity++) {
        assert_same(capacity, "ab%scd%.4se%u%lu%d%%f", "0123456789", "xyzuvw", 987u, 65432ul, -10);
    }
    assert_int_equal(pq_format(NULL, 0, "%s", "length alone"), 12);
}

static void test_random_arguments(void **state) {
    (void)state;
    pq_rng rng = pq_rng_make(20240901, 0, 0);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        uint32_t length = pq_rng_below(&rng, sizeof(text));
        for (uint32_t i = 0; i < length; i++) {
            text[i] = (char)(1 + pq_rng_below(&rng, 255));
        }
        text[length] = 0;
        uint32_t bits = pq_rng_below(&rng, UINT32_MAX) >> pq_rng_below(&rng, 32);
        unsigned long wide = ((unsigned long)bits << 31) >> pq_rng_below(&rng, 32);
        int most = (int)pq_rng_below(&rng, 30) - 2;
        size_t capacity = pq_rng_below(&rng, 100);
        assert_same(capacity, "%s-%u,%.*s %lu%%%d%.7s", text, (unsigned)bits, most, text, wide,
                    (int)bits, text);
    }
}

/* The compiler's check of formats knows more forms than pq_format; through a pointer it says nothing. */
static void test_an_unknown_form_shows(void **state) {
    (void)state;
    static const char *const formats[] = {"a%f|%s", "a%5d|%s", "a%x", "a%-3s", "a%ld", "a%",
                                          "a%llu",  "a%c",     "a%p", "a%zu",  "a%i",  "a%.3d"};
    size_t (*volatile format)(char *, size_t, const char *, ...) = pq_format;
    for (size_t i = 0; i < PQ_COUNT(formats); i++) {
        char text[32];
        assert_int_equal(format(text, sizeof(text), formats[i], 1, "not reached"), 3);
        assert_string_equal(text, "a%?");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_text_without_a_terminator_is_not_read_beyond_its_length),
        cmocka_unit_test(test_every_room),
        cmocka_unit_test(test_random_arguments),
        cmocka_unit_test(test_an_unknown_form_shows),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
