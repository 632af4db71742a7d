/* test_mind_overfit.c — MIND learns by heart what one vector per user could not hold: eight users with two
 * clusters of items each and a label in either, both of which must come first for one of the user's two
 * interests. */
#include "tests/unit/mind_case.h"
#include "tests/unit/overfit.h"

#define USERS 8
#define CLUSTER 4                   /* three items in the history, the fourth is a label */
#define SEEN (2 * (CLUSTER - 1))    /* behaviours of a user */
#define ITEMS (USERS * 2 * CLUSTER) /* every user has two clusters of their own */

/* Each user twice, with the same history: once for the label of either cluster. */
typedef struct {
    uint32_t starts[2 * USERS + 1], items[2 * USERS * SEEN], targets[2 * USERS], negatives[ITEMS];
    pq_real target_q[2 * USERS], negative_q[ITEMS];
} lessons;

static uint32_t cluster_item(uint32_t user, uint32_t side, uint32_t i) {
    return 1 + (2 * user + side) * CLUSTER + i;
}

static void lessons_make(lessons *l, pq_batch *batch) {
    memset(l, 0, sizeof(*l));
    for (uint32_t n = 0; n < 2 * USERS; n++) {
        for (uint32_t i = 0; i < SEEN; i++) { /* the clusters take turns */
            l->items[n * SEEN + i] = cluster_item(n / 2, i % 2, i / 2);
        }
        l->starts[n + 1] = (n + 1) * SEEN;
        l->targets[n] = cluster_item(n / 2, n % 2, CLUSTER - 1);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        l->negatives[i] = i + 1;
    }
    *batch = (pq_batch){.history = {l->starts, 2 * USERS},
                        .items = l->items,
                        .targets = l->targets,
                        .label_count = 2 * USERS,
                        .positions = 2 * USERS,
                        .negatives = l->negatives,
                        .negative_count = ITEMS,
                        .target_log_q = l->target_q,
                        .negative_log_q = l->negative_q};
}

/* The item that interest v (D) likes best, of all that the user has not seen. */
static uint32_t best_item(const pq_model *m, const pq_real *v, const pq_real *items,
                          uint32_t user) {
    uint32_t best = 0, d = m->width;
    pq_real top = 0;
    for (uint32_t i = 1; i <= ITEMS; i++) {
        bool seen = (i - 1) / (2 * CLUSTER) == user && (i - 1) % CLUSTER < CLUSTER - 1;
        pq_real score = m->ctx->kernels->dot(v, items + (size_t)i * d, d);
        if (!seen && (best == 0 || score > top)) {
            best = i;
            top = score;
        }
    }
    return best;
}

/* Every label comes first for exactly one of the two interests of its user. */
static void check(const pq_model *m, const pq_batch *batch) {
    pq_tape t;
    uint32_t live[2 * USERS], all[ITEMS + 1];
    for (uint32_t i = 0; i <= ITEMS; i++) {
        all[i] = i;
    }
    pq_tape_init(&t, m->ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *v = m->def->user(&t, m, batch, live);
    const pq_var *e = pq_items_vectors(&t, &m->items, all, ITEMS + 1);
    assert_ok(m->ctx, t.status);
    for (uint32_t n = 0; n < 2 * USERS; n++) {
        uint32_t found = 0;
        for (uint32_t k = 0; k < 2; k++) {
            const pq_real *interest = v->value + ((size_t)n * 2 + k) * m->width;
            found += best_item(m, interest, e->value, n / 2) == batch->targets[n];
        }
        if (found != 1) {
            fail_msg("user %u: label %u comes first for %u of the two interests", (unsigned)(n / 2),
                     (unsigned)(n % 2), (unsigned)found);
        }
    }
    pq_tape_free(&t);
}

static void both_labels_come_first(void **state) {
    (void)state;
    static lessons l;
    pq_batch batch;
    pq_model m;
    testing t;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("mind", 4), "paper"));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m,
                                    "dim=16 interests=2 history=8 hidden=32 output=linear "
                                    "cosine=1 temperature=0.1 hard=1"));
    m.items.rows = ITEMS + 2;
    assert_ok(&t.ctx, pq_model_declare(&m));
    pq_params_draw(&m.params, 1);
    lessons_make(&l, &batch);
    overfit(&m, &batch, 0.01, 400, NULL, NULL);
    check(&m, &batch);
    pq_model_free(&m);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_labels_come_first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
