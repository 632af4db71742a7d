/* ctr_input.h — the fields that a labelled pair has: those of the user's profile, then the item's (its id and
 * its columns), each with an embedding of the same width and, where wanted, a linear weight. */
#ifndef PQ_CTR_INPUT_H
#define PQ_CTR_INPUT_H

#include "models/model.h"

/* Sets the model's widths and declares the tables. d: width of an embedding. scale: deviation of new ones, 0 for
 * Glorot uniform. history: newest behaviours that the model looks at, at least 1. */
void pq_ctr_declare(pq_model *m, uint32_t d, bool linear, double scale, uint32_t history);
uint32_t pq_ctr_field_count(const pq_model *m);
/* (C, fields d): the embeddings side by side. linear: NULL, or receives the sum of the linear weights, (C, 1). */
pq_var *pq_ctr_fields(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var **linear);
/* The profile's embeddings for each candidate, (C, F d), NULL when there is no profile; and the candidates' rows
 * without their linear weight, (C, H). */
pq_var *pq_ctr_profile(pq_tape *t, const pq_model *m, const pq_batch *b);
pq_var *pq_ctr_candidates(pq_tape *t, const pq_model *m, const pq_batch *b);
/* a and b side by side, where either may be absent (but not both). */
static inline pq_var *pq_ctr_join(pq_tape *t, bool has_a, pq_var *a, pq_var *b) {
    return has_a ? pq_op_concat(t, a, b) : b;
}

#endif
