/* test_histories.c — what a pair of a user and an item is judged by: nothing that came later, and the times of
 * what came before. */
#include "tests/unit/ranked_case.h"

#include "native/eval/label_metrics.h"

#include <math.h>

/* ---- nothing that came later ---- */

enum { USERS = 8, ROWS = 18, ITEMS = 12, ANCHORS = 6, PAIRS = USERS * ROWS + ANCHORS * ITEMS };

/* What users rated at the times 0, 1, …; and some who rated every item, so that all stay known. */
typedef struct {
    uint32_t items[USERS][ROWS];
    bool liked[USERS][ROWS];
} lives;

static void draw_lives(lives *l) {
    pq_rng rng = pq_rng_make(5, 0, 0);
    for (uint32_t u = 0; u < USERS; u++) {
        for (uint32_t p = 0; p < ROWS; p++) {
            l->items[u][p] = pq_rng_below(&rng, ITEMS);
            l->liked[u][p] = pq_rng_uniform(&rng) < 0.6;
        }
    }
}

/* Everything after row `cut` goes another way, and what was thought of row `cut` itself. */
static void change_future(lives *l, uint32_t cut) {
    pq_rng rng = pq_rng_make(6, cut, 0);
    for (uint32_t u = 0; u < USERS; u++) {
        l->liked[u][cut] = !l->liked[u][cut];
        for (uint32_t p = cut + 1; p < ROWS; p++) {
            uint32_t other = cut + 1 + pq_rng_below(&rng, ROWS - cut - 1), item = l->items[u][p];
            l->items[u][p] = l->items[u][other];
            l->items[u][other] = item;
            l->liked[u][p] = pq_rng_uniform(&rng) < 0.5;
        }
    }
}

static pique_dataset *open_lives(testing *t, const lives *l, const char *split) {
    static char text[PAIRS * 32];
    size_t size = (size_t)sprintf(text, "user,item,timestamp,rating\n");
    for (uint32_t u = 0; u < USERS; u++) {
        for (uint32_t p = 0; p < ROWS; p++) {
            size += (size_t)sprintf(text + size, "u%u,i%u,%u,%d\n", (unsigned)u,
                                    (unsigned)l->items[u][p], (unsigned)p, l->liked[u][p] ? 5 : 1);
        }
    }
    for (uint32_t u = 0; u < ANCHORS; u++) {
        for (uint32_t i = 0; i < ITEMS; i++) {
            size += (size_t)sprintf(text + size, "a%u,i%u,%u,5\n", (unsigned)u, (unsigned)i,
                                    (unsigned)i);
        }
    }
    pique_dataset *d = NULL;
    assert_ok(&t->ctx, ranked_case_read(&t->ctx, &pq_reader_csv, text, split, &d));
    assert_int_equal(d->labelled_count, PAIRS);
    assert_int_equal(d->items.count, ITEMS);
    return d;
}

/* scores [PAIRS], in the order of the data set's pairs. */
static void judge(testing *t, const pique_model *model, const pique_dataset *d, float *scores) {
    pique_eval_options options;
    pique_eval_options_default(&options);
    options.threads = 1;
    for (int split = PQ_SPLIT_TRAIN; split <= PQ_SPLIT_TEST; split++) {
        pq_judged judged[PAIRS];
        size_t at = 0;
        assert_ok(&t->ctx, pq_judge_by_model(&t->ctx, model, d, (pq_split)split, &options, judged));
        for (size_t i = 0; i < PAIRS; i++) {
            if (d->labelled[i].split == split) {
                scores[i] = judged[at++].score;
            }
        }
        assert_true(at > 0);
    }
}

static void check_split(const char *split) {
    testing t;
    float before[PAIRS], after[PAIRS];
    lives past;
    testing_open(&t);
    draw_lives(&past);
    pique_dataset *d = open_lives(&t, &past, split);
    pique_model *model = ranked_case_open(&t, d, "rnn", "dim=6 hidden=7 history=50");
    judge(&t, model, d, before);
    uint32_t changed = 0;
    for (uint32_t cut = 0; cut < ROWS; cut++) {
        lives other = past;
        change_future(&other, cut);
        pique_dataset *later = open_lives(&t, &other, split);
        judge(&t, model, later, after);
        for (uint32_t i = 0; i < USERS * ROWS; i++) {
            assert_int_equal(later->labelled[i].split, d->labelled[i].split);
            if (i % ROWS <= cut) {
                assert_memory_equal(&after[i], &before[i], sizeof(float));
            }
            changed += after[i] != before[i];
        }
        pique_dataset_free(later);
    }
    assert_true(changed > USERS * ROWS); /* the future does matter to what comes after it */
    pique_model_free(model);
    pique_dataset_free(d);
    testing_close(&t);
}

static void test_future_of_random_split(void **state) {
    (void)state;
    check_split("random");
}

static void test_future_of_time_split(void **state) {
    (void)state;
    check_split("time");
}

static void test_future_of_last_split(void **state) {
    (void)state;
    check_split("last");
}

/* ---- times ---- */

/* What the model was told, in place of its score. */
static struct {
    bool timed;
    uint32_t count;
    int64_t times[8];
} told;

static pq_var *tell(pq_tape *t, const pq_model *m, const pq_batch *b) {
    told.timed = b->times != NULL;
    told.count = b->history.starts[1];
    for (uint32_t i = 0; told.timed && i < told.count; i++) {
        told.times[i] = b->times[i];
    }
    return pq_model_find(m->def->name, strlen(m->def->name))->score(t, m, b);
}

static pique_model *open_teller(testing *t, const pique_dataset *d, pq_model_def *def) {
    pique_model *model = ranked_case_open(t, d, "rnn", "dim=4 hidden=3 history=3");
    *def = *model->m.def;
    def->score = tell;
    model->m.def = def;
    return model;
}

static void test_times_of_a_query(void **state) {
    (void)state;
    testing t;
    pq_model_def def;
    pique_session *session;
    float score;
    static const uint32_t items[] = {1, 2, 3, 2}, candidate[] = {1};
    double times[] = {-7.5, 10, 20.75, 4e9};
    pique_query query = {.history = items, .history_count = 4, .history_times = times};
    testing_open(&t);
    lives l;
    draw_lives(&l);
    pique_dataset *d = open_lives(&t, &l, "last");
    pique_model *model = open_teller(&t, d, &def);
    assert_ok(&t.ctx, pique_session_create(&t.ctx, model, &session));
    assert_ok(&t.ctx, pique_session_rank(session, &query, candidate, 1, &score));
    /* The newest three, in whole seconds. */
    assert_true(told.timed);
    assert_int_equal(told.count, 3);
    assert_true(told.times[0] == 10 && told.times[1] == 20 && told.times[2] == 4000000000);
    query.history_times = NULL;
    assert_ok(&t.ctx, pique_session_rank(session, &query, candidate, 1, &score));
    assert_false(told.timed);
    query.history_times = times;
    query.history_count = 0;
    assert_ok(&t.ctx, pique_session_rank(session, &query, candidate, 1, &score));
    query.history_count = 4;
    static const double bad[] = {NAN, INFINITY, -1e19};
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        times[1] = bad[i];
        assert_failure(&t.ctx, pique_session_rank(session, &query, candidate, 1, &score),
                       PIQUE_ARGUMENT, "time 1 of the history is not a number of seconds");
    }
    pique_session_free(session);
    pique_model_free(model);
    pique_dataset_free(d);
    testing_close(&t);
}

/* Evaluation tells a model what serving would. */
static void test_times_of_evaluation(void **state) {
    (void)state;
    static const char timed[] = "user,item,timestamp,rating\n"
                                "a,x,10,5\na,y,20,5\na,x,40,5\na,z,70,1\na,y,80,5\na,x,100,5\n"
                                "b,x,1,5\nb,y,1,5\nb,z,1,5\n";
    static const char untimed[] = "user,item,label,history\na,x,1,x|y\nb,y,0,y\nc,z,1,x|z\n"
                                  "a,y,0,x|y\na,z,1,y|x\n";
    pique_eval_options options;
    pique_eval_options_default(&options);
    options.threads = 1;
    for (int known = 0; known < 2; known++) {
        testing t;
        pq_model_def def;
        pq_judged judged[2];
        pique_dataset *d = NULL;
        testing_open(&t);
        assert_ok(&t.ctx, ranked_case_read(&t.ctx, known ? &pq_reader_csv : &pq_reader_ctr,
                                           known ? timed : untimed, "last", &d));
        pique_model *model = open_teller(&t, d, &def);
        memset(&told, 0, sizeof(told));
        assert_ok(&t.ctx, pq_judge_by_model(&t.ctx, model, d, PQ_SPLIT_VALID, &options, judged));
        assert_int_equal(told.timed, known);
        if (known) { /* of b, the last: before z came x */
            assert_int_equal(told.count, 1);
            assert_true(told.times[0] == 1);
        }
        pique_model_free(model);
        pique_dataset_free(d);
        testing_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_future_of_random_split), cmocka_unit_test(test_future_of_time_split),
        cmocka_unit_test(test_future_of_last_split),   cmocka_unit_test(test_times_of_a_query),
        cmocka_unit_test(test_times_of_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
