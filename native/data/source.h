/* source.h — one input text in memory, under the name that messages give it. Readers work on these and
 * not on files, so that fuzzing reaches all of them. */
#ifndef PQ_SOURCE_H
#define PQ_SOURCE_H

#include "base/context.h"
#include "base/json.h"

typedef struct {
    const char *name;  /* path as the user wrote it */
    const char *bytes; /* NULL when an optional file is not there */
    size_t size;
} pq_source;

/* Steps over a byte order mark. PIQUE_DATA for an empty source and for one that is not text (it holds a
 * zero byte, or UTF-16 marks). */
pique_status pq_source_check(pq_ctx *ctx, pq_source *source);

bool pq_utf8_valid(const char *bytes, size_t size);

/* A span of a source for a message: at most 40 bytes, what cannot be shown as '?'. `out` has room for
 * PQ_QUOTE_SIZE; returned for use as an argument. */
#define PQ_QUOTE_SIZE 48
const char *pq_source_quote(char *out, const char *bytes, size_t size);

/* Calls `line` for every line that is not blank, with its number from 1 and without its end. */
typedef pique_status pq_line_callback(void *user, size_t number, pq_span line);
pique_status pq_source_lines(const pq_source *source, pq_line_callback *line, void *user);

#endif
