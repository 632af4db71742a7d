/* arena.h — memory of one step: handed out from large blocks, given back all at once. After the first
 * steps have shown how much is needed, a reset joins the blocks into one and no step allocates. */
#ifndef PQ_ARENA_H
#define PQ_ARENA_H

#include "base/context.h"

#define PQ_ALIGNMENT 64

typedef struct pq_block pq_block;

typedef struct {
    pq_ctx *ctx;
    pq_block *last; /* the block being filled; older ones hang behind it */
    size_t total;   /* bytes of all blocks */
    size_t used;    /* bytes handed out since the last reset */
    size_t peak;    /* most that `used` ever was */
} pq_arena;

typedef struct {
    pq_block *block; /* that was being filled */
    size_t in_block, used;
} pq_arena_mark;

void pq_arena_init(pq_arena *arena, pq_ctx *ctx);
/* Not zeroed, aligned to PQ_ALIGNMENT; NULL when memory is short. */
void *pq_arena_take(pq_arena *arena, size_t count, size_t size);
/* What is taken after a mark can be given back before the rest. */
pq_arena_mark pq_arena_here(const pq_arena *arena);
void pq_arena_back(pq_arena *arena, pq_arena_mark mark);
void pq_arena_reset(pq_arena *arena);
void pq_arena_free(pq_arena *arena);

#endif
