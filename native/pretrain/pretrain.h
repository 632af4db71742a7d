/* pretrain.h — trains the network of pmgt.h on a data set's item graph, and makes a model file of its vectors. */
#ifndef PQ_PRETRAIN_H
#define PQ_PRETRAIN_H

#include "native/pretrain/node_batch.h"

/* PIQUE_ARGUMENT: a setting that there is not, or that does not fit the others. */
pique_status pq_pretrain_read(pq_ctx *ctx, const pique_pretrain_options *options,
                              pq_pretrain_settings *settings);
pique_status pq_pretrain_run(pq_ctx *ctx, const pique_dataset *dataset,
                             const pique_pretrain_options *options, const pique_listener *listener,
                             pique_pretrain_result *result);

/* The vectors of all nodes by the network as it stands, [rows, dim], zeros for PAD and UNKNOWN. */
pique_status pq_pretrain_vectors(const pq_nodes *nodes, const pq_pmgt *net, float *vectors);
/* The chance that a held node's cosine to a neighbour is above that to a stranger; NaN when none is held. */
pique_status pq_pretrain_link_auc(const pq_nodes *nodes, const float *vectors, double *auc);

#endif
