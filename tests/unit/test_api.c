/* test_api.c — pique.h on small model files of every kind: items, interests, scores, recommendations and
 * their reasons, and what happens when memory runs out at any moment. */
#include "model_file.h"

#include "base/buckets.h"
#include "kernels/kernels.h"

#include <math.h>

typedef struct {
    testing t;
    pique_context *ctx;
    pique_model *model;
    pique_session *session;
    model_file file;
    const model_kind *kind;
} served;

static void serve(served *s, uint32_t kind) {
    memset(s, 0, sizeof(*s));
    testing_open(&s->t);
    s->kind = &model_kinds[kind];
    pique_allocator allocator = testing_allocator(&s->t);
    assert_int_equal(pique_context_create(&allocator, &s->ctx), PIQUE_OK);
    model_file_make(&s->file, s->kind);
    assert_ok(s->ctx, model_file_open(s->ctx, &s->file, &s->model));
    assert_ok(s->ctx, pique_session_create(s->ctx, s->model, &s->session));
}

static void stop(served *s) {
    pique_session_free(s->session);
    pique_model_free(s->model);
    pique_context_free(s->ctx);
    testing_close(&s->t);
}

static const uint32_t history[] = {3, 7, 1, 3, 11, 2};
static const uint32_t profile[] = {2, 1};

/* The query that most tests start from. */
static pique_query usual(const served *s) {
    return (pique_query){.history = history,
                         .history_count = PQ_COUNT(history),
                         .profile = s->kind->profile ? profile : NULL,
                         .count = MODEL_ITEMS,
                         .explain = true};
}

/* A copy of the list that outlives the session's next call. */
typedef struct {
    pique_recommendation list[MODEL_ITEMS + 2];
    uint32_t count;
} answer;

static answer ask(served *s, const pique_query *q) {
    const pique_recommendation *list;
    answer a;
    memset(&a, 0, sizeof(a));
    assert_ok(s->ctx, pique_session_recommend(s->session, q, &list, &a.count));
    assert_true(a.count <= PQ_MIN(q->count, (uint32_t)MODEL_ITEMS));
    memcpy(a.list, list, a.count * sizeof(*list));
    return a;
}

static void assert_same_answer(const answer *a, const answer *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->list, b->list, a->count * sizeof(a->list[0]));
}

static bool holds(const answer *a, uint32_t item) {
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->list[i].item == item) {
            return true;
        }
    }
    return false;
}

#define CLOSE(a, b) (fabs((double)(a) - (double)(b)) <= 1e-5 * (1 + fabs((double)(b))))

static float product(const served *s, const pique_interests *in, uint32_t k, uint32_t item) {
    double sum = 0;
    for (uint32_t d = 0; d < MODEL_DIM; d++) {
        sum +=
            (double)in->vectors[k * MODEL_DIM + d] * (double)s->file.vectors[item * MODEL_DIM + d];
    }
    return (float)sum;
}

/* ---- the model ---- */

static void test_items_and_profile(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        size_t size = 0;
        serve(&s, kind);
        assert_int_equal(pique_model_item_count(s.model), MODEL_ITEMS);
        assert_int_equal(pique_model_interest_count(s.model), MODEL_INTERESTS);
        assert_int_equal(pique_model_width(s.model), MODEL_DIM);
        assert_int_equal(pique_model_find_item(s.model, "b", 1), 1);
        assert_int_equal(pique_model_find_item(s.model, "10", 2), 3);
        assert_int_equal(pique_model_find_item(s.model, "10", 1), 4); /* "1" */
        assert_int_equal(pique_model_find_item(s.model, "x", 1), 0);
        assert_int_equal(pique_model_find_item(s.model, "", 0), 0);
        for (uint32_t item = 1; item <= MODEL_ITEMS; item++) {
            const char *id = pique_model_item_id(s.model, item, &size);
            assert_int_equal(pique_model_find_item(s.model, id, size), item);
        }
        assert_null(pique_model_item_id(s.model, 0, &size));
        assert_null(pique_model_item_id(s.model, MODEL_ITEMS + 1, &size));
        assert_int_equal(pique_model_profile_count(s.model), s.kind->profile ? 2 : 0);
        assert_null(pique_model_profile_name(s.model, 2));
        if (s.kind->profile) {
            assert_string_equal(pique_model_profile_name(s.model, 1), "age");
            assert_int_equal(pique_model_profile_separator(s.model, 0), s.kind->several ? '|' : 0);
            assert_int_equal(pique_model_profile_separator(s.model, 1), 0);
            assert_int_equal(pique_model_profile_separator(s.model, 2), 0);
            assert_int_equal(pique_model_find_profile(s.model, 1, "", 0), 0);
        }
        if (s.kind->profile && !s.kind->several && !s.kind->quantiles) {
            assert_int_equal(pique_model_find_profile(s.model, 1, "35", 2), 3);
            assert_int_equal(pique_model_find_profile(s.model, 1, "36", 2),
                             s.kind->numbers ? 3 : 4); /* the last bucket, or UNKNOWN */
        }
        stop(&s);
    }
}

/* The ages of one kind of file are numbers: raw values become buckets, what is not known what training put in
 * its place, and text is refused. */
static void test_numbers_of_the_profile(void **state) {
    (void)state;
    static const struct {
        const char *value;
        uint32_t code;
    } cases[] = {{"", 0},
                 {"-3", 1},
                 {"18.5", 1},
                 {"18.6", 2},
                 {"30", 2},
                 {"3.1e1", 3},
                 {"old", PIQUE_NOT_A_NUMBER},
                 {"nan", PIQUE_NOT_A_NUMBER},
                 {"30 ", PIQUE_NOT_A_NUMBER}};
    served s;
    serve(&s, 2);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        const char *value = cases[i].value;
        assert_int_equal(pique_model_find_profile(s.model, 1, value, strlen(value)), cases[i].code);
    }
    pique_query q = usual(&s);
    q.profile = (const uint32_t[]){0, 2}; /* the code of a missing age */
    answer known = ask(&s, &q);
    q.profile = (const uint32_t[]){0, 0};
    answer missing = ask(&s, &q);
    assert_same_answer(&known, &missing);
    q.profile = NULL;
    missing = ask(&s, &q);
    assert_same_answer(&known, &missing);
    q.profile = (const uint32_t[]){0, 1};
    answer other = ask(&s, &q);
    assert_true(known.list[0].score != other.list[0].score);
    const pique_recommendation *list;
    uint32_t count;
    q.profile = (const uint32_t[]){0, PIQUE_NOT_A_NUMBER};
    assert_failure(s.ctx, pique_session_recommend(s.session, &q, &list, &count), PIQUE_ARGUMENT,
                   "profile field \"age\" has no code");
    stop(&s);
}

/* ---- raw values ---- */

/* Serves a file of the kind whose row `unknown` of profile.FIELD is `times` the sum of rows 1 and 2 of it (of 1 alone
 * where 2 is that row), so that UNKNOWN tells what several values or a quantile come to. */
static void serve_blend(served *s, uint32_t kind, const char *field, uint32_t unknown,
                        float times) {
    memset(s, 0, sizeof(*s));
    testing_open(&s->t);
    s->kind = &model_kinds[kind];
    pique_allocator allocator = testing_allocator(&s->t);
    assert_int_equal(pique_context_create(&allocator, &s->ctx), PIQUE_OK);
    model_file_make(&s->file, s->kind);
    float *table = model_file_part(&s->file, field)->data.floats;
    for (uint32_t j = 0, d = MODEL_PROFILE_DIM; j < d; j++) {
        table[unknown * d + j] = times * (table[d + j] + (unknown > 2 ? table[2 * d + j] : 0));
    }
    if (s->kind->quantiles) {
        model_file_part(&s->file, "profile.age.missing")->data.counts[0] = 0x7fc00000; /* NaN */
    }
    assert_ok(s->ctx, model_file_open(s->ctx, &s->file, &s->model));
    assert_ok(s->ctx, pique_session_create(s->ctx, s->model, &s->session));
}

/* "0=f 0=m": what the session is asked with these values of fields. */
static answer ask_values(served *s, const char *text, uint32_t wanted) {
    pique_value values[8];
    uint32_t count = 0, known;
    for (const char *at = text; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        values[count++] = (pique_value){.field = (uint32_t)(at[0] - '0'),
                                        .bytes = at + 2,
                                        .length = (uint32_t)strcspn(at + 2, " ")};
    }
    assert_ok(s->ctx, pique_session_profile(s->session, values, count, &known));
    assert_int_equal(known, wanted);
    pique_query q = usual(s);
    q.profile = NULL;
    return ask(s, &q);
}

static void assert_alike(served *s, const char *left, const char *right, uint32_t known,
                         bool same) {
    answer a = ask_values(s, left, known), b = ask_values(s, right, known);
    bool equal = a.count == b.count;
    for (uint32_t i = 0; equal && i < a.count; i++) {
        equal = a.list[i].item == b.list[i].item &&
                fabsf(a.list[i].score - b.list[i].score) <= 1e-6F * fabsf(b.list[i].score);
    }
    if (equal != same) {
        fail_msg("\"%s\" and \"%s\" are %salike", left, right, equal ? "" : "not ");
    }
}

static void test_several_values(void **state) {
    (void)state;
    served s;
    serve_blend(&s, 5, "profile.gender", 3, 0.5F);
    assert_alike(&s, "0=f 0=m", "0=x", 1, true); /* the mean of both */
    assert_alike(&s, "0=f", "0=x", 1, false);
    assert_alike(&s, "0=f 0=m 0=f", "0=m 0=f", 1, true);
    assert_alike(&s, "0=f 0=f 0=m", "0=x", 1, true); /* each once */
    assert_alike(&s, "0=m 0=m 0=f 0=f", "0=x", 1, true);
    assert_alike(&s, "0=f 0= 0=f", "0=f", 1, true);
    assert_alike(&s, "0=f 0=m 0=x", "0=m 0=y", 1, true); /* the last two; whatever is UNKNOWN */
    assert_alike(&s, "0=f 0=m 0=x", "0=f 0=m", 1, false);
    assert_alike(&s, "0=m 0=x 0=y", "0=y", 1, true); /* two strangers */
    assert_alike(&s, "0=m 2=x", "0=m", 1, true);     /* there is no field 2 */
    assert_alike(&s, "1=good-day 0=f", "0=f 1=Good,DAY!", 2, true);
    assert_alike(&s, "1=good-day", "1=good", 1, false);
    assert_alike(&s, "", "0= 1=?!", 0, true);
    enum { GOOD = 3 }; /* FNV-1a of 32 bits, modulo 3, plus 1, as Python computes it */
    answer several = ask_values(&s, "0=m 1=good", 2);
    pique_query q = usual(&s);
    q.profile = (const uint32_t[]){2, GOOD};
    answer codes = ask(&s, &q); /* codes of the query come first */
    assert_same_answer(&several, &codes);
    assert_int_equal(pique_model_find_profile(s.model, 1, "good", 4), PIQUE_SEVERAL_CODES);
    stop(&s);
}

static void test_values_of_quantiles(void **state) {
    (void)state;
    served s;
    serve_blend(&s, 6, "profile.age", 2, 0.5F);
    answer middle = ask_values(&s, "0=f 1=30", 2), missing = ask_values(&s, "0=f", 1);
    assert_same_answer(&middle, &missing); /* UNKNOWN is half of the vector */
    assert_alike(&s, "0=f 1=30", "0=f 1=31", 2, false);
    assert_alike(&s, "0=f 1=50", "0=f 1=1e300", 2, true);
    assert_int_equal(pique_model_find_profile(s.model, 1, "20", 2), pq_quantile_code(0.125F));
    stop(&s);
}

static void test_wrong_values(void **state) {
    (void)state;
    static const struct {
        uint32_t kind;
        pique_value values[2];
        const char *message;
    } cases[] = {
        {5, {{"good", 4, 1}, {"", 0, 1}}, "profile field \"age\" takes one value, not several"},
        {2, {{"f", 1, 0}, {"m", 1, 0}}, "profile field \"gender\" takes one value, not several"},
        {2, {{"f", 1, 0}, {"old", 3, 1}}, "profile field \"age\" takes a number, not \"old\""},
        {6, {{"nan", 3, 1}, {"f", 1, 0}}, "profile field \"age\" takes a number, not \"nan\""},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        served s;
        serve(&s, cases[i].kind);
        pique_query q = {.count = 5};
        const pique_value good = {"m", 1, 0};
        assert_ok(s.ctx, pique_session_profile(s.session, &good, 1, NULL));
        answer before = ask(&s, &q);
        assert_true(before.list[0].score != 0);
        assert_failure(s.ctx, pique_session_profile(s.session, cases[i].values, 2, NULL),
                       PIQUE_ARGUMENT, cases[i].message);
        answer after = ask(&s, &q);
        assert_same_answer(&before, &after);
        stop(&s);
    }
}

static void test_info_is_json(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        pq_json json;
        serve(&s, kind);
        const char *info = pique_model_info(s.model);
        assert_ok(&s.t.ctx, pq_json_parse(&s.t.ctx, info, strlen(info), "info", &json));
        pq_json_free(&json);
        assert_non_null(strstr(info, "\"model\":\"mind\""));
        assert_non_null(strstr(info, s.kind->int8 ? "\"quant\":\"int8\"" : "\"quant\":\"f32\""));
        assert_non_null(strstr(info, "\"items\":11,\"interests\":3,\"width\":5,\"history\":8,"));
        assert_non_null(strstr(info, "\"config\":{\"dim\":5,\"interests\":3,"));
        assert_non_null(strstr(info, "\"metrics\":{\"recall@50\":0.5}"));
        assert_non_null(strstr(info, "\"card\":\"made by hand\""));
        assert_non_null(
            strstr(info, s.kind->profile ? "\"profile\":[\"gender\",\"age\"]" : "\"profile\":[]"));
        stop(&s);
    }
}

/* ---- interests, scores, recommendations ---- */

static void test_interests(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        pique_interests in;
        serve(&s, kind);
        pique_query q = usual(&s);
        assert_ok(s.ctx, pique_session_interests(s.session, &q, &in));
        assert_int_equal(in.live, 2); /* floor(log2 6) */
        assert_int_equal(in.history_first, 0);
        double apart = 0;
        for (uint32_t k = 0; k < in.live; k++) {
            double sum = 0, square = 0;
            for (uint32_t i = 0; i < q.history_count; i++) {
                float share = in.shares[k * q.history_count + i];
                assert_true(share >= 0 && share <= 1);
                sum += (double)share;
            }
            assert_true(CLOSE(sum, 1));
            for (uint32_t d = 0; d < MODEL_DIM; d++) {
                float x = in.vectors[k * MODEL_DIM + d];
                square += (double)x * (double)x;
                apart += fabs((double)x - (double)in.vectors[d]);
            }
            assert_true(!s.kind->cosine || CLOSE(square, 1));
        }
        assert_true(apart > 1e-3); /* the two are not the same */
        stop(&s);
    }
}

/* Every score is the best product, the list is in their order, the winner and the reasons are those of
 * the interests; the same for every instruction set. */
static void check_list(served *s, const pique_query *q) {
    pique_interests in;
    float scores[MODEL_ROWS];
    answer a = ask(s, q);
    assert_int_equal(a.count, MODEL_ITEMS);
    assert_ok(s->ctx, pique_session_scores(s->session, q, scores));
    assert_ok(s->ctx, pique_session_interests(s->session, q, &in));
    for (uint32_t i = 0; i < a.count; i++) {
        const pique_recommendation *r = &a.list[i];
        float best = -HUGE_VALF;
        for (uint32_t k = 0; k < in.live; k++) {
            best = PQ_MAX(best, product(s, &in, k, r->item));
        }
        assert_true(CLOSE(r->score, best) && CLOSE(scores[r->item], best));
        assert_true(r->interest < in.live);
        assert_true(CLOSE(product(s, &in, r->interest, r->item), best));
        assert_true(i == 0 || a.list[i - 1].score > r->score ||
                    (a.list[i - 1].score == r->score && a.list[i - 1].item < r->item));
    }
}

static void test_recommendations(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        bool runnable;
        serve(&s, kind);
        pique_query q = usual(&s);
        for (uint32_t i = 0; pq_kernels_at(i, &runnable); i++) {
            if (runnable) {
                assert_ok(s.ctx, pique_context_set_isa(s.ctx, pq_kernels_at(i, &runnable)->isa));
                check_list(&s, &q);
            }
        }
        stop(&s);
    }
}

/* The reasons by their definition: of the distinct known items of the history but the item itself, the
 * three with the largest sums of shares. */
static void check_reasons(const pique_interests *in, const pique_query *q,
                          const pique_recommendation *r) {
    double weight[MODEL_ROWS] = {0};
    double total = 0;
    for (uint32_t i = in->history_first; i < q->history_count; i++) {
        uint32_t item = q->history[i], count = q->history_count - in->history_first;
        if (item >= 1 && item <= MODEL_ITEMS && item != r->item) {
            weight[item] += (double)in->shares[r->interest * count + i - in->history_first];
        }
    }
    uint32_t expected = 0;
    for (uint32_t item = 1; item <= MODEL_ITEMS; item++) {
        expected += weight[item] > 0;
    }
    assert_int_equal(r->reason_count, PQ_MIN(expected, PIQUE_MAX_REASONS));
    for (uint32_t i = 0; i < r->reason_count; i++) {
        double best = 0;
        for (uint32_t item = 1; item <= MODEL_ITEMS; item++) {
            best = fmax(best, weight[item]);
        }
        assert_true(CLOSE(r->reason_weights[i], best) && CLOSE(weight[r->reasons[i]], best));
        weight[r->reasons[i]] = 0;
        total += best;
    }
    assert_true(total <= 1 + 1e-5);
}

static void test_reasons(void **state) {
    (void)state;
    static const uint32_t long_history[] = {9, 5, 4, 4, 4, 0, 8, 77, 4, 6, 8, 5};
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        pique_query queries[] = {usual(&s), usual(&s), usual(&s)};
        queries[1].history = long_history;
        queries[1].history_count = PQ_COUNT(long_history);
        queries[2].history_count = 1;
        for (size_t i = 0; i < PQ_COUNT(queries); i++) {
            pique_interests in;
            answer a = ask(&s, &queries[i]);
            assert_ok(s.ctx, pique_session_interests(s.session, &queries[i], &in));
            for (uint32_t j = 0; j < a.count; j++) {
                check_reasons(&in, &queries[i], &a.list[j]);
            }
            queries[i].explain = false;
            answer bare = ask(&s, &queries[i]);
            for (uint32_t j = 0; j < a.count; j++) {
                assert_int_equal(bare.list[j].item, a.list[j].item);
                assert_int_equal(bare.list[j].reason_count, 0);
            }
        }
        stop(&s);
    }
}

/* ---- histories ---- */

static void test_strangers_are_one_item(void **state) {
    (void)state;
    static const uint32_t first[] = {3, 0, 7}, second[] = {3, MODEL_ITEMS + 1, 7},
                          third[] = {3, UINT32_MAX, 7};
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        pique_query q = usual(&s);
        q.history_count = 3;
        q.exclude_seen = true;
        q.history = first;
        answer a = ask(&s, &q);
        q.history = second;
        answer b = ask(&s, &q);
        q.history = third;
        answer c = ask(&s, &q);
        assert_same_answer(&a, &b);
        assert_same_answer(&a, &c);
        assert_int_equal(a.count, MODEL_ITEMS - 2);
        assert_false(holds(&a, 3) || holds(&a, 7));
        q.history = (const uint32_t[]){3, 5, 7};
        b = ask(&s, &q);
        assert_true(a.list[0].score != b.list[0].score); /* a stranger is not nothing */
        stop(&s);
    }
}

static void test_nobody_gets_what_is_popular(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        static const uint32_t nothing[] = {0, 0};
        served s;
        serve(&s, kind);
        pique_query q = {.count = 5, .explain = true};
        for (int with_profile = 0; with_profile < 2; with_profile++) {
            q.profile = with_profile ? nothing : NULL;
            answer a = ask(&s, &q);
            assert_int_equal(a.count, 5);
            for (uint32_t i = 0; i < a.count; i++) {
                assert_int_equal(a.list[i].item, i + 1);
                assert_true(a.list[i].score == 0);
                assert_int_equal(a.list[i].reason_count, 0);
            }
        }
        q.profile = profile;
        answer a = ask(&s, &q); /* known by the profile alone, where the model has one */
        assert_true(s.kind->profile == (a.list[0].score != 0));
        q.profile = NULL;
        q.exclude = (const uint32_t[]){2, 1, 99, 0};
        q.exclude_count = 4;
        a = ask(&s, &q);
        assert_int_equal(a.list[0].item, 3);
        stop(&s);
    }
}

static void test_long_histories(void **state) {
    (void)state;
    uint32_t items[MODEL_HISTORY + 9];
    for (uint32_t i = 0; i < PQ_COUNT(items); i++) {
        items[i] = i < 9 ? i + 1 : 1 + (i * 5) % 7; /* 8 and 9 stand in the old part alone */
    }
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        pique_interests in;
        serve(&s, kind);
        pique_query q = usual(&s), newest = usual(&s);
        q.history = items;
        q.history_count = PQ_COUNT(items);
        newest.history = items + 9;
        newest.history_count = MODEL_HISTORY;
        answer a = ask(&s, &q), b = ask(&s, &newest);
        assert_same_answer(&a, &b);
        assert_ok(s.ctx, pique_session_interests(s.session, &q, &in));
        assert_int_equal(in.history_first, 9);
        assert_int_equal(in.live, MODEL_INTERESTS);
        q.exclude_seen = true;
        a = ask(&s, &q);
        assert_false(holds(&a, 8) || holds(&a, 9)); /* seen long ago is seen */
        assert_int_equal(a.count, 2);
        stop(&s);
    }
}

static void test_exclusion(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        pique_query q = usual(&s);
        answer all = ask(&s, &q);
        q.exclude_seen = true;
        q.exclude = (const uint32_t[]){8, 5, 5, 0, 12, UINT32_MAX};
        q.exclude_count = 6;
        answer rest = ask(&s, &q);
        assert_int_equal(rest.count, MODEL_ITEMS - 5 - 2);
        uint32_t at = 0;
        for (uint32_t i = 0; i < all.count; i++) { /* what is left keeps its order and its scores */
            uint32_t item = all.list[i].item;
            bool seen = item == 3 || item == 7 || item == 1 || item == 11 || item == 2;
            if (!seen && item != 8 && item != 5) {
                assert_memory_equal(&rest.list[at++], &all.list[i], sizeof(all.list[i]));
            }
        }
        assert_int_equal(at, rest.count);
        q.exclude = (const uint32_t[]){4, 5, 6, 8, 9, 10};
        assert_int_equal(ask(&s, &q).count, 0); /* nothing left */
        stop(&s);
    }
}

/* ---- by the items' vectors ---- */

static double cosine(const served *s, uint32_t a, uint32_t b) {
    const float *x = s->file.vectors + (size_t)a * MODEL_DIM;
    const float *y = s->file.vectors + (size_t)b * MODEL_DIM;
    double sum = 0, xx = 0, yy = 0;
    for (uint32_t d = 0; d < MODEL_DIM; d++) {
        sum += (double)x[d] * (double)y[d];
        xx += (double)x[d] * (double)x[d];
        yy += (double)y[d] * (double)y[d];
    }
    return xx > 0 && yy > 0 ? sum / sqrt(xx * yy) : 0;
}

static void test_similar(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        const uint8_t filtered[MODEL_ROWS / 8 + 1] = {1 << 5}; /* item 5 */
        pique_query q = usual(&s);
        const pique_recommendation *list;
        uint32_t count;
        q.filtered = filtered;
        q.exclude = (const uint32_t[]){8};
        q.exclude_count = 1;
        assert_ok(s.ctx, pique_session_similar(s.session, 3, &q, &list, &count));
        assert_int_equal(count, MODEL_ITEMS - 3);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(list[i].item != 3 && list[i].item != 5 && list[i].item != 8);
            assert_true(CLOSE(list[i].score, cosine(&s, 3, list[i].item)));
            assert_true(i == 0 || list[i - 1].score >= list[i].score);
        }
        q.exclude_seen = true;
        q.count = 2;
        assert_ok(s.ctx, pique_session_similar(s.session, 4, &q, &list, &count));
        assert_int_equal(count, 2);
        for (uint32_t i = 0; i < q.history_count; i++) {
            assert_true(list[0].item != q.history[i] && list[1].item != q.history[i]);
        }
        q.count = 0;
        assert_ok(s.ctx, pique_session_similar(s.session, 4, &q, &list, &count));
        assert_int_equal(count, 0);
        assert_failure(s.ctx, pique_session_similar(s.session, 0, &q, &list, &count),
                       PIQUE_ARGUMENT, "item 0");
        assert_failure(s.ctx, pique_session_similar(s.session, MODEL_ITEMS + 1, &q, &list, &count),
                       PIQUE_ARGUMENT, "not there");
        stop(&s);
    }
}

/* Every item of the list is worth most at its place: its score less the price of the likest one above. */
static void check_relevance(const served *s, const answer *all, const answer *a, double price) {
    for (uint32_t n = 0; n < a->count; n++) {
        double chosen = 0, most = -1e300;
        for (uint32_t i = 0; i < PQ_MIN(all->count, 4 * a->count); i++) {
            double likeness = 0;
            bool taken = false;
            for (uint32_t j = 0; j < n; j++) {
                likeness = PQ_MAX(likeness, cosine(s, all->list[i].item, a->list[j].item));
                taken = taken || all->list[i].item == a->list[j].item;
            }
            double worth = (double)all->list[i].score - price * likeness;
            if (all->list[i].item == a->list[n].item) {
                chosen = worth;
            }
            most = taken ? most : PQ_MAX(most, worth);
        }
        assert_true(CLOSE(chosen, most));
    }
}

static void test_diverse_by_vectors(void **state) {
    (void)state;
    uint32_t moved = 0;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        pique_query q = usual(&s);
        answer all = ask(&s, &q);
        q.count = 4;
        q.category = PIQUE_BY_VECTORS;
        answer plain = ask(&s, &q);
        static const float prices[] = {0.1f, 0.5f, 2};
        for (uint32_t i = 0; i < PQ_COUNT(prices); i++) {
            q.diversity = prices[i];
            answer a = ask(&s, &q);
            assert_int_equal(a.count, 4);
            assert_int_equal(a.list[0].item, plain.list[0].item);
            check_relevance(&s, &all, &a, (double)prices[i]);
            for (uint32_t n = 0; n < 4; n++) {
                moved += a.list[n].item != plain.list[n].item;
            }
        }
        stop(&s);
    }
    assert_true(moved > 5);
}

static void test_filtered(void **state) {
    (void)state;
    served s;
    serve(&s, 0);
    pique_query q = usual(&s);
    answer all = ask(&s, &q);
    uint8_t filtered[MODEL_ROWS / 8 + 1] = {0};
    for (uint32_t item = 1; item <= MODEL_ITEMS; item += 2) {
        filtered[item / 8] |= (uint8_t)(1u << item % 8);
    }
    q.filtered = filtered;
    answer even = ask(&s, &q);
    uint32_t at = 0;
    for (uint32_t i = 0; i < all.count; i++) {
        if (all.list[i].item % 2 == 0) {
            assert_memory_equal(&even.list[at++], &all.list[i], sizeof(all.list[i]));
        }
    }
    assert_int_equal(at, even.count);
    stop(&s);
}

static void test_counts(void **state) {
    (void)state;
    served s;
    serve(&s, 0);
    pique_query q = usual(&s);
    answer all = ask(&s, &q);
    for (uint32_t count = 0; count < MODEL_ITEMS; count++) {
        q.count = count;
        answer a = ask(&s, &q);
        assert_int_equal(a.count, count);
        assert_memory_equal(a.list, all.list, count * sizeof(a.list[0]));
    }
    q.count = UINT32_MAX;
    answer a = ask(&s, &q);
    assert_same_answer(&a, &all);
    stop(&s);
}

static void test_same_query_same_bits(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        pique_context *other;
        pique_session *second;
        const pique_recommendation *list;
        uint32_t count;
        serve(&s, kind);
        pique_query q = usual(&s), different = usual(&s);
        different.history_count = 3;
        different.profile = NULL;
        answer first = ask(&s, &q);
        (void)ask(&s, &different);
        answer again = ask(&s, &q);
        assert_same_answer(&first, &again);
        assert_int_equal(pique_context_create(NULL, &other), PIQUE_OK);
        assert_ok(other, pique_session_create(other, s.model, &second));
        assert_ok(other, pique_session_recommend(second, &q, &list, &count));
        assert_int_equal(count, first.count);
        assert_memory_equal(list, first.list, count * sizeof(*list));
        pique_session_free(second);
        pique_context_free(other);
        stop(&s);
    }
}

static void test_bad_queries(void **state) {
    (void)state;
    served s;
    float scores[MODEL_ROWS];
    pique_interests in;
    const pique_recommendation *list;
    uint32_t count = 9;
    serve(&s, 1);
    pique_query q = usual(&s);
    q.profile = (const uint32_t[]){0, 5}; /* ages have the codes 0..4 */
    assert_failure(s.ctx, pique_session_recommend(s.session, &q, &list, &count), PIQUE_ARGUMENT,
                   "profile field \"age\" has no code 5");
    assert_int_equal(count, 0);
    assert_null(list);
    assert_failure(s.ctx, pique_session_scores(s.session, &q, scores), PIQUE_ARGUMENT, "\"age\"");
    assert_failure(s.ctx, pique_session_interests(s.session, &q, &in), PIQUE_ARGUMENT, "\"age\"");
    q.profile = (const uint32_t[]){3, 4}; /* both UNKNOWN: allowed */
    assert_int_equal(ask(&s, &q).count, MODEL_ITEMS);
    q.history = NULL;
    assert_failure(s.ctx, pique_session_recommend(s.session, &q, &list, &count), PIQUE_ARGUMENT,
                   "a list has a count but no items");
    q = usual(&s);
    q.exclude_count = 1;
    assert_failure(s.ctx, pique_session_recommend(s.session, &q, &list, &count), PIQUE_ARGUMENT,
                   "a list has a count but no items");
    assert_failure(s.ctx, pique_context_set_isa(s.ctx, "abacus"), PIQUE_UNSUPPORTED, "\"abacus\"");
    q = usual(&s);
    assert_int_equal(ask(&s, &q).count, MODEL_ITEMS); /* the session still works */
    stop(&s);
}

/* ---- memory ---- */

static void test_warm_session_allocates_nothing(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        served s;
        serve(&s, kind);
        pique_query q = usual(&s);
        q.exclude_seen = true;
        (void)ask(&s, &q);
        (void)ask(&s, &q);
        size_t before = s.t.calls;
        (void)ask(&s, &q);
        q.history_count = 2;
        (void)ask(&s, &q);
        assert_int_equal(s.t.calls, before);
        stop(&s);
    }
}

static pique_status use(pique_context *ctx, const void *file) {
    pique_model *model = NULL;
    pique_session *session = NULL;
    pique_interests in;
    pique_query q = {.history = history, .history_count = 6, .count = 4, .explain = true};
    const pique_recommendation *list;
    float scores[MODEL_ROWS];
    uint32_t count;
    pique_status status = model_file_open(ctx, file, &model);
    if (status == PIQUE_OK) {
        status = pique_session_create(ctx, model, &session);
    }
    if (status == PIQUE_OK) {
        status = pique_session_recommend(session, &q, &list, &count);
    }
    if (status == PIQUE_OK) {
        status = pique_session_scores(session, &q, scores);
    }
    if (status == PIQUE_OK) {
        status = pique_session_interests(session, &q, &in);
    }
    pique_session_free(session);
    pique_model_free(model);
    return status;
}

static pique_status use_once(testing *t, void *file) {
    pique_allocator allocator = testing_allocator(t);
    pique_context *ctx;
    pique_status status = pique_context_create(&allocator, &ctx);
    if (status != PIQUE_OK) {
        strcpy(t->ctx.error, pique_status_text(status)); /* no context, no message of its own */
        return status;
    }
    status = use(ctx, file);
    strcpy(t->ctx.error, pique_error(ctx));
    pique_context_free(ctx);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        model_file file;
        model_file_make(&file, &model_kinds[kind]);
        testing_fail_each(use_once, &file);
    }
}

static void test_free_takes_null(void **state) {
    (void)state;
    pique_session_free(NULL);
    pique_model_free(NULL);
    pique_context_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_and_profile),
        cmocka_unit_test(test_numbers_of_the_profile),
        cmocka_unit_test(test_several_values),
        cmocka_unit_test(test_values_of_quantiles),
        cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_info_is_json),
        cmocka_unit_test(test_interests),
        cmocka_unit_test(test_recommendations),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_strangers_are_one_item),
        cmocka_unit_test(test_nobody_gets_what_is_popular),
        cmocka_unit_test(test_long_histories),
        cmocka_unit_test(test_exclusion),
        cmocka_unit_test(test_similar),
        cmocka_unit_test(test_diverse_by_vectors),
        cmocka_unit_test(test_filtered),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_same_query_same_bits),
        cmocka_unit_test(test_bad_queries),
        cmocka_unit_test(test_warm_session_allocates_nothing),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
