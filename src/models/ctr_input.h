/* ctr_input.h — the fields that a labelled pair has: those of the user's profile, then the item's (its id and
 * its columns), and where wanted the user's history, as the means of its items' fields; each with an embedding of
 * the same width and, save the history, a linear weight where wanted. */
#ifndef PQ_CTR_INPUT_H
#define PQ_CTR_INPUT_H

#include "layers/mlp.h"
#include "models/model.h"

/* ---- the parts ---- */

/* Sets the model's widths and declares the tables. d: width of an embedding. scale: deviation of new ones, 0 for
 * Glorot uniform. history: newest behaviours that the model looks at, at least 1. */
void pq_ctr_declare(pq_model *m, uint32_t d, bool linear, double scale, uint32_t history);
/* The profile's embeddings for each candidate, (C, F d), NULL when there is no profile; and the candidates' rows
 * without their linear weights, (C, H). */
pq_var *pq_ctr_profile(pq_tape *t, const pq_model *m, const pq_batch *b);
pq_var *pq_ctr_candidates(pq_tape *t, const pq_model *m, const pq_batch *b);
/* a and b side by side, where either may be absent (but not both). */
static inline pq_var *pq_ctr_join(pq_tape *t, bool has_a, pq_var *a, pq_var *b) {
    return has_a ? pq_op_concat(t, a, b) : b;
}

/* ---- all fields side by side: what models without a view of their own on the history look at ---- */

typedef struct {
    int32_t dim, history;
    double init_scale;
} pq_ctr_options;

/* Rows of fields; the options are the presets' values. */
#define PQ_CTR_FIELDS(at, best_dim, seed_dim, paper_dim, best_scale)                               \
    PQ_FIELD("dim", (at) + offsetof(pq_ctr_options, dim), "int 1 1024", best_dim, seed_dim,        \
             paper_dim,                                                                            \
             "width of the vector of each field: the id, each column, each field of the profile"), \
        PQ_FIELD(                                                                                  \
            "history", (at) + offsetof(pq_ctr_options, history), "int 0 1000", "50", "0", "0",     \
            "newest behaviours whose mean is a field beside each field of the item; 0: none"),     \
        PQ_TRAINING_FIELD("init_scale", (at) + offsetof(pq_ctr_options, init_scale), "real 0 10",  \
                          best_scale, "1", "0.01",                                                 \
                          "deviation of new vectors of fields; 0: Glorot uniform")
#define PQ_CTR_MLP_FIELDS(at, h1, seed_h1, paper_h1, h2, seed_h2, paper_h2, h3, seed_h3, paper_h3, \
                          act, seed_act, paper_act, drop, seed_drop, paper_drop)                   \
    PQ_MLP_WIDTH("hidden1", at, 0, h1, seed_h1, paper_h1),                                         \
        PQ_MLP_WIDTH("hidden2", at, 1, h2, seed_h2, paper_h2),                                     \
        PQ_MLP_WIDTH("hidden3", at, 2, h3, seed_h3, paper_h3),                                     \
        PQ_MLP_ACTIVATION("activation", at, act, seed_act, paper_act),                             \
        PQ_MLP_NORM("norm", at, "none", NULL, NULL),                                               \
        PQ_MLP_DROPOUT("dropout", at, drop, seed_drop, paper_drop)

typedef struct {
    pq_var *fields;  /* (C, F d) */
    pq_var *linear;  /* (C, 1) the sum of the linear weights; NULL without */
    pq_var *crosses; /* (C, crosses) of the candidates; NULL without */
} pq_ctr_parts;

/* linear: every field save the history has a linear weight. crosses: columns of further weights of an item. */
void pq_ctr_input_declare(pq_model *m, const pq_ctr_options *o, bool linear, uint32_t crosses);
/* F */
uint32_t pq_ctr_input_count(const pq_model *m, const pq_ctr_options *o);
pq_ctr_parts pq_ctr_input(pq_tape *t, const pq_model *m, const pq_batch *b,
                          const pq_ctr_options *o);
/* The mean of each user's behaviours without linear weights, (B, H). */
pq_var *pq_ctr_history(pq_tape *t, const pq_model *m, const pq_batch *b);

/* A row of ones, (1, n), and the sum of each row of x plus the bias (1, 1): (C, 1). bias NULL: none. */
pq_var *pq_ctr_ones(pq_tape *t, uint32_t n);
pq_var *pq_ctr_row_sums(pq_tape *t, pq_var *x, const pq_param *bias);

#define PQ_CTR_TRAINING_BEST                                                                       \
    "batch=256 lr=0.001 weight_decay=0.00001 schedule=constant clip=5 epochs=20 patience=3 "       \
    "eval_every=1"
#define PQ_CTR_TRAINING_SEED                                                                       \
    "batch=1024 epochs=20 lr=0.01 weight_decay=0.005 dense_rows=1 max_norm=1"

#endif
