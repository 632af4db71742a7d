/* grad_fm_family.c — gradient cases and values of the ops on fields, and gradients of the whole losses of the models
 * that are made of them. */
#include "tests/grad/grad_check.h"

#include "tests/unit/interest_case.h"

typedef struct {
    grad_bench g;
    pq_param *x, *w, *b;
    const uint32_t *columns;
    uint32_t n;
    pq_conv1d conv;
} setup;

static pq_var *param(pq_tape *t, const pq_param *p) {
    return pq_tape_param(t, p);
}

/* ---- fm_pool ---- */

static pq_var *fm_pool(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_fm_pool(t, param(t, s->x), s->n);
}

static void expect_pool(setup *s) {
    pq_tape t;
    const pq_var *y = grad_run(&t, &s->g, fm_pool, s);
    uint32_t d = s->n, fields = s->x->cols / d;
    for (uint32_t i = 0; i < y->rows * d; i++) {
        const pq_real *v = s->x->value + (size_t)(i / d) * s->x->cols + i % d;
        double want = 0;
        for (uint32_t a = 0; a < fields; a++) {
            for (uint32_t b = a + 1; b < fields; b++) {
                want += (double)v[(size_t)a * d] * v[(size_t)b * d];
            }
        }
        grad_close_to("all pairs", y->value[i], want, 1e-12);
    }
    pq_tape_free(&t);
}

void grad_fm_pool(void) {
    static const uint32_t shapes[][2] = {{1, 3}, {2, 1}, {3, 2}, {7, 5}};
    for (uint32_t i = 0; i < PQ_COUNT(shapes); i++) {
        setup s = {.n = shapes[i][1]};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 4, shapes[i][0] * shapes[i][1]);
        expect_pool(&s);
        grad_check(&s.g, "fm_pool", fm_pool, NULL, &s);
        s.n = s.x->cols + 1;
        grad_refuses(&s.g, fm_pool, &s, "fm_pool");
        grad_close(&s.g);
    }
    /* (1, 2), (3, 4), (5, 6): 3 + 5 + 15 and 8 + 12 + 24 */
    setup s = {.n = 2};
    pq_tape t;
    grad_open(&s.g, 9);
    s.x = grad_input(&s.g, "x", 1, 6);
    for (uint32_t j = 0; j < 6; j++) {
        s.x->value[j] = (pq_real)(j + 1);
    }
    const pq_var *y = grad_run(&t, &s.g, fm_pool, &s);
    assert_true(y->value[0] == 23 && y->value[1] == 44);
    pq_tape_free(&t);
    grad_close(&s.g);
}

/* ---- reshape ---- */

static pq_var *reshape(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_reshape(t, param(t, s->x), s->n);
}

/* x is used beside its other shape, so that two gradients meet. */
static pq_var *reshape_beside(pq_tape *t, const void *argument) {
    const setup *s = argument;
    pq_var *x = pq_op_activate(t, param(t, s->x), PQ_TANH);
    return pq_op_add(t, x, pq_op_reshape(t, pq_op_reshape(t, x, s->n), s->x->cols));
}

void grad_reshape(void) {
    static const uint32_t widths[] = {1, 2, 6, 12, 24};
    for (uint32_t i = 0; i < PQ_COUNT(widths); i++) {
        setup s = {.n = widths[i]};
        pq_tape t;
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 4, 6);
        const pq_var *y = grad_run(&t, &s.g, reshape, &s);
        assert_true(y->cols == widths[i] && y->rows * y->cols == 24);
        assert_memory_equal(y->value, s.x->value, 24 * sizeof(*y->value));
        pq_tape_free(&t);
        grad_check(&s.g, "reshape", reshape, NULL, &s);
        grad_check(&s.g, "reshape beside", reshape_beside, NULL, &s);
        s.n = 5;
        grad_refuses(&s.g, reshape, &s, "reshape: 4 x 6 to rows of 5");
        grad_close(&s.g);
    }
}

/* ---- conv1d ---- */

static pq_var *conv1d(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_conv1d(t, param(t, s->x), param(t, s->w), param(t, s->b), &s->conv);
}

static void expect_conv(setup *s, uint32_t length) {
    pq_tape t;
    const pq_var *y = grad_run(&t, &s->g, conv1d, s);
    uint32_t taps = s->conv.taps, channels = s->conv.channels, places = length - taps + 1;
    assert_int_equal(y->cols, s->w->rows * places);
    for (uint32_t at = 0; at < y->rows * y->cols; at++) {
        uint32_t row = at / y->cols, o = at % y->cols / places, p = at % places;
        double want = s->b->value[o];
        for (uint32_t i = 0; i < channels; i++) {
            for (uint32_t j = 0; j < taps; j++) {
                uint32_t cell = s->conv.interleaved ? (p + j) * channels + i : i * length + p + j;
                want += (double)s->w->value[(o * channels + i) * taps + j] *
                        s->x->value[row * channels * length + cell];
            }
        }
        grad_close_to("a place", y->value[at], want, 1e-12);
    }
    pq_tape_free(&t);
}

void grad_conv1d(void) {
    /* channels, length, taps, filters */
    static const uint32_t shapes[][4] = {{3, 5, 3, 2}, {1, 4, 1, 1}, {2, 3, 3, 3}, {4, 6, 2, 1}};
    for (uint32_t i = 0; i < 2 * PQ_COUNT(shapes); i++) {
        const uint32_t *n = shapes[i / 2];
        setup s = {.conv = {.channels = n[0], .taps = n[2], .interleaved = i % 2 == 1}};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 3, n[0] * n[1]);
        s.w = grad_input(&s.g, "w", n[3], n[0] * n[2]);
        s.b = grad_input(&s.g, "b", 1, n[3]);
        expect_conv(&s, n[1]);
        grad_check(&s.g, "conv1d", conv1d, NULL, &s);
        s.w->frozen = true;
        grad_check(&s.g, "conv1d, without weights", conv1d, NULL, &s);
        s.conv.taps = n[1] + 1;
        grad_refuses(&s.g, conv1d, &s, "conv1d");
        grad_close(&s.g);
    }
}

/* ---- pick_columns ---- */

static pq_var *pick_columns(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_pick_columns(t, param(t, s->x), s->columns, s->n);
}

void grad_pick_columns(void) {
    static const uint32_t none = PQ_NO_COLUMN, columns[] = {0, 2, 2, 2, none, 1, none, none};
    static const uint32_t outside[] = {0, 1, 2, 3, 0, 0, 0, 0};
    setup s = {.n = 2, .columns = columns};
    pq_tape t;
    grad_open(&s.g, 0);
    s.x = grad_input(&s.g, "x", 4, 3);
    const pq_real *x = s.x->value, *y = grad_run(&t, &s.g, pick_columns, &s)->value;
    grad_close_to("two", y[0], x[0] + x[2], 1e-12);
    grad_close_to("one twice", y[1], 2 * x[5], 1e-12);
    grad_close_to("one", y[2], x[7], 1e-12);
    assert_true(y[3] == 0);
    pq_tape_free(&t);
    grad_check(&s.g, "pick_columns", pick_columns, NULL, &s);
    s.columns = outside;
    grad_refuses(&s.g, pick_columns, &s, "pick_columns: column 3 of 3");
    grad_close(&s.g);
}

/* ---- the models ---- */

typedef struct {
    pq_model model;
    pq_batch batch;
} ranking;

static pq_var *loss(pq_tape *t, const void *argument) {
    const ranking *r = argument;
    return pq_model_loss(t, &r->model, &r->batch);
}

#define NET "hidden1=4 hidden2=0 activation=tanh "

void grad_fm_family(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"lr", ""},
        {"fm", "dim=3"},
        {"fm", "dim=2 linear=0 history=0"},
        {"fnn", "dim=2 " NET},
        {"fnn_plus", "dim=3 half=0 linear=0 head_tanh=1 " NET},
        {"fnn_plus", "dim=3 hidden1=3 hidden2=2 activation=selu dropout=0.3"},
        {"wide_deep", "dim=2 " NET},
        {"wide_deep", "dim=2 crosses=5 join=dense " NET},
        {"wide_deep", "dim=2 crosses=3 linear=0 history=0 " NET},
        {"deepfm", "dim=2 " NET},
        {"deepfm", "dim=2 join=concat norm=layers " NET},
        {"deepfm", "dim=2 inner_sigmoid=1 linear=0 " NET},
        {"afm", "dim=2 attention=3"},
        {"afm", "dim=2 attention=2 linear=0 dropout=0.3 history=0"},
        {"afm", "dim=2 mode=agg half=0"},
        {"two_tower", "dim=2 out=3 " NET},
        {"two_tower", "dim=2 out=0 tower_dropout=0.3 scale=2 " NET},
        {"concat_mlp", "dim=3 " NET},
        {"concat_mlp", "dim=3 head_tanh=1 head_dropout=0.3 " NET},
        {"feature_mlp", "dim=2 " NET},
        {"feature_mlp", "dim=2 history=0 activation=leaky hidden1=3 hidden2=2"},
        {"feature_mlp", "dim=2 history=0 activation=rrelu hidden1=3 hidden2=2"},
        {"feature_mlp", "dim=2 history=0 activation=dice hidden1=3 hidden2=0"},
        {"cnn", "dim=4 filters=2 " NET},
        {"cnn", "dim=2 axis=fields taps=2 filters=3 " NET},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        ranking r = {.batch = interest_case_batch()};
        grad_bench g;
        grad_open(&g, i);
        assert_ok(&g.t.ctx, interest_case_model(&r.model, &g.t.ctx, cases[i][0], cases[i][1]));
        g.params = &r.model.params;
        for (uint32_t way = 0; way < (r.model.def->pretrains ? 4 : 2); way++) {
            g.training = way % 2 == 1;
            r.model.pretraining = way >= 2;
            grad_check(&g, cases[i][1], loss, NULL, &r);
        }
        pq_model_free(&r.model);
        grad_close(&g);
    }
}
