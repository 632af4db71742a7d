/* strings.h — a list of distinct strings with look-up by content: vocabularies and item ids.
 * Strings are numbered 0..count-1 in the order of their coming. */
#ifndef PQ_STRINGS_H
#define PQ_STRINGS_H

#include "base/context.h"

#define PQ_NOT_FOUND UINT32_MAX

typedef struct {
    pq_ctx *ctx;
    char *bytes;       /* all strings, one after the other */
    uint32_t *offsets; /* [count + 1] into bytes */
    uint32_t count;
    bool borrowed; /* bytes and offsets belong to someone else */
    size_t bytes_capacity;
    size_t offsets_capacity;
    uint32_t *slots; /* open addressing: string number + 1, 0 free */
    uint32_t slot_count;
} pq_strings;

void pq_strings_init(pq_strings *strings, pq_ctx *ctx);
/* Over memory of the caller's that outlives the list. PIQUE_CORRUPT when a string stands twice, or
 * the offsets do not rise from 0 to `size`. */
pique_status pq_strings_borrow(pq_strings *strings, pq_ctx *ctx, const char *bytes, size_t size,
                               const uint32_t *offsets, uint32_t count);
void pq_strings_free(pq_strings *strings);

/* The number of the string, added when new. */
pique_status pq_strings_add(pq_strings *strings, const char *bytes, size_t size, uint32_t *number);
/* PQ_NOT_FOUND when absent. */
uint32_t pq_strings_find(const pq_strings *strings, const char *bytes, size_t size);
const char *pq_strings_get(const pq_strings *strings, uint32_t number, size_t *size);

#endif
