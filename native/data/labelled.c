#include "native/data/labelled.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define STREAM_SPLIT 0x73706c6974u
#define TRAIN_SHARE 0.8
#define VALID_SHARE 0.1

static uint8_t by_place(uint64_t place, uint64_t count) {
    if (count < 3 || place + 2 < count) {
        return PQ_SPLIT_TRAIN;
    }
    return place + 1 < count ? PQ_SPLIT_VALID : PQ_SPLIT_TEST;
}

static uint8_t by_share(double share) {
    if (share < TRAIN_SHARE) {
        return PQ_SPLIT_TRAIN;
    }
    return share < TRAIN_SHARE + VALID_SHARE ? PQ_SPLIT_VALID : PQ_SPLIT_TEST;
}

static int compare_times(const void *left, const void *right) {
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* Equal times stay together, in the earlier split. */
static pique_status by_time(pq_ctx *ctx, const pq_timed *sorted, uint64_t count, uint8_t *splits) {
    double *times = pq_resize(ctx, NULL, (size_t)count, sizeof(*times));
    if (!times) {
        return PIQUE_NO_MEMORY;
    }
    for (uint64_t i = 0; i < count; i++) {
        times[i] = sorted[i].time;
    }
    qsort(times, (size_t)count, sizeof(*times), compare_times);
    double train = times[(uint64_t)(TRAIN_SHARE * (double)(count - 1))];
    double valid = times[(uint64_t)((TRAIN_SHARE + VALID_SHARE) * (double)(count - 1))];
    for (uint64_t i = 0; i < count; i++) {
        splits[i] = sorted[i].time <= train   ? PQ_SPLIT_TRAIN
                    : sorted[i].time <= valid ? PQ_SPLIT_VALID
                                              : PQ_SPLIT_TEST;
    }
    pq_free(ctx, times);
    return PIQUE_OK;
}

/* The test file is for test. A tenth of the other validates, unless the test file does. */
static uint8_t by_file(const pq_timed *pair, bool test_validates, double share) {
    if (pair->file) {
        return PQ_SPLIT_TEST;
    }
    return !test_validates && share >= 1 - VALID_SHARE ? PQ_SPLIT_VALID : PQ_SPLIT_TRAIN;
}

typedef enum { RULE_AUTO, RULE_LAST, RULE_RANDOM, RULE_TIME, RULE_FILE, RULE_FILE_TEST } rule;

static const char *const rule_names[] = {"auto", "last", "random", "time", "file", "file_test"};

static pique_status find_rule(const pq_builder *b, rule *out) {
    const char *name = b->options->split;
    size_t at = 0;
    while (at < PQ_COUNT(rule_names) && strcmp(rule_names[at], name) != 0) {
        at++;
    }
    if (at == PQ_COUNT(rule_names)) {
        PQ_FAIL(b->ctx, PIQUE_ARGUMENT,
                "split \"%.40s\" is none of \"auto\", \"last\", \"random\", \"time\", \"file\", "
                "\"file_test\"",
                name);
    }
    *out = at != RULE_AUTO ? (rule)at : b->has_test_file ? RULE_FILE : RULE_LAST;
    if (*out >= RULE_FILE && !b->has_test_file) {
        PQ_FAIL(b->ctx, PIQUE_ARGUMENT, "split \"%s\" takes data that come with a test file",
                rule_names[*out]);
    }
    if (*out == RULE_TIME && b->ordered) {
        PQ_FAIL(b->ctx, PIQUE_ARGUMENT, "split \"time\" takes data with timestamps");
    }
    return PIQUE_OK;
}

pique_status pq_labelled_split(const pq_builder *b, pique_dataset *d, const pq_timed *sorted,
                               uint8_t *splits) {
    rule how;
    PQ_TRY(find_rule(b, &how));
    d->test_validates = how == RULE_FILE_TEST;
    if (how == RULE_TIME) {
        return by_time(b->ctx, sorted, d->starts[d->user_count], splits);
    }
    for (uint32_t user = 0; user < d->user_count; user++) {
        uint64_t first = d->starts[user], count = d->starts[user + 1] - first;
        for (uint64_t place = 0; place < count; place++) {
            pq_rng rng = pq_rng_make(b->options->split_seed ^ STREAM_SPLIT, user, (uint32_t)place);
            double share = pq_rng_uniform(&rng);
            splits[first + place] = how == RULE_LAST ? by_place(place, count)
                                    : how == RULE_RANDOM
                                        ? by_share(share)
                                        : by_file(&sorted[first + place], d->test_validates, share);
        }
    }
    return PIQUE_OK;
}

void pq_labelled_count(const pq_raw_histories *h, const pq_timed *sorted, uint64_t count,
                       const uint8_t *splits, uint32_t *counts) {
    for (int negatives = 0; negatives <= (h->negatives != NULL); negatives++) {
        for (uint64_t i = 0; i < count; i++) {
            uint32_t end = splits[i] == PQ_SPLIT_TRAIN ? h->starts[sorted[i].order + 1] : 0;
            for (uint32_t at = h->starts[sorted[i].order]; at < end; at++) {
                if (!negatives) {
                    counts[h->items[at]]++;
                } else if (h->negatives[at] != PQ_NOT_FOUND && counts[h->negatives[at]] == 0) {
                    counts[h->negatives[at]] = 1;
                }
            }
        }
    }
}

static pique_status take_pairs(pique_dataset *d) {
    d->labelled_count = d->starts[d->user_count];
    d->labelled = pq_resize(d->ctx, NULL, (size_t)d->labelled_count, sizeof(*d->labelled));
    return d->labelled ? PIQUE_OK : PIQUE_NO_MEMORY;
}

pique_status pq_labelled_place(pique_dataset *d, pq_timed *sorted, const uint8_t *splits,
                               const uint32_t *numbers) {
    uint64_t liked = 0, from = 0;
    PQ_TRY(take_pairs(d));
    for (uint32_t user = 0; user < d->user_count; user++) {
        uint64_t first = liked, end = d->starts[user + 1];
        for (uint64_t i = from; i < end; i++) {
            d->labelled[i] = (pq_labelled){.user = user,
                                           .first = (uint32_t)first,
                                           .history = (uint32_t)(liked - first),
                                           .item = numbers[sorted[i].item],
                                           .label = sorted[i].label,
                                           .split = splits[i]};
            if (sorted[i].label) {
                sorted[liked++] = sorted[i];
            }
        }
        d->starts[user] = first;
        from = end;
    }
    d->starts[d->user_count] = liked;
    return PIQUE_OK;
}

static void copy_history(pique_dataset *d, const pq_raw_histories *h, uint32_t from,
                         const uint32_t *numbers, const pq_labelled *pair) {
    for (uint32_t i = 0; i < pair->history; i++) {
        uint32_t to = pair->first + i;
        d->events[to] = numbers[h->items[from + i]];
        d->times[to] = h->times ? (int64_t)h->times[from + i] : (int64_t)i;
        if (h->negatives) {
            uint32_t negative = h->negatives[from + i];
            d->negatives[to] = negative == PQ_NOT_FOUND ? 0 : numbers[negative];
        }
    }
}

pique_status pq_labelled_place_own(pique_dataset *d, const pq_raw_histories *h,
                                   const pq_timed *sorted, const uint8_t *splits,
                                   const uint32_t *numbers) {
    size_t items = h->starts[d->starts[d->user_count]];
    uint32_t placed = 0;
    PQ_TRY(take_pairs(d));
    d->timed = h->times != NULL;
    d->events = pq_resize(d->ctx, NULL, PQ_MAX(items, 1), sizeof(*d->events));
    d->times = pq_resize(d->ctx, NULL, PQ_MAX(items, 1), sizeof(*d->times));
    d->negatives =
        h->negatives ? pq_resize(d->ctx, NULL, PQ_MAX(items, 1), sizeof(*d->negatives)) : NULL;
    if (!d->events || !d->times || (h->negatives && !d->negatives)) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t user = 0; user < d->user_count; user++) {
        uint64_t from = d->starts[user];
        d->starts[user] = placed;
        for (uint64_t i = from; i < d->starts[user + 1]; i++) {
            uint32_t own = h->starts[sorted[i].order];
            d->labelled[i] = (pq_labelled){.user = user,
                                           .first = placed,
                                           .history = h->starts[sorted[i].order + 1] - own,
                                           .item = numbers[sorted[i].item],
                                           .label = sorted[i].label,
                                           .split = splits[i]};
            copy_history(d, h, own, numbers, &d->labelled[i]);
            placed += d->labelled[i].history;
        }
    }
    d->starts[d->user_count] = placed;
    return PIQUE_OK;
}
