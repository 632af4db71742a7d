/* dataset_builder.c — gathers events and table cells, and decides which rows are good. */
#include "native/data/dataset_builder.h"

#include "base/decimal.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_REPORTED 5
#define MOST_TIME 9.2e18 /* below 2^63: whole seconds fit an int64_t */

void pq_builder_init(pq_builder *builder, pq_ctx *ctx, const pique_dataset_options *options,
                     const pique_listener *listener) {
    *builder = (pq_builder){.ctx = ctx, .options = options, .listener = listener};
    pq_strings_init(&builder->users, ctx);
    pq_strings_init(&builder->items, ctx);
    builder->item_table.part = "items";
    builder->user_table.part = "users";
}

static void free_table(pq_ctx *ctx, pq_raw_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        pq_raw_column *column = &table->columns[i];
        pq_free(ctx, column->name);
        pq_strings_free(&column->cells);
        pq_free(ctx, column->owners);
        pq_free(ctx, column->values);
    }
    pq_free(ctx, table->columns);
    pq_free(ctx, table->described);
    *table = (pq_raw_table){.part = table->part};
}

void pq_builder_free(pq_builder *builder) {
    pq_strings_free(&builder->users);
    pq_strings_free(&builder->items);
    pq_free(builder->ctx, builder->events);
    builder->events = NULL;
    pq_free(builder->ctx, builder->histories.starts);
    pq_free(builder->ctx, builder->histories.items);
    pq_free(builder->ctx, builder->histories.negatives);
    pq_free(builder->ctx, builder->histories.times);
    builder->histories = (pq_raw_histories){0};
    free_table(builder->ctx, &builder->item_table);
    free_table(builder->ctx, &builder->user_table);
    pq_schema_free(&builder->schema);
}

void pq_builder_log(pq_builder *builder, const char *format, ...) {
    if (!builder->listener || !builder->listener->log) {
        return;
    }
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    builder->listener->log(builder->listener->user, line);
}

void pq_builder_begin_file(pq_builder *builder, const char *name) {
    builder->file = name;
    builder->line = 1;
    builder->bad_in_file = 0;
}

void pq_builder_end_file(pq_builder *builder) {
    if (builder->bad_in_file > MOST_REPORTED) {
        pq_builder_log(builder, "%s: %lu more bad rows", builder->file,
                       (unsigned long)(builder->bad_in_file - MOST_REPORTED));
    }
}

pique_status pq_builder_bad(pq_builder *builder, const char *reason) {
    builder->bad_rows++;
    if (builder->options->strict) {
        PQ_FAIL(builder->ctx, PIQUE_DATA, "%s:%lu: %s", builder->file, (unsigned long)builder->line,
                reason);
    }
    builder->bad_in_file++;
    if (builder->bad_in_file <= MOST_REPORTED) {
        pq_builder_log(builder, "%s:%lu: %s; left out", builder->file, (unsigned long)builder->line,
                       reason);
    }
    return PIQUE_OK;
}

const char *pq_builder_id_problem(pq_span id) {
    if (id.size == 0) {
        return "is empty";
    }
    return pq_utf8_valid(id.bytes, id.size) ? NULL : "is not valid UTF-8";
}

pique_status pq_builder_event(pq_builder *builder, pq_span user, pq_span item, double time,
                              uint8_t label) {
    pq_raw_event event = {.time = time, .label = label, .file = builder->test_file};
    if (builder->event_count >= UINT32_MAX - 1) {
        PQ_FAIL(builder->ctx, PIQUE_UNSUPPORTED, "more than %lu events",
                (unsigned long)(UINT32_MAX - 1));
    }
    PQ_TRY(pq_strings_add(&builder->users, user.bytes, user.size, &event.user));
    PQ_TRY(pq_strings_add(&builder->items, item.bytes, item.size, &event.item));
    void *events = builder->events;
    PQ_TRY(pq_reserve(builder->ctx, &events, &builder->event_capacity, builder->event_count + 1,
                      sizeof(event)));
    builder->events = events;
    builder->events[builder->event_count++] = event;
    builder->has_test_file = builder->has_test_file || builder->test_file;
    return PIQUE_OK;
}

/* Why a cell is no number, for a bad row; NULL when it is one. */
static const char *number_problem(const char *what, pq_span cell, double *out, char *reason,
                                  size_t room) {
    char quote[PQ_QUOTE_SIZE];
    if (pq_decimal_parse(cell.bytes, cell.size, out)) {
        return NULL;
    }
    snprintf(reason, room, "%s \"%s\" is not a finite number", what,
             pq_source_quote(quote, cell.bytes, cell.size));
    return reason;
}

static const char *row_problem(const pq_raw_row *row, double *time, double *rating, double *label,
                               char *reason, size_t room) {
    const char *problem = pq_builder_id_problem(row->user);
    if (problem) {
        snprintf(reason, room, "the user %s", problem);
        return reason;
    }
    problem = pq_builder_id_problem(row->item);
    if (problem) {
        snprintf(reason, room, "the item %s", problem);
        return reason;
    }
    if (row->time.bytes && number_problem("timestamp", row->time, time, reason, room)) {
        return reason;
    }
    if (*time < 0 || *time > MOST_TIME) {
        char quote[PQ_QUOTE_SIZE];
        snprintf(reason, room, "timestamp \"%s\" is %s",
                 pq_source_quote(quote, row->time.bytes, row->time.size),
                 *time < 0 ? "negative" : "too large");
        return reason;
    }
    if (row->rating.bytes && number_problem("rating", row->rating, rating, reason, room)) {
        return reason;
    }
    if (row->label.bytes && number_problem("label", row->label, label, reason, room)) {
        return reason;
    }
    if (*label != 0 && *label != 1) {
        return "the label is neither 0 nor 1";
    }
    return NULL;
}

pique_status pq_builder_row(pq_builder *builder, const pq_raw_row *row) {
    char reason[128];
    double time = 0;
    double rating = 0;
    double label = 1;
    const char *problem = row_problem(row, &time, &rating, &label, reason, sizeof(reason));
    if (problem) {
        return pq_builder_bad(builder, problem);
    }
    double least = builder->options->min_rating;
    if (builder->options->labelled) {
        bool liked = row->label.bytes ? label == 1 : rating >= builder->options->label_rating;
        return pq_builder_event(builder, row->user, row->item, time, liked);
    }
    if (label == 0 || (least > 0 && row->rating.bytes && rating < least)) {
        builder->low_rated++;
        return PIQUE_OK;
    }
    return pq_builder_event(builder, row->user, row->item, time, 1);
}

pique_status pq_builder_table(pq_builder *builder, pq_raw_table *table, const pq_strings *owners) {
    free_table(builder->ctx, table);
    table->owners = owners;
    return PIQUE_OK;
}

/* Room for the owners that there are; those that came since are not described. */
static pique_status reserve_described(pq_ctx *ctx, pq_raw_table *table) {
    size_t before = table->described_capacity;
    void *block = table->described;
    PQ_TRY(pq_reserve(ctx, &block, &table->described_capacity, table->owners->count,
                      sizeof(*table->described)));
    table->described = block;
    for (size_t i = before; i < table->described_capacity; i++) {
        table->described[i] = false;
    }
    return PIQUE_OK;
}

pique_status pq_builder_column_of(pq_builder *builder, pq_raw_table *table, pq_span name,
                                  pq_column_kind kind) {
    pq_ctx *ctx = builder->ctx;
    void *columns = table->columns;
    pq_column_spec spec = pq_column_spec_default(kind);
    PQ_TRY(pq_schema_column(ctx, &builder->schema, table->part, name, &spec));
    PQ_TRY(pq_reserve(ctx, &columns, &table->capacity, table->count + 1, sizeof(pq_raw_column)));
    table->columns = columns;
    char *copy = pq_alloc(ctx, name.size + 1, 1);
    if (!copy) {
        return PIQUE_NO_MEMORY;
    }
    memcpy(copy, name.bytes, name.size);
    pq_raw_column *column = &table->columns[table->count++];
    *column = (pq_raw_column){.name = copy, .spec = spec};
    pq_strings_init(&column->cells, ctx);
    return PIQUE_OK;
}

pique_status pq_builder_column(pq_builder *builder, pq_raw_table *table, pq_span name) {
    return pq_builder_column_of(builder, table, name, PQ_COLUMN_MULTI);
}

static bool has_column(const pq_raw_table *table, const char *name) {
    for (uint32_t i = 0; i < table->count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

pique_status pq_builder_check_schema(pq_builder *builder, const pq_raw_table *table,
                                     const char *file) {
    pq_ctx *ctx = builder->ctx;
    for (int i = 0;; i++) {
        char *name;
        char quote[PQ_QUOTE_SIZE];
        PQ_TRY(pq_schema_name(&builder->schema, table->part, i, &name));
        if (!name) {
            return PIQUE_OK;
        }
        bool known = has_column(table, name);
        pq_source_quote(quote, name, strlen(name));
        pq_free(ctx, name);
        if (!known) {
            PQ_FAIL(ctx, PIQUE_DATA, "%s: %s.\"%s\": %s has no such column of features",
                    builder->schema.file, table->part, quote, file);
        }
    }
}

pique_status pq_builder_owner(pq_builder *builder, pq_raw_table *table, pq_span id,
                              uint32_t *owner) {
    *owner = PQ_NOT_FOUND;
    const char *problem = pq_builder_id_problem(id);
    if (problem) {
        char reason[64];
        snprintf(reason, sizeof(reason), "the id in the first place %s", problem);
        return pq_builder_bad(builder, reason);
    }
    uint32_t number = pq_strings_find(table->owners, id.bytes, id.size);
    if (number == PQ_NOT_FOUND && builder->options->all_items && table->owners == &builder->items) {
        PQ_TRY(pq_strings_add(&builder->items, id.bytes, id.size, &number));
    }
    if (number == PQ_NOT_FOUND) {
        return PIQUE_OK;
    }
    PQ_TRY(reserve_described(builder->ctx, table));
    if (table->described[number] && table->repeats) {
        return PIQUE_OK;
    }
    if (table->described[number]) {
        char quote[PQ_QUOTE_SIZE];
        char reason[PQ_QUOTE_SIZE + 64];
        snprintf(reason, sizeof(reason), "\"%s\" already had a row",
                 pq_source_quote(quote, id.bytes, id.size));
        return pq_builder_bad(builder, reason);
    }
    table->described[number] = true;
    table->described_count++;
    *owner = number;
    return PIQUE_OK;
}

/* reserve for arrays of numbers. */
static pique_status reserve_numbers(pq_ctx *ctx, uint32_t **numbers, size_t *capacity,
                                    size_t needed) {
    void *block = *numbers;
    pique_status status = pq_reserve(ctx, &block, capacity, needed, sizeof(**numbers));
    *numbers = block;
    return status;
}

static pique_status add_cell(pq_ctx *ctx, pq_raw_column *column, uint32_t owner, pq_span cell) {
    if (column->count >= UINT32_MAX - 1) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "column \"%s\" has too many values", column->name);
    }
    uint32_t number;
    size_t count = column->count;
    PQ_TRY(pq_strings_add(&column->cells, cell.bytes, cell.size, &number));
    PQ_TRY(reserve_numbers(ctx, &column->owners, &column->owners_capacity, count + 1));
    PQ_TRY(reserve_numbers(ctx, &column->values, &column->values_capacity, count + 1));
    column->owners[count] = owner;
    column->values[count] = number;
    column->count++;
    return PIQUE_OK;
}

/* Why a cell is no vector, for a bad row; NULL when it is one. */
static const char *vector_problem(const pq_raw_column *column, pq_span cell, char *reason,
                                  size_t room) {
    char separator = column->spec.separator, quote[PQ_QUOTE_SIZE];
    long count = 0;
    for (bool more = true; more; count++) {
        const char *end = memchr(cell.bytes, separator, cell.size);
        size_t size = end ? (size_t)(end - cell.bytes) : cell.size;
        double number;
        if (!pq_decimal_parse(cell.bytes, size, &number) || fabs(number) > FLT_MAX) {
            snprintf(reason, room, "\"%s\" in column \"%.60s\" is not a finite number",
                     pq_source_quote(quote, cell.bytes, size), column->name);
            return reason;
        }
        more = end != NULL;
        cell.bytes += size + more;
        cell.size -= size + more;
    }
    if (count != column->spec.width) {
        snprintf(reason, room, "column \"%.60s\" has %ld numbers instead of %d", column->name,
                 count, (int)column->spec.width);
        return reason;
    }
    return NULL;
}

pique_status pq_builder_cell(pq_builder *builder, pq_raw_table *table, uint32_t at, uint32_t owner,
                             pq_span cell, char separator) {
    pq_raw_column *column = &table->columns[at];
    double number;
    if (column->spec.kind == PQ_COLUMN_SKIP || cell.size == 0) {
        return PIQUE_OK;
    }
    if (!pq_utf8_valid(cell.bytes, cell.size)) {
        return pq_builder_bad(builder, "a category that is not valid UTF-8");
    }
    if (column->spec.kind == PQ_COLUMN_NUMBER &&
        !pq_decimal_parse(cell.bytes, cell.size, &number)) {
        char quote[PQ_QUOTE_SIZE], reason[PQ_QUOTE_SIZE + 128];
        snprintf(reason, sizeof(reason), "\"%s\" in column \"%.60s\" is not a finite number",
                 pq_source_quote(quote, cell.bytes, cell.size), column->name);
        return pq_builder_bad(builder, reason);
    }
    if (column->spec.separator == 0) {
        column->spec.separator = separator || !column->spec.declared ? separator : '|';
    }
    if (column->spec.kind == PQ_COLUMN_VECTOR) {
        char reason[PQ_QUOTE_SIZE + 128];
        const char *problem = vector_problem(column, cell, reason, sizeof(reason));
        if (problem) {
            return pq_builder_bad(builder, problem);
        }
    }
    return add_cell(builder->ctx, column, owner, cell);
}
