#include "native/eval/team.h"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Units of the first member between two calls of the listener. */
#define PROGRESS_UNITS 64

uint32_t pq_processors(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

uint64_t pq_peak_bytes(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss < 0) {
        return 0;
    }
#ifdef __APPLE__
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss * 1024;
#endif
}

double pq_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pique_status work_apart(const pq_ctx *ctx, pq_ctx *own, pq_team_work *work, void *user,
                               pq_team *team, uint32_t member) {
    *own = (pq_ctx){.allocator = ctx->allocator, .kernels = ctx->kernels};
    return work(own, user, team, member);
}

pique_status pq_team_run(pq_team *team, pq_ctx *ctx, pq_team_work *work, void *user) {
    team->size = team->size ? team->size : pq_processors();
    team->began = pq_seconds();
    team->done = 0;
    int failed = (int)team->size;
    pique_status status = PIQUE_OK;
#pragma omp parallel for num_threads(team->size) schedule(static, 1)
    for (int member = 0; member < (int)team->size; member++) {
        pq_ctx own;
        pique_status one = work_apart(ctx, &own, work, user, team, (uint32_t)member);
        if (one != PIQUE_OK) {
#pragma omp critical
            if (member < failed) {
                failed = member;
                status = pq_fail(ctx, one, "%s", own.error);
            }
        }
    }
    return status;
}

static void run_tasks(void *state, uint32_t count, void (*task)(void *user, uint32_t i),
                      void *user) {
    (void)state;
#pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int i = 0; i < (int)count; i++) {
        task(user, (uint32_t)i);
    }
}

void pq_team_lend(pq_ctx *ctx, uint32_t threads) {
    ctx->parallel = (pq_parallel){.threads = threads ? threads : pq_processors(), .run = run_tasks};
}

pique_status pq_team_progress(pq_team *team, uint32_t member, pq_ctx *ctx) {
    const pique_listener *listener = team->listener;
    if (member != 0 || !listener) {
        return PIQUE_OK;
    }
    team->done++;
    if (listener->progress && team->done % PROGRESS_UNITS == 0) {
        uint64_t done = team->done * team->size; /* the others are about as far */
        pique_progress progress = {.phase = team->phase,
                                   .done = PQ_MIN(done, team->total),
                                   .total = team->total,
                                   .seconds = pq_seconds() - team->began};
        listener->progress(listener->user, &progress);
    }
    if (listener->cancelled && listener->cancelled(listener->user)) {
        PQ_FAIL(ctx, PIQUE_CANCELLED, "cancelled");
    }
    return PIQUE_OK;
}
