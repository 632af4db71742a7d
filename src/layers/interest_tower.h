/* interest_tower.h — the end of models that look at a history with a candidate's eyes (DIN, DIEN): what they
 * saw becomes log-odds.
 *     z = [profile; e; sum; e * sum; interest]   `full`
 *         [profile; e; interest]                 `plain`
 *         [interest; e]                          `compact`
 *     log-odds = MLP(z)
 * e is the candidate's row and `sum` the sum of the rows of the user's history. */
#ifndef PQ_INTEREST_TOWER_H
#define PQ_INTEREST_TOWER_H

#include "layers/head.h"
#include "layers/mlp.h"
#include "layers/pairs.h"

typedef enum { PQ_TOWER_FULL, PQ_TOWER_PLAIN, PQ_TOWER_COMPACT } pq_tower_input;

typedef struct {
    /* set by the model before declaring */
    pq_mlp mlp;
    pq_head head;
    int32_t input; /* pq_tower_input */
    bool output; /* a linear layer ends the MLP; else its last hidden layer, which must be 1 wide */
} pq_interest_tower;

/* Rows of fields. The options are the presets' values: of hidden1, hidden2, hidden3, the activation, the norm,
 * the dropout and the input, each as best, seed; then the seed's `output`, head_tanh and head_dropout. */
#define PQ_INTEREST_TOWER_FIELDS(at, h1, seed_h1, h2, seed_h2, seed_h3, act, seed_act, norm,       \
                                 seed_norm, drop, seed_drop, in, seed_in, seed_out, seed_tanh,     \
                                 seed_head_drop)                                                   \
    PQ_MLP_WIDTH("hidden1", (at) + offsetof(pq_interest_tower, mlp), 0, h1, seed_h1, "200"),       \
        PQ_MLP_WIDTH("hidden2", (at) + offsetof(pq_interest_tower, mlp), 1, h2, seed_h2, "80"),    \
        PQ_MLP_WIDTH("hidden3", (at) + offsetof(pq_interest_tower, mlp), 2, "0", seed_h3, "0"),    \
        PQ_MLP_ACTIVATION("activation", (at) + offsetof(pq_interest_tower, mlp), act, seed_act,    \
                          "dice"),                                                                 \
        PQ_MLP_NORM("norm", (at) + offsetof(pq_interest_tower, mlp), norm, seed_norm, "input"),    \
        PQ_MLP_DROPOUT("dropout", (at) + offsetof(pq_interest_tower, mlp), drop, seed_drop, "0"),  \
        PQ_FIELD("input", (at) + offsetof(pq_interest_tower, input), "full,plain,compact", in,     \
                 seed_in, "full",                                                                  \
                 "what the last layers see: all; without the sum of the history; the candidate "   \
                 "and the "                                                                        \
                 "interest"),                                                                      \
        PQ_FIELD("output", (at) + offsetof(pq_interest_tower, output), "bool", "1", seed_out, "1", \
                 "a linear layer ends them; 0: the last hidden layer, 1 wide"),                    \
        PQ_HEAD_FIELDS_OF((at) + offsetof(pq_interest_tower, head), seed_tanh, seed_head_drop)

/* profile: width of the profile's vector, 0 for none; item: of an item's row; interest: of what was seen. Names
 * begin with "tower". PIQUE_ARGUMENT for a last layer that is not 1 wide. */
pique_status pq_interest_tower_declare(pq_interest_tower *tower, pq_params *params,
                                       uint32_t profile, uint32_t item, uint32_t interest);
/* profile (C, ·) or NULL, candidates (C, H), behaviours (T, H) in the segments of the history, interest (C, ·) of
 * each candidate to log-odds (C, 1). users [C]: the segment of each candidate. */
pq_var *pq_interest_tower_run(pq_tape *t, const pq_interest_tower *tower, pq_var *profile,
                              pq_var *candidates, pq_var *behaviours, const pq_segments *history,
                              const uint32_t *users, pq_var *interest);

#endif
