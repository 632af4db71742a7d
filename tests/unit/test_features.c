/* test_features.c — columns of types: what values are taken for, what the schema says instead, the codes that
 * come of it, and that training alone is fitted on. */
#include "testing.h"

#include <float.h>
#include <math.h>

#include "base/buckets.h"
#include "native/data/readers.h"

typedef struct {
    testing t;
    pique_dataset_options options;
    pique_dataset *dataset;
    char log[1024];
    const char *interactions, *items, *users, *schema;
} reading;

static void on_log(void *user, const char *line) {
    reading *r = user;
    size_t used = strlen(r->log);
    snprintf(r->log + used, sizeof(r->log) - used, "%s\n", line);
}

static void begin(reading *r) {
    memset(r, 0, sizeof(*r));
    testing_open(&r->t);
    pique_dataset_options_default(&r->options);
    r->options.path = "data";
}

static pq_source source_of(const char *name, const char *text) {
    return (pq_source){.name = name, .bytes = text, .size = text ? strlen(text) : 0};
}

static pique_status open_it(reading *r) {
    pq_source sources[PQ_READER_FILES] = {
        source_of("interactions.csv", r->interactions), source_of("items.csv", r->items),
        source_of("users.csv", r->users), source_of("schema.json", r->schema)};
    pique_listener listener = {.log = on_log, .user = r};
    r->log[0] = 0;
    return pq_dataset_parse(&r->t.ctx, &pq_reader_csv, sources, &r->options, &listener,
                            &r->dataset);
}

static void drop(reading *r) {
    pique_dataset_free(r->dataset);
    r->dataset = NULL;
}

static void finish(reading *r) {
    drop(r);
    testing_close(&r->t);
}

static uint32_t item(const reading *r, const char *id) {
    return pq_strings_find(&r->dataset->items, id, strlen(id)) + 1;
}

static uint32_t user(const reading *r, const char *id) {
    return pq_strings_find(&r->dataset->users, id, strlen(id));
}

static void assert_values(const pq_feature *feature, uint32_t owner, uint32_t count,
                          const uint32_t *values) {
    assert_int_equal(feature->offsets[owner + 1] - feature->offsets[owner], count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(feature->values[feature->offsets[owner] + i], values[i]);
    }
}

static void assert_value(const pq_feature *feature, uint32_t owner, uint32_t value) {
    assert_values(feature, owner, 1, &value);
}

/* "i0,0\ni1,1\n…": as many rows about items or users, each with its number put into `format`. */
static char *rows(const char *header, const char *format, int count) {
    char *text = malloc(128 + (size_t)count * 128);
    size_t size = (size_t)sprintf(text, "%s\n", header);
    for (int i = 0; i < count; i++) {
        size += (size_t)sprintf(text + size, format, i, i, i);
        text[size++] = '\n';
    }
    text[size] = 0;
    return text;
}

#define MANY 30

static void test_inference(void **state) {
    (void)state;
    reading r;
    begin(&r);
    char *log = rows("item,user,timestamp", "i%d,u%d,%d", MANY);
    r.interactions = log;
    static const struct {
        const char *format, *said;
        bool is_number;
        uint32_t terms;
    } cases[] = {
        {"i%d,%d.5", "items: column \"x\" is taken for numbers", true, 0},
        {"i%d,-%de2", "items: column \"x\" is taken for numbers", true, 0},
        {"i%d,0%d", "", false, MANY}, /* names with zeros in front */
        {"i%d,%d min", "", false, MANY},
        {"i%d,word number %d of a long text", "items: column \"x\" is taken for text", false, 0},
        {"i%d,a b c d e|word %d", "", false, MANY + 1},
        {"i%d,7", "", false, 1}, /* few numbers are categories */
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        char *items = rows("item,x", cases[i].format, MANY);
        r.items = items;
        assert_ok(&r.t.ctx, open_it(&r));
        const pq_feature *x = &r.dataset->item_features[0];
        assert_int_equal(x->is_number, cases[i].is_number);
        assert_int_equal(x->terms.count, cases[i].terms);
        assert_true(strstr(r.log, cases[i].said) && (cases[i].said[0] || !strstr(r.log, "taken")));
        drop(&r);
        free(items);
    }
    /* Of users the schema alone tells of text. */
    r.items = NULL;
    char *users = rows("user,x", "u%d,word number %d of a long text", MANY);
    r.users = users;
    assert_ok(&r.t.ctx, open_it(&r));
    assert_int_equal(r.dataset->profile[0].terms.count, MANY);
    free(users);
    free(log);
    finish(&r);
}

static const char six_users[] = "user,item,timestamp\na,i,1\nb,i,1\nc,i,1\nd,i,1\ne,i,1\nf,i,1\n";

static void test_numbers(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = six_users;
    r.users = "user,age\na,10\nb,20\nc,20\nd,30\ne,80\n"; /* f has no row */
    r.schema = "{\"users\": {\"age\": {\"type\": \"number\", \"buckets\": 3}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *age = &r.dataset->profile[0];
    /* Thirds of 10 20 20 30 80 begin at places 1 and 3: between 10 and 20, between 20 and 30. */
    assert_int_equal(age->bound_count, 2);
    assert_true(age->bounds[0] == 15 && age->bounds[1] == 25);
    assert_int_equal(age->rows, 5);
    static const uint32_t codes[] = {1, 2, 2, 3, 3, 2}; /* the median is 20 */
    for (uint32_t u = 0; u < 6; u++) {
        assert_value(age, u, codes[u]);
    }
    assert_int_equal(age->missing, 2);
    assert_false(age->trains_unknown);
    drop(&r);

    r.schema =
        "{\"users\": {\"age\": {\"type\": \"number\", \"buckets\": 3, \"missing\": \"own\"}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    age = &r.dataset->profile[0];
    assert_value(age, 4, 3);
    assert_value(age, 5, 4);
    assert_true(age->trains_unknown);
    drop(&r);

    /* Equal numbers have one bucket, and no numbers none. */
    r.users = "user,age\na,5\nb,5\nc,5\nd,5\ne,5\nf,6\n";
    r.schema = "{\"users\": {\"age\": \"number\"}}";
    assert_ok(&r.t.ctx, open_it(&r));
    assert_int_equal(r.dataset->profile[0].bound_count, 1);
    assert_value(&r.dataset->profile[0], 5, 2);
    drop(&r);
    r.users = "user,age\na,\n";
    assert_ok(&r.t.ctx, open_it(&r));
    assert_int_equal(r.dataset->profile[0].rows, 3);
    assert_value(&r.dataset->profile[0], 0, 2);
    finish(&r);
}

static void assert_quantile(const pq_feature *feature, uint32_t owner, float quantile) {
    assert_value(feature, owner, pq_quantile_code(quantile));
}

/* Training values (0, 1, 1, 2) are landmarks themselves; of six values three landmarks are the ends and the middle. */
static void test_quantiles(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = six_users;
    r.users = "user,age,sum\na,0,1\nb,1,2\nc,1,3\nd,2,4\ne,,5\nf,,6\n";
    r.schema = "{\"users\": {\"age\": {\"type\": \"number\", \"as\": \"quantile\", \"missing\": "
               "\"own\"}, \"sum\": {\"type\": \"number\", \"as\": \"quantile\", \"buckets\": 3}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *age = &r.dataset->profile[0], *sum = &r.dataset->profile[1];
    static const float of_age[] = {0, 1, 1, 2}, of_sum[] = {1, 3.5F, 6};
    assert_true(age->quantile && age->bound_count == 4 && sum->bound_count == 3);
    assert_memory_equal(age->bounds, of_age, sizeof(of_age));
    assert_memory_equal(sum->bounds, of_sum, sizeof(of_sum));
    assert_quantile(age, 0, 0);
    assert_quantile(age, 1, 0.5F);
    assert_quantile(age, 3, 1);
    assert_value(age, 4, PQ_QUANTILE_CODES - 1);
    assert_true(isnan(age->fill) && age->trains_unknown && !sum->trains_unknown);
    assert_quantile(sum, 1, 0.2F);
    assert_quantile(sum, 3, 0.6F);
    drop(&r);

    /* A constant has 0, and so has what no training value tells of. */
    r.users = "user,age,sum\na,7,\nb,7,\n";
    r.schema = "{\"users\": {\"age\": {\"type\": \"number\", \"as\": \"quantile\"}, \"sum\": "
               "{\"type\": \"number\", \"as\": \"quantile\", \"missing\": 3}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    assert_quantile(&r.dataset->profile[0], 0, 0);
    assert_quantile(&r.dataset->profile[0], 5, 0);
    assert_quantile(&r.dataset->profile[1], 0, 0);
    finish(&r);
}

static void test_missing(void **state) {
    (void)state;
    static const struct {
        const char *missing;
        float fill;
        uint32_t code;
    } cases[] = {
        {"\"median\"", 20, 2}, {"\"mean\"", 32, 3}, {"3.5", 3.5F, 1}, {"1e300", FLT_MAX, 3}};
    reading r;
    begin(&r);
    r.interactions = six_users;
    r.users = "user,age\na,10\nb,20\nc,20\nd,30\ne,80\n"; /* f has no row */
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        char schema[128];
        snprintf(schema, sizeof(schema),
                 "{\"users\": {\"age\": {\"type\": \"number\", \"buckets\": 3, \"missing\": %s}}}",
                 cases[i].missing);
        r.schema = schema;
        assert_ok(&r.t.ctx, open_it(&r));
        assert_true(r.dataset->profile[0].fill == cases[i].fill);
        assert_value(&r.dataset->profile[0], 5, cases[i].code);
        drop(&r);
    }
    static const char *const bad[] = {"\"3.5\"", "\"mode\"", "true", "{}", "1e999"};
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        char schema[128];
        snprintf(schema, sizeof(schema),
                 "{\"users\": {\"age\": {\"type\": \"number\", \"missing\": %s}}}", bad[i]);
        r.schema = schema;
        assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "users.\"age\": \"missing\" is \"");
    }
    finish(&r);
}

/* Of users, several values of a cell are codes as of items. */
static void test_several_of_users(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = six_users;
    r.users = "user,tags,path,about,town\na,x|y|x,p q r,Good day,m|n\nb,y||z,q,,m\n";
    r.schema =
        "{\"users\": {\"tags\": {\"type\": \"multi\", \"max_values\": 2}, \"path\": {\"type\": "
        "\"sequence\", \"max_values\": 2, \"separator\": \" \"}, \"about\": {\"type\": "
        "\"text\", \"buckets\": 1000}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *p = r.dataset->profile;
    assert_values(&p[0], 0, 2, (const uint32_t[]){1, 2});
    assert_values(&p[0], 1, 2, (const uint32_t[]){2, 3});
    assert_values(&p[0], 2, 0, NULL);
    assert_values(&p[1], 0, 2, (const uint32_t[]){2, 1}); /* p, the oldest, has no code */
    assert_int_equal(p[1].terms.count, 2);
    assert_values(&p[2], 0, 3, (const uint32_t[]){217, 294, 155}); /* as in test_text */
    assert_int_equal(p[3].terms.count, 2);                         /* a category is whole */
    assert_true(p[0].separator == '|' && p[1].separator == ' ' && !p[2].separator &&
                !p[3].separator && p[1].newest && !p[0].newest && p[2].words == 1000);
    finish(&r);
}

static void test_numbers_of_items(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = "user,item,timestamp\nu,i,1\nu,j,2\nv,k,3\nw,x,1\nw,i,2\nw,y,3\n";
    r.items = "item,year\ni,1990\nj,2000\ny,1e300\n"; /* y is only a test target */
    r.schema = "{\"items\": {\"year\": {\"type\": \"number\", \"buckets\": 2}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *year = &r.dataset->item_features[0];
    assert_int_equal(year->bound_count, 1);
    assert_true(year->bounds[0] == 1995);
    assert_values(year, 0, 0, NULL);
    assert_value(year, item(&r, "i"), 1);
    assert_value(year, item(&r, "j"), 2);
    assert_value(year, item(&r, "k"), 1); /* missing: the median */
    assert_values(year, r.dataset->item_rows - 1, 0, NULL);
    finish(&r);
}

static void test_text_where_a_number_belongs(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = six_users;
    r.users = "user,age\na,10\nb,old\nc,20\nd,nan\n";
    r.schema = "{\"users\": {\"age\": \"number\"}}";
    assert_ok(&r.t.ctx, open_it(&r));
    assert_int_equal(r.dataset->bad_rows, 2);
    assert_non_null(
        strstr(r.log, "users.csv:3: \"old\" in column \"age\" is not a finite number; left out\n"));
    assert_non_null(strstr(r.log, "users.csv:5: \"nan\""));
    assert_value(&r.dataset->profile[0], 1, r.dataset->profile[0].missing);
    drop(&r);
    r.options.strict = true;
    assert_failure(&r.t.ctx, open_it(&r), PIQUE_DATA, "users.csv:3: \"old\" in column \"age\"");
    finish(&r);
}

static void test_categories(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = "user,item,timestamp\nu,i,1\nu,j,2\nv,k,3\n";
    r.items = "item,tags,kind\ni,b; a;b;c,x\nj,a;c,x\nk,;c,y|z\n";
    r.schema = "{\"items\": {\"kind\": {\"type\": \"category\", \"min_count\": 2}, \"tags\": "
               "{\"type\": \"multi\", \"separator\": \";\", \"max_values\": 2}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *tags = &r.dataset->item_features[0];
    const pq_feature *kind = &r.dataset->item_features[1];
    /* " a" a b c, two different ones of each cell; x stands twice, "y|z" once. */
    assert_int_equal(tags->terms.count, 4);
    assert_values(tags, item(&r, "i"), 2, (const uint32_t[]){3, 1});
    assert_values(tags, item(&r, "j"), 2, (const uint32_t[]){2, 4});
    assert_value(tags, item(&r, "k"), 4);
    assert_int_equal(kind->terms.count, 1);
    assert_value(kind, item(&r, "i"), 1);
    assert_value(kind, item(&r, "k"), 2);
    assert_true(kind->trains_unknown);
    finish(&r);
}

/* The newest values, which stand last, count where a sequence is longer than max_values. */
static void test_sequences(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = "user,item,timestamp\nu,i,1\nu,j,2\nv,k,3\nv,l,4\n";
    r.items = "item,path,more\ni,a|b|c|b,a b\nj,|a|,\nk,b,c  b\nl,,a a\n";
    r.schema = "{\"items\": {\"path\": {\"type\": \"sequence\", \"max_values\": 2}, \"more\": "
               "{\"type\": \"sequence\", \"separator\": \" \", \"min_count\": 2}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *path = &r.dataset->item_features[0], *more = &r.dataset->item_features[1];
    assert_int_equal(path->terms.count, 3);
    assert_values(path, item(&r, "i"), 2, (const uint32_t[]){2, 3});
    assert_value(path, item(&r, "j"), 1);
    assert_value(path, item(&r, "k"), 2);
    assert_values(path, item(&r, "l"), 0, NULL);
    assert_int_equal(more->terms.count, 2); /* c stands once */
    assert_values(more, item(&r, "i"), 2, (const uint32_t[]){2, 1});
    assert_values(more, item(&r, "k"), 2, (const uint32_t[]){2, 3});
    assert_value(more, item(&r, "l"), 1);
    finish(&r);
}

/* FNV-1a of 32 bits, modulo 1000, plus 1, as Python computes it. */
enum {
    GOOD_OLD = 278,
    OLD_GOOD = 684,
    GOOD_DAY = 155,
    GOOD = 217,
    OLD = 767,
    DAY = 294,
    AE = 931,
};

static void test_text(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = "user,item,timestamp\nu,i,1\nu,j,2\nv,k,3\n";
    r.items = "item,title\ni,\"Good, OLD good day\"\nj,good\nk,\"\xc3\x84?!\"\n";
    r.schema = "{\"items\": {\"title\": {\"type\": \"text\", \"buckets\": 1000}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *title = &r.dataset->item_features[0];
    assert_int_equal(title->rows, 1002);
    assert_values(title, item(&r, "i"), 6,
                  (const uint32_t[]){GOOD, OLD, GOOD_OLD, OLD_GOOD, DAY, GOOD_DAY});
    assert_value(title, item(&r, "j"), GOOD);
    assert_value(title, item(&r, "k"), AE);
    drop(&r);
    r.schema =
        "{\"items\": {\"title\": {\"type\": \"text\", \"buckets\": 1000, \"max_values\": 3}}}";
    assert_ok(&r.t.ctx, open_it(&r));
    title = &r.dataset->item_features[0];
    assert_values(title, item(&r, "i"), 3, (const uint32_t[]){GOOD, OLD, GOOD_OLD});
    finish(&r);
}

/* Users all of whose pairs are for validation or test are not fitted on. */
static void test_training_alone(void **state) {
    (void)state;
    reading r;
    begin(&r);
    r.interactions = "user,item,timestamp,label\na,i,1,1\nb,i,2,1\nc,i,3,1\nd,i,4,1\ne,i,5,1\n"
                     "f,i,6,1\ng,i,7,1\nh,i,8,1\nz,i,90,1\ny,i,91,0\n";
    r.users = "user,age,town\na,1,p\nb,2,q\nc,3,p\nd,4,q\nz,1000,late\ny,2000,late\n";
    r.schema = "{\"users\": {\"age\": {\"type\": \"number\", \"buckets\": 4}}}";
    r.options.labelled = true;
    r.options.split = "time";
    assert_ok(&r.t.ctx, open_it(&r));
    const pq_feature *age = &r.dataset->profile[0];
    const pq_feature *town = &r.dataset->profile[1];
    assert_int_equal(age->bound_count, 3);
    assert_true(age->bounds[2] == 3.5F);
    assert_value(age, user(&r, "y"), 4);
    assert_int_equal(town->terms.count, 2);
    assert_value(town, user(&r, "z"), 3);
    assert_false(town->trains_unknown);
    finish(&r);
}

static pique_status read_everything(testing *t, void *argument) {
    (void)argument;
    const char *items = "item,year,tags,title\ni,1,a;b,One two\nj,2,b,two\n";
    pq_source sources[PQ_READER_FILES] = {
        source_of("interactions.csv", six_users), source_of("items.csv", items),
        source_of("users.csv", "user,age\na,1\nb,2\n"),
        source_of(
            "schema.json",
            "{\"items\": {\"year\": {\"type\": \"number\", \"buckets\": 2}, \"tags\": {\"type\": "
            "\"multi\", \"separator\": \";\"}, \"title\": \"text\"}, \"users\": {\"age\": "
            "\"number\"}}")};
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "data";
    pique_dataset *d = NULL;
    pique_status status = pq_dataset_parse(&t->ctx, &pq_reader_csv, sources, &options, NULL, &d);
    pique_dataset_free(d);
    return status;
}

static void test_memory_failures(void **state) {
    (void)state;
    testing_fail_each(read_everything, NULL);
}

static void test_buckets(void **state) {
    (void)state;
    static const float bounds[] = {-1, 0, 2.5F};
    static const struct {
        double value;
        uint32_t bucket;
    } cases[] = {{-1e300, 1}, {-1, 1}, {-0.5, 2}, {0, 2}, {1e-300, 3}, {2.5, 3}, {2.6, 4}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        assert_int_equal(pq_bucket(bounds, 3, cases[i].value), cases[i].bucket);
    }
    assert_int_equal(pq_bucket(NULL, 0, 7), 1);
    assert_true(pq_buckets_rise(bounds, 3, false));
    assert_false(pq_buckets_rise((const float[]){1, 1}, 2, false));
    assert_true(pq_buckets_rise((const float[]){1, 1}, 2, true));
    assert_false(pq_buckets_rise((const float[]){1, 0}, 2, true));
    uint32_t bits[] = {0x7fc00000, 0x7f800000, 0xff800000};
    for (size_t i = 0; i < PQ_COUNT(bits); i++) {
        float value;
        memcpy(&value, &bits[i], sizeof(value));
        assert_false(pq_buckets_rise(&value, 1, true));
    }
}

/* The doubles 0.1 and 0.7 are no floats, and yet meet their landmarks. */
static void test_quantile_map(void **state) {
    (void)state;
    static const float landmarks[] = {0, 0.1F, 0.1F, 0.7F, 2};
    static const struct {
        double value;
        float quantile;
    } cases[] = {{-1e300, 0},  {0, 0}, {0.05, 0.125F}, {0.1, 0.375F}, {0.4, 0.625F},
                 {0.7, 0.75F}, {2, 1}, {2.1, 1},       {1e300, 1}};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        float quantile = pq_quantile(landmarks, 5, cases[i].value), times;
        assert_true(fabsf(quantile - cases[i].quantile) <= 1e-6F);
        assert_int_equal(pq_quantile_row(pq_quantile_code(quantile), &times), 1);
        assert_true(times == quantile);
    }
    static const float one[] = {7}, same[] = {7, 7, 7};
    for (int i = 6; i < 9; i++) {
        assert_true(pq_quantile(one, 1, i) == 0 && pq_quantile(same, 3, i) == 0);
    }
    float times;
    assert_int_equal(pq_quantile_row(0, &times), 0);
    assert_int_equal(pq_quantile_row(PQ_QUANTILE_CODES - 1, &times), 2);
    assert_true(times == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inference),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_of_items), cmocka_unit_test(test_text_where_a_number_belongs),
        cmocka_unit_test(test_categories),       cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_quantiles),        cmocka_unit_test(test_text),
        cmocka_unit_test(test_training_alone),   cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_buckets),          cmocka_unit_test(test_quantile_map),
        cmocka_unit_test(test_missing),          cmocka_unit_test(test_several_of_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
