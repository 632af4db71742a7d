/* opened.h — an open model: the container, the definition bound to it, the item tables. */
#ifndef PQ_OPENED_H
#define PQ_OPENED_H

#include "base/arena.h"
#include "base/strings.h"
#include "file/blocks.h"
#include "file/layout.h"
#include "models/model.h"

struct pique_model {
    pq_ctx *ctx;
    void *bytes;
    pq_container container;
    pq_arena floats; /* tensors that the file has in half precision, as floats */
    pq_model m;
    pq_strings ids; /* item i is string i - 1 */
    pq_table vectors, behaviours;
    const pique_block *blocks; /* of a file whose item rows come in blocks */
    uint32_t block_count;
    float *centroids; /* [block_count, D] */
    uint8_t *absent;  /* [rows] bits: see pq_table; NULL: all rows are there */
    bool has_behaviours;
    pq_column columns[PQ_MAX_FIELDS];   /* of the profile */
    pq_strings terms[PQ_MAX_FIELDS];    /* of fields of categories */
    const float *bounds[PQ_MAX_FIELDS]; /* [rows - 3] of fields of numbers; NULL: of categories */
    uint32_t missing[PQ_MAX_FIELDS];    /* code of what is not known; 0 of categories */
    char *names[PQ_MAX_FIELDS];
    const uint8_t *categories[PQ_MAX_FIELDS]; /* [rows] codes of the items in each column */
    char *category_names[PQ_MAX_FIELDS];
    uint32_t category_count;
    char *info;
};

#endif
