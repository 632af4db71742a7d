/* retrieval_loss.h — what retrieval models share: the losses, which an option of the training loop picks,
 * and what models with a state after every row need to serve. */
#ifndef PQ_RETRIEVAL_LOSS_H
#define PQ_RETRIEVAL_LOSS_H

#include "models/model.h"

/* u (P, D): the query of each label of the batch; scale multiplies inner products (1 / temperature).
 * (1, 1): the sum over the labels divided by the positions of the whole batch. */
pq_var *pq_retrieval_loss(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b,
                          double scale);

/* The state of each segment's last row, (B, D); zeros for an empty segment. states (T, D). */
pq_var *pq_last_states(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var *states);

/* Explanations of models that have one vector and no couplings: behaviours count by how well they match
 * it, max(0, <e_t, v>) as shares. Fills b->shares when they are wanted; v (B, D). */
void pq_similarity_shares(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_var *v);

#endif
