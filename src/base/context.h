/* context.h — what every part of the core is given: the allocator, the error text, the kernels. */
#ifndef PQ_CONTEXT_H
#define PQ_CONTEXT_H

#include "base/format.h"
#include "pique.h"

/* A build that only serves leaves out what only training calls: backward passes, losses, their kernels, and
 * texts about options. */
#ifdef PQ_INFERENCE
#define PQ_TRAINING 0
#else
#define PQ_TRAINING 1
#endif
#define PQ_HELP(text) (PQ_TRAINING ? (text) : NULL)

struct pq_kernels;

/* What a program with threads lends: calls task(user, i) for each i < count, several at once, and comes back
 * when all are done. The core has no threads of its own. */
typedef struct {
    uint32_t threads;
    void (*run)(void *state, uint32_t count, void (*task)(void *user, uint32_t i), void *user);
    void *state;
} pq_parallel;

struct pique_context {
    pique_allocator allocator;
    const struct pq_kernels *kernels;
    pq_parallel parallel; /* all zero: everything on the caller's thread */
    char error[512];
};
typedef struct pique_context pq_ctx;

/* Writes the message, by the forms of format.h, and returns the code. */
pique_status pq_fail(pq_ctx *ctx, pique_status code, const char *format, ...) PQ_PRINTF(3, 4);

/* Returns the code itself, so that compilers see that a failure is never PIQUE_OK. */
#define PQ_FAIL(ctx, code, ...)                                                                    \
    do {                                                                                           \
        (void)pq_fail((ctx), (code), __VA_ARGS__);                                                 \
        return (code);                                                                             \
    } while (0)

/* Hands a failure on to the caller. */
#define PQ_TRY(expression)                                                                         \
    do {                                                                                           \
        pique_status pq_try_status = (expression);                                                 \
        if (pq_try_status != PIQUE_OK) {                                                           \
            return pq_try_status;                                                                  \
        }                                                                                          \
    } while (0)

/* The same where something must be released first. */
#define PQ_TRY_GOTO(status, expression)                                                            \
    do {                                                                                           \
        (status) = (expression);                                                                   \
        if ((status) != PIQUE_OK) {                                                                \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* `count` zeroed elements; NULL (and the context's message) when the product overflows or memory is
 * short. */
void *pq_alloc(pq_ctx *ctx, size_t count, size_t size);
/* Keeps the contents, does not zero what is new; on NULL the old block lives on. */
void *pq_resize(pq_ctx *ctx, void *block, size_t count, size_t size);
void pq_free(pq_ctx *ctx, void *block);

/* Room for `needed` elements in a growing array: doubles, keeps the contents. */
pique_status pq_reserve(pq_ctx *ctx, void **block, size_t *capacity, size_t needed, size_t size);

#define PQ_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PQ_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PQ_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
