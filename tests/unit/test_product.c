/* test_product.c — fitting a product quantiser: better than one without a map, better where queries lie, the same
 * bytes each time, and no trouble with few or equal rows. */
#include "tests/unit/quant_rows.h"

#include <math.h>

#include "native/quant/product.h"

enum { ROWS = 500, D = 16, M = 8, S = D / M, K = PQ_TABLE_CENTROIDS };

/* Mean of the squared lengths of what k-means in each subspace, without a map, leaves over. */
static double plain_error(const float *rows) {
    double sum = 0;
    for (int m = 0; m < M; m++) {
        double means[K][S];
        int code[ROWS];
        for (int c = 0; c < K; c++) {
            for (int j = 0; j < S; j++) {
                means[c][j] = rows[(c * ROWS / K) * D + m * S + j];
            }
        }
        for (int turn = 0; turn < 30; turn++) {
            double sums[K][S + 1] = {{0}};
            for (int i = 0; i < ROWS; i++) {
                double least = HUGE_VAL;
                for (int c = 0; c < K; c++) {
                    double far = 0;
                    for (int j = 0; j < S; j++) {
                        far += pow(rows[i * D + m * S + j] - means[c][j], 2);
                    }
                    code[i] = far < least ? c : code[i];
                    least = fmin(far, least);
                }
                sum += turn == 29 ? least : 0;
                for (int j = 0; j < S; j++) {
                    sums[code[i]][j] += rows[i * D + m * S + j];
                }
                sums[code[i]][S]++;
            }
            for (int c = 0; c < K; c++) {
                for (int j = 0; j < S; j++) {
                    means[c][j] = sums[c][S] > 0 ? sums[c][j] / sums[c][S] : means[c][j];
                }
            }
        }
    }
    return sum / ROWS;
}

/* Means of the squared miss of a row: in dimension 0, and in all. */
static void misses(const pq_product *p, const float *rows, double *first, double *all) {
    double scratch[2 * D];
    *first = *all = 0;
    for (size_t i = 0; i < ROWS; i++) {
        uint8_t codes[M / 2];
        float decoded[D];
        pq_product_encode(p, rows + i * D, codes, scratch);
        pq_product_decode(p, codes, decoded);
        for (int j = 0; j < D; j++) {
            double miss = pow((double)rows[i * D + j] - decoded[j], 2) / ROWS;
            *all += miss;
            *first += j == 0 ? miss : 0;
        }
    }
}

static void test_better_than_plain(void **state) {
    (void)state;
    static float rows[ROWS * D];
    quant_place at;
    pq_product everywhere, along;
    double moment[D * D], first, all, first_along, all_along;
    quant_open(&at);
    quant_rows(rows, ROWS, D);
    quant_moment(moment, D, 1, 1);
    assert_ok(&at.t.ctx, pq_product_fit(&at.arena, rows, ROWS, D, M, moment, &everywhere));
    misses(&everywhere, rows, &first, &all);
    assert_true(all < 0.35 * plain_error(rows));
    quant_moment(moment, D, 1, 0);
    assert_ok(&at.t.ctx, pq_product_fit(&at.arena, rows, ROWS, D, M, moment, &along));
    misses(&along, rows, &first_along, &all_along);
    assert_true(first_along < 0.2 * first);
    quant_close(&at);
}

static void test_same_bytes(void **state) {
    (void)state;
    static float rows[ROWS * D];
    quant_place at;
    pq_product a, b;
    quant_open(&at);
    quant_rows(rows, ROWS, D);
    assert_ok(&at.t.ctx, pq_product_fit(&at.arena, rows, ROWS, D, M, NULL, &a));
    assert_ok(&at.t.ctx, pq_product_fit(&at.arena, rows, ROWS, D, M, NULL, &b));
    assert_memory_equal(a.codebook, b.codebook, sizeof(float[K * D]));
    assert_memory_equal(a.map, b.map, sizeof(float[D * D]));
    quant_close(&at);
}

/* Rows that are fewer than centroids, or all zero: decoded nearly as they are. */
static void test_few_rows(void **state) {
    (void)state;
    static float rows[ROWS * D];
    static const uint32_t counts[] = {1, 2, 15};
    for (uint32_t zero = 0; zero < 2; zero++) {
        for (size_t c = 0; c < PQ_COUNT(counts); c++) {
            quant_place at;
            pq_product p;
            quant_open(&at);
            quant_rows(rows, ROWS, D);
            memset(rows, 0, zero ? sizeof(rows) : 0);
            assert_ok(&at.t.ctx, pq_product_fit(&at.arena, rows, counts[c], D, M, NULL, &p));
            for (size_t i = 0; i < counts[c]; i++) {
                uint8_t codes[M / 2];
                float decoded[D];
                double scratch[2 * D];
                pq_product_encode(&p, rows + i * D, codes, scratch);
                pq_product_decode(&p, codes, decoded);
                for (int j = 0; j < D; j++) {
                    assert_true(fabs(rows[i * D + j] - decoded[j]) < 0.05);
                }
            }
            quant_close(&at);
        }
    }
}

static void test_too_large(void **state) {
    (void)state;
    quant_place at;
    pq_product p;
    float rows[4 * D];
    quant_open(&at);
    quant_large_rows(rows, 4, D);
    assert_failure(&at.t.ctx, pq_product_fit(&at.arena, rows, 4, D, M, NULL, &p), PIQUE_NUMERIC,
                   "too large");
    quant_close(&at);
}

static pique_status fit_few(testing *t, void *argument) {
    pq_arena arena;
    pq_product p;
    pq_arena_init(&arena, &t->ctx);
    pique_status status = pq_product_fit(&arena, argument, 20, D, M, NULL, &p);
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
        cmocka_unit_test(test_better_than_plain), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_few_rows),          cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
