/* test_capsnet.c — capsnet learns shapes by heart and draws them where they are; vectors as columns of users, in training
 * and for a session; what is refused. */
#include "overfit.h"
#include "ranked_case.h"

#include <math.h>

#include "base/buckets.h"

#define SIDE 12
#define PIXELS (SIDE * SIDE)
#define SHAPES 3
#define SHIFTS 4
#define IMAGES (SHAPES * SHIFTS)

#define TINY                                                                                       \
    "height=12 width=12 filters=8 kernel=5 primary_kernel=3 types=4 type_dim=6 dim=8 hidden1=32 "  \
    "hidden2=64 "

/* A bar, a cross or a disc, moved by 0 to 3 places. */
static float pixel(uint32_t shape, uint32_t shift, uint32_t i) {
    int x = (int)(i % SIDE) - 4 - (int)shift, y = (int)(i / SIDE) - 5 - (int)shift / 2;
    switch (shape) {
    case 0:
        return abs(x) <= 1 && abs(y) <= 4;
    case 1:
        return (abs(x) <= 0 || abs(y) <= 0) && abs(x) + abs(y) <= 4;
    default:
        return x * x + y * y <= 9;
    }
}

typedef struct {
    pq_model m;
    pq_column column;
    pq_codes codes;
    pq_batch batch;
    uint32_t ends[IMAGES + 1], pixels[IMAGES * PIXELS], starts[IMAGES + 1];
    uint32_t candidates[IMAGES], users[IMAGES];
    pq_real labels[IMAGES];
} shapes;

/* The batch: every image with its shape. */
static void open_shapes(shapes *s, pq_ctx *ctx, const char *settings) {
    for (uint32_t i = 0; i < IMAGES; i++) {
        s->ends[i + 1] = (i + 1) * PIXELS;
        s->candidates[i] = i % SHAPES + 1;
        s->users[i] = i;
        s->labels[i] = 1;
        for (uint32_t j = 0; j < PIXELS; j++) {
            s->pixels[i * PIXELS + j] = pq_number_code(pixel(i % SHAPES, i / SHAPES, j));
        }
    }
    s->column = (pq_column){.name = "pixels", .rows = PIXELS + 2, .vector = true};
    s->codes = (pq_codes){s->ends, s->pixels};
    s->batch = (pq_batch){.history = {s->starts, IMAGES},
                          .profile = &s->codes,
                          .positions = IMAGES,
                          .candidate_count = IMAGES,
                          .candidates = s->candidates,
                          .candidate_users = s->users,
                          .candidate_labels = s->labels};
    ctx->kernels = pq_kernels_find("best");
    assert_ok(ctx, pq_model_init(&s->m, ctx, pq_model_find("capsnet", 7), "best"));
    assert_ok(ctx, mind_case_set(ctx, &s->m, TINY));
    assert_ok(ctx, mind_case_set(ctx, &s->m, settings));
    s->m.items.rows = SHAPES + 2;
    s->m.profile.columns = &s->column;
    s->m.profile.column_count = 1;
}

static double run_loss(const shapes *s, const pq_batch *batch) {
    pq_tape tape;
    pq_tape_init(&tape, s->m.ctx);
    pq_tape_begin(&tape, NULL, false, (pq_rng){0});
    const pq_var *loss = pq_model_loss(&tape, &s->m, batch);
    assert_ok(s->m.ctx, tape.status);
    double value = (double)loss->value[0];
    pq_tape_free(&tape);
    return value;
}

/* Mean squared error of what the decoder draws for the images of a batch: what the loss grows by per unit of weight. */
static double drawing_error(shapes *s, const pq_batch *batch) {
    double with, without;
    assert_ok(s->m.ctx, mind_case_set(s->m.ctx, &s->m, "reconstruction=1"));
    with = run_loss(s, batch);
    assert_ok(s->m.ctx, mind_case_set(s->m.ctx, &s->m, "reconstruction=0"));
    without = run_loss(s, batch);
    return (with - without) * batch->positions / batch->history.count / PIXELS;
}

/* Every shape is told wherever it stands, with a capsule longer than a half; and since the decoder sees nothing but that
 * capsule, it can only draw the shape in its place because the capsule's direction says where. */
static void test_learns_shapes(void **state) {
    (void)state;
    testing t;
    shapes *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    testing_open(&t);
    open_shapes(s, &t.ctx, "reconstruction=0.02");
    assert_ok(&t.ctx, pq_model_declare(&s->m));
    pq_params_draw(&s->m.params, 1);
    (void)overfit(&s->m, &s->batch, 0.003, 400, NULL, NULL);
    pq_tape tape;
    pq_tape_init(&tape, &t.ctx);
    for (uint32_t i = 0; i < IMAGES; i++) {
        static const uint32_t all[] = {1, 2, 3, 0, 4}, whose[5] = {0};
        const uint32_t one[] = {0, PIXELS};
        const pq_codes own = {one, s->pixels + (size_t)i * PIXELS};
        pq_batch batch = s->batch;
        batch.history.count = batch.positions = 1;
        batch.profile = &own;
        batch.candidate_count = 5;
        batch.candidates = all;
        batch.candidate_users = whose;
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        const pq_var *score = s->m.def->score(&tape, &s->m, &batch);
        assert_ok(&t.ctx, tape.status);
        for (uint32_t j = 0; j < SHAPES; j++) {
            bool right = j == i % SHAPES;
            assert_true(right ? score->value[j] > 0 : score->value[j] < 0);
            assert_true(score->value[j] < 10); /* lengths are below 1 */
        }
        assert_true(score->value[3] < -13 && score->value[4] < -13); /* PAD and UNKNOWN */
        batch.candidates = &s->candidates[i];
        batch.candidate_count = 1;
        double error = drawing_error(s, &batch);
        if (!(error < 0.02)) {
            fail_msg("shape %u moved by %u is drawn with an error of %g", i % SHAPES, i / SHAPES,
                     error);
        }
    }
    pq_tape_free(&tape);
    pq_model_free(&s->m);
    testing_close(&t);
    free(s);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *settings;
        uint32_t rows;
        bool vector;
        const char *message;
    } cases[] = {
        {"", PIXELS + 1, true, "no column of the users is a vector of 144 numbers"},
        {"", PIXELS + 2, false, "no column of the users is a vector of 144 numbers"},
        {"height=10", PIXELS + 2, true, "no column of the users is a vector of 120 numbers"},
        {"kernel=13", PIXELS + 2, true, "the image has no room for the filters"},
        {"primary_kernel=9", PIXELS + 2, true, "the image has no room for the filters"},
        {"kernel=12 primary_kernel=2", PIXELS + 2, true, "the image has no room"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        testing t;
        shapes *s = calloc(1, sizeof(*s));
        assert_non_null(s);
        testing_open(&t);
        open_shapes(s, &t.ctx, cases[i].settings);
        s->column.rows = cases[i].rows;
        s->column.vector = cases[i].vector;
        assert_failure(&t.ctx, pq_model_declare(&s->m), PIQUE_ARGUMENT, cases[i].message);
        pq_model_free(&s->m);
        testing_close(&t);
        free(s);
    }
}

/* A teacher would not be listened to. */
static void test_no_teacher(void **state) {
    (void)state;
    testing t;
    shapes *s = calloc(1, sizeof(*s));
    pq_soft soft = {.alpha = 0.5};
    pq_tape tape;
    assert_non_null(s);
    testing_open(&t);
    open_shapes(s, &t.ctx, "");
    assert_ok(&t.ctx, pq_model_declare(&s->m));
    s->batch.soft = &soft;
    pq_tape_init(&tape, &t.ctx);
    pq_tape_begin(&tape, NULL, true, (pq_rng){0});
    assert_null(pq_model_loss(&tape, &s->m, &s->batch));
    assert_failure(&t.ctx, tape.status, PIQUE_UNSUPPORTED, "not from a teacher");
    pq_tape_free(&tape);
    pq_model_free(&s->m);
    testing_close(&t);
    free(s);
}

/* ---- vectors as columns ---- */

static const char pairs[] =
    "user,item,timestamp,label\nann,x,1,1\nann,y,1,0\nbob,x,2,0\nbob,y,2,1\n"
    "cat,x,3,1\ncat,y,3,0\ndan,x,4,1\neve,y,5,1\neve,x,6,0\n";
/* bob has a number too few, cat one that is none, dan none at all, eve one that float cannot hold. */
static const char people[] = "user,mood\nann,0.5 -2 0\nbob,1 2\ncat,1 x 2\ndan,\neve,1e39 0 0\n";

static pique_status parse(pq_ctx *ctx, const char *schema, bool strict, pique_dataset **out) {
    pq_source sources[PQ_READER_FILES] = {{.name = "interactions.csv", .bytes = pairs},
                                          {.name = NULL},
                                          {.name = "users.csv", .bytes = people},
                                          {.name = "schema.json", .bytes = schema}};
    pique_dataset_options options;
    for (int i = 0; i < 4; i++) {
        sources[i].size = sources[i].bytes ? strlen(sources[i].bytes) : 0;
    }
    pique_dataset_options_default(&options);
    options.labelled = true;
    options.path = "data";
    options.split = "time";
    options.strict = strict;
    return pq_dataset_parse(ctx, &pq_reader_csv, sources, &options, NULL, out);
}

#define SCHEMA(column) "{\"users\": {\"mood\": " column "}}"
#define VECTOR SCHEMA("{\"type\": \"vector\", \"width\": 3, \"separator\": \" \"}")

static void test_vector_column(void **state) {
    (void)state;
    testing t;
    pique_dataset *d = NULL;
    testing_open(&t);
    assert_ok(&t.ctx, parse(&t.ctx, VECTOR, false, &d));
    assert_int_equal(d->profile_count, 1);
    const pq_feature *f = &d->profile[0];
    static const uint32_t ends[] = {0, 3, 3, 3, 3, 3};
    static const float numbers[] = {0.5F, -2, 0};
    assert_int_equal(f->width, 3);
    assert_int_equal(f->rows, 5);
    assert_memory_equal(f->offsets, ends, sizeof(ends));
    for (int i = 0; i < 3; i++) {
        assert_true(pq_number_of_code(f->values[i]) == numbers[i]);
    }
    assert_int_equal(d->bad_rows, 3);
    pique_dataset_free(d);
    assert_failure(&t.ctx, parse(&t.ctx, VECTOR, true, &d), PIQUE_DATA,
                   "users.csv:3: column \"mood\" has 2 numbers instead of 3");
    static const char *const wrong[][2] = {
        {SCHEMA("\"vector\""), "users.\"mood\": a vector needs its \"width\""},
        {SCHEMA("{\"type\": \"vector\", \"width\": 0}"), "width"},
        {SCHEMA("{\"type\": \"number\", \"width\": 3}"),
         "\"width\" says nothing about a column of number"},
        {SCHEMA("{\"type\": \"vector\", \"width\": 3, \"buckets\": 3}"),
         "\"buckets\" says nothing about a column of vector"},
    };
    for (size_t i = 0; i < PQ_COUNT(wrong); i++) {
        assert_failure(&t.ctx, parse(&t.ctx, wrong[i][0], false, &d), PIQUE_DATA, wrong[i][1]);
    }
    testing_close(&t);
}

/* A file of a model that maps the vector as it maps any field, or looks at it as it is. */
static pique_model *open_file(testing *t, const pique_dataset *d, const char *name,
                              const char *settings) {
    pq_model m = {0};
    const pq_column column = {.name = "mood", .rows = 5, .vector = true};
    void *bytes;
    size_t size;
    pique_model *model = NULL;
    t->ctx.kernels = pq_kernels_find("best");
    assert_ok(&t->ctx, pq_model_init(&m, &t->ctx, pq_model_find(name, strlen(name)), "best"));
    assert_ok(&t->ctx, mind_case_set(&t->ctx, &m, settings));
    m.items.rows = d->item_rows;
    m.profile.columns = &column;
    m.profile.column_count = 1;
    assert_ok(&t->ctx, pq_model_declare(&m));
    pq_params_draw(&m.params, 3);
    assert_ok(&t->ctx, pq_bake(&m, d, &(pq_bake_options){"{}", "", NULL}, &bytes, &size));
    assert_ok(&t->ctx, pique_model_open(&t->ctx, bytes, size, &model));
    pq_model_free(&m);
    return model;
}

static void describe(pique_value *values, const char *const *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        values[i] = (pique_value){.bytes = texts[i], .length = (uint32_t)strlen(texts[i])};
    }
}

static void check_session(testing *t, const pique_model *model) {
    static const char *const some[] = {"0.5", "-2", "0"}, *const others[] = {"0.5", "-2", "1e-3"};
    static const char *const none[] = {"", "", ""};
    static const struct {
        const char *texts[4];
        uint32_t count;
        const char *message;
    } wrong[] = {
        {{"1", "2"}, 2, "profile field \"mood\" takes 3 numbers, not 2"},
        {{"1", "2", "3", "4"}, 4, "profile field \"mood\" takes 3 numbers, not 4"},
        {{"1", "x", "3"}, 3, "profile field \"mood\" takes a number, not \"x\""},
        {{"1", "NaN", "3"}, 3, "profile field \"mood\" takes a number, not \"NaN\""},
        {{"1", "1e39", "3"}, 3, "profile field \"mood\" takes a number, not \"1e39\""},
    };
    pique_session *session;
    pique_value values[4];
    pique_query query = {0};
    const uint32_t item = 1;
    uint32_t known;
    float score[3];
    assert_int_equal(pique_model_profile_separator(model, 0), ' ');
    assert_int_equal(pique_model_find_profile(model, 0, "1", 1), PIQUE_SEVERAL_CODES);
    assert_ok(&t->ctx, pique_session_create(&t->ctx, model, &session));
    const char *const *given[] = {some, others, none};
    for (int i = 0; i < 3; i++) {
        describe(values, given[i], 3);
        assert_ok(&t->ctx, pique_session_profile(session, values, 3, &known));
        assert_int_equal(known, i < 2);
        assert_ok(&t->ctx, pique_session_rank(session, &query, &item, 1, &score[i]));
        assert_true(isfinite(score[i]));
    }
    assert_true(score[0] != score[1] && score[0] != score[2]);
    for (size_t i = 0; i < PQ_COUNT(wrong); i++) {
        describe(values, wrong[i].texts, wrong[i].count);
        assert_failure(&t->ctx, pique_session_profile(session, values, wrong[i].count, NULL),
                       PIQUE_ARGUMENT, wrong[i].message);
    }
    /* Codes of a query name one code a field: none of a vector's. */
    static const uint32_t codes[] = {1}, nothing[] = {0};
    float again;
    query.profile = codes;
    assert_failure(&t->ctx, pique_session_rank(session, &query, &item, 1, &again), PIQUE_ARGUMENT,
                   "profile field \"mood\" has no code 1");
    query.profile = nothing;
    assert_ok(&t->ctx, pique_session_rank(session, &query, &item, 1, &again));
    assert_true(again == score[2]);
    pique_session_free(session);
}

static void test_served_vectors(void **state) {
    (void)state;
    static const char *const models[][2] = {
        {"capsnet", "height=1 width=3 filters=2 kernel=1 primary_kernel=1 stride=1 types=1"},
        {"concat_mlp", "dim=4"},
        {"two_tower", "dim=4"},
        {"lr", ""},
    };
    for (size_t i = 0; i < PQ_COUNT(models); i++) {
        testing t;
        pique_dataset *d = NULL;
        testing_open(&t);
        assert_ok(&t.ctx, parse(&t.ctx, VECTOR, false, &d));
        pique_model *model = open_file(&t, d, models[i][0], models[i][1]);
        check_session(&t, model);
        pique_model_free(model);
        pique_dataset_free(d);
        testing_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_shapes),  cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_no_teacher),     cmocka_unit_test(test_vector_column),
        cmocka_unit_test(test_served_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
