/* text.h — text that grows, and JSON written into it. A failed addition is remembered; pq_text_status
 * tells at the end. */
#ifndef PQ_TEXT_H
#define PQ_TEXT_H

#include "base/context.h"

typedef struct {
    pq_ctx *ctx;
    char *data; /* terminated; NULL while empty */
    size_t size;
    size_t capacity;
    bool failed;
} pq_text;

void pq_text_init(pq_text *text, pq_ctx *ctx);
/* By the forms of format.h. */
void pq_text_add(pq_text *text, const char *format, ...) PQ_PRINTF(2, 3);
void pq_text_bytes(pq_text *text, const void *bytes, size_t size);
/* A JSON string with quotes and escapes; NUL and invalid UTF-8 become U+FFFD. */
void pq_text_json(pq_text *text, const char *bytes, size_t size);
/* The shortest number that reads back as the same double; NaN and infinities become null. */
void pq_text_number(pq_text *text, double value);
pique_status pq_text_status(const pq_text *text);
void pq_text_free(pq_text *text);

/* Length of the valid UTF-8 character that the bytes begin with; 0 when they do not. */
size_t pq_utf8_length(const char *bytes, size_t size);

#endif
