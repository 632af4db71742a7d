/* test_simulate.c — simulated viewers: the same bytes for the same seed, picks that follow the planted
 * interests, and files that appear together or not at all. */
#include "testing.h"

#include "native/data/fileio.h"
#include "native/data/simulate.h"

/* Fingerprints of interactions.csv and truth.csv: other machines and compilers come to the same. */
#define PINNED_INTERACTIONS 0xd69d732f61977d1cu
#define PINNED_TRUTH 0x59801c21de211119u

enum { ITEMS = 400, GENRES = 10, MAKERS = 25, USERS = 300 };

/* Item i<n> has genre n % 10, maker n % 25 (16 items each) and a unique `code`, which no interest can
 * be made of; popularity falls with n. */
static void write_catalog(const char *path) {
    char text[ITEMS * 64] = "item,title,genre,maker,code,popularity\n";
    size_t size = strlen(text);
    for (int n = 0; n < ITEMS; n++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "i%d,\"T, %d\",g%d,m%d,c%d,%d\n",
                                 n, n, n % GENRES, n % MAKERS, n, ITEMS - n);
    }
    testing_write_text(path, text);
}

typedef struct {
    testing t;
    char folder[TESTING_PATH];
    char catalog[TESTING_PATH];
    char out[TESTING_PATH];
    pique_simulate_options options;
} simulated;

static void begin(simulated *s) {
    memset(s, 0, sizeof(*s));
    testing_open(&s->t);
    testing_folder(s->folder);
    write_catalog(testing_path(s->catalog, s->folder, "catalog.csv"));
    testing_path(s->out, s->folder, "out/deep");
    pique_simulate_options_default(&s->options);
    s->options.catalog = s->catalog;
    s->options.out = s->out;
    s->options.users = USERS;
    s->options.interests = 3;
}

static void finish(simulated *s) {
    testing_folder_remove(s->folder);
    testing_close(&s->t);
}

static char *read_out(const simulated *s, const char *name) {
    char path[TESTING_PATH];
    size_t size;
    return testing_read(testing_path(path, s->out, name), &size);
}

static char *run(simulated *s, const char *name) {
    assert_ok(&s->t.ctx, pique_simulate(&s->t.ctx, &s->options, NULL));
    char *text = read_out(s, name);
    assert_non_null(text);
    return text;
}

/* FNV-1a, so that a test can pin the bytes of a file. */
static uint64_t fingerprint(const char *text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

static void test_determinism(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    char *first = run(&s, "interactions.csv");
    char *truth = read_out(&s, "truth.csv");
    char *again = run(&s, "interactions.csv");
    assert_string_equal(first, again);
    assert_int_equal(fingerprint(first), PINNED_INTERACTIONS);
    assert_int_equal(fingerprint(truth), PINNED_TRUTH);
    s.options.seed = 2;
    char *other = run(&s, "interactions.csv");
    assert_string_not_equal(first, other);
    /* Viewers have streams of their own: fewer of them are the first of many. */
    s.options.seed = 1;
    s.options.users = USERS / 2;
    char *half = run(&s, "interactions.csv");
    assert_true(strlen(half) < strlen(first));
    assert_memory_equal(first, half, strlen(half));
    free(first);
    free(truth);
    free(again);
    free(other);
    free(half);
    finish(&s);
}

typedef struct {
    bool genre[USERS][GENRES];
    bool maker[USERS][MAKERS];
    int interests[USERS];
} planted;

static void read_truth(const char *text, planted *out) {
    memset(out, 0, sizeof(*out));
    double sums[USERS] = {0};
    const char *line = strchr(text, '\n') + 1;
    assert_memory_equal(text, "user,interest,column,value,weight\n", (size_t)(line - text));
    for (; *line; line = strchr(line, '\n') + 1) {
        int user, interest, value;
        char column[8];
        double weight;
        assert_int_equal(sscanf(line, "viewer-%d,%d,%5[a-z],%*1[gm]%d,%lf\n", &user, &interest,
                                column, &value, &weight),
                         5);
        user--;
        assert_in_range(user, 0, USERS - 1);
        assert_int_equal(interest, ++out->interests[user]);
        bool *flag =
            strcmp(column, "genre") == 0 ? &out->genre[user][value] : &out->maker[user][value];
        assert_false(*flag); /* no interest twice */
        *flag = true;
        assert_true(weight > 0 && weight <= 1);
        sums[user] += weight;
    }
    for (int u = 0; u < USERS; u++) {
        assert_true(sums[u] > 0.999 && sums[u] < 1.001);
    }
}

/* Picks outside the interests are the noise alone; chance is the share of the catalogue that the
 * interests cover. */
static void test_picks_follow_interests(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    char *text = run(&s, "interactions.csv");
    char *truth = read_out(&s, "truth.csv");
    static planted plan;
    read_truth(truth, &plan);
    int counts[4] = {0};
    for (int u = 0; u < USERS; u++) {
        assert_in_range(plan.interests[u], 1, 3);
        counts[plan.interests[u]]++;
    }
    for (int k = 1; k <= 3; k++) {
        assert_in_range(counts[k], 70, 130); /* 100 of 300 each, deviation 8 */
    }
    int lengths[USERS] = {0};
    static bool seen[USERS][ITEMS];
    memset(seen, 0, sizeof(seen));
    long previous[USERS] = {0};
    long total = 0, matching = 0, popular = 0;
    double chance = 0;
    for (const char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        int user, item;
        long time;
        assert_int_equal(sscanf(line, "viewer-%d,i%d,%ld\n", &user, &item, &time), 3);
        user--;
        assert_true(time > previous[user]);
        previous[user] = time;
        assert_false(seen[user][item]);
        seen[user][item] = true;
        lengths[user]++;
        total++;
        matching += plan.genre[user][item % GENRES] || plan.maker[user][item % MAKERS];
        popular += item < ITEMS / 4;
        int covered = 0;
        for (int n = 0; n < ITEMS; n++) {
            covered += plan.genre[user][n % GENRES] || plan.maker[user][n % MAKERS];
        }
        chance += (double)covered / ITEMS;
    }
    for (int u = 0; u < USERS; u++) {
        assert_in_range(lengths[u], PQ_SIMULATE_SHORTEST, PQ_SIMULATE_LONGEST);
    }
    chance /= (double)total;
    assert_true(chance < 0.25);
    double share = (double)matching / (double)total;
    assert_true(share > 0.85 && share < 0.97); /* noise .1, some of which matches by chance */
    assert_true((double)popular / (double)total >
                0.28); /* a quarter of the items, the most popular */
    free(text);
    free(truth);
    finish(&s);
}

static void test_items_file(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    s.options.columns = "maker,genre";
    char *items = run(&s, "items.csv");
    static const char head[] = "item,title,maker,genre\ni0,\"T, 0\",m0,g0\ni1,\"T, 1\",m1,g1\n";
    assert_memory_equal(items, head, sizeof(head) - 1);
    free(items);
    finish(&s);
}

/* Interests that are soon used up end a history early, but not before its shortest length. */
static void test_small_catalog(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    testing_write_text(s.catalog,
                       "item,kind\n1,a|a\n2,a\n3,a\n4,a\n5,a\n6,a\n7,a\n8,a\n9,b\n10,\n");
    s.options.interests = 1;
    char *text = run(&s, "interactions.csv");
    int lengths[USERS] = {0};
    for (const char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        int user;
        assert_int_equal(sscanf(line, "viewer-%d,", &user), 1);
        lengths[user - 1]++;
    }
    for (int u = 0; u < USERS; u++) {
        assert_in_range(lengths[u], 8, 10);
    }
    free(text);
    s.options.interests = 2;
    assert_failure(&s.t.ctx, pique_simulate(&s.t.ctx, &s.options, NULL), PIQUE_DATA,
                   "catalog.csv: 1 category values have 8 items or more; 2 interests need as many");
    finish(&s);
}

static void refuse(simulated *s, pique_status status, const char *words) {
    assert_failure(&s->t.ctx, pique_simulate(&s->t.ctx, &s->options, NULL), status, words);
    assert_null(read_out(s, "interactions.csv"));
    assert_null(read_out(s, "items.csv"));
    assert_null(read_out(s, "truth.csv"));
}

static void test_refusals(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    s.options.users = 0;
    refuse(&s, PIQUE_ARGUMENT, "users is 0");
    s.options.users = 1;
    s.options.interests = 17;
    refuse(&s, PIQUE_ARGUMENT, "interests is 17, not 1 to 16");
    s.options.interests = 2;
    s.options.columns = "genre,colour";
    refuse(&s, PIQUE_DATA, "catalog.csv: no column \"colour\"; the header has \"item\"");
    s.options.columns = "genre,genre";
    refuse(&s, PIQUE_ARGUMENT, "\"genre\" cannot stand there twice");
    s.options.columns = "genre,";
    refuse(&s, PIQUE_ARGUMENT, "an empty or overlong name");
    s.options.columns = NULL;
    s.options.popularity = "code";
    refuse(&s, PIQUE_DATA, "catalog.csv:2: the popularity is not a number from 0 up");
    s.options.popularity = NULL;
    testing_write_text(s.catalog, "item,kind\n1,a\n1,b\n");
    refuse(&s, PIQUE_DATA, "catalog.csv:3: the item stands twice");
    testing_write_text(s.catalog, "item,kind\n1\n");
    refuse(&s, PIQUE_DATA, "catalog.csv:2: 1 field where the header has 2");
    testing_write_text(s.catalog, "item,kind\n");
    refuse(&s, PIQUE_DATA, "catalog.csv: no items");
    char items[TESTING_PATH];
    write_catalog(testing_path(items, s.folder, "items.csv"));
    s.options.catalog = items;
    s.options.out = s.folder;
    assert_failure(&s.t.ctx, pique_simulate(&s.t.ctx, &s.options, NULL), PIQUE_ARGUMENT,
                   "items.csv is the catalogue itself");
    finish(&s);
}

/* The second of three files cannot be written: a folder has its name. */
static void test_all_or_nothing(void **state) {
    (void)state;
    simulated s;
    begin(&s);
    s.options.out = s.folder;
    char path[TESTING_PATH];
    assert_ok(&s.t.ctx, pq_folder_make(&s.t.ctx, testing_path(path, s.folder, "interactions.csv")));
    assert_int_equal(pique_simulate(&s.t.ctx, &s.options, NULL), PIQUE_IO);
    assert_non_null(strstr(s.t.ctx.error, "interactions.csv"));
    assert_false(pq_file_exists(testing_path(path, s.folder, "items.csv")));
    assert_false(pq_file_exists(testing_path(path, s.folder, "items.csv.part")));
    assert_false(pq_file_exists(testing_path(path, s.folder, "truth.csv")));
    finish(&s);
}

static pique_status in_memory(testing *t, void *argument) {
    pq_source source = {.name = "catalog", .bytes = argument, .size = strlen(argument)};
    pique_simulate_options options;
    pique_simulate_options_default(&options);
    options.users = 3;
    options.interests = 1;
    pq_catalog catalog;
    pq_text interactions, truth, items;
    pq_text_init(&interactions, &t->ctx);
    pq_text_init(&truth, &t->ctx);
    pq_text_init(&items, &t->ctx);
    pique_status status = pq_catalog_parse(&catalog, &t->ctx, &source, NULL, NULL);
    if (status == PIQUE_OK) {
        status = pq_simulate(&catalog, &options, NULL, &interactions, &truth);
    }
    if (status == PIQUE_OK) {
        pq_catalog_write(&catalog, &items);
        status = pq_text_status(&items);
    }
    pq_catalog_free(&catalog);
    pq_text_free(&interactions);
    pq_text_free(&truth);
    pq_text_free(&items);
    return status;
}

static void test_memory_failures(void **state) {
    (void)state;
    char text[] = "item,title,kind\n1,A,a\n2,B,a\n3,C,a\n4,D,a\n5,E,a|b\n6,F,a\n7,G,a\n8,H,a\n";
    testing_fail_each(in_memory, text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_determinism),     cmocka_unit_test(test_picks_follow_interests),
        cmocka_unit_test(test_items_file),      cmocka_unit_test(test_small_catalog),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
