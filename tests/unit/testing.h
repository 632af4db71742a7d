/* testing.h — what the unit tests share: cmocka, a context whose allocator counts and can be told to
 * fail, and a folder for files that goes away again. Include it first: it asks for POSIX. */
#ifndef TESTING_H
#define TESTING_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>

#include "base/context.h"

/* The allocator keeps a pointer to its `testing`, which therefore must not move. */
typedef struct {
    pq_ctx ctx;     /* for internal functions; kernels NULL until the test sets them */
    size_t live;    /* blocks that are allocated now */
    size_t calls;   /* allocations and growths asked for so far */
    size_t fail_at; /* the call, counted from 1, that fails, and all after it; 0: none */
} testing;

static inline void *testing_resize(void *user, void *block, size_t size) {
    testing *t = user;
    if (size == 0) {
        t->live -= block != NULL;
        free(block);
        return NULL;
    }
    t->calls++;
    if (t->fail_at && t->calls >= t->fail_at) {
        return NULL;
    }
    void *result = realloc(block, size);
    t->live += result && !block;
    return result;
}

/* For tests of public functions: the same allocator for pique_context_create. */
static inline pique_allocator testing_allocator(testing *t) {
    return (pique_allocator){.resize = testing_resize, .user = t};
}

/* Offsets 0, 1, 2, … of lists of one each. */
static inline const uint32_t *testing_one_each(void) {
    static uint32_t offsets[256];
    for (uint32_t i = 0; i < PQ_COUNT(offsets); i++) {
        offsets[i] = i;
    }
    return offsets;
}

static inline void testing_open(testing *t) {
    memset(t, 0, sizeof(*t));
    t->ctx.allocator = testing_allocator(t);
}

/* Everything must have been given back. */
static inline void testing_close(testing *t) {
    assert_int_equal(t->live, 0);
}

/* Runs `body` with the first allocation failing, then the second …, until it needs no more of them.
 * Each failure must be PIQUE_NO_MEMORY with a message, and leave nothing allocated. */
static inline void testing_fail_each(pique_status (*body)(testing *t, void *argument),
                                     void *argument) {
    for (size_t n = 1;; n++) {
        testing t;
        testing_open(&t);
        t.fail_at = n;
        pique_status status = body(&t, argument);
        assert_int_equal(t.live, 0);
        if (t.calls < n) {
            assert_int_equal(status, PIQUE_OK);
            assert_true(n > 1); /* else the body allocates nothing and the test shows nothing */
            return;
        }
        assert_int_equal(status, PIQUE_NO_MEMORY);
        assert_true(t.ctx.error[0] != 0);
    }
}

/* The status, and a message that holds the given words. */
#define assert_failure(context, status, expected, words)                                           \
    do {                                                                                           \
        assert_int_equal((status), (expected));                                                    \
        if (!strstr((context)->error, (words))) {                                                  \
            fail_msg("\"%s\" does not say \"%s\"", (context)->error, (words));                     \
        }                                                                                          \
    } while (0)

#define assert_ok(context, status)                                                                 \
    do {                                                                                           \
        pique_status assert_ok_status = (status);                                                  \
        if (assert_ok_status != PIQUE_OK) {                                                        \
            fail_msg("status %d: %s", (int)assert_ok_status, (context)->error);                    \
        }                                                                                          \
    } while (0)

/* ---- files ---- */

#define TESTING_PATH 512

/* A new empty folder; `path` has room for TESTING_PATH. */
static inline void testing_folder(char *path) {
    const char *base = getenv("TMPDIR");
    snprintf(path, TESTING_PATH, "%s/pique-XXXXXX", base && base[0] ? base : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int testing_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *walk) {
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void testing_folder_remove(const char *path) {
    assert_int_equal(nftw(path, testing_remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* folder/name into `path`, which has room for TESTING_PATH. */
static inline const char *testing_path(char *path, const char *folder, const char *name) {
    int size = snprintf(path, TESTING_PATH, "%s/%s", folder, name);
    assert_true(size > 0 && size < TESTING_PATH);
    return path;
}

static inline void testing_write(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void testing_write_text(const char *path, const char *text) {
    testing_write(path, text, strlen(text));
}

/* The whole file, terminated; the test calls free. NULL when it does not exist. */
static inline char *testing_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    *size = 0;
    if (!file) {
        return NULL;
    }
    char *bytes = NULL;
    for (;;) {
        bytes = realloc(bytes, *size + 4096 + 1);
        assert_non_null(bytes);
        size_t count = fread(bytes + *size, 1, 4096, file);
        *size += count;
        if (count == 0) {
            break;
        }
    }
    assert_int_equal(fclose(file), 0);
    bytes[*size] = 0;
    return bytes;
}

#endif
