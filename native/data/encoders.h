/* encoders.h — the columns of items and users as codes of features. What is fitted (vocabularies, boundaries,
 * medians) comes from items of the vocabulary and from users who have training events. */
#ifndef PQ_ENCODERS_H
#define PQ_ENCODERS_H

#include "native/data/dataset_builder.h"

/* Makes dataset->item_features and ->profile of the builder's tables, whose columns are used up. `numbers`:
 * the item that each raw item has become. The data set's labelled pairs are in place. */
pique_status pq_encode_tables(pq_builder *builder, pique_dataset *dataset, const uint32_t *numbers);

#endif
