/* test_evaluate.c — ranks, metrics and baselines against numbers worked out by hand, and a model's metrics
 * against the places of the targets in its own recommendations. What lists look like: test_lists.c. */
#include "model_file.h"
#include "small_data.h"

#include "native/eval/lists.h"
#include "native/eval/metrics.h"
#include "native/eval/negatives.h"

#include <math.h>

/* Training events, from all but the last two of who has three: a 6, b 3, c 3, e 2, d 1. u4 and u8 only
 * train; the targets of u6 stand in its history; z of u7 is in nobody's training events. */
static const char lines[] = "u1 a b c d\n"
                            "u2 a c b\n"
                            "u3 b a d c\n"
                            "u4 a b\n"
                            "u5 c d e a b\n"
                            "u6 a c a c\n"
                            "u7 a b z\n"
                            "u8 c e\n";
enum { USERS = 8, U1 = 0, U2, U3, U4, U5, U6, U7, U8 };

#define MISS PQ_MISS

static void assert_close(double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-6)) {
        fail_msg("%.9g is not %.9g", actual, expected);
    }
}

/* Ranks by the scorer, for 1, 2 and 3 threads. */
static void check_ranks(pq_ctx *ctx, const pique_dataset *data, pq_split split,
                        const pq_scorer *scorer, const uint32_t *expected) {
    for (uint32_t threads = 1; threads <= 3; threads++) {
        pq_ranking ranking = {.dataset = data, .split = split, .threads = threads};
        uint32_t ranks[USERS];
        assert_ok(ctx, pq_rank_targets(ctx, &ranking, scorer, ranks, NULL));
        for (uint32_t u = 0; u < USERS; u++) {
            if (ranks[u] != expected[u]) {
                fail_msg("user %u: rank %u, not %u", (unsigned)u + 1, (unsigned)ranks[u],
                         (unsigned)expected[u]);
            }
        }
    }
}

typedef struct {
    pique_context *ctx;
    pique_dataset *data;
} opened;

static opened open_lines(const char *text) {
    opened o;
    assert_int_equal(pique_context_create(NULL, &o.ctx), PIQUE_OK);
    assert_ok(o.ctx, small_data_open(o.ctx, text, &o.data));
    return o;
}

static void close_lines(opened *o) {
    pique_dataset_free(o->data);
    pique_context_free(o->ctx);
}

static void test_popularity(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_scorer scorer = pq_popularity_scorer(o.data);
    /* Among what the history leaves: u1 e before d; u2, u3, u5 nothing before. */
    static const uint32_t test[] = {1, 0, 0, MISS, 0, MISS, MISS, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_TEST, &scorer, test);
    /* u2 and u7: b and c are equal, and the other comes first; u3: c and e before d. */
    static const uint32_t valid[] = {0, 1, 2, MISS, 0, MISS, 1, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_VALID, &scorer, valid);
    close_lines(&o);
}

static uint32_t number(const pique_dataset *data, const char *id) {
    uint32_t found = pq_strings_find(&data->items, id, strlen(id));
    assert_true(found != PQ_NOT_FOUND);
    return found + 1;
}

static void test_item_knn(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_knn knn;
    float scores[16];
    pq_view view;
    assert_ok(o.ctx, pq_knn_init(&knn, o.ctx, o.data));
    pq_scorer scorer = pq_knn_scorer(&knn);
    /* cos(a,b) = 3/sqrt(6 3), cos(a,c) = 1/sqrt(6 3), cos(c,d) = 1/sqrt(3 1), cos(c,e) = 2/sqrt(3 2),
     * cos(d,e) = 1/sqrt(1 2), all others 0. */
    assert_true(pq_dataset_view(o.data, U2, PQ_SPLIT_TEST, &view)); /* a c */
    assert_ok(o.ctx, scorer.score(o.ctx, scorer.shared, NULL, U2, &view, scores));
    assert_close((double)scores[number(o.data, "b")], 3 / sqrt(18));
    assert_close((double)scores[number(o.data, "d")], 1 / sqrt(3));
    assert_close((double)scores[number(o.data, "e")], 2 / sqrt(6));
    assert_close((double)scores[number(o.data, "a")], 1 + 1 / sqrt(18));
    static const uint32_t test[] = {1, 1, 0, MISS, 0, MISS, MISS, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_TEST, &scorer, test);
    static const uint32_t valid[] = {0, 1, 2, MISS, 0, MISS, 0, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_VALID, &scorer, valid);
    pq_knn_free(&knn);
    close_lines(&o);
}

/* Who has seen an item twice is still one user of it. */
static void test_item_knn_counts_users(void **state) {
    (void)state;
    opened o = open_lines("u1 a a b v w\nu2 b c v w\nu3 a v\n");
    pq_knn knn;
    float scores[16];
    const uint32_t history[] = {number(o.data, "a")};
    pq_view view = {.history = history, .history_count = 1};
    assert_ok(o.ctx, pq_knn_init(&knn, o.ctx, o.data));
    pq_scorer scorer = pq_knn_scorer(&knn);
    assert_ok(o.ctx, scorer.score(o.ctx, scorer.shared, NULL, 0, &view, scores));
    assert_close((double)scores[number(o.data, "b")], 1 / sqrt(4));
    assert_close((double)scores[number(o.data, "a")], 1);
    assert_close((double)scores[number(o.data, "c")], 0);
    pq_knn_free(&knn);
    close_lines(&o);
}

/* Of a long history the newest twenty count: here twenty times b, and c, one too old. */
static void test_item_knn_looks_at_the_newest(void **state) {
    (void)state;
    opened o = open_lines("u1 a b v w\nu2 a c v w\n");
    uint32_t history[PQ_KNN_HISTORY + 1];
    pq_knn knn;
    float scores[16];
    pq_view view = {.history = history, .history_count = PQ_KNN_HISTORY + 1};
    for (uint32_t i = 0; i <= PQ_KNN_HISTORY; i++) {
        history[i] = number(o.data, i ? "b" : "c");
    }
    assert_ok(o.ctx, pq_knn_init(&knn, o.ctx, o.data));
    pq_scorer scorer = pq_knn_scorer(&knn);
    assert_ok(o.ctx, scorer.score(o.ctx, scorer.shared, NULL, 0, &view, scores));
    assert_close((double)scores[number(o.data, "a")] / PQ_KNN_HISTORY, 1 / sqrt(2));
    assert_close((double)scores[number(o.data, "c")], 0);
    pq_knn_free(&knn);
    close_lines(&o);
}

/* ---- scores that a test makes up ---- */

static pique_status made_up(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                            const pq_view *view, float *scores) {
    const float *all = shared;
    (void)ctx;
    (void)state;
    (void)user;
    (void)view;
    memcpy(scores + 1, all, 5 * sizeof(*all));
    return PIQUE_OK;
}

static void test_scores_that_are_no_numbers(void **state) {
    (void)state;
    opened o = open_lines(lines);
    /* Items are numbered a b c e d. A target without a score is missed (u2), another item without one
     * stands before the target. */
    static const float scores[] = {5, NAN, 3, -HUGE_VALF, 2};
    pq_scorer scorer = {.shared = scores, .items = 5, .score = made_up};
    static const uint32_t test[] = {0, MISS, 0, MISS, MISS, MISS, MISS, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_TEST, &scorer, test);
    static const uint32_t valid[] = {0, 1, 1, MISS, 1, MISS, MISS, MISS};
    check_ranks(o.ctx, o.data, PQ_SPLIT_VALID, &scorer, valid);
    close_lines(&o);
}

static pique_status failing(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                            const pq_view *view, float *scores) {
    (void)shared;
    (void)state;
    (void)view;
    if (user >= U5) {
        PQ_FAIL(ctx, PIQUE_NUMERIC, "user %u", (unsigned)user);
    }
    memset(scores, 0, 7 * sizeof(*scores));
    return PIQUE_OK;
}

static void test_failures_of_a_scorer(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_scorer scorer = {.items = 5, .score = failing};
    for (uint32_t threads = 1; threads <= 3; threads++) {
        uint32_t ranks[USERS];
        pq_ranking ranking = {.dataset = o.data, .split = PQ_SPLIT_TEST, .threads = threads};
        assert_failure(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, ranks, NULL), PIQUE_NUMERIC,
                       "user ");
    }
    close_lines(&o);
}

static void test_metrics(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_ranking ranking = {.dataset = o.data, .split = PQ_SPLIT_TEST};
    pique_eval_options options = {.cutoffs = {1, 3, 4, 10}, .cutoff_count = 4};
    /* Six users have a target; u4 and u8 do not count, whatever stands there. */
    static const uint32_t ranks[] = {0, 2, 3, MISS, 9, 10, MISS, MISS};
    pique_metrics m;
    assert_int_equal(pq_rank_users(&ranking), 6);
    pq_rank_metrics(&ranking, &options, ranks, &m);
    assert_close(m.recall[0], 1 / 6.0);
    assert_close(m.recall[1], 2 / 6.0);
    assert_close(m.recall[2], 3 / 6.0);
    assert_close(m.recall[3], 4 / 6.0);
    assert_close(m.ndcg[0], 1 / 6.0);
    assert_close(m.ndcg[1], (1 + 1 / log2(4)) / 6);
    assert_close(m.ndcg[2], (1 + 1 / log2(4) + 1 / log2(5)) / 6);
    assert_close(m.ndcg[3], (1 + 1 / log2(4) + 1 / log2(5) + 1 / log2(11)) / 6);
    assert_close(m.mrr, (1 + 1 / 3.0 + 1 / 4.0 + 1 / 10.0 + 1 / 11.0) / 6);
    assert_close(m.mrr_at[0], 1 / 6.0);
    assert_close(m.mrr_at[1], (1 + 1 / 3.0) / 6);
    assert_close(m.mrr_at[3], (1 + 1 / 3.0 + 1 / 4.0 + 1 / 10.0) / 6);
    close_lines(&o);
}

/* Of 15 training events a has 6: the first third ends within a, which is the head; 6 of 15 stand before b,
 * 9 before c: the middle; 12 before e, 14 before d: the tail, and so is what is unknown. */
static void test_buckets(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_ranking ranking = {.dataset = o.data, .split = PQ_SPLIT_TEST};
    pique_eval_options options = {.cutoffs = {1, 3}, .cutoff_count = 2};
    uint32_t users[PIQUE_BUCKETS], items[PIQUE_BUCKETS];
    pique_metrics m;
    /* Targets: u1 d, u2 b, u3 c, u5 b, u6 c, u7 z. */
    static const uint32_t ranks[] = {2, 0, MISS, MISS, 1, 3, MISS, MISS};
    pq_rank_buckets(&ranking, users, items);
    assert_int_equal(items[0], 1);
    assert_int_equal(items[1], 2);
    assert_int_equal(items[2], 2);
    assert_int_equal(users[0], 0);
    assert_int_equal(users[1], 4);
    assert_int_equal(users[2], 2);
    pq_rank_metrics(&ranking, &options, ranks, &m);
    assert_true(isnan(m.bucket_recall[0][0]) && isnan(m.bucket_ndcg[0][1]));
    assert_close(m.bucket_recall[1][0], 1 / 4.0);
    assert_close(m.bucket_recall[1][1], 2 / 4.0);
    assert_close(m.bucket_ndcg[1][1], (1 + 1 / log2(3)) / 4);
    assert_close(m.bucket_recall[2][0], 0);
    assert_close(m.bucket_recall[2][1], 1 / 2.0);
    assert_close(m.bucket_ndcg[2][1], 1 / log2(4) / 2);
    /* Validation targets: u1 c, u2 c, u3 d, u5 a, u6 a, u7 b: the head has two. */
    ranking.split = PQ_SPLIT_VALID;
    pq_rank_buckets(&ranking, users, items);
    assert_int_equal(users[0], 2);
    assert_int_equal(users[1], 3);
    assert_int_equal(users[2], 1);
    close_lines(&o);
    /* What begins where a third ends is of the next. */
    o = open_lines("u1 a v w\nu2 b v w\nu3 c v w\n");
    ranking.dataset = o.data;
    pq_rank_buckets(&ranking, users, items);
    assert_true(items[0] == 1 && items[1] == 1 && items[2] == 1);
    close_lines(&o);
}

/* ---- other protocols ---- */

/* Popularity with the history in the ranking: a 6, b 3, c 3, e 2, d 1. Equal items stand before. */
static void test_seen_items_stay(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_scorer scorer = pq_popularity_scorer(o.data);
    pq_ranking ranking = {
        .dataset = o.data, .split = PQ_SPLIT_TEST, .threads = 2, .with_seen = true};
    static const uint32_t expected[] = {4, 2, 2, MISS, 2, 2, MISS, MISS};
    uint32_t ranks[USERS];
    assert_ok(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, ranks, NULL));
    assert_memory_equal(ranks, expected, sizeof(ranks));
    close_lines(&o);
}

/* As many negatives as there are items: the full ranking. */
static void test_all_negatives_are_the_full_ranking(void **state) {
    (void)state;
    opened o = open_lines(lines);
    pq_scorer scorer = pq_popularity_scorer(o.data);
    for (uint32_t seen = 0; seen < 2; seen++) {
        for (uint32_t threads = 1; threads <= 3; threads++) {
            uint32_t full[USERS], sampled[USERS];
            pq_ranking ranking = {.dataset = o.data,
                                  .split = PQ_SPLIT_TEST,
                                  .threads = threads,
                                  .with_seen = seen == 1};
            assert_ok(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, full, NULL));
            ranking.sampled = 1000;
            assert_ok(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, sampled, NULL));
            assert_memory_equal(full, sampled, sizeof(full));
        }
    }
    close_lines(&o);
}

/* Distinct, neither target nor history, and each of the rest equally often: 40 items of 50, 8 drawn. */
static void test_negatives(void **state) {
    (void)state;
    enum { ITEMS = 50, WANTED = 8, DRAWS = 4000 };
    char text[ITEMS * 8 + 16] = "u";
    for (uint32_t i = 0; i < ITEMS + 2; i++) {
        sprintf(text + strlen(text), " i%02u", (unsigned)(i % ITEMS));
    }
    strcat(text, "\n");
    opened o = open_lines(text);
    pq_negatives negatives;
    uint32_t history[9], times[ITEMS + 1] = {0};
    for (uint32_t i = 0; i < 9; i++) {
        history[i] = 3 * i + 1;
    }
    pq_view view = {.history = history, .history_count = 9, .target = 50};
    assert_int_equal(o.data->items.count, ITEMS);
    assert_ok(o.ctx, pq_negatives_init(&negatives, o.ctx, o.data, WANTED));
    for (uint32_t user = 0; user < DRAWS; user++) {
        bool drawn[ITEMS + 1] = {false};
        assert_int_equal(pq_negatives_draw(&negatives, user, &view, false), WANTED);
        for (uint32_t i = 0; i < WANTED; i++) {
            uint32_t item = negatives.drawn[i];
            assert_true(item >= 1 && item < 50 && !(item <= 25 && item % 3 == 1) && !drawn[item]);
            drawn[item] = true;
            times[item]++;
        }
    }
    /* 800 expected of each, deviation 25. */
    for (uint32_t i = 1; i < 50; i++) {
        if (!(i <= 25 && i % 3 == 1)) {
            assert_in_range(times[i], 675, 925);
        }
    }
    /* The same user has the same negatives, whoever was drawn for before. */
    uint32_t first[WANTED];
    (void)pq_negatives_draw(&negatives, 7, &view, false);
    memcpy(first, negatives.drawn, sizeof(first));
    (void)pq_negatives_draw(&negatives, 8, &view, true);
    assert_memory_not_equal(first, negatives.drawn, sizeof(first));
    (void)pq_negatives_draw(&negatives, 7, &view, false);
    assert_memory_equal(first, negatives.drawn, sizeof(first));
    pq_negatives_free(&negatives);
    assert_ok(o.ctx, pq_negatives_init(&negatives, o.ctx, o.data, 60));
    assert_int_equal(pq_negatives_draw(&negatives, 0, &view, false), 40);
    assert_int_equal(pq_negatives_draw(&negatives, 0, &view, true), 49);
    pq_negatives_free(&negatives);
    close_lines(&o);
}

/* Fewer negatives stand before a target than items do, and at one of them the target is first or second. */
static void test_sampled_ranks(void **state) {
    (void)state;
    char *text = small_data_text(200, 60, 12);
    opened o = open_lines(text);
    pq_scorer scorer = pq_popularity_scorer(o.data);
    uint32_t *full = test_calloc(o.data->user_count, sizeof(*full));
    uint32_t *sampled = test_calloc(o.data->user_count, sizeof(*sampled));
    pq_ranking ranking = {.dataset = o.data, .split = PQ_SPLIT_TEST, .threads = 2};
    assert_ok(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, full, NULL));
    ranking.sampled = 1;
    assert_ok(o.ctx, pq_rank_targets(o.ctx, &ranking, &scorer, sampled, NULL));
    uint32_t first = 0, second = 0;
    for (uint32_t u = 0; u < o.data->user_count; u++) {
        if (full[u] == PQ_MISS) {
            assert_int_equal(sampled[u], PQ_MISS);
        } else {
            assert_true(sampled[u] <= 1 && sampled[u] <= full[u]);
            first += sampled[u] == 0;
            second += sampled[u] == 1;
        }
    }
    assert_true(first > 20 && second > 10);
    test_free(full);
    test_free(sampled);
    close_lines(&o);
    free(text);
}

/* ---- a model ---- */

/* Histories over the ids of the hand-made model, and two that it does not know. */
static char *model_lines(void) {
    static const char *const ids[] = {"b",  "ab", "10", "1", "Ü", "k7",
                                      "k8", "k9", "m",  "n", "p", "q"};
    char *text = malloc(60 * 120);
    size_t size = 0;
    assert_non_null(text);
    for (uint32_t u = 0; u < 60; u++) {
        pq_rng rng = pq_rng_make(3, u, 0);
        uint32_t count = 1 + pq_rng_below(&rng, 12);
        size += (size_t)sprintf(text + size, "u%u", (unsigned)u);
        for (uint32_t i = 0; i < count; i++) {
            size += (size_t)sprintf(text + size, " %s", ids[pq_rng_below(&rng, 12)]);
        }
        text[size++] = '\n';
    }
    text[size] = 0;
    return text;
}

/* The place of the target in the list of all items but those of the history; -1: not there. */
static int place(pique_session *session, const pique_model *model, const pique_dataset *data,
                 const pq_view *view) {
    uint32_t history[16], count;
    const pique_recommendation *list;
    size_t size;
    for (uint32_t i = 0; i < view->history_count; i++) {
        const char *id = pq_strings_get(&data->items, view->history[i] - 1, &size);
        history[i] = id ? pique_model_find_item(model, id, size) : 0;
    }
    pique_query q = {.history = history,
                     .history_count = view->history_count,
                     .count = 99,
                     .exclude_seen = true};
    const char *id = pq_strings_get(&data->items, view->target - 1, &size);
    uint32_t target = id ? pique_model_find_item(model, id, size) : 0;
    assert_int_equal(pique_session_recommend(session, &q, &list, &count), PIQUE_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].item == target) {
            return (int)i;
        }
    }
    return -1;
}

static void test_model_against_its_recommendations(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        char *text = model_lines();
        opened o = open_lines(text);
        model_file file;
        pique_model *model;
        pique_session *session;
        pique_eval_options options;
        pique_eval_result results[3];
        double recall = 0, mrr = 0;
        uint32_t users = 0;
        model_file_make(&file, &model_kinds[kind]);
        assert_ok(o.ctx, model_file_open(o.ctx, &file, &model));
        assert_ok(o.ctx, pique_session_create(o.ctx, model, &session));
        for (uint32_t u = 0; u < o.data->user_count; u++) {
            pq_view view;
            if (pq_dataset_view(o.data, u, PQ_SPLIT_TEST, &view)) {
                int at = place(session, model, o.data, &view);
                users++;
                recall += at >= 0 && at < 3;
                mrr += at >= 0 ? 1.0 / (at + 1) : 0;
            }
        }
        pique_eval_options_default(&options);
        options.cutoffs[0] = 3;
        options.lists = true;
        for (uint32_t threads = 1; threads <= 3; threads++) {
            pique_eval_result *r = &results[threads - 1];
            options.threads = threads;
            assert_ok(o.ctx, pique_evaluate(o.ctx, model, o.data, &options, r));
            assert_int_equal(r->users, users);
            assert_close(r->model.recall[0], recall / users);
            assert_close(r->model.mrr, mrr / users);
            assert_true(r->popularity.mrr > 0 && r->item_knn.mrr > 0);
            assert_true(r->model.coverage[0] > 0 && r->item_knn.diversity[0] > 0);
            r->model.seconds = r->popularity.seconds = r->item_knn.seconds = 0;
            r->peak_bytes = 0;
            assert_memory_equal(r, &results[0], sizeof(*r));
        }
        assert_true(users > 30 && mrr > 0);
        pique_session_free(session);
        pique_model_free(model);
        close_lines(&o);
        free(text);
    }
}

static void test_options(void **state) {
    (void)state;
    opened o = open_lines("u1 b ab\nu2 b\n");
    model_file file;
    pique_model *model;
    pique_eval_options options;
    pique_eval_result result;
    model_file_make(&file, &model_kinds[0]);
    assert_ok(o.ctx, model_file_open(o.ctx, &file, &model));
    pique_eval_options_default(&options);
    assert_string_equal(options.split, "test");
    assert_failure(o.ctx, pique_evaluate(o.ctx, model, o.data, &options, &result), PIQUE_DATA,
                   "no user has a test target");
    options.split = "train";
    assert_failure(o.ctx, pique_evaluate(o.ctx, model, o.data, &options, &result), PIQUE_ARGUMENT,
                   "split \"train\"");
    options.split = "valid";
    options.cutoffs[2] = 0;
    assert_failure(o.ctx, pique_evaluate(o.ctx, model, o.data, &options, &result), PIQUE_ARGUMENT,
                   "a cut-off is 0");
    options.cutoff_count = PIQUE_MAX_CUTOFFS + 1;
    assert_failure(o.ctx, pique_evaluate(o.ctx, model, o.data, &options, &result), PIQUE_ARGUMENT,
                   "more than 8 cut-offs");
    pique_model_free(model);
    close_lines(&o);
}

/* One model, or two as one. */
typedef struct {
    model_file file;
    uint32_t others;
} memory_case;

static pique_status evaluate_once(testing *t, void *argument) {
    memory_case *c = argument;
    pique_dataset *data = NULL;
    pique_context *ctx;
    pique_model *models[2] = {NULL};
    pique_eval_options options;
    pique_eval_result result;
    pique_allocator allocator = testing_allocator(t);
    pique_status status = pique_context_create(&allocator, &ctx);
    if (status != PIQUE_OK) {
        strcpy(t->ctx.error, pique_status_text(status));
        return status;
    }
    pique_eval_options_default(&options);
    options.threads = 1; /* the counting allocator is for one */
    options.lists = true;
    options.sampled = 2;
    status = small_data_open(ctx, lines, &data);
    for (uint32_t m = 0; m <= c->others && status == PIQUE_OK; m++) {
        status = model_file_open(ctx, &c->file, &models[m]);
    }
    options.others = (const pique_model *const *)(models + 1);
    options.other_count = c->others;
    if (status == PIQUE_OK) {
        status = pique_evaluate(ctx, models[0], data, &options, &result);
    }
    strcpy(t->ctx.error, pique_error(ctx));
    pique_model_free(models[0]);
    pique_model_free(models[1]);
    pique_dataset_free(data);
    pique_context_free(ctx);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    memory_case c;
    model_file_make(&c.file, &model_kinds[4]);
    for (c.others = 0; c.others < 2; c.others++) {
        testing_fail_each(evaluate_once, &c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_popularity),
        cmocka_unit_test(test_item_knn),
        cmocka_unit_test(test_item_knn_counts_users),
        cmocka_unit_test(test_item_knn_looks_at_the_newest),
        cmocka_unit_test(test_scores_that_are_no_numbers),
        cmocka_unit_test(test_failures_of_a_scorer),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_seen_items_stay),
        cmocka_unit_test(test_all_negatives_are_the_full_ranking),
        cmocka_unit_test(test_negatives),
        cmocka_unit_test(test_sampled_ranks),
        cmocka_unit_test(test_model_against_its_recommendations),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
