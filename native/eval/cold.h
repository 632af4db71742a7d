/* cold.h — how a model finds items that were held out of its training entirely (native/data/hold_out.h).
 *
 * Of every user with a held-out item and a history: the history is that of training, the targets are the held-out items
 * that the user took. Recall at K is the share of a user's targets among the first K, averaged over the users; once of
 * the held-out items alone, once of all items but those of the history. Ties count against a target. */
#ifndef PQ_COLD_H
#define PQ_COLD_H

#include "native/eval/ranking.h"

/* PIQUE_DATA: no item is held out, or none of them was taken by a user with a history. */
pique_status pq_cold_items(pq_ctx *ctx, const pq_ranking *ranking, const pq_scorer *scorer,
                           const pique_eval_options *options, pique_cold_items *out);

#endif
