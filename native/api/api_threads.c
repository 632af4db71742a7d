/* api_threads.c — threads that the native half lends to the core. */
#include "native/eval/team.h"
#include "pique_train.h"

void pique_context_set_threads(pique_context *ctx, uint32_t threads) {
    pq_team_lend(ctx, threads);
}
