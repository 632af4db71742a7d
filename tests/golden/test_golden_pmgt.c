/* test_golden_pmgt.c — PMGT's network, losses and gradients against fixtures that pmgt_golden.py made with PyTorch. */
#include "tests/unit/testing.h"

#include <math.h>

#include "file/container.h"
#include "kernels/kernels.h"
#include "native/pretrain/node_batch.h"

#define FOLDER "tests/golden/fixtures/pmgt-"
#define RELATIVE 1e-5
#define ABSOLUTE 1e-6

typedef struct {
    testing t;
    char name[80];
    char *bytes;
    pq_container file;
    pq_pmgt net;
    pq_pmgt_batch batch;
    pq_tape tape;
    pq_grads grads;
} golden;

static const pq_tensor *tensor(const golden *g, const char *first, const char *second) {
    char name[96];
    snprintf(name, sizeof(name), "%s%s", first, second);
    const pq_tensor *found = pq_container_find(&g->file, name);
    if (!found) {
        fail_msg("%s: the fixture has no %s", g->name, name);
    }
    return found;
}

static void compare(const golden *g, const char *what, const pq_real *got, const pq_tensor *want) {
    const float *value = want->data;
    for (size_t i = 0; i < want->count; i++) {
        if (!(fabs(got[i] - value[i]) <= ABSOLUTE + RELATIVE * fabs(value[i]))) {
            fail_msg("%s: %s[%lu] is %.9g instead of %.9g", g->name, what, (unsigned long)i, got[i],
                     value[i]);
        }
    }
}

static void open_net(golden *g) {
    pq_ctx *ctx = &g->t.ctx;
    pq_pretrain_settings s;
    uint32_t widths[PQ_MODALITIES], count = 0;
    char *config;
    assert_ok(ctx, pq_fields_preset(ctx, pq_pretrain_fields, &s, "best"));
    assert_ok(ctx, pq_container_text(&g->file, "config", &config));
    for (char *at = strtok(config, " "); at; at = strtok(NULL, " ")) {
        char *sign = strchr(at, '=');
        assert_ok(ctx,
                  pq_fields_set(ctx, pq_pretrain_fields, &s, (pq_span){at, (size_t)(sign - at)},
                                (pq_span){sign + 1, strlen(sign + 1)}));
    }
    pq_free(ctx, config);
    for (char name[16] = "features1"; pq_container_find(&g->file, name); name[8]++) {
        const pq_tensor *rows = tensor(g, name, "");
        g->batch.features[count] = rows->data;
        widths[count++] = rows->shape[1];
    }
    assert_ok(ctx, pq_pmgt_init(&g->net, ctx, &s.net, widths, count));
    for (uint32_t i = 0; i < g->net.params.count; i++) {
        pq_param *param = g->net.params.list[i];
        const pq_tensor *want = tensor(g, "param.", param->name);
        assert_int_equal(want->count, (size_t)param->rows * param->cols);
        memcpy(param->value, want->data, want->count * sizeof(float));
    }
}

static void open_golden(golden *g, const char *fixture, const pq_kernels *kernels) {
    char path[160];
    size_t size;
    *g = (golden){.bytes = NULL};
    testing_open(&g->t);
    g->t.ctx.kernels = kernels;
    snprintf(g->name, sizeof(g->name), "%s on %s", fixture, kernels->isa);
    snprintf(path, sizeof(path), FOLDER "%s.safetensors", fixture);
    g->bytes = testing_read(path, &size);
    assert_non_null(g->bytes);
    assert_ok(&g->t.ctx, pq_container_open(&g->t.ctx, g->bytes, size, &g->file));
    open_net(g);
    pq_pmgt_batch *b = &g->batch;
    b->sequences.starts = tensor(g, "starts", "")->data;
    b->sequences.count = (uint32_t)tensor(g, "starts", "")->count - 1;
    b->left = tensor(g, "left", "")->data;
    b->right = tensor(g, "right", "")->data;
    b->labels = tensor(g, "labels", "")->data;
    b->pair_count = b->all_pairs = (uint32_t)tensor(g, "left", "")->count;
    b->masked = tensor(g, "masked", "")->data;
    b->masked_count = b->all_masked = (uint32_t)tensor(g, "masked", "")->count;
    b->targets = tensor(g, "targets", "")->data;
    pq_tape_init(&g->tape, &g->t.ctx);
    assert_ok(&g->t.ctx, pq_grads_init(&g->grads, &g->t.ctx, &g->net.params));
}

static void close_golden(golden *g) {
    pq_grads_free(&g->grads);
    pq_tape_free(&g->tape);
    pq_pmgt_free(&g->net);
    pq_container_close(&g->file);
    free(g->bytes);
    testing_close(&g->t);
}

static void check_gradients(const golden *g) {
    for (uint32_t i = 0; i < g->net.params.count; i++) {
        const pq_param *param = g->net.params.list[i];
        const pq_grad *grad = &g->grads.list[i];
        const pq_tensor *want = tensor(g, "grad.", param->name);
        pq_real *whole = calloc(want->count, sizeof(*whole));
        assert_non_null(whole);
        for (uint32_t j = 0; j < pq_grad_count(grad, param); j++) {
            uint32_t row = pq_grad_at(grad, j);
            memcpy(whole + (size_t)row * param->cols, pq_grad_row(grad, param, row),
                   param->cols * sizeof(*whole));
        }
        compare(g, param->name, whole, want);
        free(whole);
    }
}

static void check(const char *fixture, const pq_kernels *kernels) {
    golden g;
    double losses[2];
    open_golden(&g, fixture, kernels);
    pq_tape_begin(&g.tape, NULL, false, (pq_rng){0});
    const pq_var *z =
        pq_pmgt_vectors(&g.tape, &g.net, &g.batch, pq_pmgt_states(&g.tape, &g.net, &g.batch));
    assert_ok(&g.t.ctx, g.tape.status);
    compare(&g, "vectors", z->value, tensor(&g, "expect.vectors", ""));
    pq_tape_begin(&g.tape, &g.grads, true, (pq_rng){0});
    pq_var *loss = pq_pmgt_loss(&g.tape, &g.net, &g.batch, &losses[0], &losses[1]);
    assert_ok(&g.t.ctx, g.tape.status);
    const pq_real got[2] = {(pq_real)losses[0], (pq_real)losses[1]};
    compare(&g, "losses", got, tensor(&g, "expect.losses", ""));
    assert_ok(&g.t.ctx, pq_tape_backward(&g.tape, loss));
    check_gradients(&g);
    close_golden(&g);
}

static void run(void **state) {
    bool runnable;
    const pq_kernels *kernels;
    for (uint32_t i = 0; (kernels = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (runnable) {
            check(*state, kernels);
        }
    }
}

int main(void) {
    static char *const names[] = {"two", "three-state", "one-plain", "unlike-alone"};
    struct CMUnitTest tests[PQ_COUNT(names)];
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = run, .initial_state = (void *)(uintptr_t)names[i]};
    }
    return cmocka_run_group_tests_name("pmgt", tests, NULL, NULL);
}
