#include "base/arena.h"

struct pq_block {
    pq_block *before;
    size_t size; /* of the whole block, this header included */
    size_t used;
};

#define FIRST_BLOCK ((size_t)64 << 10)

void pq_arena_init(pq_arena *arena, pq_ctx *ctx) {
    *arena = (pq_arena){.ctx = ctx};
}

static size_t padding(const pq_block *block) {
    uintptr_t at = (uintptr_t)block + block->used;
    return (size_t)(-at & (PQ_ALIGNMENT - 1));
}

static bool fits(const pq_block *block, size_t bytes) {
    return block && padding(block) + bytes <= block->size - block->used;
}

static bool add_block(pq_arena *arena, size_t bytes) {
    size_t size = PQ_MAX(FIRST_BLOCK, arena->total);
    size = PQ_MAX(size, bytes + sizeof(pq_block) + PQ_ALIGNMENT);
    pq_block *block = pq_resize(arena->ctx, NULL, size, 1);
    if (!block) {
        return false;
    }
    *block = (pq_block){.before = arena->last, .size = size, .used = sizeof(pq_block)};
    arena->last = block;
    arena->total += size;
    return true;
}

void *pq_arena_take(pq_arena *arena, size_t count, size_t size) {
    if (size && count > (SIZE_MAX / 4) / size) {
        (void)pq_fail(arena->ctx, PIQUE_NO_MEMORY, "out of memory: %lu x %lu bytes",
                      (unsigned long)count, (unsigned long)size);
        return NULL;
    }
    size_t bytes = count * size;
    if (!fits(arena->last, bytes) && !add_block(arena, bytes)) {
        return NULL;
    }
    pq_block *block = arena->last;
    size_t skip = padding(block);
    void *result = (char *)block + block->used + skip;
    block->used += skip + bytes;
    arena->used += skip + bytes;
    arena->peak = PQ_MAX(arena->peak, arena->used);
    return result;
}

pq_arena_mark pq_arena_here(const pq_arena *arena) {
    return (pq_arena_mark){arena->last, arena->last ? arena->last->used : 0, arena->used};
}

void pq_arena_back(pq_arena *arena, pq_arena_mark mark) {
    arena->used = mark.used;
    if (arena->last) { /* a block that came since stays: it is as large as all before it together */
        arena->last->used = arena->last == mark.block ? mark.in_block : sizeof(pq_block);
    }
}

void pq_arena_reset(pq_arena *arena) {
    arena->used = 0;
    if (!arena->last) {
        return;
    }
    if (arena->last->before) {
        /* More than one block was needed: replace them by one that holds all. When memory is too
         * short for that, the next take starts again from nothing. */
        size_t total = arena->total;
        pq_arena_free(arena);
        (void)add_block(arena, total);
        return;
    }
    arena->last->used = sizeof(pq_block);
}

void pq_arena_free(pq_arena *arena) {
    while (arena->last) {
        pq_block *before = arena->last->before;
        pq_free(arena->ctx, arena->last);
        arena->last = before;
    }
    arena->total = 0;
    arena->used = 0;
}
