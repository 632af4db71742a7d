/* reader_csv.c — a folder of CSV tables that name their columns:
 *
 * interactions.csv  user,item,timestamp[,rating][,label]; rows labelled 0 are left out
 * items.csv         item[,title],…: every other column is a feature
 * users.csv         user,…: every other column is one of the user's profile
 * schema.json       what the columns are (schema.h). Of others their values decide: numbers, text, or
 *                   categories, of items several joined by '|' */
#include "native/data/csv_rows.h"
#include "native/data/readers.h"

#include <string.h>

/* ---- interactions ---- */

typedef struct {
    pq_builder *builder;
    const pq_source *source;
    uint32_t user, item, time, rating, label; /* columns; the last two may be PQ_CSV_NONE */
} interactions;

static pique_status interactions_header(void *user, const pq_csv_row *names) {
    interactions *s = user;
    pq_ctx *ctx = s->builder->ctx;
    PQ_TRY(pq_csv_need(ctx, s->source, names, "user", &s->user));
    PQ_TRY(pq_csv_need(ctx, s->source, names, "item", &s->item));
    PQ_TRY(pq_csv_need(ctx, s->source, names, "timestamp", &s->time));
    s->rating = pq_csv_column(names, "rating");
    s->label = pq_csv_column(names, "label");
    return pq_reader_check_ratings(s->builder, s->source, s->rating != PQ_CSV_NONE,
                                   s->label != PQ_CSV_NONE);
}

static pique_status interactions_row(void *user, const pq_csv_row *row) {
    interactions *s = user;
    s->builder->line = row->line;
    pq_raw_row raw = {
        .user = row->fields[s->user], .item = row->fields[s->item], .time = row->fields[s->time]};
    if (s->rating != PQ_CSV_NONE) {
        raw.rating = row->fields[s->rating];
    }
    if (s->label != PQ_CSV_NONE) {
        raw.label = row->fields[s->label];
    }
    return pq_builder_row(s->builder, &raw);
}

static pique_status interactions_bad(void *user, size_t line, const char *reason) {
    interactions *s = user;
    s->builder->line = line;
    return pq_builder_bad(s->builder, reason);
}

static pique_status read_interactions(pq_builder *builder, const pq_source *source) {
    interactions state = {.builder = builder, .source = source};
    pq_csv_handler handler = {.header = interactions_header,
                              .row = interactions_row,
                              .bad = interactions_bad,
                              .user = &state};
    pq_builder_begin_file(builder, source->name);
    PQ_TRY(pq_csv_read(builder->ctx, source, &handler));
    pq_builder_end_file(builder);
    return PIQUE_OK;
}

/* ---- tables of items and users ---- */

typedef struct {
    pq_builder *builder;
    const pq_source *source;
    pq_raw_table *table;
    const char *id_name; /* "item" or "user" */
    uint32_t id;         /* column of the file */
    bool *used;          /* [columns of the file] */
} table_state;

/* What titles say tells items apart rather than together. */
static bool is_title(const table_state *s, pq_span name) {
    return s->table == &s->builder->item_table && name.size == 5 &&
           memcmp(name.bytes, "title", 5) == 0;
}

static pique_status table_header(void *user, const pq_csv_row *names) {
    table_state *s = user;
    pq_builder *builder = s->builder;
    PQ_TRY(pq_csv_need(builder->ctx, s->source, names, s->id_name, &s->id));
    s->used = pq_alloc(builder->ctx, names->count, sizeof(*s->used));
    if (!s->used) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        pq_span name = names->fields[i];
        s->used[i] = i != s->id && name.size > 0;
        if (s->used[i]) {
            PQ_TRY(pq_builder_column_of(builder, s->table, name,
                                        is_title(s, name) ? PQ_COLUMN_SKIP : PQ_COLUMN_AUTO));
        }
    }
    return pq_builder_check_schema(builder, s->table, s->source->name);
}

static pique_status table_row(void *user, const pq_csv_row *row) {
    table_state *s = user;
    s->builder->line = row->line;
    uint32_t owner, column = 0;
    PQ_TRY(pq_builder_owner(s->builder, s->table, row->fields[s->id], &owner));
    for (uint32_t i = 0; owner != PQ_NOT_FOUND && i < row->count; i++) {
        if (s->used[i]) {
            char separator = s->table == &s->builder->item_table ? '|' : 0;
            PQ_TRY(
                pq_builder_cell(s->builder, s->table, column++, owner, row->fields[i], separator));
        }
    }
    return PIQUE_OK;
}

static pique_status table_bad(void *user, size_t line, const char *reason) {
    table_state *s = user;
    s->builder->line = line;
    return pq_builder_bad(s->builder, reason);
}

static pique_status read_table(table_state *s, const pq_strings *owners) {
    pq_builder *builder = s->builder;
    if (!s->source->bytes) {
        return PIQUE_OK;
    }
    pq_csv_handler handler = {
        .header = table_header, .row = table_row, .bad = table_bad, .user = s};
    PQ_TRY(pq_builder_table(builder, s->table, owners));
    pq_builder_begin_file(builder, s->source->name);
    pique_status status = pq_csv_read(builder->ctx, s->source, &handler);
    pq_free(builder->ctx, s->used);
    PQ_TRY(status);
    pq_builder_end_file(builder);
    pq_reader_end_table(builder, s->table, s->table->part);
    return PIQUE_OK;
}

static pique_status read(pq_builder *builder, const pq_source *sources) {
    table_state items = {.builder = builder,
                         .source = &sources[1],
                         .table = &builder->item_table,
                         .id_name = "item"};
    table_state users = {.builder = builder,
                         .source = &sources[2],
                         .table = &builder->user_table,
                         .id_name = "user"};
    PQ_TRY(pq_schema_open(builder->ctx, &sources[3], &builder->schema));
    PQ_TRY(read_interactions(builder, &sources[0]));
    PQ_TRY(read_table(&items, &builder->items));
    return read_table(&users, &builder->users);
}

static bool fits(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    return memchr(line.bytes, ',', line.size) != NULL;
}

const pq_reader pq_reader_csv = {
    .format = "csv",
    .looks = "CSV with user,item,timestamp",
    .files = {"interactions.csv", "items.csv", "users.csv", PQ_SCHEMA_FILE, PQ_ABOUT_FILE},
    .fits = fits,
    .read = read,
};
