/* scheme.h — what `--quant` and `--dense` say: how item rows and the other parameters are stored. */
#ifndef PQ_SCHEME_H
#define PQ_SCHEME_H

#include "base/context.h"

/* From the widest to the narrowest. */
typedef enum { PQ_ROWS_F32, PQ_ROWS_F16, PQ_ROWS_INT8, PQ_ROWS_INT4, PQ_ROWS_NONE } pq_rows;
typedef enum { PQ_DENSE_F32, PQ_DENSE_F16, PQ_DENSE_INT8 } pq_dense;

typedef struct {
    char name[16];  /* "pq16+int8" */
    pq_rows rows;   /* of items; PQ_ROWS_NONE: they have codes alone */
    uint32_t bytes; /* of an item's codes; 0: there are none */
    pq_dense dense;
} pq_scheme;

#define PQ_SCHEMES 10

/* The i-th scheme there is; false behind the last. */
bool pq_scheme_at(uint32_t i, pq_scheme *out);
/* quant: a name, or "pq", which is "pq16"; dense: "f32", "f16", "int8", or NULL: f32 beside f32 rows, else f16.
 * PIQUE_ARGUMENT. */
pique_status pq_scheme_parse(pq_ctx *ctx, const char *quant, const char *dense, pq_scheme *out);
/* Whether codes of so many bytes can stand for rows of this width. */
bool pq_scheme_fits(const pq_scheme *scheme, uint32_t width);
/* PIQUE_UNSUPPORTED with the schemes that the width does allow, unless it fits. */
pique_status pq_scheme_check_width(pq_ctx *ctx, const pq_scheme *scheme, uint32_t width);

#endif
