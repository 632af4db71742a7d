/* test_golden_optimiser.c — the optimisers against ten steps of PyTorch's (optimiser_golden.py), in every
 * instruction set: an embedding table of which a step touches some rows, and a dense matrix. */
#include "tests/unit/testing.h"

#include <math.h>

#include "file/container.h"
#include "kernels/kernels.h"
#include "native/train/options.h"

#define STEPS 10
#define TOLERANCE 1e-5

static const char *const fixtures[] = {"adam-lazy",        "adamw-dense",  "adam-l2-dense",
                                       "adagrad-l2-dense", "adagrad-lazy", "adagrad-dense",
                                       "adam-max-norm",    "ftrl-adagrad"};

typedef struct {
    testing t;
    const char *name;
    pq_container file;
    pq_train_options options;
    pq_params params;
    pq_param *table, *matrix;
    pq_grads grads;
    pq_optimiser optimiser;
} golden;

static const pq_tensor *tensor(const golden *g, const char *name) {
    const pq_tensor *found = pq_container_find(&g->file, name);
    if (!found) {
        fail_msg("%s: the fixture has no %s", g->name, name);
    }
    return found;
}

static pq_param *start(golden *g, const char *name, const char *values) {
    const pq_tensor *from = tensor(g, values);
    pq_param *param = pq_params_add(&g->params, name, from->shape[0], from->shape[1], (pq_init){0});
    assert_non_null(param);
    memcpy(param->value, from->data, from->count * sizeof(float));
    return param;
}

static void read_options(golden *g) {
    pq_ctx *ctx = &g->t.ctx;
    char *config;
    assert_ok(ctx, pq_fields_preset(ctx, pq_train_fields, &g->options, "best"));
    assert_ok(ctx, pq_container_text(&g->file, "config", &config));
    assert_non_null(config);
    for (const char *at = config; *at; at += strspn(at, " ")) {
        pq_span key = {at, strcspn(at, "=")}, value = {at + key.size + 1, 0};
        value.size = strcspn(value.bytes, " ");
        assert_ok(ctx, pq_fields_set(ctx, pq_train_fields, &g->options, key, value));
        at = value.bytes + value.size;
    }
    pq_free(ctx, config);
}

static void take_step(golden *g, uint32_t step) {
    const pq_tensor *rows = tensor(g, "grads.table"), *all = tensor(g, "grads.matrix");
    const uint32_t *touched = (const uint32_t *)tensor(g, "touched")->data + step * g->table->rows;
    size_t cols = g->table->cols, size = (size_t)g->matrix->rows * g->matrix->cols;
    pq_grads_clear(&g->grads);
    for (uint32_t r = 0; r < g->table->rows; r++) {
        if (touched[r]) {
            memcpy(pq_grads_row(&g->grads, g->table, r),
                   (const float *)rows->data + (step * g->table->rows + r) * cols,
                   cols * sizeof(float));
        }
    }
    memcpy(pq_grads_whole(&g->grads, g->matrix), (const float *)all->data + step * size,
           size * sizeof(float));
    pq_adam adam = pq_train_step(&g->options, g->options.lr);
    assert_ok(&g->t.ctx, pq_optimiser_step(&g->optimiser, &adam, &g->grads));
}

static void compare(const golden *g, const pq_param *param, const char *expected) {
    const pq_tensor *want = tensor(g, expected);
    for (size_t i = 0; i < want->count; i++) {
        double value = ((const float *)want->data)[i];
        if (!(fabs((double)param->value[i] - value) <= TOLERANCE + TOLERANCE * fabs(value))) {
            fail_msg("%s: %s[%lu] is %.9g instead of %.9g", g->name, param->name, (unsigned long)i,
                     (double)param->value[i], value);
        }
    }
}

static void check(const char *name, const pq_kernels *kernels) {
    char path[96], shown[64];
    size_t size;
    golden g = {.name = shown};
    snprintf(path, sizeof(path), "tests/golden/fixtures/optimiser-%s.safetensors", name);
    snprintf(shown, sizeof(shown), "%s on %s", name, kernels->isa);
    testing_open(&g.t);
    g.t.ctx.kernels = kernels;
    char *bytes = testing_read(path, &size);
    if (!bytes) {
        fail_msg("%s cannot be read; the tests run in the project's folder", path);
    }
    assert_ok(&g.t.ctx, pq_container_open(&g.t.ctx, bytes, size, &g.file));
    read_options(&g);
    pq_params_init(&g.params, &g.t.ctx);
    g.table = start(&g, "table", "start.table");
    g.matrix = start(&g, "matrix", "start.matrix");
    g.table->sparse = true;
    g.table->linear = true; /* which is nothing without an optimiser for it */
    assert_ok(&g.t.ctx, pq_grads_init(&g.grads, &g.t.ctx, &g.params));
    assert_ok(&g.t.ctx, pq_optimiser_init(&g.optimiser, &g.t.ctx, &g.params));
    pq_optimiser_limit_rows(&g.optimiser, g.options.max_norm);
    for (uint32_t step = 0; step < STEPS; step++) {
        take_step(&g, step);
    }
    compare(&g, g.table, "after.table");
    compare(&g, g.matrix, "after.matrix");
    pq_optimiser_free(&g.optimiser);
    pq_grads_free(&g.grads);
    pq_params_free(&g.params);
    pq_container_close(&g.file);
    free(bytes);
    testing_close(&g.t);
}

static void test_optimisers(void **state) {
    (void)state;
    const pq_kernels *kernels;
    bool runnable;
    for (uint32_t i = 0; (kernels = pq_kernels_at(i, &runnable)) != NULL; i++) {
        for (size_t f = 0; runnable && f < PQ_COUNT(fixtures); f++) {
            check(fixtures[f], kernels);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_optimisers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
