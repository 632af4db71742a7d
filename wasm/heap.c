/* heap.c — malloc for a module with some hundred blocks: one row of blocks from the end of the program's data to the end of
 * the memory, looked through from its start, free neighbours made one on the way. A third of the code of a general
 * allocator, which would be a fiftieth of the module. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 16u /* of sizes and addresses */
#define PAGE 65536u
#define GROWTH 16u /* pages, at least */
#define USED 1u

/* In front of every block. */
typedef struct {
    uint32_t size; /* with this head: a multiple of UNIT, and USED */
    uint32_t unused[UNIT / 4 - 1];
} head;

extern unsigned char __heap_base; /* the linker's */
/* The page counts how often the memory grows. */
void emscripten_notify_memory_growth(size_t memory);

static head *first;
static uint32_t end; /* of the row */

static head *at(uint32_t address) {
    return (head *)(uintptr_t)address;
}

static uint32_t address(const head *block) {
    return (uint32_t)(uintptr_t)block;
}

static head *after(const head *block) {
    return at(address(block) + (block->size & ~USED));
}

/* The row reaches to the end of the memory, which the page may have made longer, too. */
static void reach(void) {
    if (!first) {
        end = (address((const head *)&__heap_base) + UNIT - 1) & ~(UNIT - 1);
        first = at(end);
    }
    const uint32_t pages = (uint32_t)__builtin_wasm_memory_size(0);
    /* All 65,536 pages would end at 0. */
    const uint32_t limit = pages < PAGE ? pages * PAGE : 0 - UNIT;
    if (limit > end) {
        at(end)->size = limit - end;
        end = limit;
    }
}

/* A free block becomes one with the free ones that follow it. */
static void join(head *block) {
    for (head *next = after(block); address(next) < end && !(next->size & USED);
         next = after(block)) {
        block->size += next->size;
    }
}

/* What the block has beyond `size` becomes free. */
static void take(head *block, uint32_t size) {
    const uint32_t whole = block->size & ~USED;
    block->size = size | USED;
    if (whole > size) {
        after(block)->size = whole - size;
    }
}

static void *find(uint32_t size) {
    for (head *block = first; address(block) < end; block = after(block)) {
        if (block->size & USED) {
            continue;
        }
        join(block);
        if (block->size >= size) {
            take(block, size);
            return block + 1;
        }
    }
    return NULL;
}

/* Of a block with its head; 0: there is none so large. */
static uint32_t room_for(size_t size) {
    return size > UINT32_MAX - 2 * UNIT ? 0 : ((uint32_t)size + 2 * UNIT - 1) & ~(UNIT - 1);
}

void *malloc(size_t bytes) {
    const uint32_t size = room_for(bytes);
    reach();
    void *block = size ? find(size) : NULL;
    if (!block && size) {
        uint32_t pages = (size - 1) / PAGE + 1;
        pages = pages > GROWTH ? pages : GROWTH;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) {
            return NULL;
        }
        emscripten_notify_memory_growth(0);
        reach();
        block = find(size);
    }
    return block;
}

void free(void *block) {
    if (block) {
        ((head *)block)[-1].size &= ~USED;
    }
}

void *realloc(void *block, size_t bytes) {
    const uint32_t size = room_for(bytes);
    if (!block) {
        return malloc(bytes);
    }
    head *own = (head *)block - 1;
    const uint32_t before = own->size & ~USED;
    if (!size) {
        return NULL;
    }
    own->size = before;
    if (size > before) {
        join(own);
    }
    if (own->size >= size) {
        take(own, size);
        return block;
    }
    take(own, before);
    void *moved = malloc(bytes);
    if (moved) {
        memcpy(moved, block, before - sizeof(*own));
        free(block);
    }
    return moved;
}
