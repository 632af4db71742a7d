/* schema.h — what the columns of items and users are, as schema.json says it:
 *
 * {"items": {"year": {"type": "number", "buckets": 10}, "tags": {"type": "multi", "separator": ";"}},
 *  "users": {"zip": "skip"}}
 *
 * A column that the schema does not name is what its reader takes it for. */
#ifndef PQ_SCHEMA_H
#define PQ_SCHEMA_H

#include "native/data/source.h"

#define PQ_SCHEMA_FILE "schema.json"

/* AUTO: what its values look like, once all are read. */
typedef enum {
    PQ_COLUMN_CATEGORY,
    PQ_COLUMN_MULTI,
    PQ_COLUMN_SEQUENCE,
    PQ_COLUMN_NUMBER,
    PQ_COLUMN_TEXT,
    PQ_COLUMN_VECTOR,
    PQ_COLUMN_SKIP,
    PQ_COLUMN_AUTO
} pq_column_kind;

/* What a missing number counts as; OWN: it has a code of its own. */
typedef enum { PQ_MISSING_MEDIAN, PQ_MISSING_MEAN, PQ_MISSING_OWN, PQ_MISSING_CONSTANT } pq_missing;

typedef struct {
    int32_t kind;    /* pq_column_kind */
    int32_t buckets; /* of quantiles: landmarks */
    int32_t min_count;
    int32_t max_values; /* 0: all */
    int32_t width;      /* of a vector */
    pq_missing missing;
    double constant; /* of PQ_MISSING_CONSTANT */
    bool quantile;   /* numbers: one vector times the quantile instead of a vector for each code */
    bool declared;   /* by the schema */
    char separator;  /* of several values; 0: none is known */
} pq_column_spec;

typedef struct {
    const char *file; /* NULL: there is none, and nothing is overridden */
    pq_json json;
} pq_schema;

/* Also good for pq_schema_free when this fails. A source without bytes is no schema. */
pique_status pq_schema_open(pq_ctx *ctx, const pq_source *source, pq_schema *out);
void pq_schema_free(pq_schema *schema);

pq_column_spec pq_column_spec_default(pq_column_kind kind);

/* The member of `part` ("items", "users") about a column, when there is one, over what `spec` holds.
 * PIQUE_DATA names the column. */
pique_status pq_schema_column(pq_ctx *ctx, const pq_schema *schema, const char *part, pq_span name,
                              pq_column_spec *spec);

/* The column names of `part` in their order: NULL after the last. They are for pq_free. */
pique_status pq_schema_name(const pq_schema *schema, const char *part, int index, char **name);

#endif
