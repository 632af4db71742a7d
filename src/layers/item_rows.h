/* item_rows.h — vectors that come with the data and not with the model, several for each item: the tokens of a title,
 * the regions of a picture. Not in builds that only serve: what a model makes of them is baked into its file. */
#ifndef PQ_ITEM_ROWS_H
#define PQ_ITEM_ROWS_H

#include "layers/transformer.h"

/* Item i has the rows from first[i] on, counts[i] of them; PAD and UNKNOWN have none. */
typedef struct {
    const float *values; /* [.., width]; NULL: there are no such rows */
    uint32_t width;
    const uint32_t *first, *counts; /* [items] */
} pq_item_rows;

/* Item numbers of which each stands once. */
typedef struct {
    uint32_t *ids; /* [count], as they came first */
    uint32_t *at;  /* [n] the place of each of the given ones among them */
    uint32_t count;
} pq_distinct;

/* ids [n], below `rows`. In the memory of the step; false when it is short, or an id is not below. */
bool pq_distinct_items(pq_tape *t, uint32_t rows, const uint32_t *ids, uint32_t n,
                       pq_distinct *out);

/* The first `most` rows of each of n items, a segment for each, as a constant. places: NULL, or receives the number of
 * each row among its item's, from 0. In the memory of the step; rows is NULL when it is short. */
pq_stack pq_item_rows_take(pq_tape *t, const pq_item_rows *rows, const pq_distinct *items,
                           uint32_t most, uint32_t **places);

#endif
