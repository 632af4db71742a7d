/* api_context.c — contexts of pique.h. */
#ifdef __linux__
#define _DEFAULT_SOURCE /* madvise */
#include <sys/mman.h>
#endif

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "kernels/kernels.h"

/* Large blocks on large pages where the system has such: a scan of a catalogue meets fewer ends of pages, behind
 * which the processor reads nothing ahead. */
static void use_large_pages(void *block, size_t size) {
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t first = ((uintptr_t)block + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)block + size) / page * page;
    if (block && first < end) {
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE); /* a wish */
    }
#else
    (void)block;
    (void)size;
#endif
}

static void *library_resize(void *user, void *block, size_t size) {
    (void)user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    block = realloc(block, size);
    use_large_pages(block, size);
    return block;
}

pique_status pique_context_create(const pique_allocator *allocator, pique_context **out) {
    pique_allocator used = {library_resize, NULL};
    if (allocator) {
        used = *allocator;
    }
    *out = used.resize(used.user, NULL, sizeof(**out));
    if (!*out) {
        return PIQUE_NO_MEMORY;
    }
    **out = (pique_context){.allocator = used, .kernels = pq_kernels_find("best")};
    return PIQUE_OK;
}

void pique_context_free(pique_context *ctx) {
    if (ctx) {
        pique_allocator used = ctx->allocator;
        used.resize(used.user, ctx, 0);
    }
}

const char *pique_error(const pique_context *ctx) {
    return ctx->error;
}

const char *pique_status_text(pique_status status) {
    switch (status) {
#define X(name, code, text)                                                                        \
    case PIQUE_##name:                                                                             \
        return text;
        PIQUE_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

pique_status pique_context_set_isa(pique_context *ctx, const char *name) {
    const pq_kernels *kernels = pq_kernels_find(name);
    if (!kernels) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "instruction set \"%.32s\" is not available here", name);
    }
    ctx->kernels = kernels;
    return PIQUE_OK;
}

const char *pique_context_isa(const pique_context *ctx) {
    return ctx->kernels->isa;
}

void *pique_alloc(pique_context *ctx, size_t size) {
    return pq_resize(ctx, NULL, size, 1);
}

void pique_release(pique_context *ctx, void *block) {
    pq_free(ctx, block);
}
