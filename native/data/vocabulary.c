#include "native/data/vocabulary.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *bytes;
    size_t size;
    uint32_t count;
    uint32_t raw;
} ranked_term;

static int by_bytes(const void *left, const void *right) {
    const ranked_term *a = left;
    const ranked_term *b = right;
    size_t size = PQ_MIN(a->size, b->size);
    int order = size ? memcmp(a->bytes, b->bytes, size) : 0;
    if (order != 0) {
        return order;
    }
    return a->size < b->size ? -1 : a->size > b->size;
}

static int by_falling_count(const void *left, const void *right) {
    const ranked_term *a = left;
    const ranked_term *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return by_bytes(left, right);
}

pique_status pq_vocabulary_make(pq_ctx *ctx, const pq_strings *raw, const uint32_t *counts,
                                uint32_t least, pq_strings *terms, uint32_t *numbers) {
    ranked_term *ranked = pq_alloc(ctx, raw->count, sizeof(*ranked));
    if (!ranked) {
        return PIQUE_NO_MEMORY;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < raw->count; i++) {
        if (counts[i] >= least) {
            ranked_term *term = &ranked[kept++];
            term->bytes = pq_strings_get(raw, i, &term->size);
            term->count = counts[i];
            term->raw = i;
        }
        numbers[i] = 0;
    }
    qsort(ranked, kept, sizeof(*ranked), by_falling_count);
    pique_status status = PIQUE_OK;
    for (uint32_t i = 0; i < kept && status == PIQUE_OK; i++) {
        uint32_t added;
        status = pq_strings_add(terms, ranked[i].bytes, ranked[i].size, &added);
        numbers[ranked[i].raw] = i + 1;
    }
    for (uint32_t i = 0; i < raw->count; i++) {
        numbers[i] = numbers[i] ? numbers[i] : kept + 1;
    }
    pq_free(ctx, ranked);
    return status;
}
