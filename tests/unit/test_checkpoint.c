/* test_checkpoint.c — steps that do not depend on threads, checkpoints that bring everything back and refuse
 * what is not theirs, and the settings of a run. */
#include "small_data.h"

#include "file/container.h"
#include "kernels/kernels.h"
#include "native/train/checkpoint.h"
#include "native/train/settings.h"
#include "native/train/shards.h"

#include <math.h>

/* A small MIND on made-up data, ready to take steps. */
typedef struct {
    pique_context *ctx; /* of the library's allocator: shards allocate from several threads */
    char *text;
    pique_dataset *data;
    pq_model model;
    pq_train_options options;
    pq_optimiser optimiser;
    pq_sampler sampler;
    pq_shards shards;
} run;

static void open_run(run *r, uint32_t threads) {
    static const char *const set[] = {"dim=8",     "hidden=6",     "interests=3",
                                      "history=6", "negatives=20", "dropout=0.3",
                                      "batch=64",  "around=0.3",   "mind.rounds=2"};
    const pique_train_options asked = {
        .model = "mind", .preset = "best", .set = set, .set_count = PQ_COUNT(set), .seed = 5};
    memset(r, 0, sizeof(*r));
    assert_int_equal(pique_context_create(NULL, &r->ctx), PIQUE_OK);
    r->text = small_data_text(40, 30, 25);
    assert_ok(r->ctx, small_data_open(r->ctx, r->text, &r->data));
    assert_ok(r->ctx, pq_settings_read(r->ctx, &asked, &r->model, &r->options));
    r->model.items.rows = r->data->item_rows;
    assert_ok(r->ctx, pq_model_declare(&r->model));
    pq_params_draw(&r->model.params, 5);
    assert_ok(r->ctx, pq_optimiser_init(&r->optimiser, r->ctx, &r->model.params));
    assert_ok(r->ctx, pq_sampler_init(&r->sampler, r->ctx, r->data, &r->options, 5));
    assert_ok(r->ctx, pq_sampler_epoch(&r->sampler, 1));
    assert_ok(r->ctx, pq_shards_init(&r->shards, r->ctx, &r->model, &r->sampler, threads));
}

static void close_run(run *r) {
    pq_shards_free(&r->shards);
    pq_sampler_free(&r->sampler);
    pq_optimiser_free(&r->optimiser);
    pq_model_free(&r->model);
    pique_dataset_free(r->data);
    free(r->text);
    pique_context_free(r->ctx);
}

static double take_step(run *r, size_t first, uint32_t count) {
    const pq_adam adam = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    double loss = 0;
    assert_ok(r->ctx,
              pq_shards_step(&r->shards, &r->sampler, first, count, r->optimiser.step + 1, &loss));
    assert_ok(r->ctx, pq_optimiser_step(&r->optimiser, &adam, &r->shards.shard[0].grads));
    return loss;
}

static void assert_same_state(const run *a, const run *b) {
    assert_int_equal(a->optimiser.step, b->optimiser.step);
    assert_int_equal(a->model.params.count, b->model.params.count);
    for (uint32_t i = 0; i < a->model.params.count; i++) {
        const pq_param *p = a->model.params.list[i];
        size_t size = (size_t)p->rows * p->cols * sizeof(pq_real);
        assert_memory_equal(p->value, b->model.params.list[i]->value, size);
        if (!p->frozen) {
            assert_memory_equal(a->optimiser.first[i], b->optimiser.first[i], size);
            assert_memory_equal(a->optimiser.second[i], b->optimiser.second[i], size);
        }
    }
}

/* ---- shards ---- */

static void test_threads_give_the_same_bits(void **state) {
    (void)state;
    /* Full batches, a batch of fewer labels than shards, and a single label. */
    static const uint32_t counts[] = {64, 64, 61, 5, 1, 64};
    for (uint32_t threads = 2; threads <= 3; threads++) {
        run one, more;
        size_t first = 0;
        open_run(&one, 1);
        open_run(&more, threads);
        for (size_t i = 0; i < PQ_COUNT(counts); i++) {
            double a = take_step(&one, first, counts[i]), b = take_step(&more, first, counts[i]);
            assert_true(a == b && a > 0);
            first += counts[i];
        }
        assert_same_state(&one, &more);
        close_run(&one);
        close_run(&more);
    }
}

/* The only label of a batch is its only negative, and is left out of its own row: nothing to tell apart. */
static void test_in_batch_leaves_out_hits(void **state) {
    (void)state;
    run r;
    open_run(&r, 1);
    pq_shards_free(&r.shards);
    pq_sampler_free(&r.sampler);
    r.options.sampler = PQ_NEGATIVES_IN_BATCH;
    assert_ok(r.ctx, pq_sampler_init(&r.sampler, r.ctx, r.data, &r.options, 5));
    assert_ok(r.ctx, pq_sampler_epoch(&r.sampler, 1));
    assert_ok(r.ctx, pq_shards_init(&r.shards, r.ctx, &r.model, &r.sampler, 1));
    assert_true(take_step(&r, 0, 1) == 0);
    assert_true(take_step(&r, 0, 9) > 0);
    assert_int_equal(r.shards.negative_count, 9);
    close_run(&r);
}

static void test_steps_lower_the_loss(void **state) {
    (void)state;
    run r;
    open_run(&r, 1);
    double first = take_step(&r, 0, 64), last = 0;
    for (int i = 0; i < 60; i++) {
        last = take_step(&r, 0, 64);
    }
    assert_true(last < 0.7 * first);
    close_run(&r);
}

static void test_failure_in_a_shard(void **state) {
    (void)state;
    run r;
    double loss;
    open_run(&r, 2);
    r.sampler.samples[60].position = 1; /* the last shard's */
    uint32_t *events = r.data->events + r.data->starts[r.sampler.samples[60].user];
    events[1] = r.data->item_rows + 7; /* no such item */
    r.sampler.samples[60].position = 2;
    r.sampler.samples[60].around = false;
    pique_status status = pq_shards_step(&r.shards, &r.sampler, 60, 1, 1, &loss);
    assert_failure(r.ctx, status, PIQUE_ARGUMENT, "outside");
    close_run(&r);
}

/* ---- checkpoints ---- */

static const pq_train_state moment = {.epoch = 3,
                                      .batch = 2,
                                      .loss_sum = 1.0 / 3,
                                      .soft_sum = 1.0 / 7,
                                      .best_metric = 0.1,
                                      .best_epoch = 2,
                                      .stale = 1,
                                      .drops = 3,
                                      .finished = true,
                                      .log_bytes = 12345678901,
                                      .seconds = 1e-17};

static const char options[] = "{\"model\":\"mind\",\"dim\":8,\"lr\":0.003,\"sampler\":\"uniform\"}";

static void test_checkpoint_brings_everything_back(void **state) {
    (void)state;
    char folder[TESTING_PATH], path[TESTING_PATH];
    run whole, broken, resumed;
    pq_train_state read;
    testing_folder(folder);
    testing_path(path, folder, "last.ckpt");
    open_run(&whole, 1);
    open_run(&broken, 1);
    for (int i = 0; i < 3; i++) {
        (void)take_step(&whole, (size_t)i * 64, 64);
        (void)take_step(&broken, (size_t)i * 64, 64);
    }
    assert_ok(broken.ctx,
              pq_checkpoint_write(broken.ctx, path, options, &broken.optimiser, &moment));
    close_run(&broken);

    open_run(&resumed, 2);
    memset(&read, 0, sizeof(read));
    assert_ok(resumed.ctx,
              pq_checkpoint_read(resumed.ctx, path, options, &resumed.optimiser, &read));
    assert_int_equal(read.epoch, moment.epoch);
    assert_int_equal(read.batch, moment.batch);
    assert_true(read.loss_sum == moment.loss_sum && read.soft_sum == moment.soft_sum &&
                read.best_metric == moment.best_metric);
    assert_int_equal(read.best_epoch, moment.best_epoch);
    assert_int_equal(read.stale, moment.stale);
    assert_int_equal(read.drops, moment.drops);
    assert_true(read.finished);
    assert_true(read.log_bytes == moment.log_bytes && read.seconds == moment.seconds);
    assert_same_state(&whole, &resumed);
    for (int i = 3; i < 6; i++) { /* and goes on as if nothing had happened */
        (void)take_step(&whole, (size_t)i * 32, 64);
        (void)take_step(&resumed, (size_t)i * 32, 64);
    }
    assert_same_state(&whole, &resumed);
    close_run(&whole);
    close_run(&resumed);
    testing_folder_remove(folder);
}

/* A number that is not finite leaves the checkpoint that stands there. */
static void test_checkpoint_of_what_is_not_finite(void **state) {
    (void)state;
    char folder[TESTING_PATH], path[TESTING_PATH];
    pq_train_state read = {.epoch = 0};
    run r;
    testing_folder(folder);
    testing_path(path, folder, "last.ckpt");
    open_run(&r, 1);
    (void)take_step(&r, 0, 64);
    assert_ok(r.ctx, pq_checkpoint_write(r.ctx, path, options, &r.optimiser, &moment));
    r.optimiser.second[0][3] = HUGE_VALF;
    assert_failure(r.ctx, pq_checkpoint_write(r.ctx, path, options, &r.optimiser, &moment),
                   PIQUE_NUMERIC, "step 1: second.");
    assert_ok(r.ctx, pq_checkpoint_read(r.ctx, path, options, &r.optimiser, &read));
    assert_int_equal(read.epoch, moment.epoch);
    close_run(&r);
    testing_folder_remove(folder);
}

static void test_checkpoint_of_other_options(void **state) {
    (void)state;
    static const struct {
        const char *asked, *words;
    } cases[] = {
        {"{\"model\":\"mind\",\"dim\":16,\"lr\":0.004,\"sampler\":\"uniform\"}",
         "dim was 8, now it is 16"},
        {"{\"model\":\"mind\",\"dim\":8,\"lr\":0.004,\"sampler\":\"popularity\"}",
         "lr was 0.003, now it is 0.004"},
        {"{\"model\":\"mind\",\"dim\":8,\"lr\":0.003,\"sampler\":\"popularity\"}",
         "sampler was uniform, now it is popularity"},
        {"{\"model\":\"mind\",\"dim\":8,\"lr\":0.003,\"sampler\":\"uniform\",\"clip\":1}",
         "clip was absent, now it is 1"},
        {"{\"model\":\"mind\",\"dim\":8,\"lr\":0.003}", "was made with other options"},
    };
    char folder[TESTING_PATH], path[TESTING_PATH];
    run r;
    testing_folder(folder);
    testing_path(path, folder, "last.ckpt");
    open_run(&r, 1);
    (void)take_step(&r, 0, 64);
    assert_ok(r.ctx, pq_checkpoint_write(r.ctx, path, options, &r.optimiser, &moment));
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pq_train_state read;
        pq_optimiser *o = &r.optimiser;
        assert_failure(r.ctx, pq_checkpoint_read(r.ctx, path, cases[i].asked, o, &read),
                       PIQUE_ARGUMENT, cases[i].words);
        assert_non_null(strstr(pique_error(r.ctx), "last.ckpt"));
    }
    close_run(&r);
    testing_folder_remove(folder);
}

/* A container that holds the state `text` (NULL: none) and no tensor. */
static void write_state(pq_ctx *ctx, const char *path, const char *text) {
    pq_writer writer;
    void *bytes;
    size_t size;
    pq_writer_init(&writer, ctx);
    pq_writer_text(&writer, "pique.options", options, strlen(options));
    if (text) {
        pq_writer_text(&writer, "pique.state", text, strlen(text));
    }
    assert_ok(ctx, pq_writer_build(&writer, &bytes, &size));
    testing_write(path, bytes, size);
    pq_free(ctx, bytes);
    pq_writer_free(&writer);
}

#define STATE(epoch, step)                                                                         \
    "{\"step\":" step ",\"epoch\":" epoch                                                          \
    ",\"batch\":0,\"loss_sum\":0,\"soft_sum\":0,\"best_metric\":-1,"                               \
    "\"best_epoch\":0,\"stale\":0,\"drops\":0,\"finished\":0,"                                     \
    "\"log_bytes\":0,\"seconds\":0,\"train_seconds\":0}"

static void test_checkpoint_damaged(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {NULL, "\"pique.state\" is missing"},  {"{\"step\":1}", "no number \"epoch\""},
        {STATE("-1", "1"), "out of range"},    {STATE("1e10", "1"), "out of range"},
        {STATE("1", "1e300"), "out of range"}, {STATE("1", "1"), "tensor \"item.id\" is missing"},
    };
    char folder[TESTING_PATH], path[TESTING_PATH];
    pq_train_state read;
    run r;
    testing_folder(folder);
    testing_path(path, folder, "last.ckpt");
    open_run(&r, 1);
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        write_state(r.ctx, path, cases[i].text);
        assert_failure(r.ctx, pq_checkpoint_read(r.ctx, path, options, &r.optimiser, &read),
                       PIQUE_CORRUPT, cases[i].words);
    }
    testing_write_text(path, "no checkpoint at all");
    assert_failure(r.ctx, pq_checkpoint_read(r.ctx, path, options, &r.optimiser, &read),
                   PIQUE_CORRUPT, "not a model file");
    assert_int_equal(remove(path), 0);
    assert_failure(r.ctx, pq_checkpoint_read(r.ctx, path, options, &r.optimiser, &read), PIQUE_IO,
                   "last.ckpt");
    close_run(&r);
    testing_folder_remove(folder);
}

/* ---- settings ---- */

static pique_status read_settings(pq_ctx *ctx, const pique_train_options *asked, pq_text *out) {
    pq_model model = {0};
    pq_train_options train;
    pique_status status = pq_settings_read(ctx, asked, &model, &train);
    if (status == PIQUE_OK) {
        status = pq_settings_write(asked, &model, &train, "here", &(pq_file_sums){"", ""}, out);
    }
    pq_model_free(&model);
    return status;
}

static void test_settings_in_their_order(void **state) {
    (void)state;
    static const char *const set[] = {"lr=0.5", "mind.rounds=5", "lr=0.25"};
    char folder[TESTING_PATH], path[TESTING_PATH], again[TESTING_PATH];
    testing t;
    pq_text text, second;
    testing_open(&t);
    testing_folder(folder);
    testing_write_text(testing_path(path, folder, "c.json"),
                       "{\"rounds\": 7, \"lr\": 0.125, \"dim\": 16, \"sampler\": \"uniform\","
                       " \"cosine\": false, \"model\": \"mind\", \"seed\": 9}");
    const pique_train_options asked = {.model = "mind",
                                       .preset = "paper",
                                       .config_path = path,
                                       .set = set,
                                       .set_count = PQ_COUNT(set),
                                       .seed = 4};
    pq_text_init(&text, &t.ctx);
    assert_ok(&t.ctx, read_settings(&t.ctx, &asked, &text));
    assert_non_null(strstr(text.data, "{\"model\":\"mind\",\"seed\":4,\"data\":\"here\","));
    assert_non_null(strstr(text.data, "\"rounds\": 5,"));           /* --set, after the file */
    assert_non_null(strstr(text.data, "\"lr\": 0.25,"));            /* the later --set */
    assert_non_null(strstr(text.data, "\"dim\": 16,"));             /* the file */
    assert_non_null(strstr(text.data, "\"sampler\": \"uniform\"")); /* the file, training's */
    assert_non_null(strstr(text.data, "\"history\": 50,"));         /* the preset */
    assert_non_null(strstr(text.data, "\"epochs\": 20,"));          /* the default */

    /* What a run wrote can be the config of another. */
    testing_write(testing_path(again, folder, "again.json"), text.data, text.size);
    const pique_train_options repeat = {
        .model = "mind", .preset = "best", .config_path = again, .seed = 4};
    pq_text_init(&second, &t.ctx);
    assert_ok(&t.ctx, read_settings(&t.ctx, &repeat, &second));
    assert_string_equal(second.data, text.data);
    pq_text_free(&text);
    pq_text_free(&second);
    testing_folder_remove(folder);
    testing_close(&t);
}

/* Presets of a model's own: each can be read and declared, and differs from the others. */
static void test_own_presets(void **state) {
    (void)state;
    unsigned count = 0;
    testing t;
    testing_open(&t);
    for (uint32_t i = 0; pq_model_at(i); i++) {
        const pq_preset *own = pq_model_at(i)->presets;
        for (; own && own->name; own++, count++) {
            const pique_train_options asked = {.model = pq_model_at(i)->name, .preset = own->name};
            pq_model model = {0};
            pq_train_options train;
            assert_ok(&t.ctx, pq_settings_read(&t.ctx, &asked, &model, &train));
            model.items.rows = 3;
            assert_ok(&t.ctx, pq_model_declare(&model));
            pq_model_free(&model);
        }
    }
    assert_int_equal(count, 6);
    static const struct {
        const char *preset, *words[4];
    } cases[] = {
        {"seed001", {"\"cell\": \"tf\"", "\"lr\": 0.001", "\"ctr_scale\": 0.5", "\"dim\": 18"}},
        {"seed002", {"\"att\": \"one\"", "\"alpha\": 0.2", "\"max_norm\": 1", "\"dim\": 128"}},
        {"seed004",
         {"\"l2\": 0.001", "\"att_scale\": true", "\"head_tanh\": false", "\"dim\": 16"}},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        pq_text text;
        pq_text_init(&text, &t.ctx);
        const pique_train_options asked = {.model = "dien", .preset = cases[i].preset};
        assert_ok(&t.ctx, read_settings(&t.ctx, &asked, &text));
        for (size_t j = 0; j < PQ_COUNT(cases[i].words); j++) {
            assert_non_null(strstr(text.data, cases[i].words[j]));
        }
        pq_text_free(&text);
    }
    testing_close(&t);
}

static void test_settings_that_are_wrong(void **state) {
    (void)state;
    static const struct {
        const char *model, *preset, *set, *config, *words;
    } cases[] = {
        {"minx", "best", NULL, NULL, "there is no model \"minx\""},
        {"mind", "finest", NULL, NULL, "finest"},
        {"mind", "seed001", NULL, NULL, "seed001"},
        {"dien", "seed003", NULL, NULL, "seed003"},
        {"mind", "best", "lr", NULL, "setting \"lr\" is not of the form key=value"},
        {"mind", "best", "speed=2", NULL, "there is no option \"speed\" for model mind"},
        {"mind", "best", "lr=-1", NULL, "lr"},
        {"mind", "best", "lr=nan", NULL, "lr"},
        {"mind", "best", "dim=12.5", NULL, "dim"},
        {"mind", "best", "interests=99", NULL, "interests"},
        {"mind", "best", "sampler=mine", NULL, "sampler"},
        {"mind", "best", "epochs=", NULL, "epochs"},
        {"mind", "best", NULL, "[1]", "is not a JSON object"},
        {"mind", "best", NULL, "{\"dim\": 1e9}", "dim"},
        {"mind", "best", NULL, "{\"speed\": 1}", "\"speed\""},
        {"mind", "best", NULL, "{\"model\": \"sasrec\"}", "is for model \"sasrec\", not mind"},
        {"mind", "best", NULL, "{\"dim\": 8", "c.json"},
    };
    char folder[TESTING_PATH], path[TESTING_PATH];
    testing_folder(folder);
    testing_path(path, folder, "c.json");
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        testing t;
        pq_text text;
        testing_open(&t);
        pq_text_init(&text, &t.ctx);
        if (cases[i].config) {
            testing_write_text(path, cases[i].config);
        }
        const pique_train_options asked = {.model = cases[i].model,
                                           .preset = cases[i].preset,
                                           .config_path = cases[i].config ? path : NULL,
                                           .set = &cases[i].set,
                                           .set_count = cases[i].set ? 1 : 0};
        pique_status status = read_settings(&t.ctx, &asked, &text);
        assert_true(status == PIQUE_ARGUMENT || status == PIQUE_CORRUPT);
        assert_failure(&t.ctx, status, status, cases[i].words);
        pq_text_free(&text);
        testing_close(&t);
    }
    testing_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_give_the_same_bits),
        cmocka_unit_test(test_steps_lower_the_loss),
        cmocka_unit_test(test_in_batch_leaves_out_hits),
        cmocka_unit_test(test_checkpoint_of_what_is_not_finite),
        cmocka_unit_test(test_failure_in_a_shard),
        cmocka_unit_test(test_checkpoint_brings_everything_back),
        cmocka_unit_test(test_checkpoint_of_other_options),
        cmocka_unit_test(test_checkpoint_damaged),
        cmocka_unit_test(test_settings_in_their_order),
        cmocka_unit_test(test_own_presets),
        cmocka_unit_test(test_settings_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
