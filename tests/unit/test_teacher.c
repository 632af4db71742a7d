/* test_teacher.c — distillation: what teachers say of which labels, what a model makes of it, and teachers that
 * are refused. */
#include "trained_run.h"

#include <math.h>

#include "native/train/settings.h"
#include "native/train/shards.h"

#define NONE                                                                                       \
    { NULL }

static void open_kind(place *p, bool ranks) {
    open_ratings(p, &(ratings){.column = "genre", .labelled = ranks});
}

/* Trains teacher "name" of that model, and gives the path of its file. */
static const char *teach(place *p, const char *model, const char *name, const char *const *more,
                         char path[TESTING_PATH]) {
    char run[TESTING_PATH];
    p->model = model;
    p->more = more;
    p->teacher = NULL;
    assert_ok(p->ctx, train(p, name, 1, false, 0));
    return testing_path(path, testing_path(run, p->folder, name), "model.pique");
}

static const char *const plain[] = {"dim=12", NULL};

static const struct {
    const char *teacher, *model;
    bool ranks;
    const char *more[8];
} ways[] = {
    {"sasrec", "sasrec", false, {"loss=softmax", "batch=10"}},
    {"mind", "sasrec", false, {"loss=sampled_softmax", "supervision=prefix"}},
    {"gru4rec", "sasrec", false, {"loss=bce", "pair_negatives=3", "kd.reduction=elements"}},
    {"sasrec", "mind", false, {"hidden=6", "around=0.5", "samples_per_user=3"}},
    {"sasrec", "gru4rec", false, {"loss=bpr", "sampler=uniform", "kd.kappa=2"}},
    {"comirec", "gru4rec", false, {"loss=gbce", "supervision=last"}},
    {"din", "two_tower", true, NONE},
    {"pool", "dien", true, {"metric=logloss"}},
    {"dien", "fnn", true, {"pretrain=2", "hidden1=6"}},
    {"deepfm", "rnn_als", true, NONE},
};

/* On one thread and on three with a stop: the same files. With alpha = 0 those of a run without a teacher, with
 * another alpha not. */
static void test_runs(void **state) {
    (void)state;
    for (size_t i = 0; i < PQ_COUNT(ways); i++) {
        place p;
        char path[TESTING_PATH];
        const char *more[PQ_COUNT(ways[i].more) + 2] = {"kd.alpha=0"};
        memcpy(more + 1, ways[i].more, sizeof(ways[i].more));
        open_kind(&p, ways[i].ranks);
        const char *file = teach(&p, ways[i].teacher, "teacher", plain, path);
        p.model = ways[i].model;
        p.more = more;
        assert_ok(p.ctx, train(&p, "alone", 1, false, 0));
        p.teacher = file;
        assert_ok(p.ctx, train(&p, "deaf", 2, false, 0));
        assert_same_file(&p, "alone", "deaf", "model.pique");
        assert_same_file(&p, "alone", "deaf", "metrics.jsonl");
        more[0] = "kd.alpha=0.6";
        assert_ok(p.ctx, train(&p, "one", 1, false, 0));
        assert_int_equal(first_difference(&p, "alone", "one"), 1);
        assert_failure(p.ctx, train(&p, "three", 3, false, 3), PIQUE_CANCELLED, "can be resumed");
        assert_ok(p.ctx, train(&p, "three", 2, true, 0));
        assert_same_file(&p, "one", "three", "model.pique");
        assert_same_file(&p, "one", "three", "metrics.jsonl");
        close_place(&p);
    }
}

/* The member of the last line of the journal. */
static double journal_number(const place *p, const char *name, const char *member) {
    char *journal = journal_of(p, name), key[32];
    double value = NAN;
    snprintf(key, sizeof(key), "\"%s\":", member);
    for (const char *at = journal; (at = strstr(at, key)) != NULL; at++) {
        value = strtod(at + strlen(key), NULL);
    }
    free(journal);
    return value;
}

/* Share of the users for whom both models put the same item first. */
static double agreement(place *p, const char *first, const char *second) {
    const char *const files[] = {first, second};
    uint32_t best[2][40], same = 0;
    for (int i = 0; i < 2; i++) {
        pique_model *model;
        pique_session *session;
        assert_ok(p->ctx, pique_model_read(p->ctx, files[i], &model));
        assert_ok(p->ctx, pique_session_create(p->ctx, model, &session));
        for (uint32_t u = 0; u < p->data->user_count; u++) {
            pq_view view;
            const pique_recommendation *list;
            uint32_t count;
            (void)pq_dataset_view(p->data, u, PQ_SPLIT_TRAIN, &view);
            /* As before the last label: what comes after it nobody has been asked about. */
            const pique_query query = {
                .history = view.history, .history_count = view.history_count - 1, .count = 1};
            assert_ok(p->ctx, pique_session_recommend(session, &query, &list, &count));
            best[i][u] = list[0].item;
        }
        pique_session_free(session);
        pique_model_free(model);
    }
    for (uint32_t u = 0; u < p->data->user_count; u++) {
        same += best[0][u] == best[1][u];
    }
    return (double)same / p->data->user_count;
}

/* Without any label, a student comes to say what its teacher says. */
static void test_student_follows(void **state) {
    (void)state;
    static const char *const teacher_set[] = {"loss=softmax", "epochs=60",   "eval_every=60",
                                              "dim=16",       "dropout=0.1", NULL},
                             *const student_set[] = {
                                 "loss=softmax", "epochs=300",       "eval_every=100",
                                 "dim=16",       "kd.temperature=1", "kd.alpha=1",
                                 "dropout=0",    "lr=0.01",          NULL};
    place p;
    char path[TESTING_PATH], run[TESTING_PATH], student[TESTING_PATH];
    open_kind(&p, false);
    const char *file = teach(&p, "sasrec", "teacher", teacher_set, path);
    p.more = student_set;
    p.teacher = file;
    assert_ok(p.ctx, train(&p, "student", 1, false, 0));
    testing_path(student, testing_path(run, p.folder, "student"), "model.pique");
    double last = journal_number(&p, "student", "soft_loss");
    double whole = journal_number(&p, "student", "loss"), same = agreement(&p, file, student);
    /* In nats; after twenty epochs it is six times the bound. */
    if (!(last < 0.1 && fabs(whole - last) <= 1e-9 && same >= 0.8)) {
        fail_msg("divergence %g of a loss of %g; %g of the users agree", last, whole, same);
    }
    close_place(&p);
}

/* ---- what is said of a batch ---- */

typedef struct {
    pique_train_options asked;
    pq_model model;
    pq_train_options options;
    pq_sampler sampler;
    pq_teachers teachers;
    pq_lesson lesson;
    pq_arena arena;
    pq_batch batch;
} class_room;

static void open_class(class_room *c, place *p, const char *model, const char *teachers) {
    static const char *const set[] = {"kd.temperature=2", "kd.alpha=0.75", "dim=4", "history=3"};
    *c = (class_room){
        .asked = {.model = model, .preset = "best", .set = set, .set_count = PQ_COUNT(set)}};
    assert_ok(p->ctx, pq_settings_read(p->ctx, &c->asked, &c->model, &c->options));
    assert_ok(p->ctx, pq_sampler_init(&c->sampler, p->ctx, p->data, &c->options, 1));
    assert_ok(p->ctx, pq_sampler_epoch(&c->sampler, 1));
    assert_ok(p->ctx,
              pq_teachers_open(&c->teachers, p->ctx, p->data, c->model.def->task, teachers));
    assert_ok(p->ctx, pq_lesson_open(&c->lesson, p->ctx, &c->teachers, &c->sampler));
    pq_arena_init(&c->arena, p->ctx);
    const pq_sample_range range = {0, (uint32_t)c->sampler.count, 3, 1};
    assert_ok(p->ctx, pq_sampler_batch(&c->sampler, &c->arena, &range, &c->batch));
    assert_ok(p->ctx, pq_lesson_give(&c->lesson, &c->arena, &range, &c->batch));
}

static void close_class(class_room *c) {
    pq_lesson_close(&c->lesson);
    pq_teachers_free(&c->teachers);
    pq_sampler_free(&c->sampler);
    pq_model_free(&c->model);
    pq_arena_free(&c->arena);
}

/* Scores of a teacher for what came before event `position` of a user, all of it, as it serves. */
static void served(place *p, const char *file, const pq_sample *label, const uint32_t *items,
                   uint32_t count, float *scores) {
    pique_model *model;
    pique_session *session;
    uint32_t history[64], numbers[64];
    double times[64];
    pique_value age = {.field = 0};
    char text[16];
    pq_view view;
    assert_ok(p->ctx, pique_model_read(p->ctx, file, &model));
    assert_ok(p->ctx, pique_session_create(p->ctx, model, &session));
    (void)pq_dataset_view(p->data, label->user, PQ_SPLIT_TRAIN, &view);
    uint32_t length = label->position;
    if (p->data->labelled) {
        view = pq_dataset_pair_view(p->data, &p->data->labelled[label->position]);
        length = view.history_count;
    }
    for (uint32_t i = 0; i < length; i++) {
        size_t size = 0;
        const char *id = view.history[i] <= p->data->items.count
                             ? pq_strings_get(&p->data->items, view.history[i] - 1, &size)
                             : "";
        history[i] = pique_model_find_item(model, id, size);
        times[i] = view.times ? (double)view.times[i] : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t size;
        const char *id = pq_strings_get(&p->data->items, items[i] - 1, &size);
        numbers[i] = pique_model_find_item(model, id, size);
    }
    size_t size;
    unsigned user;
    const char *name = pq_strings_get(&p->data->users, label->user, &size);
    assert_int_equal(sscanf(name, "u%u", &user), 1);
    age.bytes = text;
    age.length = (uint32_t)snprintf(text, sizeof(text), "%u", 20 + user % 3);
    assert_ok(p->ctx, pique_session_profile(session, &age, user % 2 == 0, NULL));
    const pique_query query = {
        .history = history, .history_times = view.times ? times : NULL, .history_count = length};
    assert_ok(p->ctx, pique_session_rank(session, &query, numbers, count, scores));
    pique_session_free(session);
    pique_model_free(model);
}

/* chances [rows, k + m]: what the teachers say, negative for what is left out. */
static void ask(const class_room *c, const pq_slates *slates, double *chances) {
    const uint32_t width = slates->own_count + slates->shared_count, count = slates->rows * width;
    bool left_out[64] = {false};
    pq_real logits[64];
    assert_true(count <= PQ_COUNT(logits));
    const pq_soft *s = c->batch.soft;
    assert_int_equal(s->ask(s->user, slates, left_out, logits), PIQUE_OK);
    for (uint32_t row = 0; row < count; row += width) {
        double sum = 0;
        for (uint32_t i = row; i < row + width; i++) {
            chances[i] = left_out[i] ? 0 : exp((double)logits[i]);
            sum += chances[i];
        }
        for (uint32_t i = row; i < row + width; i++) {
            chances[i] = left_out[i] ? -1 : chances[i] / sum;
        }
    }
}

/* want [5] += the chances of a teacher, as it serves, of the items that are not PAD. */
static void add_chances(place *p, const char *file, const pq_sample *label, const uint32_t *items,
                        double scale, double *want) {
    uint32_t known[5], at[5], count = 0;
    double weights[5], sum = 0;
    float scores[5];
    for (uint32_t j = 0; j < 5; j++) {
        if (items[j] != 0) {
            at[count] = j;
            known[count++] = items[j];
        }
    }
    served(p, file, label, known, count, scores);
    for (uint32_t j = 0; j < count; j++) {
        weights[j] = exp(scores[j] * scale);
        sum += weights[j];
    }
    for (uint32_t j = 0; j < count; j++) {
        want[at[j]] += weights[j] / sum;
    }
}

/* Two teachers with temperatures of their own: the mean of their softened distributions, in the order asked. */
static void test_slates(void **state) {
    (void)state;
    static const char *const first_set[] = {"temperature=0.5", NULL}, *const second_set[] = {
                                                                          "temperature=0.25",
                                                                          "hidden=6", NULL};
    place p;
    class_room c;
    char first[TESTING_PATH], second[TESTING_PATH], both[2 * TESTING_PATH];
    open_kind(&p, false);
    snprintf(both, sizeof(both), "%s,%s", teach(&p, "sasrec", "first", first_set, first),
             teach(&p, "mind", "second", second_set, second));
    open_class(&c, &p, "sasrec", both);
    const pq_soft *s = c.batch.soft;
    assert_true(s->alpha == 0.75 && s->temperature == 2 && !s->by_slate);
    /* Rows side by side: two items of each one's own, among them one that all teachers know and PAD; three shared. */
    const uint32_t own[] = {7, 0, 3, 11, 7, 0, 3, 11}, shared[] = {11, 5, 3};
    for (uint32_t row = 0; row + 4 <= c.batch.label_count; row += 4) {
        double chances[4 * 5];
        ask(&c, &(pq_slates){row, 4, 2, own, 3, 0, shared}, chances);
        for (uint32_t r = 0; r < 4; r++) {
            const uint32_t items[] = {own[2 * r], own[2 * r + 1], 11, 5, 3};
            double want[5] = {0};
            assert_true(s->taught[row + r] == 1 && s->hard[row + r] == 0.25F);
            for (int i = 0; i < 2; i++) {
                add_chances(&p, i ? second : first, &c.lesson.labels[row + r], items,
                            (i ? 4 : 2) / 2.0, want);
            }
            for (int j = 0; j < 5; j++) {
                const double got = chances[5 * r + (uint32_t)j];
                if (items[j] == 0 ? got >= 0 : !(fabs(got - want[j] / 2) < 1e-5)) {
                    fail_msg("row %u, item %u: %g instead of %g", (unsigned)(row + r),
                             (unsigned)items[j], got, want[j] / 2);
                }
            }
        }
    }
    close_class(&c);
    close_place(&p);
}

static void test_pairs(void **state) {
    (void)state;
    place p;
    class_room c;
    char file[TESTING_PATH];
    open_kind(&p, true);
    teach(&p, "dsin", "teacher", plain, file);
    open_class(&c, &p, "pool", file);
    for (uint32_t i = 0; i < c.batch.candidate_count; i += 3) {
        float score;
        served(&p, file, &c.lesson.labels[i], &c.batch.candidates[i], 1, &score);
        double want = 1 / (1 + exp(-score / 2.0));
        assert_true(c.batch.soft->taught[i] == 1 && c.batch.soft->hard[i] == 0.25F);
        if (!(fabs(c.batch.soft->labels[i] - want) < 1e-5)) {
            fail_msg("pair %u: %g instead of %g", (unsigned)i, (double)c.batch.soft->labels[i],
                     want);
        }
    }
    close_class(&c);
    close_place(&p);
}

/* Items that the teacher does not know: as labels learnt from the label alone, in a slate left out. */
static void test_strangers(void **state) {
    (void)state;
    for (int ranks = 0; ranks < 2; ranks++) {
        place at_school, p;
        class_room c;
        char file[TESTING_PATH];
        uint32_t alone = 0;
        open_kind(&at_school, ranks);
        teach(&at_school, ranks ? "din" : "sasrec", "teacher", plain, file);
        open_ratings(&p, &(ratings){.column = "genre", .labelled = ranks, .others = 9});
        open_class(&c, &p, ranks ? "din" : "sasrec", file);
        const uint32_t count = ranks ? c.batch.candidate_count : c.batch.label_count;
        for (uint32_t i = 0; i < count; i++) {
            size_t size;
            uint32_t item = ranks ? c.batch.candidates[i] : c.batch.targets[i];
            bool known = *pq_strings_get(&p.data->items, item - 1, &size) == 'i', heard = false;
            pq_view view;
            (void)pq_dataset_view(p.data, c.lesson.labels[i].user, PQ_SPLIT_TRAIN, &view);
            for (uint32_t j = 0; !ranks && j < c.lesson.labels[i].position; j++) {
                heard = heard || *pq_strings_get(&p.data->items, view.history[j] - 1, &size) == 'i';
            }
            bool taught = known && (ranks || heard);
            alone += !taught;
            assert_true(c.batch.soft->taught[i] == (taught ? 1 : 0));
            assert_true(c.batch.soft->hard[i] == (taught ? 0.25F : 1));
        }
        assert_true(alone > 3 && alone + 3 < count);
        double chances[27], sum = 0;
        for (uint32_t row = 0; !ranks && row < count && sum == 0; row++) {
            if (c.batch.soft->taught[row] == 0) {
                continue;
            }
            ask(&c, &(pq_slates){.first = row, .rows = 1, .shared_count = p.data->item_rows},
                chances);
            for (uint32_t i = 0; i < p.data->item_rows; i++) {
                size_t size;
                bool known = i > 0 && i <= p.data->items.count &&
                             *pq_strings_get(&p.data->items, i - 1, &size) == 'i';
                assert_true(known ? chances[i] >= 0 : chances[i] < 0);
                sum += known ? chances[i] : 0;
            }
            assert_true(fabs(sum - 1) < 1e-5);
        }
        close_class(&c);
        p.model = ranks ? "din" : "sasrec";
        p.more = plain;
        p.teacher = file;
        assert_ok(p.ctx, train(&p, "student", 2, false, 0));
        close_place(&p);
        close_place(&at_school);
    }
}

/* ---- refusals ---- */

static void expect_refused(place *p, const char *teacher, pique_status status, const char *part) {
    char path[TESTING_PATH];
    p->teacher = teacher;
    assert_failure(p->ctx, train(p, "refused", 1, false, 0), status, part);
    assert_int_equal(access(testing_path(path, p->folder, "refused"), F_OK), -1);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const of_mind[] = {"hidden=6", NULL};
    place p, labelled, other, bare;
    char file[TESTING_PATH], ranker[TESTING_PATH], many[10 * TESTING_PATH] = "";
    open_kind(&p, false);
    open_kind(&labelled, true);
    teach(&p, "mind", "teacher", of_mind, file);
    teach(&labelled, "din", "ranker", plain, ranker);
    expect_refused(&p, ranker, PIQUE_ARGUMENT,
                   "is a model for ranking; a model for retrieval cannot learn from it");
    expect_refused(&labelled, file, PIQUE_ARGUMENT, "is a model for retrieval");
    expect_refused(&p, "nowhere.pique", PIQUE_IO, "nowhere.pique");
    snprintf(many, sizeof(many), "%s,%s", file, ranker);
    expect_refused(&p, many, PIQUE_ARGUMENT, "ranker/model.pique is a model for ranking");
    many[0] = 0;
    for (int i = 0; i < 9; i++) {
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%s%s", i ? "," : "", file);
    }
    expect_refused(&p, many, PIQUE_ARGUMENT, "at most 8 teachers");
    open_ratings(&other, &(ratings){.column = "genre", .others = 20});
    other.model = "mind";
    expect_refused(&other, file, PIQUE_ARGUMENT, "of the 25 items of the data, by their ids");
    open_ratings(&bare, &(ratings){.column = "genre", .no_profile = true});
    bare.model = "sasrec";
    bare.more = plain;
    expect_refused(&bare, file, PIQUE_ARGUMENT, "takes the profile field \"age\"");
    close_place(&bare);
    close_place(&other);
    close_place(&labelled);
    close_place(&p);
}

/* A run does not go on with another teacher, also not under the same name. */
static void test_resume_wants_the_same(void **state) {
    (void)state;
    static const char *const wider[] = {"dim=16", NULL};
    place p;
    char file[TESTING_PATH], second[TESTING_PATH];
    open_kind(&p, false);
    teach(&p, "sasrec", "second", wider, second);
    teach(&p, "sasrec", "teacher", plain, file);
    p.teacher = file;
    assert_failure(p.ctx, train(&p, "run", 1, false, 2), PIQUE_CANCELLED, "can be resumed");
    p.teacher = second;
    assert_failure(p.ctx, train(&p, "run", 1, true, 0), PIQUE_ARGUMENT, "teacher was");
    p.teacher = NULL;
    assert_failure(p.ctx, train(&p, "run", 1, true, 0), PIQUE_ARGUMENT, "other options");
    p.teacher = file;
    assert_int_equal(rename(second, file), 0);
    assert_failure(p.ctx, train(&p, "run", 1, true, 0), PIQUE_ARGUMENT, "teacher_crc32 was");
    close_place(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_student_follows),
        cmocka_unit_test(test_slates),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_resume_wants_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
