/* reader_movielens.c — the two layouts of the MovieLens data sets.
 *
 * CSV (ml-latest and later): ratings.csv userId,movieId,rating,timestamp; movies.csv movieId,title,
 * genres. Lines (ML-1M, ML-10M): ratings.dat user::movie::rating::timestamp; movies.dat
 * movie::title::genres; users.dat user::gender::age::occupation::zip.
 *
 * Of a movie we take the genres and the year that ends its title, of a user gender, age and
 * occupation, all as categories unless schema.json says otherwise. The .dat files are Latin-1, but only
 * their titles are not ASCII. */
#include "native/data/csv_rows.h"
#include "native/data/readers.h"

#include <stdio.h>
#include <string.h>

#define NO_GENRES "(no genres listed)"
#define MOST_PARTS 8

enum { GENRES, YEAR };            /* columns of the items' table */
enum { GENDER, AGE, OCCUPATION }; /* columns of the users' table */

static pq_span text_span(const char *text) {
    return (pq_span){.bytes = text, .size = strlen(text)};
}

static bool span_is(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "1995" from "Title (1995)" or "Series (1995-1999)"; empty when no year ends the title. */
static pq_span title_year(pq_span title) {
    size_t at = title.size;
    while (at > 0 && title.bytes[at - 1] != '(') {
        at--;
    }
    pq_span none = {.bytes = title.bytes, .size = 0};
    if (at == 0 || title.size - at < 5) {
        return none;
    }
    const char *year = title.bytes + at;
    for (int i = 0; i < 4; i++) {
        if (!is_digit(year[i])) {
            return none;
        }
    }
    if (is_digit(year[4]) || !memchr(year, ')', title.size - at)) {
        return none;
    }
    return (pq_span){.bytes = year, .size = 4};
}

static pique_status begin_movies(pq_builder *builder) {
    pq_raw_table *table = &builder->item_table;
    PQ_TRY(pq_builder_table(builder, table, &builder->items));
    PQ_TRY(pq_builder_column(builder, table, text_span("genres")));
    PQ_TRY(pq_builder_column(builder, table, text_span("year")));
    return pq_builder_check_schema(builder, table, "the films' table");
}

static pique_status add_movie(pq_builder *builder, pq_span movie, pq_span title, pq_span genres) {
    pq_raw_table *table = &builder->item_table;
    uint32_t owner;
    PQ_TRY(pq_builder_owner(builder, table, movie, &owner));
    if (owner == PQ_NOT_FOUND) {
        return PIQUE_OK;
    }
    if (!span_is(genres, NO_GENRES)) {
        PQ_TRY(pq_builder_cell(builder, table, GENRES, owner, genres, '|'));
    }
    return pq_builder_cell(builder, table, YEAR, owner, title_year(title), 0);
}

/* ---- CSV ---- */

typedef struct {
    pq_builder *builder;
    const pq_source *source;
    uint32_t user, movie, rating, time; /* columns of ratings.csv; movie of movies.csv too */
    uint32_t title, genres;             /* columns of movies.csv */
} csv_state;

static pique_status on_bad(void *user, size_t line, const char *reason) {
    csv_state *s = user;
    s->builder->line = line;
    return pq_builder_bad(s->builder, reason);
}

static pique_status ratings_header(void *user, const pq_csv_row *names) {
    csv_state *s = user;
    pq_ctx *ctx = s->builder->ctx;
    PQ_TRY(pq_csv_need(ctx, s->source, names, "userId", &s->user));
    PQ_TRY(pq_csv_need(ctx, s->source, names, "movieId", &s->movie));
    PQ_TRY(pq_csv_need(ctx, s->source, names, "rating", &s->rating));
    return pq_csv_need(ctx, s->source, names, "timestamp", &s->time);
}

static pique_status ratings_row(void *user, const pq_csv_row *row) {
    csv_state *s = user;
    s->builder->line = row->line;
    pq_raw_row raw = {.user = row->fields[s->user],
                      .item = row->fields[s->movie],
                      .time = row->fields[s->time],
                      .rating = row->fields[s->rating]};
    return pq_builder_row(s->builder, &raw);
}

static pique_status movies_header(void *user, const pq_csv_row *names) {
    csv_state *s = user;
    pq_ctx *ctx = s->builder->ctx;
    PQ_TRY(pq_csv_need(ctx, s->source, names, "movieId", &s->movie));
    PQ_TRY(pq_csv_need(ctx, s->source, names, "title", &s->title));
    return pq_csv_need(ctx, s->source, names, "genres", &s->genres);
}

static pique_status movies_row(void *user, const pq_csv_row *row) {
    csv_state *s = user;
    s->builder->line = row->line;
    return add_movie(s->builder, row->fields[s->movie], row->fields[s->title],
                     row->fields[s->genres]);
}

static pique_status read_csv_file(pq_builder *builder, const pq_source *source,
                                  const pq_csv_handler *handler) {
    csv_state state = {.builder = builder, .source = source};
    pq_csv_handler with_state = *handler;
    with_state.user = &state;
    pq_builder_begin_file(builder, source->name);
    PQ_TRY(pq_csv_read(builder->ctx, source, &with_state));
    pq_builder_end_file(builder);
    return PIQUE_OK;
}

static pique_status read_csv(pq_builder *builder, const pq_source *sources) {
    static const pq_csv_handler ratings = {
        .header = ratings_header, .row = ratings_row, .bad = on_bad};
    static const pq_csv_handler movies = {
        .header = movies_header, .row = movies_row, .bad = on_bad};
    PQ_TRY(pq_schema_open(builder->ctx, &sources[2], &builder->schema));
    PQ_TRY(read_csv_file(builder, &sources[0], &ratings));
    if (!sources[1].bytes) {
        pq_builder_log(builder, "%s is not there: items have no genres", sources[1].name);
        return PIQUE_OK;
    }
    PQ_TRY(begin_movies(builder));
    PQ_TRY(read_csv_file(builder, &sources[1], &movies));
    pq_reader_end_table(builder, &builder->item_table, "items");
    return PIQUE_OK;
}

static bool fits_csv(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    while (line.size) {
        const char *comma = memchr(line.bytes, ',', line.size);
        pq_span name = {.bytes = line.bytes,
                        .size = comma ? (size_t)(comma - line.bytes) : line.size};
        if (span_is(name, "userId") || span_is(name, "movieId")) {
            return true;
        }
        size_t step = name.size + (comma ? 1 : 0);
        line.bytes += step;
        line.size -= step;
    }
    return false;
}

/* ---- lines ---- */

/* Cuts at "::". Returns the number of parts, which may be more than `parts` holds. */
static size_t split_line(pq_span line, pq_span parts[MOST_PARTS]) {
    size_t count = 0;
    size_t start = 0;
    for (size_t at = 0; at <= line.size; at++) {
        bool last = at == line.size;
        if (last || (at + 1 < line.size && line.bytes[at] == ':' && line.bytes[at + 1] == ':')) {
            if (count < MOST_PARTS) {
                parts[count] = (pq_span){.bytes = line.bytes + start, .size = at - start};
            }
            count++;
            start = at + 2;
            at += !last;
        }
    }
    return count;
}

static pique_status wrong_count(pq_builder *builder, size_t count, const char *wanted) {
    char reason[96];
    snprintf(reason, sizeof(reason), "%lu fields between \"::\" where %s belong",
             (unsigned long)count, wanted);
    return pq_builder_bad(builder, reason);
}

static pique_status ratings_line(void *user, size_t number, pq_span line) {
    pq_builder *builder = user;
    pq_span parts[MOST_PARTS];
    size_t count = split_line(line, parts);
    builder->line = number;
    if (count != 4) {
        return wrong_count(builder, count, "user, movie, rating and time");
    }
    pq_raw_row raw = {.user = parts[0], .item = parts[1], .rating = parts[2], .time = parts[3]};
    return pq_builder_row(builder, &raw);
}

/* A title may hold "::" itself: the movie comes before the first, the genres after the last. */
static pique_status movies_line(void *user, size_t number, pq_span line) {
    pq_builder *builder = user;
    pq_span parts[MOST_PARTS];
    size_t count = split_line(line, parts);
    builder->line = number;
    if (count < 3 || count > MOST_PARTS) {
        return wrong_count(builder, count, "movie, title and genres");
    }
    const char *begin = parts[1].bytes;
    const pq_span *last = &parts[count - 2];
    pq_span title = {.bytes = begin, .size = (size_t)(last->bytes + last->size - begin)};
    return add_movie(builder, parts[0], title, parts[count - 1]);
}

static pique_status users_line(void *user, size_t number, pq_span line) {
    pq_builder *builder = user;
    pq_raw_table *table = &builder->user_table;
    pq_span parts[MOST_PARTS];
    size_t count = split_line(line, parts);
    builder->line = number;
    if (count != 5) {
        return wrong_count(builder, count, "user, gender, age, occupation and zip code");
    }
    uint32_t owner;
    PQ_TRY(pq_builder_owner(builder, table, parts[0], &owner));
    if (owner == PQ_NOT_FOUND) {
        return PIQUE_OK;
    }
    PQ_TRY(pq_builder_cell(builder, table, GENDER, owner, parts[1], 0));
    PQ_TRY(pq_builder_cell(builder, table, AGE, owner, parts[2], 0));
    return pq_builder_cell(builder, table, OCCUPATION, owner, parts[3], 0);
}

static pique_status read_lines(pq_builder *builder, const pq_source *source,
                               pq_line_callback *line) {
    pq_builder_begin_file(builder, source->name);
    PQ_TRY(pq_source_lines(source, line, builder));
    pq_builder_end_file(builder);
    return PIQUE_OK;
}

static pique_status read_dat(pq_builder *builder, const pq_source *sources) {
    PQ_TRY(pq_schema_open(builder->ctx, &sources[3], &builder->schema));
    PQ_TRY(read_lines(builder, &sources[0], ratings_line));
    if (sources[1].bytes) {
        PQ_TRY(begin_movies(builder));
        PQ_TRY(read_lines(builder, &sources[1], movies_line));
        pq_reader_end_table(builder, &builder->item_table, "items");
    }
    if (sources[2].bytes) {
        pq_raw_table *table = &builder->user_table;
        PQ_TRY(pq_builder_table(builder, table, &builder->users));
        PQ_TRY(pq_builder_column(builder, table, text_span("gender")));
        PQ_TRY(pq_builder_column(builder, table, text_span("age")));
        PQ_TRY(pq_builder_column(builder, table, text_span("occupation")));
        PQ_TRY(pq_builder_check_schema(builder, table, sources[2].name));
        PQ_TRY(read_lines(builder, &sources[2], users_line));
        pq_reader_end_table(builder, table, "users");
    }
    return PIQUE_OK;
}

static bool fits_dat(const pq_source *first) {
    pq_span parts[MOST_PARTS];
    return split_line(pq_source_first_line(first), parts) >= 3;
}

const pq_reader pq_reader_movielens_csv = {
    .format = "movielens",
    .looks = "CSV with userId,movieId,rating,timestamp",
    .files = {"ratings.csv", "movies.csv", PQ_SCHEMA_FILE},
    .fits = fits_csv,
    .read = read_csv,
};

const pq_reader pq_reader_movielens_dat = {
    .format = "movielens",
    .looks = "lines of user::movie::rating::time",
    .files = {"ratings.dat", "movies.dat", "users.dat", PQ_SCHEMA_FILE},
    .fits = fits_dat,
    .read = read_dat,
};
