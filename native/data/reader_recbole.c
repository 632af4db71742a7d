/* reader_recbole.c — the atomic files of RecBole: tables of tabs whose header names and types the columns
 * ("user_id:token rating:float"). NAME.inter has the interactions; NAME.item and NAME.user beside it, when
 * there, what is known of items and users.
 *
 * Columns of items and users: token is a category, token_seq several of them (words; for users the first
 * counts), float a number. float_seq is left out, as are titles, whose words tell items apart rather than
 * together. schema.json beside them may say otherwise (schema.h). */
#include "native/data/readers.h"

#include "base/text.h"

#include <string.h>

#define MOST_COLUMNS 64

typedef struct {
    pq_span name, type;
} column;

typedef struct {
    pq_builder *builder;
    const pq_source *source;
    column columns[MOST_COLUMNS];
    uint32_t count; /* 0: the header has not come yet */
    uint32_t user, item, time, rating, label;
    pq_raw_table *table; /* NULL: the interactions */
    const char *id_name;
    uint32_t id;
} state;

#define NONE UINT32_MAX

static bool is(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static bool ends_in(pq_span span, const char *text) {
    size_t size = strlen(text);
    return span.size >= size && memcmp(span.bytes + span.size - size, text, size) == 0;
}

/* The part of the line before the next `separator`, which is stepped over. */
static pq_span cut(pq_span *line, char separator) {
    const char *stop = line->size ? memchr(line->bytes, separator, line->size) : NULL;
    pq_span part = {.bytes = line->bytes, .size = stop ? (size_t)(stop - line->bytes) : line->size};
    size_t step = part.size + (stop != NULL);
    line->bytes += step;
    line->size -= step;
    return part;
}

static uint32_t find(const state *s, const char *name) {
    for (uint32_t i = 0; i < s->count; i++) {
        if (is(s->columns[i].name, name)) {
            return i;
        }
    }
    return NONE;
}

static pique_status need(const state *s, const char *name, uint32_t *out) {
    *out = find(s, name);
    if (*out == NONE) {
        PQ_FAIL(s->builder->ctx, PIQUE_DATA, "%s: there is no column \"%s\"", s->source->name,
                name);
    }
    return PIQUE_OK;
}

static pq_column_kind kind_of(const column *c) {
    if (ends_in(c->name, "title") || is(c->type, "float_seq")) {
        return PQ_COLUMN_SKIP;
    }
    return is(c->type, "float") ? PQ_COLUMN_NUMBER : PQ_COLUMN_MULTI;
}

static pique_status read_header(state *s, pq_span line) {
    pq_ctx *ctx = s->builder->ctx;
    while (line.size) {
        pq_span cell = cut(&line, '\t');
        column c = {.name = cut(&cell, ':'), .type = cell};
        if (s->count == MOST_COLUMNS) {
            PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "%s: more than %d columns", s->source->name,
                    MOST_COLUMNS);
        }
        if (!is(c.type, "token") && !is(c.type, "token_seq") && !is(c.type, "float") &&
            !is(c.type, "float_seq")) {
            char quote[PQ_QUOTE_SIZE];
            PQ_FAIL(ctx, PIQUE_DATA,
                    "%s: column \"%s\" is not NAME:TYPE with one of token, token_seq, float, "
                    "float_seq",
                    s->source->name, pq_source_quote(quote, c.name.bytes, c.name.size));
        }
        s->columns[s->count++] = c;
    }
    if (!s->table) {
        PQ_TRY(need(s, "user_id", &s->user));
        PQ_TRY(need(s, "item_id", &s->item));
        PQ_TRY(need(s, "timestamp", &s->time));
        s->rating = find(s, "rating");
        s->label = find(s, "label");
        return pq_reader_check_ratings(s->builder, s->source, s->rating != NONE, s->label != NONE);
    }
    PQ_TRY(need(s, s->id_name, &s->id));
    for (uint32_t i = 0; i < s->count; i++) {
        if (i != s->id) {
            PQ_TRY(pq_builder_column_of(s->builder, s->table, s->columns[i].name,
                                        kind_of(&s->columns[i])));
        }
    }
    return pq_builder_check_schema(s->builder, s->table, s->source->name);
}

static pique_status read_cells(state *s, const pq_span *cells) {
    if (!s->table) {
        pq_raw_row row = {.user = cells[s->user], .item = cells[s->item], .time = cells[s->time]};
        if (s->rating != NONE) {
            row.rating = cells[s->rating];
        }
        if (s->label != NONE) {
            row.label = cells[s->label];
        }
        return pq_builder_row(s->builder, &row);
    }
    uint32_t owner, at = 0;
    PQ_TRY(pq_builder_owner(s->builder, s->table, cells[s->id], &owner));
    for (uint32_t i = 0; owner != PQ_NOT_FOUND && i < s->count; i++) {
        if (i != s->id) {
            char separator = is(s->columns[i].type, "token_seq") ? ' ' : 0;
            PQ_TRY(pq_builder_cell(s->builder, s->table, at++, owner, cells[i], separator));
        }
    }
    return PIQUE_OK;
}

static pique_status on_line(void *user, size_t number, pq_span line) {
    state *s = user;
    s->builder->line = number;
    if (s->count == 0) {
        return read_header(s, line);
    }
    pq_span cells[MOST_COLUMNS];
    for (uint32_t i = 0; i < s->count; i++) {
        if (i > 0 && line.bytes[-1] != '\t') {
            return pq_builder_bad(s->builder, "fewer cells than the header has");
        }
        cells[i] = cut(&line, '\t');
    }
    if (line.size) {
        return pq_builder_bad(s->builder, "more cells than the header has");
    }
    return read_cells(s, cells);
}

static pique_status read_file(pq_builder *builder, const pq_source *source, pq_raw_table *table,
                              const pq_strings *owners, const char *id_name, const char *what) {
    state s = {
        .builder = builder, .source = source, .table = table, .id_name = id_name, .id = NONE};
    if (!source->bytes) {
        return PIQUE_OK;
    }
    if (table) {
        PQ_TRY(pq_builder_table(builder, table, owners));
    }
    pq_builder_begin_file(builder, source->name);
    PQ_TRY(pq_source_lines(source, on_line, &s));
    pq_builder_end_file(builder);
    if (table) {
        pq_reader_end_table(builder, table, what);
    }
    return PIQUE_OK;
}

static pique_status read(pq_builder *builder, const pq_source *sources) {
    PQ_TRY(pq_schema_open(builder->ctx, &sources[3], &builder->schema));
    PQ_TRY(read_file(builder, &sources[0], NULL, NULL, NULL, NULL));
    PQ_TRY(
        read_file(builder, &sources[1], &builder->item_table, &builder->items, "item_id", "items"));
    return read_file(builder, &sources[2], &builder->user_table, &builder->users, "user_id",
                     "users");
}

static bool fits(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    pq_span cell = cut(&line, '\t');
    pq_span name = cut(&cell, ':');
    return name.size && (is(cell, "token") || is(cell, "float"));
}

const pq_reader pq_reader_recbole = {
    .format = "recbole",
    .looks = "tabs with user_id:token",
    .files = {".inter", ".item", ".user", PQ_SCHEMA_FILE, PQ_ABOUT_FILE},
    .fits = fits,
    .read = read,
};
