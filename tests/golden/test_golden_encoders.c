/* test_golden_encoders.c — quantiles of numbers and what stands for missing ones against NumPy's (encoders_golden.py). */
#include "tests/unit/testing.h"

#include <math.h>

#include "base/buckets.h"
#include "file/container.h"
#include "native/data/readers.h"

typedef struct {
    testing t;
    void *bytes;
    pq_container file;
} golden;

static const float *floats(const golden *g, const char *name, const char *part, uint32_t *count) {
    char whole[40];
    snprintf(whole, sizeof(whole), "%s.%s", name, part);
    const pq_tensor *found = pq_container_find(&g->file, whole);
    if (!found) {
        fail_msg("the fixture has no %s", whole);
    }
    *count = found->shape[0];
    return found->data;
}

/* The data set of users whose numbers the fixture has, and one more, who has none. */
static void read_numbers(golden *g, const char *name, const char *missing, pique_dataset **out) {
    uint32_t count, one;
    const float *train = floats(g, name, "train", &count);
    uint32_t most;
    memcpy(&most, floats(g, name, "count", &one), sizeof(most));
    size_t room = 64 + (size_t)count * 48;
    char *log = malloc(room), *users = malloc(room), schema[160];
    assert_true(log && users);
    size_t logged = (size_t)sprintf(log, "user,item,timestamp\nnone,i,1\n");
    size_t used = (size_t)sprintf(users, "user,x\n");
    for (uint32_t i = 0; i < count; i++) {
        logged += (size_t)sprintf(log + logged, "u%u,i,1\n", (unsigned)i);
        used += (size_t)sprintf(users + used, "u%u,%.9g\n", (unsigned)i, (double)train[i]);
    }
    snprintf(schema, sizeof(schema),
             "{\"users\":{\"x\":{\"type\":\"number\",\"as\":\"quantile\",\"buckets\":%u,"
             "\"missing\":%s}}}",
             (unsigned)most, missing);
    const pq_source sources[PQ_READER_FILES] = {{"interactions.csv", log, logged},
                                                {"items.csv", NULL, 0},
                                                {"users.csv", users, used},
                                                {"schema.json", schema, strlen(schema)}};
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "data";
    assert_ok(&g->t.ctx, pq_dataset_parse(&g->t.ctx, &pq_reader_csv, sources, &options, NULL, out));
    free(log);
    free(users);
}

static void check_near(const char *what, uint32_t i, float got, float want, float tolerance) {
    if (!(fabsf(got - want) <= tolerance)) {
        fail_msg("%s %u: %.9g instead of %.9g", what, (unsigned)i, (double)got, (double)want);
    }
}

static void check_case(golden *g, const char *name) {
    uint32_t count, queried;
    const float *landmarks = floats(g, name, "landmarks", &count);
    const float *queries = floats(g, name, "queries", &queried);
    const float *expected = floats(g, name, "expected", &queried);
    pique_dataset *d;
    read_numbers(g, name, "\"median\"", &d);
    const pq_feature *f = &d->profile[0];
    assert_int_equal(f->bound_count, count);
    for (uint32_t j = 0; j < count; j++) {
        check_near(name, j, f->bounds[j], landmarks[j], 1e-6F * fabsf(landmarks[j]));
    }
    for (uint32_t i = 0; i < queried; i++) {
        check_near(name, i, pq_quantile(f->bounds, count, (double)queries[i]), expected[i], 1e-5F);
    }
    pique_dataset_free(d);
}

static void check_fills(golden *g, const char *name) {
    uint32_t three;
    const float *fills = floats(g, name, "fills", &three),
                *placed = floats(g, name, "placed", &three);
    char constant[32];
    snprintf(constant, sizeof(constant), "%.9g", (double)fills[2]);
    const char *const missing[] = {"\"median\"", "\"mean\"", constant};
    for (uint32_t i = 0; i < 3; i++) {
        pique_dataset *d;
        float times;
        read_numbers(g, name, missing[i], &d);
        const pq_feature *f = &d->profile[0];
        uint32_t none = pq_strings_find(&d->users, "none", 4);
        check_near(missing[i], i, f->fill, fills[i], 1e-6F * fabsf(fills[i]));
        assert_int_equal(pq_quantile_row(f->values[f->offsets[none]], &times), 1);
        check_near(missing[i], i, times, placed[i], 1e-5F);
        pique_dataset_free(d);
    }
}

static void test_numbers(void **state) {
    (void)state;
    static const char *const cases[] = {"normal", "few", "ties", "tenths", "sheet", "constant"};
    golden g;
    size_t size;
    testing_open(&g.t);
    g.bytes = testing_read("tests/golden/fixtures/encoders-numbers.safetensors", &size);
    assert_ok(&g.t.ctx, pq_container_open(&g.t.ctx, g.bytes, size, &g.file));
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        check_case(&g, cases[i]);
        check_fills(&g, cases[i]);
    }
    pq_container_close(&g.file);
    free(g.bytes);
    testing_close(&g.t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
