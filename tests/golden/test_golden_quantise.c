/* test_golden_quantise.c — int4 rows, codes of a product quantiser and additive codes against NumPy's (quantise_golden.py). */
#include "tests/unit/testing.h"

#include <math.h>

#include "file/container.h"
#include "native/quant/additive.h"
#include "native/quant/product.h"
#include "native/quant/quantise.h"

typedef struct {
    testing t;
    void *bytes;
    pq_container file;
} golden;

static void start(golden *g) {
    size_t size;
    testing_open(&g->t);
    g->bytes = testing_read("tests/golden/fixtures/quantise-rows.safetensors", &size);
    assert_ok(&g->t.ctx, pq_container_open(&g->t.ctx, g->bytes, size, &g->file));
}

static void stop(golden *g) {
    pq_container_close(&g->file);
    free(g->bytes);
    testing_close(&g->t);
}

static const pq_tensor *tensor(const golden *g, const char *of, const char *name) {
    char whole[40];
    snprintf(whole, sizeof(whole), "%s%s", of, name);
    const pq_tensor *found = pq_container_find(&g->file, whole);
    if (!found) {
        fail_msg("the fixture has no %s", whole);
    }
    return found;
}

static void test_int4(void **state) {
    (void)state;
    golden g;
    start(&g);
    const pq_tensor *rows = tensor(&g, "rows", ""), *codes = tensor(&g, "int4.codes", "");
    const pq_tensor *scales = tensor(&g, "int4.scales", "");
    const uint32_t n = rows->shape[0], cols = rows->shape[1], bytes = (cols + 1) / 2;
    const uint32_t groups = pq_int4_groups(cols);
    assert_int_equal(groups, scales->shape[1]);
    uint8_t *packed = pq_alloc(&g.t.ctx, (size_t)n * bytes, 1);
    float *found = pq_alloc(&g.t.ctx, (size_t)n * groups, sizeof(*found));
    float *back = pq_alloc(&g.t.ctx, (size_t)n * cols, sizeof(*back));
    float *rounded = pq_alloc(&g.t.ctx, cols, sizeof(*rounded));
    pq_int4_encode(rows->data, n, cols, true, packed, found);
    pq_int4_decode(packed, found, n, cols, back);
    for (uint32_t r = 0; r < n; r++) {
        pq_int4_round((const float *)rows->data + (size_t)r * cols, cols, rounded);
        assert_memory_equal(rounded, back + (size_t)r * cols, cols * sizeof(*rounded));
        for (uint32_t i = 0; i < cols; i++) {
            const uint32_t expected = ((const uint32_t *)codes->data)[r * cols + i];
            assert_int_equal(packed[r * bytes + i / 2] >> (i % 2 * 4) & 15, expected);
        }
        assert_int_equal(packed[r * bytes + bytes - 1] >> 4, 8); /* behind the odd width */
    }
    assert_memory_equal(found, scales->data, scales->count * sizeof(*found));
    pq_free(&g.t.ctx, packed);
    pq_free(&g.t.ctx, found);
    pq_free(&g.t.ctx, back);
    pq_free(&g.t.ctx, rounded);
    stop(&g);
}

/* Codes and decoded rows where the map is a rotation, so that subspaces can be searched one by one; else
 * coordinate descent may stop beside the best, but not far from it. */
static void check_product(golden *g, const char *of, bool exact) {
    const pq_tensor *rows = tensor(g, "product.rows", "");
    double metric[16] = {0}, gram[16], lift[16], scratch[8], sum = 0, best = 0;
    float centroids[32 * 4];
    for (size_t i = 0; i < 4; i++) {
        metric[i * 4 + i] = 1;
    }
    pq_product p = {.width = 4,
                    .subspaces = 2,
                    .each = 2,
                    .codebook = tensor(g, of, ".codebook")->data,
                    .map = tensor(g, of, ".map")->data,
                    .metric = metric,
                    .gram = gram,
                    .lift = lift,
                    .centroids = centroids};
    pq_product_prepare(&p);
    for (uint32_t i = 0; i < rows->shape[0]; i++) {
        const float *row = (const float *)rows->data + (size_t)i * 4;
        const uint32_t *codes = (const uint32_t *)tensor(g, of, ".codes")->data + (size_t)i * 2;
        const float *expected = (const float *)tensor(g, of, ".decoded")->data + (size_t)i * 4;
        uint8_t code;
        float decoded[4];
        pq_product_encode(&p, row, &code, scratch);
        sum += (pq_product_decode(&p, &code, decoded), pq_product_error(&p, row, decoded));
        best += ((const float *)tensor(g, of, ".errors")->data)[i];
        if (exact) {
            assert_int_equal(code, codes[0] | codes[1] << 4);
        }
        code = (uint8_t)(codes[0] | codes[1] << 4);
        pq_product_decode(&p, &code, decoded);
        for (int d = 0; d < 4; d++) {
            assert_true(fabs(decoded[d] - expected[d]) <= 1e-5);
        }
    }
    assert_true(sum >= best * (1 - 1e-5));
    assert_true(sum <= best * (exact ? 1 + 1e-5 : 1.25));
}

static void test_product(void **state) {
    (void)state;
    golden g;
    start(&g);
    check_product(&g, "rotated", true);
    check_product(&g, "general", false);
    stop(&g);
}

/* Two codebooks: the search finds the best of all pairs of codes. */
static void test_additive(void **state) {
    (void)state;
    golden g;
    pq_arena arena;
    pq_additive_search search;
    double metric[16];
    float lift[4 * 32], gram[32 * 32], own[32 * 16];
    start(&g);
    pq_arena_init(&arena, &g.t.ctx);
    const pq_tensor *rows = tensor(&g, "product.rows", "");
    for (size_t i = 0; i < 16; i++) {
        metric[i] = ((const float *)tensor(&g, "additive.metric", "")->data)[i];
    }
    pq_additive a = {.width = 4,
                     .codebooks = 2,
                     .centroids = tensor(&g, "additive.centroids", "")->data,
                     .metric = metric,
                     .lift = lift,
                     .gram = gram,
                     .own = own};
    pq_additive_prepare(&a);
    assert_ok(&g.t.ctx, pq_additive_search_init(&arena, &search, 2));
    for (size_t i = 0; i < rows->shape[0]; i++) {
        const uint32_t *codes = (const uint32_t *)tensor(&g, "additive.codes", "")->data + i * 2;
        const float *expected = (const float *)tensor(&g, "additive.decoded", "")->data + i * 4;
        uint8_t code;
        float decoded[4];
        pq_additive_encode(&a, (const float *)rows->data + i * 4, &search, &code);
        assert_int_equal(code, codes[0] | codes[1] << 4);
        pq_additive_decode(&a, &code, decoded);
        for (int d = 0; d < 4; d++) {
            assert_true(fabs(decoded[d] - expected[d]) <= 1e-6);
        }
    }
    pq_arena_free(&arena);
    stop(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_int4), cmocka_unit_test(test_product),
                                       cmocka_unit_test(test_additive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
