/* corpus.h — the items.csv of a site without interactions, as numbers: a sparse matrix A (N, M) of items and terms.
 *
 * Terms are the words of title, text and tags (words.h), and every tag as a whole. Row i of A is
 *     a_it = (1 + ln n_it) ln((1 + N) / df_t)       scaled to length 1
 * where n_it counts the term in the item (a word of the title twice) and df_t the items that have it. Terms of a single
 * item relate it to no other and are left out, so a row may be empty.
 *
 * Items are in the order of falling popularity: a page shows the first ones to people of whom it knows nothing. */
#ifndef PQ_CORPUS_H
#define PQ_CORPUS_H

#include "base/strings.h"
#include "native/data/source.h"
#include "pique_train.h"

typedef struct {
    uint32_t rows, cols;
    size_t *starts;    /* [rows + 1] into the two below */
    uint32_t *columns; /* rising in a row */
    double *values;
} pq_sparse;

typedef struct {
    pq_ctx *ctx;
    pq_strings items; /* row i is string i */
    pq_sparse matrix;
    pq_strings tags;       /* in lower case */
    uint32_t *tag_offsets; /* [items + 1] into tag_values, which are numbers of tags */
    uint32_t *tag_values;
    uint32_t empty;    /* items whose row is empty */
    uint32_t not_utf8; /* items that have bytes which are no UTF-8 */
} pq_corpus;

/* The source has passed pq_source_check. A bad row is an error, as in every table that is made with care. The corpus is
 * good for pq_corpus_free also when this fails. */
pique_status pq_corpus_parse(pq_corpus *corpus, pq_ctx *ctx, const pq_source *source,
                             const pique_content_options *options);
void pq_corpus_free(pq_corpus *corpus);

#endif
