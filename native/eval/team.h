/* team.h — the same work by several threads, each with a context of its own; the first failure (by
 * number) is the team's. Progress and cancellation pass through the first member. */
#ifndef PQ_TEAM_H
#define PQ_TEAM_H

#include "base/context.h"
#include "pique_train.h"

/* Below so many rows of a table a second thread costs more than it does. */
#define PQ_PARALLEL_ROWS 512

typedef struct pq_team pq_team;

struct pq_team {
    uint32_t size; /* threads; 0: one per processor */
    const char *phase;
    uint64_t total; /* units of work, for progress */
    const pique_listener *listener;

    uint64_t done;
    double began;
};

typedef pique_status pq_team_work(pq_ctx *ctx, void *user, pq_team *team, uint32_t member);

pique_status pq_team_run(pq_team *team, pq_ctx *ctx, pq_team_work *work, void *user);
/* One unit is done. PIQUE_CANCELLED when the listener wants to stop. */
pique_status pq_team_progress(pq_team *team, uint32_t member, pq_ctx *ctx);

/* Lends threads to the context's scans of large tables; 0: one per processor. */
void pq_team_lend(pq_ctx *ctx, uint32_t threads);

/* Processors of this machine, at least 1. */
uint32_t pq_processors(void);
/* Most memory that this process has had in use at once, in bytes; 0 where the system does not tell. */
uint64_t pq_peak_bytes(void);
/* A clock that only runs forward, in seconds. */
double pq_seconds(void);

#endif
