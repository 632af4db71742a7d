/* test_rounding.c — what training aware of quantisation looks at is what the file will serve, and which models
 * and widths it takes. */
#include "mind_case.h"
#include "small_data.h"

#include "api/opened.h"
#include "kernels/kernels.h"
#include "native/train/bake.h"
#include "native/train/settings.h"

typedef struct {
    pique_context *ctx;
    char *text;
    pique_dataset *data;
    pq_model model;
    pq_rounding rounding;
    pique_model *served;
} run;

/* A model of random weights, rounded, and opened from the bytes of its file. */
static void open_run(run *r, const char *name, const char *settings, pq_round_kind kind) {
    pq_model *m = &r->model;
    void *bytes;
    size_t size;
    memset(r, 0, sizeof(*r));
    assert_int_equal(pique_context_create(NULL, &r->ctx), PIQUE_OK);
    r->text = small_data_text(60, 50, 25);
    assert_ok(r->ctx, small_data_open(r->ctx, r->text, &r->data));
    assert_ok(r->ctx, pq_model_init(m, r->ctx, pq_model_find(name, strlen(name)), "best"));
    assert_ok(r->ctx, mind_case_set(r->ctx, m, settings));
    m->items.rows = r->data->item_rows;
    assert_ok(r->ctx, pq_model_declare(m));
    assert_ok(r->ctx, pq_rounding_declare(&r->rounding, m, kind));
    assert_ok(r->ctx, pq_rounding_open(&r->rounding, 2));
    pq_params_draw(&m->params, 7);
    if (r->rounding.codebook) {
        assert_ok(r->ctx, pq_rounding_fit(&r->rounding, m, NULL));
    }
    assert_ok(r->ctx, pq_rounding_refresh(&r->rounding, m));
    const pq_bake_options options = {"{}", "", &r->rounding};
    assert_ok(r->ctx, pq_bake(m, r->data, &options, &bytes, &size));
    assert_ok(r->ctx, pique_model_open(r->ctx, bytes, size, &r->served));
}

static void close_run(run *r) {
    pique_model_free(r->served);
    pq_rounding_free(&r->rounding);
    pq_model_free(&r->model);
    pique_dataset_free(r->data);
    free(r->text);
    pique_context_free(r->ctx);
}

static void assert_near(const char *what, double got, double want) {
    if (!(got - want <= 2e-6 && want - got <= 2e-6)) {
        fail_msg("%s: %.9g instead of %.9g", what, got, want);
    }
}

/* Interests of all users, by the graph of training and by a session of the file: behaviours and layers. */
static void compare_interests(run *r) {
    const pq_model *m = &r->model;
    pique_session *session;
    pq_tape tape;
    pq_tape_init(&tape, r->ctx);
    assert_ok(r->ctx, pique_session_create(r->ctx, r->served, &session));
    for (uint32_t u = 0; u < 20; u++) {
        const uint32_t *items = r->data->events + r->data->starts[u];
        const uint32_t n = PQ_MIN(r->data->starts[u + 1] - r->data->starts[u], m->max_history);
        const uint32_t starts[] = {0, n};
        const pq_batch batch = {.history = {starts, 1}, .items = items};
        pique_interests interests;
        uint32_t live;
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        const pq_var *v = m->def->user(&tape, m, &batch, &live);
        assert_non_null(v);
        const pique_query query = {.history = items, .history_count = n};
        assert_ok(r->ctx, pique_session_interests(session, &query, &interests));
        assert_int_equal(interests.live, live);
        for (uint32_t i = 0; i < live * m->width; i++) {
            assert_near("interest", v->value[i], interests.vectors[i]);
        }
    }
    pique_session_free(session);
    pq_tape_free(&tape);
}

static const struct {
    const char *model, *settings;
    pq_round_kind kind;
} cases[] = {
    {"mind", "dim=32 hidden=6 interests=3 history=6 route_eval=uniform", PQ_ROUND_INT4},
    {"mind", "dim=32 hidden=6 interests=3 history=6 route_eval=uniform", PQ_ROUND_PQ16},
    {"mind", "dim=33 hidden=6 cosine=0 route_eval=uniform", PQ_ROUND_INT4},
    {"sasrec", "dim=32 history=6 init_scale=0.3", PQ_ROUND_PQ8},
    {"sasrec", "dim=64 history=6 init_scale=0.3", PQ_ROUND_PQ32},
    {"mind", "dim=41 hidden=6 interests=3 history=6 route_eval=uniform", PQ_ROUND_PQ16},
    {"sasrec", "dim=8 heads=1 history=6 cosine=1", PQ_ROUND_INT4},
};

static void test_training_sees_what_is_served(void **state) {
    (void)state;
    for (size_t c = 0; c < PQ_COUNT(cases); c++) {
        run r;
        float row[64];
        double moved = 0;
        open_run(&r, cases[c].model, cases[c].settings, cases[c].kind);
        const uint32_t d = r.model.width, items = r.model.items.rows - 2;
        assert_non_null(strstr(pique_model_info(r.served), pq_rounding_name(cases[c].kind)));
        for (uint32_t i = 1; i <= items; i++) {
            pq_table_row(r.served->m.items.vectors, i, row);
            for (uint32_t j = 0; j < d; j++) {
                const size_t at = (size_t)i * d + j;
                assert_near("column", row[j], r.rounding.rounded[at]);
                moved += row[j] != r.rounding.exact[at];
            }
        }
        assert_true(moved > 0.9 * items * d);
        compare_interests(&r);
        close_run(&r);
    }
}

/* A row is rounded again when it has changed, and a quantiser that was loaded is the one that was fitted. */
static void test_rounding_follows_the_weights(void **state) {
    (void)state;
    run r;
    open_run(&r, "sasrec", "dim=32 init_scale=0.3", PQ_ROUND_PQ16);
    const size_t d = 32, size = (size_t)r.model.items.rows * d * sizeof(pq_real);
    pq_real *before = malloc(size);
    assert_non_null(before);
    memcpy(before, r.rounding.rounded, size);
    r.model.items.ids->value[3 * d] += 1;
    assert_ok(r.ctx, pq_rounding_refresh(&r.rounding, &r.model));
    assert_memory_equal(before, r.rounding.rounded, 3 * d * sizeof(pq_real));
    assert_memory_not_equal(before + 3 * d, r.rounding.rounded + 3 * d, d * sizeof(pq_real));
    assert_memory_equal(before + 4 * d, r.rounding.rounded + 4 * d, size - 4 * d * sizeof(pq_real));
    memcpy(before, r.rounding.rounded, size);
    memset(r.rounding.product.gram, 0, d * d * sizeof(double));
    memset(r.rounding.product.lift, 0, d * d * sizeof(double));
    memset(r.rounding.product.metric, 0, d * d * sizeof(double));
    memset(r.rounding.rounded, 0, size);
    pq_rounding_load(&r.rounding);
    assert_ok(r.ctx, pq_rounding_refresh(&r.rounding, &r.model));
    assert_memory_equal(before, r.rounding.rounded, size);
    free(before);
    close_run(&r);
}

static void test_what_cannot_be_rounded(void **state) {
    (void)state;
    static const struct {
        const char *model, *set[4], *message;
    } wrong[] = {
        {"sasrec",
         {"quantise=pq16", "dim=30"},
         "quantise = pq16 takes item vectors of a width of at least 32, not 30 (pq8 at least 16"},
        {"mind", {"quantise=pq8", "dim=15"}, "at least 16, not 15"},
        {"mind", {"quantise=pq32", "dim=63"}, "at least 64, not 63"},
        {"fm", {"quantise=int4"}, "quantise = int4 is for models that retrieve, which fm does not"},
        {"mind", {"quantise=int8"}, "none,int4,pq8,pq16,pq32"},
        {"mind", {"quantise=int4", "epochs=4", "quantise_from=5"}, "quantise_from = 5"},
    };
    pique_context *ctx;
    assert_int_equal(pique_context_create(NULL, &ctx), PIQUE_OK);
    for (size_t i = 0; i < PQ_COUNT(wrong); i++) {
        pique_train_options options;
        pique_train_options_default(&options);
        options.model = wrong[i].model;
        options.out = "nowhere";
        options.set = wrong[i].set;
        while (options.set_count < 4 && wrong[i].set[options.set_count]) {
            options.set_count++;
        }
        assert_failure(ctx, pique_train_check(ctx, &options), PIQUE_ARGUMENT, wrong[i].message);
    }
    const pq_train_options quarter = {.epochs = 6}, one = {.epochs = 1},
                           given = {.epochs = 6, .quantise_from = 2};
    assert_int_equal(pq_train_rounds_from(&quarter), 5);
    assert_int_equal(pq_train_rounds_from(&one), 1);
    assert_int_equal(pq_train_rounds_from(&given), 2);
    pique_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training_sees_what_is_served),
        cmocka_unit_test(test_rounding_follows_the_weights),
        cmocka_unit_test(test_what_cannot_be_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
