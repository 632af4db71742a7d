/* grad_models.c — gradients of the layers and of whole losses, and what the tape itself promises. */
#include "tests/grad/grad_check.h"

#include "tests/unit/mind_case.h"

/* ---- the tape ---- */

typedef struct {
    pq_param *x, *w;
} pair;

static pq_var *twice(pq_tape *t, const void *argument) {
    const pair *p = argument;
    pq_var *w = pq_tape_param(t, p->w);
    return pq_op_linear(t, pq_op_linear(t, pq_tape_param(t, p->x), w, NULL), w, NULL);
}

/* A parameter used twice in a step, and steps without a clear between, add up. */
void grad_tape(void **state) {
    (void)state;
    grad_bench g;
    grad_open(&g, 1);
    pair p = {grad_input(&g, "x", 1, 1), grad_input(&g, "w", 1, 1)};
    grad_check(&g, "a parameter used twice", twice, NULL, &p);

    pq_tape t;
    pq_grads grads;
    pq_tape_init(&t, &g.t.ctx);
    assert_ok(&g.t.ctx, pq_grads_init(&grads, &g.t.ctx, g.params));
    double x = p.x->value[0], w = p.w->value[0];
    static const double steps_added[] = {1, 2, 3, 1};
    for (int step = 0; step < 4; step++) {
        if (step == 3) {
            pq_grads_clear(&grads);
        }
        pq_tape_begin(&t, &grads, true, (pq_rng){0});
        assert_ok(&g.t.ctx, pq_tape_backward(&t, twice(&t, &p)));
        grad_close_to("gradients add up until they are cleared", grads.list[p.w->index].dense[0],
                      steps_added[step] * 2 * x * w, 1e-12);
    }
    /* What is not a scalar is refused. */
    pq_tape_begin(&t, &grads, true, (pq_rng){0});
    pq_var *wide = pq_op_concat(&t, pq_tape_param(&t, p.x), pq_tape_param(&t, p.w));
    assert_failure(&g.t.ctx, pq_tape_backward(&t, wide), PIQUE_INTERNAL, "scalar");
    /* The first failure stays, and its status is what backward returns. */
    pq_tape_begin(&t, &grads, true, (pq_rng){0});
    assert_null(pq_op_add(&t, pq_tape_param(&t, p.w), pq_op_repeat(&t, pq_tape_param(&t, p.x), 2)));
    assert_null(pq_op_scale(&t, NULL, 2));
    assert_failure(&g.t.ctx, pq_tape_backward(&t, NULL), PIQUE_INTERNAL, "add: 1 x 1 and 2 x 1");
    pq_grads_free(&grads);
    pq_tape_free(&t);
    grad_close(&g);
}

/* ---- layers ---- */

static const uint32_t some_items[] = {7, 0, 9, 4, 7, 11};

static pq_var *vectors(pq_tape *t, const void *argument) {
    const mind_case *c = argument;
    return pq_items_vectors(t, &c->model.items, some_items, PQ_COUNT(some_items));
}

static pq_var *behaviours(pq_tape *t, const void *argument) {
    const mind_case *c = argument;
    return pq_items_behaviours(t, &c->model.items, some_items, PQ_COUNT(some_items));
}

static pq_var *profile(pq_tape *t, const void *argument) {
    const mind_case *c = argument;
    return pq_profile_vector(t, &c->model.profile, c->batch.profile, 5);
}

/* Runs `body` on a case with these settings. */
static void with_case(const char *settings, uint64_t seed, bool training,
                      void (*body)(grad_bench *g, const mind_case *c, const char *what)) {
    static const char sizes[] = MIND_CASE_SIZES;
    char all[256];
    mind_case c = {0};
    grad_bench g;
    grad_open(&g, seed);
    snprintf(all, sizeof(all), "%s%s", sizes, settings);
    assert_ok(&g.t.ctx, mind_case_open(&c, &g.t.ctx, "paper", all));
    mind_case_fill(&c, seed, 0.7);
    g.params = &c.model.params;
    g.training = training;
    body(&g, &c, settings);
    mind_case_close(&c);
    grad_close(&g);
}

static void check_layers(grad_bench *g, const mind_case *c, const char *what) {
    grad_check(g, what, vectors, NULL, c);
    grad_check(g, what, behaviours, NULL, c);
    grad_check(g, what, profile, NULL, c);
}

/* Item 7 has three genres and brand 2: its vector by hand. */
static void check_item(grad_bench *g, const mind_case *c, const char *what) {
    const pq_items *items = &c->model.items;
    uint32_t d = items->width;
    double want[4], square = 0;
    for (uint32_t i = 0; i < d; i++) {
        const pq_real *genre = items->fields[0]->value + i;
        want[i] = items->ids->value[7 * d + i] + (genre[d] + genre[2 * d] + genre[3 * d]) / 3 +
                  items->fields[1]->value[1 * d + i];
        want[i] /= items->pool == PQ_POOL_MEAN ? 3 : 1;
        square += want[i] * want[i];
    }
    pq_tape t;
    pq_tape_init(&t, &g->t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = vectors(&t, c);
    for (uint32_t i = 0; i < d; i++) {
        double length = items->normalise ? pq_sqrt(square) : 1;
        grad_close_to(what, y->value[i], want[i] / length, 1e-9);
        grad_close_to("PAD is zero", y->value[d + i], 0, 0);
    }
    pq_tape_free(&t);
}

void grad_layers(void **state) {
    (void)state;
    static const char *const settings[] = {
        "pool=mean cosine=0",
        "pool=sum cosine=0",
        "pool=sum cosine=1",
        "pool=mean cosine=1 behaviour=concat_selu",
    };
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        with_case(settings[i], i, false, check_item);
        with_case(settings[i], i, false, check_layers);
    }
}

/* ---- models ---- */

static pq_var *loss(pq_tape *t, const void *argument) {
    const mind_case *c = argument;
    return pq_model_loss(t, &c->model, &c->batch);
}

static void check_loss(grad_bench *g, const mind_case *c, const char *what) {
    grad_check(g, what, loss, NULL, c);
}

void grad_mind(void **state) {
    (void)state;
    static const char *const bilinear[] = {"shared", "per_interest", "per_position",
                                           "per_position_interest"};
    static const char *const others[] = {
        "attention_stop=0 power_kind=signed cosine=1 temperature=0.1 fade=0.1 output=linear",
        "hard=1",
        "attention_stop=0 behaviour=concat_selu route_live=0 pool=sum",
        "attention_stop=0 power_kind=temperature output=residual fade_spread=0.2",
        "hard=1 output=none dropout=0.2 interest_count=all cosine=1",
    };
    for (size_t i = 0; i < PQ_COUNT(bilinear) * PQ_COUNT(others); i++) {
        char settings[192];
        snprintf(settings, sizeof(settings), "route_full=1 bilinear=%s %s",
                 bilinear[i / PQ_COUNT(others)], others[i % PQ_COUNT(others)]);
        with_case(settings, i, i % 2 == 0, check_loss);
    }
}
