/* test_grads.c — the gradient stores of embedding tables: rows that come one by one, whole tables, both in one
 * step, and their sum over several stores, which does not depend on threads. */
#include "testing.h"

#include "kernels/kernels.h"
#include "native/train/shards.h"

enum { ROWS = 1500, COLS = 5, STORES = 4 };

typedef struct {
    pique_context *ctx; /* of the library's allocator: sums run on several threads */
    pq_params params;
    pq_param *table;
    pq_grads stores[STORES];
} bench;

static void bench_open(bench *b) {
    assert_int_equal(pique_context_create(NULL, &b->ctx), PIQUE_OK);
    pq_params_init(&b->params, b->ctx);
    b->table = pq_params_add(&b->params, "table", ROWS, COLS, (pq_init){PQ_INIT_ZERO, 0, true});
    assert_non_null(b->table);
    b->table->sparse = true;
    for (int i = 0; i < STORES; i++) {
        assert_ok(b->ctx, pq_grads_init(&b->stores[i], b->ctx, &b->params));
    }
}

static void bench_close(bench *b) {
    for (int i = 0; i < STORES; i++) {
        pq_grads_free(&b->stores[i]);
    }
    pq_params_free(&b->params);
    pique_context_free(b->ctx);
}

static const pq_grad *grad_of(const bench *b, int store) {
    return &b->stores[store].list[b->table->index];
}

static void add(bench *b, int store, uint32_t row, pq_real value) {
    pq_real *g = pq_grads_row(&b->stores[store], b->table, row);
    assert_non_null(g);
    g[row % COLS] += value;
}

static void test_rows_then_whole_then_rows(void **state) {
    (void)state;
    bench b;
    bench_open(&b);
    for (int step = 0; step < 3; step++) { /* the memory of the first is used again */
        assert_int_equal(pq_grad_count(grad_of(&b, 0), b.table), 0);
        assert_null(pq_grad_row(grad_of(&b, 0), b.table, 9));
        add(&b, 0, 9, 2);
        add(&b, 0, 3, 1);
        assert_int_equal(pq_grad_count(grad_of(&b, 0), b.table), 2);
        assert_int_equal(pq_grad_at(grad_of(&b, 0), 1), 3);
        pq_real *whole = pq_grads_whole(&b.stores[0], b.table);
        assert_non_null(whole);
        whole[7 * COLS + 7 % COLS] += 8;
        assert_ptr_equal(pq_grads_whole(&b.stores[0], b.table), whole);
        add(&b, 0, 3, 4);
        assert_int_equal(pq_grad_count(grad_of(&b, 0), b.table), ROWS);
        for (uint32_t row = 0; row < ROWS; row++) {
            const pq_real *g =
                pq_grad_row(grad_of(&b, 0), b.table, pq_grad_at(grad_of(&b, 0), row));
            for (uint32_t c = 0; c < COLS; c++) {
                pq_real want = row == 9 ? 2 : row == 3 ? 5 : row == 7 ? 8 : 0;
                assert_true(g[c] == (c == row % COLS ? want : 0));
            }
        }
        pq_grads_clear(&b.stores[0]);
    }
    bench_close(&b);
}

/* Store 1 has no gradient; store `whole` has that of the whole table, the others that of some rows. */
static void fill(bench *b, int whole) {
    for (int i = 0; i < STORES; i++) {
        pq_grads_clear(&b->stores[i]);
        if (i == whole) {
            assert_non_null(pq_grads_whole(&b->stores[i], b->table));
        }
        pq_rng rng = pq_rng_make(4, (uint64_t)i, 0);
        for (int n = 0; i != 1 && n < 1200; n++) {
            add(b, i, pq_rng_below(&rng, ROWS), (pq_real)pq_rng_uniform(&rng));
        }
    }
}

/* The sum of one element over the stores, in their order. */
static pq_real sum_at(const bench *b, uint32_t row, uint32_t c) {
    pq_real sum = 0;
    for (int i = 0; i < STORES; i++) {
        const pq_real *g = pq_grad_row(grad_of(b, i), b->table, row);
        sum += g ? g[c] : 0;
    }
    return sum;
}

static void test_sums(void **state) {
    (void)state;
    static pq_real want[ROWS][COLS];
    for (uint32_t threads = 1; threads <= 3; threads++) {
        for (int whole = -1; whole < STORES; whole++) {
            bench b;
            bench_open(&b);
            fill(&b, whole);
            for (uint32_t i = 0; i < ROWS * COLS; i++) {
                want[i / COLS][i % COLS] = sum_at(&b, i / COLS, i % COLS);
            }
            pq_grads *stores[STORES];
            for (int i = 0; i < STORES; i++) {
                stores[i] = &b.stores[i];
            }
            assert_ok(b.ctx, pq_grads_sum(stores, STORES, threads));
            for (uint32_t row = 0; row < ROWS; row++) {
                const pq_real *got = pq_grad_row(grad_of(&b, 0), b.table, row);
                static const pq_real zeros[COLS];
                assert_true(got || whole < 0);
                assert_memory_equal(got ? got : zeros, want[row], sizeof(want[row]));
            }
            bench_close(&b);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_then_whole_then_rows),
        cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
