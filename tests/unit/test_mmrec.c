/* test_mmrec.c — what mmrec promises beside its equations, which the golden fixtures prove. */
#include "tests/unit/mmrec_case.h"
#include "tests/unit/overfit.h"
#include "tests/unit/small_data.h"

#include <math.h>

#include "api/opened.h"
#include "native/data/dataset.h"
#include "native/eval/label_metrics.h"
#include "native/train/bake.h"

#define D 4 /* of each modality, as in MMREC_CASE_SIZES */
#define MOST 32

typedef struct {
    testing t;
    mmrec_case c;
    pq_tape tape;
    pq_real r[RNN_CASE_ITEMS][2 * D]; /* given vectors of items, in place of the encoder's */
} bench;

static bench *bench_open(const char *settings) {
    static bench b;
    b = (bench){.tape = {0}};
    testing_open(&b.t);
    b.t.ctx.kernels = pq_kernels_find("best");
    pq_tape_init(&b.tape, &b.t.ctx);
    assert_ok(&b.t.ctx, mmrec_case_open(&b.c, &b.t.ctx, settings));
    return &b;
}

static void bench_close(bench *b) {
    pq_tape_free(&b->tape);
    pq_model_free(&b->c.model);
    testing_close(&b->t);
}

static void scores(bench *b, const pq_batch *batch, pq_real *out) {
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = b->c.model.def->score(&b->tape, &b->c.model, batch);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_true(y->rows == batch->candidate_count && y->cols == 1 && y->rows <= MOST);
    memcpy(out, y->value, y->rows * sizeof(*out));
}

static void vectors(bench *b, pq_real out[RNN_CASE_ITEMS][2 * D]) {
    uint32_t ids[RNN_CASE_ITEMS];
    for (uint32_t i = 0; i < RNN_CASE_ITEMS; i++) {
        ids[i] = i;
    }
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *r = pq_items_vectors(&b->tape, &b->c.model.items, ids, RNN_CASE_ITEMS);
    assert_ok(&b->t.ctx, b->tape.status);
    assert_true(r->rows == RNN_CASE_ITEMS && r->cols == 2 * D);
    memcpy(out, r->value, sizeof(b->r));
}

static const bench *giver;

static pq_var *give(pq_tape *t, const void *self, const uint32_t *ids, uint32_t n) {
    (void)self;
    pq_var *y = pq_tape_var(t, n, 2 * D, false);
    for (uint32_t i = 0; y && i < n; i++) {
        memcpy(y->value + (size_t)i * 2 * D, giver->r[ids[i]], sizeof(giver->r[0]));
    }
    return y;
}

/* Items have normal vectors from here on. */
static void give_vectors(bench *b) {
    pq_rng rng = pq_rng_make(5, 0, 0);
    for (size_t i = 0; i < (size_t)RNN_CASE_ITEMS * 2 * D; i++) {
        b->r[i / (2 * D)][i % (2 * D)] = (pq_real)pq_rng_normal(&rng);
    }
    giver = b;
    b->c.model.items.encode = give;
}

static double dot(const pq_real *x, const pq_real *y) {
    double sum = 0;
    for (int i = 0; i < D; i++) {
        sum += (double)x[i] * y[i];
    }
    return sum;
}

static void close_to(double got, double want) {
    if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want)))) {
        fail_msg("%.9g instead of %.9g", got, want);
    }
}

static const uint32_t nobody[MOST];

/* One candidate of one user. */
static double score_one(bench *b, const uint32_t *items, uint32_t length, uint32_t candidate) {
    const uint32_t starts[] = {0, length};
    const pq_batch batch = {.history = {starts, 1},
                            .items = items,
                            .candidate_count = 1,
                            .candidates = &candidate,
                            .candidate_users = nobody};
    pq_real y;
    scores(b, &batch, &y);
    return y;
}

/* With one behaviour every weight is 1. */
static void test_one_behaviour(void **state) {
    (void)state;
    bench *b = bench_open("");
    give_vectors(b);
    const uint32_t item = 3;
    for (uint32_t c = 1; c < RNN_CASE_ITEMS; c++) {
        double want = 0;
        for (int i = 0; i < 4; i++) {
            want += 2 * dot(b->r[item] + i / 2 * D, b->r[c] + i % 2 * D);
        }
        close_to(score_one(b, &item, 1, c), want);
    }
    bench_close(b);
}

/* Nothing is known of a user without history; the order of a history counts for nothing. */
static void test_histories(void **state) {
    (void)state;
    static const char *const settings[] = {"", "crossmodal=own", "crossmodal=text",
                                           "crossmodal=image", "scale=1"};
    static const uint32_t items[] = {3, 1, 7, 2, 9}, turned[] = {9, 2, 3, 7, 1};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench *b = bench_open(settings[i]);
        assert_true(score_one(b, items, 0, 5) == 0);
        for (uint32_t c = 1; c < RNN_CASE_ITEMS; c++) {
            close_to(score_one(b, items, 5, c), score_one(b, turned, 5, c));
        }
        bench_close(b);
    }
}

/* A candidate's score is its own, to the last bit. */
static void test_alone(void **state) {
    (void)state;
    static const char *const settings[] = {"", "crossmodal=own layers=2",
                                           "co_layers=0 scale=1 offset=1"};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        bench *b = bench_open(settings[i]);
        pq_real all[MOST];
        scores(b, &b->c.batch, all);
        for (uint32_t c = 0; c < b->c.batch.candidate_count; c++) {
            const uint32_t user = b->c.batch.candidate_users[c];
            const uint32_t *starts = b->c.batch.history.starts;
            pq_real one =
                (pq_real)score_one(b, b->c.batch.items + starts[user],
                                   starts[user + 1] - starts[user], b->c.batch.candidates[c]);
            assert_memory_equal(&one, &all[c], sizeof(one));
        }
        bench_close(b);
    }
}

/* Without pictures what looks for them weighs all words alike, and nothing is seen in them. */
static void test_text_alone(void **state) {
    (void)state;
    static const uint32_t items[] = {3, 1, 7};
    bench *b = bench_open("");
    give_vectors(b);
    for (int i = 0; i < RNN_CASE_ITEMS; i++) {
        memset(b->r[i] + D, 0, D * sizeof(pq_real));
    }
    for (uint32_t c = 1; c < RNN_CASE_ITEMS; c++) {
        double total = 0, want = 0;
        for (int i = 0; i < 3; i++) {
            total += exp(dot(b->r[c], b->r[items[i]]));
        }
        for (int i = 0; i < 3; i++) {
            double s = dot(b->r[c], b->r[items[i]]);
            want += (exp(s) / total + 1.0 / 3) * s;
        }
        close_to(score_one(b, items, 3, c), want);
    }
    bench_close(b);
}

/* Text and image stand in the same relation to each other. */
static void test_swapped(void **state) {
    (void)state;
    static const uint32_t items[] = {3, 1, 7, 2};
    static const char *const settings[] = {"", "crossmodal=own", "crossmodal=text"};
    for (size_t i = 0; i < PQ_COUNT(settings); i++) {
        double before[RNN_CASE_ITEMS];
        bench *b = bench_open(settings[i]);
        give_vectors(b);
        for (uint32_t c = 1; c < RNN_CASE_ITEMS; c++) {
            before[c] = score_one(b, items, 4, c);
        }
        for (int r = 0; r < RNN_CASE_ITEMS * D; r++) {
            pq_real *x = &b->r[r / D][r % D], kept = *x;
            *x = x[D];
            x[D] = kept;
        }
        if (i == 2) { /* of one modality it needs the other's option */
            assert_ok(&b->t.ctx, mind_case_set(&b->t.ctx, &b->c.model, "crossmodal=image"));
        }
        for (uint32_t c = 1; c < RNN_CASE_ITEMS; c++) {
            close_to(score_one(b, items, 4, c), before[c]);
        }
        bench_close(b);
    }
}

/* What an item lacks is zero; words that see no region do not depend on how regions are seen, others do. */
static void test_lacking(void **state) {
    (void)state;
    pq_real before[RNN_CASE_ITEMS][2 * D], after[RNN_CASE_ITEMS][2 * D];
    bench *b = bench_open("");
    vectors(b, before);
    for (int j = 0; j < D; j++) {
        assert_true(before[4][j] == 0 && before[6][D + j] == 0);
        assert_true(before[9][j] == 0 && before[9][D + j] == 0);
        assert_true(before[0][j] == 0 && before[0][D + j] == 0);
        assert_true(before[6][j] != 0 && before[4][D + j] != 0);
    }
    pq_param *v = pq_params_find(&b->c.model.params, "co.text1.v.w");
    assert_non_null(v);
    for (uint32_t i = 0; i < v->rows * v->cols; i++) {
        v->value[i] *= 2;
    }
    vectors(b, after);
    assert_memory_equal(before[6], after[6], sizeof(before[6]));
    assert_true(memcmp(before[3], after[3], D * sizeof(pq_real)) != 0);
    bench_close(b);
}

/* More tokens than are looked at count for nothing. */
static void test_first_tokens(void **state) {
    (void)state;
    pq_real before[RNN_CASE_ITEMS][2 * D], after[RNN_CASE_ITEMS][2 * D];
    bench *b = bench_open("");
    vectors(b, before);
    float *last = b->c.values[MMREC_TOKENS] + (size_t)3 * (b->c.first[MMREC_TOKENS][7] + 2);
    last[3] += 1; /* the fourth of item 7 */
    vectors(b, after);
    assert_memory_equal(before, after, sizeof(before));
    last[0] += 1;
    vectors(b, after);
    assert_true(memcmp(before[7], after[7], sizeof(before[7])) != 0);
    bench_close(b);
}

/* Against drawn items only likes count: without any there is nothing to learn, and no gradient. */
static void test_no_likes(void **state) {
    (void)state;
    static const uint32_t negatives[] = {2, 8, 5};
    static const pq_real none[MOST], some[MOST] = {0, 1};
    pq_grads grads;
    bench *b = bench_open("objective=softmax");
    pq_batch batch = b->c.batch;
    batch.negatives = negatives;
    batch.negative_count = PQ_COUNT(negatives);
    for (int liked = 0; liked < 2; liked++) {
        batch.candidate_labels = liked ? some : none;
        assert_ok(&b->t.ctx, pq_grads_init(&grads, &b->t.ctx, &b->c.model.params));
        pq_tape_begin(&b->tape, &grads, true, (pq_rng){0});
        pq_var *loss = pq_model_loss(&b->tape, &b->c.model, &batch);
        assert_ok(&b->t.ctx, pq_tape_backward(&b->tape, loss));
        assert_true(liked ? loss->value[0] > 0 : loss->value[0] == 0);
        pq_grads_free(&grads);
    }
    bench_close(b);
}

/* The file, which has neither encoder nor rows, scores as the model does. */
static void test_baked(void **state) {
    (void)state;
    bench *b = bench_open("offset=1");
    pique_dataset *d;
    void *bytes;
    size_t size;
    pique_model *served;
    pq_real own[MOST];
    assert_ok(
        &b->t.ctx,
        small_data_open(&b->t.ctx, "a 1 2 3 4 5 6 7 8 9 10 1 2\nb 10 9 8 7 6 5 4 3 2 1 1 2\n", &d));
    assert_int_equal(d->item_rows, RNN_CASE_ITEMS);
    scores(b, &b->c.batch, own);
    assert_ok(&b->t.ctx,
              pq_bake(&b->c.model, d, &(pq_bake_options){"{}", "", NULL}, &bytes, &size));
    assert_ok(&b->t.ctx, pique_model_open(&b->t.ctx, bytes, size, &served));
    assert_int_equal(served->m.params.count, 2); /* of the offset */
    assert_null(pq_container_find(&served->container, "behaviour.weight"));
    pq_tape_begin(&b->tape, NULL, false, (pq_rng){0});
    const pq_var *y = served->m.def->score(&b->tape, &served->m, &b->c.batch);
    assert_ok(&b->t.ctx, b->tape.status);
    for (uint32_t c = 0; c < b->c.batch.candidate_count; c++) {
        if (b->c.batch.candidates[c] !=
            RNN_CASE_ITEMS - 1) { /* what stands for UNKNOWN is the mean */
            close_to(y->value[c], own[c]);
        }
    }
    pique_model_free(served);
    pique_dataset_free(d);
    bench_close(b);
}

/* ---- what only a look from one modality to the other can tell ---- */

#define TOPICS 4
#define WORDS (2 * TOPICS) /* and as many others, which tell nothing */
#define FILMS 64           /* half of them are liked ones, half candidates */
#define PEOPLE 64
#define LIKED 4

typedef struct {
    float tokens[FILMS + 2][WORDS], regions[FILMS + 2][WORDS];
    uint32_t first[FILMS + 2], counts[FILMS + 2];
    uint32_t starts[PEOPLE + 1], items[PEOPLE * LIKED], candidates[PEOPLE], users[PEOPLE];
    pq_real labels[PEOPLE];
} planted;

/* Of the title where it is a liked one, of the picture where it is a candidate; what is not the topic is one of the
 * other words. */
static uint32_t topic_of(uint32_t item) {
    return item % TOPICS;
}

static uint32_t filler_of(uint32_t item) {
    return TOPICS + item / TOPICS % TOPICS;
}

static void planted_open(planted *p) {
    *p = (planted){.starts = {0}};
    for (uint32_t i = 1; i <= FILMS; i++) {
        const bool liked = i <= FILMS / 2;
        p->tokens[i][liked ? topic_of(i) : filler_of(i)] = 1;
        p->regions[i][liked ? filler_of(i) : topic_of(i)] = 1;
        p->first[i] = i;
        p->counts[i] = 1;
    }
    for (uint32_t u = 0; u < PEOPLE; u++) {
        p->starts[u + 1] = (u + 1) * LIKED;
        p->users[u] = u;
    }
}

/* Whoever likes titles of two topics likes a film whose picture shows one of these. */
static void planted_draw(void *user, uint64_t step) {
    planted *p = user;
    pq_rng rng = pq_rng_make(3, step, 0);
    for (uint32_t u = 0; u < PEOPLE; u++) {
        const uint32_t one = pq_rng_below(&rng, TOPICS);
        const uint32_t other = (one + 1 + pq_rng_below(&rng, TOPICS - 1)) % TOPICS;
        for (uint32_t i = 0; i < LIKED; i++) {
            const uint32_t group = pq_rng_below(&rng, FILMS / 2 / TOPICS - 1);
            p->items[u * LIKED + i] = (group + 1) * TOPICS + (i % 2 ? one : other);
        }
        p->candidates[u] = FILMS / 2 + 1 + pq_rng_below(&rng, FILMS / 2);
        const uint32_t shown = topic_of(p->candidates[u]);
        p->labels[u] = (pq_real)(shown == one || shown == other);
    }
}

static double planted_auc(const char *settings) {
    static planted p;
    planted_open(&p);
    const pq_item_rows rows[MMREC_KINDS] = {{p.tokens[0], WORDS, p.first, p.counts},
                                            {p.regions[0], WORDS, p.first, p.counts},
                                            {NULL, 5, NULL, NULL}};
    const pq_batch batch = {.history = {p.starts, PEOPLE},
                            .items = p.items,
                            .candidate_count = PEOPLE,
                            .candidates = p.candidates,
                            .candidate_users = p.users,
                            .candidate_labels = p.labels,
                            .positions = PEOPLE};
    enum { ROUNDS = 20 };
    pq_judged pairs[ROUNDS * PEOPLE];
    pique_label_metrics metrics;
    testing t;
    pq_model m;
    pq_tape tape;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("mmrec", 5), "best"));
    assert_ok(&t.ctx,
              mind_case_set(&t.ctx, &m, "dim=8 out=8 layers=0 co_layers=0 dropout=0 offset=0 "));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, settings));
    m.items.rows = FILMS + 2;
    m.items.side = rows;
    assert_ok(&t.ctx, pq_model_declare(&m));
    pq_params_draw(&m.params, 1);
    overfit(&m, &batch, 0.01, 400, planted_draw, &p);
    pq_tape_init(&tape, &t.ctx);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        planted_draw(&p, 1000 + round);
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        const pq_var *y = m.def->score(&tape, &m, &batch);
        assert_ok(&t.ctx, tape.status);
        for (uint32_t u = 0; u < PEOPLE; u++) {
            pairs[round * PEOPLE + u] = (pq_judged){u, (float)y->value[u], p.labels[u] > 0};
        }
    }
    pq_label_metrics(pairs, PQ_COUNT(pairs), &metrics);
    pq_tape_free(&tape);
    pq_model_free(&m);
    testing_close(&t);
    return metrics.auc;
}

static void test_planted(void **state) {
    (void)state;
    const double all = planted_auc("crossmodal=all"), own = planted_auc("crossmodal=own");
    const double scaled = planted_auc("crossmodal=all scale=1");
    if (!(all > 0.95 && scaled > 0.95 && fabs(own - 0.5) < 0.05)) {
        fail_msg("AUC %.4f, scaled %.4f, each modality its own %.4f", all, scaled, own);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_behaviour), cmocka_unit_test(test_histories),
        cmocka_unit_test(test_alone),         cmocka_unit_test(test_text_alone),
        cmocka_unit_test(test_swapped),       cmocka_unit_test(test_lacking),
        cmocka_unit_test(test_first_tokens),  cmocka_unit_test(test_baked),
        cmocka_unit_test(test_planted),       cmocka_unit_test(test_no_likes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
