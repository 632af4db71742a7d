#include "base/context.h"

#include <stdarg.h>
#include <string.h>

pique_status pq_fail(pq_ctx *ctx, pique_status code, const char *format, ...) {
    /* Through a buffer of its own: the message may quote the one that it replaces. */
    char text[sizeof(ctx->error)];
    va_list arguments;
    va_start(arguments, format);
    (void)pq_format_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    memcpy(ctx->error, text, sizeof(text));
    ctx->error[sizeof(ctx->error) - 1] = 0;
    return code;
}

void *pq_alloc(pq_ctx *ctx, size_t count, size_t size) {
    void *block = pq_resize(ctx, NULL, count, size);
    if (block) {
        memset(block, 0, count * size);
    }
    return block;
}

void *pq_resize(pq_ctx *ctx, void *block, size_t count, size_t size) {
    if (count == 0) {
        count = 1; /* never the "free" request */
    }
    void *result = NULL;
    if (count <= SIZE_MAX / size) {
        result = ctx->allocator.resize(ctx->allocator.user, block, count * size);
    }
    if (!result) {
        (void)pq_fail(ctx, PIQUE_NO_MEMORY, "out of memory: %lu x %lu bytes", (unsigned long)count,
                      (unsigned long)size);
    }
    return result;
}

void pq_free(pq_ctx *ctx, void *block) {
    if (block) {
        ctx->allocator.resize(ctx->allocator.user, block, 0);
    }
}

pique_status pq_reserve(pq_ctx *ctx, void **block, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) {
        return PIQUE_OK;
    }
    size_t grown = PQ_MAX(*capacity, 16);
    while (grown < needed) {
        grown = grown > SIZE_MAX / 2 ? needed : grown * 2;
    }
    void *larger = pq_resize(ctx, *block, grown, size);
    if (!larger) {
        return PIQUE_NO_MEMORY;
    }
    *block = larger;
    *capacity = grown;
    return PIQUE_OK;
}
