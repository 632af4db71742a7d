/* co_attention.h — two streams of rows, such as the words and the regions of an item, that look at each other (Lu et
 * al., "ViLBERT", NeurIPS 2019): in each layer the rows of one stream are the queries, those of the same segment of the
 * other, as they were before the layer, keys and values; then every stream has its own feed-forward network. */
#ifndef PQ_CO_ATTENTION_H
#define PQ_CO_ATTENTION_H

#include "layers/transformer.h"

typedef struct {
    pq_transformer stream[2]; /* the options of the first, of kind `post`, are those of both */
} pq_co_attention;

/* d: width of both streams. Names begin with those of the streams. */
pique_status pq_co_attention_declare(pq_co_attention *co, pq_params *params,
                                     const char *const names[2], uint32_t d);
/* Replaces the rows of both. */
void pq_co_attention_run(pq_tape *t, const pq_co_attention *co, pq_stack streams[2]);

#endif
