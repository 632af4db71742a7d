/* test_label_metrics.c — AUC and the other figures of labels against their definitions, and the labelled pairs
 * of a data set: labels, splits, and histories that never look ahead. */
#include "small_data.h"

#include <math.h>
#include <stdlib.h>

#include "native/eval/label_metrics.h"

#define MOST 200

/* ---- figures ---- */

/* Share of all (1, 0) couples of the user (or of all) in the right order; NaN without couples. */
static double brute_auc(const pq_judged *pairs, size_t count, long user) {
    double right = 0, couples = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            bool mine = user < 0 || (pairs[i].user == user && pairs[j].user == user);
            if (mine && pairs[i].label == 1 && pairs[j].label == 0) {
                couples++;
                right += pairs[i].score > pairs[j].score    ? 1
                         : pairs[i].score == pairs[j].score ? 0.5
                                                            : 0;
            }
        }
    }
    return right / couples;
}

static double brute_gauc(const pq_judged *pairs, size_t count, uint32_t users) {
    double sum = 0, weight = 0;
    for (uint32_t user = 0; user < users; user++) {
        double own = 0, auc = brute_auc(pairs, count, user);
        for (size_t i = 0; i < count; i++) {
            own += pairs[i].user == user;
        }
        sum += auc == auc ? own * auc : 0;
        weight += auc == auc ? own : 0;
    }
    return sum / weight;
}

/* The mean over the users with both labels: how many of their best pairs have label 1. */
static double brute_top1(const pq_judged *pairs, size_t count, uint32_t users) {
    double sum = 0, both = 0;
    for (uint32_t user = 0; user < users; user++) {
        double best = -1e9, ones = 0, all = 0, auc = brute_auc(pairs, count, user);
        for (size_t i = 0; i < count; i++) {
            best = pairs[i].user == user && pairs[i].score > best ? pairs[i].score : best;
        }
        for (size_t i = 0; i < count; i++) {
            bool top = pairs[i].user == user && pairs[i].score == (float)best;
            all += top;
            ones += top && pairs[i].label;
        }
        sum += auc == auc ? ones / all : 0;
        both += auc == auc;
    }
    return sum / both;
}

static void test_against_definitions(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        pq_judged pairs[MOST], copy[MOST];
        pq_rng rng = pq_rng_make(seed, 0, 0);
        size_t count = 20 + pq_rng_below(&rng, MOST - 20);
        double loss = 0, right = 0;
        for (size_t i = 0; i < count; i++) {
            /* Few different scores, so that many are equal. */
            pairs[i] = (pq_judged){pq_rng_below(&rng, 9), (float)pq_rng_below(&rng, 12) / 3 - 2,
                                   (uint8_t)pq_rng_below(&rng, 2)};
            double p = 1 / (1 + exp(-(double)pairs[i].score));
            loss -= log(pairs[i].label ? p : 1 - p) / (double)count;
            right += (p > 0.5) == pairs[i].label ? 1.0 / (double)count : 0;
        }
        memcpy(copy, pairs, sizeof(pairs));
        pique_label_metrics m;
        pq_label_metrics(copy, count, &m);
        assert_true(fabs(m.auc - brute_auc(pairs, count, -1)) < 1e-12);
        assert_true(fabs(m.gauc - brute_gauc(pairs, count, 9)) < 1e-12);
        assert_true(fabs(m.top1 - brute_top1(pairs, count, 9)) < 1e-12);
        assert_true(fabs(m.logloss - loss) < 1e-12);
        assert_true(fabs(m.accuracy - right) < 1e-12);
    }
}

static void test_calibration(void **state) {
    (void)state;
    /* Four pairs at p = .25 of which two are liked, two at p = .75 of which one is. */
    float low = -1.0986123f, high = 1.0986123f;
    pq_judged pairs[] = {{0, low, 1}, {0, low, 1},  {0, low, 0},
                         {1, low, 0}, {1, high, 1}, {1, high, 0}};
    pique_label_metrics m;
    pq_label_metrics(pairs, 6, &m);
    assert_true(fabs(m.ece - (4.0 / 6 * 0.25 + 2.0 / 6 * 0.25)) < 1e-6);
    /* One label alone: there is nothing to tell apart. */
    pq_judged same[] = {{0, 1, 1}, {0, 2, 1}};
    pq_label_metrics(same, 2, &m);
    assert_true(m.auc != m.auc && m.gauc != m.gauc && m.top1 != m.top1);
    /* Far out: no overflow. */
    pq_judged far[] = {{0, 1e4f, 0}, {0, -1e4f, 1}};
    pq_label_metrics(far, 2, &m);
    assert_true(fabs(m.logloss - 1e4) < 1e-6 && m.auc == 0);
}

/* ---- labelled pairs ---- */

static const char ratings[] = "user,item,timestamp,rating\n"
                              "ann,a,1,5\nann,b,2,1\nann,c,3,4\nann,d,4,3.5\nann,e,5,5\n"
                              "bob,a,9,4\nbob,c,1,2\n";

static pique_dataset *open_text(pq_ctx *ctx, const char *text, const char *split, double rating) {
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.labelled = true;
    options.split = split;
    options.label_rating = rating;
    options.path = "ratings";
    pq_source sources[PQ_READER_FILES] = {{.name = "ratings", .bytes = text, .size = strlen(text)}};
    pique_dataset *d = NULL;
    assert_ok(ctx, pq_dataset_parse(ctx, &pq_reader_csv, sources, &options, NULL, &d));
    return d;
}

static void test_pairs(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d = open_text(&t.ctx, ratings, "last", 4);
    static const pq_labelled want[] = {
        /* ann likes a, c, e; each pair knows how many she liked before it */
        {0, 0, 0, 0, 1, PQ_SPLIT_TRAIN},
        {0, 0, 1, 0, 0, PQ_SPLIT_TRAIN},
        {0, 0, 1, 0, 1, PQ_SPLIT_TRAIN},
        {0, 0, 2, 0, 0, PQ_SPLIT_VALID},
        {0, 0, 2, 0, 1, PQ_SPLIT_TEST},
        /* bob came to c first, and has too few to hold any out */
        {1, 3, 0, 0, 0, PQ_SPLIT_TRAIN},
        {1, 3, 0, 0, 1, PQ_SPLIT_TRAIN}};
    assert_int_equal(d->labelled_count, PQ_COUNT(want));
    for (size_t i = 0; i < PQ_COUNT(want); i++) {
        assert_int_equal(d->labelled[i].user, want[i].user);
        assert_int_equal(d->labelled[i].first, want[i].first);
        assert_int_equal(d->labelled[i].history, want[i].history);
        assert_int_equal(d->labelled[i].label, want[i].label);
        assert_int_equal(d->labelled[i].split, want[i].split);
    }
    assert_int_equal(d->starts[1], 3);
    assert_int_equal(d->starts[2], 4);
    assert_int_equal(d->events[0], d->labelled[0].item);
    assert_int_equal(d->events[1], d->labelled[2].item);
    /* e and d stand in no pair that trains, so nothing is known of them. */
    assert_int_equal(d->items.count, 3);
    assert_int_equal(d->labelled[4].item, d->item_rows - 1);
    pq_dataset_free(d);
    d = open_text(&t.ctx, ratings, "last", 2);
    assert_int_equal(d->starts[2], 6); /* all but ann's b */
    pq_dataset_free(d);
    testing_close(&t);
}

/* What comes later in a user's life changes nothing about his earlier pairs. */
static void test_no_history_looks_ahead(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pique_dataset *d = open_text(&t.ctx, ratings, "time", 4);
    for (uint64_t i = 0; i < d->labelled_count; i++) {
        const pq_labelled *pair = &d->labelled[i];
        uint64_t before = 0;
        for (uint64_t j = 0; j < i; j++) {
            before += d->labelled[j].user == pair->user && d->labelled[j].label;
        }
        assert_int_equal(pair->history, before);
    }
    /* The newest of all is tested, the oldest train. */
    assert_int_equal(d->labelled[0].split, PQ_SPLIT_TRAIN);
    assert_int_equal(d->labelled[6].split, PQ_SPLIT_TEST);
    pq_dataset_free(d);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_definitions),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_no_history_looks_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
