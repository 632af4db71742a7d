/* test_reader_ctr.c — tables of labelled rows with histories of their own: what is read, how it is split, what
 * is refused and in what words, and what training is told of it. */
#include "testing.h"

#include "kernels/kernels.h"
#include "native/data/readers.h"
#include "native/train/sampler.h"

typedef struct {
    testing t;
    pique_dataset_options options;
    const char *texts[3]; /* train.csv, test.csv, schema.json */
    pique_dataset *d;
    char log[2048];
} reading;

static void on_log(void *user, const char *line) {
    reading *r = user;
    size_t used = strlen(r->log);
    snprintf(r->log + used, sizeof(r->log) - used, "%s\n", line);
}

static void begin(reading *r, const char *train, const char *test) {
    *r = (reading){.texts = {train, test}};
    testing_open(&r->t);
    pique_dataset_options_default(&r->options);
    r->options.labelled = true;
    r->options.path = "table";
}

static pique_status parse(reading *r) {
    static const char *const names[] = {"train.csv", "test.csv", "schema.json"};
    pq_source sources[PQ_READER_FILES] = {{.name = NULL}};
    pique_listener listener = {.log = on_log, .user = r};
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        sources[i] = (pq_source){names[i], r->texts[i], r->texts[i] ? strlen(r->texts[i]) : 0};
    }
    r->d = NULL;
    r->log[0] = 0;
    return pq_dataset_parse(&r->t.ctx, &pq_reader_ctr, sources, &r->options, &listener, &r->d);
}

static void drop(reading *r) {
    pique_dataset_free(r->d);
    r->d = NULL;
}

static void finish(reading *r) {
    drop(r);
    testing_close(&r->t);
}

static void assert_logged(const reading *r, const char *words) {
    if (!strstr(r->log, words)) {
        fail_msg("the log does not say \"%s\":\n%s", words, r->log);
    }
}

/* The id of an item, one letter; '?' for UNKNOWN, '-' for none. */
static char letter(const reading *r, uint32_t item) {
    size_t size;
    if (item == 0 || item > r->d->items.count) {
        return item ? '?' : '-';
    }
    return *pq_strings_get(&r->d->items, item - 1, &size);
}

/* A pair as text: user, item, label, split, history, and negatives where there are any. */
static const char *shown(const reading *r, uint64_t i) {
    static char text[64];
    const pq_labelled *pair = &r->d->labelled[i];
    size_t size, at = 0;
    const char *user = pq_strings_get(&r->d->users, pair->user, &size);
    at += (size_t)snprintf(text, sizeof(text), "%.*s %c%u %u ", (int)size, user,
                           letter(r, pair->item), pair->label, pair->split);
    for (uint32_t h = 0; h < pair->history; h++) {
        text[at++] = letter(r, r->d->events[pair->first + h]);
    }
    text[at++] = ' ';
    for (uint32_t h = 0; r->d->negatives && h < pair->history; h++) {
        text[at++] = letter(r, r->d->negatives[pair->first + h]);
    }
    text[at] = 0;
    return text;
}

static const char train[] =
    "user,item,label,history,history_negatives,history_times,gender,genres,timestamp,rank\n"
    "ann,p,1,q|r|q,s|s|u,10|20|30,f,x|y,7,1\n"
    "bob,q,0,,,,m,z,5,2\n"
    "ann,q,0,r,p,40,m,y,3,3\n" /* earlier than her first row, and wrong about her and q */
    "cem,r,1,p|q,u|u,1|2,,,4,4\n";
static const char test[] = "timestamp,history_times,genres,gender,history,label,item,user\n"
                           "9,8|9,w,f,p|v,1,s,dan\n"
                           "9,3,w,f,t,0,t,ann\n";

static void test_table(void **state) {
    (void)state;
    reading r;
    begin(&r, train, test);
    r.options.split = "file_test";
    assert_ok(&r.t.ctx, parse(&r));
    assert_int_equal(r.d->labelled_count, 6);
    /* By user, then time; t and v stand in no row that trains; s and u only among its negatives. */
    static const char *const pairs[] = {"ann q0 0 r p", "ann p1 0 qrq ssu", "ann ?0 2 ? -",
                                        "bob q0 0  ",   "cem r1 0 pq uu",   "dan s1 2 p? --"};
    for (size_t i = 0; i < PQ_COUNT(pairs); i++) {
        assert_string_equal(shown(&r, i), pairs[i]);
    }
    static const int64_t times[] = {40, 10, 20, 30, 3, 1, 2, 8, 9};
    assert_true(r.d->timed);
    assert_memory_equal(r.d->times, times, sizeof(times));
    /* q: candidate twice, three times in histories; p: once each; r: once, twice; s and u once at all. */
    static const uint32_t popularity[] = {0, 5, 3, 2, 1, 1, 0};
    assert_int_equal(r.d->item_rows, PQ_COUNT(popularity));
    assert_memory_equal(r.d->popularity, popularity, sizeof(popularity));
    assert_int_equal(letter(&r, 1), 'q');
    assert_int_equal(letter(&r, 2), 'r');
    assert_logged(&r, "train.csv: 1 columns left out: \"rank\"; schema.json can give roles");
    pique_dataset_summary summary = pique_dataset_describe(r.d);
    assert_int_equal(summary.liked, 3);
    assert_int_equal(summary.events, 9);
    finish(&r);
}

/* What the first row says of a user or an item. */
static void test_features(void **state) {
    (void)state;
    reading r;
    begin(&r, train, test);
    assert_ok(&r.t.ctx, parse(&r));
    const pq_feature *gender = &r.d->profile[0], *genres = &r.d->item_features[0];
    assert_int_equal(r.d->profile_count, 1);
    assert_int_equal(r.d->item_feature_count, 1);
    assert_string_equal(gender->name, "gender");
    assert_string_equal(genres->name, "genres");
    static const uint32_t codes[] = {1, 2, 0, 1}; /* ann f, bob m, cem nothing, dan f */
    for (uint32_t u = 0; u < 4; u++) {
        uint32_t at = gender->offsets[u];
        assert_int_equal(at < gender->offsets[u + 1] ? gender->values[at] : 0, codes[u]);
    }
    for (uint32_t item = 1; item <= r.d->items.count; item++) {
        uint32_t count = genres->offsets[item + 1] - genres->offsets[item];
        char which = letter(&r, item);
        assert_int_equal(count, which == 'p' ? 2 : which == 'q' || which == 's' ? 1 : 0);
    }
    finish(&r);
}

/* history_NAME describes the items of the histories that are nowhere a candidate. */
static void test_features_of_histories(void **state) {
    (void)state;
    reading r;
    begin(&r,
          "user,item,label,history,history_category,category,history_genres,history_other,"
          "history_negatives\n"
          "a,p,1,q|r|q,c1|c2|c3,c4,,,s|s|t\n"
          "b,q,0,p|u,c5|,c6,,,r|r\n"
          "c,q,0,v,,c7,,,r\n"
          "d,q,0,v|w,c8|c9,c7,,,r|r\n"
          "e,q,0,s|y,c8,c7,,,r|r\n",
          "user,item,label,history,history_category,category\nf,p,1,z,c9,c4\n");
    r.options.split = "file_test";
    assert_ok(&r.t.ctx, parse(&r));
    assert_logged(&r, "2 columns left out: \"history_genres\", \"history_other\"");
    assert_logged(&r,
                  "train.csv:6: 1 values in \"history_category\" for the 2 items of the history");
    assert_int_equal(r.d->bad_rows, 1);
    assert_int_equal(r.d->labelled_count, 5);
    const pq_feature *category = &r.d->item_features[0];
    assert_int_equal(r.d->item_feature_count, 1);
    char got[32] = "";
    static const char ids[] = "pqrstuvw";
    for (const char *id = ids; *id; id++) {
        uint32_t item = pq_strings_find(&r.d->items, id, 1) + 1, at = category->offsets[item];
        size_t size = 0;
        const char *term = "- ";
        if (at < category->offsets[item + 1]) {
            term = pq_strings_get(&category->terms, category->values[at] - 1, &size);
        }
        memcpy(got + 2 * (id - ids), term, 2);
    }
    /* p and q as candidates; r and w in histories; s and t never; u and v with an empty value. */
    assert_string_equal(got, "c4c6c2- - - - c9");
    drop(&r);
    r.options.strict = true;
    assert_failure(&r.t.ctx, parse(&r), PIQUE_DATA, "train.csv:6: 1 values in");
    finish(&r);
}

static void test_bad_rows(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"a,p,1,q||r,,", "an item of the history is empty"},
        {"a,p,1,q|,,", "an item of the history is empty"},
        {"a,p,1,q|\xff,q|q,1|2", "an item of the history is not valid UTF-8"},
        {"a,p,1,q|r,s,1|2", "1 negatives for the 2 items of the history"},
        {"a,p,1,,s,", "1 negatives for the 0 items of the history"},
        {"a,p,1,q,|,1", "2 negatives for the 1 items of the history"},
        {"a,p,1,q|r,s|,1|2", "an item of the negatives is empty"},
        {"a,p,1,q|r,s|s,1", "1 times for the 2 items of the history"},
        {"a,p,1,q|r,s|s,1|x", "time \"x\" of the history is not a number from 0 to 9e15"},
        {"a,p,1,q|r,s|s,1|-1", "time \"-1\" of the history is not a number"},
        {"a,p,1,q|r,s|s,1|1e16", "time \"1e16\" of the history is not a number"},
        {"a,p,2,q,s,1", "the label is neither 0 nor 1"},
        {"a,,1,q,s,1", "the item is empty"},
        {"a,p,1,q,s", "5 fields where the header has 6"},
    };
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        reading r;
        char text[256], place[160];
        snprintf(text, sizeof(text),
                 "user,item,label,history,history_negatives,history_times\na,p,1,q,s,1\n%s\n"
                 "b,p,1,q,s,1\n",
                 bad[i][0]);
        begin(&r, text, NULL);
        assert_ok(&r.t.ctx, parse(&r));
        assert_int_equal(r.d->bad_rows, 1);
        assert_int_equal(r.d->labelled_count, 2);
        assert_int_equal(r.d->starts[2], 2); /* nothing is left of the bad row */
        snprintf(place, sizeof(place), "train.csv:3: %s", bad[i][1]);
        assert_logged(&r, place);
        drop(&r);
        r.options.strict = true;
        assert_failure(&r.t.ctx, parse(&r), PIQUE_DATA, place);
        finish(&r);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *train, *test, *schema, *words;
    } cases[] = {
        {"user,item,label\na,p,1\n", NULL, NULL, "no column is known as the history; schema.json"},
        {"item,label,history\np,1,q\n", NULL, NULL, "no column is known as the user"},
        {"user,item,history\na,p,q\n", NULL, NULL, "has neither ratings nor labels"},
        {"user,userId,item,label,history\na,a,p,1,q\n", NULL, NULL,
         "\"user\" and \"userId\" are both taken for the user; schema.json"},
        {"user,item,label,history,age\na,p,1,q,3\n", "user,item,label,history\na,p,1,q\n", NULL,
         "test.csv: no column \"age\"; the header has"},
        {"user,item,label,history\na,p,1,q\n", NULL, "{\"columns\":{\"x\":\"skip\"}}",
         "schema.json: columns.\"x\": train.csv has no such column"},
        {"user,item,label,history\na,p,1,q\n", NULL, "{\"columns\":{\"user\":\"colour\"}}",
         "columns.\"user\" is \"colour\", not one of user, item, label"},
        {"user,item,label,history\na,p,1,q\n", NULL, "{\"columns\":{\"user\":7}}", "is \"7\""},
        {"user,item,label,history\na,p,1,q\n", NULL, "{\"column\":{}}",
         "schema.json: not of the form"},
        {"user,item,label,history\na,p,1,q\n", NULL, "[]", "schema.json: not of the form"},
        {"user,item,label,history\na,p,1,q\n", NULL, "{", "schema.json"},
        {"user,item,label,history\n", NULL, NULL, "no usable row"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        reading r;
        begin(&r, cases[i].train, cases[i].test);
        r.texts[2] = cases[i].schema;
        assert_failure(&r.t.ctx, parse(&r), PIQUE_DATA, cases[i].words);
        finish(&r);
    }
    reading r;
    begin(&r, train, NULL);
    r.options.labelled = false;
    assert_failure(&r.t.ctx, parse(&r), PIQUE_DATA, "are for models that rank");
    finish(&r);
}

/* Roles that the names do not tell, and names that tell wrong. */
static void test_schema(void **state) {
    (void)state;
    reading r;
    begin(&r, "who,what,stars,age,seen,user,kind\na,p,5,3,q|r,x,k|l\nb,q,3,4,p,x,l\n", NULL);
    r.texts[2] = "{\"columns\":{\"who\":\"user\",\"what\":\"item\",\"stars\":\"rating\",\"age\":"
                 "\"skip\",\"seen\":\"history\",\"user\":\"profile\",\"kind\":\"multi\"}}";
    assert_ok(&r.t.ctx, parse(&r));
    assert_string_equal(shown(&r, 0), "a p1 0 qr ");
    assert_string_equal(shown(&r, 1), "b q0 0 p ");
    assert_false(r.d->timed);
    assert_null(r.d->negatives);
    assert_int_equal(r.d->profile_count, 1);
    assert_string_equal(r.d->profile[0].name, "user");
    assert_int_equal(r.d->item_features[0].terms.count, 2);
    assert_int_equal(r.log[0], 0); /* nothing was left out unasked */
    finish(&r);
}

/* ---- splits ---- */

enum { MANY = 2000 };

static char *many_rows(void) {
    static char text[MANY * 16 + 64];
    size_t size = (size_t)sprintf(text, "user,item,label,history\n");
    for (int i = 0; i < MANY; i++) {
        size += (size_t)sprintf(text + size, "%d,p,%d,q\n", i, i % 2);
    }
    return text;
}

static void splits(reading *r, const char *name, uint32_t seed, uint8_t out[MANY + 1]) {
    r->options.split = name;
    r->options.split_seed = seed;
    assert_ok(&r->t.ctx, parse(r));
    assert_int_equal(r->d->labelled_count, MANY + 1);
    for (uint64_t i = 0; i <= MANY; i++) {
        out[i] = r->d->labelled[i].split;
    }
    drop(r);
}

static void test_file_split(void **state) {
    (void)state;
    reading r;
    uint8_t one[MANY + 1], same[MANY + 1], other[MANY + 1];
    uint32_t held = 0;
    begin(&r, many_rows(), "user,item,label,history\nz,p,1,q\n");
    splits(&r, "file", 1, one);
    splits(&r, "auto", 1, same);
    splits(&r, "file", 2, other);
    assert_memory_equal(one, same, sizeof(one));
    assert_memory_not_equal(one, other, sizeof(one));
    for (size_t i = 0; i < MANY; i++) {
        assert_true(one[i] != PQ_SPLIT_TEST);
        held += one[i] == PQ_SPLIT_VALID;
    }
    assert_int_equal(one[MANY], PQ_SPLIT_TEST);
    assert_in_range(held, MANY / 10 - 50, MANY / 10 + 50); /* nearly four deviations */
    /* The test file validates: nothing is held out of the other. */
    r.options.split = "file_test";
    assert_ok(&r.t.ctx, parse(&r));
    for (uint64_t i = 0; i <= MANY; i++) {
        const pq_labelled *pair = &r.d->labelled[i];
        bool last = i == MANY;
        assert_true(pq_dataset_pair_in(r.d, pair, PQ_SPLIT_TRAIN) == !last);
        assert_true(pq_dataset_pair_in(r.d, pair, PQ_SPLIT_VALID) == last);
        assert_true(pq_dataset_pair_in(r.d, pair, PQ_SPLIT_TEST) == last);
    }
    finish(&r);
}

static void test_split_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"file", "split \"file\" takes data that come with a test file"},
        {"file_test", "split \"file_test\" takes data that come with a test file"},
        {"time", "split \"time\" takes data with timestamps"},
        {"half", "split \"half\" is none of \"auto\", \"last\""},
    };
    reading r;
    begin(&r, "user,item,label,history\na,p,1,q\n", NULL);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        r.options.split = cases[i][0];
        assert_failure(&r.t.ctx, parse(&r), PIQUE_ARGUMENT, cases[i][1]);
    }
    r.options.split = "auto"; /* without a test file the users' last pairs */
    assert_ok(&r.t.ctx, parse(&r));
    finish(&r);
}

/* ---- memory, detection ---- */

static pique_status parse_with(testing *t, void *argument) {
    reading *r = argument;
    r->t.ctx = t->ctx;
    pique_status status = parse(r);
    memcpy(t->ctx.error, r->t.ctx.error, sizeof(t->ctx.error));
    pique_dataset_free(r->d);
    return status;
}

static void test_memory_failures(void **state) {
    (void)state;
    reading r;
    begin(&r, train, test);
    r.texts[2] = "{\"columns\":{\"rank\":\"skip\",\"genres\":\"skip\"}}";
    testing_fail_each(parse_with, &r);
}

static void test_detection(void **state) {
    (void)state;
    reading r;
    char folder[TESTING_PATH], path[TESTING_PATH];
    begin(&r, NULL, NULL);
    testing_folder(folder);
    testing_write_text(testing_path(path, folder, "test.csv"), test);
    testing_write_text(testing_path(path, folder, "train.csv"), train);
    const char *paths[] = {folder, path};
    for (int i = 0; i < 2; i++) { /* the folder, then its first file */
        r.options.path = paths[i];
        assert_ok(&r.t.ctx, pique_dataset_open(&r.t.ctx, &r.options, NULL, &r.d));
        assert_int_equal(r.d->labelled_count, 6);
        assert_int_equal(strncmp(r.d->provenance, "ctr ", 4), 0);
        drop(&r);
    }
    testing_folder_remove(folder);
    finish(&r);
}

/* ---- what training is told ---- */

/* The pairs of an epoch as one batch, in the sampler's order. */
static void take(reading *r, pq_sampler *s, pq_arena *arena, uint64_t step, pq_batch *out) {
    pq_sample_range range = {.count = (uint32_t)s->count, .max_history = 2, .step = step};
    pq_arena_reset(arena);
    *out = (pq_batch){.positions = 1};
    assert_ok(&r->t.ctx, pq_sampler_batch(s, arena, &range, out));
    assert_int_equal(out->history.count, s->count);
}

static void open_sampler(reading *r, pq_sampler *s, const pq_train_options *options) {
    assert_ok(&r->t.ctx, parse(r));
    assert_ok(&r->t.ctx, pq_sampler_init(s, &r->t.ctx, r->d, options, 4));
    assert_ok(&r->t.ctx, pq_sampler_epoch(s, 1));
}

static const pq_train_options uniform = {
    .sampler = PQ_NEGATIVES_UNIFORM, .negatives = 1, .batch = 8};

/* Times and negatives of the rows themselves, cut to the newest like their items. */
static void test_batches_of_a_table(void **state) {
    (void)state;
    reading r;
    pq_sampler s;
    pq_arena arena;
    pq_batch b;
    begin(&r, train, test);
    r.options.split = "file_test";
    open_sampler(&r, &s, &uniform);
    pq_arena_init(&arena, &r.t.ctx);
    take(&r, &s, &arena, 1, &b);
    assert_null(b.history_negatives); /* the model has no use for them */
    s.history_negatives = true;
    take(&r, &s, &arena, 1, &b);
    bool seen = false;
    for (uint32_t i = 0; i < s.count; i++) {
        const pq_labelled *pair = &r.d->labelled[s.samples[i].position];
        uint32_t at = b.history.starts[i], length = b.history.starts[i + 1] - at;
        uint32_t from = pair->first + pair->history - length;
        assert_int_equal(length, PQ_MIN(pair->history, 2));
        assert_memory_equal(b.items + at, r.d->events + from, length * sizeof(*b.items));
        assert_memory_equal(b.times + at, r.d->times + from, length * sizeof(*b.times));
        assert_memory_equal(b.history_negatives + at, r.d->negatives + from,
                            length * sizeof(*b.history_negatives));
        seen = seen || (length == 2 && b.times[at] == 20 && b.times[at + 1] == 30);
    }
    assert_true(seen);
    pq_arena_free(&arena);
    pq_sampler_free(&s);
    finish(&r);
}

/* Where the rows have none, negatives are drawn: never an item of the history, by the step. */
static void test_drawn_negatives(void **state) {
    (void)state;
    reading r;
    pq_sampler s;
    pq_arena arena, second;
    pq_batch b, again;
    begin(&r,
          "user,item,label,history\na,p,1,q|r|s\nb,q,0,t\nc,r,1,p|q|r|s|t|u|v|w\n"
          "d,x,1,u|v\ne,y,0,\n",
          NULL);
    open_sampler(&r, &s, &uniform);
    s.history_negatives = true;
    pq_arena_init(&arena, &r.t.ctx);
    pq_arena_init(&second, &r.t.ctx);
    uint32_t differ = 0, drawn = 0;
    for (uint64_t step = 1; step <= 40; step++) {
        take(&r, &s, &arena, step, &b);
        assert_null(b.times);
        take(&r, &s, &second, step, &again);
        for (uint32_t i = 0; i < s.count; i++) {
            const pq_labelled *pair = &r.d->labelled[s.samples[i].position];
            for (uint32_t row = b.history.starts[i]; row < b.history.starts[i + 1]; row++) {
                uint32_t negative = b.history_negatives[row];
                assert_in_range(negative, 1, r.d->items.count);
                for (uint32_t h = 0; h < pair->history; h++) {
                    assert_int_not_equal(negative, r.d->events[pair->first + h]);
                }
                assert_int_equal(negative, again.history_negatives[row]);
                drawn |= 1u << negative;
            }
        }
        take(&r, &s, &second, step + 1, &again);
        differ += memcmp(b.history_negatives, again.history_negatives,
                         b.history.starts[s.count] * sizeof(uint32_t)) != 0;
    }
    assert_true(differ > 35);
    assert_int_equal(drawn, (1u << r.d->item_rows) / 2 - 2); /* each known item for someone */
    pq_arena_free(&arena);
    pq_arena_free(&second);
    pq_sampler_free(&s);
    finish(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_features_of_histories),
        cmocka_unit_test(test_bad_rows),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_file_split),
        cmocka_unit_test(test_split_refusals),
        cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_detection),
        cmocka_unit_test(test_batches_of_a_table),
        cmocka_unit_test(test_drawn_negatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
