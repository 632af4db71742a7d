/* fuzzing.h — what the fuzz targets share. */
#ifndef FUZZING_H
#define FUZZING_H

#include "base/context.h"

#include <stdlib.h>
#include <string.h>

static inline void *fuzzing_resize(void *user, void *block, size_t size) {
    (void)user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

static inline pq_ctx fuzzing_context(void) {
    return (pq_ctx){.allocator = {.resize = fuzzing_resize}};
}

/* A copy in a block of exactly that size, so that a sanitizer sees one byte too many. */
static inline void *fuzzing_copy(const uint8_t *data, size_t size) {
    void *bytes = malloc(size ? size : 1);
    if (!bytes) {
        abort();
    }
    if (size) {
        memcpy(bytes, data, size);
    }
    return bytes;
}

static inline void fuzzing_check(bool fact) {
    if (!fact) {
        abort();
    }
}

#endif
