/* fields.h — a struct of options described by a table. The table drives defaults and presets,
 * "key=value" settings with clear messages, JSON, `pique models` and the generated documentation. */
#ifndef PQ_FIELDS_H
#define PQ_FIELDS_H

#include "base/json.h"
#include "base/text.h"

typedef enum {
    PQ_FIELD_INT,   /* int32_t */
    PQ_FIELD_REAL,  /* double */
    PQ_FIELD_BOOL,  /* bool; 0, 1, false, true */
    PQ_FIELD_CHOICE /* int32_t: index into `choices` */
} pq_field_type;

typedef struct {
    const char *name; /* NULL ends a table */
    pq_field_type type;
    size_t offset;
    double min, max;     /* of numbers, both included */
    const char *choices; /* "a,b,c" */
    const char *best;    /* the default */
    const char *seed;    /* NULL: as best */
    const char *paper;   /* NULL: as best */
    const char *help;
} pq_field;

/* preset: "best", "seed", "paper". */
pique_status pq_fields_preset(pq_ctx *ctx, const pq_field *fields, void *options,
                              const char *preset);
bool pq_fields_has(const pq_field *fields, const char *name, size_t length);
/* PIQUE_ARGUMENT names the field, what was given and what is allowed. */
pique_status pq_fields_set(pq_ctx *ctx, const pq_field *fields, void *options, pq_span name,
                           pq_span value);
/* Every member of the JSON object that is a field of the table; others are left to the caller. */
pique_status pq_fields_read(pq_ctx *ctx, const pq_field *fields, void *options, const pq_json *json,
                            int object);
/* `"name": value, …` without braces. */
void pq_fields_write(const pq_field *fields, const void *options, pq_text *out);
/* A JSON array that describes the table. */
void pq_fields_describe(const pq_field *fields, pq_text *out);

#endif
