/* reader_csv.c — a folder of CSV tables that name their columns:
 *
 * interactions.csv  user,item,timestamp[,rating][,label]; rows labelled 0 are left out
 * items.csv         item[,title],…: every other column is a category, several values joined by '|'
 * users.csv         user,…: every other column is a category of the user's profile
 * schema.json       {"items": {"column": "category|multi|skip"}, "users": {"column": "category|skip"}}
 *                   overrides what a column is taken for; "category" is one value, '|' included */
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

/* ---- schema ---- */

typedef enum { KIND_CATEGORY, KIND_MULTI, KIND_SKIP, KIND_COUNT } column_kind;

static const char *const kind_names[KIND_COUNT] = {"category", "multi", "skip"};

typedef struct {
    const char *file; /* NULL: no schema */
    pq_json json;
} schema;

static bool span_is(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static pique_status read_schema(pq_ctx *ctx, const pq_source *source, schema *out) {
    if (!source->bytes) {
        return PIQUE_OK;
    }
    pique_status status = pq_json_parse(ctx, source->bytes, source->size, source->name, &out->json);
    if (status != PIQUE_OK) {
        return status == PIQUE_CORRUPT ? PIQUE_DATA : status; /* no model file is involved */
    }
    out->file = source->name;
    if (!pq_json_is_object(&out->json, PQ_JSON_ROOT)) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: not a JSON object", source->name);
    }
    int count = pq_json_size(&out->json, PQ_JSON_ROOT);
    int at = pq_json_first(&out->json, PQ_JSON_ROOT);
    for (int i = 0; i < count; i++) {
        pq_span key = pq_json_span(&out->json, at);
        if (!span_is(key, "items") && !span_is(key, "users")) {
            char quote[PQ_QUOTE_SIZE];
            PQ_FAIL(ctx, PIQUE_DATA, "%s: unknown table \"%s\" (items, users)", source->name,
                    pq_source_quote(quote, key.bytes, key.size));
        }
        if (!pq_json_is_object(&out->json, at + 1)) {
            PQ_FAIL(ctx, PIQUE_DATA, "%s: \"%.5s\" is not an object", source->name, key.bytes);
        }
        at = pq_json_next(&out->json, at);
    }
    return PIQUE_OK;
}

/* ---- tables of items and users ---- */

typedef struct {
    pq_builder *builder;
    const pq_source *source;
    const schema *schema;
    pq_raw_table *table;
    const char *part;    /* "items" or "users": the member of the schema */
    const char *id_name; /* "item" or "user" */
    uint32_t id;         /* column */
    uint32_t width;      /* columns of the file */
    column_kind *kinds;  /* [width] */
} table_state;

/* One member of the schema's object: the column must stand in the header, the kind must fit. */
static pique_status apply_member(table_state *s, const pq_csv_row *names, int at) {
    pq_ctx *ctx = s->builder->ctx;
    const pq_json *json = &s->schema->json;
    char *name = pq_json_string(json, at, NULL);
    if (!name) {
        return PIQUE_NO_MEMORY;
    }
    char quote[PQ_QUOTE_SIZE];
    uint32_t column = pq_csv_column(names, name);
    pq_source_quote(quote, name, strlen(name));
    pq_free(ctx, name);
    if (column == PQ_CSV_NONE || column == s->id) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: %s.\"%s\": %s has no such column of categories",
                s->schema->file, s->part, quote, s->source->name);
    }
    pq_span value = pq_json_span(json, at + 1);
    bool users = s->table == &s->builder->user_table;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        bool allowed = !(users && kind == KIND_MULTI); /* a profile field has one value */
        if (allowed && pq_json_is_string(json, at + 1) && span_is(value, kind_names[kind])) {
            s->kinds[column] = (column_kind)kind;
            return PIQUE_OK;
        }
    }
    char given[PQ_QUOTE_SIZE];
    PQ_FAIL(ctx, PIQUE_DATA, "%s: %s.\"%s\" is \"%s\", not one of %s", s->schema->file, s->part,
            quote, pq_source_quote(given, value.bytes, value.size),
            users ? "category, skip" : "category, multi, skip");
}

static pique_status apply_schema(table_state *s, const pq_csv_row *names) {
    if (!s->schema->file) {
        return PIQUE_OK;
    }
    const pq_json *json = &s->schema->json;
    int object = pq_json_find(json, PQ_JSON_ROOT, s->part);
    if (object < 0) {
        return PIQUE_OK;
    }
    int count = pq_json_size(json, object);
    int at = pq_json_first(json, object);
    for (int i = 0; i < count; i++) {
        PQ_TRY(apply_member(s, names, at));
        at = pq_json_next(json, at);
    }
    return PIQUE_OK;
}

static pique_status table_header(void *user, const pq_csv_row *names) {
    table_state *s = user;
    pq_ctx *ctx = s->builder->ctx;
    bool users = s->table == &s->builder->user_table;
    PQ_TRY(pq_csv_need(ctx, s->source, names, s->id_name, &s->id));
    s->width = names->count;
    s->kinds = pq_alloc(ctx, names->count, sizeof(*s->kinds));
    if (!s->kinds) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        pq_span name = names->fields[i];
        bool skip = i == s->id || name.size == 0 || (!users && span_is(name, "title"));
        s->kinds[i] = skip ? KIND_SKIP : users ? KIND_CATEGORY : KIND_MULTI;
    }
    PQ_TRY(apply_schema(s, names));
    for (uint32_t i = 0; i < names->count; i++) {
        if (s->kinds[i] != KIND_SKIP) {
            PQ_TRY(pq_builder_column(s->builder, s->table, names->fields[i]));
        }
    }
    return PIQUE_OK;
}

static pique_status table_row(void *user, const pq_csv_row *row) {
    table_state *s = user;
    s->builder->line = row->line;
    uint32_t owner;
    PQ_TRY(pq_builder_owner(s->builder, s->table, row->fields[s->id], &owner));
    if (owner == PQ_NOT_FOUND) {
        return PIQUE_OK;
    }
    uint32_t column = 0;
    for (uint32_t i = 0; i < s->width; i++) {
        if (s->kinds[i] != KIND_SKIP) {
            char separator = s->kinds[i] == KIND_MULTI ? '|' : 0;
            PQ_TRY(pq_builder_cell(s->builder, s->table, column, owner, row->fields[i], separator));
            column++;
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
    pq_free(builder->ctx, s->kinds);
    PQ_TRY(status);
    pq_builder_end_file(builder);
    pq_reader_end_table(builder, s->table, s->part);
    return PIQUE_OK;
}

static pique_status read_with_schema(pq_builder *builder, const pq_source *sources,
                                     const schema *columns) {
    table_state items = {.builder = builder,
                         .source = &sources[1],
                         .schema = columns,
                         .table = &builder->item_table,
                         .part = "items",
                         .id_name = "item"};
    table_state users = {.builder = builder,
                         .source = &sources[2],
                         .schema = columns,
                         .table = &builder->user_table,
                         .part = "users",
                         .id_name = "user"};
    PQ_TRY(read_interactions(builder, &sources[0]));
    PQ_TRY(read_table(&items, &builder->items));
    return read_table(&users, &builder->users);
}

static pique_status read(pq_builder *builder, const pq_source *sources) {
    schema columns = {0};
    pique_status status = read_schema(builder->ctx, &sources[3], &columns);
    if (status == PIQUE_OK) {
        status = read_with_schema(builder, sources, &columns);
    }
    pq_json_free(&columns.json);
    return status;
}

static bool fits(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    return memchr(line.bytes, ',', line.size) != NULL;
}

const pq_reader pq_reader_csv = {
    .format = "csv",
    .looks = "CSV with user,item,timestamp",
    .files = {"interactions.csv", "items.csv", "users.csv", "schema.json", PQ_ABOUT_FILE},
    .fits = fits,
    .read = read,
};
