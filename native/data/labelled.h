/* labelled.h — the labelled pairs of a data set for ranking: which split each belongs to, and what its user
 * had liked before it. Used by dataset.c alone. */
#ifndef PQ_LABELLED_H
#define PQ_LABELLED_H

#include "native/data/dataset.h"

typedef struct {
    double time;
    uint32_t item;  /* raw number */
    uint32_t order; /* of the input, within the user */
    uint8_t label;
} pq_timed;

/* splits[i] (pq_split) of sorted[i]; starts[user_count + 1] into both. PIQUE_ARGUMENT when there is no such
 * rule. */
pique_status pq_labelled_split(pq_ctx *ctx, const pique_dataset_options *options,
                               const uint64_t *starts, uint32_t user_count, const pq_timed *sorted,
                               uint8_t *splits);
/* Makes dataset->labelled of all pairs; then `sorted` and dataset->starts keep the liked ones alone. */
pique_status pq_labelled_place(pique_dataset *dataset, pq_timed *sorted, const uint8_t *splits,
                               const uint32_t *numbers);

#endif
