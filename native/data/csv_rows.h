/* csv_rows.h — rows of a CSV text (RFC 4180: commas, double quotes, LF or CRLF; the first row names
 * the columns), handed out one at a time with line numbers. libcsv does the parsing. */
#ifndef PQ_CSV_ROWS_H
#define PQ_CSV_ROWS_H

#include "native/data/source.h"

typedef struct {
    const pq_span *fields; /* valid during the callback */
    uint32_t count;        /* as many as the header has */
    size_t line;           /* where the row begins, from 1 */
} pq_csv_row;

/* Every function may end the reading by a status other than PIQUE_OK. */
typedef struct {
    pique_status (*header)(void *user, const pq_csv_row *names);
    pique_status (*row)(void *user, const pq_csv_row *row);
    pique_status (*bad)(void *user, size_t line, const char *reason); /* the row is left out */
    void *user;
} pq_csv_handler;

/* `source` has passed pq_source_check. PIQUE_DATA: no header, or a broken one. */
pique_status pq_csv_read(pq_ctx *ctx, const pq_source *source, const pq_csv_handler *handler);

#define PQ_CSV_NONE UINT32_MAX

/* The column of that name, PQ_CSV_NONE when there is none. */
uint32_t pq_csv_column(const pq_csv_row *names, const char *name);
/* The same, and PIQUE_DATA with file, column and what the header had. */
pique_status pq_csv_need(pq_ctx *ctx, const pq_source *source, const pq_csv_row *names,
                         const char *name, uint32_t *column);

#endif
