/* test_lists.c — coverage, Gini, novelty and diversity against numbers worked out by hand and against plain
 * loops, the same for any number of threads. */
#include "small_data.h"

#include "native/eval/lists.h"

#include <math.h>

/* Training events: a 4 (u1 u2 u3 u4), b 2 (u1 u2), c 1 (u3), d 1 (u4): 8 in all, numbered in this order.
 * The test history of each also has v of its own, which no training has. */
static const char lines[] = "u1 a b v1 d\n"
                            "u2 a b v2 d\n"
                            "u3 a c v3 d\n"
                            "u4 a d v4 c\n";

typedef struct {
    pique_context *ctx;
    pique_dataset *data;
    pq_knn knn;
} opened;

static opened open_lines(const char *text) {
    opened o;
    assert_int_equal(pique_context_create(NULL, &o.ctx), PIQUE_OK);
    assert_ok(o.ctx, small_data_open(o.ctx, text, &o.data));
    assert_ok(o.ctx, pq_knn_init(&o.knn, o.ctx, o.data));
    return o;
}

static void close_lines(opened *o) {
    pq_knn_free(&o->knn);
    pique_dataset_free(o->data);
    pique_context_free(o->ctx);
}

static pique_metrics measure(opened *o, const pq_scorer *scorer, const pique_eval_options *options,
                             bool with_seen) {
    pq_ranking ranking = {.dataset = o->data,
                          .split = PQ_SPLIT_TEST,
                          .threads = options->threads,
                          .with_seen = with_seen};
    uint32_t *ranks = test_calloc(o->data->user_count, sizeof(*ranks));
    pique_metrics metrics;
    pq_lists lists;
    memset(&metrics, 0, sizeof(metrics));
    assert_ok(o->ctx, pq_lists_init(&lists, o->ctx, &o->knn, scorer, options));
    assert_ok(o->ctx, pq_rank_targets(o->ctx, &ranking, scorer, ranks, &lists));
    pq_lists_metrics(&lists, &metrics);
    pq_lists_free(&lists);
    test_free(ranks);
    return metrics;
}

static void assert_close(double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-6)) {
        fail_msg("%.9g is not %.9g", actual, expected);
    }
}

/* A row of scores of a b c d for each user. */
static pique_status made_up(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                            const pq_view *view, float *scores) {
    (void)ctx;
    (void)state;
    (void)view;
    memcpy(scores + 1, (const float *)shared + 4 * (size_t)user, 4 * sizeof(*scores));
    return PIQUE_OK;
}

static void test_by_hand(void **state) {
    (void)state;
    opened o = open_lines(lines);
    /* Lists of the first three, nothing left out: a b c, a b c, b a d, and u4 has a alone. */
    static const float scores[] = {9, 8, 7, 6, 9, 8, 7, 6, 8, 9, 6, 7, 5, -HUGE_VALF, NAN, NAN};
    pq_scorer scorer = {.shared = scores, .items = 4, .score = made_up};
    pique_eval_options options = {.cutoffs = {3, 1, 2, 4}, .cutoff_count = 3};
    for (options.threads = 1; options.threads <= 3; options.threads++) {
        pique_metrics m = measure(&o, &scorer, &options, true);
        /* K = 1: a, a, b, a. */
        assert_close(m.coverage[1], 2 / 4.0);
        assert_close(m.gini[1], (1 * 1 + 3 * 3) / (4.0 * 4)); /* 0 0 1 3 */
        assert_close(m.novelty[1], (1 + 1 + 2 + 1) / 4.0);    /* a: 1 bit, b: 2 bits */
        assert_true(isnan(m.diversity[1]));
        /* K = 2: a b, a b, b a, a. cos(a, b) = 2 / sqrt(4 2). */
        double ab = 1 - 2 / sqrt(8);
        assert_close(m.coverage[2], 2 / 4.0);
        assert_close(m.gini[2], (1 * 3 + 3 * 4) / (4.0 * 7)); /* 0 0 3 4 */
        assert_close(m.novelty[2], (1.5 + 1.5 + 1.5 + 1) / 4);
        assert_close(m.diversity[2], ab);
        /* K = 3. cos(a, c) = cos(a, d) = 1 / sqrt(4 1), cos(b, c) = cos(b, d) = 0. */
        assert_close(m.coverage[0], 1);
        assert_close(m.gini[0], (-3 * 1 - 1 * 2 + 1 * 3 + 3 * 4) / (4.0 * 10)); /* 1 2 3 4 */
        assert_close(m.novelty[0], (2 + 2 + 2 + 1) / 4.0);                      /* c, d: 3 bits */
        assert_close(m.diversity[0], (ab + 0.5 + 1) / 3);
    }
    close_lines(&o);
}

/* What is excluded or has no score is in no list; equal scores go by number. */
static void test_lists_leave_the_history_out(void **state) {
    (void)state;
    opened o = open_lines(lines);
    static const float scores[16] = {0};
    pq_scorer scorer = {.shared = scores, .items = 4, .score = made_up};
    pique_eval_options options = {.cutoffs = {1, 9}, .cutoff_count = 2, .threads = 1};
    pique_metrics m = measure(&o, &scorer, &options, false);
    /* u1, u2: c d; u3: b d; u4: b c. */
    assert_close(m.coverage[0], 2 / 4.0);
    assert_close(m.gini[0], (1 * 2 + 3 * 2) / (4.0 * 4));
    assert_close(m.novelty[0], (3 + 3 + 2 + 2) / 4.0);
    assert_close(m.coverage[1], 3 / 4.0);
    assert_close(m.gini[1], (-1 * 2 + 1 * 3 + 3 * 3) / (4.0 * 8)); /* 0 2 3 3 */
    assert_close(m.diversity[1], 1);
    /* No scores, no lists. */
    static const float none[16] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
                                   NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    scorer.shared = none;
    m = measure(&o, &scorer, &options, false);
    assert_close(m.coverage[1], 0);
    assert_true(isnan(m.gini[1]) && isnan(m.novelty[1]) && isnan(m.diversity[1]));
    close_lines(&o);
}

/* A scorer with numbers of its own, and an item that the data do not have: it counts as one event. */
static void test_numbers_of_the_scorer(void **state) {
    (void)state;
    opened o = open_lines(lines);
    static const uint32_t numbers[] = {0, 3, 0, 1, 0, 0}; /* a is 3, c is 1; 2 and 4 are new */
    static const float scores[] = {1, 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2};
    pq_scorer scorer = {.shared = scores, .items = 4, .numbers = numbers, .score = made_up};
    pique_eval_options options = {.cutoffs = {2, 4}, .cutoff_count = 2, .threads = 2};
    pique_metrics m = measure(&o, &scorer, &options, true);
    assert_close(m.novelty[0], (3 + 1) / 2.0);
    assert_close(m.diversity[0], 1);
    assert_close(m.diversity[1], 1 - 0.5 / 6);
    close_lines(&o);
}

/* Random lists: diversity as a plain mean over the pairs, for one thread and three. */
static double cosine(const opened *o, uint32_t a, uint32_t b) {
    uint32_t both = 0, of_a = 0, of_b = 0;
    for (uint32_t u = 0; u < o->data->user_count; u++) {
        pq_view view;
        bool has_a = false, has_b = false;
        (void)pq_dataset_view(o->data, u, PQ_SPLIT_TRAIN, &view);
        for (uint32_t i = 0; i < view.history_count; i++) {
            has_a |= view.history[i] == a;
            has_b |= view.history[i] == b;
        }
        both += has_a && has_b;
        of_a += has_a;
        of_b += has_b;
    }
    return both / sqrt((double)of_a * of_b);
}

static pique_status drawn(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                          const pq_view *view, float *scores) {
    pq_rng rng = pq_rng_make(1, user, 0);
    (void)ctx;
    (void)state;
    (void)view;
    for (uint32_t i = 1; i <= *(const uint32_t *)shared; i++) {
        scores[i] = (float)pq_rng_uniform(&rng);
    }
    return PIQUE_OK;
}

static double plain_diversity(const opened *o, const pq_scorer *scorer, uint32_t length) {
    double sum = 0;
    uint32_t lists = 0;
    float scores[64];
    assert_true(scorer->items + 2 <= 64);
    for (uint32_t u = 0; u < o->data->user_count; u++) {
        uint32_t list[8], pairs = 0;
        double apart = 0;
        pq_view view;
        if (!pq_dataset_view(o->data, u, PQ_SPLIT_TEST, &view)) {
            continue;
        }
        (void)drawn(o->ctx, scorer->shared, NULL, u, &view, scores);
        for (uint32_t n = 0; n < length; n++) {
            list[n] = 1;
            for (uint32_t i = 2; i <= scorer->items; i++) {
                list[n] = scores[i] > scores[list[n]] ? i : list[n];
            }
            scores[list[n]] = -1;
            for (uint32_t m = 0; m < n; m++, pairs++) {
                apart += 1 - cosine(o, list[n], list[m]);
            }
        }
        sum += apart / pairs;
        lists++;
    }
    return sum / lists;
}

static void test_against_plain_loops(void **state) {
    (void)state;
    char *text = small_data_text(120, 40, 10);
    opened o = open_lines(text);
    uint32_t items = o.data->items.count;
    pq_scorer scorer = {.shared = &items, .items = items, .score = drawn};
    pique_eval_options options = {.cutoffs = {7, 3}, .cutoff_count = 2, .threads = 1};
    pique_metrics one = measure(&o, &scorer, &options, true);
    assert_close(one.diversity[0], plain_diversity(&o, &scorer, 7));
    assert_close(one.diversity[1], plain_diversity(&o, &scorer, 3));
    options.threads = 3;
    pique_metrics three = measure(&o, &scorer, &options, true);
    assert_memory_equal(&one, &three, sizeof(one));
    close_lines(&o);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_lists_leave_the_history_out),
        cmocka_unit_test(test_numbers_of_the_scorer),
        cmocka_unit_test(test_against_plain_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
