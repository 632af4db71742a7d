/* test_golden_content.c — the matrix of terms and the item vectors of a small table against NumPy's (content_golden.py).
 * Vectors are told up to signs and rotations by their inner products. */
#include "tests/unit/testing.h"

#include <math.h>

#include "file/container.h"
#include "native/content/factors.h"

typedef struct {
    testing t;
    void *bytes;
    char *table, *order;
    pq_container file;
    pq_corpus corpus;
} golden;

static void start(golden *g) {
    size_t size;
    testing_open(&g->t);
    g->bytes = testing_read("tests/golden/fixtures/content-items.safetensors", &size);
    assert_ok(&g->t.ctx, pq_container_open(&g->t.ctx, g->bytes, size, &g->file));
    assert_ok(&g->t.ctx, pq_container_text(&g->file, "items", &g->table));
    assert_ok(&g->t.ctx, pq_container_text(&g->file, "order", &g->order));
    pq_source source = {.name = "items.csv", .bytes = g->table, .size = strlen(g->table)};
    pique_content_options options;
    pique_content_options_default(&options);
    assert_ok(&g->t.ctx, pq_corpus_parse(&g->corpus, &g->t.ctx, &source, &options));
}

static void stop(golden *g) {
    pq_corpus_free(&g->corpus);
    pq_free(&g->t.ctx, g->table);
    pq_free(&g->t.ctx, g->order);
    pq_container_close(&g->file);
    free(g->bytes);
    testing_close(&g->t);
}

static const pq_tensor *tensor(const golden *g, const char *name) {
    const pq_tensor *found = pq_container_find(&g->file, name);
    if (!found) {
        fail_msg("the fixture has no %s", name);
    }
    return found;
}

static void test_order(void **state) {
    (void)state;
    golden g;
    start(&g);
    const char *at = g.order;
    for (uint32_t i = 0; i < g.corpus.items.count; i++) {
        size_t size;
        const char *id = pq_strings_get(&g.corpus.items, i, &size);
        assert_memory_equal(at, id, size);
        at += size;
        assert_int_equal(*at, i + 1 < g.corpus.items.count ? ' ' : 0);
        at++;
    }
    assert_int_equal(g.corpus.empty, 1);
    assert_int_equal(g.corpus.not_utf8, 0);
    stop(&g);
}

static void test_matrix(void **state) {
    (void)state;
    golden g;
    start(&g);
    const pq_sparse *a = &g.corpus.matrix;
    const float *expected = tensor(&g, "matrix")->data;
    assert_int_equal(a->cols, *(const uint32_t *)tensor(&g, "terms")->data);
    double *row = pq_alloc(&g.t.ctx, a->cols, sizeof(*row));
    for (uint32_t i = 0; i < a->rows; i++) {
        memset(row, 0, a->cols * sizeof(*row));
        for (size_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
            row[a->columns[k]] = a->values[k];
        }
        for (uint32_t j = 0; j < a->rows; j++) {
            double sum = 0;
            for (size_t k = a->starts[j]; k < a->starts[j + 1]; k++) {
                sum += row[a->columns[k]] * a->values[k];
            }
            assert_true(fabs(sum - expected[i * a->rows + j]) <= 1e-6);
        }
    }
    pq_free(&g.t.ctx, row);
    stop(&g);
}

static void check_vectors(golden *g, const char *name, uint32_t dim) {
    const uint32_t rows = g->corpus.matrix.rows;
    const float *expected = tensor(g, name)->data;
    float *v = pq_alloc(&g->t.ctx, (size_t)rows * dim, sizeof(*v));
    assert_ok(&g->t.ctx, pq_factors(&g->t.ctx, &g->corpus.matrix, dim, 1, v));
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < rows; j++) {
            double sum = 0;
            for (uint32_t d = 0; d < dim; d++) {
                sum += (double)v[i * dim + d] * v[j * dim + d];
            }
            assert_true(fabs(sum - expected[i * rows + j]) <= 2e-6);
        }
    }
    pq_free(&g->t.ctx, v);
}

static void test_vectors(void **state) {
    (void)state;
    golden g;
    start(&g);
    check_vectors(&g, "cosines.4", 4);
    check_vectors(&g, "cosines.64", 64);
    stop(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_matrix),
                                       cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
