/* test_readers.c — the formats, from files in a folder: what is read, what is refused, and in what
 * words. */
#include "testing.h"

#include "native/data/csv_rows.h"
#include "native/data/readers.h"

typedef struct {
    testing t;
    char folder[TESTING_PATH];
    char path[TESTING_PATH];
    pique_dataset_options options;
    pique_dataset *dataset;
    char log[4096]; /* lines of the listener, each with a newline */
} reading;

static void on_log(void *user, const char *line) {
    reading *r = user;
    size_t used = strlen(r->log);
    snprintf(r->log + used, sizeof(r->log) - used, "%s\n", line);
}

static void begin(reading *r) {
    memset(r, 0, sizeof(*r));
    testing_open(&r->t);
    testing_folder(r->folder);
    pique_dataset_options_default(&r->options);
    r->options.path = r->folder;
}

static void finish(reading *r) {
    testing_folder_remove(r->folder);
    testing_close(&r->t);
}

static void put(reading *r, const char *name, const char *text) {
    testing_write_text(testing_path(r->path, r->folder, name), text);
}

static pique_status open_it(reading *r) {
    pique_listener listener = {.log = on_log, .user = r};
    r->log[0] = 0;
    return pique_dataset_open(&r->t.ctx, &r->options, &listener, &r->dataset);
}

static void assert_counts(reading *r, uint32_t users, uint64_t events, uint64_t bad) {
    assert_ok(&r->t.ctx, open_it(r));
    pique_dataset_summary summary = pique_dataset_describe(r->dataset);
    assert_int_equal(summary.users, users);
    assert_int_equal(summary.events, events);
    assert_int_equal(summary.bad_rows, bad);
}

static void drop(reading *r) {
    pique_dataset_free(r->dataset);
    r->dataset = NULL;
}

/* The log tells `file` with that line and reason, the folder before it. */
static void assert_logged(const reading *r, const char *words) {
    if (!strstr(r->log, words)) {
        fail_msg("the log does not say \"%s\":\n%s", words, r->log);
    }
}

static bool has_term(const pq_feature *feature, const char *term) {
    return pq_strings_find(&feature->terms, term, strlen(term)) != PQ_NOT_FOUND;
}

static void test_csv_dialect(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "interactions.csv",
        "\xef\xbb\xbf"
        "note,timestamp,\"item\",user\r\n"
        "\"a, \"\"quoted\"\"\r\nnote\",1.5e3,\"i,1\",u\r\n"
        "\r\n"
        ",2000,i 2 ,\"u\"\r\n"
        "plain,+3000,i3,u");
    assert_counts(&r, 1, 3, 0);
    assert_string_equal(r.log, "");
    assert_int_equal(r.dataset->times[0], 1500);
    assert_int_equal(r.dataset->times[2], 3000);
    assert_int_equal(pq_strings_find(&r.dataset->items, "i,1", 3), 0);
    drop(&r);
    finish(&r);
}

static void test_bad_rows(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "interactions.csv",
        "user,item,timestamp,rating\n" /* line 1 */
        "u,i,1,5\n"
        "u,i,1\n"                /* 3: fields */
        ",i,1,5\n"               /* 4: user */
        "u,\"two\nlines\",2,5\n" /* 5 and 6: good */
        "u,,1,5\n"               /* 7: item */
        "u,i,nan,5\n"            /* 8 */
        "u,i,-1,5\n"             /* 9 */
        "u,i,1e19,5\n"           /* 10 */
        "u,i,2026-01-01,5\n"     /* 11 */
        "u,i,1,good\n"           /* 12 */
        "u,i\"x,1,5\n"           /* 13: quote */
        "\"u,i,1,5\n"            /* 14: a quote opened by mistake costs its own line only */
        "u,\xff,1,5\n"           /* 15: not UTF-8 */
        "u,j,3,1\n"
        "v,j,4,2\n"
        "v,\"open,5,2"); /* 18: never closed */
    assert_counts(&r, 2, 4, 12);
    static const char *const lines[] = {
        "interactions.csv:3: 3 fields where the header has 4; left out\n",
        "interactions.csv:4: the user is empty; left out\n",
        "interactions.csv:7: the item is empty; left out\n",
        "interactions.csv:8: timestamp \"nan\" is not a finite number; left out\n",
        "interactions.csv:9: timestamp \"-1\" is negative; left out\n",
        "interactions.csv: 7 more bad rows\n",
    };
    for (size_t i = 0; i < PQ_COUNT(lines); i++) {
        assert_logged(&r, lines[i]);
    }
    drop(&r);

    r.options.strict = true;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "interactions.csv:3: 3 fields where");
    assert_null(r.dataset);
    finish(&r);
}

/* One bad row each, so that its reason is the one that is logged. */
static void test_reasons(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"u,i,1e19,1", "timestamp \"1e19\" is too large"},
        {"u,i,inf,1", "timestamp \"inf\" is not a finite number"},
        {"u,i,,1", "timestamp \"\" is not a finite number"},
        {"u,i,1,1x", "label \"1x\" is not a finite number"},
        {"u,i,1,2", "the label is neither 0 nor 1"},
        {"u,i\"x,1,1", "a quote in the wrong place"},
        {"u,i,1,\"1", "a quoted field that never ends"},
        {"u,\xc0\x80,1,1", "the item is not valid UTF-8"},
        {"\xed\xa0\x80,i,1,1", "the user is not valid UTF-8"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        reading r;
        begin(&r);
        char text[256], expected[256];
        snprintf(text, sizeof(text), "user,item,timestamp,label\nu,i,1,1\nu,k,1,0\n%s\n",
                 cases[i][0]);
        put(&r, "interactions.csv", text);
        assert_counts(&r, 1, 1, 1); /* the row labelled 0 is good, but no event */
        snprintf(expected, sizeof(expected), "interactions.csv:4: %s; left out\n", cases[i][1]);
        assert_logged(&r, expected);
        drop(&r);
        finish(&r);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"user,item,time\nu,i,1\n",
         "interactions.csv: no column \"timestamp\"; the header has \"user\", \"item\", \"time\""},
        {" user,item,timestamp\nu,i,1\n", "no column \"user\"; the header has \" user\""},
        {"user,item,user,timestamp\n", "interactions.csv:1: column \"user\" stands twice"},
        {"\n\nuser,item,timestamp\n", "no usable row (0 bad)"},
        {"user,item,timestamp\n,i,1\n", "no usable row (1 bad)"},
        {"\n\n", "interactions.csv: no header row"},
        {"us\"er,item\n", "interactions.csv:1: a quote in the wrong place in the header"},
        {"\xef\xbb\xbf", "interactions.csv: the file is empty"},
        {"\xff\xfeu", "interactions.csv: the file is UTF-16"},
        {"\x89\x01\x02\xfe junk \x7f,\n\x03\n", "no column \"user\"; the header has \"????"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        reading r;
        begin(&r);
        put(&r, "interactions.csv", cases[i].text);
        assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, cases[i].words);
        finish(&r);
    }
}

static void test_not_text(void **state) {
    (void)state;
    reading r;
    begin(&r);
    testing_path(r.path, r.folder, "interactions.csv");
    testing_write(r.path, "user,item,timestamp\nu,\0,1\n", 26);
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA,
                   "interactions.csv: not a text file (zero byte at offset 22)");
    testing_write(r.path, "", 0);
    assert_int_equal(open_it(&r), PIQUE_IO);
    assert_non_null(strstr(r.t.ctx.error, "interactions.csv"));
    finish(&r);
}

static void test_options(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "interactions.csv", "user,item,timestamp\nu,i,1\n");
    r.options.min_rating = 3;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_ARGUMENT, "min_rating is set, but");
    put(&r, "interactions.csv", "user,item,timestamp,rating\nu,i,1,2.9\nu,j,1,3\nu,k,1,3.5\n");
    assert_counts(&r, 1, 2, 0);
    drop(&r);
    r.options.min_rating = 4;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "none of the 3 good rows passes min_rating");
    r.options.min_rating = -1;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_ARGUMENT, "min_rating is not a number");
    r.options.min_rating = 0;
    r.options.format = "parquet";
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_ARGUMENT, "unknown format \"parquet\"");
    r.options.format = "sequences";
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA,
                   "the folder has none of sequences.txt (sequences)");
    r.options.path = "no/such/place";
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_IO, "no/such/place");
    r.options.path = NULL;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_ARGUMENT, "no path");
    finish(&r);
}

static void test_detection(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *format;
    } cases[] = {
        {"a.csv", "user,item,timestamp\nu,i,1\n", "csv a.csv: "},
        {"b.csv", "userId,movieId,rating,timestamp\n1,2,3,4\n", "movielens b.csv: "},
        {"c.txt", "1::2::3::4\n", "movielens c.txt: "},
        {"d", "u i j\n", "sequences d: "},
    };
    reading r;
    begin(&r);
    assert_failure(
        &r.t.ctx, open_it(&r), PIQUE_DATA,
        "the folder has none of train.csv (ctr), ratings.dat (movielens), ratings.csv "
        "(movielens), interactions.csv (csv), FOLDER.inter (recbole), sequences.txt (sequences)");
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        put(&r, cases[i].name, cases[i].text);
        r.options.path = r.path;
        assert_ok(&r.t.ctx, open_it(&r));
        assert_non_null(strstr(r.dataset->provenance, cases[i].format));
        drop(&r);
    }
    put(&r, "e", "lonely\n");
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "looks like none of");
    finish(&r);
}

static void test_sequences(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "sequences.txt", "u 9 8\t7 6\r\n\r\nv 9\nw\n  u  8 8 \n");
    assert_counts(&r, 2, 7, 1);
    assert_logged(&r, "sequences.txt:4: a user without items; left out\n");
    /* u: 9 8 7 6 8 8, the last two held back; training counts 9: 2, the others 1. */
    const uint32_t events[7] = {1, 4, 3, 2, 4, 4, 1};
    const int64_t times[7] = {0, 1, 2, 3, 4, 5, 0};
    assert_int_equal(r.dataset->items.count, 4);
    assert_int_equal(pq_strings_find(&r.dataset->items, "6", 1), 1);
    assert_memory_equal(r.dataset->events, events, sizeof(events));
    assert_memory_equal(r.dataset->times, times, sizeof(times));
    drop(&r);
    finish(&r);
}

static void test_movielens_csv(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "ratings.csv", "userId,movieId,rating,timestamp\n1,10,4.0,5\n1,11,3.5,6\n2,12,1,7\n");
    assert_counts(&r, 2, 3, 0);
    assert_logged(&r, "movies.csv is not there");
    assert_int_equal(r.dataset->item_feature_count, 0);
    drop(&r);
    put(&r, "movies.csv",
        "movieId,title,genres\n10,\"Made Up, The (1987)\",Drama|Farce\n"
        "11,No Year,(no genres listed)\n12,Serial (a) (2003-2005),Farce\n10,Again (1999),Noir\n");
    assert_counts(&r, 2, 3, 1);
    assert_logged(&r, "movies.csv:5: \"10\" already had a row; left out\n");
    assert_int_equal(r.dataset->item_feature_count, 2);
    const pq_feature *genres = &r.dataset->item_features[0];
    const pq_feature *year = &r.dataset->item_features[1];
    assert_string_equal(genres->name, "genres");
    assert_int_equal(genres->terms.count, 2);
    assert_true(has_term(genres, "Drama") && has_term(genres, "Farce"));
    assert_string_equal(year->name, "year");
    assert_int_equal(year->terms.count, 2);
    assert_true(has_term(year, "1987") && has_term(year, "2003"));
    drop(&r);
    finish(&r);
}

static void test_movielens_lines(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "ratings.dat", "1::10::4::5\n1::11::3\n2::11::2.5::6\n");
    put(&r, "movies.dat", "10::One::Two (1971)::Drama|Farce\n11::Caf\xe9 (1972)::Noir\n12::X\n");
    put(&r, "users.dat", "1::F::25::12::00000\n2::M::25::3::00000\n3::M::1::0::1\n");
    assert_counts(&r, 2, 2, 2);
    assert_logged(&r, "ratings.dat:2: 3 fields between \"::\" where user, movie");
    assert_logged(&r, "movies.dat:3: 2 fields between \"::\" where movie");
    assert_true(has_term(&r.dataset->item_features[0], "Noir"));
    assert_int_equal(r.dataset->item_features[1].terms.count, 2);
    assert_true(has_term(&r.dataset->item_features[1], "1971"));
    assert_true(has_term(&r.dataset->item_features[1], "1972"));
    assert_int_equal(r.dataset->profile_count, 3);
    assert_string_equal(r.dataset->profile[0].name, "gender");
    assert_string_equal(r.dataset->profile[1].name, "age");
    assert_string_equal(r.dataset->profile[2].name, "occupation");
    assert_int_equal(r.dataset->profile[0].terms.count, 2);
    assert_int_equal(r.dataset->profile[1].terms.count, 1);
    assert_true(has_term(&r.dataset->profile[2], "12"));
    drop(&r);
    r.options.labelled = true; /* the same is known of labelled pairs */
    assert_counts(&r, 2, 1, 2);
    assert_int_equal(r.dataset->labelled_count, 2);
    assert_int_equal(r.dataset->profile_count, 3);
    assert_int_equal(r.dataset->item_feature_count, 2);
    drop(&r);
    finish(&r);
}

static void test_schema(void **state) {
    (void)state;
    reading r;
    begin(&r);
    put(&r, "interactions.csv", "user,item,timestamp\nu,i,1\nv,j,2\n");
    put(&r, "items.csv", "item,title,tags,code,page\ni,T|U,a|b,c|d,1\nj,V,b,e,2\n");
    put(&r, "users.csv", "user,age,town\nu,1,x\n");
    put(&r, "schema.json",
        "{\"items\": {\"code\": \"category\", \"page\": \"skip\", \"title\": \"multi\"},"
        " \"users\": {\"town\": \"skip\"}}");
    assert_counts(&r, 2, 2, 0);
    assert_logged(&r, "users.csv: no row for 1 of the 2 users");
    assert_int_equal(r.dataset->item_feature_count, 3);
    assert_string_equal(r.dataset->item_features[0].name, "title");
    assert_int_equal(r.dataset->item_features[0].terms.count, 3);
    assert_true(has_term(&r.dataset->item_features[2], "c|d"));
    assert_int_equal(r.dataset->profile_count, 1);
    drop(&r);
    static const char *const bad[][2] = {
        {"[]", "schema.json: not a JSON object"},
        {"{\"items\": 1}", "schema.json: \"items\" is not an object"},
        {"{\"things\": {}}", "schema.json: unknown table \"things\""},
        {"{\"items\": {\"colour\": \"skip\"}}", "items.\"colour\": "},
        {"{\"items\": {\"tags\": \"float\"}}",
         "items.\"tags\" is \"float\", not one of category, multi, sequence, number, text, "
         "vector, skip"},
        {"{\"users\": {\"age\": 1}}", "users.\"age\" is \"1\", not one of"},
        {"{\"users\": {\"age\": {\"buckets\": 3}}}", "users.\"age\" has no \"type\""},
        {"{\"users\": {\"age\": {\"type\": \"number\", \"bins\": 3}}}",
         "users.\"age\": unknown key \"bins\""},
        {"{\"users\": {\"age\": {\"type\": \"number\", \"buckets\": 1}}}",
         "users.\"age\": option buckets: \"1\" is not a whole number from 2"},
        {"{\"users\": {\"age\": {\"type\": \"number\", \"missing\": \"most\"}}}",
         "users.\"age\": \"missing\" is \"most\", neither median, mean, own nor a number"},
        {"{\"items\": {\"tags\": {\"type\": \"text\", \"min_count\": 2}}}",
         "items.\"tags\": \"min_count\" says nothing about a column of text"},
        {"{\"items\": {\"tags\": {\"type\": \"multi\", \"separator\": \"::\"}}}",
         "items.\"tags\": the separator is not a single"},
        {"{\"items\": ", "schema.json"},
    };
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        put(&r, "schema.json", bad[i][0]);
        assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, bad[i][1]);
    }
    finish(&r);
}

/* ---- recbole ---- */

static void test_recbole(void **state) {
    (void)state;
    reading r;
    begin(&r);
    /* The files are called after the folder. */
    const char *stem = strrchr(r.folder, '/') + 1;
    char names[3][TESTING_PATH];
    static const char *const endings[] = {"inter", "item", "user"};
    for (int i = 0; i < 3; i++) {
        snprintf(names[i], sizeof(names[i]), "%s.%s", stem, endings[i]);
    }
    put(&r, names[0],
        "item_id:token\tuser_id:token\trating:float\ttimestamp:float\n"
        "i\tu\t4\t2\nj\tu\t2\t1\ni\tv\t5\t1\nj\tv\t1\nj\tv\t1\t2\t3\nj\tv\tx\t2\n");
    put(&r, names[1],
        "item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\tprice:float\n"
        "i\tThe I\t1995\ta b\t3\nj\tJ\t1996\tb\t\n");
    put(&r, names[2], "user_id:token\tage:token\nu\t24\n");
    assert_counts(&r, 2, 3, 3);
    assert_logged(&r, "fewer cells than the header has");
    assert_logged(&r, "more cells than the header has");
    assert_int_equal(r.dataset->item_feature_count, 3);
    assert_string_equal(r.dataset->item_features[0].name, "year");
    assert_int_equal(r.dataset->item_features[1].terms.count, 2);
    assert_true(r.dataset->item_features[2].is_number);
    assert_int_equal(r.dataset->profile_count, 1);
    drop(&r);
    r.options.labelled = true;
    assert_counts(&r, 2, 2, 3); /* two ratings of 4 and more */
    assert_int_equal(r.dataset->labelled_count, 3);
    /* Pairs are of the same users and items, with what is known of them. */
    assert_int_equal(r.dataset->item_feature_count, 3);
    assert_int_equal(r.dataset->item_features[1].offsets[r.dataset->item_rows], 3);
    assert_int_equal(r.dataset->profile_count, 1);
    assert_true(has_term(&r.dataset->profile[0], "24"));
    drop(&r);
    put(&r, names[0], "item_id:token\tuser_id:token\ni\tu\n");
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "there is no column \"timestamp\"");
    put(&r, names[0], "item_id:token\tuser_id:word\ttimestamp:float\ni\tu\t1\n");
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "column \"user_id\" is not NAME:TYPE");
    /* One file by its own path: the others are found by its name. */
    char path[TESTING_PATH];
    put(&r, "one.inter", "user_id:token\titem_id:token\ttimestamp:float\nu\ti\t1\nu\tj\t2\n");
    put(&r, "one.item", "item_id:token\tkind:token\ni\tx\nj\ty\n");
    r.options.path = testing_path(path, r.folder, "one.inter");
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "has neither ratings nor labels");
    r.options.labelled = false;
    assert_counts(&r, 1, 2, 0);
    assert_int_equal(r.dataset->item_feature_count, 1);
    drop(&r);
    finish(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_dialect),   cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_reasons),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_not_text),      cmocka_unit_test(test_options),
        cmocka_unit_test(test_detection),     cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_movielens_csv), cmocka_unit_test(test_movielens_lines),
        cmocka_unit_test(test_schema),        cmocka_unit_test(test_recbole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
