/* negatives.h — distinct items drawn uniformly for a user: neither the target nor, unless they are to
 * stay, items of the history. What is drawn depends on the user alone, not on the scorer or the thread. */
#ifndef PQ_NEGATIVES_H
#define PQ_NEGATIVES_H

#include "native/data/dataset.h"

/* Fixed, so that two evaluations see the same negatives. */
#define PQ_NEGATIVES_SEED 20

typedef struct {
    pq_ctx *ctx;
    uint32_t items;  /* of the data set */
    uint32_t wanted; /* at most items */
    uint32_t *order; /* [items] a permutation of 1..items; sorted between two draws */
    uint32_t *swaps; /* [items] what each step of a draw was swapped with */
    bool *barred;    /* [item_rows] */
    uint32_t *drawn; /* [wanted] numbers of the data set */
} pq_negatives;

pique_status pq_negatives_init(pq_negatives *negatives, pq_ctx *ctx, const pique_dataset *dataset,
                               uint32_t wanted);
void pq_negatives_free(pq_negatives *negatives);
/* How many were drawn: fewer than wanted only when no more items are left. */
uint32_t pq_negatives_draw(pq_negatives *negatives, uint32_t user, const pq_view *view,
                           bool with_seen);

#endif
