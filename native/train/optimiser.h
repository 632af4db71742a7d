/* optimiser.h — Adam (Kingma & Ba, 2015) with decoupled decay (AdamW), Adagrad (Duchi et al., 2011), and for linear
 * weights FTRL-Proximal (McMahan et al., KDD 2013), whose L1 leaves zeros.
 * Embedding tables are updated by row: lazily, which moves moments and weights of a row only in steps that
 * touch it (the bias correction counts all steps), or densely, which moves every row in every step, as
 * optimisers without sparse gradients do. */
#ifndef PQ_OPTIMISER_H
#define PQ_OPTIMISER_H

#include "graph/graph.h"

typedef enum { PQ_OPTIMISER_ADAM, PQ_OPTIMISER_ADAGRAD } pq_optimiser_kind;

typedef struct {
    double lr, beta1, beta2, epsilon, weight_decay, clip;
    double l2; /* added to the gradient: l2 w. It passes through the moments, unlike weight_decay */
    pq_optimiser_kind kind; /* Adagrad has no betas: v += g^2, w -= lr g / (sqrt(v) + epsilon) */
    /* Whether linear weights are moved by FTRL, with s = (sqrt(v + g^2) - sqrt(v)) / alpha:
     *     z += g - s w,  v += g^2,
     *     w = 0 where |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(v)) / alpha + l2)
     * lr, weight_decay, l2 and max_norm are the other weights' then. */
    bool ftrl;
    double ftrl_alpha, ftrl_beta, ftrl_l1, ftrl_l2;
    bool dense_rows;
    double
        max_norm; /* rows of embedding tables that a step moved are cut back to this length; 0: not.
                        Rows are then within it wherever they are looked up, which is when other programs
                        cut them. */
} pq_adam;

typedef struct {
    pq_ctx *ctx;
    const pq_params *params;
    pq_real **first, **second; /* moments by parameter index; NULL for frozen ones */
    pq_real *zeros;            /* as long as the widest row */
    uint64_t step;             /* steps taken */
    uint64_t since;            /* of them before this stage of training: Adam does not count them */
    bool pretraining;          /* parameters that are `pretrained` move */
    uint32_t threads;          /* 1 until it is set; the result does not depend on it */
} pq_optimiser;

pique_status pq_optimiser_init(pq_optimiser *optimiser, pq_ctx *ctx, const pq_params *params);
/* Cuts every row of the embedding tables back to the length; 0: nothing. */
void pq_optimiser_limit_rows(const pq_optimiser *optimiser, double max_norm);
/* Forgets the moments, as a new stage of training begins. */
void pq_optimiser_forget(const pq_optimiser *optimiser);
/* One step along `grads`. PIQUE_NUMERIC, with nothing changed, when the gradient is not finite: the message
 * names the step and the first parameter where. */
pique_status pq_optimiser_step(pq_optimiser *optimiser, const pq_adam *adam, const pq_grads *grads);
void pq_optimiser_free(pq_optimiser *optimiser);

#endif
