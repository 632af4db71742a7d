/* convert.h — the tensors of a model file in another scheme. */
#ifndef PQ_CONVERT_H
#define PQ_CONVERT_H

#include "base/arena.h"
#include "file/container.h"
#include "native/export/codes.h"
#include "native/export/scheme.h"

typedef struct {
    pq_ctx *ctx;
    const pq_container *from;
    pq_arena arena; /* names and tensors that were converted */
    pq_writer writer;
    pq_scheme scheme;
    pq_coder *coder; /* of the file's items */
} pq_conversion;

void pq_conversion_init(pq_conversion *c, pq_ctx *ctx, const pq_container *from,
                        const pq_scheme *scheme, pq_coder *coder);
void pq_conversion_free(pq_conversion *c);

/* Converts all tensors. PIQUE_UNSUPPORTED where the file has its rows narrower than asked for. */
pique_status pq_convert(pq_conversion *c);
/* The file's bytes; may be called again. loss: JSON for the metadata, and `line` about it for the card; or both
 * NULL. */
pique_status pq_conversion_build(pq_conversion *c, const char *loss, const char *line, void **bytes,
                                 size_t *size);

/* The model's item rows as floats; [rows, width] from the arena. */
pique_status pq_read_rows(pq_arena *arena, const pq_container *from, const char *name, float **out,
                          uint32_t *rows, uint32_t *width);
/* Whether the file has the codes of the scheme, and nothing wider or narrower beside them. Codes can only stay as
 * they are: so is a run exported that was trained for them. */
bool pq_keeps_codes(const pq_container *from, const pq_scheme *scheme);
/* What the file's item rows are. */
pq_rows pq_rows_of(const pq_container *from, const char *name);

#endif
