/* retrieval_loss.h — what retrieval models share: the losses, which an option of the training loop picks,
 * and what models with a state after every row need to serve. */
#ifndef PQ_RETRIEVAL_LOSS_H
#define PQ_RETRIEVAL_LOSS_H

#include "models/model.h"

/* u (P, D): the query of each label of the batch; scale multiplies inner products (1 / temperature).
 * (1, 1): the sum over the labels divided by the positions of the whole batch. */
pq_var *pq_retrieval_loss(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b,
                          double scale);

/* Each label and its n negatives, [P, 1 + n]. NULL when memory is short. */
uint32_t *pq_pair_slates(pq_tape *t, const pq_batch *b, uint32_t n);

/* For models with a state after every row, states (T, D). The loss of the rows that labels follow: */
pq_var *pq_causal_loss(pq_tape *t, const pq_model *m, pq_var *states, const pq_batch *b,
                       double scale);
/* What `user` gives of models with one vector for each user, v (B, D): all live counts are 1. There are no
 * couplings to explain with, so behaviours count by how well they match the vector: b->shares, when wanted,
 * get max(0, <e_t, v>) as shares. */
pq_var *pq_one_interest(pq_tape *t, const pq_model *m, pq_var *v, const pq_batch *b,
                        uint32_t *live);
/* The same where the vector is the state of each segment's last row, zeros for an empty segment. */
pq_var *pq_causal_user(pq_tape *t, const pq_model *m, pq_var *states, const pq_batch *b,
                       uint32_t *live);

#endif
