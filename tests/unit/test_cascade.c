/* test_cascade.c — pique_session_cascade on two files made by hand: MIND retrieves, pooling ranks. Their items
 * have other numbers, and neither knows all of the other's. */
#include "model_file.h"

#include <math.h>

enum { RANK_DIM = 2, RANK_HIDDEN = 2, RANK_ITEMS = 11, RANK_ROWS = RANK_ITEMS + 2 };

/* "ab" and "k8" are unknown to it, "new" and "newer" to the other file. */
static const char *const rank_ids[] = {"n",   "new", "m", "k9", "newer", "k7",
                                       "x y", "Ü",   "1", "10", "b",     NULL};
static const uint32_t strangers[] = {2, 8}; /* numbers of "ab" and "k8" in the retrieving model */

typedef struct {
    testing t;
    pique_context *ctx, *rank_ctx;
    model_file file, rank_file;
    pique_model *model, *rank_model;
    pique_session *session, *rank_session;
    uint32_t history[4], rank_history[4];
    pique_query query, person;
    pique_ranker ranker;
} cascade;

static void make_rank_file(model_file *f) {
    memset(f, 0, sizeof(*f));
    f->version = "1";
    f->model = "pool";
    snprintf(f->config, sizeof(f->config),
             "{\"dim\":%d,\"history\":8,\"hidden\":%d,\"pool\":\"mean\"}", RANK_DIM, RANK_HIDDEN);
    model_file_floats(f, "item.weight", RANK_ROWS, RANK_DIM, 1, false);
    model_file_floats(f, "user.w", RANK_HIDDEN, RANK_DIM, 1, false);
    model_file_floats(f, "item.w", RANK_HIDDEN, RANK_DIM, 1, false);
    model_file_floats(f, "b1", 1, RANK_HIDDEN, 1, false);
    model_file_floats(f, "w2", 1, RANK_HIDDEN, 1, false);
    model_file_floats(f, "b2", 1, 1, 1, false);
    model_file_strings(f, "item.ids", rank_ids);
}

/* Two categories, so cut that the items that are retrieved first are mostly of one; an item may have a further one, which
 * does not count in a list. */
static uint8_t category(uint32_t item) {
    return item == 0 || item > MODEL_ITEMS ? 0 : 1 + (item > 4);
}

static void add_categories(model_file *f) {
    f->categories = "[\"kind\"]";
    model_part *part = model_file_add(f, "item.category.kind", PQ_U8, MODEL_ROWS, 2);
    for (uint32_t i = 0; i < MODEL_ROWS; i++) {
        part->data.bytes[2 * i] = category(i);
        part->data.bytes[2 * i + 1] = (uint8_t)(i % 3);
    }
}

static pique_status open_both(cascade *c) {
    PQ_TRY(model_file_open(c->ctx, &c->file, &c->model));
    PQ_TRY(model_file_open(c->rank_ctx, &c->rank_file, &c->rank_model));
    PQ_TRY(pique_session_create(c->ctx, c->model, &c->session));
    return pique_session_create(c->rank_ctx, c->rank_model, &c->rank_session);
}

static void serve(cascade *c) {
    static const char *const likes[4] = {"10", "k7", "b", "n"};
    memset(c, 0, sizeof(*c));
    testing_open(&c->t);
    pique_allocator allocator = testing_allocator(&c->t);
    assert_int_equal(pique_context_create(&allocator, &c->ctx), PIQUE_OK);
    assert_int_equal(pique_context_create(&allocator, &c->rank_ctx), PIQUE_OK);
    model_file_make(&c->file, &model_kinds[0]);
    add_categories(&c->file);
    make_rank_file(&c->rank_file);
    assert_ok(c->rank_ctx, open_both(c));
    for (uint32_t i = 0; i < 4; i++) {
        size_t size = strlen(likes[i]);
        c->history[i] = pique_model_find_item(c->model, likes[i], size);
        c->rank_history[i] = pique_model_find_item(c->rank_model, likes[i], size);
        assert_true(c->history[i] && c->rank_history[i]);
    }
    c->query = (pique_query){
        .history = c->history, .history_count = 4, .count = MODEL_ITEMS, .explain = true};
    c->person = (pique_query){.history = c->rank_history, .history_count = 4};
    c->ranker =
        (pique_ranker){.session = c->rank_session, .person = &c->person, .retrieve = MODEL_ITEMS};
}

static void stop(cascade *c) {
    pique_session_free(c->session);
    pique_session_free(c->rank_session);
    pique_model_free(c->model);
    pique_model_free(c->rank_model);
    pique_context_free(c->ctx);
    pique_context_free(c->rank_ctx);
    testing_close(&c->t);
}

typedef struct {
    pique_recommendation list[MODEL_ITEMS];
    uint32_t count, unknown;
} answer;

static answer ask(cascade *c) {
    answer a = {.unknown = 99};
    const pique_recommendation *list;
    assert_ok(c->ctx, pique_session_cascade(c->session, &c->query, &c->ranker, &list, &a.count,
                                            &a.unknown));
    assert_true(a.count <= MODEL_ITEMS);
    memcpy(a.list, list, a.count * sizeof(*list));
    return a;
}

static answer retrieved(cascade *c) {
    answer a = {.unknown = 0};
    const pique_recommendation *list;
    assert_ok(c->ctx, pique_session_recommend(c->session, &c->query, &list, &a.count));
    memcpy(a.list, list, a.count * sizeof(*list));
    return a;
}

static uint32_t rank_number(const cascade *c, uint32_t item) {
    size_t size;
    const char *id = pique_model_item_id(c->model, item, &size);
    return pique_model_find_item(c->rank_model, id, size);
}

/* w2' relu(U mean + V e + b1) + b2, from the numbers in the file. */
static double log_odds(cascade *c, uint32_t item) {
    const float *e = model_file_part(&c->rank_file, "item.weight")->data.floats;
    const float *u = model_file_part(&c->rank_file, "user.w")->data.floats;
    const float *v = model_file_part(&c->rank_file, "item.w")->data.floats;
    const float *b1 = model_file_part(&c->rank_file, "b1")->data.floats;
    const float *w2 = model_file_part(&c->rank_file, "w2")->data.floats;
    double sum = (double)model_file_part(&c->rank_file, "b2")->data.floats[0];
    for (uint32_t h = 0; h < RANK_HIDDEN; h++) {
        double x = (double)b1[h];
        for (uint32_t d = 0; d < RANK_DIM; d++) {
            double mean = 0;
            for (uint32_t i = 0; i < c->person.history_count; i++) {
                mean += (double)e[c->rank_history[i] * RANK_DIM + d] / c->person.history_count;
            }
            x += (double)u[h * RANK_DIM + d] * mean +
                 (double)v[h * RANK_DIM + d] * (double)e[item * RANK_DIM + d];
        }
        sum += (double)w2[h] * PQ_MAX(x, 0);
    }
    return sum;
}

#define CLOSE(a, b) (fabs((double)(a) - (double)(b)) <= 1e-5 * (1 + fabs((double)(b))))

static const pique_recommendation *find(const answer *a, uint32_t item) {
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->list[i].item == item) {
            return &a->list[i];
        }
    }
    return NULL;
}

static void test_scores_are_the_rankers(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    answer a = ask(&c), first = retrieved(&c);
    assert_int_equal(a.count, MODEL_ITEMS - PQ_COUNT(strangers));
    assert_int_equal(a.unknown, PQ_COUNT(strangers));
    bool moved = false;
    for (uint32_t i = 0; i < a.count; i++) {
        const pique_recommendation *r = &a.list[i], *before = find(&first, r->item);
        assert_true(CLOSE(r->score, log_odds(&c, rank_number(&c, r->item))));
        assert_true(i == 0 || a.list[i - 1].score >= r->score);
        assert_int_equal(r->interest, before->interest); /* retrieval tells the reasons */
        assert_int_equal(r->reason_count, before->reason_count);
        assert_memory_equal(r->reasons, before->reasons, sizeof(r->reasons));
        moved = moved || before != &first.list[i];
    }
    assert_true(moved);
    for (uint32_t i = 0; i < PQ_COUNT(strangers); i++) {
        assert_null(find(&a, strangers[i]));
    }
    stop(&c);
}

/* Only what was retrieved is ranked; retrieve is at least the count. */
static void test_retrieve_and_count(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    answer all = ask(&c), first = retrieved(&c);
    for (uint32_t retrieve = 0; retrieve <= MODEL_ITEMS; retrieve++) {
        c.ranker.retrieve = retrieve;
        c.query.count = 3;
        answer a = ask(&c);
        uint32_t looked_at = PQ_MAX(retrieve, 3), expected = 0;
        assert_true(a.count <= 3 && a.count + a.unknown <= looked_at);
        for (uint32_t i = 0; i < all.count && expected < 3; i++) {
            const pique_recommendation *before = find(&first, all.list[i].item);
            if (before < first.list + looked_at) {
                assert_int_equal(a.list[expected++].item, all.list[i].item);
            }
        }
        assert_int_equal(a.count, expected);
    }
    c.query.count = 0;
    assert_int_equal(ask(&c).count, 0);
    c.query.count = 2;
    const pique_recommendation *list;
    uint32_t count;
    assert_ok(c.ctx, pique_session_cascade(c.session, &c.query, &c.ranker, &list, &count, NULL));
    assert_int_equal(count, 2);
    stop(&c);
}

static void test_exclusion_is_retrievals(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    uint32_t bored = 6; /* "x y" */
    c.query.exclude_seen = true;
    c.query.exclude = &bored;
    c.query.exclude_count = 1;
    answer a = ask(&c);
    assert_int_equal(a.count, MODEL_ITEMS - PQ_COUNT(strangers) - 5);
    assert_null(find(&a, bored));
    for (uint32_t i = 0; i < 4; i++) {
        assert_null(find(&a, c.history[i]));
    }
    stop(&c);
}

/* A scale of zero makes all scores equal. */
static void test_ties_keep_the_order_of_retrieval(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    pique_session_free(c.rank_session);
    pique_model_free(c.rank_model);
    memset(&model_file_part(&c.rank_file, "w2")->data, 0, sizeof(float) * RANK_HIDDEN);
    assert_ok(c.rank_ctx, model_file_open(c.rank_ctx, &c.rank_file, &c.rank_model));
    assert_ok(c.rank_ctx, pique_session_create(c.rank_ctx, c.rank_model, &c.rank_session));
    c.ranker.session = c.rank_session;
    answer first = retrieved(&c), a = ask(&c);
    for (uint32_t i = 0, j = 0; i < first.count; i++) {
        if (first.list[i].item != strangers[0] && first.list[i].item != strangers[1]) {
            assert_int_equal(a.list[j++].item, first.list[i].item);
        }
    }
    stop(&c);
}

/* At a price beyond all differences the two categories alternate, each in the order of the ranker. */
static void test_diversity_is_of_the_ranked_list(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    answer plain = ask(&c);
    c.query.diversity = 1000;
    answer a = ask(&c);
    assert_int_equal(a.count, plain.count);
    assert_int_equal(a.list[0].item, plain.list[0].item);
    assert_int_not_equal(category(a.list[0].item), category(a.list[1].item));
    assert_int_not_equal(category(a.list[1].item), category(a.list[2].item));
    for (uint32_t i = 0; i + 2 < 6; i++) {
        assert_true(find(&plain, a.list[i].item) < find(&plain, a.list[i + 2].item));
    }
    c.query.diversity = 0;
    answer first = retrieved(&c);
    c.query.diversity = 1000;
    for (c.query.count = 1; c.query.count <= 5; c.query.count++) { /* retrieval is by score alone */
        c.ranker.retrieve = c.query.count;
        a = ask(&c);
        for (uint32_t i = 0; i < a.count; i++) {
            assert_true(find(&first, a.list[i].item) < first.list + c.ranker.retrieve);
        }
    }
    c.query.category = 1;
    const pique_recommendation *list;
    uint32_t count;
    assert_failure(c.ctx,
                   pique_session_cascade(c.session, &c.query, &c.ranker, &list, &count, NULL),
                   PIQUE_UNSUPPORTED, "no column 1 of categories");
    stop(&c);
}

/* A person of whom neither file knows anything: what is popular, as the ranker puts it. */
static void test_nobody(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    c.query.history_count = 0;
    c.person.history_count = 0;
    answer a = ask(&c);
    assert_int_equal(a.count, MODEL_ITEMS - PQ_COUNT(strangers));
    for (uint32_t i = 0; i < a.count; i++) {
        assert_true(CLOSE(a.list[i].score, log_odds(&c, rank_number(&c, a.list[i].item))));
    }
    stop(&c);
}

static void refuse(cascade *c, pique_session *session, pique_status status, const char *words) {
    const pique_recommendation *list = (const pique_recommendation *)1;
    uint32_t count = 7;
    assert_failure(c->ctx,
                   pique_session_cascade(session, &c->query, &c->ranker, &list, &count, NULL),
                   status, words);
    assert_null(list);
    assert_int_equal(count, 0);
}

static void test_what_does_not_go_together(void **state) {
    (void)state;
    cascade c;
    serve(&c);
    c.ranker.session = c.session;
    refuse(&c, c.session, PIQUE_ARGUMENT, "a session of its own");
    c.ranker.session = NULL;
    refuse(&c, c.session, PIQUE_ARGUMENT, "a session of its own");

    pique_session *other; /* MIND as the ranker */
    assert_ok(c.ctx, pique_session_create(c.ctx, c.model, &other));
    c.ranker.session = other;
    refuse(&c, c.session, PIQUE_UNSUPPORTED, "ranker: mind finds items");
    pique_session_free(other);

    assert_ok(c.ctx, pique_session_create(c.ctx, c.rank_model, &other)); /* pooling retrieves */
    c.ranker.session = c.rank_session;
    refuse(&c, other, PIQUE_UNSUPPORTED, "pool has no interests");
    assert_failure(c.rank_ctx, pique_model_item_vector(c.rank_model, 1, (float[1]){0}),
                   PIQUE_UNSUPPORTED, "pool has no item vectors");
    pique_session_free(other);

    c.person.history = NULL; /* told by the ranker's own context, repeated in the caller's */
    refuse(&c, c.session, PIQUE_ARGUMENT, "ranker: query: a list has a count but no items");
    c.person.history = c.rank_history;
    c.query.diversity = -1;
    refuse(&c, c.session, PIQUE_ARGUMENT, "diversity is not a number");
    c.query.diversity = 0;
    c.query.exclude = (const uint32_t[]){1, 3, 4, 5, 6, 7, 9, 10, 11}; /* strangers are left */
    c.query.exclude_count = 9;
    refuse(&c, c.session, PIQUE_UNSUPPORTED, "pool knows none of the 2 items retrieved");
    c.query.exclude_count = 0;
    c.query.count = 4;
    assert_int_equal(ask(&c).count, 4); /* the sessions still work */
    stop(&c);
}

static pique_status use_once(testing *t, void *unused) {
    cascade c;
    (void)unused;
    memset(&c, 0, sizeof(c));
    pique_allocator allocator = testing_allocator(t);
    model_file_make(&c.file, &model_kinds[0]);
    make_rank_file(&c.rank_file);
    c.query = (pique_query){.history = (const uint32_t[]){3, 1}, .history_count = 2, .count = 4};
    c.person = (pique_query){.history = (const uint32_t[]){2, 7}, .history_count = 2};
    strcpy(t->ctx.error, pique_status_text(PIQUE_NO_MEMORY));
    pique_status status = pique_context_create(&allocator, &c.ctx);
    if (status != PIQUE_OK) {
        return status;
    }
    c.rank_ctx = c.ctx; /* one context may hold both */
    status = open_both(&c);
    if (status == PIQUE_OK) {
        const pique_recommendation *list;
        uint32_t count;
        c.ranker = (pique_ranker){c.rank_session, &c.person, MODEL_ITEMS};
        status = pique_session_cascade(c.session, &c.query, &c.ranker, &list, &count, NULL);
    }
    strcpy(t->ctx.error, pique_error(c.ctx));
    pique_session_free(c.session);
    pique_session_free(c.rank_session);
    pique_model_free(c.model);
    pique_model_free(c.rank_model);
    pique_context_free(c.ctx);
    return status;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    testing_fail_each(use_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_are_the_rankers),
        cmocka_unit_test(test_retrieve_and_count),
        cmocka_unit_test(test_exclusion_is_retrievals),
        cmocka_unit_test(test_ties_keep_the_order_of_retrieval),
        cmocka_unit_test(test_diversity_is_of_the_ranked_list),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_what_does_not_go_together),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
