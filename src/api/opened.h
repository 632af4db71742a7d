/* opened.h — an open model: the container, the definition bound to it, the item tables. */
#ifndef PQ_OPENED_H
#define PQ_OPENED_H

#include "base/arena.h"
#include "base/strings.h"
#include "file/blocks.h"
#include "file/layout.h"
#include "models/model.h"

/* How raw values of a profile field become codes. */
typedef struct {
    pq_strings terms;    /* of categories */
    const float *bounds; /* [bound_count] of numbers, or landmarks of quantiles; NULL: no numbers */
    uint32_t bound_count;
    uint32_t missing;        /* code of a number that is not known; 0 of others */
    const uint32_t *several; /* [PQ_SEVERAL] as in layout.h; NULL: a value has one code */
} pq_encoder;

struct pique_model {
    pq_ctx *ctx;
    void *bytes;
    pq_container container;
    pq_arena floats; /* tensors that the file has as halves or int8, as floats */
    pq_model m;
    pq_strings ids;            /* item i is string i - 1 */
    const pique_block *blocks; /* of a file whose item rows come in blocks */
    uint32_t block_count;
    float *centroids; /* [block_count, D] */
    uint8_t *absent;  /* [rows] bits: see pq_table; NULL: all rows are there */
    /* m.items points to those that serve. */
    pq_table vectors, codes, behaviours;
    pq_table *rows;            /* vectors, or codes that stand alone: what may come in blocks */
    const pq_table *shortlist; /* the codes where there are rows beside them, or NULL */
    pq_column columns[PQ_MAX_FIELDS]; /* of the profile */
    pq_encoder encoders[PQ_MAX_FIELDS];
    char *names[PQ_MAX_FIELDS];
    const uint8_t *categories[PQ_MAX_FIELDS]; /* [rows, each] codes of the items in each column */
    uint32_t categories_each[PQ_MAX_FIELDS];
    char *category_names[PQ_MAX_FIELDS];
    uint32_t category_count;
    char *info;
};

/* ---- api_profile.c ---- */

/* The profile fields: each name has a list of terms, or what numbers or text are encoded with. */
pique_status pq_open_profile(pique_model *model, uint32_t count);

/* ---- open_items.c ---- */

/* A tensor of floats, finite, of that shape (cols 0: rank 1): F32, F16, or of rank 2 int8 with scales. */
pique_status pq_open_floats(pique_model *model, const char *name, uint32_t rows, uint32_t cols,
                            float **out);
/* Sets items.baked_width from what the file has; 0 when it has no rows, which fails later. */
void pq_find_width(pique_model *model);
/* Item rows that have come, whole or a part of them: each number must be one. */
pique_status pq_check_rows(const pique_model *model, const pq_tensor *rows);
/* The rows, codes and behaviours, once the model is declared. */
pique_status pq_open_items(pique_model *model);
/* "int8", "pq16", "pq16+int8", ... */
void pq_write_scheme(const pique_model *model, pq_text *out);

#endif
