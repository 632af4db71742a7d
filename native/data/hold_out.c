#include "native/data/hold_out.h"

#include "base/rng.h"
#include "base/text.h"

#define STREAM_HOLD_OUT 0x686f6c646f7574u
#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

bool pq_hold_out_is(const pique_dataset_options *options, const char *id, size_t size) {
    uint64_t hash = FNV_START;
    if (!(options->hold_out_items > 0)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)id[i]) * FNV_PRIME;
    }
    pq_rng rng = pq_rng_make(options->hold_out_seed ^ STREAM_HOLD_OUT, hash, 0);
    return pq_rng_uniform(&rng) < options->hold_out_items;
}

static bool is_held(const pq_builder *b, uint32_t item) {
    size_t size;
    const char *id = pq_strings_get(&b->items, item, &size);
    return pq_hold_out_is(b->options, id, size);
}

/* Sorts one user's events into kept and held ones; *kept is where the next kept event goes. */
static void take_user(const pq_builder *b, pique_dataset *d, pq_timed *sorted, uint32_t user,
                      uint64_t *kept) {
    uint64_t first = *kept;
    for (uint64_t i = d->starts[user]; i < d->starts[user + 1]; i++) {
        if (!is_held(b, sorted[i].item)) {
            sorted[(*kept)++] = sorted[i];
        } else if (sorted[i].label) {
            d->held[d->held_count++] = (pq_held){user, sorted[i].item};
        }
    }
    d->starts[user] = first;
}

pique_status pq_hold_out_take(const pq_builder *b, pique_dataset *d, pq_timed *sorted) {
    uint64_t kept = 0;
    if (!(b->options->hold_out_items > 0)) {
        return PIQUE_OK;
    }
    if (b->histories.starts) {
        PQ_FAIL(b->ctx, PIQUE_ARGUMENT,
                "hold_out_items takes data whose histories are made of the users' events, not rows "
                "that bring their own");
    }
    d->held_share = b->options->hold_out_items;
    d->held_seed = b->options->hold_out_seed;
    d->held = pq_alloc(b->ctx, (size_t)d->starts[d->user_count], sizeof(*d->held));
    if (!d->held) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t user = 0; user < d->user_count; user++) {
        take_user(b, d, sorted, user, &kept);
    }
    d->starts[d->user_count] = kept;
    return PIQUE_OK;
}

pique_status pq_hold_out_place(const pq_builder *b, pique_dataset *d, const uint32_t *numbers) {
    if (!d->held) {
        return PIQUE_OK;
    }
    d->is_held = pq_alloc(b->ctx, d->item_rows, sizeof(*d->is_held));
    if (!d->is_held) {
        return PIQUE_NO_MEMORY;
    }
    for (uint64_t i = 0; i < d->held_count; i++) {
        d->held[i].item = numbers[d->held[i].item];
    }
    for (uint32_t i = 0; i < b->items.count; i++) {
        d->is_held[numbers[i]] = d->is_held[numbers[i]] || is_held(b, i);
    }
    return PIQUE_OK;
}

char *pq_dataset_held_text(const pique_dataset *d) {
    pq_text text;
    pq_text_init(&text, d->ctx);
    pq_text_add(&text, " ");
    pq_text_number(&text, d->held_share);
    pq_text_add(&text, " of the items held out (seed %u)", (unsigned)d->held_seed);
    if (pq_text_status(&text) != PIQUE_OK) {
        pq_text_free(&text);
        return NULL;
    }
    return text.data;
}
