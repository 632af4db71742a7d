/* readers.h — the formats that a data set can be read from. A format is one row of the table in
 * readers.c and one file reader_<format>.c. */
#ifndef PQ_READERS_H
#define PQ_READERS_H

#include "native/data/dataset_builder.h"

#define PQ_READER_FILES 5

typedef struct {
    const char *format; /* name in the options; two layouts of one format share it */
    const char *looks;  /* what a single file of it looks like, for messages */
    /* Names in a folder. The first must be there and stands for a single file that is given by its
     * path, the others are looked for beside it; NULL after the last. A name that begins with a dot follows
     * the folder's own name, or that of the given file without its ending. */
    const char *files[PQ_READER_FILES];
    /* Whether a text looks like the first file. */
    bool (*fits)(const pq_source *first);
    /* Pours the sources, in the order of `files`, into the builder; those that are not there have
     * NULL bytes. */
    pique_status (*read)(pq_builder *builder, const pq_source *sources);
} pq_reader;

extern const pq_reader pq_reader_ctr;
extern const pq_reader pq_reader_csv;
extern const pq_reader pq_reader_movielens_dat;
extern const pq_reader pq_reader_movielens_csv;
extern const pq_reader pq_reader_recbole;
extern const pq_reader pq_reader_sequences;

/* Finds the format, reads the files, builds the data set. */
pique_status pq_dataset_read(pq_ctx *ctx, const pique_dataset_options *options,
                             const pique_listener *listener, pique_dataset **out);

/* The same from sources in memory, checked by pq_source_check: the part without files. */
pique_status pq_dataset_parse(pq_ctx *ctx, const pq_reader *reader, const pq_source *sources,
                              const pique_dataset_options *options, const pique_listener *listener,
                              pique_dataset **out);

/* ---- for readers ---- */

/* The first line, without its end. */
pq_span pq_source_first_line(const pq_source *source);
/* Whether the source has what the options ask for: ratings for min_rating, ratings or labels for a labelled
 * data set. */
pique_status pq_reader_check_ratings(pq_builder *builder, const pq_source *source, bool ratings,
                                     bool labels);
/* Logs how many items (or users) had no row in the table that was read. */
void pq_reader_end_table(pq_builder *builder, const pq_raw_table *table, const char *what);

#endif
