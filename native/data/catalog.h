/* catalog.h — the items.csv that viewers are simulated on: items with titles, categories and a
 * popularity each. Unlike a log of events it is small and made with care, so a bad row is an error. */
#ifndef PQ_CATALOG_H
#define PQ_CATALOG_H

#include "base/strings.h"
#include "base/text.h"
#include "native/data/source.h"

typedef struct {
    char *name;
    pq_strings terms;  /* in the order of their coming */
    uint32_t *offsets; /* [items + 1] into values */
    uint32_t *values;  /* numbers of terms, from 0 */
    size_t offsets_capacity, values_capacity;
} pq_catalog_column;

typedef struct {
    pq_ctx *ctx;
    pq_strings items;
    pq_text titles;     /* one after the other */
    size_t *title_ends; /* [items] */
    size_t title_ends_capacity;
    double *popularity; /* [items]; 1 / place in the file when there is no column */
    size_t popularity_capacity;
    pq_catalog_column *columns;
    uint32_t column_count;
} pq_catalog;

/* columns: names joined by ',', or NULL for all but item, title and popularity. popularity: a column,
 * or NULL for "popularity" when there is such a column. The source has passed pq_source_check. The catalog is good for pq_catalog_free also when
 * this fails. */
pique_status pq_catalog_parse(pq_catalog *catalog, pq_ctx *ctx, const pq_source *source,
                              const char *columns, const char *popularity);
void pq_catalog_free(pq_catalog *catalog);

/* The catalog as CSV: item, title and the columns. */
void pq_catalog_write(const pq_catalog *catalog, pq_text *out);
/* A CSV field, quoted where it must be. */
void pq_csv_write(pq_text *out, const char *bytes, size_t size);

#endif
