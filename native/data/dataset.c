/* dataset.c — the data set that training and evaluation see, made of the raw events of a builder.
 *
 * Events are grouped by user and ordered by time, equal times in the order of the input. Repeated
 * events are kept: seeing a thing twice is two events. */
#include "native/data/dataset.h"

#include "native/data/dataset_builder.h"
#include "native/data/encoders.h"
#include "native/data/hold_out.h"
#include "native/data/labelled.h"
#include "native/data/vocabulary.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

bool pq_dataset_view(const pique_dataset *dataset, uint32_t user, pq_split split, pq_view *out) {
    uint64_t start = dataset->starts[user];
    uint32_t count = (uint32_t)(dataset->starts[user + 1] - start);
    const uint32_t *events = dataset->events + start;
    const int64_t *times = dataset->timed ? dataset->times + start : NULL;
    if (split == PQ_SPLIT_TRAIN) {
        *out = (pq_view){
            .history = events, .times = times, .history_count = count < 3 ? count : count - 2};
        return true;
    }
    if (count < 3) {
        return false;
    }
    uint32_t history = split == PQ_SPLIT_VALID ? count - 2 : count - 1;
    *out = (pq_view){
        .history = events, .times = times, .history_count = history, .target = events[history]};
    return true;
}

pq_view pq_dataset_pair_view(const pique_dataset *dataset, const pq_labelled *pair) {
    return (pq_view){.history = dataset->events + pair->first,
                     .times = dataset->timed ? dataset->times + pair->first : NULL,
                     .history_count = pair->history};
}

bool pq_dataset_pair_in(const pique_dataset *dataset, const pq_labelled *pair, pq_split split) {
    bool borrowed = dataset->test_validates && split == PQ_SPLIT_VALID;
    return pair->split == (borrowed ? PQ_SPLIT_TEST : split);
}

/* ---- order by user and time ---- */

static int by_time(const void *left, const void *right) {
    const pq_timed *a = left;
    const pq_timed *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static bool is_sorted(const pq_timed *events, uint64_t count) {
    for (uint64_t i = 1; i < count; i++) {
        if (events[i].time < events[i - 1].time) {
            return false;
        }
    }
    return true;
}

/* starts[user_count + 1], and the events of each user from there in time order. */
static void sort_events(const pq_builder *b, uint64_t *starts, pq_timed *sorted) {
    uint32_t users = b->users.count;
    for (size_t i = 0; i < b->event_count; i++) {
        starts[b->events[i].user + 1]++;
    }
    for (uint32_t u = 0; u < users; u++) {
        starts[u + 1] += starts[u];
    }
    /* starts[u] moves to the end of user u while its events come in, and is moved back after. */
    for (size_t i = 0; i < b->event_count; i++) {
        const pq_raw_event *event = &b->events[i];
        sorted[starts[event->user]] = (pq_timed){.time = event->time,
                                                 .item = event->item,
                                                 .order = (uint32_t)i,
                                                 .label = event->label,
                                                 .file = event->file};
        starts[event->user]++;
    }
    memmove(starts + 1, starts, users * sizeof(*starts));
    starts[0] = 0;
    for (uint32_t u = 0; u < users; u++) {
        uint64_t count = starts[u + 1] - starts[u];
        if (!is_sorted(sorted + starts[u], count)) {
            qsort(sorted + starts[u], (size_t)count, sizeof(*sorted), by_time);
        }
    }
}

/* ---- items ---- */

/* splits: of labelled pairs; NULL: all but the last two events of a user train. */
static void count_training(const pique_dataset *dataset, const pq_timed *sorted,
                           const uint8_t *splits, uint32_t *counts) {
    for (uint64_t i = 0; splits && i < dataset->starts[dataset->user_count]; i++) {
        counts[sorted[i].item] += splits[i] == PQ_SPLIT_TRAIN;
    }
    for (uint32_t u = 0; !splits && u < dataset->user_count; u++) {
        uint64_t start = dataset->starts[u];
        uint64_t end = dataset->starts[u + 1];
        end -= end - start < 3 ? 0 : 2;
        for (uint64_t i = start; i < end; i++) {
            counts[sorted[i].item]++;
        }
    }
}

/* What items are numbered by: more than 0 for those that are known, more the more training events they have. */
static void rate_items(const pq_builder *b, const uint32_t *counts, uint32_t least,
                       uint32_t *places) {
    for (uint32_t i = 0; i < b->items.count; i++) {
        size_t size;
        const char *id = pq_strings_get(&b->items, i, &size);
        bool kept = b->options->all_items || pq_hold_out_is(b->options, id, size);
        places[i] = counts[i] >= least ? counts[i] + 1 : kept;
    }
}

static pique_status number_items(pq_builder *b, pique_dataset *dataset, const char *what,
                                 const pq_timed *sorted, const uint8_t *splits, uint32_t *numbers) {
    uint32_t *counts = pq_alloc(b->ctx, b->items.count, sizeof(*counts));
    if (!counts) {
        return PIQUE_NO_MEMORY;
    }
    uint32_t least = PQ_MAX(b->options->min_count, 1);
    count_training(dataset, sorted, splits, counts);
    if (b->histories.starts) {
        pq_labelled_count(&b->histories, sorted, dataset->starts[dataset->user_count], splits,
                          counts);
    }
    uint32_t *places = pq_alloc(b->ctx, b->items.count, sizeof(*places));
    pique_status status = places ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        rate_items(b, counts, least, places);
        status = pq_vocabulary_make(b->ctx, &b->items, places, 1, &dataset->items, numbers);
    }
    pq_free(b->ctx, places);
    if (status == PIQUE_OK && dataset->items.count == 0) {
        status = pq_fail(b->ctx, PIQUE_DATA, "%s: no item has %lu training events (min_count)",
                         what, (unsigned long)least);
    }
    if (status == PIQUE_OK) {
        dataset->item_rows = dataset->items.count + 2;
        dataset->popularity = pq_alloc(b->ctx, dataset->item_rows, sizeof(*dataset->popularity));
        status = dataset->popularity ? PIQUE_OK : PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < b->items.count && status == PIQUE_OK; i++) {
        dataset->popularity[numbers[i]] += counts[i];
    }
    pq_free(b->ctx, counts);
    return status;
}

static pique_status place_events(pq_builder *b, pique_dataset *dataset, const pq_timed *sorted,
                                 const uint32_t *numbers) {
    if (dataset->events) { /* of the rows' own histories */
        return PIQUE_OK;
    }
    dataset->timed = !b->ordered;
    dataset->events = pq_resize(b->ctx, NULL, b->event_count, sizeof(*dataset->events));
    dataset->times = pq_resize(b->ctx, NULL, b->event_count, sizeof(*dataset->times));
    if (!dataset->events || !dataset->times) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t u = 0; u < dataset->user_count; u++) {
        for (uint64_t i = dataset->starts[u]; i < dataset->starts[u + 1]; i++) {
            dataset->events[i] = numbers[sorted[i].item];
            dataset->times[i] =
                b->ordered ? (int64_t)(i - dataset->starts[u]) : (int64_t)sorted[i].time;
        }
    }
    return PIQUE_OK;
}

/* ---- the whole ---- */

static pique_status check_events(const pq_builder *b, const char *what) {
    if (b->event_count) {
        return PIQUE_OK;
    }
    if (b->low_rated) {
        PQ_FAIL(b->ctx, PIQUE_DATA,
                "%s: none of the %lu good rows passes min_rating (or is labelled 1)", what,
                (unsigned long)b->low_rated);
    }
    PQ_FAIL(b->ctx, PIQUE_DATA, "%s: no usable row (%lu bad)", what, (unsigned long)b->bad_rows);
}

static const char *last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static pique_status write_provenance(pique_dataset *dataset, const char *format, const char *what) {
    pq_text text;
    pq_text_init(&text, dataset->ctx);
    pq_text_add(&text, "%s %s: %lu users, %lu items, %lu events", format, last_name(what),
                (unsigned long)dataset->user_count, (unsigned long)dataset->items.count,
                (unsigned long)(dataset->labelled ? dataset->labelled_count
                                                  : dataset->starts[dataset->user_count]));
    if (dataset->held_share > 0) {
        char *held = pq_dataset_held_text(dataset);
        pq_text_add(&text, ",%s", held ? held : "");
        pq_free(dataset->ctx, held);
    }
    dataset->provenance = text.data;
    return pq_text_status(&text);
}

/* Numbers the items, and for ranking makes the labelled pairs. */
static pique_status number(pq_builder *b, pique_dataset *dataset, const char *what,
                           pq_timed *sorted, uint32_t *numbers) {
    if (!b->options->labelled) {
        return number_items(b, dataset, what, sorted, NULL, numbers);
    }
    uint8_t *splits = pq_alloc(b->ctx, b->event_count, sizeof(*splits));
    pique_status status = splits ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = pq_labelled_split(b, dataset, sorted, splits);
    }
    if (status == PIQUE_OK) {
        status = number_items(b, dataset, what, sorted, splits, numbers);
    }
    if (status == PIQUE_OK) {
        status = b->histories.starts
                     ? pq_labelled_place_own(dataset, &b->histories, sorted, splits, numbers)
                     : pq_labelled_place(dataset, sorted, splits, numbers);
    }
    pq_free(b->ctx, splits);
    return status;
}

static pique_status fill(pq_builder *b, pique_dataset *dataset, const char *what, pq_timed *sorted,
                         uint32_t *numbers) {
    sort_events(b, dataset->starts, sorted);
    PQ_TRY(pq_hold_out_take(b, dataset, sorted));
    PQ_TRY(number(b, dataset, what, sorted, numbers));
    PQ_TRY(pq_hold_out_place(b, dataset, numbers));
    PQ_TRY(place_events(b, dataset, sorted, numbers));
    return pq_encode_tables(b, dataset, numbers);
}

pique_status pq_dataset_build(pq_builder *b, const char *format, const char *what,
                              pique_dataset **out) {
    PQ_TRY(check_events(b, what));
    pique_dataset *dataset = pq_alloc(b->ctx, 1, sizeof(*dataset));
    if (!dataset) {
        return PIQUE_NO_MEMORY;
    }
    dataset->ctx = b->ctx;
    dataset->bad_rows = b->bad_rows;
    dataset->user_count = b->users.count;
    pq_strings_init(&dataset->items, b->ctx);
    pq_strings_init(&dataset->users, b->ctx);
    dataset->starts = pq_alloc(b->ctx, (size_t)dataset->user_count + 1, sizeof(*dataset->starts));
    pq_timed *sorted = pq_resize(b->ctx, NULL, b->event_count, sizeof(*sorted));
    uint32_t *numbers = pq_alloc(b->ctx, b->items.count, sizeof(*numbers));
    pique_status status = dataset->starts && sorted && numbers ? PIQUE_OK : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK) {
        status = fill(b, dataset, what, sorted, numbers);
    }
    dataset->users = b->users;
    pq_strings_init(&b->users, b->ctx);
    if (status == PIQUE_OK) {
        status = write_provenance(dataset, format, what);
    }
    pq_free(b->ctx, sorted);
    pq_free(b->ctx, numbers);
    if (status != PIQUE_OK) {
        pq_dataset_free(dataset);
        return status;
    }
    *out = dataset;
    return PIQUE_OK;
}

static void free_features(pq_ctx *ctx, pq_feature *features, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        pq_free(ctx, features[i].name);
        pq_strings_free(&features[i].terms);
        pq_strings_free(&features[i].cells);
        pq_free(ctx, features[i].cell);
        pq_free(ctx, features[i].bounds);
        pq_free(ctx, features[i].offsets);
        pq_free(ctx, features[i].values);
    }
    pq_free(ctx, features);
}

void pq_dataset_free(pique_dataset *dataset) {
    if (!dataset) {
        return;
    }
    pq_ctx *ctx = dataset->ctx;
    pq_strings_free(&dataset->items);
    pq_strings_free(&dataset->users);
    pq_free(ctx, dataset->popularity);
    pq_free(ctx, dataset->starts);
    pq_free(ctx, dataset->events);
    pq_free(ctx, dataset->times);
    pq_free(ctx, dataset->labelled);
    pq_free(ctx, dataset->held);
    pq_free(ctx, dataset->is_held);
    pq_free(ctx, dataset->negatives);
    free_features(ctx, dataset->item_features, dataset->item_feature_count);
    free_features(ctx, dataset->profile, dataset->profile_count);
    pq_free(ctx, dataset->provenance);
    pq_free(ctx, dataset);
}
