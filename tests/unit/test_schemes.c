/* test_schemes.c — files with the item rows of every scheme serve what a file with the decoded floats serves, and
 * whatever is wrong with such rows is told with the name of the tensor. */
#include "model_file.h"

#include <math.h>

enum { WIDE = 6 };

/* The file of kind 0, made six columns wide so that codes of three bytes fit. */
static void widen(model_file *f) {
    static const struct {
        const char *name;
        uint32_t rows, cols;
    } shapes[] = {{"item.weight", MODEL_ROWS, WIDE},
                  {"map.w", WIDE, WIDE},
                  {"mlp.w1", MODEL_HIDDEN, WIDE},
                  {"mlp.w2", WIDE, MODEL_HIDDEN},
                  {"mlp.b2", 1, WIDE}};
    char *dim = strstr(f->config, "\"dim\":5");
    assert_non_null(dim);
    dim[6] = '6';
    pq_rng rng = pq_rng_make(11, 0, 0);
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        model_part *part = model_file_part(f, shapes[i].name);
        part->rows = shapes[i].rows;
        part->cols = shapes[i].cols;
        for (uint32_t c = 0; c < part->rows * part->cols; c++) {
            part->data.floats[c] = (float)(0.5 * pq_rng_normal(&rng));
        }
    }
}

static void floats_to_halves(model_part *part) {
    const uint32_t count = part->rows * (part->cols ? part->cols : 1);
    part->dtype = PQ_F16;
    for (uint32_t i = 0; i < count; i++) {
        part->data.halves[i] = pq_half_from_float(part->data.floats[i]);
    }
}

static void halves_to_floats(model_part *part) {
    const uint32_t count = part->rows * (part->cols ? part->cols : 1);
    part->dtype = PQ_F32;
    for (uint32_t i = count; i-- > 0;) {
        part->data.floats[i] = pq_half_to_float(part->data.halves[i]);
    }
}

/* Each changes a file to its scheme and `plain` to what its rows mean. */

static void make_f16(model_file *f, model_file *plain) {
    floats_to_halves(model_file_part(f, "item.weight"));
    *model_file_part(plain, "item.weight") = *model_file_part(f, "item.weight");
    halves_to_floats(model_file_part(plain, "item.weight"));
}

static void make_int4(model_file *f, model_file *plain) {
    model_part *rows = model_file_part(f, "item.weight");
    float *floats = model_file_part(plain, "item.weight")->data.floats;
    const uint32_t cols = rows->cols, bytes = (cols + 1) / 2;
    pq_rng rng = pq_rng_make(12, 0, 0);
    rows->dtype = PQ_U8;
    rows->cols = bytes;
    memset(rows->data.bytes, 0x88, (size_t)MODEL_ROWS * bytes);
    model_part *scales = model_file_add(f, "item.weight.scale", PQ_F32, MODEL_ROWS, 1);
    for (uint32_t r = 0; r < MODEL_ROWS; r++) {
        scales->data.floats[r] = (float)(0.05 + 0.2 * pq_rng_uniform(&rng));
        for (uint32_t i = 0; i < cols; i++) {
            const int code = (int)pq_rng_below(&rng, 15) - 7;
            uint8_t *byte = &rows->data.bytes[r * bytes + i / 2];
            const int other = i % 2 ? *byte & 15 : *byte & 0xf0;
            *byte = (uint8_t)(other | (i % 2 ? (code + 8) << 4 : code + 8));
            floats[r * cols + i] = (float)code * scales->data.floats[r];
        }
    }
}

/* int8: the codebook as bytes with a scale a row, else halves. */
static void add_codes(model_file *f, model_file *plain, uint32_t bytes, bool int8) {
    float *floats = model_file_part(plain, "item.weight")->data.floats;
    const uint32_t m = 2 * bytes;
    pq_rng rng = pq_rng_make(13, 0, 0);
    model_part *codes = model_file_add(f, "item.codes", PQ_U8, MODEL_ROWS, bytes);
    for (uint32_t i = 0; i < MODEL_ROWS * bytes; i++) {
        codes->data.bytes[i] = (uint8_t)pq_rng_below(&rng, 256);
    }
    model_file_floats(f, "item.codebook", 16 * m, WIDE, 0.5, !int8);
    model_part *book = model_file_part(f, "item.codebook");
    float centroids[16 * WIDE * WIDE];
    for (uint32_t i = 0; i < 16 * m * WIDE; i++) {
        centroids[i] = int8 ? 0 : pq_half_to_float(book->data.halves[i]);
    }
    if (int8) {
        model_part *scales = model_file_add(f, "item.codebook.scale", PQ_F16, 16 * m, 0);
        book->dtype = PQ_I8;
        for (uint32_t i = 0; i < 16 * m * WIDE; i++) {
            scales->data.halves[i / WIDE] = pq_half_from_float(0.01f);
            book->data.codes[i] = (int8_t)((int)pq_rng_below(&rng, 255) - 127);
            centroids[i] = (float)book->data.codes[i] * pq_half_to_float(pq_half_from_float(0.01f));
        }
    }
    for (uint32_t r = 0; r < MODEL_ROWS; r++) {
        for (uint32_t d = 0; d < WIDE; d++) {
            double sum = 0;
            for (uint32_t at = 0; at < m; at++) {
                const int code = codes->data.bytes[r * bytes + at / 2] >> (at % 2 * 4) & 15;
                sum += centroids[(at * 16 + (uint32_t)code) * WIDE + d];
            }
            floats[r * WIDE + d] = (float)sum;
        }
    }
}

static void make_codes(model_file *f, model_file *plain) {
    widen(f);
    widen(plain);
    model_file_part(f, "item.weight")->gone = true;
    add_codes(f, plain, 3, true);
}

static void make_few_codes(model_file *f, model_file *plain) {
    widen(f);
    widen(plain);
    model_file_part(f, "item.weight")->gone = true;
    add_codes(f, plain, 2, false); /* four codebooks for six columns */
}

static void make_codes_and_rows(model_file *f, model_file *plain) {
    widen(f);
    widen(plain);
    model_file unused = *plain;
    add_codes(f, &unused, 3,
              false); /* far from the rows: the list is long enough to hold all items */
}

static void make_int8_layer(model_file *f, model_file *plain) {
    model_part *layer = model_file_part(f, "mlp.w1"), *floats = model_file_part(plain, "mlp.w1");
    layer->dtype = PQ_I8;
    model_part *scales = model_file_add(f, "mlp.w1.scale", PQ_F16, layer->rows, 0);
    for (uint32_t i = 0; i < layer->rows * layer->cols; i++) {
        scales->data.halves[i / layer->cols] = pq_half_from_float(0.01f);
        layer->data.codes[i] = (int8_t)(i * 37 % 255 - 127);
        floats->data.floats[i] =
            (float)layer->data.codes[i] * pq_half_to_float(pq_half_from_float(0.01f));
    }
}

typedef struct {
    const char *name; /* as info has it */
    void (*make)(model_file *f, model_file *plain);
} scheme;

static const scheme schemes[] = {{"f16", make_f16},
                                 {"int4", make_int4},
                                 {"pq3", make_codes},
                                 {"pq2", make_few_codes},
                                 {"pq3+f32", make_codes_and_rows},
                                 {"f32", make_int8_layer}};

static void ask(pique_context *ctx, pique_model *model, float *scores, uint32_t *items) {
    static const uint32_t history[] = {1, 7, 3, 3, 10};
    const pique_query q = {.history = history, .history_count = 5, .count = MODEL_ITEMS};
    pique_session *session;
    const pique_recommendation *list;
    uint32_t count;
    assert_ok(ctx, pique_session_create(ctx, model, &session));
    assert_ok(ctx, pique_session_scores(session, &q, scores));
    assert_ok(ctx, pique_session_recommend(session, &q, &list, &count));
    assert_int_equal(count, MODEL_ITEMS);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = list[i].item;
        assert_true(fabsf(list[i].score - scores[list[i].item]) <= 1e-5f);
    }
    pique_session_free(session);
}

static void check_vectors(pique_context *ctx, const pique_model *model, const model_file *plain) {
    const model_part *rows = model_file_part((model_file *)plain, "item.weight");
    const uint32_t width = pique_model_width(model);
    float vector[WIDE];
    assert_true(width <= WIDE && width == rows->cols);
    for (uint32_t item = 1; item <= MODEL_ITEMS; item++) {
        assert_ok(ctx, pique_model_item_vector(model, item, vector));
        for (uint32_t d = 0; d < width; d++) {
            assert_true(fabsf(vector[d] - rows->data.floats[item * width + d]) <= 1e-5f);
        }
    }
    assert_failure(ctx, pique_model_item_vector(model, 0, vector), PIQUE_ARGUMENT, "item 0");
    assert_failure(ctx, pique_model_item_vector(model, MODEL_ITEMS + 1, vector), PIQUE_ARGUMENT,
                   "is not there");
}

static void test_serves_as_decoded(void **state) {
    (void)state;
    for (size_t s = 0; s < PQ_COUNT(schemes); s++) {
        testing t;
        static model_file f, plain;
        pique_context *ctx;
        pique_model *model, *decoded;
        char named[40];
        float scores[MODEL_ROWS], expected[MODEL_ROWS];
        uint32_t items[MODEL_ITEMS], order[MODEL_ITEMS];
        testing_open(&t);
        pique_allocator allocator = testing_allocator(&t);
        assert_int_equal(pique_context_create(&allocator, &ctx), PIQUE_OK);
        model_file_make(&f, &model_kinds[0]);
        model_file_make(&plain, &model_kinds[0]);
        schemes[s].make(&f, &plain);
        assert_ok(ctx, model_file_open(ctx, &f, &model));
        assert_ok(ctx, model_file_open(ctx, &plain, &decoded));
        snprintf(named, sizeof(named), "\"quant\":\"%s\"", schemes[s].name);
        assert_non_null(strstr(pique_model_info(model), named));
        ask(ctx, model, scores, items);
        ask(ctx, decoded, expected, order);
        for (uint32_t i = 1; i <= MODEL_ITEMS; i++) {
            assert_true(fabsf(scores[i] - expected[i]) <= 1e-4f);
        }
        assert_memory_equal(items, order, sizeof(items));
        check_vectors(ctx, model, &plain);
        pique_model_free(decoded);
        pique_model_free(model);
        pique_context_free(ctx);
        testing_close(&t);
    }
}

/* ---- damage ---- */

typedef struct {
    const char *what;
    size_t scheme;
    void (*spoil)(model_file *f);
    const char *words;
} damage;

static void no_low_code(model_file *f) {
    model_file_part(f, "item.weight")->data.bytes[7] &= 0xf0;
}
static void no_high_code(model_file *f) {
    model_file_part(f, "item.weight")->data.bytes[6] &= 0x0f;
}
static void code_behind_the_width(model_file *f) {
    model_file_part(f, "item.weight")->data.bytes[8] =
        (uint8_t)(0x90 | (model_file_part(f, "item.weight")->data.bytes[8] & 15));
}
static void negative_scale(model_file *f) {
    model_file_part(f, "item.weight.scale")->data.floats[4] = -0.5f;
}
static void nan_scale(model_file *f) {
    model_file_part(f, "item.weight.scale")->data.counts[4] = 0x7fc00000;
}
static void flat_scales(model_file *f) {
    model_file_part(f, "item.weight.scale")->cols = 0;
}
static void no_scales(model_file *f) {
    model_file_part(f, "item.weight.scale")->gone = true;
}
static void more_bytes(model_file *f) {
    model_file_part(f, "item.weight")->cols = 4;
}
static void infinite_half(model_file *f) {
    model_file_part(f, "item.weight")->data.halves[9] = 0x7c00;
}
static void four_bytes(model_file *f) {
    model_file_part(f, "item.codes")->cols = 4; /* eight codebooks for six columns */
}
static void no_bytes(model_file *f) {
    model_file_part(f, "item.codes")->cols = 0;
}
static void many_bytes(model_file *f) {
    model_file_part(f, "item.codes")->cols = 12;
}
static void fewer_codes(model_file *f) {
    model_file_part(f, "item.codes")->rows -= 1;
}
static void signed_codes(model_file *f) {
    model_file_part(f, "item.codes")->dtype = PQ_I8;
}
static void no_codebook(model_file *f) {
    model_file_part(f, "item.codebook")->gone = true;
}
static void short_codebook(model_file *f) {
    model_file_part(f, "item.codebook")->rows -= 16;
}
static void wide_codebook(model_file *f) {
    model_file_part(f, "item.codebook")->cols += 1;
}
static void infinite_codebook(model_file *f) {
    model_file_part(f, "item.codebook")->data.halves[3] = 0x7c00;
}
static void codebook_of_subspaces(model_file *f) { /* beside a map: an older file */
    model_file_part(f, "item.codebook")->cols = 1;
    model_file_floats(f, "item.codes.map", WIDE, WIDE, 0.5, true);
}
static void no_codebook_scales(model_file *f) {
    model_file_part(f, "item.codebook.scale")->gone = true;
}
static void negative_codebook_scale(model_file *f) {
    model_file_part(f, "item.codebook.scale")->data.halves[5] |= 0x8000;
}
static void codes_without_all(model_file *f) {
    model_file_part(f, "item.codes")->gone = true;
}
static void no_layer_scale(model_file *f) {
    model_file_part(f, "mlp.w1.scale")->gone = true;
}
static void short_layer_scale(model_file *f) {
    model_file_part(f, "mlp.w1.scale")->rows -= 1;
}
static void negative_layer_scale(model_file *f) {
    model_file_part(f, "mlp.w1.scale")->data.halves[1] |= 0x8000;
}
static void narrow_layer(model_file *f) {
    model_file_part(f, "mlp.w1")->cols -= 1;
}

static void test_damage(void **state) {
    (void)state;
    static const damage cases[] = {
        {"half not finite", 0, infinite_half, "\"item.weight\": element 9"},
        {"int4 without a low code", 1, no_low_code, "\"item.weight\": byte 7 has no int4 code"},
        {"int4 without a high code", 1, no_high_code, "\"item.weight\": byte 6 has no int4 code"},
        {"int4 behind the width", 1, code_behind_the_width, "\"item.weight\": byte 8"},
        {"int4 scale negative", 1, negative_scale, "\"item.weight.scale\": scale 4 is negative"},
        {"int4 scale no number", 1, nan_scale, "\"item.weight.scale\": element 4"},
        {"int4 scales flat", 1, flat_scales, "\"item.weight.scale\": shape"},
        {"int4 without scales", 1, no_scales, "\"item.weight.scale\" is missing"},
        {"int4 rows too long", 1, more_bytes, "\"item.weight\": shape"},
        {"codes longer than the width", 2, four_bytes,
         "\"item.codes\": 4 bytes an item of width 6"},
        {"codes flat", 2, no_bytes, "\"item.codes\""},
        {"codes too long", 2, many_bytes, "\"item.codes\": 12 bytes"},
        {"codes of fewer items", 2, fewer_codes, "\"item.codes\": shape"},
        {"codes of another type", 2, signed_codes, "\"item.codes\": element type"},
        {"no codebook", 2, no_codebook, "\"item.codebook\" is missing"},
        {"codebook short", 2, short_codebook, "\"item.codebook\": shape"},
        {"codebook wide", 3, wide_codebook, "\"item.codebook\": shape"},
        {"codebook not finite", 3, infinite_codebook, "\"item.codebook\": element 3"},
        {"codebook of subspaces", 2, codebook_of_subspaces, "\"item.codebook\": shape"},
        {"codebook without scales", 2, no_codebook_scales, "\"item.codebook.scale\" is missing"},
        {"codebook scale negative", 2, negative_codebook_scale,
         "\"item.codebook.scale\": scale 5 is negative"},
        {"neither codes nor rows", 2, codes_without_all, "\"item.weight\" is missing"},
        {"layer without scales", 5, no_layer_scale, "\"mlp.w1.scale\" is missing"},
        {"layer with few scales", 5, short_layer_scale, "\"mlp.w1.scale\": shape"},
        {"layer scale negative", 5, negative_layer_scale, "\"mlp.w1.scale\": scale 1 is negative"},
        {"layer narrow", 5, narrow_layer, "\"mlp.w1\": shape"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        testing t;
        static model_file f, plain;
        pique_context *ctx;
        pique_model *model;
        testing_open(&t);
        pique_allocator allocator = testing_allocator(&t);
        assert_int_equal(pique_context_create(&allocator, &ctx), PIQUE_OK);
        model_file_make(&f, &model_kinds[0]);
        model_file_make(&plain, &model_kinds[0]);
        schemes[cases[i].scheme].make(&f, &plain);
        cases[i].spoil(&f);
        pique_status status = model_file_open(ctx, &f, &model);
        if (status != PIQUE_CORRUPT || !strstr(pique_error(ctx), cases[i].words)) {
            fail_msg("%s: status %d, \"%s\"", cases[i].what, (int)status, pique_error(ctx));
        }
        assert_null(model);
        pique_context_free(ctx);
        testing_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_serves_as_decoded),
                                       cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
