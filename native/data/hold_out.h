/* hold_out.h — items whose events are kept from training entirely, to measure how a model finds items that it never saw
 * anyone take. Which items these are depends on their ids, the share and the seed alone, so that data sets of the same
 * catalogue agree. Used by dataset.c alone. */
#ifndef PQ_HOLD_OUT_H
#define PQ_HOLD_OUT_H

#include "native/data/labelled.h"

bool pq_hold_out_is(const pique_dataset_options *options, const char *id, size_t size);
/* Takes the events of such items out of `sorted` and dataset->starts. Those that the user liked become dataset->held, with
 * raw item numbers. */
pique_status pq_hold_out_take(const pq_builder *builder, pique_dataset *dataset, pq_timed *sorted);
/* Once items are numbered. */
pique_status pq_hold_out_place(const pq_builder *builder, pique_dataset *dataset,
                               const uint32_t *numbers);

#endif
