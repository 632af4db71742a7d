#include "native/train/sampler.h"

/* Streams of random numbers, so that no two uses share one. */
#define STREAM_EPOCH 0x65706f6368u
#define STREAM_USER 0x75736572u
#define STREAM_NEGATIVES 0x6e6567u

static uint32_t unknown(const pique_dataset *dataset) {
    return dataset->item_rows - 1;
}

/* Chances of the negatives: items 1..n alone, no PAD, no UNKNOWN. */
static pique_status init_chances(pq_sampler *s) {
    const pq_train_options *o = s->options;
    uint32_t rows = s->dataset->item_rows, items = rows - 2;
    s->chance = pq_alloc(s->ctx, rows, sizeof(*s->chance));
    s->cumulative = pq_alloc(s->ctx, rows, sizeof(*s->cumulative));
    s->log_q = pq_alloc(s->ctx, rows, sizeof(*s->log_q));
    if (!s->chance || !s->cumulative || !s->log_q) {
        return PIQUE_NO_MEMORY;
    }
    double total = 0;
    for (uint32_t i = 1; i <= items; i++) {
        switch ((pq_negatives)o->sampler) {
        case PQ_NEGATIVES_POPULARITY:
            s->chance[i] = pq_pow(s->dataset->popularity[i], o->negative_power);
            break;
        case PQ_NEGATIVES_LOG_UNIFORM: /* items are numbered by falling popularity */
            s->chance[i] = pq_log((i + 1.0) / i);
            break;
        case PQ_NEGATIVES_UNIFORM:
            s->chance[i] = 1;
            break;
        }
        total += s->chance[i];
        s->cumulative[i] = total;
    }
    if (!(total > 0)) {
        PQ_FAIL(s->ctx, PIQUE_DATA, "no item has a training event to learn from");
    }
    for (uint32_t i = 1; i <= items; i++) {
        s->chance[i] /= total;
        s->cumulative[i] /= total;
        s->log_q[i] = (pq_real)pq_log(s->chance[i] * o->negatives);
    }
    return PIQUE_OK;
}

pique_status pq_sampler_init(pq_sampler *s, pq_ctx *ctx, const pique_dataset *dataset,
                             const pq_train_options *options, uint64_t seed) {
    *s = (pq_sampler){.ctx = ctx, .dataset = dataset, .options = options, .seed = seed};
    PQ_TRY(init_chances(s));
    if (pq_sampler_epoch_size(s) == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "no user has two training events, so there is nothing to learn");
    }
    return PIQUE_OK;
}

void pq_sampler_free(pq_sampler *s) {
    if (s->ctx) {
        pq_free(s->ctx, s->samples);
        pq_free(s->ctx, s->scratch);
        pq_free(s->ctx, s->chance);
        pq_free(s->ctx, s->cumulative);
        pq_free(s->ctx, s->log_q);
    }
    *s = (pq_sampler){0};
}

/* Positions of a user that can be labels: all but the first, which has no history, and strangers. */
static uint32_t labels(const pq_sampler *s, uint32_t user, uint32_t *out) {
    pq_view view;
    uint32_t count = 0;
    (void)pq_dataset_view(s->dataset, user, PQ_SPLIT_TRAIN, &view);
    for (uint32_t p = 1; p < view.history_count; p++) {
        if (view.history[p] != unknown(s->dataset)) {
            if (out) {
                out[count] = p;
            }
            count++;
        }
    }
    return count;
}

static uint32_t wanted(const pq_sampler *s, uint32_t available) {
    uint32_t most = (uint32_t)s->options->samples_per_user;
    return most == 0 || most > available ? available : most;
}

uint64_t pq_sampler_epoch_size(const pq_sampler *s) {
    uint64_t total = 0;
    for (uint32_t u = 0; u < s->dataset->user_count; u++) {
        total += wanted(s, labels(s, u, NULL));
    }
    return total;
}

static pique_status draw_user(pq_sampler *s, uint32_t epoch, uint32_t user) {
    uint32_t available = labels(s, user, NULL), count = wanted(s, available);
    PQ_TRY(pq_reserve(s->ctx, (void **)&s->scratch, &s->scratch_capacity, available,
                      sizeof(*s->scratch)));
    PQ_TRY(pq_reserve(s->ctx, (void **)&s->samples, &s->capacity, s->count + count,
                      sizeof(*s->samples)));
    labels(s, user, s->scratch);
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_USER, epoch, user);
    for (uint32_t i = 0; i < count; i++) { /* the first `count` places of a shuffle */
        uint32_t j = i + pq_rng_below(&rng, available - i);
        uint32_t position = s->scratch[j];
        s->scratch[j] = s->scratch[i];
        s->samples[s->count++] =
            (pq_sample){user, position, pq_rng_uniform(&rng) < s->options->around};
    }
    return PIQUE_OK;
}

pique_status pq_sampler_epoch(pq_sampler *s, uint32_t epoch) {
    s->count = 0;
    for (uint32_t u = 0; u < s->dataset->user_count; u++) {
        PQ_TRY(draw_user(s, epoch, u));
    }
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_EPOCH, epoch, 0);
    for (size_t i = s->count; i > 1; i--) {
        size_t j = pq_rng_below(&rng, (uint32_t)i);
        pq_sample swapped = s->samples[i - 1];
        s->samples[i - 1] = s->samples[j];
        s->samples[j] = swapped;
    }
    return PIQUE_OK;
}

void pq_sampler_negatives(const pq_sampler *s, uint64_t step, uint32_t *ids, pq_real *log_q) {
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_NEGATIVES, step, 0);
    uint32_t items = s->dataset->item_rows - 2;
    for (int32_t n = 0; n < s->options->negatives; n++) {
        double x = pq_rng_uniform(&rng);
        uint32_t low = 1, high = items; /* the first item whose running sum exceeds x */
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (s->cumulative[middle] > x) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        ids[n] = low;
        log_q[n] = s->log_q[low];
    }
}

/* Positions of the history, oldest (or farthest) first; returns how many. */
static uint32_t history(const pq_sample *sample, uint32_t events, uint32_t most, uint32_t *out) {
    uint32_t p = sample->position;
    if (!sample->around) {
        uint32_t count = PQ_MIN(p, most);
        for (uint32_t i = 0; i < count; i++) {
            out[i] = p - count + i;
        }
        return count;
    }
    /* The nearest on each side in turn, starting before the label; then turned round. */
    uint32_t count = 0;
    for (uint32_t away = 1; count < most && (away <= p || p + away < events); away++) {
        if (away <= p) {
            out[count++] = p - away;
        }
        if (count < most && p + away < events) {
            out[count++] = p + away;
        }
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        uint32_t swapped = out[i];
        out[i] = out[count - 1 - i];
        out[count - 1 - i] = swapped;
    }
    return count;
}

/* The code of a user in a profile column: its first value, 0 when it has none. */
static uint32_t profile_code(const pq_feature *feature, uint32_t user) {
    uint32_t at = feature->offsets[user];
    return at < feature->offsets[user + 1] ? feature->values[at] : 0;
}

pique_status pq_sampler_batch(const pq_sampler *s, pq_arena *arena, size_t first, uint32_t count,
                              uint32_t max_history, pq_batch *out) {
    const pique_dataset *d = s->dataset;
    uint32_t fields = d->profile_count;
    uint32_t *starts = pq_arena_take(arena, (size_t)count + 1, sizeof(*starts));
    uint32_t *items = pq_arena_take(arena, (size_t)count * max_history, sizeof(*items));
    uint32_t *targets = pq_arena_take(arena, count, sizeof(*targets));
    uint32_t *profile = pq_arena_take(arena, (size_t)count * fields, sizeof(*profile));
    pq_real *log_q = pq_arena_take(arena, count, sizeof(*log_q));
    if (!starts || !items || !targets || !profile || !log_q) {
        return PIQUE_NO_MEMORY;
    }
    starts[0] = 0;
    for (uint32_t b = 0; b < count; b++) {
        const pq_sample *sample = &s->samples[first + b];
        pq_view view;
        (void)pq_dataset_view(d, sample->user, PQ_SPLIT_TRAIN, &view);
        uint32_t *row = items + starts[b];
        uint32_t length = history(sample, view.history_count, max_history, row);
        for (uint32_t i = 0; i < length; i++) {
            row[i] = view.history[row[i]];
        }
        starts[b + 1] = starts[b] + length;
        targets[b] = view.history[sample->position];
        log_q[b] = s->log_q[targets[b]];
        for (uint32_t f = 0; f < fields; f++) {
            profile[(size_t)b * fields + f] = profile_code(&d->profile[f], sample->user);
        }
    }
    out->history = (pq_segments){starts, count};
    out->items = items;
    out->profile = profile;
    out->targets = targets;
    out->target_log_q = log_q;
    return PIQUE_OK;
}
