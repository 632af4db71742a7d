/* test_hold_out.c — items held out of training: they are known and last in number, and stand nowhere else. */
#include "tests/unit/small_data.h"

#include "native/train/item_start.h"
#include "native/train/sampler.h"

typedef struct {
    testing t;
    pique_dataset *data, *whole;
    char *text;
} fixture;

static pique_status open_with(fixture *f, double share, uint32_t seed, pique_dataset **out) {
    pq_source sources[PQ_READER_FILES] = {
        {.name = "lines", .bytes = f->text, .size = strlen(f->text)}};
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "lines";
    options.hold_out_items = share;
    options.hold_out_seed = seed;
    return pq_dataset_parse(&f->t.ctx, &pq_reader_sequences, sources, &options, NULL, out);
}

static void begin(fixture *f) {
    testing_open(&f->t);
    f->text = small_data_text(80, 40, 12);
    assert_ok(&f->t.ctx, open_with(f, 0.25, 1, &f->data));
    assert_ok(&f->t.ctx, open_with(f, 0, 1, &f->whole));
}

static void end(fixture *f) {
    pique_dataset_free(f->data);
    pique_dataset_free(f->whole);
    free(f->text);
    testing_close(&f->t);
}

static uint32_t count_held(const pique_dataset *d) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->item_rows; i++) {
        count += d->is_held[i];
    }
    return count;
}

static void test_they_are_known_and_take_no_part(void **state) {
    (void)state;
    fixture f;
    begin(&f);
    const pique_dataset *d = f.data;
    uint32_t held = count_held(d), cold = pq_item_cold(d);
    assert_true(held > 3 && held < 20);
    assert_int_equal(cold, held);
    for (uint32_t i = 1; i <= d->items.count; i++) { /* the last numbers */
        assert_int_equal(d->is_held[i], i > d->items.count - held);
        assert_int_equal(d->popularity[i] == 0, d->is_held[i]);
    }
    for (uint64_t e = 0; e < d->starts[d->user_count]; e++) {
        assert_false(d->is_held[d->events[e]]);
    }
    assert_null(f.whole->is_held);
    assert_int_equal(d->starts[d->user_count] + d->held_count,
                     f.whole->starts[f.whole->user_count]);
    for (uint64_t i = 0; i < d->held_count; i++) {
        assert_true(d->is_held[d->held[i].item]);
        assert_true(i == 0 || d->held[i].user >= d->held[i - 1].user);
    }
    assert_non_null(strstr(d->provenance, ", 0.25 of the items held out (seed 1)"));
    assert_null(strstr(f.whole->provenance, "held out"));
    end(&f);
}

/* Which items these are depends on their ids alone; another seed takes others. */
static void test_choice(void **state) {
    (void)state;
    fixture f;
    pique_dataset *again, *other;
    begin(&f);
    free(f.text);
    f.text = small_data_text(60, 40, 9); /* other events of the same items */
    assert_ok(&f.t.ctx, open_with(&f, 0.25, 1, &again));
    assert_ok(&f.t.ctx, open_with(&f, 0.25, 2, &other));
    uint32_t same = 0, differ = 0;
    for (uint32_t i = 0; i < f.data->items.count; i++) {
        size_t size;
        const char *id = pq_strings_get(&f.data->items, i, &size);
        uint32_t there = pq_strings_find(&again->items, id, size);
        uint32_t elsewhere = pq_strings_find(&other->items, id, size);
        same += there == PQ_NOT_FOUND || again->is_held[there + 1] == f.data->is_held[i + 1];
        differ +=
            elsewhere != PQ_NOT_FOUND && other->is_held[elsewhere + 1] != f.data->is_held[i + 1];
    }
    assert_int_equal(same, f.data->items.count);
    assert_true(differ > 0);
    pique_dataset_free(again);
    pique_dataset_free(other);
    end(&f);
}

static void test_they_are_no_negatives(void **state) {
    (void)state;
    static const int32_t kinds[] = {PQ_NEGATIVES_POPULARITY, PQ_NEGATIVES_LOG_UNIFORM,
                                    PQ_NEGATIVES_UNIFORM};
    fixture f;
    begin(&f);
    for (size_t k = 0; k < PQ_COUNT(kinds); k++) {
        pq_sampler sampler;
        uint32_t negatives[2000];
        pq_real log_q[2000];
        pq_train_options options;
        assert_ok(&f.t.ctx, pq_fields_preset(&f.t.ctx, pq_train_fields, &options, "best"));
        options.sampler = kinds[k];
        options.negative_power = 0; /* as often as any other */
        assert_ok(&f.t.ctx, pq_sampler_init(&sampler, &f.t.ctx, f.data, &options, 1));
        assert_ok(&f.t.ctx, pq_sampler_epoch(&sampler, 1));
        const pq_sample_range range = {0, (uint32_t)PQ_MIN(sampler.count, 8), 50, 1};
        uint32_t count = pq_sampler_negatives(&sampler, &range, negatives, log_q);
        assert_int_equal(count, 2000);
        for (uint32_t i = 0; i < count; i++) {
            assert_false(f.data->is_held[negatives[i]]);
        }
        pq_sampler_free(&sampler);
    }
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_are_known_and_take_no_part),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_they_are_no_negatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
