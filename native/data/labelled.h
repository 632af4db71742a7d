/* labelled.h — the labelled pairs of a data set for ranking: which split each belongs to, and what came before
 * it. Used by dataset.c alone. */
#ifndef PQ_LABELLED_H
#define PQ_LABELLED_H

#include "native/data/dataset_builder.h"

typedef struct {
    double time;
    uint32_t item;  /* raw number */
    uint32_t order; /* in the builder's events */
    uint8_t label;
    uint8_t file; /* 1: of the test file */
} pq_timed;

/* splits[i] (pq_split) of sorted[i], where dataset->starts point to; also sets dataset->test_validates.
 * PIQUE_ARGUMENT when there is no such rule, or when it takes a test file and there is none. */
pique_status pq_labelled_split(const pq_builder *builder, pique_dataset *dataset,
                               const pq_timed *sorted, uint8_t *splits);
/* Adds what the histories of the training pairs hold to counts [raw items]. An item that stands among their
 * negatives alone counts 1, so that it is known. */
void pq_labelled_count(const pq_raw_histories *histories, const pq_timed *sorted, uint64_t count,
                       const uint8_t *splits, uint32_t *counts);
/* Makes dataset->labelled of all pairs. The histories are made of the liked ones: `sorted` and
 * dataset->starts keep these alone. */
pique_status pq_labelled_place(pique_dataset *dataset, pq_timed *sorted, const uint8_t *splits,
                               const uint32_t *numbers);
/* The same where the rows brought their histories, which become the events. */
pique_status pq_labelled_place_own(pique_dataset *dataset, const pq_raw_histories *histories,
                                   const pq_timed *sorted, const uint8_t *splits,
                                   const uint32_t *numbers);

#endif
