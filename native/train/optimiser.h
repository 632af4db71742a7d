/* optimiser.h — Adam (Kingma & Ba, 2015), decoupled decay (AdamW), lazy for embedding tables: moments and
 * weights of a row move only in steps that touch it; the bias correction counts all steps. */
#ifndef PQ_OPTIMISER_H
#define PQ_OPTIMISER_H

#include "graph/graph.h"

typedef struct {
    double lr, beta1, beta2, epsilon, weight_decay, clip;
} pq_adam;

typedef struct {
    pq_ctx *ctx;
    const pq_params *params;
    pq_real **first, **second; /* moments by parameter index; NULL for frozen ones */
    uint64_t step;             /* steps taken */
} pq_optimiser;

pique_status pq_optimiser_init(pq_optimiser *optimiser, pq_ctx *ctx, const pq_params *params);
/* One step along `grads`. PIQUE_NUMERIC, with nothing changed, when the gradient is not finite. */
pique_status pq_optimiser_step(pq_optimiser *optimiser, const pq_adam *adam, const pq_grads *grads);
void pq_optimiser_free(pq_optimiser *optimiser);

#endif
