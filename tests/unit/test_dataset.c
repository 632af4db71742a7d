/* test_dataset.c — from rows to the data set: order, split, vocabulary, popularity, features. */
#include "testing.h"

#include "base/rng.h"
#include "native/data/readers.h"

static pq_source source_of(const char *name, const char *text) {
    return (pq_source){.name = name, .bytes = text, .size = text ? strlen(text) : 0};
}

static pique_status parse(testing *t, const char *const texts[4], uint32_t min_count,
                          pique_dataset **out) {
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "folder/log";
    options.min_count = min_count;
    pq_source sources[PQ_READER_FILES] = {
        source_of("interactions.csv", texts[0]), source_of("items.csv", texts[1]),
        source_of("users.csv", texts[2]), source_of("schema.json", texts[3])};
    return pq_dataset_parse(&t->ctx, &pq_reader_csv, sources, &options, NULL, out);
}

static uint32_t item(const pique_dataset *d, const char *id) {
    return pq_strings_find(&d->items, id, strlen(id)) + 1;
}

static void assert_term(const pq_strings *terms, uint32_t number, const char *expected) {
    size_t size;
    const char *bytes = pq_strings_get(terms, number, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
}

/* ann: a b c d in time, given out of order, c and d at the same time; bob: two events, train only;
 * cy: b a x, where x is only a test target. */
static const char log_text[] = "user,item,timestamp\n"
                               "ann,c,30\n"
                               "bob,b,7\n"
                               "ann,b,20\n"
                               "ann,d,30\n"
                               "cy,b,1\n"
                               "ann,a,10.5\n"
                               "cy,x,3\n"
                               "bob,b,7\n"
                               "cy,a,2\n";

static void test_order_and_split(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d;
    assert_ok(&t.ctx, parse(&t, (const char *const[4]){log_text}, 1, &d));

    assert_int_equal(d->user_count, 3);
    assert_term(&d->users, 0, "ann");
    assert_term(&d->users, 1, "bob");
    assert_term(&d->users, 2, "cy");
    /* Training events: ann a b, bob b b, cy b. */
    assert_int_equal(d->items.count, 2);
    assert_int_equal(item(d, "b"), 1);
    assert_int_equal(item(d, "a"), 2);
    assert_int_equal(d->item_rows, 4);
    const uint32_t popularity[4] = {0, 4, 1, 0};
    assert_memory_equal(d->popularity, popularity, sizeof(popularity));
    const uint64_t starts[4] = {0, 4, 6, 9};
    assert_memory_equal(d->starts, starts, sizeof(starts));
    const uint32_t events[9] = {2, 1, 3, 3, 1, 1, 1, 2, 3};
    assert_memory_equal(d->events, events, sizeof(events));
    const int64_t times[9] = {10, 20, 30, 30, 7, 7, 1, 2, 3};
    assert_memory_equal(d->times, times, sizeof(times));

    pq_view view;
    assert_true(pq_dataset_view(d, 0, PQ_SPLIT_TRAIN, &view));
    assert_int_equal(view.history_count, 2);
    assert_int_equal(view.target, 0);
    assert_true(pq_dataset_view(d, 2, PQ_SPLIT_VALID, &view));
    assert_int_equal(view.history_count, 1);
    assert_int_equal(view.target, 2);
    assert_true(pq_dataset_view(d, 2, PQ_SPLIT_TEST, &view));
    assert_int_equal(view.history_count, 2);
    assert_ptr_equal(view.history, d->events + 6);
    assert_int_equal(view.target, 3);
    assert_true(pq_dataset_view(d, 1, PQ_SPLIT_TRAIN, &view));
    assert_int_equal(view.history_count, 2);
    assert_false(pq_dataset_view(d, 1, PQ_SPLIT_VALID, &view));
    assert_false(pq_dataset_view(d, 1, PQ_SPLIT_TEST, &view));

    assert_string_equal(d->provenance, "csv log: 3 users, 2 items, 9 events");
    pique_dataset_summary summary = pique_dataset_describe(d);
    assert_int_equal(summary.users, 3);
    assert_int_equal(summary.items, 2);
    assert_int_equal(summary.events, 9);
    pique_dataset_free(d);
    testing_close(&t);
}

static void test_minimum_count(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d;
    assert_ok(&t.ctx, parse(&t, (const char *const[4]){log_text}, 2, &d));
    assert_int_equal(d->items.count, 1);
    assert_int_equal(item(d, "b"), 1);
    const uint32_t popularity[3] = {0, 4, 1}; /* UNKNOWN gathers the rare */
    assert_memory_equal(d->popularity, popularity, sizeof(popularity));
    assert_int_equal(d->events[0], 2);
    pique_dataset_free(d);

    assert_failure(&t.ctx, parse(&t, (const char *const[4]){log_text}, 5, &d), PIQUE_DATA,
                   "folder/log: no item has 5 training events");
    testing_close(&t);
}

/* Equal counts go bytewise, capitals and short words first. */
static void test_ties(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d;
    const char *text = "item,user,timestamp\nab,u,1\na,u,2\nB,v,1\nb,v,2\nb,w,1\n\xc3\xa4,w,2\n";
    assert_ok(&t.ctx, parse(&t, (const char *const[4]){text}, 1, &d));
    assert_int_equal(d->items.count, 5);
    static const char *const order[5] = {"b", "B", "a", "ab", "\xc3\xa4"};
    for (uint32_t i = 0; i < 5; i++) {
        assert_term(&d->items, i, order[i]);
    }
    pique_dataset_free(d);
    testing_close(&t);
}

static const char items_text[] = "item,title,genre,maker\n"
                                 "x,Never trained,Lost,Z\n"
                                 "b,\"B, the second\",Wit|Art|Wit||,\n"
                                 "ghost,Not in the log,Gone,Y\n"
                                 "a,A,Art,M\n";

static void assert_values(const pq_feature *feature, uint32_t owner, uint32_t count,
                          const uint32_t *values) {
    assert_int_equal(feature->offsets[owner + 1] - feature->offsets[owner], count);
    if (count) {
        assert_memory_equal(feature->values + feature->offsets[owner], values,
                            count * sizeof(*values));
    }
}

static void test_features(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d;
    const char *const texts[4] = {log_text, items_text,
                                  "user,age,city\ncy,30,Oslo|Rome\nbob,,Bonn\nzoe,50,Graz\n"};
    assert_ok(&t.ctx, parse(&t, texts, 1, &d));
    assert_int_equal(d->item_feature_count, 2);
    const pq_feature *genre = &d->item_features[0];
    assert_string_equal(genre->name, "genre");
    assert_string_equal(d->item_features[1].name, "maker");
    /* Only what items of the vocabulary have: neither Lost nor Gone. */
    assert_int_equal(genre->terms.count, 2);
    assert_int_equal(genre->rows, 4);
    assert_term(&genre->terms, 0, "Art");
    assert_term(&genre->terms, 1, "Wit");
    assert_values(genre, 0, 0, NULL);
    assert_values(genre, item(d, "b"), 2, (const uint32_t[]){2, 1});
    assert_values(genre, item(d, "a"), 1, (const uint32_t[]){1});
    assert_values(genre, 3, 0, NULL); /* UNKNOWN */
    assert_int_equal(d->item_features[1].terms.count, 1);
    assert_values(&d->item_features[1], item(d, "b"), 0, NULL);

    assert_int_equal(d->profile_count, 2);
    const pq_feature *city = &d->profile[1];
    assert_string_equal(d->profile[0].name, "age");
    assert_int_equal(d->profile[0].terms.count, 1);
    assert_int_equal(city->terms.count, 2);
    assert_term(&city->terms, 1, "Oslo|Rome");
    assert_values(city, 0, 0, NULL);
    assert_values(city, 1, 1, (const uint32_t[]){1});
    assert_values(city, 2, 1, (const uint32_t[]){2});
    pique_dataset_free(d);
    testing_close(&t);
}

static pique_status parse_all(testing *t, void *argument) {
    (void)argument;
    const char *const texts[4] = {log_text, items_text, "user,age\ncy,30\n",
                                  "{\"items\": {\"maker\": \"category\"}}"};
    pique_dataset *d = NULL;
    pique_status status = parse(t, texts, 1, &d);
    pique_dataset_free(d);
    return status;
}

static void test_memory_failures(void **state) {
    (void)state;
    testing_fail_each(parse_all, NULL);
}

/* Random logs: every user's events are in time order, equal times in input order, none are lost, and
 * no history of a split holds a later event than its target. */
static void test_random_logs(void **state) {
    (void)state;
    enum { ROWS = 400, USERS = 9 };
    for (uint32_t seed = 1; seed <= 20; seed++) {
        testing t;
        testing_open(&t);
        char text[ROWS * 32] = "user,item,timestamp\n";
        size_t size = strlen(text);
        uint32_t counts[USERS] = {0};
        pq_rng rng = pq_rng_make(seed, 0, 0);
        for (uint32_t row = 0; row < ROWS; row++) {
            uint32_t user = pq_rng_below(&rng, USERS);
            counts[user]++;
            size += (size_t)snprintf(text + size, sizeof(text) - size, "u%u,%u,%u\n", user, row,
                                     pq_rng_below(&rng, 25));
        }
        pique_dataset *d;
        assert_ok(&t.ctx, parse(&t, (const char *const[4]){text}, 1, &d));
        assert_int_equal(d->starts[d->user_count], ROWS);
        for (uint32_t u = 0; u < d->user_count; u++) {
            size_t length;
            const char *name = pq_strings_get(&d->users, u, &length);
            uint64_t start = d->starts[u];
            uint64_t end = d->starts[u + 1];
            assert_int_equal(end - start, counts[name[1] - '0']);
            for (uint64_t i = start + 1; i < end; i++) {
                assert_true(d->times[i - 1] <= d->times[i]);
                size_t one, two;
                uint32_t unknown = d->items.count + 1;
                if (d->times[i - 1] == d->times[i] && d->events[i] != unknown &&
                    d->events[i - 1] != unknown) {
                    const char *a = pq_strings_get(&d->items, d->events[i - 1] - 1, &one);
                    const char *b = pq_strings_get(&d->items, d->events[i] - 1, &two);
                    assert_true(one < two || (one == two && memcmp(a, b, one) < 0));
                }
            }
        }
        pique_dataset_free(d);
        testing_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_split),
        cmocka_unit_test(test_minimum_count),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_random_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
