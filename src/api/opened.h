/* opened.h — an open model: the container, the definition bound to it, the item tables. */
#ifndef PQ_OPENED_H
#define PQ_OPENED_H

#include "base/arena.h"
#include "base/strings.h"
#include "file/container.h"
#include "file/layout.h"
#include "models/model.h"

struct pique_model {
    pq_ctx *ctx;
    void *bytes;
    pq_container container;
    pq_arena floats; /* tensors that the file has as halves or int8, as floats */
    pq_model m;
    pq_strings ids; /* item i is string i - 1 */
    /* m.items points to those that serve. */
    pq_table vectors, codes, behaviours;
    const pq_table *shortlist;          /* the codes where there are rows beside them, or NULL */
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

/* ---- open_items.c ---- */

/* A tensor of floats, finite, of that shape (cols 0: rank 1): F32, F16, or of rank 2 int8 with scales. */
pique_status pq_open_floats(pique_model *model, const char *name, uint32_t rows, uint32_t cols,
                            float **out);
/* Sets items.baked_width from what the file has; 0 when it has no rows, which fails later. */
void pq_find_width(pique_model *model);
/* The rows, codes and behaviours, once the model is declared. */
pique_status pq_open_items(pique_model *model);
/* "int8", "pq16", "pq16+int8", ... */
void pq_write_scheme(const pique_model *model, pq_text *out);

#endif
