/* test_trainer.c — whole runs on small data: a run that is stopped and resumed leaves the files of one that
 * was not, threads do not change them, and what cannot be trained is refused before anything is written. */
#include "trained_run.h"

static void test_resumed_runs_are_whole_runs(void **state) {
    (void)state;
    place p;
    open_place(&p, "genre");
    assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
    static const int stops[] = {1, 3, 8, 11}; /* inside epochs, and at an end */
    for (size_t i = 0; i < PQ_COUNT(stops); i++) {
        pique_status status = train(&p, "broken", 1, false, stops[i]);
        assert_failure(p.ctx, status, PIQUE_CANCELLED, "can be resumed");
        status = train(&p, "broken", 2, true, 2); /* and once more, with other threads */
        assert_failure(p.ctx, status, PIQUE_CANCELLED, "can be resumed");
        assert_ok(p.ctx, train(&p, "broken", 2, true, 0));
        assert_same_file(&p, "whole", "broken", "model.pique");
        assert_same_file(&p, "whole", "broken", "config.json");
        assert_same_file(&p, "whole", "broken", "metrics.jsonl");
    }
    assert_ok(p.ctx, train(&p, "broken", 1, true, 0)); /* nothing left to do */
    assert_same_file(&p, "whole", "broken", "model.pique");
    close_place(&p);
}

static void test_threads_give_the_same_files(void **state) {
    (void)state;
    place p;
    open_place(&p, "genre");
    assert_ok(p.ctx, train(&p, "one", 1, false, 0));
    assert_ok(p.ctx, train(&p, "three", 3, false, 0));
    assert_same_file(&p, "one", "three", "model.pique");
    assert_same_file(&p, "one", "three", "metrics.jsonl");
    close_place(&p);
}

/* What else training can do: the same bytes on one thread and on three, and after a stop. */
static void test_other_ways_to_train(void **state) {
    (void)state;
    static const struct {
        const char *model, *more[8];
    } ways[] = {
        {"sasrec", {"supervision=prefix", "optimiser=adagrad", "max_norm=0.5"}},
        {"sasrec", {"supervision=last", "dense_rows=1", "loss=softmax", "weight_decay=0.1"}},
        {"sasrec", {"loss=sampled_softmax", "sampler=in_batch", "schedule=step", "lr_every=1"}},
        {"gru4rec", {"supervision=prefix", "loss=softmax", "clip=0.1"}},
        {"gru4rec", {"supervision=last", "loss=bpr", "dense_rows=1", "optimiser=adagrad"}},
        {"mind", {"supervision=last", "sampler=in_batch", "max_norm=0.3", "hidden=6"}},
        {"mind", {"history_dropout=0.4", "around=0.5", "hidden=6"}},
        {"mgnm", {"history_dropout=0.4", "supervision=last", "levels=2", "hidden=6"}},
    };
    for (size_t i = 0; i < PQ_COUNT(ways); i++) {
        place p;
        open_place(&p, "genre");
        p.model = ways[i].model;
        p.more = ways[i].more;
        assert_ok(p.ctx, train(&p, "one", 1, false, 0));
        assert_failure(p.ctx, train(&p, "three", 3, false, 3), PIQUE_CANCELLED, "can be resumed");
        assert_ok(p.ctx, train(&p, "three", 3, true, 0));
        assert_same_file(&p, "one", "three", "model.pique");
        assert_same_file(&p, "one", "three", "metrics.jsonl");
        close_place(&p);
    }
}

/* Stops before rounding begins, at its first step, inside a rounded epoch and at its end. */
/* Without any history the map of behaviours has no gradient and stays as it began, however long the run, while the
 * layers that see the profile learn; where some histories are hidden both learn. */
static void test_hidden_histories(void **state) {
    (void)state;
    static const char *const all_short[] = {"history_dropout=1", "epochs=1", "hidden=6", NULL};
    static const char *const all[] = {"history_dropout=1", "hidden=6", NULL};
    static const char *const some[] = {"history_dropout=0.5", "hidden=6", NULL};
    place p;
    open_place(&p, "genre");
    p.more = all_short;
    assert_ok(p.ctx, train(&p, "short", 1, false, 0));
    p.more = all;
    assert_ok(p.ctx, train(&p, "all", 1, false, 0));
    p.more = some;
    assert_ok(p.ctx, train(&p, "some", 1, false, 0));
    assert_true(same_state(&p, "short", "all", "map.w"));
    assert_false(same_state(&p, "short", "all", "mlp.w1"));
    assert_false(same_state(&p, "short", "all", "profile.age"));
    assert_false(same_state(&p, "all", "some", "map.w"));
    close_place(&p);
}

static void test_histories_that_cannot_be_hidden(void **state) {
    (void)state;
    static const char *const more[] = {"history_dropout=0.1", NULL};
    static const struct {
        const char *model;
        ratings data;
        const char *told;
    } cases[] = {
        {"mind", {.column = "genre", .no_profile = true}, "and the data have none"},
        {"sasrec", {.column = "genre"}, "which this one does not"},
        {"din", {.column = "genre", .labelled = true}, "which this one does not"},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        place p;
        open_ratings(&p, &cases[i].data);
        p.model = cases[i].model;
        p.more = more;
        assert_failure(p.ctx, train(&p, "none", 1, false, 0), PIQUE_ARGUMENT, cases[i].told);
        close_place(&p);
    }
}

static void test_rounded_runs(void **state) {
    (void)state;
    static const struct {
        const char *model, *quant, *more[10];
    } ways[] = {
        {"mind", "int4", {"quantise=int4", "hidden=6", "metric=mrr"}},
        {"mind", "pq8", {"quantise=pq8", "dim=16", "hidden=6", "quantise_from=2"}},
        {"sasrec", "pq8", {"quantise=pq8", "dim=16", "loss=softmax", "batch=10", "metric=mrr"}},
    };
    static const int stops[] = {1, 8, 9, 12, 13, 14, 16};
    for (size_t i = 0; i < PQ_COUNT(ways); i++) {
        place p;
        open_place(&p, "genre");
        p.model = ways[i].model;
        p.more = ways[i].more;
        assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
        for (size_t s = 0; s < PQ_COUNT(stops); s++) {
            pique_status status = train(&p, "broken", 3, false, stops[s]);
            if (status != PIQUE_OK) {
                assert_failure(p.ctx, status, PIQUE_CANCELLED, "can be resumed");
                assert_ok(p.ctx, train(&p, "broken", 1, true, 0));
            }
            assert_same_file(&p, "whole", "broken", "model.pique");
            assert_same_file(&p, "whole", "broken", "metrics.jsonl");
        }
        close_place(&p);
    }
}

/* The losses are those of a run without rounding until it begins, and others from then on. */
static void test_rounding_begins(void **state) {
    (void)state;
    static const struct {
        const char *quantise, *loss;
    } ways[] = {{"quantise=int4", "loss=softmax"},
                {"quantise=pq8", "loss=softmax"},
                {"quantise=pq8", "loss=sampled_softmax"}};
    for (size_t i = 0; i < PQ_COUNT(ways); i++) {
        const char *set[] = {"quantise=none", ways[i].loss,   "quantise_from=3",
                             "dim=16",        "eval_every=1", NULL};
        place p;
        open_place(&p, "genre");
        p.model = "sasrec";
        p.more = set;
        assert_ok(p.ctx, train(&p, "plain", 1, false, 0));
        set[0] = ways[i].quantise;
        assert_ok(p.ctx, train(&p, "rounded", 1, false, 0));
        assert_int_equal(first_difference(&p, "plain", "rounded"), 3);
        close_place(&p);
    }
}

/* recall@5 of the last evaluation, and of the best. */
static double last_recall(const place *p, const char *name, double *best) {
    char *journal = journal_of(p, name);
    double last = -1;
    *best = -1;
    for (const char *line = journal; (line = strstr(line, "\"recall@5\":")) != NULL; line++) {
        assert_int_equal(sscanf(line, "\"recall@5\":%lf", &last), 1);
        *best = last > *best ? last : *best;
    }
    free(journal);
    return last;
}

static double recall_of(const place *p, const char *path, const char *quant) {
    pique_model *model;
    pique_eval_options options;
    pique_eval_result result;
    char scheme[32];
    snprintf(scheme, sizeof(scheme), "\"quant\":\"%s\"", quant);
    assert_ok(p->ctx, pique_model_read(p->ctx, path, &model));
    assert_non_null(strstr(pique_model_info(model), scheme));
    pique_eval_options_default(&options);
    options.split = "valid";
    options.cutoffs[0] = 5;
    options.cutoff_count = 1;
    options.baselines = false;
    assert_ok(p->ctx, pique_evaluate(p->ctx, model, p->data, &options, &result));
    pique_model_free(model);
    return result.model.recall[0];
}

/* The file holds the scheme and the figure that training saw, also when epochs before it were better; and so
 * does what is exported from it. */
static void test_the_model_of_a_rounded_run(void **state) {
    (void)state;
    static const struct {
        const char *quant, *more[10];
    } ways[] = {
        {"int4", {"quantise=int4", "hidden=6", "lr=2", "eval_every=1", "schedule=constant"}},
        {"pq8",
         {"quantise=pq8", "dim=16", "hidden=6", "lr=2", "eval_every=1", "schedule=constant"}},
    };
    for (size_t i = 0; i < PQ_COUNT(ways); i++) {
        place p;
        char run[TESTING_PATH], path[TESTING_PATH], out[TESTING_PATH];
        double best, last, recall;
        pique_export_options options;
        pique_export_result result;
        open_place(&p, "genre");
        p.more = ways[i].more;
        assert_ok(p.ctx, train(&p, "run", 1, false, 0));
        last = last_recall(&p, "run", &best);
        assert_true(best > last); /* else the case would show nothing */
        testing_path(path, testing_path(run, p.folder, "run"), "model.pique");
        recall = recall_of(&p, path, ways[i].quant);
        assert_true(recall == last);
        pique_export_options_default(&options);
        options.quant = ways[i].quant;
        options.dense = "f32";
        testing_path(out, p.folder, "out.pique");
        assert_ok(p.ctx, pique_model_export(p.ctx, path, &options, out, &result));
        assert_true(recall_of(&p, out, ways[i].quant) == recall);
        options.quant = "pq8+int8";
        assert_failure(p.ctx, pique_model_export(p.ctx, path, &options, out, &result),
                       PIQUE_UNSUPPORTED, "");
        close_place(&p);
    }
}

/* ---- two stages ---- */

static bool all_zero(place *p, const char *name, const char *tensor) {
    size_t count;
    float *values = state_of(p, name, tensor, &count);
    bool zero = true;
    for (size_t i = 0; i < count; i++) {
        zero = zero && values[i] == 0;
    }
    free(values);
    return zero;
}

#define STAGES "dim=3", "hidden1=6", "hidden2=3", "pretrain=2", "dense_rows=1", "weight_decay=0.1"

/* Pretraining moves the rows and the network waits; then the network learns, and frozen rows stay, though the
 * optimiser moves all rows in each step and they would decay. */
static void test_frozen_rows_stay(void **state) {
    (void)state;
    static const char *const frozen[] = {STAGES, "embedding=frozen", NULL};
    static const char *const trainable[] = {STAGES, "embedding=trainable", NULL};
    static const char *const rows[] = {"item.id", "item.genre", "profile.age", "bias"};
    for (int way = 0; way < 2; way++) {
        place p;
        open_ratings(&p, &(ratings){.column = "genre", .labelled = true});
        p.model = "fnn";
        p.more = way ? trainable : frozen;
        assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
        char *journal = journal_of(&p, "whole");
        unsigned steps = 0;
        assert_int_equal(sscanf(journal, "{\"step\":%u,\"epoch\":1,", &steps), 1);
        free(journal);
        assert_failure(p.ctx, train(&p, "start", 1, false, 1), PIQUE_CANCELLED, "resumed");
        assert_failure(p.ctx, train(&p, "machine", 1, false, (int)(2 * steps)), PIQUE_CANCELLED,
                       "resumed");
        for (size_t i = 0; i < PQ_COUNT(rows); i++) {
            bool stays = way == 0 || strcmp(rows[i], "bias") == 0;
            assert_false(same_state(&p, "start", "machine", rows[i]));
            assert_int_equal(same_state(&p, "machine", "whole", rows[i]), stays);
        }
        /* The second stage has moments of its own. */
        assert_false(all_zero(&p, "machine", "second.bias"));
        assert_true(all_zero(&p, "whole", "second.bias"));
        assert_true(same_state(&p, "start", "machine", "mlp1.w"));
        assert_false(same_state(&p, "machine", "whole", "mlp1.w"));
        close_place(&p);
    }
}

/* One validation pair a user: no user has both labels, and no epoch could be the best one. */
static void test_undefined_metric(void **state) {
    (void)state;
    static const char *const set[] = {"metric=gauc", "epochs=1", NULL};
    place p;
    open_ratings(&p, &(ratings){.column = "genre", .labelled = true});
    p.model = "fnn";
    p.more = set;
    assert_failure(p.ctx, train(&p, "run", 1, false, 0), PIQUE_DATA,
                   "not defined on the validation pairs");
    close_place(&p);
}

/* Dropout leaves nothing of some rows of four columns, and all of the gradient that layer norms of such rows make has
 * to stay finite. */
static void test_narrow_rows(void **state) {
    (void)state;
    static const char *const set[] = {"dim=4", "dropout=0.5", "layers=2", "epochs=3", NULL};
    place p;
    open_ratings(&p, &(ratings){.column = "genre"});
    p.model = "sasrec";
    p.more = set;
    assert_ok(p.ctx, train(&p, "run", 1, false, 0));
    close_place(&p);
}

/* Stopped before, at and after the change of stages, and on other threads: the same files. */
static void test_stages_resume(void **state) {
    (void)state;
    static const char *const set[] = {STAGES, "schedule=step", "lr_every=1", NULL};
    place p;
    open_ratings(&p, &(ratings){.column = "genre", .labelled = true});
    p.model = "fnn";
    p.more = set;
    assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
    char *journal = journal_of(&p, "whole");
    unsigned steps = 0, lines = 0, pretraining = 0;
    assert_int_equal(sscanf(journal, "{\"step\":%u,\"epoch\":1,", &steps), 1);
    for (const char *at = journal; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    for (const char *at = journal; (at = strstr(at, "\"pretraining\":true")) != NULL; at++) {
        pretraining++;
    }
    free(journal);
    assert_int_equal(pretraining, 2);
    assert_int_equal(lines, 2 + 2); /* four epochs, of which every other is evaluated */
    for (unsigned stop = 1; stop <= 4 * steps; stop++) {
        assert_failure(p.ctx, train(&p, "broken", 3, false, (int)stop), PIQUE_CANCELLED, "resumed");
        assert_ok(p.ctx, train(&p, "broken", 2, true, 0));
        assert_same_file(&p, "whole", "broken", "model.pique");
        assert_same_file(&p, "whole", "broken", "metrics.jsonl");
    }
    static const char *const of_din[] = {"pretrain=2", NULL};
    p.model = "din";
    p.more = of_din;
    assert_failure(p.ctx, train(&p, "no", 1, false, 0), PIQUE_ARGUMENT,
                   "pretrain = 2 is for models that train in two stages, which din does not");
    close_place(&p);
}

/* A learning rate that falls after an evaluation that is no better, and goes on falling after a stop. */
static void test_plateau(void **state) {
    (void)state;
    const char *set[] = {"schedule=constant", "lr_every=1", "lr_factor=0.1", "lr_floor=0",
                         "eval_every=1",      "epochs=6",   "metric=mrr",    "lr=0.3",
                         "hidden=6",          "dropout=0",  "interests=2",   NULL};
    place p;
    open_place(&p, "genre");
    p.more = set;
    assert_ok(p.ctx, train(&p, "level", 1, false, 0));
    set[0] = "schedule=plateau";
    assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
    unsigned epoch = first_difference(&p, "level", "whole");
    assert_true(epoch >= 3); /* the first evaluation is the best so far, the second may tell */
    for (int stop = 1; stop < 6 * 4; stop += 3) {
        assert_failure(p.ctx, train(&p, "broken", 1, false, stop), PIQUE_CANCELLED, "resumed");
        assert_ok(p.ctx, train(&p, "broken", 1, true, 0));
        assert_same_file(&p, "whole", "broken", "model.pique");
        assert_same_file(&p, "whole", "broken", "metrics.jsonl");
    }
    close_place(&p);
}

/* The model in the folder serves what training knew: ids, profile, and the metric of its card. */
static void test_the_model_of_a_run(void **state) {
    (void)state;
    char run[TESTING_PATH], path[TESTING_PATH];
    place p;
    pique_model *model;
    open_place(&p, "genre");
    assert_ok(p.ctx, train(&p, "run", 1, false, 0));
    testing_path(path, testing_path(run, p.folder, "run"), "model.pique");
    assert_ok(p.ctx, pique_model_read(p.ctx, path, &model));
    assert_int_equal(pique_model_item_count(model), pique_dataset_describe(p.data).items);
    assert_string_equal(pique_model_profile_name(model, 0), "age");
    assert_int_equal(pique_model_find_profile(model, 0, "21", 2), 2);
    assert_non_null(strstr(pique_model_info(model), "\"split\":\"valid\""));
    assert_non_null(strstr(pique_model_info(model), "recall@5"));
    pique_model_free(model);
    close_place(&p);
}

static void test_columns_that_cannot_be_named(void **state) {
    (void)state;
    static const char *const names[] = {"id", "a name of more than thirty-two by", "\"a\"\"b\"",
                                        "a\\b"};
    for (size_t i = 0; i < PQ_COUNT(names); i++) {
        char run[TESTING_PATH];
        place p;
        open_place(&p, names[i]);
        assert_failure(p.ctx, train(&p, "run", 1, false, 0), PIQUE_DATA,
                       "a feature column cannot be called");
        assert_int_equal(access(testing_path(run, p.folder, "run"), F_OK), -1);
        close_place(&p);
    }
}

/* With a learning rate of 0 the weights stay those of the other run, whatever the seed and the epochs; moments and
 * the course of the learning rate are new, and a stop does not read the other run again. */
static void test_start_from_another_run(void **state) {
    (void)state;
    static const char *const of_first[] = {"hidden=6", NULL},
                             *const still[] = {"hidden=6", "lr=0", "epochs=3", "metric=mrr", NULL},
                             *const other[] = {"hidden=6", "dim=12", NULL},
                             *const rounded[] = {"hidden=6", "quantise=int4", "dim=8", NULL};
    char path[TESTING_PATH], gone[TESTING_PATH];
    place p;
    open_place(&p, "genre");
    p.more = of_first;
    assert_ok(p.ctx, train(&p, "first", 1, false, 0));
    p.more = still;
    p.init = "first";
    assert_ok(p.ctx, train(&p, "second", 1, false, 0));
    p.init = "first/last.ckpt";
    assert_ok(p.ctx, train(&p, "third", 1, false, 0));
    assert_same_file(&p, "second", "third", "model.pique");
    double best;
    const double before = last_recall(&p, "first", &best), after = last_recall(&p, "second", &best);
    assert_true(before == after && before > 0);
    p.init = "first";
    p.more = rounded;
    assert_ok(p.ctx, train(&p, "whole", 1, false, 0));
    assert_failure(p.ctx, train(&p, "broken", 1, false, 5), PIQUE_CANCELLED, "resumed");
    testing_path(path, p.folder, "first");
    assert_int_equal(rename(path, testing_path(gone, p.folder, "gone")), 0);
    assert_ok(p.ctx, train(&p, "broken", 1, true, 0));
    assert_same_file(&p, "whole", "broken", "model.pique");
    p.init = "whole";
    p.more = other;
    assert_failure(p.ctx, train(&p, "wrong", 1, false, 0), PIQUE_ARGUMENT, "tensor \"item.id\"");
    p.init = "nowhere";
    assert_failure(p.ctx, train(&p, "wrong", 1, false, 0), PIQUE_IO, "nowhere");
    p.init = "whole/model.pique";
    assert_failure(p.ctx, train(&p, "wrong", 1, false, 0), PIQUE_ARGUMENT, "is not a checkpoint");
    assert_int_equal(access(testing_path(path, p.folder, "wrong"), F_OK), -1);
    close_place(&p);
}

static void test_nothing_to_resume(void **state) {
    (void)state;
    place p;
    open_place(&p, "genre");
    assert_failure(p.ctx, train(&p, "run", 1, true, 0), PIQUE_IO, "nothing to resume");
    close_place(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumed_runs_are_whole_runs),
        cmocka_unit_test(test_threads_give_the_same_files),
        cmocka_unit_test(test_other_ways_to_train),
        cmocka_unit_test(test_hidden_histories),
        cmocka_unit_test(test_histories_that_cannot_be_hidden),
        cmocka_unit_test(test_rounded_runs),
        cmocka_unit_test(test_rounding_begins),
        cmocka_unit_test(test_the_model_of_a_rounded_run),
        cmocka_unit_test(test_frozen_rows_stay),
        cmocka_unit_test(test_stages_resume),
        cmocka_unit_test(test_undefined_metric),
        cmocka_unit_test(test_narrow_rows),
        cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_the_model_of_a_run),
        cmocka_unit_test(test_columns_that_cannot_be_named),
        cmocka_unit_test(test_start_from_another_run),
        cmocka_unit_test(test_nothing_to_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
