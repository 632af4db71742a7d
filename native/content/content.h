/* content.h — a model file made of texts alone: the vectors of factors.h, read by reader.h. */
#ifndef PQ_CONTENT_H
#define PQ_CONTENT_H

#include "native/content/corpus.h"

/* The uncompressed container in a block of the context's. vectors: (items, options->dim). */
pique_status pq_content_bake(const pq_corpus *corpus, const pique_content_options *options,
                             const float *vectors, void **bytes, size_t *size);

#endif
