/* corpus.c — reads the items, counts terms, weighs them. */
#include "native/content/corpus.h"

#include "base/decimal.h"
#include "base/number.h"
#include "native/content/html_words.h"
#include "native/data/csv_rows.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_WEIGHT 2 /* a word of the title counts as often */
#define MOST_COLUMNS 16

typedef struct {
    uint32_t column[MOST_COLUMNS]; /* of the file */
    uint32_t count;
} column_list;

/* Growing arrays, one entry for each term of each item in the order of the file. */
typedef struct {
    uint32_t *terms;
    uint32_t *counts;
    size_t terms_capacity, counts_capacity;
} postings;

typedef struct {
    double popularity;
    uint32_t row; /* in the file, from 0 */
} place;

typedef struct {
    pq_corpus *corpus;
    const pq_source *source;
    const pique_content_options *options;
    uint32_t id, votes;
    column_list titles, texts, tags;
    pq_strings ids, terms; /* in the order of the file */
    postings all;
    uint32_t *row; /* term numbers of the item that is being read, repeated as they come */
    size_t row_count, row_capacity;
    uint32_t weight; /* of the words that come */
    size_t *ends;    /* [ids.count] into the postings */
    place *places;   /* [ids.count] */
    uint32_t *file_tags, *tag_ends;
    size_t ends_capacity, places_capacity, tags_capacity, tag_ends_capacity;
    pq_text folded;
} reading;

/* ---- columns ---- */

/* The first of `names` (joined by '|') that the header has. */
static uint32_t first_column(const pq_csv_row *header, const char *names) {
    uint32_t found = PQ_CSV_NONE;
    for (const char *at = names; *at && found == PQ_CSV_NONE;) {
        char name[32];
        size_t size = strcspn(at, "|");
        memcpy(name, at, size);
        name[size] = 0;
        found = pq_csv_column(header, name);
        at += size + (at[size] ? 1 : 0);
    }
    return found;
}

/* Columns joined by ',' that were asked for, or the one of that name if there is one. */
static pique_status find_columns(const reading *r, const pq_csv_row *header, const char *asked,
                                 const char *otherwise, column_list *out) {
    pq_ctx *ctx = r->corpus->ctx;
    if (!asked) {
        out->column[0] = pq_csv_column(header, otherwise);
        out->count = out->column[0] != PQ_CSV_NONE;
        return PIQUE_OK;
    }
    for (const char *at = asked; *at;) {
        char name[128];
        size_t size = strcspn(at, ",");
        if (size == 0 || size >= sizeof(name) || out->count == MOST_COLUMNS) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "columns \"%s\": an empty or overlong name, or too many",
                    asked);
        }
        memcpy(name, at, size);
        name[size] = 0;
        PQ_TRY(pq_csv_need(ctx, r->source, header, name, &out->column[out->count++]));
        at += size + (at[size] ? 1 : 0);
    }
    return PIQUE_OK;
}

static pique_status on_header(void *user, const pq_csv_row *header) {
    reading *r = user;
    const pique_content_options *o = r->options;
    pq_ctx *ctx = r->corpus->ctx;
    r->id = o->id ? PQ_CSV_NONE : first_column(header, "id|item|url");
    if (r->id == PQ_CSV_NONE) {
        PQ_TRY(pq_csv_need(ctx, r->source, header, o->id ? o->id : "id", &r->id));
    }
    r->votes = pq_csv_column(header, "popularity");
    if (o->popularity) {
        PQ_TRY(pq_csv_need(ctx, r->source, header, o->popularity, &r->votes));
    }
    PQ_TRY(find_columns(r, header, o->title, "title", &r->titles));
    PQ_TRY(find_columns(r, header, o->text, "text", &r->texts));
    PQ_TRY(find_columns(r, header, o->tags, "tags", &r->tags));
    if (r->titles.count + r->texts.count + r->tags.count == 0) {
        uint32_t none; /* the message shows what the header has */
        PQ_TRY(pq_csv_need(ctx, r->source, header, "text", &none));
    }
    return PIQUE_OK;
}

/* ---- rows ---- */

static pique_status append(reading *r, uint32_t **array, size_t *capacity, size_t at,
                           uint32_t value) {
    void *block = *array;
    PQ_TRY(pq_reserve(r->corpus->ctx, &block, capacity, at + 1, sizeof(**array)));
    *array = block;
    (*array)[at] = value;
    return PIQUE_OK;
}

static pique_status on_word(void *user, const char *bytes, size_t size) {
    reading *r = user;
    uint32_t term;
    PQ_TRY(pq_strings_add(&r->terms, bytes, size, &term));
    for (uint32_t i = 0; i < r->weight; i++) {
        PQ_TRY(append(r, &r->row, &r->row_capacity, r->row_count, term));
        r->row_count++;
    }
    return PIQUE_OK;
}

static pique_status add_words(reading *r, const pq_csv_row *row, const column_list *columns,
                              uint32_t weight) {
    r->weight = weight;
    for (uint32_t i = 0; i < columns->count; i++) {
        pq_span cell = row->fields[columns->column[i]];
        PQ_TRY(pq_html_words(cell.bytes, cell.size, on_word, r));
    }
    return PIQUE_OK;
}

/* The tag as a category of the item, and its term, which no word is: a blank stands before it. */
static pique_status add_tag(reading *r, const char *bytes, size_t size, size_t *tag_count) {
    uint32_t tag;
    r->folded.size = 0;
    pq_text_bytes(&r->folded, " ", 1);
    pq_html_words_fold(&r->folded, bytes, size);
    PQ_TRY(pq_text_status(&r->folded));
    if (r->folded.size == 1) {
        return PIQUE_OK;
    }
    PQ_TRY(on_word(r, r->folded.data, r->folded.size));
    PQ_TRY(pq_strings_add(&r->corpus->tags, r->folded.data + 1, r->folded.size - 1, &tag));
    PQ_TRY(append(r, &r->file_tags, &r->tags_capacity, *tag_count, tag));
    (*tag_count)++;
    return PIQUE_OK;
}

static pique_status add_tags(reading *r, const pq_csv_row *row, uint32_t item) {
    size_t count = item ? r->tag_ends[item - 1] : 0;
    r->weight = 1;
    for (uint32_t i = 0; i < r->tags.count; i++) {
        pq_span cell = row->fields[r->tags.column[i]];
        for (size_t at = 0, size; at < cell.size; at += size + 1) {
            size = 0;
            while (at + size < cell.size && !strchr("|,;", cell.bytes[at + size])) {
                size++;
            }
            PQ_TRY(add_tag(r, cell.bytes + at, size, &count));
        }
    }
    return append(r, &r->tag_ends, &r->tag_ends_capacity, item, (uint32_t)count);
}

static int by_number(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

/* The terms of an item, each with its count. */
static pique_status add_postings(reading *r, uint32_t item) {
    pq_ctx *ctx = r->corpus->ctx;
    size_t at = item ? r->ends[item - 1] : 0;
    if (r->row_count > 0) {
        qsort(r->row, r->row_count, sizeof(*r->row), by_number);
    }
    for (size_t i = 0, next; i < r->row_count; i = next) {
        next = i + 1;
        while (next < r->row_count && r->row[next] == r->row[i]) {
            next++;
        }
        PQ_TRY(append(r, &r->all.terms, &r->all.terms_capacity, at, r->row[i]));
        PQ_TRY(append(r, &r->all.counts, &r->all.counts_capacity, at, (uint32_t)(next - i)));
        at++;
    }
    void *ends = r->ends;
    PQ_TRY(pq_reserve(ctx, &ends, &r->ends_capacity, (size_t)item + 1, sizeof(*r->ends)));
    r->ends = ends;
    r->ends[item] = at;
    return PIQUE_OK;
}

static pique_status fail_row(const reading *r, size_t line, const char *reason) {
    PQ_FAIL(r->corpus->ctx, PIQUE_DATA, "%s:%lu: %s", r->source->name, (unsigned long)line, reason);
}

static pique_status add_place(reading *r, const pq_csv_row *row, uint32_t item) {
    double popularity = 0;
    if (r->votes != PQ_CSV_NONE) {
        pq_span cell = row->fields[r->votes];
        if (cell.size && !pq_decimal_parse(cell.bytes, cell.size, &popularity)) {
            return fail_row(r, row->line, "the popularity is not a number");
        }
    }
    void *places = r->places;
    PQ_TRY(pq_reserve(r->corpus->ctx, &places, &r->places_capacity, (size_t)item + 1,
                      sizeof(*r->places)));
    r->places = places;
    r->places[item] = (place){popularity, item};
    return PIQUE_OK;
}

static bool is_utf8(const pq_csv_row *row, const column_list *columns) {
    bool good = true;
    for (uint32_t i = 0; i < columns->count; i++) {
        pq_span cell = row->fields[columns->column[i]];
        good = good && pq_utf8_valid(cell.bytes, cell.size);
    }
    return good;
}

static pique_status on_row(void *user, const pq_csv_row *row) {
    reading *r = user;
    pq_span id = row->fields[r->id];
    uint32_t item;
    if (id.size == 0 || !pq_utf8_valid(id.bytes, id.size)) {
        return fail_row(r, row->line, id.size ? "the id is not valid UTF-8" : "an empty id");
    }
    if (pq_strings_find(&r->ids, id.bytes, id.size) != PQ_NOT_FOUND) {
        return fail_row(r, row->line, "the id stands twice");
    }
    PQ_TRY(pq_strings_add(&r->ids, id.bytes, id.size, &item));
    r->row_count = 0;
    PQ_TRY(add_words(r, row, &r->titles, TITLE_WEIGHT));
    PQ_TRY(add_words(r, row, &r->texts, 1));
    PQ_TRY(add_words(r, row, &r->tags, 1));
    PQ_TRY(add_tags(r, row, item));
    r->corpus->not_utf8 +=
        !is_utf8(row, &r->titles) || !is_utf8(row, &r->texts) || !is_utf8(row, &r->tags);
    PQ_TRY(add_postings(r, item));
    return add_place(r, row, item);
}

static pique_status on_bad(void *user, size_t line, const char *reason) {
    return fail_row(user, line, reason);
}

/* ---- the matrix ---- */

static int by_popularity(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->popularity != b->popularity) {
        return a->popularity > b->popularity ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Numbers the terms that several items have, in the order of their coming, and tells how many items that are.
 * numbers [terms], 0: left out. */
static uint32_t number_terms(const reading *r, uint32_t *numbers, uint32_t *frequency) {
    uint32_t count = 0;
    size_t total = r->ends[r->ids.count - 1];
    for (size_t i = 0; i < total; i++) {
        frequency[r->all.terms[i]]++;
    }
    for (uint32_t t = 0; t < r->terms.count; t++) {
        numbers[t] = frequency[t] > 1 ? ++count : 0;
    }
    return count;
}

static void fill_row(const reading *r, uint32_t row, const uint32_t *numbers,
                     const uint32_t *frequency, uint32_t to) {
    pq_sparse *a = &r->corpus->matrix;
    size_t at = a->starts[to];
    double square = 0;
    for (size_t i = row ? r->ends[row - 1] : 0; i < r->ends[row]; i++) {
        uint32_t term = r->all.terms[i];
        if (numbers[term]) {
            double value =
                (1 + pq_log(r->all.counts[i])) * pq_log((1.0 + r->ids.count) / frequency[term]);
            a->columns[at] = numbers[term] - 1;
            a->values[at++] = value;
            square += value * value;
        }
    }
    a->starts[to + 1] = at;
    for (size_t i = a->starts[to]; i < at; i++) {
        a->values[i] /= pq_sqrt(square);
    }
    r->corpus->empty += at == a->starts[to];
}

static pique_status make_matrix(const reading *r) {
    pq_corpus *c = r->corpus;
    pq_ctx *ctx = c->ctx;
    pq_sparse *a = &c->matrix;
    size_t total = r->ends[r->ids.count - 1];
    uint32_t *numbers = pq_alloc(ctx, (size_t)r->terms.count + 1, sizeof(*numbers));
    uint32_t *frequency = pq_alloc(ctx, (size_t)r->terms.count + 1, sizeof(*frequency));
    a->rows = r->ids.count;
    a->starts = pq_alloc(ctx, (size_t)a->rows + 1, sizeof(*a->starts));
    a->columns = pq_alloc(ctx, total + 1, sizeof(*a->columns));
    a->values = pq_alloc(ctx, total + 1, sizeof(*a->values));
    bool ready = numbers && frequency && a->starts && a->columns && a->values;
    if (ready) {
        a->cols = number_terms(r, numbers, frequency);
        for (uint32_t i = 0; i < a->rows; i++) {
            fill_row(r, r->places[i].row, numbers, frequency, i);
        }
    }
    pq_free(ctx, numbers);
    pq_free(ctx, frequency);
    return ready ? PIQUE_OK : PIQUE_NO_MEMORY;
}

/* Ids and tags in the order of the items. */
static pique_status order_items(const reading *r) {
    pq_corpus *c = r->corpus;
    size_t total = r->tag_ends[r->ids.count - 1];
    c->tag_offsets = pq_alloc(c->ctx, (size_t)r->ids.count + 1, sizeof(*c->tag_offsets));
    c->tag_values = pq_alloc(c->ctx, total + 1, sizeof(*c->tag_values));
    if (!c->tag_offsets || !c->tag_values) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < r->ids.count; i++) {
        uint32_t row = r->places[i].row, number, at = c->tag_offsets[i];
        size_t size;
        const char *id = pq_strings_get(&r->ids, row, &size);
        PQ_TRY(pq_strings_add(&c->items, id, size, &number));
        for (uint32_t t = row ? r->tag_ends[row - 1] : 0; t < r->tag_ends[row]; t++) {
            c->tag_values[at++] = r->file_tags[t];
        }
        c->tag_offsets[i + 1] = at;
    }
    return PIQUE_OK;
}

static pique_status parse(reading *r) {
    pq_ctx *ctx = r->corpus->ctx;
    pq_csv_handler handler = {.header = on_header, .row = on_row, .bad = on_bad, .user = r};
    PQ_TRY(pq_csv_read(ctx, r->source, &handler));
    if (r->ids.count == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: no items", r->source->name);
    }
    qsort(r->places, r->ids.count, sizeof(*r->places), by_popularity);
    PQ_TRY(make_matrix(r));
    return order_items(r);
}

pique_status pq_corpus_parse(pq_corpus *corpus, pq_ctx *ctx, const pq_source *source,
                             const pique_content_options *options) {
    *corpus = (pq_corpus){.ctx = ctx};
    pq_strings_init(&corpus->items, ctx);
    pq_strings_init(&corpus->tags, ctx);
    reading r = {.corpus = corpus, .source = source, .options = options};
    pq_strings_init(&r.ids, ctx);
    pq_strings_init(&r.terms, ctx);
    pq_text_init(&r.folded, ctx);
    pique_status status = parse(&r);
    pq_strings_free(&r.ids);
    pq_strings_free(&r.terms);
    pq_text_free(&r.folded);
    pq_free(ctx, r.all.terms);
    pq_free(ctx, r.all.counts);
    pq_free(ctx, r.row);
    pq_free(ctx, r.ends);
    pq_free(ctx, r.places);
    pq_free(ctx, r.file_tags);
    pq_free(ctx, r.tag_ends);
    return status;
}

void pq_corpus_free(pq_corpus *corpus) {
    pq_ctx *ctx = corpus->ctx;
    pq_strings_free(&corpus->items);
    pq_strings_free(&corpus->tags);
    pq_free(ctx, corpus->matrix.starts);
    pq_free(ctx, corpus->matrix.columns);
    pq_free(ctx, corpus->matrix.values);
    pq_free(ctx, corpus->tag_offsets);
    pq_free(ctx, corpus->tag_values);
    *corpus = (pq_corpus){0};
}
