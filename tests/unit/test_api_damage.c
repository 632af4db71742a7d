/* test_api_damage.c — model files with every kind of damage: a status, and a message that names the tensor
 * or the key; never a crash, a leak, a partial model, or more memory than the file has. */
#include "model_file.h"

typedef struct {
    const char *what;
    uint32_t kind;
    void (*spoil)(model_file *f);
    pique_status status;
    const char *words;
} damage;

static void refuse_one(const damage *d) {
    testing t;
    model_file f;
    pique_context *ctx;
    pique_model *model;
    testing_open(&t);
    pique_allocator allocator = testing_allocator(&t);
    assert_int_equal(pique_context_create(&allocator, &ctx), PIQUE_OK);
    model_file_make(&f, &model_kinds[d->kind]);
    d->spoil(&f);
    pique_status status = model_file_open(ctx, &f, &model);
    if (status != d->status || !strstr(pique_error(ctx), d->words)) {
        fail_msg("%s: status %d, \"%s\"", d->what, (int)status, pique_error(ctx));
    }
    assert_null(model);
    pique_context_free(ctx);
    testing_close(&t);
}

/* ---- metadata ---- */

static void no_version(model_file *f) {
    f->version = NULL;
}
static void next_version(model_file *f) {
    f->version = "2";
}
static void no_model(model_file *f) {
    f->model = NULL;
}
static void other_model(model_file *f) {
    f->model = "minx";
}
static void no_config(model_file *f) {
    f->config[0] = 0;
}
static void config_text(model_file *f, const char *text) {
    snprintf(f->config, sizeof(f->config), "%s", text);
}
static void config_array(model_file *f) {
    config_text(f, "[]");
}
static void config_broken(model_file *f) {
    config_text(f, "{\"dim\":4");
}
static void config_range(model_file *f) {
    config_text(f, "{\"interests\":17}");
}
static void config_type(model_file *f) {
    config_text(f, "{\"dim\":\"wide\"}");
}
static void config_choice(model_file *f) {
    config_text(f, "{\"bilinear\":\"per_person\"}");
}
static void config_real(model_file *f) {
    config_text(f, "{\"fade\":-1}");
}
/* 1000 x 16 matrices of 1024 x 1024: 64 GB, were they allocated before they are looked for. */
static void config_huge(model_file *f) {
    config_text(f, "{\"dim\":1024,\"interests\":16,\"history\":1000,\"hidden\":4096,"
                   "\"bilinear\":\"per_position_interest\"}");
}
static void metrics_broken(model_file *f) {
    f->metrics = "{\"recall@50\":}";
}
static void profile_object(model_file *f) {
    f->profile = "{}";
}
static void profile_number(model_file *f) {
    f->profile = "[1,2]";
}
static void profile_empty_name(model_file *f) {
    f->profile = "[\"gender\",\"\"]";
}
static void profile_twice(model_file *f) {
    f->profile = "[\"gender\",\"gender\"]";
}
static void profile_zero(model_file *f) {
    f->profile = "[\"gender\",\"a\\u0000b\"]";
}
static void profile_long(model_file *f) {
    f->profile = "[\"gender\",\"a name of more than thirty two bytes\"]";
}
static void profile_many(model_file *f) {
    f->profile = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]";
}
static void profile_unknown(model_file *f) {
    f->profile = "[\"gender\",\"town\"]";
}
static void profile_more(model_file *f) {
    f->profile = "[\"gender\"]"; /* then the two layers are too wide */
}

static void test_metadata(void **state) {
    (void)state;
    static const damage cases[] = {
        {"no version", 0, no_version, PIQUE_CORRUPT, "\"pique.version\" is missing"},
        {"another version", 0, next_version, PIQUE_VERSION, "format version \"2\""},
        {"no model", 0, no_model, PIQUE_CORRUPT, "\"pique.model\" is missing"},
        {"another model", 0, other_model, PIQUE_UNSUPPORTED, "model \"minx\""},
        {"no config", 0, no_config, PIQUE_CORRUPT, "\"pique.config\" is missing"},
        {"config an array", 0, config_array, PIQUE_CORRUPT, "\"pique.config\" is not an object"},
        {"config cut", 0, config_broken, PIQUE_CORRUPT, "pique.config"},
        {"config out of range", 0, config_range, PIQUE_CORRUPT, "interests"},
        {"config of another type", 0, config_type, PIQUE_CORRUPT, "dim"},
        {"config of another choice", 0, config_choice, PIQUE_CORRUPT, "bilinear"},
        {"config below its range", 0, config_real, PIQUE_CORRUPT, "fade"},
        {"config huge", 0, config_huge, PIQUE_CORRUPT, "tensor \"map.w\": shape"},
        {"metrics", 0, metrics_broken, PIQUE_CORRUPT, "pique.metrics"},
        {"profile an object", 1, profile_object, PIQUE_CORRUPT, "\"pique.profile\""},
        {"profile of numbers", 1, profile_number, PIQUE_CORRUPT, "\"pique.profile\": name 0"},
        {"profile name empty", 1, profile_empty_name, PIQUE_CORRUPT, "\"pique.profile\": name 1"},
        {"profile name twice", 1, profile_twice, PIQUE_CORRUPT, "\"pique.profile\": name 1"},
        {"profile name with a zero", 1, profile_zero, PIQUE_CORRUPT, "pique.profile"},
        {"profile name too long", 1, profile_long, PIQUE_CORRUPT, "\"pique.profile\": name 1"},
        {"too many profile fields", 1, profile_many, PIQUE_CORRUPT, "\"pique.profile\""},
        {"profile without terms", 1, profile_unknown, PIQUE_CORRUPT, "\"profile.town.terms\""},
        {"profile field less", 1, profile_more, PIQUE_CORRUPT, "tensor \"mlp.w1\": shape"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        refuse_one(&cases[i]);
    }
}

/* ---- every tensor: missing, of another type, of another shape, not finite ---- */

static uint32_t spoiled; /* number of the part */

static void gone(model_file *f) {
    f->parts[spoiled].gone = true;
}
static void retyped(model_file *f) {
    f->parts[spoiled].dtype = PQ_I32; /* no tensor of a model has that */
}
static void shorter(model_file *f) {
    f->parts[spoiled].rows -= 1;
}
static void wider(model_file *f) {
    f->parts[spoiled].cols += 1;
}
static void not_finite(model_file *f) {
    model_part *part = &f->parts[spoiled];
    if (part->dtype == PQ_F16) {
        part->data.halves[part->rows - 1] = 0x7e00;
    } else {
        part->data.counts[part->rows - 1] = 0x7f800000;
    }
}

static void test_every_tensor(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        model_file f;
        model_file_make(&f, &model_kinds[kind]);
        for (spoiled = 0; spoiled < f.count; spoiled++) {
            const model_part *part = &f.parts[spoiled];
            char named[80];
            snprintf(named, sizeof(named), "\"%s\"", part->name);
            /* Without what tells its type a field is one of categories, or of buckets. */
            const char *other = strstr(part->name, "several")     ? "\"profile.age.terms\""
                                : strstr(part->name, "quantiles") ? "\"profile.age.bounds\""
                                                                  : named;
            if (strcmp(part->name, "profile.gender.several") != 0) {
                refuse_one(&(damage){"missing", kind, gone, PIQUE_CORRUPT, other});
            }
            refuse_one(&(damage){"retyped", kind, retyped, PIQUE_CORRUPT, named});
            if (part->dtype != PQ_U8 && part->dtype != PQ_U32) {
                /* Fewer boundaries make fewer buckets, and fewer landmarks will do. */
                bool bounds = strcmp(part->name, "profile.age.bounds") == 0;
                if (strcmp(part->name, "profile.age.quantiles") != 0) {
                    refuse_one(&(damage){"shorter", kind, shorter, PIQUE_CORRUPT,
                                         bounds ? "\"profile.age\": shape" : named});
                }
                refuse_one(&(damage){"wider", kind, wider, PIQUE_CORRUPT, named});
            }
            /* What a missing number counts as may be anything: it is mapped to an end, or UNKNOWN. */
            bool fill = strcmp(part->name, "profile.age.missing") == 0;
            if (!fill && (part->dtype == PQ_F32 || part->dtype == PQ_F16)) {
                refuse_one(&(damage){"not finite", kind, not_finite, PIQUE_CORRUPT, named});
            }
        }
    }
}

/* ---- what only single tensors can have ---- */

static void negative_scale(model_file *f) {
    model_file_part(f, "item.weight.scale")->data.halves[4] |= 0x8000;
}
static void half_rows(model_file *f) {
    model_file_part(f, "item.weight")->dtype = PQ_F16;
}
static void duplicate_ids(model_file *f) {
    model_file_part(f, "item.ids")->data.bytes[0] = '1'; /* "b" becomes a second "1" */
}
static void falling_offsets(model_file *f) {
    model_file_part(f, "item.ids.offsets")->data.counts[3] = 0;
}
static void offsets_past_the_end(model_file *f) {
    model_part *part = model_file_part(f, "item.ids.offsets");
    part->data.counts[part->rows - 1] += 1;
}
static void offsets_from_one(model_file *f) {
    model_file_part(f, "item.ids.offsets")->data.counts[0] = 1;
}
static void offsets_matrix(model_file *f) {
    model_file_part(f, "item.ids.offsets")->cols = 1;
}
static void one_item_less(model_file *f) {
    model_part *offsets = model_file_part(f, "item.ids.offsets");
    offsets->rows -= 1;
    model_file_part(f, "item.ids")->rows = offsets->data.counts[offsets->rows - 1];
}
static void no_items(model_file *f) {
    model_file_part(f, "item.ids.offsets")->rows = 1;
    model_file_part(f, "item.ids")->rows = 0;
}
static void no_offsets(model_file *f) {
    model_file_part(f, "item.ids.offsets")->rows = 0;
}
static void duplicate_terms(model_file *f) {
    model_file_part(f, "profile.gender.terms")->data.bytes[1] = 'f';
}

static void equal_bounds(model_file *f) {
    model_part *part = model_file_part(f, "profile.age.bounds");
    part->data.floats[1] = part->data.floats[0];
}
static void falling_bounds(model_file *f) {
    model_file_part(f, "profile.age.bounds")->data.floats[0] = 31;
}
static void nan_bound(model_file *f) {
    model_file_part(f, "profile.age.bounds")->data.counts[0] = 0x7fc00000;
}
static void bounds_in_half_precision(model_file *f) {
    model_file_part(f, "profile.age.bounds")->dtype = PQ_F16;
}
static void falling_landmarks(model_file *f) {
    model_file_part(f, "profile.age.quantiles")->data.floats[1] = 31;
}
static void no_landmarks(model_file *f) {
    model_file_part(f, "profile.age.quantiles")->rows = 0;
}
static void landmarks_of_buckets(model_file *f) {
    model_part *part = model_file_part(f, "profile.age.bounds");
    snprintf(part->name, sizeof(part->name), "profile.age.quantiles");
}
static void separator_of_no_ascii(model_file *f) {
    model_file_part(f, "profile.gender.several")->data.counts[0] = 128;
}
static void no_separator(model_file *f) {
    model_file_part(f, "profile.gender.several")->data.counts[0] = 0;
}
static void newest_of_three(model_file *f) {
    model_file_part(f, "profile.gender.several")->data.counts[2] = 3;
}
static void empty_vector(model_file *f) {
    memcpy(model_file_part(f, "profile.gender.several")->data.counts, (uint32_t[]){'|', 0, 2, 0},
           4 * sizeof(uint32_t));
}
static void wide_vector(model_file *f) {
    memcpy(model_file_part(f, "profile.gender.several")->data.counts, (uint32_t[]){'|', 3, 2, 0},
           4 * sizeof(uint32_t));
}
static void too_many_words(model_file *f) {
    model_file_part(f, "profile.age.several")->data.counts[3] = UINT32_MAX - 1;
}
static void one_word_more(model_file *f) {
    model_file_part(f, "profile.age.several")->data.counts[3] = 4;
}
static void five_several(model_file *f) {
    model_file_part(f, "profile.age.several")->rows = 5;
}
static void two_missing(model_file *f) {
    model_file_part(f, "profile.age.missing")->rows = 2;
}

static void test_contents(void **state) {
    (void)state;
    static const damage cases[] = {
        {"negative scale", 3, negative_scale, PIQUE_CORRUPT,
         "tensor \"item.weight.scale\": scale 4 is negative"},
        {"rows in half precision", 0, half_rows, PIQUE_CORRUPT, "tensor \"item.weight\""},
        {"an id twice", 0, duplicate_ids, PIQUE_CORRUPT, "tensor \"item.ids\": \"1\" stands twice"},
        {"falling offsets", 0, falling_offsets, PIQUE_CORRUPT, "tensor \"item.ids\": the offsets"},
        {"offsets too far", 0, offsets_past_the_end, PIQUE_CORRUPT, "tensor \"item.ids\": the off"},
        {"offsets from 1", 0, offsets_from_one, PIQUE_CORRUPT, "tensor \"item.ids\": the offsets"},
        {"offsets a matrix", 0, offsets_matrix, PIQUE_CORRUPT, "\"item.ids.offsets\""},
        {"ids for fewer rows", 0, one_item_less, PIQUE_CORRUPT, "tensor \"item.weight\": shape"},
        {"no items", 0, no_items, PIQUE_CORRUPT, "the file has no items"},
        {"no offsets", 0, no_offsets, PIQUE_CORRUPT, "\"item.ids.offsets\""},
        {"equal bounds", 2, equal_bounds, PIQUE_CORRUPT, "\"profile.age.bounds\" does not rise"},
        {"falling bounds", 2, falling_bounds, PIQUE_CORRUPT,
         "\"profile.age.bounds\" does not rise"},
        {"a bound that is no number", 2, nan_bound, PIQUE_CORRUPT,
         "\"profile.age.bounds\" does not"},
        {"bounds in half precision", 2, bounds_in_half_precision, PIQUE_CORRUPT,
         "\"profile.age.bounds\""},
        {"falling landmarks", 6, falling_landmarks, PIQUE_CORRUPT,
         "\"profile.age.quantiles\" does not rise"},
        {"no landmarks", 6, no_landmarks, PIQUE_CORRUPT, "\"profile.age.quantiles\" does not rise"},
        {"landmarks with a table of buckets", 2, landmarks_of_buckets, PIQUE_CORRUPT,
         "\"profile.age\": shape"},
        {"a separator that is no ASCII", 5, separator_of_no_ascii, PIQUE_CORRUPT,
         "\"profile.gender.several\" makes no sense"},
        {"no separator", 5, no_separator, PIQUE_CORRUPT, "\"profile.gender.several\" makes no"},
        {"neither first nor last", 5, newest_of_three, PIQUE_CORRUPT, "\"profile.gender.several\""},
        {"a vector of no number", 5, empty_vector, PIQUE_CORRUPT,
         "\"profile.gender.several\" makes no sense"},
        {"a vector wider than its table", 5, wide_vector, PIQUE_CORRUPT,
         "\"profile.gender\": shape"},
        {"too many words", 5, too_many_words, PIQUE_CORRUPT, "\"profile.age.several\" makes no"},
        {"a word more", 5, one_word_more, PIQUE_CORRUPT, "\"profile.age\": shape"},
        {"five numbers", 5, five_several, PIQUE_CORRUPT, "\"profile.age.several\": shape"},
        {"two missing codes", 2, two_missing, PIQUE_CORRUPT, "\"profile.age.missing\": shape"},
        {"a term twice", 1, duplicate_terms, PIQUE_CORRUPT, "tensor \"profile.gender.terms\""},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        refuse_one(&cases[i]);
    }
}

/* Numbers that are finite alone and not together: the query fails, not the program. */
static void test_numbers_that_overflow(void **state) {
    (void)state;
    testing t;
    model_file f;
    pique_context *ctx;
    pique_model *model;
    pique_session *session;
    pique_interests in;
    static const uint32_t history[] = {1, 2, 3};
    const pique_query q = {.history = history, .history_count = 3};
    testing_open(&t);
    pique_allocator allocator = testing_allocator(&t);
    assert_int_equal(pique_context_create(&allocator, &ctx), PIQUE_OK);
    model_file_make(&f, &model_kinds[1]);
    model_part *part = model_file_part(&f, "mlp.w2");
    for (uint32_t i = 0; i < part->rows * part->cols; i++) {
        part->data.floats[i] = 3e38f;
    }
    part = model_file_part(&f, "mlp.b1");
    for (uint32_t i = 0; i < part->cols; i++) {
        part->data.floats[i] = 3e38f;
    }
    assert_ok(ctx, model_file_open(ctx, &f, &model));
    assert_ok(ctx, pique_session_create(ctx, model, &session));
    assert_failure(ctx, pique_session_interests(session, &q, &in), PIQUE_NUMERIC, "not finite");
    pique_session_free(session);
    pique_model_free(model);
    pique_context_free(ctx);
    testing_close(&t);
}

/* ---- damage to the bytes ---- */

typedef struct {
    testing t;
    pique_context *ctx;
    unsigned char *bytes;
    size_t size;
} whole;

static void make_whole(whole *w, uint32_t kind) {
    model_file f;
    void *bytes;
    testing_open(&w->t);
    pique_allocator allocator = testing_allocator(&w->t);
    assert_int_equal(pique_context_create(&allocator, &w->ctx), PIQUE_OK);
    model_file_make(&f, &model_kinds[kind]);
    assert_ok(w->ctx, model_file_write(w->ctx, &f, &bytes, &w->size));
    w->bytes = bytes;
}

static void drop_whole(whole *w) {
    pique_release(w->ctx, w->bytes);
    pique_context_free(w->ctx);
    testing_close(&w->t);
}

/* Opens a copy of the first `size` bytes. What opens must serve, or say why not. */
static pique_status try_bytes(whole *w, size_t size) {
    static const uint32_t history[] = {1, 12, 3, 4, 3};
    const pique_query q = {
        .history = history, .history_count = 5, .count = 5, .explain = true, .exclude_seen = true};
    pique_model *model;
    void *copy = pique_alloc(w->ctx, size);
    assert_non_null(copy);
    memcpy(copy, w->bytes, size);
    w->ctx->error[0] = 0;
    pique_status status = pique_model_open(w->ctx, copy, size, &model);
    if (status != PIQUE_OK) {
        assert_null(model);
        assert_true(status == PIQUE_CORRUPT || status == PIQUE_VERSION ||
                    status == PIQUE_UNSUPPORTED);
        assert_true(w->ctx->error[0] != 0);
        return status;
    }
    pique_session *session;
    const pique_recommendation *list;
    uint32_t count;
    assert_ok(w->ctx, pique_session_create(w->ctx, model, &session));
    pique_status served = pique_session_recommend(session, &q, &list, &count);
    assert_true(served == PIQUE_OK || (served == PIQUE_NUMERIC && w->ctx->error[0]));
    pique_session_free(session);
    pique_model_free(model);
    return status;
}

static void test_truncated_at_each_byte(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        whole w;
        make_whole(&w, kind);
        assert_int_equal(try_bytes(&w, w.size), PIQUE_OK);
        for (size_t size = 0; size < w.size; size++) {
            assert_int_equal(try_bytes(&w, size), PIQUE_CORRUPT);
        }
        drop_whole(&w);
    }
}

static void test_each_bit_flipped(void **state) {
    (void)state;
    for (uint32_t kind = 0; kind < MODEL_KINDS; kind++) {
        whole w;
        size_t refused = 0;
        make_whole(&w, kind);
        for (size_t bit = 0; bit < w.size * 8; bit++) {
            w.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            refused += try_bytes(&w, w.size) != PIQUE_OK;
            w.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_true(refused > w.size); /* most of the header, at least */
        drop_whole(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_every_tensor),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_numbers_that_overflow),
        cmocka_unit_test(test_truncated_at_each_byte),
        cmocka_unit_test(test_each_bit_flipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
