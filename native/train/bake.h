/* bake.h — from a trained model to the bytes of its model file: item vectors computed once for all items,
 * vocabularies, and the parameters that serving needs. */
#ifndef PQ_BAKE_H
#define PQ_BAKE_H

#include "models/model.h"
#include "native/data/dataset.h"
#include "native/train/rounding.h"

typedef struct {
    const char *metrics;         /* a JSON object */
    const char *card;            /* plain text for people */
    const pq_rounding *rounding; /* how item vectors are written; NULL: as F32 */
} pq_bake_options;

/* The uncompressed container in a block of the context's. The bytes depend on the arguments alone. */
pique_status pq_bake(const pq_model *m, const pique_dataset *dataset,
                     const pq_bake_options *options, void **bytes, size_t *size);

#endif
