/* golden_check.c — see golden_check.h. */
#include "tests/unit/testing.h"

#include <dirent.h>
#include <math.h>

#include "file/container.h"
#include "native/train/optimiser.h"
#include "native/train/settings.h"
#include "tests/golden/golden_check.h"

#define FOLDER "tests/golden/fixtures"
#define RELATIVE 1e-5
#define ABSOLUTE 1e-6
#define AFTER_TEN_STEPS 1e-4
#define MOST_FIXTURES 64
#define MOST_SETTINGS 64

/* A teacher's logits, which are softened row by row. */
typedef struct {
    const pq_tensor *logits;
    double temperature;
} told;

typedef struct {
    testing t;
    const char *name; /* of the fixture and the instruction set, for messages */
    char *bytes;
    pq_container file;
    pq_column columns[2], profile[2];
    pq_item_rows side[PQ_MOST_SIDE];
    pq_model model;
    pq_train_options training;
    bool as_in_training; /* the ten steps normalise over their batches */
    bool pretraining;    /* and the first five of them pretrain */
    /* Histories of the two batches, cut to what the model looks at. */
    uint32_t *starts[2], *items[2], *negatives[2];
    int64_t *times[2];
    pq_codes codes[2];
    uint32_t *ends[2]; /* of the numbers of each user */
    pq_batch batches[2];
    told told[2];
    pq_soft soft[2];
    pq_real *hard[2], *softened[2];
    double part; /* of the losses */
    pq_tape tape;
    pq_grads grads;
} golden;

/* A tensor by "first" and "second" part of its name; NULL when there is none. */
static const pq_tensor *optional(const golden *g, const char *first, const char *second) {
    char name[96];
    snprintf(name, sizeof(name), "%s%s", first, second);
    return pq_container_find(&g->file, name);
}

static const pq_tensor *tensor(const golden *g, const char *first, const char *second) {
    const pq_tensor *found = optional(g, first, second);
    if (!found) {
        fail_msg("%s: the fixture has no %s%s", g->name, first, second);
    }
    return found;
}

static const void *optional_data(const golden *g, const char *first, const char *second) {
    const pq_tensor *found = optional(g, first, second);
    return found ? found->data : NULL;
}

static void compare(const golden *g, const char *what, const char *name, const pq_real *got,
                    const pq_tensor *want, double relative) {
    const float *value = want->data;
    for (size_t i = 0; i < want->count; i++) {
        if (!(fabs(got[i] - value[i]) <= ABSOLUTE + relative * fabs(value[i]))) {
            fail_msg("%s: %s %s[%lu] is %.9g instead of %.9g", g->name, what, name,
                     (unsigned long)i, got[i], value[i]);
        }
    }
}

/* ---- opening a fixture ---- */

/* The settings come as they would in a run, one after the other, so that a fixture may also have those of
 * training; what most have in common stands here. */
static void open_model(golden *g, const char *model) {
    const char *set[MOST_SETTINGS] = {
        "loss=sampled_softmax", "label_smoothing=0", "lr=0.01", "beta1=0.9",
        "beta2=0.999",          "epsilon=1e-8"};
    uint32_t count = 6;
    pq_ctx *ctx = &g->t.ctx;
    char *config, *preset, *mode;
    assert_ok(ctx, pq_container_text(&g->file, "config", &config));
    assert_ok(ctx, pq_container_text(&g->file, "mode", &mode));
    g->as_in_training = mode && strcmp(mode, "training") == 0;
    g->pretraining = mode && strcmp(mode, "pretraining") == 0;
    pq_free(ctx, mode);
    assert_ok(ctx, pq_container_text(&g->file, "preset", &preset));
    assert_true(config && preset);
    for (char *at = config; *at;) {
        assert_true(count < MOST_SETTINGS);
        set[count++] = at;
        at += strcspn(at, " ");
        if (*at) {
            *at++ = 0;
        }
    }
    const pique_train_options asked = {
        .model = model, .preset = preset, .set = set, .set_count = count};
    assert_ok(ctx, pq_settings_read(ctx, &asked, &g->model, &g->training));
    pq_free(ctx, config);
    pq_free(ctx, preset);
}

/* The rows of items that the model's `side` names, in place of tables of ids and columns. */
static void open_side(golden *g) {
    const pq_side_def *def = g->model.def->side;
    for (int i = 0; def[i].name; i++) {
        const pq_tensor *values = optional(g, "side.", def[i].name);
        g->side[i].width = PQ_MAX(def[i].width, 1);
        if (!values) {
            continue;
        }
        const pq_tensor *counts = tensor(g, "counts.", def[i].name);
        uint32_t *first = calloc(counts->count + 1, sizeof(*first));
        assert_non_null(first);
        for (size_t j = 0; j < counts->count; j++) {
            first[j + 1] = first[j] + ((const uint32_t *)counts->data)[j];
        }
        g->side[i] = (pq_item_rows){values->data, values->shape[1], first, counts->data};
        g->model.items.rows = (uint32_t)counts->count;
    }
    g->model.items.side = g->side;
}

static void open_columns(golden *g) {
    static const char *const names[2] = {"genre", "brand"}, *const fields[2] = {"gender", "age"};
    char name[64];
    const pq_tensor *pixels = optional(g, "a.pixels", "");
    g->model.items.rows = tensor(g, "param.item.id", "")->shape[0];
    if (pixels) {
        g->profile[0] = (pq_column){.name = "pixels", .rows = pixels->shape[1] + 2, .vector = true};
        g->model.profile.columns = g->profile;
        g->model.profile.column_count = 1;
        return;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "param.item.%s", names[i]);
        g->columns[i].name = names[i];
        g->columns[i].rows = tensor(g, name, "")->shape[0];
        snprintf(name, sizeof(name), "column.%s", names[i]);
        g->columns[i].offsets = tensor(g, name, ".offsets")->data;
        g->columns[i].values = tensor(g, name, ".values")->data;
        snprintf(name, sizeof(name), "param.profile.%s", fields[i]);
        const pq_tensor *codes = optional(g, name, "");
        g->profile[i] = (pq_column){.name = fields[i], .rows = codes ? codes->shape[0] : 0};
    }
    g->model.items.columns = g->columns;
    g->model.items.column_count = 2;
    g->model.profile.columns = g->profile;
    g->model.profile.column_count = g->profile[0].rows ? 2 : 0;
}

/* The file holds whole histories; a model is given the newest behaviours that it looks at. */
static void open_history(golden *g, int at, const char *prefix) {
    const pq_tensor *starts = tensor(g, prefix, "starts"), *items = tensor(g, prefix, "items");
    const uint32_t *from = starts->data, *behaviours = items->data;
    const uint32_t *times = optional_data(g, prefix, "times");
    const uint32_t *negatives = optional_data(g, prefix, "history_negatives");
    uint32_t users = (uint32_t)starts->count - 1, count = 0;
    g->starts[at] = calloc(users + 1, sizeof(uint32_t));
    g->items[at] = calloc(items->count + 1, sizeof(uint32_t));
    g->negatives[at] = negatives ? calloc(items->count + 1, sizeof(uint32_t)) : NULL;
    g->times[at] = times ? calloc(items->count + 1, sizeof(int64_t)) : NULL;
    assert_true(g->starts[at] && g->items[at]);
    assert_true(!negatives == !g->negatives[at] && !times == !g->times[at]);
    for (uint32_t b = 0; b < users; b++) {
        uint32_t newest = PQ_MIN(from[b + 1] - from[b], g->model.max_history);
        for (uint32_t i = from[b + 1] - newest; i < from[b + 1]; i++, count++) {
            g->items[at][count] = behaviours[i];
            if (negatives) {
                g->negatives[at][count] = negatives[i];
            }
            if (times) {
                g->times[at][count] = times[i];
            }
        }
        g->starts[at][b + 1] = count;
    }
}

/* The teacher's rows of the fixture, softened. */
static pique_status tell(void *user, const pq_slates *slates, bool *left_out, pq_real *out) {
    const told *from = user;
    const uint32_t width = slates->own_count + slates->shared_count;
    const float *logits = (const float *)from->logits->data + (size_t)slates->first * width;
    assert_int_equal(from->logits->shape[1], width);
    for (size_t i = 0; i < (size_t)slates->rows * width; i++) {
        left_out[i] |= logits[i] <= -1e29F;
        out[i] = (pq_real)(logits[i] / from->temperature);
    }
    return PIQUE_OK;
}

static void open_teacher(golden *g, int at, const char *prefix) {
    const pq_tensor *logits = optional(g, prefix, "teacher");
    const pq_train_options *o = &g->training;
    pq_batch *batch = &g->batches[at];
    if (!logits) {
        return;
    }
    const pq_tensor *taught = tensor(g, prefix, "taught");
    assert_int_equal(taught->count, batch->positions);
    g->hard[at] = calloc(taught->count, sizeof(*g->hard[at]));
    g->softened[at] = calloc(logits->count, sizeof(*g->softened[at]));
    assert_true(g->hard[at] && g->softened[at]);
    for (size_t i = 0; i < taught->count; i++) {
        g->hard[at][i] = (pq_real)(((const float *)taught->data)[i] > 0 ? 1 - o->kd_alpha : 1);
    }
    for (size_t i = 0; i < logits->count && batch->candidate_count; i++) {
        double x = ((const float *)logits->data)[i] / o->kd_temperature;
        g->softened[at][i] = (pq_real)(1 / (1 + exp(-x)));
    }
    g->told[at] = (told){logits, o->kd_temperature};
    g->soft[at] = (pq_soft){.alpha = o->kd_alpha,
                            .kappa = o->kd_kappa,
                            .temperature = o->kd_temperature,
                            .by_slate = o->kd_reduction == PQ_KD_BY_SLATE,
                            .taught = taught->data,
                            .hard = g->hard[at],
                            .ask = tell,
                            .user = &g->told[at],
                            .labels = g->softened[at],
                            .part = &g->part};
    batch->soft = &g->soft[at];
}

/* The codes of numbers are their bits, which is how the fixture has them. */
static void open_pixels(golden *g, int at, const char *prefix) {
    const pq_tensor *pixels = optional(g, prefix, "pixels");
    if (pixels) {
        g->ends[at] = calloc(pixels->shape[0] + 1, sizeof(uint32_t));
        assert_non_null(g->ends[at]);
        for (uint32_t b = 0; b <= pixels->shape[0]; b++) {
            g->ends[at][b] = b * pixels->shape[1];
        }
        g->codes[at] = (pq_codes){g->ends[at], pixels->data};
    }
}

static void open_batch(golden *g, int at) {
    const char *prefix = at ? "b." : "a.";
    open_history(g, at, prefix);
    uint32_t users = (uint32_t)tensor(g, prefix, "starts")->count - 1;
    const pq_tensor *candidates = optional(g, prefix, "candidates");
    bool ranks = g->model.def->task == PQ_TASK_RANKING;
    const pq_tensor *targets = ranks ? NULL : tensor(g, prefix, "targets");
    const pq_tensor *rows = optional(g, prefix, "label_rows");
    const pq_tensor *negatives = optional(g, prefix, "negatives");
    const pq_tensor *labels = ranks ? candidates : targets;
    assert_true(ranks || targets->count == (rows ? rows->count : users));
    g->codes[at] = (pq_codes){testing_one_each(), optional_data(g, prefix, "profile")};
    open_pixels(g, at, prefix);
    g->batches[at] = (pq_batch){.history = {g->starts[at], users},
                                .items = g->items[at],
                                .times = g->times[at],
                                .history_negatives = g->negatives[at],
                                .profile = g->codes[at].values ? &g->codes[at] : NULL,
                                .label_count = targets ? (uint32_t)targets->count : 0,
                                .targets = targets ? targets->data : NULL,
                                .label_rows = rows ? rows->data : NULL,
                                .positions = (uint32_t)labels->count,
                                .negatives = negatives ? negatives->data : NULL,
                                .negative_count = negatives ? (uint32_t)negatives->count : 0,
                                .target_log_q = optional_data(g, prefix, "target_log_q"),
                                .negative_log_q = optional_data(g, prefix, "negative_log_q"),
                                .pair_negatives = optional_data(g, prefix, "pair_negatives"),
                                .candidate_count = candidates ? (uint32_t)candidates->count : 0,
                                .candidates = candidates ? candidates->data : NULL,
                                .candidate_users = optional_data(g, prefix, "candidate_users"),
                                .candidate_labels = optional_data(g, prefix, "candidate_labels")};
    open_teacher(g, at, prefix);
}

static void open_parameters(golden *g) {
    for (uint32_t i = 0; i < g->model.params.count; i++) {
        pq_param *param = g->model.params.list[i];
        const pq_tensor *value = tensor(g, "param.", param->name);
        assert_int_equal(value->shape[0], param->rows);
        assert_int_equal(value->shape[1], param->cols);
        memcpy(param->value, value->data, value->count * sizeof(float));
    }
    /* And none in the file that the model does not know. */
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->file.count; i++) {
        count += g->file.tensors[i].name.size > 6 &&
                 memcmp(g->file.tensors[i].name.bytes, "param.", 6) == 0;
    }
    assert_int_equal(count, g->model.params.count);
}

static void golden_open(golden *g, const char *model, const char *path, const pq_kernels *kernels) {
    size_t size;
    testing_open(&g->t);
    pq_ctx *ctx = &g->t.ctx;
    ctx->kernels = kernels;
    g->bytes = testing_read(path, &size);
    if (!g->bytes) {
        fail_msg("%s cannot be read; the tests run in the project's folder", path);
    }
    assert_ok(ctx, pq_container_open(ctx, g->bytes, size, &g->file));
    open_model(g, model);
    if (g->model.def->side) {
        open_side(g);
    } else {
        open_columns(g);
    }
    assert_ok(ctx, pq_model_declare(&g->model));
    open_parameters(g);
    open_batch(g, 0);
    open_batch(g, 1);
    pq_tape_init(&g->tape, ctx);
    assert_ok(ctx, pq_grads_init(&g->grads, ctx, &g->model.params));
}

static void golden_close(golden *g) {
    pq_grads_free(&g->grads);
    pq_tape_free(&g->tape);
    pq_model_free(&g->model);
    pq_container_close(&g->file);
    for (int i = 0; i < PQ_MOST_SIDE; i++) {
        free((void *)g->side[i].first);
    }
    for (int i = 0; i < 2; i++) {
        free(g->starts[i]);
        free(g->items[i]);
        free(g->negatives[i]);
        free(g->times[i]);
        free(g->hard[i]);
        free(g->ends[i]);
        free(g->softened[i]);
    }
    free(g->bytes);
    testing_close(&g->t);
}

/* ---- what must come out ---- */

static void check_interests(golden *g) {
    const pq_tensor *want = tensor(g, "expect.", "live");
    const uint32_t *counts = want->data;
    uint32_t live[16];
    assert_int_equal(want->count, g->batches[0].history.count);
    pq_tape_begin(&g->tape, NULL, false, (pq_rng){0});
    const pq_var *v = g->model.def->user(&g->tape, &g->model, &g->batches[0], live);
    assert_ok(&g->t.ctx, g->tape.status);
    for (size_t i = 0; i < want->count; i++) {
        assert_int_equal(live[i], counts[i]);
    }
    want = tensor(g, "expect.", "interests");
    assert_int_equal(want->count, (size_t)v->rows * v->cols);
    compare(g, "interests", "", v->value, want, RELATIVE);
}

static void check_scores(golden *g) {
    const pq_tensor *want = tensor(g, "expect.", "scores");
    pq_tape_begin(&g->tape, NULL, false, (pq_rng){0});
    const pq_var *y = g->model.def->score(&g->tape, &g->model, &g->batches[0]);
    assert_ok(&g->t.ctx, g->tape.status);
    assert_int_equal(y->rows, g->batches[0].candidate_count);
    assert_int_equal(want->count, (size_t)y->rows * y->cols);
    compare(g, "scores", "", y->value, want, RELATIVE);
}

/* One forward and backward pass as in evaluation: noise from the table, nothing dropped. A fixture of
 * training normalises over the batch, and drops nothing by its rates. */
static void run_step(golden *g, int step) {
    pq_grads_clear(&g->grads);
    pq_tape_begin(&g->tape, &g->grads, g->as_in_training, (pq_rng){0});
    pq_var *loss = pq_model_loss(&g->tape, &g->model, &g->batches[step % 2]);
    assert_ok(&g->t.ctx, pq_tape_backward(&g->tape, loss));
    pq_tensor want = *tensor(g, "expect.", "losses");
    assert_int_equal(want.count, 10);
    want.data = (float *)want.data + step;
    want.count = 1;
    char what[32];
    snprintf(what, sizeof(what), "loss of step %d", step + 1);
    compare(g, what, "", loss->value, &want, step ? AFTER_TEN_STEPS : RELATIVE);
}

static void check_gradients(golden *g) {
    for (uint32_t i = 0; i < g->model.params.count; i++) {
        const pq_param *param = g->model.params.list[i];
        const pq_grad *grad = &g->grads.list[i];
        if (param->frozen || param->statistic) { /* the latter: what becomes of it in ten steps */
            continue;
        }
        const pq_tensor *want = tensor(g, "grad.", param->name);
        pq_real *whole = calloc(want->count, sizeof(*whole));
        assert_non_null(whole);
        for (uint32_t j = 0; j < pq_grad_count(grad, param); j++) {
            uint32_t row = pq_grad_at(grad, j);
            memcpy(whole + (size_t)row * param->cols, pq_grad_row(grad, param, row),
                   param->cols * sizeof(*whole));
        }
        compare(g, "gradient of", param->name, whole, want, RELATIVE);
        free(whole);
    }
}

static void check_ten_steps(golden *g) {
    const pq_train_options *o = &g->training;
    const pq_adam adam = {.lr = o->lr, .beta1 = o->beta1, .beta2 = o->beta2, .epsilon = o->epsilon};
    pq_optimiser optimiser;
    assert_ok(&g->t.ctx, pq_optimiser_init(&optimiser, &g->t.ctx, &g->model.params));
    for (int step = 0; step < 10; step++) {
        g->model.pretraining = optimiser.pretraining = g->pretraining && step < 5;
        if (g->pretraining && step == 5) {
            optimiser.since = optimiser.step;
            pq_optimiser_forget(&optimiser);
        }
        run_step(g, step);
        if (step == 0) {
            check_gradients(g);
        }
        assert_ok(&g->t.ctx, pq_optimiser_step(&optimiser, &adam, &g->grads));
    }
    for (uint32_t i = 0; i < g->model.params.count; i++) {
        const pq_param *param = g->model.params.list[i];
        const char *kind = param->frozen ? "param." : "after."; /* frozen ones stay as they were */
        compare(g, "after ten steps", param->name, param->value, tensor(g, kind, param->name),
                AFTER_TEN_STEPS);
    }
    pq_optimiser_free(&optimiser);
}

typedef struct {
    const char *model, *name;
} fixture;

static void run_fixture(void **state) {
    const fixture *f = *state;
    bool runnable;
    const pq_kernels *kernels;
    for (uint32_t i = 0; (kernels = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (!runnable) {
            continue;
        }
        char path[128], name[96];
        snprintf(path, sizeof(path), FOLDER "/%s-%s.safetensors", f->model, f->name);
        snprintf(name, sizeof(name), "%s on %s", f->name, kernels->isa);
        golden g = {.name = name};
        golden_open(&g, f->model, path, kernels);
        bool retrieves = g.model.def->task == PQ_TASK_RETRIEVAL;
        if (retrieves || optional(&g, "expect.live", "")) {
            check_interests(&g);
        }
        if (g.model.def->score) {
            check_scores(&g);
        }
        check_ten_steps(&g);
        golden_close(&g);
    }
}

typedef struct {
    const char *model;
    unsigned count;
} folder_content;

/* A fixture that stands in the folder but not in the table would prove nothing. */
static void every_fixture_runs(void **state) {
    const folder_content *content = *state;
    size_t count = 0, size = strlen(content->model);
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strncmp(entry->d_name, content->model, size) == 0 && entry->d_name[size] == '-';
    }
    closedir(folder);
    assert_int_equal(count, content->count);
}

int golden_run(const char *model, const char *const *names, unsigned count) {
    fixture fixtures[MOST_FIXTURES];
    struct CMUnitTest tests[MOST_FIXTURES + 1] = {{0}};
    folder_content content = {model, count};
    if (count > MOST_FIXTURES) {
        fprintf(stderr, "%u fixtures, room for %d\n", count, MOST_FIXTURES);
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        fixtures[i] = (fixture){model, names[i]};
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = run_fixture, .initial_state = &fixtures[i]};
    }
    tests[count] = (struct CMUnitTest){
        .name = "every fixture runs", .test_func = every_fixture_runs, .initial_state = &content};
    return cmocka_run_group_tests_name(model, tests, NULL, NULL); /* rows without a name are none */
}
