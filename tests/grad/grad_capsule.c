/* grad_capsule.c — gradient cases and values of the ops of capsule networks, and gradients of capsnet's whole loss. */
#include "tests/grad/grad_check.h"

#include "base/buckets.h"
#include "models/model.h"
#include "tests/unit/mind_case.h"

typedef struct {
    grad_bench g;
    pq_param *x;
    double epsilon;
    pq_patches patches;
    pq_margin_loss margin;
} setup;

/* ---- squash ---- */

static pq_var *squash(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_squash(t, pq_tape_param(t, s->x), s->epsilon);
}

void grad_squash(void) {
    static const uint32_t widths[] = {1, 2, 5};
    for (uint32_t i = 0; i < PQ_COUNT(widths); i++) {
        setup s = {.epsilon = 1e-9};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 4, widths[i]);
        grad_check(&s.g, "squash", squash, NULL, &s);
        grad_close(&s.g);
    }
    /* (3, 4): 25 / 26 of the direction (0.6, 0.8); a zero stays zero and has no slope. */
    setup s = {.epsilon = 1e-9};
    pq_tape t;
    grad_open(&s.g, 9);
    s.x = grad_input(&s.g, "x", 2, 2);
    memcpy(s.x->value, (pq_real[]){3, 4, 0, 0}, 4 * sizeof(pq_real));
    const pq_var *y = grad_run(&t, &s.g, squash, &s);
    grad_close_to("squash of (3, 4)", y->value[0], 0.6 * 25 / 26, 1e-9);
    grad_close_to("squash of (3, 4)", y->value[1], 0.8 * 25 / 26, 1e-9);
    assert_true(y->value[2] == 0 && y->value[3] == 0);
    pq_tape_free(&t);
    grad_close(&s.g);
}

/* ---- patches ---- */

static pq_var *patches(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_patches(t, pq_tape_param(t, s->x), &s->patches);
}

/* Every number by its place in the image. */
static void expect_patches(setup *s) {
    const pq_patches *a = &s->patches;
    uint32_t down = (a->height - a->size) / a->stride + 1;
    uint32_t across = (a->width - a->size) / a->stride + 1, at = 0;
    pq_tape t;
    const pq_var *y = grad_run(&t, &s->g, patches, s);
    assert_int_equal(y->rows, s->x->rows * down * across);
    assert_int_equal(y->cols, a->size * a->size * a->channels);
    for (uint32_t row = 0; row < y->rows; row++) {
        uint32_t top = row / across % down * a->stride, left = row % across * a->stride;
        const pq_real *image = s->x->value + (size_t)(row / (down * across)) * s->x->cols;
        for (uint32_t line = top; line < top + a->size; line++) {
            for (uint32_t column = left; column < left + a->size; column++) {
                for (uint32_t i = 0; i < a->channels; i++, at++) {
                    pq_real want = image[(line * a->width + column) * a->channels + i];
                    assert_true(y->value[at] == want);
                }
            }
        }
    }
    pq_tape_free(&t);
}

void grad_patches(void) {
    static const pq_patches shapes[] = {
        {4, 5, 1, 2, 1}, {5, 5, 2, 3, 2}, {3, 3, 3, 3, 1}, {7, 4, 2, 2, 3}, {1, 1, 1, 1, 1}};
    for (uint32_t i = 0; i < PQ_COUNT(shapes); i++) {
        setup s = {.patches = shapes[i]};
        grad_open(&s.g, i);
        s.x = grad_input(&s.g, "x", 2, shapes[i].height * shapes[i].width * shapes[i].channels);
        expect_patches(&s);
        grad_check(&s.g, "patches", patches, NULL, &s);
        s.patches.size = shapes[i].width + 1;
        grad_refuses(&s.g, patches, &s, "patches: ");
        s.patches = shapes[i];
        s.patches.width++;
        grad_refuses(&s.g, patches, &s, "patches: ");
        grad_close(&s.g);
    }
}

/* ---- margin_loss ---- */

static pq_var *margin_loss(pq_tape *t, const void *argument) {
    const setup *s = argument;
    return pq_op_margin_loss(t, pq_tape_param(t, s->x), &s->margin);
}

void grad_margin_loss(void) {
    static const uint32_t targets[] = {2, 0, 7}; /* the last: none of the classes */
    setup s = {.margin = {targets, 3, 0.9, 0.1, 0.5, 0.7}};
    pq_tape t;
    grad_open(&s.g, 1);
    s.x = grad_input(&s.g, "x", 9, 4);
    for (uint32_t i = 0; i < 36; i++) { /* lengths on both sides of both margins */
        s.x->value[i] *= i < 12 ? 0.3 : 0.5;
    }
    grad_check(&s.g, "margin_loss", margin_loss, NULL, &s);
    s.margin.classes = 2;
    grad_refuses(&s.g, margin_loss, &s, "margin_loss: 9 capsules of 2 classes");
    grad_close(&s.g);
    /* The true one 0.8 long, another 0.3, the last 0.05: 0.1² + 0.5 * 0.2². */
    s.margin = (pq_margin_loss){targets, 3, 0.9, 0.1, 0.5, 1};
    grad_open(&s.g, 2);
    s.x = grad_input(&s.g, "x", 3, 2);
    memcpy(s.x->value, (pq_real[]){0, 0.3, 0.05, 0, 0.64, 0.48}, 6 * sizeof(pq_real));
    grad_close_to("margin_loss", grad_run(&t, &s.g, margin_loss, &s)->value[0], 0.03, 1e-9);
    pq_tape_free(&t);
    grad_close(&s.g);
}

/* ---- the model ---- */

typedef struct {
    pq_model model;
    pq_batch batch;
} images;

static pq_var *loss(pq_tape *t, const void *argument) {
    const images *r = argument;
    return pq_model_loss(t, &r->model, &r->batch);
}

#define SIDE 6

/* Stopped gradients are no slopes: the golden fixtures check those. */
void grad_capsnet(void **state) {
    (void)state;
    static const char *const cases[] = {"rounds=3 route_full=1 reconstruction=0.01",
                                        "rounds=1 reconstruction=0",
                                        "rounds=2 route_full=1 stride=2 types=1"};
    static const uint32_t candidates[] = {2, 3, 1}, users[] = {0, 1, 2}, starts[4] = {0};
    static const pq_real ones[] = {1, 1, 1};
    uint32_t ends[] = {0, SIDE * SIDE, 2 * SIDE * SIDE, 2 * SIDE * SIDE}; /* the last has none */
    uint32_t pixels[2 * SIDE * SIDE];
    for (uint32_t i = 0; i < PQ_COUNT(pixels); i++) {
        pixels[i] = pq_number_code((float)(i * 37 % 11) / 10);
    }
    const pq_column column = {.name = "pixels", .rows = SIDE * SIDE + 2, .vector = true};
    const pq_codes codes = {ends, pixels};
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        images r = {.batch = {.history = {starts, 3},
                              .profile = &codes,
                              .positions = 3,
                              .candidate_count = 3,
                              .candidates = candidates,
                              .candidate_users = users,
                              .candidate_labels = ones}};
        grad_bench g;
        grad_open(&g, i);
        assert_ok(&g.t.ctx, pq_model_init(&r.model, &g.t.ctx, pq_model_find("capsnet", 7), "best"));
        assert_ok(&g.t.ctx,
                  mind_case_set(&g.t.ctx, &r.model,
                                "height=6 width=6 filters=2 kernel=3 primary_kernel=2 stride=1 "
                                "types=2 type_dim=3 dim=2 hidden1=3 hidden2=4 init_scale=0.5"));
        assert_ok(&g.t.ctx, mind_case_set(&g.t.ctx, &r.model, cases[i]));
        r.model.items.rows = 5;
        r.model.profile.columns = &column;
        r.model.profile.column_count = 1;
        assert_ok(&g.t.ctx, pq_model_declare(&r.model));
        pq_params_draw(&r.model.params, i);
        g.params = &r.model.params;
        grad_check(&g, cases[i], loss, NULL, &r);
        pq_model_free(&r.model);
        grad_close(&g);
    }
}
