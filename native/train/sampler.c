#include "native/train/sampler.h"

#include <string.h>

/* Streams of random numbers, so that no two uses share one. */
#define STREAM_EPOCH 0x65706f6368u
#define STREAM_USER 0x75736572u
#define STREAM_NEGATIVES 0x6e6567u
#define STREAM_PAIRS 0x7061697273u
#define STREAM_HISTORY 0x68697374u
#define STREAM_HIDDEN 0x68696465u

/* Draws of a negative that its user has before one is taken all the same. */
#define MOST_TRIES 100

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
        if (s->dataset->popularity[i] == 0) { /* such items come last and are never drawn */
            s->cumulative[i] = total;
            continue;
        }
        switch ((pq_negatives)o->sampler) {
        case PQ_NEGATIVES_POPULARITY:
            s->chance[i] = pq_pow(s->dataset->popularity[i], o->negative_power);
            break;
        case PQ_NEGATIVES_LOG_UNIFORM: /* items are numbered by falling popularity */
            s->chance[i] = pq_log((i + 1.0) / i);
            break;
        case PQ_NEGATIVES_IN_BATCH: /* a label is an event */
            s->chance[i] = s->dataset->popularity[i];
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
        s->log_q[i] = s->chance[i] > 0 ? (pq_real)pq_log(s->chance[i] * o->negatives) : 0;
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

static bool every_row(const pq_sampler *s) {
    return s->options->supervision == PQ_SUPERVISE_ALL;
}

/* Samples that a user with so many possible labels gives in an epoch. */
static uint32_t wanted(const pq_sampler *s, uint32_t available) {
    if (every_row(s) || s->options->supervision == PQ_SUPERVISE_LAST) {
        return available > 0;
    }
    uint32_t most = (uint32_t)s->options->samples_per_user;
    return most == 0 || most > available ? available : most;
}

/* Whether the pair is a sample of every epoch. */
static bool trains(const pq_sampler *s, const pq_labelled *pair) {
    return pair->split == PQ_SPLIT_TRAIN && (pair->label || !s->positives);
}

uint64_t pq_sampler_epoch_size(const pq_sampler *s) {
    uint64_t total = 0;
    for (uint64_t i = 0; i < s->dataset->labelled_count; i++) {
        total += trains(s, &s->dataset->labelled[i]);
    }
    if (s->dataset->labelled) {
        return total;
    }
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
    /* A stream of its own, so that what else is drawn is the same with and without history_dropout. */
    pq_rng hidden = pq_rng_make(s->seed ^ STREAM_HIDDEN, epoch, user);
    const double share = s->options->history_dropout;
    if (s->options->supervision != PQ_SUPERVISE_PREFIX && count > 0) { /* up to the newest label */
        s->samples[s->count++] =
            (pq_sample){user, s->scratch[available - 1], false, pq_rng_uniform(&hidden) < share};
        return PIQUE_OK;
    }
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_USER, epoch, user);
    for (uint32_t i = 0; i < count; i++) { /* the first `count` places of a shuffle */
        uint32_t j = i + pq_rng_below(&rng, available - i);
        uint32_t position = s->scratch[j];
        s->scratch[j] = s->scratch[i];
        s->samples[s->count++] =
            (pq_sample){user, position, pq_rng_uniform(&rng) < s->options->around,
                        pq_rng_uniform(&hidden) < share};
    }
    return PIQUE_OK;
}

/* The labelled pairs that train, each by its place in the list. */
static pique_status take_pairs(pq_sampler *s) {
    PQ_TRY(pq_reserve(s->ctx, (void **)&s->samples, &s->capacity, (size_t)pq_sampler_epoch_size(s),
                      sizeof(*s->samples)));
    for (uint64_t i = 0; i < s->dataset->labelled_count; i++) {
        if (trains(s, &s->dataset->labelled[i])) {
            uint32_t user = s->dataset->labelled[i].user;
            s->samples[s->count++] = (pq_sample){user, (uint32_t)i, false, false};
        }
    }
    return PIQUE_OK;
}

pique_status pq_sampler_epoch(pq_sampler *s, uint32_t epoch) {
    s->count = 0;
    if (s->dataset->labelled) {
        PQ_TRY(take_pairs(s));
    }
    for (uint32_t u = 0; !s->dataset->labelled && u < s->dataset->user_count; u++) {
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

/* The first item whose running sum exceeds a uniform number. */
static uint32_t draw_item(const pq_sampler *s, pq_rng *rng) {
    double x = pq_rng_uniform(rng);
    uint32_t low = 1, high = s->dataset->item_rows - 2;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->cumulative[middle] > x) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

uint32_t pq_sampler_most_negatives(const pq_sampler *s, uint32_t max_history) {
    uint32_t batch = (uint32_t)s->options->batch;
    uint32_t labels_most = every_row(s) ? batch * max_history : batch;
    return s->options->sampler == PQ_NEGATIVES_IN_BATCH ? labels_most
                                                        : (uint32_t)s->options->negatives;
}

static bool has_item(const pq_view *view, uint32_t item) {
    for (uint32_t i = 0; i < view->history_count; i++) {
        if (view->history[i] == item) {
            return true;
        }
    }
    return false;
}

/* Negatives of one user's labels: none is an item of the user's, unless nearly all are. */
static void draw_pairs(const pq_sampler *s, const pq_view *view, pq_rng *rng, uint32_t count,
                       uint32_t *out) {
    for (uint32_t i = 0; i < count; i++) {
        out[i] = draw_item(s, rng);
        for (int tries = 0; tries < MOST_TRIES && has_item(view, out[i]); tries++) {
            out[i] = draw_item(s, rng);
        }
    }
}

uint32_t pq_sampler_history(const pq_sample *sample, uint32_t events, uint32_t most,
                            uint32_t *out) {
    uint32_t p = sample->position;
    if (sample->hidden) {
        return 0;
    }
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

/* The codes of the users of a batch. */
static pique_status add_profile(const pq_sampler *s, pq_arena *arena, const pq_sample_range *range,
                                pq_batch *out) {
    const pique_dataset *d = s->dataset;
    const size_t fields = d->profile_count, lists = range->count * fields;
    uint32_t at = 0, count = 0;
    uint32_t *offsets = pq_arena_take(arena, lists + 1, sizeof(*offsets));
    pq_codes *codes = pq_arena_take(arena, 1, sizeof(*codes));
    if (!offsets || !codes) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < lists; i++) {
        const uint32_t *own =
            d->profile[i % fields].offsets + s->samples[range->first + i / fields].user;
        offsets[i] = count;
        count += own[1] - own[0];
    }
    offsets[lists] = count;
    uint32_t *values = pq_arena_take(arena, count, sizeof(*values));
    if (!values) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < lists; i++) {
        const pq_feature *field = &d->profile[i % fields];
        const uint32_t *from =
            field->values + field->offsets[s->samples[range->first + i / fields].user];
        for (uint32_t end = offsets[i + 1]; at < end; at++) {
            values[at] = *from++;
        }
    }
    *codes = (pq_codes){offsets, values};
    out->profile = codes;
    return PIQUE_OK;
}

/* Where a batch is put together. */
typedef struct {
    uint32_t *starts, *items, *targets, *label_rows, *pairs;
    pq_real *log_q;
} rows;

/* The label after row `row`; a stranger is no label. */
static void add_label(const pq_sampler *s, rows *r, pq_batch *out, uint32_t target, uint32_t row) {
    if (target != unknown(s->dataset)) {
        r->targets[out->label_count] = target;
        r->log_q[out->label_count] = s->log_q[target];
        r->label_rows[out->label_count++] = row;
    }
}

/* Window of every_row: the rows before the sample's position, each followed by its label. */
static uint32_t window(const pq_sample *sample, uint32_t most) {
    return PQ_MIN(sample->position, most);
}

static void add_sample(const pq_sampler *s, rows *r, pq_batch *out, const pq_sample_range *range,
                       uint32_t b) {
    const pq_sample *sample = &s->samples[range->first + b];
    uint32_t start = r->starts[b], labels_before = out->label_count;
    uint32_t n = (uint32_t)s->options->pair_negatives;
    uint32_t *row = r->items + start;
    pq_view view;
    (void)pq_dataset_view(s->dataset, sample->user, PQ_SPLIT_TRAIN, &view);
    uint32_t length = pq_sampler_history(sample, view.history_count, range->max_history, row);
    for (uint32_t i = 0; i < length; i++) {
        if (every_row(s)) {
            add_label(s, r, out, view.history[row[i] + 1], start + i);
        }
        row[i] = view.history[row[i]];
    }
    if (!every_row(s)) {
        add_label(s, r, out, view.history[sample->position], start + length - 1);
    }
    r->starts[b + 1] = start + length;
    if (r->pairs) {
        pq_rng rng = pq_rng_make(s->seed ^ STREAM_PAIRS, range->step, sample->user);
        draw_pairs(s, &view, &rng, (out->label_count - labels_before) * n,
                   r->pairs + (size_t)labels_before * n);
    }
}

uint32_t pq_sampler_labels(const pq_sampler *s, const pq_sample_range *range, uint32_t *items,
                           pq_sample *each) {
    uint32_t count = 0;
    if (s->dataset->labelled) {
        if (each) {
            memcpy(each, s->samples + range->first, range->count * sizeof(*each));
        }
        return range->count;
    }
    for (uint32_t b = 0; b < range->count; b++) {
        const pq_sample *sample = &s->samples[range->first + b];
        pq_view view;
        (void)pq_dataset_view(s->dataset, sample->user, PQ_SPLIT_TRAIN, &view);
        uint32_t length = every_row(s) ? window(sample, range->max_history) : 1;
        for (uint32_t i = 0; i < length; i++) {
            const uint32_t position = sample->position + 1 + i - length;
            const uint32_t label = view.history[position];
            if (label == unknown(s->dataset)) {
                continue;
            }
            if (items) {
                items[count] = label;
            }
            if (each) {
                each[count] = (pq_sample){sample->user, position, sample->around, false};
            }
            count++;
        }
    }
    return count;
}

uint32_t pq_sampler_negatives(const pq_sampler *s, const pq_sample_range *batch, uint32_t *ids,
                              pq_real *log_q) {
    uint32_t count = (uint32_t)s->options->negatives;
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_NEGATIVES, batch->step, 0);
    bool drawn = s->options->sampler != PQ_NEGATIVES_IN_BATCH;
    if (!drawn) {
        count = pq_sampler_labels(s, batch, ids, NULL);
    }
    for (uint32_t n = 0; n < count; n++) {
        ids[n] = drawn ? draw_item(s, &rng) : ids[n];
        log_q[n] = s->log_q[ids[n]];
    }
    return count;
}

/* A negative for each of the newest `length` behaviours: the row's own where it has one, else one that does not
 * stand in the history. */
static void history_negatives(const pq_sampler *s, const pq_labelled *pair, uint64_t step,
                              uint32_t length, uint32_t *out) {
    const pq_view view = pq_dataset_pair_view(s->dataset, pair);
    const uint32_t *own = s->dataset->negatives;
    pq_rng rng = pq_rng_make(s->seed ^ STREAM_HISTORY, step, pair->user);
    for (uint32_t i = 0; i < length; i++) {
        out[i] = own ? own[pair->first + pair->history - length + i] : 0;
        if (out[i] == 0) {
            draw_pairs(s, &view, &rng, 1, &out[i]);
        }
    }
}

/* What is known of the behaviours of pairs beside their items. */
static pique_status add_behaviours(const pq_sampler *s, pq_arena *arena,
                                   const pq_sample_range *range, pq_batch *out) {
    const pique_dataset *d = s->dataset;
    const uint32_t *starts = out->history.starts;
    size_t behaviours = starts[out->history.count];
    int64_t *times = d->timed ? pq_arena_take(arena, behaviours, sizeof(*times)) : NULL;
    uint32_t *negatives =
        s->history_negatives ? pq_arena_take(arena, behaviours, sizeof(*negatives)) : NULL;
    if ((d->timed && !times) || (s->history_negatives && !negatives)) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t b = 0; b < range->count; b++) {
        const pq_labelled *pair = &d->labelled[s->samples[range->first + b].position];
        uint32_t length = starts[b + 1] - starts[b];
        if (times) {
            memcpy(times + starts[b], d->times + pair->first + (pair->history - length),
                   length * sizeof(*times));
        }
        if (negatives) {
            history_negatives(s, pair, range->step, length, negatives + starts[b]);
        }
    }
    out->times = times;
    out->history_negatives = negatives;
    return PIQUE_OK;
}

/* One segment a pair: the newest of what the user liked before it. */
static pique_status pair_batch(const pq_sampler *s, pq_arena *arena, const pq_sample_range *range,
                               pq_batch *out) {
    const pique_dataset *d = s->dataset;
    size_t pairs = range->count;
    uint32_t *starts = pq_arena_take(arena, pairs + 1, sizeof(*starts));
    uint32_t *items = pq_arena_take(arena, pairs * range->max_history, sizeof(*items));
    uint32_t *candidates = pq_arena_take(arena, pairs, sizeof(*candidates));
    uint32_t *users = pq_arena_take(arena, pairs, sizeof(*users));
    pq_real *labels_out = pq_arena_take(arena, pairs, sizeof(*labels_out));
    if (!starts || !items || !candidates || !users || !labels_out) {
        return PIQUE_NO_MEMORY;
    }
    starts[0] = 0;
    for (uint32_t b = 0; b < range->count; b++) {
        const pq_labelled *pair = &d->labelled[s->samples[range->first + b].position];
        uint32_t length = PQ_MIN(pair->history, range->max_history);
        const uint32_t *newest = d->events + pair->first + (pair->history - length);
        memcpy(items + starts[b], newest, length * sizeof(*items));
        starts[b + 1] = starts[b] + length;
        candidates[b] = pair->item;
        users[b] = b;
        labels_out[b] = pair->label;
    }
    out->history = (pq_segments){starts, range->count};
    out->items = items;
    out->candidate_count = range->count;
    out->candidates = candidates;
    out->candidate_users = users;
    out->candidate_labels = labels_out;
    PQ_TRY(add_profile(s, arena, range, out));
    return add_behaviours(s, arena, range, out);
}

pique_status pq_sampler_batch(const pq_sampler *s, pq_arena *arena, const pq_sample_range *range,
                              pq_batch *out) {
    if (s->dataset->labelled) {
        return pair_batch(s, arena, range, out);
    }
    size_t users = range->count, most = users * range->max_history;
    size_t labels_most = every_row(s) ? most : users;
    bool pairs = s->options->loss >= PQ_LOSS_BCE;
    rows r = {.starts = pq_arena_take(arena, users + 1, sizeof(uint32_t)),
              .items = pq_arena_take(arena, most, sizeof(uint32_t)),
              .targets = pq_arena_take(arena, labels_most, sizeof(uint32_t)),
              .label_rows = pq_arena_take(arena, labels_most, sizeof(uint32_t)),
              .log_q = pq_arena_take(arena, labels_most, sizeof(pq_real))};
    if (pairs) {
        r.pairs = pq_arena_take(arena, labels_most * (size_t)s->options->pair_negatives,
                                sizeof(uint32_t));
    }
    if (!r.starts || !r.items || !r.targets || !r.label_rows || !r.log_q || (pairs && !r.pairs)) {
        return PIQUE_NO_MEMORY;
    }
    r.starts[0] = 0;
    out->label_count = 0;
    for (uint32_t b = 0; b < range->count; b++) {
        add_sample(s, &r, out, range, b);
    }
    out->history = (pq_segments){r.starts, range->count};
    out->items = r.items;
    out->targets = r.targets;
    out->label_rows = r.label_rows;
    out->target_log_q = r.log_q;
    out->pair_negatives = r.pairs;
    return add_profile(s, arena, range, out);
}
