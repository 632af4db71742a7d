/* test_item_start.c — a model's table of items that begins with the rows of a file. */
#include "tests/unit/trained_run.h"

#include <math.h>

#include "native/data/dataset.h"
#include "native/data/side_file.h"
#include "native/train/item_start.h"
#include "native/train/settings.h"

enum { WIDTH = 8 };

/* Two models of one run's data: the first gives a file, the second begins with it. */
static void make_file(place *p, const char *out, uint32_t seed) {
    static const char *const set[] = {"dim=8", "epochs=1", "dropout=0"};
    char run[TESTING_PATH];
    pique_train_options options;
    pique_train_result result;
    pique_train_options_default(&options);
    options.model = "sasrec";
    options.out = testing_path(run, p->folder, out);
    options.set = set;
    options.set_count = 3;
    options.seed = seed;
    options.threads = 1;
    assert_ok(p->ctx, pique_train(p->ctx, p->data, &options, NULL, &result));
}

typedef struct {
    pq_model model;
    pq_train_options training;
} made;

static void declare(place *p, made *m, const char *name, const char *const *set, uint32_t count) {
    const pique_train_options asked = {
        .model = name, .preset = "best", .set = set, .set_count = count};
    assert_ok(p->ctx, pq_settings_read(p->ctx, &asked, &m->model, &m->training));
    m->model.items.rows = p->data->item_rows;
    assert_ok(p->ctx, pq_model_declare(&m->model));
    pq_params_draw(&m->model.params, 1);
}

static void test_rows_of_a_file(void **state) {
    (void)state;
    static const double scales[] = {1, 3};
    place p;
    char path[TESTING_PATH];
    open_place(&p, "genre");
    make_file(&p, "first", 7);
    testing_path(path, p.folder, "first/model.pique");
    for (size_t s = 0; s < PQ_COUNT(scales); s++) {
        static const char *const set[][2] = {{"dim=8", "init.scale=1"}, {"dim=8", "init.scale=3"}};
        made m;
        pq_side_file file;
        pq_side_rows rows;
        declare(&p, &m, "gru4rec", set[s], 2);
        pq_param *ids = m.model.items.ids;
        const uint32_t items = p.data->items.count;
        assert_ok(p.ctx, pq_item_start(&m.model, p.data, path, &m.training, NULL));
        assert_ok(p.ctx, pq_side_file_open(&file, p.ctx, path, &p.data->items));
        assert_ok(p.ctx, pq_side_file_rows(&file, "item.weight", WIDTH, &rows));
        for (uint32_t i = 1; i <= items; i++) {
            for (uint32_t j = 0; j < WIDTH; j++) {
                double want = scales[s] * pq_side_row(&rows, i)[j];
                assert_true(fabs(ids->value[i * WIDTH + j] - want) < 1e-5);
            }
        }
        for (uint32_t j = 0; j < WIDTH; j++) {
            assert_true(ids->value[j] == 0); /* PAD */
        }
        pq_side_rows_free(&rows);
        pq_side_file_close(&file);
        pq_model_free(&m.model);
    }
    close_place(&p);
}

static void test_other_widths_and_ids(void **state) {
    (void)state;
    static const char *const wide[] = {"dim=12"};
    place p, q;
    made m;
    char path[TESTING_PATH];
    open_place(&p, "genre");
    make_file(&p, "first", 7);
    testing_path(path, p.folder, "first/model.pique");
    declare(&p, &m, "sasrec", wide, 1);
    assert_failure(p.ctx, pq_item_start(&m.model, p.data, path, &m.training, NULL), PIQUE_DATA,
                   "has rows of width 8, not 12");
    pq_model_free(&m.model);
    /* Data of which some items are others: those keep what was drawn. */
    static const char *const narrow[] = {"dim=8"};
    open_ratings(&q, &(ratings){.column = "genre", .others = 10});
    declare(&q, &m, "sasrec", narrow, 1);
    float *drawn = malloc((size_t)q.data->item_rows * WIDTH * sizeof(*drawn));
    assert_non_null(drawn);
    memcpy(drawn, m.model.items.ids->value, (size_t)q.data->item_rows * WIDTH * sizeof(*drawn));
    assert_ok(q.ctx, pq_item_start(&m.model, q.data, path, &m.training, NULL));
    for (uint32_t i = 1; i <= q.data->items.count; i++) {
        size_t size;
        bool other = pq_strings_get(&q.data->items, i - 1, &size)[0] == 'o';
        bool same = true;
        for (uint32_t j = 0; j < WIDTH; j++) {
            same = same && drawn[i * WIDTH + j] == m.model.items.ids->value[i * WIDTH + j];
        }
        assert_int_equal(same, other);
    }
    free(drawn);
    pq_model_free(&m.model);
    close_place(&q);
    close_place(&p);
}

/* Frozen rows are in the model file as they began, after training and after a run that was resumed. */
static void test_frozen_rows(void **state) {
    (void)state;
    static const char *const set[] = {"dim=8", "epochs=2", "init.freeze=1", "dropout=0"};
    place p;
    char path[TESTING_PATH], run[TESTING_PATH], trained[TESTING_PATH];
    pique_train_options options;
    pique_train_result result;
    pq_side_file from;
    pq_side_rows rows;
    open_place(&p, "genre");
    make_file(&p, "first", 7);
    pique_train_options_default(&options);
    options.model = "sasrec";
    options.out = testing_path(run, p.folder, "second");
    options.init_items = testing_path(path, p.folder, "first/model.pique");
    options.set = set;
    options.set_count = 4;
    options.threads = 1;
    assert_ok(p.ctx, pique_train(p.ctx, p.data, &options, NULL, &result));
    testing_path(trained, p.folder, "second/last.ckpt");
    pq_container ckpt;
    size_t size;
    char *bytes = testing_read(trained, &size);
    assert_ok(p.ctx, pq_container_open(p.ctx, bytes, size, &ckpt));
    const float *ids = NULL;
    for (uint32_t t = 0; t < ckpt.count; t++) {
        const pq_tensor *tensor = &ckpt.tensors[t];
        if (tensor->name.size >= 7 &&
            memcmp(tensor->name.bytes + tensor->name.size - 7, "item.id", 7) == 0) {
            assert_null(ids); /* no moments beside the values */
            ids = tensor->data;
        }
    }
    assert_non_null(ids);
    assert_ok(p.ctx, pq_side_file_open(&from, p.ctx, path, &p.data->items));
    assert_ok(p.ctx, pq_side_file_rows(&from, "item.weight", WIDTH, &rows));
    for (uint32_t i = 1; i <= p.data->items.count; i++) {
        for (uint32_t j = 0; j < WIDTH; j++) {
            assert_true(fabs(ids[i * WIDTH + j] - pq_side_row(&rows, i)[j]) < 1e-5);
        }
    }
    pq_side_rows_free(&rows);
    pq_side_file_close(&from);
    pq_container_close(&ckpt);
    free(bytes);
    options.resume = true;
    options.init_items = path;
    assert_ok(p.ctx, pique_train(p.ctx, p.data, &options, NULL, &result));
    close_place(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_a_file),
        cmocka_unit_test(test_other_widths_and_ids),
        cmocka_unit_test(test_frozen_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
