/* test_sasrec_overfit.c — SASRec learns twenty cyclic sequences by heart: ten items stand in a circle, and from
 * each of them one user walks to the right and one to the left, so that the next item is known only from
 * the two before it. */
#include "tests/unit/mind_case.h"
#include "tests/unit/overfit.h"

#define ITEMS 10
#define USERS (2 * ITEMS)
#define LENGTH 8 /* rows of a history, each with a label */
#define LABELS (USERS * LENGTH)
#define STEPS 300

typedef struct {
    uint32_t starts[USERS + 1], items[LABELS], targets[LABELS], rows[LABELS], pairs[LABELS];
} lessons;

static uint32_t place(uint32_t user, uint32_t i) {
    uint32_t steps = user % 2 ? i : ITEMS * LENGTH - i;
    return 1 + (user / 2 + steps) % ITEMS;
}

static void lessons_make(lessons *l, pq_batch *batch) {
    l->starts[0] = 0;
    for (uint32_t n = 0; n < LABELS; n++) {
        l->items[n] = place(n / LENGTH, n % LENGTH);
        l->targets[n] = place(n / LENGTH, n % LENGTH + 1);
        l->rows[n] = n;
        l->starts[n / LENGTH + 1] = n + 1;
    }
    *batch = (pq_batch){.history = {l->starts, USERS},
                        .items = l->items,
                        .label_count = LABELS,
                        .targets = l->targets,
                        .label_rows = l->rows,
                        .positions = LABELS,
                        .pair_negatives = l->pairs};
}

/* Any other item than the label's. */
static void draw_negatives(void *user, uint64_t step) {
    lessons *l = user;
    pq_rng rng = pq_rng_make(5, step, 0);
    for (uint32_t n = 0; n < LABELS; n++) {
        l->pairs[n] = 1 + (l->targets[n] + pq_rng_below(&rng, ITEMS - 1)) % ITEMS;
    }
}

/* Users whose next item has the highest score. */
static uint32_t hits(const pq_model *m, const pq_batch *batch) {
    pq_tape t;
    uint32_t live[USERS], all[ITEMS + 1], count = 0;
    for (uint32_t i = 0; i <= ITEMS; i++) {
        all[i] = i;
    }
    pq_tape_init(&t, m->ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *v = m->def->user(&t, m, batch, live);
    const pq_var *e = pq_items_vectors(&t, &m->items, all, ITEMS + 1);
    assert_ok(m->ctx, t.status);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t best = 0;
        pq_real top = 0;
        for (uint32_t i = 1; i <= ITEMS; i++) {
            const pq_real *item = e->value + (size_t)i * m->width;
            pq_real score = m->ctx->kernels->dot(v->value + (size_t)u * m->width, item, m->width);
            if (best == 0 || score > top) {
                best = i;
                top = score;
            }
        }
        count += best == batch->targets[u * LENGTH + LENGTH - 1];
    }
    pq_tape_free(&t);
    return count;
}

static void hit_rate_one(const char *settings, pq_loss loss) {
    static lessons l;
    pq_batch batch;
    pq_model m;
    testing t;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("sasrec", 6), "best"));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "dim=16 history=8 init_scale=0.1 dropout=0.1"));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, settings));
    m.items.rows = ITEMS + 2;
    assert_ok(&t.ctx, pq_model_declare(&m));
    m.loss = (pq_loss_options){.kind = loss, .pair_count = 1, .beta = 1};
    pq_params_draw(&m.params, 1);
    lessons_make(&l, &batch);
    uint32_t before = hits(&m, &batch);
    overfit(&m, &batch, 0.005, STEPS, draw_negatives, &l);
    uint32_t after = hits(&m, &batch);
    if (before == USERS || after != USERS) {
        fail_msg("%s, loss %d: %u of %d users before, %u after training", settings, (int)loss,
                 (unsigned)before, USERS, (unsigned)after);
    }
    pq_model_free(&m);
    testing_close(&t);
}

static void with_softmax(void **state) {
    (void)state;
    hit_rate_one("norm=post", PQ_LOSS_SOFTMAX);
    hit_rate_one("norm=pre cosine=1 temperature=0.1", PQ_LOSS_SOFTMAX);
}

static void with_bce(void **state) {
    (void)state;
    hit_rate_one("norm=post", PQ_LOSS_BCE);
    hit_rate_one("norm=code forward=relu scale_input=1", PQ_LOSS_BCE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(with_softmax), cmocka_unit_test(with_bce)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
