/* test_blocks.c — files whose item rows come in blocks: what the writer makes, a model that opens from its head and
 * serves what has come, and an index or a block that is damaged. */
#include "model_file.h"

#include "api/opened.h"
#include "native/data/fileio.h"
#include "native/export/cluster.h"
#include "pique_train.h"

#include <math.h>

#define IMPOSSIBLE 0xf0000000u /* a size that leaves 32 bits */

enum { ITEMS = 150, ROWS = ITEMS + 2, BLOCK = 32, BLOCKS = 5 };

typedef struct {
    testing t;
    pique_context *ctx;
    char folder[TESTING_PATH], plain[TESTING_PATH], path[TESTING_PATH];
    void *bytes; /* of the file of blocks, decompressed */
    size_t size, head;
} blocks;

static bool is_of_items(const char *name) {
    return strncmp(name, "item.", 5) == 0 || strcmp(name, "behaviour.weight") == 0;
}

/* Rows as four codebooks' codes alone. */
static void add_codes(pq_writer *w) {
    static uint8_t codes[ROWS * 2];
    static float codebook[4 * PQ_TABLE_CENTROIDS * MODEL_DIM];
    pq_rng rng = pq_rng_make(5, 1, 4);
    for (size_t i = 0; i < PQ_COUNT(codes); i++) {
        codes[i] = (uint8_t)pq_rng_below(&rng, 256);
    }
    for (size_t i = 0; i < PQ_COUNT(codebook); i++) {
        codebook[i] = (float)pq_rng_normal(&rng);
    }
    pq_writer_tensor(w, "item.codes", PQ_U8, ROWS, 2, codes);
    pq_writer_tensor(w, "item.codebook", PQ_F32, 4 * PQ_TABLE_CENTROIDS, MODEL_DIM, codebook);
}

/* A model like those of model_file.h with more items; ids are their numbers. */
static void write_plain(blocks *b, const model_kind *kind, bool coded) {
    static model_file f;
    static float rows[ROWS * MODEL_DIM], lengths[ROWS];
    static char ids[ITEMS * 4];
    static uint32_t offsets[ITEMS + 1];
    model_file_make(&f, kind);
    pq_rng rng = pq_rng_make(3, 1, 4);
    for (uint32_t i = 0; i < ROWS; i++) {
        lengths[i] = 1 + (float)pq_rng_uniform(&rng);
        for (uint32_t d = 0; d < MODEL_DIM; d++) {
            rows[i * MODEL_DIM + d] = i ? (float)pq_rng_normal(&rng) : 0;
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%04u", (unsigned)i + 1);
        memcpy(ids + (size_t)i * 4, id, 4);
        offsets[i + 1] = 4 * (i + 1);
    }
    pq_writer w;
    pq_writer_init(&w, b->ctx);
    model_file_text(&w, "pique.version", f.version);
    model_file_text(&w, "pique.model", f.model);
    model_file_text(&w, "pique.config", f.config);
    model_file_text(&w, "pique.profile", f.profile);
    for (uint32_t i = 0; i < f.count; i++) {
        const model_part *p = &f.parts[i];
        if (!is_of_items(p->name)) {
            pq_writer_tensor(&w, p->name, p->dtype, p->rows, p->cols, &p->data);
        }
    }
    if (coded) {
        add_codes(&w);
    } else {
        pq_writer_tensor(&w, "item.weight", PQ_F32, ROWS, MODEL_DIM, rows);
    }
    if (kind->concat) {
        pq_writer_tensor(&w, "behaviour.weight", PQ_F32, ROWS, MODEL_DIM, rows);
    } else if (kind->cosine) {
        pq_writer_tensor(&w, "item.length", PQ_F32, ROWS, 0, lengths);
    }
    pq_writer_tensor(&w, "item.ids", PQ_U8, sizeof(ids), 0, ids);
    pq_writer_tensor(&w, "item.ids.offsets", PQ_U32, ITEMS + 1, 0, offsets);
    void *bytes;
    size_t size;
    assert_ok(b->ctx, pq_writer_build(&w, &bytes, &size));
    pq_writer_free(&w);
    assert_ok(b->ctx, pq_file_write(b->ctx, b->plain, bytes, size, true));
    pique_release(b->ctx, bytes);
}

/* quant: of the rows; "codes": those of add_codes. */
static void start_as(blocks *b, uint32_t kind, const char *quant) {
    const bool coded = quant && strcmp(quant, "codes") == 0;
    memset(b, 0, sizeof(*b));
    testing_open(&b->t);
    testing_folder(b->folder);
    testing_path(b->plain, b->folder, "plain.pique");
    testing_path(b->path, b->folder, "blocks.pique");
    pique_allocator allocator = testing_allocator(&b->t);
    assert_int_equal(pique_context_create(&allocator, &b->ctx), PIQUE_OK);
    write_plain(b, &model_kinds[kind], coded);
    if (quant && !coded) {
        pique_export_options options;
        pique_export_result result;
        pique_export_options_default(&options);
        options.quant = quant;
        assert_ok(b->ctx, pique_model_export(b->ctx, b->plain, &options, b->plain, &result));
    }
    assert_ok(b->ctx, pique_model_write_blocks(b->ctx, b->plain, BLOCK, b->path));
    assert_ok(b->ctx, pq_file_read(b->ctx, b->path, PQ_MODEL_LIMIT, &b->bytes, &b->size));
    pq_container c;
    assert_ok(b->ctx, pq_container_open(b->ctx, b->bytes, b->size, &c));
    b->head = (size_t)((char *)c.tensors[c.count - 1].data - (char *)b->bytes);
    pq_container_close(&c);
}

static void start(blocks *b, uint32_t kind) {
    start_as(b, kind, model_kinds[kind].int8 ? "int8" : NULL);
}

static void stop(blocks *b) {
    pique_release(b->ctx, b->bytes);
    pique_context_free(b->ctx);
    testing_folder_remove(b->folder);
    testing_close(&b->t);
}

/* The model of the head, in a block of which the rest is not zero. */
static pique_status open_head(blocks *b, size_t size, size_t filled, pique_model **out) {
    char *copy = pique_alloc(b->ctx, b->size);
    assert_non_null(copy);
    memset(copy, 0x5a, b->size);
    memcpy(copy, b->bytes, PQ_MIN(filled, b->size));
    return pique_model_open_head(b->ctx, copy, size, filled, out);
}

static pique_status put(blocks *b, pique_model *model, uint32_t block) {
    uint32_t count, row_bytes;
    const pique_block *all = pique_model_blocks(model, &count, &row_bytes);
    return pique_model_put_block(model, block,
                                 (char *)b->bytes + b->head + (size_t)all[block].first * row_bytes,
                                 (size_t)all[block].rows * row_bytes);
}

static pique_query query_of(const uint32_t *history, uint32_t count) {
    return (pique_query){.history = history, .history_count = count, .count = ITEMS};
}

static const pique_recommendation *recommend(blocks *b, const pique_model *model,
                                             pique_session **session, const pique_query *q,
                                             uint32_t *count) {
    const pique_recommendation *list;
    assert_ok(b->ctx, pique_session_create(b->ctx, model, session));
    assert_ok(b->ctx, pique_session_recommend(*session, q, &list, count));
    return list;
}

/* The members of the file are where the index says, and state their sizes. */
static void test_members(void **state) {
    (void)state;
    blocks b;
    pique_model *model;
    size_t size;
    uint32_t count;
    start(&b, 0);
    unsigned char *file = (unsigned char *)testing_read(b.path, &size);
    assert_ok(b.ctx, pique_model_read(b.ctx, b.path, &model));
    const pique_block *all = pique_model_blocks(model, &count, NULL);
    assert_int_equal(count, BLOCKS);
    size_t at = 0;
    for (uint32_t i = 0; i <= count; i++) {
        const unsigned char *m = file + at;
        uint32_t stated =
            m[16] | (uint32_t)m[17] << 8 | (uint32_t)m[18] << 16 | (uint32_t)m[19] << 24;
        assert_memory_equal(m, "\x1f\x8b\x08\x04", 4);
        assert_memory_equal(m + 10, "\x08\0PQ\x04\0", 6);
        if (i > 0) {
            assert_int_equal(stated, all[i - 1].size);
            assert_int_equal(all[i - 1].first, (i - 1) * BLOCK);
        }
        at += stated;
    }
    assert_int_equal(at, size);
    free(file);
    pique_model_free(model);
    stop(&b);
}

/* Another order of the items, the same recommendations. */
static void test_same_recommendations(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 2 * MODEL_KINDS; n++) {
        blocks b;
        pique_model *models[2];
        pique_session *sessions[2];
        if (n < MODEL_KINDS) {
            start(&b, n);
        } else {
            start_as(&b, n - MODEL_KINDS, "codes");
        }
        const pique_recommendation *lists[2];
        uint32_t counts[2], moved = 0;
        for (int i = 0; i < 2; i++) {
            uint32_t history[3];
            assert_ok(b.ctx, pique_model_read(b.ctx, i ? b.path : b.plain, &models[i]));
            for (uint32_t h = 0; h < 3; h++) {
                static const char *const ids[] = {"0003", "0070", "0149"};
                history[h] = pique_model_find_item(models[i], ids[h], 4);
                assert_int_not_equal(history[h], 0);
            }
            moved += history[1] != 70;
            pique_query q = query_of(history, 3);
            lists[i] = recommend(&b, models[i], &sessions[i], &q, &counts[i]);
        }
        assert_int_equal(counts[0], counts[1]);
        for (uint32_t i = 0; i < counts[0]; i++) {
            size_t size;
            assert_memory_equal(pique_model_item_id(models[0], lists[0][i].item, &size),
                                pique_model_item_id(models[1], lists[1][i].item, &size), 4);
            assert_true(lists[0][i].score == lists[1][i].score);
        }
        assert_int_equal(moved, 1); /* else the order shows nothing */
        for (int i = 0; i < 2; i++) {
            pique_session_free(sessions[i]);
            pique_model_free(models[i]);
        }
        stop(&b);
    }
}

/* Blocks in an odd order: only their items are found, with the scores of the whole model. */
static void test_arriving(void **state) {
    (void)state;
    static const uint32_t order[BLOCKS] = {3, 0, 4, 1, 2};
    static const char *const quants[] = {NULL, "f16", "int8", "int4", "codes"};
    for (uint32_t n = 0; n < MODEL_KINDS * PQ_COUNT(quants); n++) {
        blocks b;
        pique_model *whole, *model;
        pique_session *sessions[2];
        start_as(&b, n / PQ_COUNT(quants), quants[n % PQ_COUNT(quants)]);
        assert_ok(b.ctx, pique_model_read(b.ctx, b.path, &whole));
        assert_ok(b.ctx, open_head(&b, b.size, b.head, &model));
        const uint32_t history[] = {100, 5, 120};
        pique_query q = query_of(history, 3);
        float scores[ROWS], wanted[ROWS];
        uint32_t counts[2];
        for (uint32_t i = 0; i < BLOCKS; i++) {
            assert_false(pique_model_has_item(model, order[i] * BLOCK + 1));
            assert_ok(b.ctx, put(&b, model, order[i]));
            assert_ok(b.ctx, put(&b, model, order[i])); /* again: nothing happens */
            const pique_recommendation *list = recommend(&b, model, &sessions[0], &q, &counts[0]);
            uint32_t there = 0;
            for (uint32_t item = 1; item <= ITEMS; item++) {
                there += pique_model_has_item(model, item);
            }
            assert_int_equal(counts[0], there);
            for (uint32_t place = 0; place < counts[0]; place++) {
                assert_true(pique_model_has_item(model, list[place].item));
                assert_true(list[place].score - list[place].score == 0);
            }
            assert_ok(b.ctx, pique_session_scores(sessions[0], &q, scores));
            for (uint32_t item = 1; item <= ITEMS; item++) {
                bool gone = !pique_model_has_item(model, item);
                assert_true((scores[item] == -INFINITY) == gone);
            }
            const float *near;
            assert_ok(b.ctx, pique_session_near(sessions[0], &q, &near));
            pique_session_free(sessions[0]);
        }
        recommend(&b, model, &sessions[0], &q, &counts[0]);
        recommend(&b, whole, &sessions[1], &q, &counts[1]);
        assert_ok(b.ctx, pique_session_scores(sessions[0], &q, scores));
        assert_ok(b.ctx, pique_session_scores(sessions[1], &q, wanted));
        assert_memory_equal(scores, wanted, sizeof(scores));
        pique_session_free(sessions[0]);
        pique_session_free(sessions[1]);
        pique_model_free(model);
        pique_model_free(whole);
        stop(&b);
    }
}

/* A behaviour whose row has not come counts as one that the model does not know. */
static void check_absent_behaviours(const char *quant) {
    blocks b;
    pique_model *model;
    pique_session *session;
    start_as(&b, 0, quant);
    assert_ok(b.ctx, open_head(&b, b.size, b.head, &model));
    assert_ok(b.ctx, put(&b, model, 0));
    assert_ok(b.ctx, put(&b, model, BLOCKS - 1)); /* of UNKNOWN */
    assert_ok(b.ctx, pique_session_create(b.ctx, model, &session));
    const uint32_t absent[] = {3, 70, 9}, unknown[] = {3, UINT32_MAX, 9};
    float one[ROWS], two[ROWS];
    pique_query q = query_of(absent, 3);
    assert_false(pique_model_has_behaviour(model, 70));
    assert_ok(b.ctx, pique_session_scores(session, &q, one));
    q.history = unknown;
    assert_ok(b.ctx, pique_session_scores(session, &q, two));
    assert_memory_equal(one, two, sizeof(one));
    float rank[2];
    const uint32_t candidates[] = {70, 9};
    assert_ok(b.ctx, pique_session_rank(session, &q, candidates, 2, rank));
    assert_true(rank[0] == -INFINITY && rank[1] == two[9]);
    pique_session_free(session);
    pique_model_free(model);
    stop(&b);
}

static void test_absent_behaviours(void **state) {
    (void)state;
    check_absent_behaviours(NULL);
    check_absent_behaviours("codes");
}

/* The i-th word of the index, which is the file's first tensor of that kind. */
static uint32_t *index_word(blocks *b, uint32_t block, uint32_t field) {
    pq_container c;
    assert_ok(b->ctx, pq_container_open(b->ctx, b->bytes, b->size, &c));
    uint32_t *words = pq_container_find(&c, "item.blocks")->data;
    pq_container_close(&c);
    return words + (size_t)block * PQ_BLOCK_FIELDS + field;
}

static void test_damaged_index(void **state) {
    (void)state;
    static const struct {
        uint32_t block, field, change;
        const char *reason;
    } cases[] = {
        {1, 0, (uint32_t)-32, "overlap"},
        {1, 0, 32, "gap before its rows"},
        {0, 0, 32, "gap before its rows"},
        {2, 1, (uint32_t)-BLOCK, "no rows"},
        {2, 1, 32, "overlap"},
        {4, 1, 1, "no rows or more"},
        {4, 1, (uint32_t)-1, "151 of 152 rows"},
        {1, 1, 1, "gap before its rows"}, /* of the next */
        {2, 2, (uint32_t)-1, "its bytes overlap"},
        {2, 2, 1, "gap before its bytes"},
        {1, 3, 1, "its bytes overlap"}, /* of the next */
        {4, 3, IMPOSSIBLE, "size is not possible"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        blocks b;
        pique_model *model = NULL;
        start(&b, 0);
        uint32_t *word = index_word(&b, cases[i].block, cases[i].field);
        *word = cases[i].change == IMPOSSIBLE ? UINT32_MAX : *word + cases[i].change;
        if (i == 7) { /* the first rows agree, but not to a multiple of 32 */
            *index_word(&b, 2, 0) += 1;
            *index_word(&b, 2, 1) -= 1;
        }
        const char *reason = i == 7 ? "odd row" : cases[i].reason;
        assert_failure(b.ctx, open_head(&b, b.size, b.head, &model), PIQUE_CORRUPT, reason);
        assert_failure(b.ctx, open_head(&b, b.size, b.size, &model), PIQUE_CORRUPT, reason);
        assert_null(model);
        stop(&b);
    }
}

static void test_damaged_heads(void **state) {
    (void)state;
    blocks b;
    pique_model *model = NULL;
    start(&b, 0);
    const size_t filled[] = {0, 7, 100, b.head - 1, b.head + 1, b.size - 1};
    for (size_t i = 0; i < PQ_COUNT(filled); i++) {
        assert_failure(b.ctx, open_head(&b, b.size, filled[i], &model), PIQUE_CORRUPT,
                       "ends early");
        assert_null(model);
    }
    assert_failure(b.ctx, open_head(&b, b.size - 1, b.head, &model), PIQUE_CORRUPT, "ends early");
    /* A file without an index has no head. */
    pique_release(b.ctx, b.bytes);
    assert_ok(b.ctx, pq_file_read(b.ctx, b.plain, PQ_MODEL_LIMIT, &b.bytes, &b.size));
    assert_failure(b.ctx, open_head(&b, b.size, b.size - 1, &model), PIQUE_CORRUPT, "ends early");
    stop(&b);
}

static void test_damaged_blocks(void **state) {
    (void)state;
    blocks b;
    pique_model *model;
    uint32_t count, row_bytes;
    start(&b, 0);
    assert_ok(b.ctx, open_head(&b, b.size, b.head, &model));
    const pique_block *all = pique_model_blocks(model, &count, &row_bytes);
    float *rows = (float *)((char *)b.bytes + b.head);
    size_t size = (size_t)all[0].rows * row_bytes;
    assert_failure(b.ctx, pique_model_put_block(model, count, rows, size), PIQUE_ARGUMENT,
                   "none of number");
    assert_failure(b.ctx, pique_model_put_block(model, 0, rows, size - 1), PIQUE_CORRUPT,
                   "damaged");
    assert_failure(b.ctx, pique_model_put_block(model, 1, rows, size), PIQUE_CORRUPT, "checksum");
    const float right = rows[40];
    rows[40] += 1;
    assert_failure(b.ctx, pique_model_put_block(model, 0, rows, size), PIQUE_CORRUPT, "block 0");
    rows[40] = right;
    assert_false(pique_model_has_item(model, 1));
    assert_ok(b.ctx, pique_model_put_block(model, 0, rows, size));
    assert_true(pique_model_has_item(model, 1));
    pique_model_free(model);
    /* Rows that are not finite, with the checksum that belongs to them. */
    rows[33 * MODEL_DIM] = NAN;
    *index_word(&b, 1, 4) = pq_crc32(rows + 32 * MODEL_DIM, size);
    assert_ok(b.ctx, open_head(&b, b.size, b.head, &model));
    assert_failure(b.ctx, put(&b, model, 1), PIQUE_CORRUPT, "finite");
    assert_false(pique_model_has_item(model, 33));
    pique_model_free(model);
    stop(&b);
}

/* Any byte is a code; only the checksum tells. */
static void test_damaged_codes(void **state) {
    (void)state;
    blocks b;
    pique_model *model;
    start_as(&b, 0, "codes");
    assert_ok(b.ctx, open_head(&b, b.size, b.head, &model));
    ((uint8_t *)b.bytes)[b.head + (size_t)2 * BLOCK] ^=
        1; /* the first of block 1, two bytes a row */
    assert_failure(b.ctx, put(&b, model, 1), PIQUE_CORRUPT, "\"item.codes\": block 1");
    assert_false(pique_model_has_item(model, BLOCK));
    assert_ok(b.ctx, put(&b, model, 0));
    assert_true(pique_model_has_item(model, BLOCK - 1));
    pique_model_free(model);
    stop(&b);
}

static void test_checksum(void **state) {
    (void)state;
    assert_int_equal(pq_crc32("123456789", 9), 0xcbf43926u); /* the check value of CRC-32 */
    assert_int_equal(pq_crc32("", 0), 0);
}

/* Points of four corners: every piece holds those of one. */
static void test_cluster(void **state) {
    (void)state;
    enum { EACH = 50 };
    static const float corners[4][2] = {{0, 0}, {9, 0}, {0, 7}, {9, 7}};
    testing t;
    testing_open(&t);
    float vectors[4 * EACH][2];
    uint32_t rows[4 * EACH];
    pq_rng rng = pq_rng_make(1, 2, 3);
    for (uint32_t i = 0; i < 4 * EACH; i++) {
        rows[i] = i;
        for (int d = 0; d < 2; d++) {
            vectors[i][d] = corners[i % 4][d] + (float)pq_rng_uniform(&rng);
        }
    }
    assert_ok(&t.ctx, pq_cluster(&t.ctx, vectors[0], 2, rows, 4 * EACH, EACH));
    for (uint32_t i = 0; i < 4 * EACH; i++) {
        assert_int_equal(rows[i] % 4, rows[i / EACH * EACH] % 4);
        assert_true(i % EACH == 0 || rows[i] > rows[i - 1]);
    }
    testing_close(&t);
}

static void test_refused(void **state) {
    (void)state;
    blocks b;
    start(&b, 0);
    static const uint32_t sizes[] = {0, 31, 33, 1u << 21};
    for (size_t i = 0; i < PQ_COUNT(sizes); i++) {
        assert_failure(b.ctx, pique_model_write_blocks(b.ctx, b.plain, sizes[i], b.path),
                       PIQUE_ARGUMENT, "multiple of 32");
    }
    stop(&b);
}

/* In all that happens between a head and its last block. */
static pique_status live(testing *t, void *argument) {
    blocks *b = argument;
    pique_allocator allocator = testing_allocator(t);
    pique_context *ctx = NULL;
    pique_model *model = NULL;
    pique_status status = pique_context_create(&allocator, &ctx);
    if (status != PIQUE_OK) {
        snprintf(t->ctx.error, sizeof(t->ctx.error), "no context");
        return status;
    }
    char *copy = pique_alloc(ctx, b->size);
    status = copy ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        memcpy(copy, b->bytes, b->head);
        status = pique_model_open_head(ctx, copy, b->size, b->head, &model);
    }
    for (uint32_t i = 0; status == PIQUE_OK && i < BLOCKS; i++) {
        status = put(b, model, i);
    }
    snprintf(t->ctx.error, sizeof(t->ctx.error), "%s", pique_error(ctx));
    pique_model_free(model);
    pique_context_free(ctx);
    return status;
}

static void test_memory(void **state) {
    (void)state;
    blocks b;
    start(&b, 3); /* int8 rows of an odd width */
    testing_fail_each(live, &b);
    stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),        cmocka_unit_test(test_same_recommendations),
        cmocka_unit_test(test_arriving),       cmocka_unit_test(test_absent_behaviours),
        cmocka_unit_test(test_damaged_index),  cmocka_unit_test(test_damaged_heads),
        cmocka_unit_test(test_damaged_blocks), cmocka_unit_test(test_damaged_codes),
        cmocka_unit_test(test_checksum),       cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
