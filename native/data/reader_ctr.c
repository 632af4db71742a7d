/* reader_ctr.c — labelled tables whose rows bring everything along: a user with a profile, a candidate item with
 * its categories, a label, and the history before it, ids joined by '|', oldest first.
 *
 * train.csv    the rows to learn from
 * test.csv     rows of the same columns that are for test; may be missing
 * schema.json  {"columns": {"name": "role"}}: what columns are where their names do not tell, or tell wrong
 *
 * What the first row about an item or a user says of it counts; columns history_NAME describe items that are
 * nowhere a candidate. A column without a role is left out and named in the log: to guess one could take the
 * answer for a feature. */
#include "native/data/csv_rows.h"
#include "native/data/readers.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define MOST_USED 64
#define FEW 3 /* columns left out that are logged by name */

typedef enum {
    ROLE_SKIP,
    ROLE_USER,
    ROLE_ITEM,
    ROLE_LABEL,
    ROLE_RATING,
    ROLE_TIMESTAMP,
    ROLE_HISTORY,
    ROLE_NEGATIVES,
    ROLE_TIMES,
    ROLE_PROFILE, /* from here on any number of columns may have the role */
    ROLE_CATEGORY,
    ROLE_MULTI,
    ROLE_COUNT, /* the others have no name in a schema */
    ROLE_BEHAVIOUR =
        ROLE_COUNT, /* history_NAME: the values of an item's column for each item of the history */
    ROLE_UNTOLD
} column_role;

/* As schema.json spells them. */
static const char *const role_names[ROLE_COUNT] = {"skip",   "user",      "item",     "label",
                                                   "rating", "timestamp", "history",  "negatives",
                                                   "times",  "profile",   "category", "multi"};

static const struct {
    const char *name;
    column_role role;
} known_names[] = {
    {"title", ROLE_SKIP},
    {"user", ROLE_USER},
    {"user_id", ROLE_USER},
    {"userId", ROLE_USER},
    {"item", ROLE_ITEM},
    {"item_id", ROLE_ITEM},
    {"itemId", ROLE_ITEM},
    {"movieId", ROLE_ITEM},
    {"label", ROLE_LABEL},
    {"click", ROLE_LABEL},
    {"rating", ROLE_RATING},
    {"timestamp", ROLE_TIMESTAMP},
    {"history", ROLE_HISTORY},
    {"histHighRatedMovieIds", ROLE_HISTORY},
    {"history_negatives", ROLE_NEGATIVES},
    {"negHistMovieIds", ROLE_NEGATIVES},
    {"history_times", ROLE_TIMES},
    {"gender", ROLE_PROFILE},
    {"age", ROLE_PROFILE},
    {"occupation", ROLE_PROFILE},
    {"zip", ROLE_PROFILE},
    {"zipCode", ROLE_PROFILE},
    {"category", ROLE_CATEGORY},
    {"brand", ROLE_CATEGORY},
    {"genres", ROLE_MULTI},
};

typedef struct {
    char *name;
    column_role role;
    uint32_t column;  /* of the file being read */
    uint32_t feature; /* of the builder's table, for the last roles */
} used_column;

typedef struct {
    pq_builder *builder;
    const pq_source *source; /* being read */
    const pq_source *schema;
    used_column used[MOST_USED];
    uint32_t count;
    bool behaviours;               /* some column is of that role */
    bool again;                    /* the files are read for those a second time */
    uint32_t single[ROLE_PROFILE]; /* columns of the file being read, or PQ_CSV_NONE */
} table;

static bool span_is(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

/* ---- roles ---- */

static column_role role_of_name(pq_span name) {
    for (size_t i = 0; i < PQ_COUNT(known_names); i++) {
        if (span_is(name, known_names[i].name)) {
            return known_names[i].role;
        }
    }
    return ROLE_UNTOLD;
}

static pique_status apply_member(const table *t, const pq_json *json, int at,
                                 const pq_csv_row *names, column_role *roles) {
    pq_ctx *ctx = t->builder->ctx;
    char quote[PQ_QUOTE_SIZE], given[PQ_QUOTE_SIZE];
    char *name = pq_json_string(json, at, NULL);
    if (!name) {
        return PIQUE_NO_MEMORY;
    }
    uint32_t column = pq_csv_column(names, name);
    pq_source_quote(quote, name, strlen(name));
    pq_free(ctx, name);
    if (column == PQ_CSV_NONE) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: columns.\"%s\": %s has no such column", t->schema->name,
                quote, t->source->name);
    }
    pq_span value = pq_json_span(json, at + 1);
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (pq_json_is_string(json, at + 1) && span_is(value, role_names[role])) {
            roles[column] = (column_role)role;
            return PIQUE_OK;
        }
    }
    PQ_FAIL(
        ctx, PIQUE_DATA,
        "%s: columns.\"%s\" is \"%s\", not one of user, item, label, rating, timestamp, history, "
        "negatives, times, profile, category, multi, skip",
        t->schema->name, quote, pq_source_quote(given, value.bytes, value.size));
}

static pique_status apply_schema(const table *t, const pq_json *json, const pq_csv_row *names,
                                 column_role *roles) {
    pq_ctx *ctx = t->builder->ctx;
    int object =
        pq_json_is_object(json, PQ_JSON_ROOT) ? pq_json_find(json, PQ_JSON_ROOT, "columns") : -1;
    if (object < 0 || !pq_json_is_object(json, object) || pq_json_size(json, PQ_JSON_ROOT) != 1) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: not of the form {\"columns\": {\"name\": \"role\"}}",
                t->schema->name);
    }
    int count = pq_json_size(json, object), at = pq_json_first(json, object);
    for (int i = 0; i < count; i++) {
        PQ_TRY(apply_member(t, json, at, names, roles));
        at = pq_json_next(json, at);
    }
    return PIQUE_OK;
}

static pique_status read_schema(const table *t, const pq_csv_row *names, column_role *roles) {
    if (!t->schema->bytes) {
        return PIQUE_OK;
    }
    pq_json json = {0};
    pique_status status =
        pq_json_parse(t->builder->ctx, t->schema->bytes, t->schema->size, t->schema->name, &json);
    if (status == PIQUE_OK) {
        status = apply_schema(t, &json, names, roles);
    }
    pq_json_free(&json);
    return status == PIQUE_CORRUPT ? PIQUE_DATA : status; /* no model file is involved */
}

/* ---- columns ---- */

static pique_status add_feature(const table *t, pq_span name, used_column *used) {
    pq_raw_table *owner =
        used->role == ROLE_PROFILE ? &t->builder->user_table : &t->builder->item_table;
    used->feature = owner->count;
    return pq_builder_column(t->builder, owner, name);
}

static pique_status use_column(table *t, pq_span name, column_role role) {
    pq_ctx *ctx = t->builder->ctx;
    char quote[PQ_QUOTE_SIZE];
    for (uint32_t i = 0; role < ROLE_PROFILE && i < t->count; i++) {
        if (t->used[i].role == role) {
            PQ_FAIL(ctx, PIQUE_DATA,
                    "%s: \"%s\" and \"%s\" are both taken for the %s; schema.json can say which is",
                    t->source->name, t->used[i].name, pq_source_quote(quote, name.bytes, name.size),
                    role_names[role]);
        }
    }
    if (t->count == MOST_USED) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "%s: more than %d columns in use", t->source->name,
                MOST_USED);
    }
    used_column *used = &t->used[t->count];
    *used = (used_column){.role = role, .name = pq_alloc(ctx, name.size + 1, 1)};
    if (!used->name) {
        return PIQUE_NO_MEMORY;
    }
    t->count++;
    memcpy(used->name, name.bytes, name.size);
    return role >= ROLE_PROFILE && role < ROLE_COUNT ? add_feature(t, name, used) : PIQUE_OK;
}

/* The column of the item whose values for the history are called so; NULL: none. */
static const used_column *behaviour_of(const table *t, pq_span name) {
    static const char prefix[] = "history_";
    size_t size = sizeof(prefix) - 1;
    if (name.size <= size || memcmp(name.bytes, prefix, size) != 0) {
        return NULL;
    }
    pq_span rest = {.bytes = name.bytes + size, .size = name.size - size};
    for (uint32_t i = 0; i < t->count; i++) {
        bool of_item = t->used[i].role == ROLE_CATEGORY || t->used[i].role == ROLE_MULTI;
        if (of_item && span_is(rest, t->used[i].name)) {
            return &t->used[i];
        }
    }
    return NULL;
}

static pique_status use_behaviours(table *t, const pq_csv_row *names, column_role *roles) {
    for (uint32_t i = 0; i < names->count; i++) {
        const used_column *of = roles[i] == ROLE_UNTOLD ? behaviour_of(t, names->fields[i]) : NULL;
        if (of) {
            roles[i] = ROLE_BEHAVIOUR;
            PQ_TRY(use_column(t, names->fields[i], ROLE_BEHAVIOUR));
            t->used[t->count - 1].feature = of->feature;
            t->behaviours = true;
        }
    }
    return PIQUE_OK;
}

static pique_status log_left_out(const table *t, const pq_csv_row *names,
                                 const column_role *roles) {
    pq_text text;
    uint32_t count = 0;
    pq_text_init(&text, t->builder->ctx);
    for (uint32_t i = 0; i < names->count; i++) {
        pq_span name = names->fields[i];
        char quote[PQ_QUOTE_SIZE];
        if (roles[i] == ROLE_UNTOLD && name.size && count++ < FEW) {
            pq_text_add(&text, "%s\"%s\"", count > 1 ? ", " : "",
                        pq_source_quote(quote, name.bytes, name.size));
        }
    }
    pique_status status = count ? pq_text_status(&text) : PIQUE_OK;
    if (status == PIQUE_OK && count) {
        pq_builder_log(t->builder, "%s: %lu columns left out: %s%s; schema.json can give roles",
                       t->source->name, (unsigned long)count, text.data, count > FEW ? " ..." : "");
    }
    pq_text_free(&text);
    return status;
}

static pique_status choose_columns(table *t, const pq_csv_row *names, column_role *roles) {
    for (uint32_t i = 0; i < names->count; i++) {
        roles[i] = role_of_name(names->fields[i]);
    }
    PQ_TRY(read_schema(t, names, roles));
    for (uint32_t i = 0; i < names->count; i++) {
        if (roles[i] != ROLE_SKIP && roles[i] != ROLE_UNTOLD) {
            PQ_TRY(use_column(t, names->fields[i], roles[i]));
        }
    }
    PQ_TRY(use_behaviours(t, names, roles));
    return log_left_out(t, names, roles);
}

/* Where the columns in use stand in this file. */
static pique_status find_columns(table *t, const pq_csv_row *names) {
    pq_ctx *ctx = t->builder->ctx;
    for (int role = 0; role < ROLE_PROFILE; role++) {
        t->single[role] = PQ_CSV_NONE;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        used_column *used = &t->used[i];
        if (used->role == ROLE_NEGATIVES) { /* only training wants them */
            used->column = pq_csv_column(names, used->name);
        } else {
            PQ_TRY(pq_csv_need(ctx, t->source, names, used->name, &used->column));
        }
        if (used->role < ROLE_PROFILE) {
            t->single[used->role] = used->column;
        }
    }
    return PIQUE_OK;
}

static pique_status check_columns(const table *t) {
    static const column_role needed[] = {ROLE_USER, ROLE_ITEM, ROLE_HISTORY};
    for (size_t i = 0; i < PQ_COUNT(needed); i++) {
        if (t->single[needed[i]] == PQ_CSV_NONE) {
            PQ_FAIL(t->builder->ctx, PIQUE_DATA,
                    "%s: no column is known as the %s; schema.json can say which is",
                    t->source->name, role_names[needed[i]]);
        }
    }
    return pq_reader_check_ratings(t->builder, t->source, t->single[ROLE_RATING] != PQ_CSV_NONE,
                                   t->single[ROLE_LABEL] != PQ_CSV_NONE);
}

static pique_status on_header(void *user, const pq_csv_row *names) {
    table *t = user;
    if (t->count == 0) {
        column_role *roles = pq_alloc(t->builder->ctx, names->count, sizeof(*roles));
        pique_status status = roles ? choose_columns(t, names, roles) : PIQUE_NO_MEMORY;
        pq_free(t->builder->ctx, roles);
        PQ_TRY(status);
    }
    PQ_TRY(find_columns(t, names));
    t->builder->ordered = t->single[ROLE_TIMESTAMP] == PQ_CSV_NONE;
    return check_columns(t);
}

/* ---- rows ---- */

static pq_span cell(const table *t, const pq_csv_row *row, column_role role) {
    uint32_t column = t->single[role];
    return column == PQ_CSV_NONE ? (pq_span){.bytes = NULL} : row->fields[column];
}

/* What the row says of its item, or of its user. */
static pique_status add_features(table *t, const pq_csv_row *row, pq_raw_table *owners,
                                 column_role id) {
    uint32_t owner;
    bool users = id == ROLE_USER;
    PQ_TRY(pq_builder_owner(t->builder, owners, cell(t, row, id), &owner));
    for (uint32_t i = 0; owner != PQ_NOT_FOUND && i < t->count; i++) {
        const used_column *used = &t->used[i];
        bool feature = used->role >= ROLE_PROFILE && used->role < ROLE_COUNT;
        if (feature && users == (used->role == ROLE_PROFILE)) {
            PQ_TRY(pq_builder_cell(t->builder, owners, used->feature, owner,
                                   row->fields[used->column], used->role == ROLE_MULTI ? '|' : 0));
        }
    }
    return PIQUE_OK;
}

/* Whether the column has no value, which may be empty, for each item of the history. */
static bool mismatch(const used_column *used, const pq_csv_row *row, size_t items) {
    if (used->role != ROLE_BEHAVIOUR) {
        return false;
    }
    size_t count = pq_history_length(row->fields[used->column]);
    return count != items && (count > 0 || items > 1);
}

static pique_status check_behaviours(const table *t, const pq_csv_row *row, bool *good) {
    size_t items = pq_history_length(cell(t, row, ROLE_HISTORY));
    *good = true;
    for (uint32_t i = 0; i < t->count && *good; i++) {
        if (mismatch(&t->used[i], row, items)) {
            char reason[128];
            pq_span values = row->fields[t->used[i].column];
            snprintf(
                reason, sizeof(reason), "%lu values in \"%.40s\" for the %lu items of the history",
                (unsigned long)pq_history_length(values), t->used[i].name, (unsigned long)items);
            *good = false;
            return pq_builder_bad(t->builder, reason);
        }
    }
    return PIQUE_OK;
}

/* What the row says of the items of its history that no row had as a candidate. */
static pique_status describe_history(table *t, const pq_csv_row *row) {
    pq_span items = cell(t, row, ROLE_HISTORY), rest[MOST_USED] = {{NULL, 0}};
    size_t count = pq_history_length(items);
    bool good = true;
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->used[i].role == ROLE_BEHAVIOUR) {
            rest[i] = row->fields[t->used[i].column];
            good = good && !mismatch(&t->used[i], row, count);
        }
    }
    for (size_t at = 0; good && at < count; at++) {
        pq_span id = pq_history_next(&items);
        uint32_t owner = PQ_NOT_FOUND;
        if (!pq_builder_id_problem(id)) {
            PQ_TRY(pq_builder_owner(t->builder, &t->builder->item_table, id, &owner));
        }
        for (uint32_t i = 0; i < t->count; i++) {
            pq_span value = pq_history_next(&rest[i]); /* of other roles: nothing */
            if (owner != PQ_NOT_FOUND && value.size) {
                PQ_TRY(pq_builder_cell(t->builder, &t->builder->item_table, t->used[i].feature,
                                       owner, value, 0));
            }
        }
    }
    return PIQUE_OK;
}

static pique_status on_row(void *user, const pq_csv_row *row) {
    table *t = user;
    bool added;
    t->builder->line = row->line;
    if (t->again) {
        return describe_history(t, row);
    }
    PQ_TRY(check_behaviours(t, row, &added));
    if (!added) {
        return PIQUE_OK;
    }
    const pq_raw_row raw = {.user = cell(t, row, ROLE_USER),
                            .item = cell(t, row, ROLE_ITEM),
                            .time = cell(t, row, ROLE_TIMESTAMP),
                            .rating = cell(t, row, ROLE_RATING),
                            .label = cell(t, row, ROLE_LABEL)};
    const pq_raw_history history = {.items = cell(t, row, ROLE_HISTORY),
                                    .negatives = cell(t, row, ROLE_NEGATIVES),
                                    .times = cell(t, row, ROLE_TIMES)};
    PQ_TRY(pq_builder_row_with_history(t->builder, &raw, &history, &added));
    if (!added) {
        return PIQUE_OK;
    }
    PQ_TRY(add_features(t, row, &t->builder->item_table, ROLE_ITEM));
    return add_features(t, row, &t->builder->user_table, ROLE_USER);
}

static pique_status on_bad(void *user, size_t line, const char *reason) {
    table *t = user;
    t->builder->line = line;
    return t->again ? PIQUE_OK : pq_builder_bad(t->builder, reason);
}

static pique_status read_file(table *t, const pq_source *source, bool test) {
    pq_csv_handler handler = {.header = on_header, .row = on_row, .bad = on_bad, .user = t};
    if (!source->bytes) {
        return PIQUE_OK;
    }
    t->source = source;
    t->builder->test_file = test;
    pq_builder_begin_file(t->builder, source->name);
    PQ_TRY(pq_csv_read(t->builder->ctx, source, &handler));
    pq_builder_end_file(t->builder);
    return PIQUE_OK;
}

static pique_status read_files(table *t, const pq_source *sources) {
    PQ_TRY(read_file(t, &sources[0], false));
    return read_file(t, &sources[1], true);
}

static pique_status read(pq_builder *b, const pq_source *sources) {
    table t = {.builder = b, .schema = &sources[2]};
    if (!b->options->labelled) {
        PQ_FAIL(b->ctx, PIQUE_DATA,
                "%s: rows with labels and histories of their own are for models that rank",
                sources[0].name);
    }
    PQ_TRY(pq_builder_table(b, &b->item_table, &b->items));
    PQ_TRY(pq_builder_table(b, &b->user_table, &b->users));
    b->item_table.repeats = true;
    b->user_table.repeats = true;
    pique_status status = read_files(&t, sources);
    if (status == PIQUE_OK && t.behaviours) {
        t.again = true;
        status = read_files(&t, sources);
    }
    for (uint32_t i = 0; i < t.count; i++) {
        pq_free(b->ctx, t.used[i].name);
    }
    return status;
}

/* A header that names a history. */
static bool fits(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    while (line.size) {
        const char *comma = memchr(line.bytes, ',', line.size);
        pq_span name = {.bytes = line.bytes,
                        .size = comma ? (size_t)(comma - line.bytes) : line.size};
        if (role_of_name(name) == ROLE_HISTORY) {
            return true;
        }
        size_t step = name.size + (comma != NULL);
        line.bytes += step;
        line.size -= step;
    }
    return false;
}

const pq_reader pq_reader_ctr = {
    .format = "ctr",
    .looks = "CSV with user,item,label,history",
    .files = {"train.csv", "test.csv", "schema.json", PQ_ABOUT_FILE},
    .fits = fits,
    .read = read,
};
