/* dataset_builder.h — what readers pour their rows into. It checks and counts rows and keeps them as
 * they came; pq_dataset_build (dataset.c) makes the data set of them.
 *
 * Order of calls: all interactions first, then the tables of items and users, whose rows about items
 * and users without interactions are left out. Where interactions and tables stand in one row, the
 * interaction first. */
#ifndef PQ_DATASET_BUILDER_H
#define PQ_DATASET_BUILDER_H

#include "native/data/dataset.h"
#include "native/data/schema.h"

typedef struct {
    uint32_t user, item; /* numbers in the builder's lists, from 0 */
    double time;
    uint8_t label; /* 1 unless the options ask for labels */
    uint8_t file;  /* 1: of the test file */
} pq_raw_event;

/* The histories that the rows of a table bring along, one after the other. */
typedef struct {
    uint32_t *starts;    /* [events + 1]; NULL: histories are made of the users' events */
    uint32_t *items;     /* raw numbers, oldest first */
    uint32_t *negatives; /* beside items, PQ_NOT_FOUND where a file has none; NULL: no file has */
    double *times;       /* beside items; NULL: not known */
    size_t starts_capacity, items_capacity, negatives_capacity, times_capacity;
} pq_raw_histories;

/* One column of the items' or users' table: its distinct cells, and (owner, cell) pairs. What the cells mean
 * is for encoders.c to say. */
typedef struct {
    char *name;
    pq_column_spec spec;
    pq_strings cells;
    uint32_t *owners;
    uint32_t *values; /* cell numbers */
    size_t count;
    size_t owners_capacity, values_capacity;
} pq_raw_column;

typedef struct {
    const char *part;         /* "items" or "users" */
    const pq_strings *owners; /* items or users */
    pq_raw_column *columns;
    uint32_t count;
    size_t capacity;
    bool *described; /* [described_capacity] whether an owner's row has come */
    size_t described_capacity;
    uint32_t described_count;
    bool repeats; /* an owner may have further rows, of which nothing is taken */
} pq_raw_table;

typedef struct {
    pq_ctx *ctx;
    const pique_dataset_options *options;
    const pique_listener *listener;
    pq_strings users;
    pq_strings items;
    pq_raw_event *events;
    size_t event_count, event_capacity;
    pq_raw_histories histories;
    bool ordered;       /* events have no times: a user's came in their order */
    bool test_file;     /* the rows that come now are for test */
    bool has_test_file; /* some were */
    uint64_t low_rated; /* rows left out because of min_rating, or labelled 0 */
    const char *file;   /* being read, for messages */
    size_t line;        /* of the row being read */
    uint64_t bad_in_file;
    uint64_t bad_rows; /* of all files */
    pq_raw_table item_table;
    pq_raw_table user_table;
    pq_schema schema;
} pq_builder;

/* Both pointers outlive the builder; the listener may be NULL. */
void pq_builder_init(pq_builder *builder, pq_ctx *ctx, const pique_dataset_options *options,
                     const pique_listener *listener);
void pq_builder_free(pq_builder *builder);

/* Begins a file, and ends it by a word on the bad rows that were not logged one by one. Between the two
 * the reader keeps builder->line true. */
void pq_builder_begin_file(pq_builder *builder, const char *name);
void pq_builder_end_file(pq_builder *builder);
/* Counts a bad row; the first ones of a file are logged. PIQUE_DATA when the options are strict. */
pique_status pq_builder_bad(pq_builder *builder, const char *reason);
void pq_builder_log(pq_builder *builder, const char *format, ...) PQ_PRINTF(2, 3);

/* A row as it stands in a file. `bytes` NULL: the file has no such column. */
typedef struct {
    pq_span user, item, time, rating, label; /* of time all are 0 then */
} pq_raw_row;

/* Checks the row and adds the event; what is wrong with it goes to pq_builder_bad. */
pique_status pq_builder_row(pq_builder *builder, const pq_raw_row *row);
/* The same of a row with its own history: ids joined by '|', oldest first, and as many negatives and times
 * where the file has such columns (`bytes` NULL: it has not). The rows that come first have all columns that
 * any row has, and only negatives may be missing later. *added: the row was good. */
typedef struct {
    pq_span items, negatives, times;
} pq_raw_history;
size_t pq_history_length(pq_span cell);
/* The part before the next '|', which is stepped over. */
pq_span pq_history_next(pq_span *rest);
pique_status pq_builder_row_with_history(pq_builder *builder, const pq_raw_row *row,
                                         const pq_raw_history *history, bool *added);
/* For readers without times: the events of a user in their order. */
pique_status pq_builder_event(pq_builder *builder, pq_span user, pq_span item, double time,
                              uint8_t label);
/* NULL when the id of a user or item can serve, else why not. */
const char *pq_builder_id_problem(pq_span id);

/* Begins the table of items or of users. */
pique_status pq_builder_table(pq_builder *builder, pq_raw_table *table, const pq_strings *owners);
pique_status pq_builder_column(pq_builder *builder, pq_raw_table *table, pq_span name);
/* The same for a column that is not a category by itself. Of both the schema may say otherwise. */
pique_status pq_builder_column_of(pq_builder *builder, pq_raw_table *table, pq_span name,
                                  pq_column_kind kind);
/* Whether all columns that the schema names are there, once the reader has added its own. */
pique_status pq_builder_check_schema(pq_builder *builder, const pq_raw_table *table,
                                     const char *file);
/* The number of the owner that a table's row is about, PQ_NOT_FOUND when it has no interactions. A
 * second row about the same owner, and an empty id, are bad rows: *owner is PQ_NOT_FOUND too. */
pique_status pq_builder_owner(pq_builder *builder, pq_raw_table *table, pq_span id,
                              uint32_t *owner);
/* Adds a cell to a column of the owner; an empty one is nothing, and one that is not UTF-8, or no number
 * (or vector of its width) where the schema wants one, is left out as pq_builder_bad. `separator`, where the schema does not name
 * another, stands between the values of a cell; 0: the cell is one value. */
pique_status pq_builder_cell(pq_builder *builder, pq_raw_table *table, uint32_t column,
                             uint32_t owner, pq_span cell, char separator);

/* Makes the data set (dataset.c). The builder gives up its lists of users and is only good for
 * pq_builder_free afterwards. `what` names the input for messages and the provenance. */
pique_status pq_dataset_build(pq_builder *builder, const char *format, const char *what,
                              pique_dataset **out);

#endif
