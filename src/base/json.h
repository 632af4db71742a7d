/* json.h — reading JSON (jsmn does the tokens). Nothing is copied: strings are spans of the input. */
#ifndef PQ_JSON_H
#define PQ_JSON_H

#include "base/context.h"

typedef struct {
    pq_ctx *ctx;
    const char *text;
    struct pq_json_token *tokens;
    int count;
} pq_json;

typedef struct {
    const char *bytes; /* not terminated */
    size_t size;
} pq_span;

#define PQ_JSON_ROOT 0

/* `what` names the input in messages. PIQUE_CORRUPT, with line and column, for anything that is not one
 * JSON value (RFC 8259), and for what no input of ours has: nesting deeper than 32, invalid UTF-8,
 * half a surrogate pair, the character NUL. The text outlives the result. */
pique_status pq_json_parse(pq_ctx *ctx, const char *text, size_t size, const char *what,
                           pq_json *out);
void pq_json_free(pq_json *json);

bool pq_json_is_object(const pq_json *json, int at);
bool pq_json_is_array(const pq_json *json, int at);
bool pq_json_is_string(const pq_json *json, int at);
int pq_json_size(const pq_json *json, int at); /* members or elements */

/* Members and elements in order: `at` of the first, then of the next; the value of a member stands at
 * its key's `at` + 1. */
int pq_json_first(const pq_json *json, int at);
int pq_json_next(const pq_json *json, int at);
/* The value of `key`, -1 when absent. Keys are compared as they are written, escapes untouched; of
 * several equal ones the first counts. */
int pq_json_find(const pq_json *json, int object, const char *key);

/* The raw span of any value: for strings without the quotes, escapes untouched. */
pq_span pq_json_span(const pq_json *json, int at);
/* false when the value is not a number (or not a whole number in range). */
bool pq_json_number(const pq_json *json, int at, double *out);
bool pq_json_unsigned(const pq_json *json, int at, uint64_t *out);
/* A string with its escapes resolved, terminated, allocated on the context; NULL on failure. */
char *pq_json_string(const pq_json *json, int at, size_t *size);

#endif
