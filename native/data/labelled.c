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

pique_status pq_labelled_split(pq_ctx *ctx, const pique_dataset_options *options,
                               const uint64_t *starts, uint32_t user_count, const pq_timed *sorted,
                               uint8_t *splits) {
    if (strcmp(options->split, "time") == 0) {
        return by_time(ctx, sorted, starts[user_count], splits);
    }
    bool random = strcmp(options->split, "random") == 0;
    if (!random && strcmp(options->split, "last") != 0) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "split \"%.40s\" is none of \"last\", \"random\", \"time\"",
                options->split);
    }
    for (uint32_t user = 0; user < user_count; user++) {
        uint64_t count = starts[user + 1] - starts[user];
        for (uint64_t place = 0; place < count; place++) {
            pq_rng rng = pq_rng_make(options->split_seed ^ STREAM_SPLIT, user, (uint32_t)place);
            splits[starts[user] + place] =
                random ? by_share(pq_rng_uniform(&rng)) : by_place(place, count);
        }
    }
    return PIQUE_OK;
}

pique_status pq_labelled_place(pique_dataset *d, pq_timed *sorted, const uint8_t *splits,
                               const uint32_t *numbers) {
    uint64_t liked = 0, from = 0;
    d->labelled_count = d->starts[d->user_count];
    d->labelled = pq_resize(d->ctx, NULL, (size_t)d->labelled_count, sizeof(*d->labelled));
    if (!d->labelled) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t user = 0; user < d->user_count; user++) {
        uint64_t first = liked, end = d->starts[user + 1];
        for (uint64_t i = from; i < end; i++) {
            d->labelled[i] = (pq_labelled){.user = user,
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
