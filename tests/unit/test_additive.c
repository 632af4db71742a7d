/* test_additive.c — fitting an additive quantiser: better than the product quantiser it starts from, better where
 * queries lie, the same bytes each time, codebooks in order, and no trouble with few or equal rows. */
#include "tests/unit/quant_rows.h"

#include <math.h>

#include "native/quant/additive.h"
#include "native/quant/product.h"

enum { ROWS = 500, MORE = 20500, D = 13, M = 8, K = PQ_TABLE_CENTROIDS, BYTES = M / 2 };

typedef struct {
    double first, all, along; /* mean squares of the miss: in dimension 0, in all, along the row */
} misses;

static void add_miss(misses *m, const float *row, const float *decoded, double share) {
    double along = 0, length = 0;
    for (int j = 0; j < D; j++) {
        const double miss = (double)row[j] - decoded[j];
        m->first += j == 0 ? share * miss * miss : 0;
        m->all += share * miss * miss;
        along += miss * row[j];
        length += (double)row[j] * row[j];
    }
    m->along += share * along * along / length;
}

typedef struct {
    pq_additive a;
    uint8_t codes[MORE * BYTES];
    misses misses;
} fitted;

static void fit(pq_arena *arena, const float *rows, uint32_t count, const double *moment,
                fitted *f) {
    f->a = (pq_additive){.width = D, .codebooks = M};
    f->misses = (misses){0};
    assert_ok(arena->ctx, pq_additive_fit(arena, rows, count, moment, &f->a, f->codes));
    for (uint32_t i = 0; i < count; i++) {
        float decoded[D];
        pq_additive_decode(&f->a, f->codes + (size_t)i * BYTES, decoded);
        add_miss(&f->misses, rows + (size_t)i * D, decoded, 1.0 / count);
    }
}

static misses misses_of_product(pq_arena *arena, const float *rows, const double *moment) {
    pq_product p;
    misses sum = {0};
    assert_ok(arena->ctx, pq_product_fit(arena, rows, ROWS, D, M, moment, &p));
    double *scratch = pq_arena_take(arena, 2 * (size_t)pq_product_directions(&p), sizeof(double));
    for (size_t i = 0; i < ROWS; i++) {
        uint8_t codes[BYTES];
        float decoded[D];
        pq_product_encode(&p, rows + i * D, codes, scratch);
        pq_product_decode(&p, codes, decoded);
        add_miss(&sum, rows + i * D, decoded, 1.0 / ROWS);
    }
    return sum;
}

static void test_better_than_product(void **state) {
    (void)state;
    static float rows[ROWS * D];
    static fitted everywhere, ahead;
    quant_place at;
    double moment[D * D];
    quant_open(&at);
    quant_rows(rows, ROWS, D);
    quant_moment(moment, D, 1, 1);
    const misses product = misses_of_product(&at.arena, rows, moment);
    fit(&at.arena, rows, ROWS, moment, &everywhere);
    assert_true(everywhere.misses.all < 0.6 * product.all);
    /* Less than a direction's part of the miss lies along the row. */
    assert_true(everywhere.misses.along < 0.7 * everywhere.misses.all / D);
    quant_moment(moment, D, 1, 0);
    fit(&at.arena, rows, ROWS, moment, &ahead);
    assert_true(ahead.misses.first < 0.2 * everywhere.misses.first);
    quant_close(&at);
}

/* The fit's codes for rows it has sampled, and those that it has not, are about as good. */
static void test_more_rows_than_are_sampled(void **state) {
    (void)state;
    static float rows[MORE * D];
    static fitted f;
    quant_place at;
    pq_additive_search search;
    misses anew = {0};
    quant_open(&at);
    quant_rows(rows, MORE, D);
    fit(&at.arena, rows, MORE, NULL, &f);
    assert_ok(&at.t.ctx, pq_additive_search_init(&at.arena, &search, M));
    for (uint32_t i = 0; i < MORE; i += 41) {
        uint8_t codes[BYTES];
        float decoded[D];
        pq_additive_encode(&f.a, rows + (size_t)i * D, &search, codes);
        pq_additive_decode(&f.a, codes, decoded);
        add_miss(&anew, rows + (size_t)i * D, decoded, 1.0 / (MORE / 41));
    }
    assert_true(anew.all < 1.1 * f.misses.all);
    for (uint32_t i = 0; i < MORE; i++) { /* none is left out */
        misses own = {0};
        float decoded[D];
        pq_additive_decode(&f.a, f.codes + (size_t)i * BYTES, decoded);
        add_miss(&own, rows + (size_t)i * D, decoded, 1);
        assert_true(own.all < 40 * f.misses.all);
    }
    quant_close(&at);
}

static double energy(const fitted *f, uint32_t m) {
    double mean[D] = {0}, sum = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        const uint32_t code = f->codes[i * BYTES + m / 2] >> (m % 2 * 4) & 15;
        for (int j = 0; j < D; j++) {
            const double x = f->a.centroids[(m * K + code) * D + (uint32_t)j];
            mean[j] += x / ROWS;
            sum += x * x / ROWS;
        }
    }
    for (int j = 0; j < D; j++) {
        sum -= mean[j] * mean[j];
    }
    return sum;
}

static void test_same_bytes_in_order(void **state) {
    (void)state;
    static float rows[ROWS * D];
    static fitted a, b;
    quant_place at;
    double moment[D * D];
    quant_open(&at);
    quant_rows(rows, ROWS, D);
    quant_moment(moment, D, 1, 1);
    fit(&at.arena, rows, ROWS, moment, &a);
    fit(&at.arena, rows, ROWS, moment, &b);
    assert_memory_equal(a.a.centroids, b.a.centroids, sizeof(float[M * K * D]));
    assert_memory_equal(a.codes, b.codes, ROWS * BYTES);
    for (uint32_t m = 0; m + 1 < M; m++) { /* weighed by rank there, plainly here */
        assert_true(energy(&a, m) > 0.7 * energy(&a, m + 1));
    }
    assert_true(energy(&a, 0) > 4 * energy(&a, M - 1));
    quant_close(&at);
}

/* Rows that are fewer than centroids, or all zero: decoded nearly as they are. */
static void test_few_rows(void **state) {
    (void)state;
    static float rows[ROWS * D];
    static fitted f;
    static const uint32_t counts[] = {1, 2, 15};
    for (uint32_t zero = 0; zero < 2; zero++) {
        for (size_t c = 0; c < PQ_COUNT(counts); c++) {
            quant_place at;
            quant_open(&at);
            quant_rows(rows, ROWS, D);
            memset(rows, 0, zero ? sizeof(rows) : 0);
            fit(&at.arena, rows, counts[c], NULL, &f);
            assert_true(f.misses.all <= (zero ? 0 : 0.01));
            quant_close(&at);
        }
    }
}

static void test_too_large(void **state) {
    (void)state;
    static fitted f;
    quant_place at;
    float rows[4 * D];
    quant_open(&at);
    quant_large_rows(rows, 4, D);
    f.a = (pq_additive){.width = D, .codebooks = M};
    assert_failure(&at.t.ctx, pq_additive_fit(&at.arena, rows, 4, NULL, &f.a, f.codes),
                   PIQUE_NUMERIC, "too large");
    quant_close(&at);
}

static pique_status fit_few(testing *t, void *argument) {
    static uint8_t codes[20 * BYTES];
    pq_arena arena;
    pq_additive a = {.width = D, .codebooks = M};
    pq_arena_init(&arena, &t->ctx);
    pique_status status = pq_additive_fit(&arena, argument, 20, NULL, &a, codes);
    pq_arena_free(&arena);
    return status;
}

static void test_without_memory(void **state) {
    (void)state;
    static float rows[ROWS * D];
    quant_rows(rows, ROWS, D);
    testing_fail_each(fit_few, rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_better_than_product),
        cmocka_unit_test(test_more_rows_than_are_sampled),
        cmocka_unit_test(test_same_bytes_in_order),
        cmocka_unit_test(test_few_rows),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
