/* test_train.c — the parts of training, each against its definition: learning rates, Adam, the sampler's
 * labels, histories and negatives, shards, checkpoints, settings. */
#include "small_data.h"

#include "kernels/kernels.h"
#include "native/train/checkpoint.h"
#include "native/train/settings.h"
#include "native/train/shards.h"

#include <math.h>

#define CLOSE(a, b, tolerance) (fabs((double)(a) - (double)(b)) <= (tolerance))

/* ---- learning rates ---- */

static void test_learning_rates(void **state) {
    (void)state;
    pq_train_options o = {.lr = 0.5, .lr_floor = 0.1, .warmup = 4};
    static const double quarter = 0.5 * (1 + 0.70710678118654752);
    static const struct {
        pq_schedule schedule;
        uint64_t step;
        double rate; /* as a share of lr */
    } cases[] = {
        {PQ_SCHEDULE_CONSTANT, 1, 0.25},
        {PQ_SCHEDULE_CONSTANT, 3, 0.75},
        {PQ_SCHEDULE_CONSTANT, 4, 1},
        {PQ_SCHEDULE_CONSTANT, 20, 1},
        {PQ_SCHEDULE_LINEAR, 2, 0.5},
        {PQ_SCHEDULE_LINEAR, 4, 1},
        {PQ_SCHEDULE_LINEAR, 8, 0.775},
        {PQ_SCHEDULE_LINEAR, 20, 0.1},
        {PQ_SCHEDULE_COSINE, 1, 0.25},
        {PQ_SCHEDULE_COSINE, 12, 0.55},
        {PQ_SCHEDULE_COSINE, 20, 0.1},
        {PQ_SCHEDULE_COSINE, 25, 0.1},
        {PQ_SCHEDULE_COSINE, 8, 0.1 + 0.9 * quarter},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        o.schedule = (int32_t)cases[i].schedule;
        assert_true(CLOSE(pq_learning_rate(&o, cases[i].step, 20, 0), 0.5 * cases[i].rate, 1e-12));
    }
    o.warmup = 0;
    o.schedule = PQ_SCHEDULE_LINEAR;
    assert_true(CLOSE(pq_learning_rate(&o, 1, 1, 0), 0.05, 1e-12)); /* a run of one step */
    o.warmup = 30;
    assert_true(CLOSE(pq_learning_rate(&o, 20, 20, 0), 0.5 * 20 / 30, 1e-12)); /* still rising */
}

static void test_drops(void **state) {
    (void)state;
    pq_train_options o = {.lr = 0.5, .lr_floor = 0.1, .warmup = 4, .lr_factor = 0.5};
    static const double shares[] = {1, 0.5, 0.25, 0.125, 0.1, 0.1};
    for (int32_t schedule = PQ_SCHEDULE_STEP; schedule <= PQ_SCHEDULE_PLATEAU; schedule++) {
        o.schedule = schedule;
        assert_true(CLOSE(pq_learning_rate(&o, 3, 20, 0), 0.5 * 0.75, 1e-12)); /* rising */
        for (uint32_t drops = 0; drops < PQ_COUNT(shares); drops++) {
            assert_true(CLOSE(pq_learning_rate(&o, 9, 20, drops), 0.5 * shares[drops], 1e-12));
        }
    }
}

/* ---- Adam ---- */

enum { DENSE = 6, ROWS = 4, COLS = 3, STEPS = 5 };

typedef struct {
    double w[DENSE + ROWS * COLS], m[DENSE + ROWS * COLS], v[DENSE + ROWS * COLS];
} reference;

/* Gradient of element i in step s; rows 1 and 3 are touched in even steps, row 2 in all, row 0 never. */
static double gradient(int i, int s) {
    return sin(i * 1.7 + s * 0.9) * (i % 3 == 0 ? 20 : 1);
}

static bool is_touched(int i, int s) {
    int row = (i - DENSE) / COLS;
    return i < DENSE || row == 2 || (row % 2 == 1 && s % 2 == 0);
}

static void reference_step(reference *r, const pq_adam *a, int s) {
    double square = 0, scale = 1;
    /* As the kernel has them: 1 - (float)0.999 is 1e-5 away from 0.001. */
    double beta1 = (double)(pq_real)a->beta1, beta2 = (double)(pq_real)a->beta2;
    for (int i = 0; i < DENSE + ROWS * COLS; i++) {
        square += is_touched(i, s) ? gradient(i, s) * gradient(i, s) : 0;
    }
    if (a->clip > 0 && sqrt(square) > a->clip) {
        scale = a->clip / sqrt(square);
    }
    for (int i = 0; i < DENSE + ROWS * COLS; i++) {
        if (is_touched(i, s)) {
            double g = gradient(i, s) * scale;
            r->m[i] = beta1 * r->m[i] + (1 - beta1) * g;
            r->v[i] = beta2 * r->v[i] + (1 - beta2) * g * g;
            double m = r->m[i] / (1 - pow(a->beta1, s)), v = r->v[i] / (1 - pow(a->beta2, s));
            r->w[i] -= a->lr * a->weight_decay * r->w[i];
            r->w[i] -= a->lr * m / (sqrt(v) + a->epsilon);
        }
    }
}

typedef struct {
    testing t;
    pq_params params;
    pq_param *dense, *sparse, *frozen;
    pq_grads grads;
    pq_optimiser optimiser;
} bench;

static void open_bench(bench *b) {
    memset(b, 0, sizeof(*b));
    testing_open(&b->t);
    b->t.ctx.kernels = pq_kernels_find("best");
    pq_params_init(&b->params, &b->t.ctx);
    b->dense = pq_params_add(&b->params, "dense", 2, 3, (pq_init){PQ_INIT_NORMAL, 1, false});
    b->frozen = pq_params_add(&b->params, "frozen", 1, 2, (pq_init){PQ_INIT_NORMAL, 1, false});
    b->sparse =
        pq_params_add(&b->params, "sparse", ROWS, COLS, (pq_init){PQ_INIT_NORMAL, 1, false});
    assert_ok(&b->t.ctx, b->params.status);
    b->sparse->sparse = true;
    b->frozen->frozen = true;
    pq_params_draw(&b->params, 3);
    assert_ok(&b->t.ctx, pq_grads_init(&b->grads, &b->t.ctx, &b->params));
    assert_ok(&b->t.ctx, pq_optimiser_init(&b->optimiser, &b->t.ctx, &b->params));
}

static void close_bench(bench *b) {
    pq_optimiser_free(&b->optimiser);
    pq_grads_free(&b->grads);
    pq_params_free(&b->params);
    testing_close(&b->t);
}

static void fill_grads(bench *b, int s) {
    pq_grads_clear(&b->grads);
    pq_grad *dense = &b->grads.list[b->dense->index];
    dense->used = true;
    for (int i = 0; i < DENSE; i++) {
        dense->dense[i] = (pq_real)gradient(i, s);
    }
    for (int i = DENSE; i < DENSE + ROWS * COLS; i++) {
        if (is_touched(i, s)) {
            pq_real *row = pq_grads_row(&b->grads, b->sparse, (uint32_t)(i - DENSE) / COLS);
            row[(i - DENSE) % COLS] = (pq_real)gradient(i, s);
        }
    }
}

static void check_adam(const pq_adam *adam) {
    bench b;
    reference r = {{0}, {0}, {0}};
    open_bench(&b);
    pq_real kept[2] = {b.frozen->value[0], b.frozen->value[1]};
    for (int i = 0; i < DENSE + ROWS * COLS; i++) {
        r.w[i] = (double)(i < DENSE ? b.dense->value[i] : b.sparse->value[i - DENSE]);
    }
    for (int s = 1; s <= STEPS; s++) {
        fill_grads(&b, s);
        reference_step(&r, adam, s);
        assert_ok(&b.t.ctx, pq_optimiser_step(&b.optimiser, adam, &b.grads));
        for (int i = 0; i < DENSE + ROWS * COLS; i++) {
            pq_real w = i < DENSE ? b.dense->value[i] : b.sparse->value[i - DENSE];
            if (!CLOSE(w, r.w[i], 2e-6)) {
                fail_msg("step %d, element %d: %.9g, not %.9g", s, i, (double)w, r.w[i]);
            }
        }
    }
    assert_int_equal(b.optimiser.step, STEPS);
    assert_memory_equal(b.frozen->value, kept, sizeof(kept));
    close_bench(&b);
}

static void test_adam(void **state) {
    (void)state;
    check_adam(&(pq_adam){.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8});
    check_adam(&(pq_adam){
        .lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .clip = 2}); /* clipped */
    check_adam(&(pq_adam){
        .lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .clip = 1e6}); /* never reached */
    check_adam(&(pq_adam){.lr = 0.1,
                          .beta1 = 0.9,
                          .beta2 = 0.99,
                          .epsilon = 1e-3,
                          .weight_decay = 0.5}); /* decay, also of touched rows alone */
    check_adam(&(pq_adam){.lr = 0.1, .epsilon = 1e-3});
}

static void test_adam_refuses_what_is_not_finite(void **state) {
    (void)state;
    static const pq_real bad[] = {NAN, HUGE_VALF, 1e38f /* its square is not finite */};
    const pq_adam adam = {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        bench b;
        pq_real before[ROWS * COLS];
        open_bench(&b);
        memcpy(before, b.sparse->value, sizeof(before));
        fill_grads(&b, 1);
        pq_grads_row(&b.grads, b.sparse, 2)[1] = bad[i];
        assert_failure(&b.t.ctx, pq_optimiser_step(&b.optimiser, &adam, &b.grads), PIQUE_NUMERIC,
                       "step 1: the gradient of sparse is not finite");
        assert_memory_equal(b.sparse->value, before, sizeof(before));
        assert_int_equal(b.optimiser.step, 0);
        close_bench(&b);
    }
}

/* ---- the sampler ---- */

typedef struct {
    testing t;
    char *text;
    pique_dataset *data;
    pq_train_options options;
    pq_sampler sampler;
} drawing;

static void open_drawing(drawing *d, const char *lines, const pq_train_options *options) {
    memset(d, 0, sizeof(*d));
    testing_open(&d->t);
    d->t.ctx.kernels = pq_kernels_find("best");
    d->options = *options;
    if (!lines) {
        lines = d->text = small_data_text(40, 30, 25);
    }
    assert_ok(&d->t.ctx, small_data_open(&d->t.ctx, lines, &d->data));
    assert_ok(&d->t.ctx, pq_sampler_init(&d->sampler, &d->t.ctx, d->data, &d->options, 7));
}

static void close_drawing(drawing *d) {
    pq_sampler_free(&d->sampler);
    pique_dataset_free(d->data);
    free(d->text);
    testing_close(&d->t);
}

/* Training events of a user, counted here from the split's definition. */
static uint32_t training_events(const pique_dataset *data, uint32_t user) {
    uint32_t all = (uint32_t)(data->starts[user + 1] - data->starts[user]);
    return all < 3 ? all : all - 2;
}

static void test_labels(void **state) {
    (void)state;
    for (int32_t most = 0; most <= 6; most += 3) {
        drawing d;
        open_drawing(&d, NULL,
                     &(pq_train_options){.samples_per_user = most, .around = 0.3, .negatives = 1});
        uint64_t expected = 0;
        for (uint32_t u = 0; u < d.data->user_count; u++) {
            uint32_t labels = training_events(d.data, u) - 1;
            expected += most && labels > (uint32_t)most ? (uint32_t)most : labels;
        }
        assert_true(pq_sampler_epoch_size(&d.sampler) == expected && expected > 50);
        size_t around = 0, moved = 0;
        for (uint32_t epoch = 1; epoch <= 3; epoch++) {
            bool seen[40][32] = {{false}};
            assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, epoch));
            assert_true(d.sampler.count == expected);
            for (size_t i = 0; i < d.sampler.count; i++) {
                const pq_sample *s = &d.sampler.samples[i];
                /* Not the first event, not the validation or the test event, none twice. */
                assert_true(s->position >= 1 && s->position < training_events(d.data, s->user));
                assert_false(seen[s->user][s->position]);
                seen[s->user][s->position] = true;
                around += s->around;
                moved += i > 0 && d.sampler.samples[i - 1].user > s->user;
            }
        }
        assert_true(CLOSE((double)around / (3.0 * (double)expected), 0.3, 0.1));
        assert_true(moved > expected / 2); /* shuffled: users do not come in their order */
        close_drawing(&d);
    }
}

static void test_epochs_depend_on_their_number_alone(void **state) {
    (void)state;
    drawing d;
    open_drawing(&d, NULL,
                 &(pq_train_options){
                     .samples_per_user = 4, .around = 0.5, .history_dropout = 0.5, .negatives = 1});
    assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, 1));
    size_t count = d.sampler.count;
    pq_sample *first = malloc(count * sizeof(*first));
    assert_non_null(first);
    memcpy(first, d.sampler.samples, count * sizeof(*first));
    for (uint32_t epoch = 2; epoch-- > 0;) { /* 1 again, then another */
        size_t same = 0;
        assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, epoch));
        assert_int_equal(d.sampler.count, count);
        for (size_t i = 0; i < count; i++) {
            const pq_sample *s = &d.sampler.samples[i];
            same += s->user == first[i].user && s->position == first[i].position &&
                    s->around == first[i].around && s->hidden == first[i].hidden;
        }
        assert_true(epoch == 1 ? same == count : same < count / 4);
    }
    free(first);
    close_drawing(&d);
}

/* The batch of one label: user 0's training events are 1..8 by number of place. */
static void expect_history(uint32_t position, bool around, uint32_t most, const char *expected) {
    drawing d;
    char actual[64] = "";
    size_t size = 0;
    pq_batch batch;
    pq_arena arena;
    open_drawing(&d, "u p0 p1 p2 p3 p4 p5 p6 p7 vv tt\n", &(pq_train_options){.negatives = 1});
    pq_arena_init(&arena, &d.t.ctx);
    pq_sample sample = {.user = 0, .position = position, .around = around};
    pq_sample *drawn = d.sampler.samples;
    d.sampler.samples = &sample;
    pq_sample_range range = {0, 1, most, 1};
    assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &range, &batch));
    d.sampler.samples = drawn;
    for (uint32_t i = 0; i < batch.history.starts[1]; i++) {
        size_t length;
        const char *id = pq_strings_get(&d.data->items, batch.items[i] - 1, &length);
        actual[size++] = id[1];
    }
    assert_string_equal(actual, expected);
    size_t length;
    const char *label = pq_strings_get(&d.data->items, batch.targets[0] - 1, &length);
    assert_int_equal(label[1], '0' + (int)position);
    pq_arena_free(&arena);
    close_drawing(&d);
}

static void test_histories(void **state) {
    (void)state;
    expect_history(5, false, 10, "01234");
    expect_history(5, false, 3, "234");
    expect_history(1, false, 3, "0");
    /* Both sides, the nearest last, never the label itself, never an event past the training ones. */
    expect_history(3, true, 10, "7605142");
    expect_history(3, true, 4, "5142");
    expect_history(3, true, 3, "142");
    expect_history(7, true, 3, "456");
    expect_history(1, true, 10, "7654320");
}

static void test_batches(void **state) {
    (void)state;
    drawing d;
    pq_batch batch;
    pq_arena arena;
    open_drawing(&d, NULL, &(pq_train_options){.around = 0.4, .negatives = 9, .sampler = 2});
    pq_arena_init(&arena, &d.t.ctx);
    assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, 1));
    uint32_t count = (uint32_t)d.sampler.count - 5;
    pq_sample_range range = {5, count, 6, 1};
    assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &range, &batch));
    assert_int_equal(batch.label_count, count);
    assert_int_equal(pq_sampler_labels(&d.sampler, &range, NULL, NULL), count);
    assert_int_equal(batch.history.count, count);
    assert_int_equal(batch.history.starts[0], 0);
    for (uint32_t b = 0; b < count; b++) {
        const pq_sample *s = &d.sampler.samples[5 + b];
        const uint32_t *events = d.data->events + d.data->starts[s->user];
        uint32_t length = pq_segment_length(&batch.history, b);
        assert_int_equal(batch.targets[b], events[s->position]);
        /* After the newest row of its own history: what a state after every row is asked for. */
        assert_int_equal(batch.label_rows[b], batch.history.starts[b + 1] - 1);
        assert_true(length >= 1 && length <= 6);
        assert_true(CLOSE(batch.target_log_q[b], log(9.0 / d.data->items.count), 1e-6));
    }
    pq_arena_free(&arena);
    close_drawing(&d);
}

/* history_dropout hides the histories of its share of the labels, and changes nothing else of what is drawn. */
static void test_hidden(void **state) {
    (void)state;
    drawing d, plain;
    pq_batch batch;
    pq_arena arena;
    pq_train_options o = {.samples_per_user = 6, .around = 0.4, .negatives = 1};
    open_drawing(&plain, NULL, &o);
    o.history_dropout = 0.3;
    open_drawing(&d, NULL, &o);
    pq_arena_init(&arena, &d.t.ctx);
    size_t hidden = 0, all = 0;
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, epoch));
        assert_ok(&plain.t.ctx, pq_sampler_epoch(&plain.sampler, epoch));
        pq_sample_range range = {0, (uint32_t)d.sampler.count, 6, 1};
        assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &range, &batch));
        assert_int_equal(batch.label_count, range.count);
        assert_int_equal(d.sampler.count, plain.sampler.count);
        for (uint32_t b = 0; b < range.count; b++) {
            pq_sample s = d.sampler.samples[b], other = plain.sampler.samples[b];
            const uint32_t *events = d.data->events + d.data->starts[s.user];
            assert_true(s.user == other.user && s.position == other.position);
            assert_true(s.around == other.around && !other.hidden);
            assert_int_equal(batch.targets[b], events[s.position]);
            assert_true((pq_segment_length(&batch.history, b) == 0) == s.hidden);
            hidden += s.hidden;
            all++;
        }
    }
    assert_true(all > 300 && CLOSE((double)hidden / (double)all, 0.3, 0.06));
    pq_arena_free(&arena);
    close_drawing(&plain);
    close_drawing(&d);
}

/* supervision = all: one window a user, the newest events, each row followed by its label; negatives of
 * a label are no items of its user. */
static void test_windows(void **state) {
    (void)state;
    enum { WINDOW = 5, PAIRS = 3 };
    drawing d;
    pq_batch batch;
    pq_arena arena;
    open_drawing(&d, NULL,
                 &(pq_train_options){.supervision = PQ_SUPERVISE_ALL,
                                     .loss = PQ_LOSS_BCE,
                                     .pair_negatives = PAIRS,
                                     .negatives = 1,
                                     .sampler = 2});
    pq_arena_init(&arena, &d.t.ctx);
    assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, 1));
    size_t users = 0;
    for (uint32_t u = 0; u < d.data->user_count; u++) {
        users += training_events(d.data, u) >= 2;
    }
    assert_int_equal(d.sampler.count, users);
    pq_sample_range range = {2, (uint32_t)d.sampler.count - 2, WINDOW, 7};
    assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &range, &batch));
    assert_int_equal(batch.label_count, pq_sampler_labels(&d.sampler, &range, NULL, NULL));
    assert_int_equal(batch.label_count, batch.history.starts[range.count]);
    for (uint32_t b = 0; b < range.count; b++) {
        uint32_t user = d.sampler.samples[2 + b].user, count = training_events(d.data, user);
        uint32_t length = pq_segment_length(&batch.history, b), start = batch.history.starts[b];
        const uint32_t *events = d.data->events + d.data->starts[user];
        assert_int_equal(length, PQ_MIN(count - 1, WINDOW));
        for (uint32_t i = 0; i < length; i++) {
            assert_int_equal(batch.items[start + i], events[count - 1 - length + i]);
            assert_int_equal(batch.targets[start + i], events[count - length + i]);
            assert_int_equal(batch.label_rows[start + i], start + i);
        }
        for (uint32_t i = start * PAIRS; i < (start + length) * PAIRS; i++) {
            for (uint32_t e = 0; e < count; e++) {
                assert_int_not_equal(batch.pair_negatives[i], events[e]);
            }
        }
    }
    pq_arena_free(&arena);
    close_drawing(&d);
}

/* supervision = last: one sample a user, its newest training event after those before it. */
static void test_newest_labels(void **state) {
    (void)state;
    drawing d;
    pq_batch batch;
    pq_arena arena;
    open_drawing(&d, NULL,
                 &(pq_train_options){.supervision = PQ_SUPERVISE_LAST,
                                     .samples_per_user = 7,
                                     .around = 1,
                                     .negatives = 1,
                                     .batch = 40});
    pq_arena_init(&arena, &d.t.ctx);
    for (uint32_t epoch = 1; epoch <= 2; epoch++) {
        bool seen[40] = {false};
        assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, epoch));
        assert_true(d.sampler.count == pq_sampler_epoch_size(&d.sampler));
        pq_sample_range range = {0, (uint32_t)d.sampler.count, 4, 1};
        assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &range, &batch));
        assert_int_equal(batch.label_count, d.sampler.count);
        for (uint32_t b = 0; b < range.count; b++) {
            uint32_t user = d.sampler.samples[b].user, count = training_events(d.data, user);
            uint32_t length = pq_segment_length(&batch.history, b), start = batch.history.starts[b];
            const uint32_t *events = d.data->events + d.data->starts[user];
            assert_false(seen[user]);
            seen[user] = true;
            assert_int_equal(batch.targets[b], events[count - 1]);
            assert_int_equal(batch.label_rows[b], start + length - 1);
            assert_int_equal(length, PQ_MIN(count - 1, 4));
            for (uint32_t i = 0; i < length; i++) {
                assert_int_equal(batch.items[start + i], events[count - 1 - length + i]);
            }
        }
    }
    pq_arena_free(&arena);
    close_drawing(&d);
}

/* sampler = in_batch: the labels of the whole batch in the order of its samples, however it is cut into
 * shards, corrected by how often an item is a training event. */
static void check_in_batch(pq_supervision supervision) {
    drawing d;
    pq_arena arena;
    uint32_t ids[60 * 6], at = 0;
    pq_real log_q[60 * 6];
    open_drawing(&d, NULL,
                 &(pq_train_options){.supervision = (int32_t)supervision,
                                     .sampler = PQ_NEGATIVES_IN_BATCH,
                                     .negatives = 1,
                                     .samples_per_user = 2,
                                     .batch = 60});
    pq_arena_init(&arena, &d.t.ctx);
    assert_ok(&d.t.ctx, pq_sampler_epoch(&d.sampler, 1));
    uint32_t end = PQ_MIN((uint32_t)d.sampler.count, 63);
    const pq_sample_range whole = {3, end - 3, 6, 5};
    assert_true(end > 20);
    assert_true(pq_sampler_most_negatives(&d.sampler, 6) <= PQ_COUNT(ids));
    uint32_t count = pq_sampler_negatives(&d.sampler, &whole, ids, log_q);
    assert_true(count >= end - 3 && count <= pq_sampler_most_negatives(&d.sampler, 6));
    for (uint32_t first = 3, size = 1; first < end; first += size, size = PQ_MIN(7, end - first)) {
        const pq_sample_range part = {first, size, 6, 5};
        pq_batch batch;
        assert_ok(&d.t.ctx, pq_sampler_batch(&d.sampler, &arena, &part, &batch));
        for (uint32_t i = 0; i < batch.label_count; i++, at++) {
            double popularity = d.data->popularity[ids[at]];
            assert_int_equal(ids[at], batch.targets[i]);
            assert_true(log_q[at] ==
                        batch.target_log_q[i]); /* a label is corrected like a negative */
            assert_true(
                CLOSE(log_q[at] - log_q[0], log(popularity / d.data->popularity[ids[0]]), 1e-5));
        }
    }
    assert_int_equal(at, count);
    pq_arena_free(&arena);
    close_drawing(&d);
}

static void test_in_batch(void **state) {
    (void)state;
    check_in_batch(PQ_SUPERVISE_PREFIX);
    check_in_batch(PQ_SUPERVISE_ALL);
    check_in_batch(PQ_SUPERVISE_LAST);
}

/* What the formulas say of item i, 1..n. */
static double expected_chance(const drawing *d, uint32_t i) {
    uint32_t n = d->data->items.count;
    double total = 0;
    switch ((pq_negatives)d->options.sampler) {
    case PQ_NEGATIVES_POPULARITY:
        for (uint32_t j = 1; j <= n; j++) {
            total += pow(d->data->popularity[j], d->options.negative_power);
        }
        return pow(d->data->popularity[i], d->options.negative_power) / total;
    case PQ_NEGATIVES_IN_BATCH:
        break; /* labels, which are not drawn */
    case PQ_NEGATIVES_LOG_UNIFORM:
        return (log(i + 1.0) - log(i)) / log(n + 1.0);
    case PQ_NEGATIVES_UNIFORM:
        break;
    }
    return 1.0 / n;
}

enum { DRAWS = 400, DRAW_STEPS = 100 };

static void check_negatives(int32_t sampler, double power) {
    drawing d;
    uint32_t ids[DRAWS];
    pq_real log_q[DRAWS];
    double counts[64] = {0}, chi = 0;
    open_drawing(
        &d, NULL,
        &(pq_train_options){.sampler = sampler, .negative_power = power, .negatives = DRAWS});
    uint32_t n = d.data->items.count;
    for (uint64_t step = 1; step <= DRAW_STEPS; step++) {
        const pq_sample_range batch = {.step = step};
        assert_int_equal(pq_sampler_negatives(&d.sampler, &batch, ids, log_q), DRAWS);
        for (int i = 0; i < DRAWS; i++) {
            assert_true(ids[i] >= 1 && ids[i] <= n); /* neither PAD nor UNKNOWN */
            assert_true(CLOSE(log_q[i], log(DRAWS * expected_chance(&d, ids[i])), 1e-5));
            counts[ids[i]]++;
        }
    }
    for (uint32_t i = 1; i <= n; i++) {
        double expected = expected_chance(&d, i) * DRAWS * DRAW_STEPS;
        assert_true(CLOSE(d.sampler.chance[i], expected_chance(&d, i), 1e-9));
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    /* Mean n - 1, deviation sqrt(2 (n - 1)): five deviations. The draws are fixed by the seed. */
    assert_true(n > 20 && chi < n - 1 + 5 * sqrt(2.0 * (n - 1)));
    assert_true(chi > n - 1 - 5 * sqrt(2.0 * (n - 1)) && chi > 1);
    close_drawing(&d);
}

static void test_negatives(void **state) {
    (void)state;
    check_negatives(PQ_NEGATIVES_POPULARITY, 0.75);
    check_negatives(PQ_NEGATIVES_POPULARITY, 0);
    check_negatives(PQ_NEGATIVES_LOG_UNIFORM, 0.75);
    check_negatives(PQ_NEGATIVES_UNIFORM, 0.75);
}

static void test_nothing_to_learn(void **state) {
    (void)state;
    testing t;
    pique_dataset *data;
    pq_sampler sampler;
    const pq_train_options options = {.negatives = 1};
    testing_open(&t);
    assert_ok(&t.ctx, small_data_open(&t.ctx, "u1 a b c\nu2 b\n", &data));
    assert_failure(&t.ctx, pq_sampler_init(&sampler, &t.ctx, data, &options, 1), PIQUE_DATA,
                   "no user has two training events");
    pq_sampler_free(&sampler);
    pique_dataset_free(data);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learning_rates),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_adam_refuses_what_is_not_finite),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_epochs_depend_on_their_number_alone),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_newest_labels),
        cmocka_unit_test(test_in_batch),
        cmocka_unit_test(test_negatives),
        cmocka_unit_test(test_nothing_to_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
