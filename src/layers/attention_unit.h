/* attention_unit.h — how much a query looks at a key (Zhou et al., KDD 2018): for every pair
 *     s = MLP([q; k; q - k; q * k])
 * The first layer is kept as what it does to q, to k and to q * k: the difference lies in the first two, so
 * that only the product is left to the pairs. Where nothing is recorded, it is folded into what is done to k.
 * `outer` adds the paper's outer product, all q_i k_j, to what the MLP sees: a matrix of every query for the keys. */
#ifndef PQ_ATTENTION_UNIT_H
#define PQ_ATTENTION_UNIT_H

#include "layers/mlp.h"

typedef struct {
    pq_mlp mlp; /* its options are set before declaring; at least one hidden layer */
    bool outer; /* as well */

    pq_param *query, *key, *product, *bias; /* (n, H) each, (1, n) */
    pq_param *
        crosses; /* NULL or (n H, H) of `outer`: row u H + j, column i has unit u's weight of q_i k_j */
} pq_attention_unit;

/* Rows of fields: two hidden layers and their activation. */
#define PQ_ATTENTION_UNIT_FIELDS(at, w1, w2, seed1, seed2, act, act_seed)                          \
    PQ_FIELD("attention1", (at) + offsetof(pq_attention_unit, mlp.widths), "int 1 4096", w1,       \
             seed1, NULL, "width of the attention unit's first layer"),                            \
        PQ_MLP_WIDTH("attention2", (at) + offsetof(pq_attention_unit, mlp), 1, w2, seed2, NULL),   \
        PQ_MLP_ACTIVATION("attention_activation", (at) + offsetof(pq_attention_unit, mlp), act,    \
                          act_seed, NULL),                                                         \
        PQ_MLP_DROPOUT("attention_dropout", (at) + offsetof(pq_attention_unit, mlp), "0", "0.1",   \
                       NULL)

/* h: width of queries and keys. */
void pq_attention_unit_declare(pq_attention_unit *unit, pq_params *params, const char *name,
                               uint32_t h);
/* queries (C, H), keys (T, H) to the logits of the pairs, (P, 1). */
pq_var *pq_attention_unit_run(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                              pq_var *keys, const pq_pairs *pairs);

#endif
