/* test_content.c — words of texts in several scripts; convergence of the factors of a larger matrix; the tables that are
 * refused. */
#include "tests/unit/testing.h"

#include <math.h>

#include "base/rng.h"
#include "native/content/content.h"
#include "native/content/factors.h"
#include "native/content/html_words.h"

static pique_status collect(void *user, const char *bytes, size_t size) {
    pq_text *out = user;
    pq_text_bytes(out, bytes, size);
    pq_text_bytes(out, "/", 1);
    return PIQUE_OK;
}

static void expect_words(const char *text, const char *expected) {
    testing t;
    pq_text out;
    testing_open(&t);
    pq_text_init(&out, &t.ctx);
    assert_ok(&t.ctx, pq_html_words(text, strlen(text), collect, &out));
    assert_string_equal(out.data ? out.data : "", expected);
    pq_text_free(&out);
    testing_close(&t);
}

static void test_words(void **state) {
    (void)state;
    expect_words("", "");
    expect_words("Two WORDS, a b c 42", "two/words/42/");
    expect_words("<p class='big'>one</p>two<br>three", "one/two/three/");
    expect_words("1 < 22 and x<33 <", "22/and/33/");
    expect_words("ab<script>hidden</SCRIPT>cd<style>x{}</style><!-- no > no -->ef", "ab/cd/ef/");
    expect_words("ab<b never closed", "ab/");
    expect_words("R&amp;D caf&#233; &#xE9;t&eacute; &#0; &#1114112; &nosuch &;",
                 "caf\xc3\xa9/\xc3\xa9t/1114112/nosuch/");
    expect_words("\xc3\x84RGER \xce\x91\xce\xa3 \xd0\x96\xd0\x81",
                 "\xc3\xa4rger/\xce\xb1\xcf\x83/\xd0\xb6\xd1\x91/");
    /* Han in pairs, one alone, and beside Latin letters. */
    expect_words("\xe9\x9d\xa2\xe5\x8c\x85\xe7\x9a\x84\xef\xbc\x8c\xe6\xb0\xb4",
                 "\xe9\x9d\xa2\xe5\x8c\x85/\xe5\x8c\x85\xe7\x9a\x84/\xe6\xb0\xb4/");
    expect_words("ab\xe6\xb0\xb4"
                 "cd",
                 "ab/\xe6\xb0\xb4/cd/");
    expect_words("ok\xff\xfe no", "ok/no/"); /* no UTF-8 */
}

static void test_long_words(void **state) {
    (void)state;
    char text[200];
    memset(text, 'a', sizeof(text));
    memcpy(text + 100, " bc", 4);
    expect_words(text, "bc/");
    char expected[66];
    text[64] = 0;
    memcpy(expected, text, 64);
    memcpy(expected + 64, "/", 2);
    expect_words(text, expected);
}

/* Twelve groups of terms, so that twelve singular values stand out from noise. */
enum { ROWS = 300, COLS = 200, EACH = 20, GROUPS = 12 };

static void fill(pq_sparse *a) {
    pq_rng rng = pq_rng_make(5, 0, 0);
    size_t at = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        bool has[COLS] = {false};
        double square = 0;
        for (int n = 0; n < EACH; n++) {
            bool own = pq_rng_below(&rng, 10) < 8;
            uint32_t group = i % GROUPS, size = COLS / GROUPS;
            has[own ? group * size + pq_rng_below(&rng, size) : pq_rng_below(&rng, COLS)] = true;
        }
        a->starts[i] = at;
        for (uint32_t c = 0; c < COLS; c++) {
            if (has[c]) {
                a->columns[at] = c;
                a->values[at] = 1 + pq_rng_uniform(&rng) + (i % GROUPS) * 0.1;
                square += a->values[at] * a->values[at];
                at++;
            }
        }
        for (size_t k = a->starts[i]; k < at; k++) {
            a->values[k] /= sqrt(square);
        }
    }
    a->starts[ROWS] = at;
}

/* Another random start comes to the same cosines, and the same start to the same bytes. */
static void test_convergence(void **state) {
    (void)state;
    static size_t starts[ROWS + 1];
    static uint32_t columns[ROWS * EACH];
    static double values[ROWS * EACH];
    static float one[ROWS * GROUPS], again[ROWS * GROUPS], other[ROWS * GROUPS];
    testing t;
    testing_open(&t);
    pq_sparse a = {ROWS, COLS, starts, columns, values};
    fill(&a);
    assert_ok(&t.ctx, pq_factors(&t.ctx, &a, GROUPS, 1, one));
    assert_ok(&t.ctx, pq_factors(&t.ctx, &a, GROUPS, 1, again));
    assert_ok(&t.ctx, pq_factors(&t.ctx, &a, GROUPS, 2, other));
    assert_memory_equal(one, again, sizeof(one));
    assert_memory_not_equal(one, other, sizeof(one));
    uint32_t same = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        double best = -2, length = 0;
        uint32_t nearest = 0;
        for (uint32_t j = 0; j < ROWS; j++) {
            double x = 0, y = 0;
            for (uint32_t d = 0; d < GROUPS; d++) {
                x += (double)one[i * GROUPS + d] * one[j * GROUPS + d];
                y += (double)other[i * GROUPS + d] * other[j * GROUPS + d];
            }
            assert_true(fabs(x - y) <= 1e-3);
            length = j == i ? x : length;
            nearest = j != i && x > best ? j : nearest;
            best = j != i && x > best ? x : best;
        }
        assert_true(fabs(length - 1) <= 1e-6);
        same += nearest % GROUPS == i % GROUPS;
    }
    assert_true(same >= ROWS * 99 / 100);
    testing_close(&t);
}

static void expect_refused(const char *table, const char *message) {
    testing t;
    testing_open(&t);
    pq_corpus corpus;
    pq_source source = {.name = "items.csv", .bytes = table, .size = strlen(table)};
    pique_content_options options;
    pique_content_options_default(&options);
    assert_int_equal(pq_corpus_parse(&corpus, &t.ctx, &source, &options), PIQUE_DATA);
    assert_non_null(strstr(t.ctx.error, message));
    pq_corpus_free(&corpus);
    testing_close(&t);
}

static void test_refused(void **state) {
    (void)state;
    expect_refused("id,title\n", "items.csv: no items");
    expect_refused("name,title\n1,a\n", "no column \"id\"");
    expect_refused("id,year\n1,1999\n", "no column \"text\"");
    expect_refused("id,title\n1,a\n1,b\n", "items.csv:3: the id stands twice");
    expect_refused("id,title\n,a\n", "items.csv:2: an empty id");
    expect_refused("id,title\n1\n", "items.csv:2");
    expect_refused("id,title,popularity\n1,a,much\n",
                   "items.csv:2: the popularity is not a number");
}

/* Tables too small to tell anything still give vectors: of zeros where nothing is shared. */
static void test_tiny(void **state) {
    (void)state;
    static const char *const tables[] = {"id,title\n1,alone\n", "id,title\n1,one\n2,two\n",
                                         "id,title\n1,the same\n2,the same\n",
                                         "id,title\n1,\n2,\n"};
    for (size_t i = 0; i < PQ_COUNT(tables); i++) {
        testing t;
        testing_open(&t);
        pq_corpus corpus;
        pq_source source = {.name = "items.csv", .bytes = tables[i], .size = strlen(tables[i])};
        pique_content_options options;
        float v[8];
        pique_content_options_default(&options);
        assert_ok(&t.ctx, pq_corpus_parse(&corpus, &t.ctx, &source, &options));
        assert_ok(&t.ctx, pq_factors(&t.ctx, &corpus.matrix, 4, 1, v));
        for (uint32_t d = 0; d < 4 * corpus.items.count; d++) {
            assert_true(v[d] == 0);
        }
        pq_corpus_free(&corpus);
        testing_close(&t);
    }
}

static pique_status make_file(testing *t) {
    static const char table[] = "id,title,text,tags,popularity\n"
                                "a,one two,three <b>four</b>,x|y,1\nb,two three,five,y,2\n"
                                "c,four five,one,z,3\n";
    static const pq_source source = {"items.csv", table, sizeof(table) - 1};
    pq_corpus corpus;
    pique_content_options options;
    float v[12];
    void *bytes = NULL;
    size_t size;
    pique_content_options_default(&options);
    options.dim = 4;
    pique_status status = pq_corpus_parse(&corpus, &t->ctx, &source, &options);
    if (status == PIQUE_OK) {
        status = pq_factors(&t->ctx, &corpus.matrix, options.dim, 1, v);
    }
    if (status == PIQUE_OK) {
        status = pq_content_bake(&corpus, &options, v, &bytes, &size);
    }
    pq_free(&t->ctx, bytes);
    pq_corpus_free(&corpus);
    return status;
}

/* Whichever allocation fails, that is told and everything is given back. */
static void test_memory(void **state) {
    (void)state;
    pique_status status = PIQUE_NO_MEMORY;
    for (size_t fail_at = 1; status != PIQUE_OK; fail_at++) {
        testing t;
        testing_open(&t);
        t.fail_at = fail_at;
        status = make_file(&t);
        assert_true(status == PIQUE_NO_MEMORY || (status == PIQUE_OK && t.calls < fail_at));
        testing_close(&t);
        assert_true(fail_at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),       cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_convergence), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_tiny),        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
