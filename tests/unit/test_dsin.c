/* test_dsin.c — where histories are cut into sessions, and what dsin promises about them; what it shares with
 * other models is in test_interest.c. */
#include "tests/unit/interest_case.h"

#include <math.h>

#include "layers/bidirectional.h"
#include "layers/sessions.h"

static const pq_session_rule usual = {.gap = 1800, .sessions = 5, .events = 10, .shortest = 1};

/* The starts of the sessions and the rows in them, as text: "0 2|3 4" for one user. */
static void cut(const int64_t *times, uint32_t count, const pq_session_rule *rule,
                const char *want) {
    testing t;
    pq_tape tape;
    uint32_t starts[] = {0, 0, count};
    pq_segments history = {starts, 2}; /* the first user has none */
    char text[256] = "";
    testing_open(&t);
    pq_tape_init(&tape, &t.ctx);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    const pq_sessions *s = pq_sessions_cut(&tape, &history, times, rule);
    assert_non_null(s);
    assert_int_equal(s->users.count, 2);
    assert_int_equal(s->users.starts[1], 0);
    assert_int_equal(s->users.starts[2], s->sessions.count);
    for (uint32_t i = 0; i < s->sessions.count; i++) {
        for (uint32_t at = s->sessions.starts[i]; at < s->sessions.starts[i + 1]; at++) {
            size_t length = strlen(text);
            const char *between = at > s->sessions.starts[i] ? " " : i > 0 ? "|" : "";
            snprintf(text + length, sizeof(text) - length, "%s%u", between, (unsigned)s->rows[at]);
            assert_int_equal(s->session[at], i);
            assert_int_equal(s->place[at], at - s->sessions.starts[i]);
        }
    }
    assert_string_equal(text, want);
    pq_tape_free(&tape);
    testing_close(&t);
}

static void test_cut(void **state) {
    (void)state;
    static const int64_t pauses[] = {0, 1800, 3601, 3601, 9000, 9001, 9002, 20000};
    cut(pauses, 8, &usual, "0 1|2 3|4 5 6|7");
    cut(NULL, 8, &usual, "0 1 2 3 4 5 6 7");
    cut(pauses, 0, &usual, "");
    cut(pauses, 1, &usual, "0");
    pq_session_rule rule = usual;
    rule.shortest = 2;
    cut(pauses, 8, &rule, "0 1|2 3|4 5 6");
    rule.shortest = 4;
    cut(pauses, 8, &rule, "");
    rule = usual;
    rule.sessions = 2;
    rule.events = 2;
    cut(pauses, 8, &rule, "5 6|7");
    rule.shortest =
        2; /* counts what a session has, not what is looked at; a short one takes no place */
    cut(pauses, 8, &rule, "2 3|5 6");
    rule = usual;
    rule.gap = 1801;
    cut(pauses, 8, &rule, "0 1 2 3|4 5 6|7");
}

/* Times may be anything: a step back is no pause, and differences that no number holds are one. */
static void test_odd_times(void **state) {
    (void)state;
    static const int64_t times[] = {5000, 0, INT64_MIN, INT64_MAX, INT64_MIN};
    cut(times, 5, &usual, "0 1 2|3 4");
}

/* ---- the LSTM of both directions ---- */

/* The last layer's halves trade places when the rows are turned and so are the weights. */
static void test_bidirectional(void **state) {
    (void)state;
    static pq_real x[] = {1, -1, 0.5, 2, -0.3, 0.7}, y[] = {-0.3, 0.7, 0.5, 2, 1, -1};
    static const uint32_t starts[] = {0, 3};
    const pq_segments segments = {starts, 1};
    testing t;
    pq_params params;
    pq_tape tape;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    pq_params_init(&params, &t.ctx);
    pq_bidirectional r = {.layers = 1, .merge = PQ_MERGE_CONCAT, .hidden = 2, .cell = PQ_CELL_LSTM};
    pq_bidirectional_declare(&r, &params, "both", 2);
    assert_ok(&t.ctx, params.status);
    assert_non_null(pq_params_find(&params, "both.backward1.state.w"));
    pq_params_draw(&params, 1);
    pq_bidirectional other = r;
    other.forward[0] = r.backward[0];
    other.backward[0] = r.forward[0];
    pq_tape_init(&tape, &t.ctx);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    const pq_var *a = pq_bidirectional_run(&tape, &r, pq_tape_constant(&tape, x, 3, 2), &segments);
    const pq_var *b =
        pq_bidirectional_run(&tape, &other, pq_tape_constant(&tape, y, 3, 2), &segments);
    assert_ok(&t.ctx, tape.status);
    assert_int_equal(a->cols, 4);
    for (uint32_t row = 0; row < 3; row++) {
        for (uint32_t c = 0; c < 4; c++) {
            assert_true(a->value[4 * row + c] == b->value[4 * (2 - row) + (c + 2) % 4]);
        }
    }
    assert_true(a->value[0] != a->value[2]); /* the directions differ */
    pq_tape_free(&tape);
    pq_params_free(&params);
    testing_close(&t);
}

/* ---- the model ---- */

/* Candidate 6 of one user with these behaviours and times. */
static double score(pq_model *m, const uint32_t *items, const int64_t *times, uint32_t count) {
    static const uint32_t candidate = 6, user = 0;
    uint32_t starts[] = {0, count};
    pq_tape tape;
    pq_batch batch = {.history = {starts, 1},
                      .items = items,
                      .times = times,
                      .candidate_count = 1,
                      .candidates = &candidate,
                      .candidate_users = &user};
    pq_tape_init(&tape, m->ctx);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    const pq_var *y = m->def->score(&tape, m, &batch);
    assert_ok(m->ctx, tape.status);
    double value = y->value[0];
    pq_tape_free(&tape);
    return value;
}

static void test_model(void **state) {
    (void)state;
    static const uint32_t items[] = {2, 3, 5, 8}, older[] = {9, 3, 5, 8}, equal[] = {4, 4, 4, 4};
    static const int64_t near[] = {0, 1, 2, 3}, apart[] = {0, 9000, 9001, 20000};
    testing t;
    pq_model m;
    testing_open(&t);
    t.ctx.kernels = pq_kernels_find("best");
    assert_ok(&t.ctx, interest_case_model(&m, &t.ctx, "dsin", "dim=4 sessions=2"));
    assert_true(score(&m, items, near, 4) == score(&m, items, NULL, 4));
    assert_true(fabs(score(&m, items, near, 4) - score(&m, items, apart, 4)) > 1e-4);
    /* Behaviours of sessions that are too old are not looked at. */
    assert_true(score(&m, items, apart, 4) == score(&m, older, apart, 4));
    assert_true(fabs(score(&m, items, near, 4) - score(&m, older, near, 4)) > 1e-4);
    pq_model_free(&m);
    /* Without positions, a session of equal behaviours is like one of them. */
    assert_ok(&t.ctx, interest_case_model(&m, &t.ctx, "dsin", "dim=4 position=none"));
    assert_true(fabs(score(&m, equal, near, 4) - score(&m, equal, near, 1)) < 1e-5);
    pq_model_free(&m);
    assert_ok(&t.ctx, interest_case_model(&m, &t.ctx, "dsin", "dim=4 position=bias"));
    assert_true(fabs(score(&m, equal, near, 4) - score(&m, equal, near, 1)) > 1e-4);
    pq_model_free(&m);
    testing_close(&t);
}

/* Rows of odd width have no halves. */
static void test_odd_width(void **state) {
    (void)state;
    testing t;
    pq_model m;
    testing_open(&t);
    assert_ok(&t.ctx, pq_model_init(&m, &t.ctx, pq_model_find("dsin", 4), "best"));
    assert_ok(&t.ctx, mind_case_set(&t.ctx, &m, "dim=3 lstm_merge=concat"));
    m.items.rows = RNN_CASE_ITEMS;
    assert_failure(&t.ctx, pq_model_declare(&m), PIQUE_ARGUMENT,
                   "lstm_merge = concat needs rows of even width, not 3");
    pq_model_free(&m);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_odd_times),
        cmocka_unit_test(test_bidirectional), cmocka_unit_test(test_model),
        cmocka_unit_test(test_odd_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
