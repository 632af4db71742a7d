/* reader.h — a model file of given item vectors, which whatever serves MIND serves.
 *
 * MIND (src/models/mind.c) routes the vectors without anything learnt: its map is a multiple of the identity, there are no
 * layers behind, and behaviours fade with age. One interest is the faded mean of the history; of more, routing becomes a
 * soft k-means of the history on the sphere. */
#ifndef PQ_READER_H
#define PQ_READER_H

#include "native/data/dataset.h"

typedef struct {
    uint32_t dim;       /* width of the vectors */
    uint32_t interests; /* most interests that a history is divided into */
    uint64_t seed;      /* of where routing starts */
    const char *metrics, *card;
} pq_reader_options;

/* The uncompressed container in a block of the context's. vectors: (items, dim), in the order of the items; the data set
 * tells ids, categories and where they came from. UNKNOWN is the mean of the items if no training event has it, else
 * zero. */
pique_status pq_reader_bake(const pique_dataset *data, const pq_reader_options *options,
                            const float *vectors, void **bytes, size_t *size);

#endif
