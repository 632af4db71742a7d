/* moment.h — where queries lie: what product quantisers are fitted to. */
#ifndef PQ_MOMENT_H
#define PQ_MOMENT_H

#include "base/context.h"
#include "pique_train.h"

/* moment [D, D]: the mean of q q' over the interests q that the users' training events give, the same on every
 * machine. */
pique_status pq_interest_moment(pq_ctx *ctx, const pique_model *model, const pique_dataset *dataset,
                                double *moment);

#endif
