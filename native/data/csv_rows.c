/* csv_rows.c — libcsv in strict mode, with three things added: line numbers, going on after a broken
 * row, and the check of every row against the header.
 *
 * libcsv hands out single fields in a buffer that it reuses, so a row is gathered here first. It
 * reports every line end outside quotes (CSV_REPALL_NL), which is what the line count needs. Its own
 * field buffer comes from the C library, for its allocation functions are given no context. */
#include "native/data/csv_rows.h"

#include <csv.h>
#include <stdio.h>
#include <string.h>

#define MOST_COLUMNS 1024 /* a text that has more in its first row is no table of ours */
#define MOST_SHOWN 256    /* bytes of a header in a message */

typedef struct {
    pq_ctx *ctx;
    const pq_source *source;
    const pq_csv_handler *handler;
    pique_status status;

    char *bytes; /* fields of the row so far, one after the other */
    size_t size, bytes_capacity;
    size_t *ends; /* [count] where each field ends in bytes */
    size_t count, ends_capacity;
    pq_span *fields;
    size_t fields_capacity;

    size_t line;       /* the line that is being read */
    size_t row_line;   /* where the row began */
    bool after_return; /* the last thing was a CR: an LF now belongs to it */
    uint32_t columns;  /* of the header; 0 before it */

    size_t mark; /* offset of line mark_line, from where recover() looks for the next row */
    size_t mark_line;
} reading;

/* Past the line end at `at`, be it LF, CRLF or a lone CR; `at` itself when there is none. */
static size_t past_line_end(const char *bytes, size_t size, size_t at) {
    if (bytes[at] == '\r') {
        return at + (at + 1 < size && bytes[at + 1] == '\n' ? 2 : 1);
    }
    return at + (bytes[at] == '\n');
}

/* Line ends inside a field: it was quoted. */
static size_t count_lines(const char *bytes, size_t size) {
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        size_t past = past_line_end(bytes, size, at);
        count += past > at;
        at = PQ_MAX(past, at + 1);
    }
    return count;
}

static pique_status add_field(reading *r, const char *bytes, size_t size) {
    if (r->count == 0) {
        r->row_line = r->line;
        r->size = 0;
    }
    r->after_return = false;
    r->line += count_lines(bytes, size);
    PQ_TRY(pq_reserve(r->ctx, (void **)&r->bytes, &r->bytes_capacity, r->size + size, 1));
    PQ_TRY(
        pq_reserve(r->ctx, (void **)&r->ends, &r->ends_capacity, r->count + 1, sizeof(*r->ends)));
    if (size) {
        memcpy(r->bytes + r->size, bytes, size);
    }
    r->size += size;
    r->ends[r->count] = r->size;
    r->count++;
    return PIQUE_OK;
}

static void on_field(void *bytes, size_t size, void *user) {
    reading *r = user;
    if (r->status == PIQUE_OK) {
        r->status = add_field(r, bytes ? bytes : "", size);
    }
}

static pique_status check_header(const reading *r, const pq_csv_row *names) {
    for (uint32_t i = 0; i < names->count; i++) {
        pq_span name = names->fields[i];
        for (uint32_t j = 0; j < i; j++) {
            if (name.size && name.size == names->fields[j].size &&
                memcmp(name.bytes, names->fields[j].bytes, name.size) == 0) {
                char quote[PQ_QUOTE_SIZE];
                PQ_FAIL(r->ctx, PIQUE_DATA, "%s:%lu: column \"%s\" stands twice in the header",
                        r->source->name, (unsigned long)names->line,
                        pq_source_quote(quote, name.bytes, name.size));
            }
        }
    }
    return PIQUE_OK;
}

static pique_status finish_row(reading *r) {
    const pq_csv_handler *handler = r->handler;
    if (r->columns && r->count != r->columns) {
        char reason[96];
        snprintf(reason, sizeof(reason), "%lu %s where the header has %lu", (unsigned long)r->count,
                 r->count == 1 ? "field" : "fields", (unsigned long)r->columns);
        return handler->bad(handler->user, r->row_line, reason);
    }
    if (r->count > MOST_COLUMNS) {
        PQ_FAIL(r->ctx, PIQUE_DATA, "%s:%lu: the header has %lu columns, more than %d",
                r->source->name, (unsigned long)r->row_line, (unsigned long)r->count, MOST_COLUMNS);
    }
    PQ_TRY(
        pq_reserve(r->ctx, (void **)&r->fields, &r->fields_capacity, r->count, sizeof(*r->fields)));
    size_t start = 0;
    for (size_t i = 0; i < r->count; i++) {
        r->fields[i] = (pq_span){.bytes = r->bytes + start, .size = r->ends[i] - start};
        start = r->ends[i];
    }
    pq_csv_row row = {.fields = r->fields, .count = (uint32_t)r->count, .line = r->row_line};
    if (r->columns) {
        return handler->row(handler->user, &row);
    }
    PQ_TRY(check_header(r, &row));
    r->columns = row.count;
    return handler->header(handler->user, &row);
}

static void on_line_end(int end, void *user) {
    reading *r = user;
    if (r->status == PIQUE_OK && r->count) {
        r->status = finish_row(r);
    }
    r->count = 0;
    if (end == '\n' && r->after_return) {
        r->after_return = false;
        return;
    }
    r->after_return = end == '\r';
    r->line++;
}

/* libcsv would strip spaces and tabs around fields; in RFC 4180 they belong to the field. */
static int never_space(unsigned char c) {
    (void)c;
    return 0;
}

static pique_status start_parser(reading *r, struct csv_parser *parser) {
    if (csv_init(parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0) {
        PQ_FAIL(r->ctx, PIQUE_INTERNAL, "%s: libcsv does not start", r->source->name);
    }
    csv_set_space_func(parser, never_space);
    return PIQUE_OK;
}

/* A broken quote makes the row bad. The next begins on the line after the one where this row began, so
 * that a quote that was opened by mistake costs no more than its own line. `at` receives the offset. */
static pique_status recover(reading *r, const char *reason, size_t *at) {
    const pq_source *source = r->source;
    size_t first = r->count ? r->row_line : r->line;
    if (!r->columns) {
        PQ_FAIL(r->ctx, PIQUE_DATA, "%s:%lu: %s in the header", source->name, (unsigned long)first,
                reason);
    }
    while (r->mark < source->size && r->mark_line <= first) {
        size_t past = past_line_end(source->bytes, source->size, r->mark);
        r->mark_line += past > r->mark;
        r->mark = PQ_MAX(past, r->mark + 1);
    }
    *at = r->mark;
    r->line = r->mark_line;
    r->count = 0;
    r->after_return = false;
    return r->handler->bad(r->handler->user, first, reason);
}

/* In slices, so that a status of the handler ends the work soon. */
#define SLICE ((size_t)64 << 10)

/* The next slice from `at`, or the end. The reason when a quote is broken. */
static pique_status parse_slice(reading *r, struct csv_parser *parser, size_t *at,
                                const char **reason) {
    const pq_source *source = r->source;
    if (*at == source->size) {
        bool ended = csv_fini(parser, on_field, on_line_end, r) == 0;
        *reason = ended ? NULL : "a quoted field that never ends";
        return r->status;
    }
    size_t size = PQ_MIN(SLICE, source->size - *at);
    size_t taken = csv_parse(parser, source->bytes + *at, size, on_field, on_line_end, r);
    PQ_TRY(r->status);
    *at += taken;
    if (taken < size && csv_error(parser) != CSV_EPARSE) {
        PQ_FAIL(r->ctx, PIQUE_NO_MEMORY, "%s:%lu: %s", source->name, (unsigned long)r->line,
                csv_strerror(csv_error(parser)));
    }
    *reason = taken < size ? "a quote in the wrong place" : NULL;
    return PIQUE_OK;
}

static pique_status parse(reading *r, struct csv_parser *parser) {
    size_t at = 0;
    bool last = false;
    while (!last) {
        const char *reason;
        last = at == r->source->size;
        PQ_TRY(parse_slice(r, parser, &at, &reason));
        if (reason) {
            PQ_TRY(recover(r, reason, &at));
            csv_free(parser);
            PQ_TRY(start_parser(r, parser));
            last = false;
        }
    }
    if (!r->columns) {
        PQ_FAIL(r->ctx, PIQUE_DATA, "%s: no header row", r->source->name);
    }
    return PIQUE_OK;
}

pique_status pq_csv_read(pq_ctx *ctx, const pq_source *source, const pq_csv_handler *handler) {
    reading r = {.ctx = ctx, .source = source, .handler = handler, .line = 1, .mark_line = 1};
    struct csv_parser parser;
    pique_status status = start_parser(&r, &parser);
    if (status == PIQUE_OK) {
        status = parse(&r, &parser);
        csv_free(&parser);
    }
    pq_free(ctx, r.bytes);
    pq_free(ctx, r.ends);
    pq_free(ctx, r.fields);
    return status;
}

uint32_t pq_csv_column(const pq_csv_row *names, const char *name) {
    size_t size = strlen(name);
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->fields[i].size == size && memcmp(names->fields[i].bytes, name, size) == 0) {
            return i;
        }
    }
    return PQ_CSV_NONE;
}

/* The names of a header, quoted, as far as a message has room. */
static void show_header(const pq_csv_row *names, char *out, size_t room) {
    size_t size = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        char quote[PQ_QUOTE_SIZE];
        pq_source_quote(quote, names->fields[i].bytes, names->fields[i].size);
        size_t needed = strlen(quote) + 4;
        if (size + needed + 4 > room) {
            snprintf(out + size, room - size, " ...");
            return;
        }
        size += (size_t)snprintf(out + size, room - size, "%s\"%s\"", i ? ", " : "", quote);
    }
}

pique_status pq_csv_need(pq_ctx *ctx, const pq_source *source, const pq_csv_row *names,
                         const char *name, uint32_t *column) {
    *column = pq_csv_column(names, name);
    if (*column == PQ_CSV_NONE) {
        char shown[MOST_SHOWN];
        show_header(names, shown, sizeof(shown));
        PQ_FAIL(ctx, PIQUE_DATA, "%s: no column \"%s\"; the header has %s", source->name, name,
                shown);
    }
    return PIQUE_OK;
}
