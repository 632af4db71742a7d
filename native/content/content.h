/* content.h — a model file made of texts alone, which whatever serves MIND serves.
 *
 * The item vectors are those of factors.h, and MIND (src/models/mind.c) routes them without anything learnt: its map is a
 * multiple of the identity, there are no layers behind, and behaviours fade with age. One interest is the faded mean of
 * the history; of more, routing becomes a soft k-means of the history on the sphere. */
#ifndef PQ_CONTENT_H
#define PQ_CONTENT_H

#include "native/content/corpus.h"

/* The uncompressed container in a block of the context's. vectors: (items, options->dim). */
pique_status pq_content_bake(const pq_corpus *corpus, const pique_content_options *options,
                             const float *vectors, void **bytes, size_t *size);

#endif
