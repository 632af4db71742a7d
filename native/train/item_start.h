/* item_start.h — vectors from a file as the first rows of a model's table of items. */
#ifndef PQ_ITEM_START_H
#define PQ_ITEM_START_H

#include "models/model.h"
#include "native/train/options.h"
#include "pique_train.h"

/* The drawn table of ids, and that of behaviours where the model has one, take the rows `item.weight` of the file (a
 * model file or one of native/data/side_file.h), joined by id and times `init.scale`. Items that the file lacks keep what
 * was drawn; the listener is told how many those are. PIQUE_DATA: the widths differ, or no id is known;
 * PIQUE_ARGUMENT: with item_ids = 0 items have no rows. */
pique_status pq_item_start(pq_model *m, const pique_dataset *dataset, const char *path,
                           const pq_train_options *options, const pique_listener *listener);
/* Items without a training event: the last ones, as items are numbered by falling count. */
uint32_t pq_item_cold(const pique_dataset *dataset);
/* The rows of such items become zero: training would leave them where they were drawn, and what is known of them are
 * their columns. */
void pq_item_start_cold(const pq_model *m);
/* What the options say of the tables whether or not rows came: with `init.freeze` they do not train. Before the
 * optimiser is made. */
void pq_item_freeze(const pq_model *m, const pq_train_options *options);

#endif
