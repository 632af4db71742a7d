/* test_attention.c — what attention promises about bits, in every instruction set of this machine: a
 * causal row does not know the rows after it, and a segment does not know the batch. And what the ops
 * of attention models refuse. Values and gradients: tests/grad/grad_attention.c. */
#include "testing.h"

#include "graph/ops.h"

enum { D = 24, HEADS = 3, MOST = 200 };

/* Both sides of where attention turns from rows to matrix products, and of one product's rows. */
static const uint32_t starts[] = {0, 1, 8, 8, 19, 31, 44, 93, 190};
static const pq_segments segments = {starts, PQ_COUNT(starts) - 1};

typedef struct {
    testing t;
    pq_tape tape;
    pq_real x[3][MOST * D]; /* q, k, v */
    pq_attention args;
} bench;

static void bench_open(bench *b, const pq_kernels *kernels) {
    testing_open(&b->t);
    b->t.ctx.kernels = kernels;
    pq_tape_init(&b->tape, &b->t.ctx);
    b->args = (pq_attention){.segments = &segments, .heads = HEADS, .causal = true, .dropout = 0.5};
    pq_rng rng = pq_rng_make(5, 0, 0);
    for (size_t i = 0; i < (size_t)3 * MOST * D; i++) {
        b->x[i / (MOST * D)][i % (MOST * D)] = (pq_real)pq_rng_normal(&rng);
    }
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    testing_close(&b->t);
}

/* Rows `first` and on; valid until the next call. */
static const pq_real *attend(bench *b, uint32_t first, uint32_t rows) {
    pq_var *in[3];
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    for (int i = 0; i < 3; i++) {
        in[i] = pq_tape_constant(&b->tape, b->x[i] + (size_t)first * D, rows, D);
    }
    pq_var *y = pq_op_attention(&b->tape, in[0], in[1], in[2], &b->args);
    assert_ok(&b->t.ctx, b->tape.status);
    return y->value;
}

static bool same(const pq_real *x, const pq_real *y, uint32_t rows) {
    return memcmp(x, y, (size_t)rows * D * sizeof(*x)) == 0;
}

static void a_row_does_not_know_later_ones(bench *b) {
    static pq_real before[MOST * D], kept[3][MOST * D];
    memcpy(before, attend(b, 0, starts[segments.count]),
           sizeof(pq_real) * starts[segments.count] * D);
    memcpy(kept, b->x, sizeof(kept));
    for (uint32_t s = 0; s < segments.count; s++) {
        uint32_t last = starts[s + 1];
        for (uint32_t row = starts[s] + 1; row < last; row++) {
            for (size_t i = (size_t)row * D; i < (size_t)last * D; i++) {
                b->x[0][i] += 1;
                b->x[1][i] *= -2;
                b->x[2][i] -= 3;
            }
            b->args.causal = true;
            const pq_real *y = attend(b, 0, starts[segments.count]);
            assert_true(same(y, before, row));
            assert_false(same(y + (size_t)row * D, before + (size_t)row * D, 1));
            assert_true(same(y + (size_t)last * D, before + (size_t)last * D,
                             starts[segments.count] - last));
            memcpy(b->x, kept, sizeof(kept));
        }
    }
}

static void a_row_knows_all_when_not_causal(bench *b) {
    static pq_real before[MOST * D];
    uint32_t rows = starts[segments.count], first = starts[segments.count - 1];
    b->args.causal = false;
    memcpy(before, attend(b, 0, rows), sizeof(pq_real) * rows * D);
    b->x[2][(size_t)rows * D - 1] += 1;
    const pq_real *y = attend(b, 0, rows);
    assert_true(same(y, before, first));
    for (uint32_t i = first; i < rows; i++) {
        assert_false(same(y + (size_t)i * D, before + (size_t)i * D, 1));
    }
}

static void a_segment_does_not_know_the_batch(bench *b) {
    static pq_real together[MOST * D];
    memcpy(together, attend(b, 0, starts[segments.count]),
           sizeof(pq_real) * starts[segments.count] * D);
    for (uint32_t s = 0; s < segments.count; s++) {
        uint32_t rows = pq_segment_length(&segments, s);
        const uint32_t own[] = {0, rows};
        const pq_segments alone = {own, 1};
        b->args.segments = &alone;
        assert_true(same(attend(b, starts[s], rows), together + (size_t)starts[s] * D, rows));
    }
    b->args.segments = &segments;
}

static void bits(void **state) {
    (void)state;
    static bench b;
    bool runnable;
    const pq_kernels *set;
    for (uint32_t i = 0; (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (!runnable) {
            continue;
        }
        bench_open(&b, set);
        a_row_does_not_know_later_ones(&b);
        a_segment_does_not_know_the_batch(&b);
        b.args.causal = false;
        a_segment_does_not_know_the_batch(&b);
        a_row_knows_all_when_not_causal(&b);
        bench_close(&b);
    }
}

/* ---- refusals ---- */

static void refusals(void **state) {
    (void)state;
    static bench b;
    bench_open(&b, pq_kernels_find("best"));
    static const uint32_t outside[] = {0, 2}, two[] = {0, 2};
    static const pq_segments short_ones = {two, 1};
    static const uint32_t three[] = {0, 1, 2}, four[] = {0, 3};
    static const pq_segments more = {three, 2}, longer = {four, 1};
    const pq_attention bad[] = {{.segments = &short_ones, .heads = 1, .causal = true},
                                {.segments = &short_ones, .heads = 0},
                                {.segments = &short_ones, .heads = 5}};
    const pq_attention keys[] = {{.segments = &short_ones, .heads = 1, .keys = &more},
                                 {.segments = &short_ones, .heads = 1, .keys = &longer}};
    for (int i = 0; i < 2; i++) { /* another number of segments, more rows than there are */
        pq_tape_begin(&b.tape, NULL, false, (pq_rng){0});
        pq_var *x = pq_tape_constant(&b.tape, b.x[0], 2, D);
        assert_null(pq_op_attention(&b.tape, x, x, x, &keys[i]));
        assert_failure(&b.t.ctx, b.tape.status, PIQUE_INTERNAL, "attention");
    }
    for (int i = 0; i < 6; i++) {
        pq_tape *t = &b.tape;
        pq_tape_begin(t, NULL, false, (pq_rng){0});
        pq_var *x = pq_tape_constant(t, b.x[0], i == 0 ? 3 : 2, D);
        pq_var *narrow = pq_tape_constant(t, b.x[1], 2, D - 1);
        pq_var *line = pq_tape_constant(t, b.x[2], 1, D);
        pq_var *y = i < 3    ? pq_op_attention(t, x, x, x, &bad[i])
                    : i == 3 ? pq_op_attention(t, x, x, narrow, &bad[0])
                    : i == 4 ? pq_op_layer_norm(t, x, line, x, 1e-8)
                             : pq_op_select_rows(t, x, outside, 2);
        assert_null(y);
        assert_failure(&b.t.ctx, t->status, PIQUE_INTERNAL,
                       i < 4    ? "attention"
                       : i == 4 ? "layer_norm"
                                : "select_rows: row 2 of 2");
        assert_null(pq_op_select_rows(t, y, two, 1));
        assert_null(pq_op_layer_norm(t, y, line, line, 1e-8));
        assert_null(pq_op_attention(t, y, x, x, &bad[0]));
    }
    bench_close(&b);
}

/* ---- memory ---- */

static pique_status step(pq_tape *t, pq_grads *grads, const pq_params *params) {
    pq_attention args = {.segments = &segments, .heads = HEADS, .causal = true, .dropout = 0.2};
    static const uint32_t last[] = {189};
    pq_tape_begin(t, grads, true, pq_rng_make(1, 2, 3));
    pq_var *x = pq_tape_param(t, params->list[0]), *line = pq_tape_param(t, params->list[1]);
    pq_var *y = pq_op_layer_norm(t, pq_op_attention(t, x, x, x, &args), line, line, 1e-8);
    y = pq_op_select_rows(t, pq_op_activate(t, y, PQ_GELU), last, 1);
    y = pq_op_linear(t, y, line, NULL);
    return pq_tape_backward(t, y);
}

static pique_status train(testing *t, void *argument) {
    (void)argument;
    pq_params params;
    pq_grads grads;
    pq_tape tape;
    t->ctx.kernels = pq_kernels_find("best");
    pq_params_init(&params, &t->ctx);
    pq_tape_init(&tape, &t->ctx);
    pq_params_add(&params, "x", starts[segments.count], D, (pq_init){PQ_INIT_NORMAL, 1, false});
    pq_params_add(&params, "line", 1, D, (pq_init){PQ_INIT_NORMAL, 1, false});
    pique_status status = params.status;
    if (status == PIQUE_OK) {
        pq_params_draw(&params, 1);
        status = pq_grads_init(&grads, &t->ctx, &params);
        size_t warm = 0;
        for (int i = 0; i < 4 && status == PIQUE_OK; i++) {
            warm = i == 2 ? t->calls : warm;
            status = step(&tape, &grads, &params);
        }
        assert_true(status != PIQUE_OK || t->calls == warm);
        pq_grads_free(&grads);
    }
    pq_tape_free(&tape);
    pq_params_free(&params);
    return status;
}

static void memory(void **state) {
    (void)state;
    testing_fail_each(train, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits),
        cmocka_unit_test(refusals),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
