/* catalog.c — reads and writes the catalogue of a simulation. Rows come in the order of the items, so
 * the lists of values grow as they are needed. */
#include "native/data/catalog.h"

#include "base/decimal.h"
#include "native/data/csv_rows.h"

#include <string.h>

typedef struct {
    pq_catalog *catalog;
    const pq_source *source;
    const char *columns;         /* option; NULL: all */
    const char *popularity;      /* option; may be NULL */
    uint32_t item, title, votes; /* columns of the file; the last two may be PQ_CSV_NONE */
    uint32_t *places;            /* [column_count] column of the file */
} reading;

static pique_status add_column(reading *r, const pq_csv_row *names, uint32_t place) {
    pq_ctx *ctx = r->catalog->ctx;
    pq_span name = names->fields[place];
    pq_catalog_column *column = &r->catalog->columns[r->catalog->column_count];
    column->name = pq_alloc(ctx, name.size + 1, 1);
    if (!column->name) {
        return PIQUE_NO_MEMORY;
    }
    memcpy(column->name, name.bytes, name.size);
    pq_strings_init(&column->terms, ctx);
    r->places[r->catalog->column_count] = place;
    r->catalog->column_count++;
    void *offsets = column->offsets;
    PQ_TRY(pq_reserve(ctx, &offsets, &column->offsets_capacity, 1, sizeof(*column->offsets)));
    column->offsets = offsets;
    column->offsets[0] = 0;
    return PIQUE_OK;
}

static pique_status all_columns(reading *r, const pq_csv_row *names) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (i != r->item && i != r->title && i != r->votes && names->fields[i].size) {
            PQ_TRY(add_column(r, names, i));
        }
    }
    return PIQUE_OK;
}

static bool is_column(const reading *r, uint32_t place) {
    for (uint32_t i = 0; i < r->catalog->column_count; i++) {
        if (r->places[i] == place) {
            return true;
        }
    }
    return false;
}

/* One name of the option, of `size` bytes. */
static pique_status named_column(reading *r, const pq_csv_row *names, const char *name,
                                 size_t size) {
    pq_ctx *ctx = r->catalog->ctx;
    char text[128];
    if (size == 0 || size >= sizeof(text)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "columns \"%s\": an empty or overlong name", r->columns);
    }
    memcpy(text, name, size);
    text[size] = 0;
    uint32_t place;
    PQ_TRY(pq_csv_need(ctx, r->source, names, text, &place));
    if (place == r->item || is_column(r, place)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "columns \"%s\": \"%s\" cannot stand there%s", r->columns,
                text, place == r->item ? "" : " twice");
    }
    return add_column(r, names, place);
}

static pique_status listed_columns(reading *r, const pq_csv_row *names) {
    const char *at = r->columns;
    for (;;) {
        size_t size = strcspn(at, ",");
        PQ_TRY(named_column(r, names, at, size));
        if (!at[size]) {
            return PIQUE_OK;
        }
        at += size + 1;
    }
}

static pique_status on_header(void *user, const pq_csv_row *names) {
    reading *r = user;
    pq_ctx *ctx = r->catalog->ctx;
    PQ_TRY(pq_csv_need(ctx, r->source, names, "item", &r->item));
    r->title = pq_csv_column(names, "title");
    r->votes = pq_csv_column(names, "popularity");
    if (r->popularity) {
        PQ_TRY(pq_csv_need(ctx, r->source, names, r->popularity, &r->votes));
    }
    r->places = pq_alloc(ctx, names->count, sizeof(*r->places));
    r->catalog->columns = pq_alloc(ctx, names->count, sizeof(*r->catalog->columns));
    if (!r->places || !r->catalog->columns) {
        return PIQUE_NO_MEMORY;
    }
    return r->columns ? listed_columns(r, names) : all_columns(r, names);
}

static pique_status fail_row(const reading *r, size_t line, const char *reason) {
    PQ_FAIL(r->catalog->ctx, PIQUE_DATA, "%s:%lu: %s", r->source->name, (unsigned long)line,
            reason);
}

/* Without a column: 1 / place in the file. Zipf's law stands in where nothing is known. */
static pique_status add_popularity(reading *r, const pq_csv_row *row, uint32_t item) {
    pq_catalog *c = r->catalog;
    double value = 1.0 / ((double)item + 1);
    if (r->votes != PQ_CSV_NONE) {
        pq_span cell = row->fields[r->votes];
        value = 0;
        if (cell.size && (!pq_decimal_parse(cell.bytes, cell.size, &value) || value < 0)) {
            return fail_row(r, row->line, "the popularity is not a number from 0 up");
        }
    }
    void *block = c->popularity;
    PQ_TRY(pq_reserve(c->ctx, &block, &c->popularity_capacity, (size_t)item + 1, sizeof(double)));
    c->popularity = block;
    c->popularity[item] = value;
    return PIQUE_OK;
}

static pique_status add_title(reading *r, const pq_csv_row *row, uint32_t item) {
    pq_catalog *c = r->catalog;
    if (r->title != PQ_CSV_NONE) {
        pq_text_bytes(&c->titles, row->fields[r->title].bytes, row->fields[r->title].size);
        PQ_TRY(pq_text_status(&c->titles));
    }
    void *block = c->title_ends;
    PQ_TRY(pq_reserve(c->ctx, &block, &c->title_ends_capacity, (size_t)item + 1, sizeof(size_t)));
    c->title_ends = block;
    c->title_ends[item] = c->titles.size;
    return PIQUE_OK;
}

static pique_status add_values(pq_ctx *ctx, pq_catalog_column *column, pq_span cell,
                               uint32_t item) {
    uint32_t first = column->offsets[item];
    uint32_t count = first;
    while (cell.size) {
        const char *stop = memchr(cell.bytes, '|', cell.size);
        size_t size = stop ? (size_t)(stop - cell.bytes) : cell.size;
        uint32_t term = 0;
        bool known = size == 0;
        if (size) {
            PQ_TRY(pq_strings_add(&column->terms, cell.bytes, size, &term));
        }
        for (uint32_t i = first; i < count && !known; i++) {
            known = column->values[i] == term;
        }
        if (!known) {
            void *values = column->values;
            PQ_TRY(pq_reserve(ctx, &values, &column->values_capacity, (size_t)count + 1,
                              sizeof(uint32_t)));
            column->values = values;
            column->values[count++] = term;
        }
        size_t step = stop ? size + 1 : size;
        cell.bytes += step;
        cell.size -= step;
    }
    void *offsets = column->offsets;
    PQ_TRY(
        pq_reserve(ctx, &offsets, &column->offsets_capacity, (size_t)item + 2, sizeof(uint32_t)));
    column->offsets = offsets;
    column->offsets[item + 1] = count;
    return PIQUE_OK;
}

static pique_status on_row(void *user, const pq_csv_row *row) {
    reading *r = user;
    pq_catalog *c = r->catalog;
    pq_span id = row->fields[r->item];
    if (id.size == 0 || !pq_utf8_valid(id.bytes, id.size)) {
        return fail_row(r, row->line, id.size ? "the item is not valid UTF-8" : "an empty item");
    }
    if (pq_strings_find(&c->items, id.bytes, id.size) != PQ_NOT_FOUND) {
        return fail_row(r, row->line, "the item stands twice");
    }
    uint32_t item;
    PQ_TRY(pq_strings_add(&c->items, id.bytes, id.size, &item));
    PQ_TRY(add_title(r, row, item));
    PQ_TRY(add_popularity(r, row, item));
    for (uint32_t i = 0; i < c->column_count; i++) {
        pq_span cell = row->fields[r->places[i]];
        if (!pq_utf8_valid(cell.bytes, cell.size)) {
            return fail_row(r, row->line, "a category is not valid UTF-8");
        }
        PQ_TRY(add_values(c->ctx, &c->columns[i], cell, item));
    }
    return PIQUE_OK;
}

static pique_status on_bad(void *user, size_t line, const char *reason) {
    return fail_row(user, line, reason);
}

pique_status pq_catalog_parse(pq_catalog *catalog, pq_ctx *ctx, const pq_source *source,
                              const char *columns, const char *popularity) {
    *catalog = (pq_catalog){.ctx = ctx};
    pq_strings_init(&catalog->items, ctx);
    pq_text_init(&catalog->titles, ctx);
    reading r = {
        .catalog = catalog, .source = source, .columns = columns, .popularity = popularity};
    pq_csv_handler handler = {.header = on_header, .row = on_row, .bad = on_bad, .user = &r};
    pique_status status = pq_csv_read(ctx, source, &handler);
    pq_free(ctx, r.places);
    PQ_TRY(status);
    if (catalog->items.count == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: no items", source->name);
    }
    return PIQUE_OK;
}

void pq_catalog_free(pq_catalog *catalog) {
    pq_ctx *ctx = catalog->ctx;
    for (uint32_t i = 0; i < catalog->column_count; i++) {
        pq_free(ctx, catalog->columns[i].name);
        pq_strings_free(&catalog->columns[i].terms);
        pq_free(ctx, catalog->columns[i].offsets);
        pq_free(ctx, catalog->columns[i].values);
    }
    pq_free(ctx, catalog->columns);
    pq_free(ctx, catalog->title_ends);
    pq_free(ctx, catalog->popularity);
    pq_text_free(&catalog->titles);
    pq_strings_free(&catalog->items);
    *catalog = (pq_catalog){0};
}

void pq_csv_write(pq_text *out, const char *bytes, size_t size) {
    bool plain = true;
    for (size_t i = 0; i < size && plain; i++) {
        plain = !strchr(",\"\r\n", bytes[i]);
    }
    if (plain) {
        pq_text_bytes(out, bytes, size);
        return;
    }
    pq_text_bytes(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        pq_text_bytes(out, bytes + i, 1);
        if (bytes[i] == '"') {
            pq_text_bytes(out, "\"", 1);
        }
    }
    pq_text_bytes(out, "\"", 1);
}

static void write_values(const pq_catalog_column *column, uint32_t item, pq_text *joined) {
    joined->size = 0;
    for (uint32_t i = column->offsets[item]; i < column->offsets[item + 1]; i++) {
        size_t size;
        const char *bytes = pq_strings_get(&column->terms, column->values[i], &size);
        if (i > column->offsets[item]) {
            pq_text_bytes(joined, "|", 1);
        }
        pq_text_bytes(joined, bytes, size);
    }
}

void pq_catalog_write(const pq_catalog *c, pq_text *out) {
    pq_text joined;
    pq_text_init(&joined, c->ctx);
    pq_text_add(out, "item,title");
    for (uint32_t i = 0; i < c->column_count; i++) {
        pq_text_bytes(out, ",", 1);
        pq_csv_write(out, c->columns[i].name, strlen(c->columns[i].name));
    }
    pq_text_bytes(out, "\n", 1);
    for (uint32_t item = 0; item < c->items.count; item++) {
        size_t size;
        const char *id = pq_strings_get(&c->items, item, &size);
        size_t title = item ? c->title_ends[item - 1] : 0;
        pq_csv_write(out, id, size);
        pq_text_bytes(out, ",", 1);
        if (c->titles.data) {
            pq_csv_write(out, c->titles.data + title, c->title_ends[item] - title);
        }
        for (uint32_t i = 0; i < c->column_count; i++) {
            write_values(&c->columns[i], item, &joined);
            pq_text_bytes(out, ",", 1);
            if (joined.size) {
                pq_csv_write(out, joined.data, joined.size);
            }
        }
        pq_text_bytes(out, "\n", 1);
    }
    out->failed = out->failed || joined.failed;
    pq_text_free(&joined);
}
