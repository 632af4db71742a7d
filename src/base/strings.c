#include "base/strings.h"

#include "base/rng.h"

#include <string.h>

#define MAX_COUNT ((uint32_t)1 << 30)

void pq_strings_init(pq_strings *strings, pq_ctx *ctx) {
    *strings = (pq_strings){.ctx = ctx};
}

void pq_strings_free(pq_strings *strings) {
    if (!strings->borrowed) {
        pq_free(strings->ctx, strings->bytes);
        pq_free(strings->ctx, strings->offsets);
    }
    pq_free(strings->ctx, strings->slots);
    pq_strings_init(strings, strings->ctx);
}

static uint32_t hash(const char *bytes, size_t size) {
    uint64_t state = size;
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, PQ_MIN(size - i, 8));
        state = pq_mix(state ^ word) + 0x9e3779b97f4a7c15u;
    }
    return (uint32_t)(state >> 32);
}

/* The slot that holds the string, or the free one where it belongs. The table has free slots. Where to begin
 * are the upper bits of a product, so that the number of slots need not be a power of two. */
static uint32_t find_slot(const pq_strings *strings, const char *bytes, size_t size) {
    uint32_t slot = (uint32_t)((uint64_t)hash(bytes, size) * strings->slot_count >> 32);
    for (;; slot = slot + 1 < strings->slot_count ? slot + 1 : 0) {
        uint32_t entry = strings->slots[slot];
        if (entry == 0) {
            return slot;
        }
        size_t other = strings->offsets[entry] - strings->offsets[entry - 1];
        const char *at = strings->bytes + strings->offsets[entry - 1];
        if (other == size && (size == 0 || memcmp(at, bytes, size) == 0)) {
            return slot;
        }
    }
}

/* A table for `count` strings, at most three quarters full, with those there are. */
static pique_status build_slots(pq_strings *strings, uint32_t count) {
    uint32_t size = count + count / 3 + 1;
    uint32_t *slots = pq_alloc(strings->ctx, size, sizeof(*slots));
    if (!slots) {
        return PIQUE_NO_MEMORY;
    }
    pq_free(strings->ctx, strings->slots);
    strings->slots = slots;
    strings->slot_count = size;
    for (uint32_t i = 0; i < strings->count; i++) {
        size_t length;
        const char *bytes = pq_strings_get(strings, i, &length);
        uint32_t slot = find_slot(strings, bytes, length);
        if (slots[slot]) {
            PQ_FAIL(strings->ctx, PIQUE_CORRUPT, "\"%.*s\" stands twice, as number %lu and %lu",
                    (int)PQ_MIN(length, 64), bytes, (unsigned long)slots[slot] - 1,
                    (unsigned long)i);
        }
        slots[slot] = i + 1;
    }
    return PIQUE_OK;
}

pique_status pq_strings_borrow(pq_strings *strings, pq_ctx *ctx, const char *bytes, size_t size,
                               const uint32_t *offsets, uint32_t count) {
    pq_strings_init(strings, ctx);
    if (count > MAX_COUNT) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "more than %lu strings", (unsigned long)MAX_COUNT);
    }
    if (offsets[0] != 0 || offsets[count] != size) {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "the offsets of the strings run from %lu to %lu, not 0 to %lu",
                (unsigned long)offsets[0], (unsigned long)offsets[count], (unsigned long)size);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (offsets[i] > offsets[i + 1]) {
            PQ_FAIL(ctx, PIQUE_CORRUPT, "the offsets of the strings fall at number %lu",
                    (unsigned long)i);
        }
    }
    /* Never written to while `borrowed` stands. */
    strings->bytes = (char *)bytes;
    strings->offsets = (uint32_t *)offsets;
    strings->count = count;
    strings->borrowed = true;
    pique_status status = build_slots(strings, count);
    if (status != PIQUE_OK) {
        pq_strings_free(strings);
    }
    return status;
}

/* Room for one more string of `size` bytes, in all three arrays. */
static pique_status grow(pq_strings *strings, size_t size) {
    uint32_t used = strings->count ? strings->offsets[strings->count] : 0;
    if (strings->borrowed) {
        PQ_FAIL(strings->ctx, PIQUE_INTERNAL, "a borrowed list of strings cannot grow");
    }
    if (strings->count == MAX_COUNT || size > UINT32_MAX - used) {
        PQ_FAIL(strings->ctx, PIQUE_UNSUPPORTED,
                "too many distinct strings: %lu of them, %lu bytes", (unsigned long)strings->count,
                (unsigned long)used);
    }
    void *block = strings->bytes;
    PQ_TRY(pq_reserve(strings->ctx, &block, &strings->bytes_capacity, used + size, 1));
    strings->bytes = block;
    block = strings->offsets;
    PQ_TRY(pq_reserve(strings->ctx, &block, &strings->offsets_capacity, (size_t)strings->count + 2,
                      sizeof(uint32_t)));
    strings->offsets = block;
    strings->offsets[0] = 0;
    if (!strings->slots || strings->count >= strings->slot_count / 4 * 3) {
        PQ_TRY(build_slots(strings, PQ_MAX(strings->count, 16) * 2));
    }
    return PIQUE_OK;
}

pique_status pq_strings_add(pq_strings *strings, const char *bytes, size_t size, uint32_t *number) {
    *number = pq_strings_find(strings, bytes, size);
    if (*number != PQ_NOT_FOUND) {
        return PIQUE_OK;
    }
    PQ_TRY(grow(strings, size));
    uint32_t begin = strings->offsets[strings->count];
    if (size) {
        memcpy(strings->bytes + begin, bytes, size);
    }
    uint32_t slot = find_slot(strings, bytes, size);
    strings->offsets[strings->count + 1] = begin + (uint32_t)size;
    strings->slots[slot] = strings->count + 1;
    *number = strings->count++;
    return PIQUE_OK;
}

uint32_t pq_strings_find(const pq_strings *strings, const char *bytes, size_t size) {
    if (!strings->slots) {
        return PQ_NOT_FOUND;
    }
    uint32_t entry = strings->slots[find_slot(strings, bytes, size)];
    return entry ? entry - 1 : PQ_NOT_FOUND;
}

const char *pq_strings_get(const pq_strings *strings, uint32_t number, size_t *size) {
    if (number >= strings->count) {
        *size = 0;
        return NULL;
    }
    *size = strings->offsets[number + 1] - strings->offsets[number];
    return strings->bytes + strings->offsets[number];
}
