/* fields.h — a struct of options described by a table. The table drives defaults and presets,
 * "key=value" settings with clear messages, JSON, `pique models` and the generated documentation. */
#ifndef PQ_FIELDS_H
#define PQ_FIELDS_H

#include "base/json.h"
#include "base/text.h"

/* One row of a table; a row without a name ends it. */
typedef struct {
    const char *name;
    /* "int MIN MAX" (int32_t), "real MIN MAX" (double), both limits included; "bool" (bool; 0, 1, false, true);
     * or "a,b,c", the choices (int32_t, the index of one) */
    const char *domain;
    size_t offset;
    const char *best; /* the default */
#if PQ_TRAINING
    const char *seed;  /* NULL: as best */
    const char *paper; /* NULL: as best */
    const char *help;
#endif
} pq_field;

#if PQ_TRAINING
#define PQ_FIELD(name, offset, domain, best, seed, paper, help)                                    \
    { name, domain, offset, best, seed, paper, help }
/* One that a model which serves does not look at: such a build has an empty row in its place, and the member is 0. */
#define PQ_TRAINING_FIELD PQ_FIELD
#else /* presets are for training */
#define PQ_FIELD(name, offset, domain, best, seed, paper, help)                                    \
    { name, domain, offset, best }
#define PQ_TRAINING_FIELD(...)                                                                     \
    { "", NULL, 0, NULL }
#endif

/* A number's name as its digits, for limits: "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS). */
#define PQ_DIGITS(number) PQ_DIGITS_OF(number)
#define PQ_DIGITS_OF(digits) #digits

/* preset: "best", "seed", "paper"; a build that only serves has the first alone. */
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
/* A JSON array that describes the table. Not in builds that only serve. */
void pq_fields_describe(const pq_field *fields, pq_text *out);

#endif
