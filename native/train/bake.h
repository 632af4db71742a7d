/* bake.h — from a trained model to the bytes of its model file: item vectors computed once for all items,
 * vocabularies, and the parameters that serving needs. */
#ifndef PQ_BAKE_H
#define PQ_BAKE_H

#include "models/model.h"
#include "native/data/dataset.h"

/* The uncompressed container in a block of the context's. metrics: a JSON object; card: plain text for
 * people. The bytes depend on the arguments alone. */
pique_status pq_bake(const pq_model *m, const pique_dataset *dataset, const char *metrics,
                     const char *card, void **bytes, size_t *size);

#endif
