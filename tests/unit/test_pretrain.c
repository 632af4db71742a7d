/* test_pretrain.c — the item graph and its contexts, features of items, and pretraining on planted communities. */
#include "tests/unit/small_data.h"

#include <math.h>

#include "file/layout.h"
#include "kernels/kernels.h"
#include "native/data/fileio.h"
#include "native/data/side_file.h"
#include "native/pretrain/pretrain.h"

/* Users of one pair of items each: an edge has as many users as it has lines, all of which train. */
static pique_dataset *open_edges(pq_ctx *ctx, const char *lines) {
    pique_dataset *dataset;
    assert_ok(ctx, small_data_open(ctx, lines, &dataset));
    return dataset;
}

static uint32_t item_of(const pique_dataset *dataset, const char *id) {
    return pq_strings_find(&dataset->items, id, strlen(id)) + 1;
}

static double weight(const pq_item_graph *g, uint32_t a, uint32_t b) {
    for (uint32_t n = 0; n < pq_item_degree(g, a); n++) {
        if (g->neighbours[g->starts[a] + n] == b) {
            return pq_item_graph_weight(g, a, n);
        }
    }
    return 0;
}

/* a - b - c, and d alone. c has the lowest number, so that it comes first where scores are equal. */
static const char path[] = "u1 a b\nu2 a b\nu3 b c\nu4 d d\nu5 c c\nu6 c c\n";

static void test_graph(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_item_graph g;
    pique_dataset *data = open_edges(&t.ctx, path);
    uint32_t a = item_of(data, "a"), b = item_of(data, "b"), c = item_of(data, "c");
    assert_ok(&t.ctx, pq_item_graph_build(&g, &t.ctx, data, 1));
    assert_true(pq_item_graph_joins(&g, a, b) && pq_item_graph_joins(&g, c, b));
    assert_false(pq_item_graph_joins(&g, a, c) || pq_item_graph_joins(&g, a, a));
    assert_int_equal(g.isolated, 1);
    assert_true(fabs(weight(&g, a, b) - (log(2) + 1) / (log(sqrt(2)) + 1)) < 1e-12);
    assert_true(fabs(weight(&g, b, c) - 1 / (log(sqrt(2)) + 1)) < 1e-12);
    assert_true(fabs(weight(&g, b, a) - weight(&g, a, b)) < 1e-12);
    pq_item_graph_free(&g);
    assert_ok(&t.ctx, pq_item_graph_build(&g, &t.ctx, data, 2));
    assert_true(pq_item_graph_joins(&g, a, b) && !pq_item_graph_joins(&g, b, c));
    pq_item_graph_free(&g);
    pique_dataset_free(data);
    testing_close(&t);
}

/* Sizes (1, 1) on a - b - c: from a comes b with score 2, then c or a itself with 1. */
static void test_contexts_of_a_path(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_item_graph g;
    pique_dataset *data = open_edges(&t.ctx, path);
    uint32_t a = item_of(data, "a"), b = item_of(data, "b"), c = item_of(data, "c");
    assert_ok(&t.ctx, pq_item_graph_build(&g, &t.ctx, data, 1));
    bool alone = false, with_c = false, with_self = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        pq_context_draw scratch[8];
        uint32_t out[4], again[4];
        pq_context_options options = {.sizes = {1, 1}, .length = 4, .exclude_self = true};
        uint32_t count = pq_context_draw_all(&g, &options, seed, a, scratch, out);
        assert_true(count >= 1 && count <= 2 && out[0] == b);
        assert_int_equal(pq_context_draw_all(&g, &options, seed, a, scratch, again), count);
        assert_memory_equal(out, again, count * sizeof(*out));
        alone = alone || count == 1;
        with_c = with_c || (count == 2 && out[1] == c);
        assert_true(count == 1 || out[1] == c);
        options.exclude_self = false;
        count = pq_context_draw_all(&g, &options, seed, a, scratch, out);
        assert_true(count == 2 && out[0] == b && (out[1] == c || out[1] == a));
        with_self = with_self || out[1] == a;
        options.length = 1;
        assert_int_equal(pq_context_draw_all(&g, &options, seed, a, scratch, out), 1);
        assert_int_equal(pq_context_draw_all(&g, &options, seed, item_of(data, "d"), scratch, out),
                         0);
    }
    assert_true(alone && with_c && with_self);
    pq_item_graph_free(&g);
    pique_dataset_free(data);
    testing_close(&t);
}

/* On a star every context of a leaf begins with the centre, which half of all draws give. */
static void test_contexts_of_a_star(void **state) {
    (void)state;
    testing t;
    testing_open(&t);
    pq_item_graph g;
    pique_dataset *data = open_edges(&t.ctx, "1 m a\n2 m b\n3 m c\n4 m d\n5 m e\n");
    const pq_context_options options = {.sizes = {3, 2, 2}, .length = 3, .exclude_self = true};
    assert_int_equal(pq_context_draws(&options), 3 + 6 + 12);
    assert_ok(&t.ctx, pq_item_graph_build(&g, &t.ctx, data, 1));
    for (uint64_t seed = 0; seed < 20; seed++) {
        pq_context_draw scratch[21];
        uint32_t out[3];
        uint32_t count = pq_context_draw_all(&g, &options, seed, item_of(data, "a"), scratch, out);
        assert_true(count >= 1 && out[0] == item_of(data, "m"));
        for (uint32_t i = 0; i < count; i++) {
            assert_int_not_equal(out[i], item_of(data, "a"));
        }
    }
    pq_item_graph_free(&g);
    pique_dataset_free(data);
    testing_close(&t);
}

/* ---- two communities, each with a feature of its own ---- */

enum { USERS = 60, EACH = 20 };

/* Users of either community take its items; the last two events of each are those of one common item. */
static char *communities(void) {
    char *text = malloc((size_t)USERS * 12 * 8);
    size_t size = 0;
    assert_non_null(text);
    for (uint32_t u = 0; u < USERS; u++) {
        pq_rng rng = pq_rng_make(3, u, 0);
        size += (size_t)sprintf(text + size, "u%u", (unsigned)u);
        for (uint32_t i = 0; i < 8; i++) {
            size += (size_t)sprintf(text + size, " %c%u", u % 2 ? 'x' : 'y',
                                    (unsigned)pq_rng_below(&rng, EACH));
        }
        size += (size_t)sprintf(text + size, " z z\n");
    }
    return text;
}

/* Features of the items, a noisy direction a community: also of one that nobody took. */
static pique_status write_features(pq_ctx *ctx, const pique_dataset *data, const char *file) {
    enum { WIDTH = 4 };
    float *rows = calloc((size_t)data->items.count * WIDTH, sizeof(*rows));
    pq_writer w;
    void *bytes = NULL;
    size_t size;
    assert_non_null(rows);
    for (uint32_t i = 0; i < data->items.count; i++) {
        const char *id = pq_strings_get(&data->items, i, &size);
        pq_rng rng = pq_rng_make(4, i, 0);
        for (uint32_t j = 0; j < WIDTH; j++) {
            rows[i * WIDTH + j] = (float)(0.3 * pq_rng_normal(&rng) + (j == (id[0] == 'x')));
        }
    }
    pq_writer_init(&w, ctx);
    pq_writer_tensor(&w, PQ_ITEM_IDS, PQ_U8, data->items.offsets[data->items.count], 0,
                     data->items.bytes);
    pq_writer_tensor(&w, PQ_ITEM_IDS PQ_OFFSETS_SUFFIX, PQ_U32, data->items.count + 1, 0,
                     data->items.offsets);
    pq_writer_tensor(&w, "kind", PQ_F32, data->items.count, WIDTH, rows);
    pique_status status = pq_writer_build(&w, &bytes, &size);
    if (status == PIQUE_OK) {
        status = pq_file_write(ctx, file, bytes, size, false);
    }
    pq_free(ctx, bytes);
    pq_writer_free(&w);
    free(rows);
    return status;
}

typedef struct {
    testing t;
    char folder[TESTING_PATH], features[TESTING_PATH], out[TESTING_PATH];
    pique_dataset *data;
} fixture;

static void begin(fixture *f) {
    char *text = communities();
    testing_open(&f->t);
    f->t.ctx.kernels = pq_kernels_find("scalar");
    testing_folder(f->folder);
    testing_path(f->features, f->folder, "features");
    testing_path(f->out, f->folder, "out.pique");
    f->data = open_edges(&f->t.ctx, text);
    assert_ok(&f->t.ctx, write_features(&f->t.ctx, f->data, f->features));
    free(text);
}

static void end(fixture *f) {
    pique_dataset_free(f->data);
    testing_folder_remove(f->folder);
    testing_close(&f->t);
}

#define SMALL                                                                                      \
    "dim=8", "heads=2", "inner=8", "context=4", "hop1=4", "hop2=2", "hop3=0", "theta=2",           \
        "batch=16", "lr=0.01", "warmup=5", "link_hold_out=0.3"

static pique_status train(fixture *f, const char *const *more, uint32_t count, uint32_t threads,
                          pique_pretrain_result *result) {
    const char *set[20] = {SMALL};
    for (uint32_t i = 0; i < count; i++) {
        set[12 + i] = more[i];
    }
    pique_pretrain_options options;
    pique_pretrain_options_default(&options);
    options.out = f->out;
    options.columns = "";
    options.features = f->features;
    options.threads = threads;
    options.set = set;
    options.set_count = 12 + count;
    return pique_pretrain(&f->t.ctx, f->data, &options, NULL, result);
}

static float cosine(const pq_side_rows *rows, uint32_t a, uint32_t b) {
    float sum = 0;
    for (uint32_t j = 0; j < rows->width; j++) {
        sum += pq_side_row(rows, a)[j] * pq_side_row(rows, b)[j];
    }
    return sum;
}

static void test_communities_are_found(void **state) {
    (void)state;
    static const char *const set[] = {"epochs=60"};
    fixture f;
    pique_pretrain_result r;
    pq_side_file file;
    pq_side_rows rows;
    begin(&f);
    assert_ok(&f.t.ctx, train(&f, set, 1, 1, &r));
    if (!(r.link_auc > 0.95)) {
        fail_msg("link AUC %g", r.link_auc);
    }
    assert_ok(&f.t.ctx, pq_side_file_open(&file, &f.t.ctx, f.out, &f.data->items));
    assert_int_equal(file.lacking, 0);
    assert_ok(&f.t.ctx, pq_side_file_rows(&file, PQ_ITEM_WEIGHT, 8, &rows));
    double within = 0, across = 0;
    uint32_t same = 0, other = 0;
    for (uint32_t a = 1; a <= f.data->items.count; a++) {
        assert_true(fabs(cosine(&rows, a, a) - 1) < 1e-5);
        for (uint32_t b = 1; b < a; b++) {
            size_t size;
            char first = pq_strings_get(&f.data->items, a - 1, &size)[0];
            char second = pq_strings_get(&f.data->items, b - 1, &size)[0];
            bool alike = first == second;
            *(alike ? &within : &across) += cosine(&rows, a, b);
            *(alike ? &same : &other) += 1;
        }
    }
    assert_true(within / same > across / other + 0.5);
    pq_side_rows_free(&rows);
    pq_side_file_close(&file);
    end(&f);
}

static void test_each_loss_falls_alone(void **state) {
    (void)state;
    static const char *const links[] = {"beta=0", "epochs=1"}, *const more_links[] = {"beta=0",
                                                                                      "epochs=20"};
    static const char *const told[] = {"graph=0", "mask=0.5", "epochs=1"}, *const more_told[] = {
                                                                               "graph=0",
                                                                               "mask=0.5",
                                                                               "epochs=20"};
    fixture f;
    pique_pretrain_result first, last;
    begin(&f);
    assert_ok(&f.t.ctx, train(&f, links, 2, 1, &first));
    assert_ok(&f.t.ctx, train(&f, more_links, 2, 1, &last));
    assert_true(last.graph_loss < 0.8 * first.graph_loss);
    assert_ok(&f.t.ctx, train(&f, told, 3, 1, &first));
    assert_ok(&f.t.ctx, train(&f, more_told, 3, 1, &last));
    assert_true(last.feature_loss < 0.8 * first.feature_loss);
    end(&f);
}

static void test_same_bytes_for_any_threads(void **state) {
    (void)state;
    static const char *const set[] = {"epochs=2", "dropout=0.2"};
    fixture f;
    pique_pretrain_result r;
    size_t size, again_size;
    begin(&f);
    assert_ok(&f.t.ctx, train(&f, set, 2, 1, &r));
    char *bytes = testing_read(f.out, &size);
    end(&f);
    begin(&f);
    f.t.ctx.allocator = (pique_allocator){0};
    pique_context *ctx;
    assert_int_equal(pique_context_create(NULL, &ctx), PIQUE_OK);
    f.t.ctx.allocator = ctx->allocator;
    assert_ok(&f.t.ctx, train(&f, set, 2, 3, &r));
    char *again = testing_read(f.out, &again_size);
    f.t.ctx.allocator = testing_allocator(&f.t);
    pique_context_free(ctx);
    assert_int_equal(size, again_size);
    assert_memory_equal(bytes, again, size);
    free(bytes);
    free(again);
    end(&f);
}

static void test_refusals(void **state) {
    (void)state;
    fixture f;
    pique_pretrain_result r;
    begin(&f);
    static const char *const lonely[] = {"theta=1000"},
                             *const wide[] = {"hop1=64", "hop2=64", "hop3=64"},
                             *const heads[] = {"heads=3"}, *const none[] = {"graph=0", "beta=0"},
                             *const absent[] = {"nothing=1"};
    assert_failure(&f.t.ctx, train(&f, lonely, 1, 1, &r), PIQUE_DATA, "theta = 1000");
    assert_failure(&f.t.ctx, train(&f, wide, 3, 1, &r), PIQUE_ARGUMENT, "more than 4096 nodes");
    assert_failure(&f.t.ctx, train(&f, heads, 1, 1, &r), PIQUE_ARGUMENT, "heads = 3");
    assert_failure(&f.t.ctx, train(&f, none, 2, 1, &r), PIQUE_ARGUMENT, "nothing to learn");
    assert_failure(&f.t.ctx, train(&f, absent, 1, 1, &r), PIQUE_ARGUMENT, "no option \"nothing\"");
    pique_pretrain_options options;
    pique_pretrain_options_default(&options);
    options.out = f.out;
    assert_failure(&f.t.ctx, pique_pretrain(&f.t.ctx, f.data, &options, NULL, &r), PIQUE_DATA,
                   "nothing is known of the items");
    options.columns = "colour";
    assert_failure(&f.t.ctx, pique_pretrain(&f.t.ctx, f.data, &options, NULL, &r), PIQUE_ARGUMENT,
                   "no column \"colour\"");
    assert_null(testing_read(f.out, &(size_t){0}));
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_contexts_of_a_path),
        cmocka_unit_test(test_contexts_of_a_star),
        cmocka_unit_test(test_communities_are_found),
        cmocka_unit_test(test_each_loss_falls_alone),
        cmocka_unit_test(test_same_bytes_for_any_threads),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
