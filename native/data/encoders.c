/* encoders.c — from cells to codes, a column at a time: every owner's cells become (row, code) pairs, and these
 * the rows of a feature.
 *
 * Numbers are cut at the quantiles of the training values, in the middle between neighbours, so that equal
 * numbers share a bucket; or they are mapped to their quantiles. */
#include "native/data/encoders.h"

#include "base/buckets.h"
#include "base/decimal.h"
#include "base/words.h"
#include "native/data/vocabulary.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FEW_NUMBERS 20 /* so many different ones are rather categories: stars, floors, decades */
#define WORDS_OF_TEXT 5

typedef struct {
    pq_ctx *ctx;
    pq_raw_column *column;
    const uint32_t *numbers; /* raw item to item; NULL: users, who keep their numbers */
    const bool *trains;      /* [row_count] items with training events, users; NULL: all do */
    uint32_t row_count;
    pq_feature *out;
    /* The pairs so far. */
    uint32_t *rows, *values;
    size_t count, rows_capacity, values_capacity;
    uint32_t *latest; /* [values] row + 1 that last received the value: once is enough */
    size_t latest_capacity;
} encoding;

/* ---- pairs ---- */

static pique_status reserve(pq_ctx *ctx, uint32_t **numbers, size_t *capacity, size_t needed) {
    void *block = *numbers;
    pique_status status = pq_reserve(ctx, &block, capacity, needed, sizeof(**numbers));
    *numbers = block;
    return status;
}

/* PQ_NOT_FOUND for an item outside the vocabulary: such items share one number, and what is true of one of
 * them is not of the others. */
static uint32_t row_of(const encoding *e, uint32_t owner) {
    if (!e->numbers) {
        return owner;
    }
    return e->numbers[owner] == e->row_count - 1 ? PQ_NOT_FOUND : e->numbers[owner];
}

static bool is_new(encoding *e, uint32_t row, uint32_t value) {
    bool again = e->latest[value] == row + 1;
    e->latest[value] = row + 1;
    return !again;
}

static pique_status append(encoding *e, uint32_t row, uint32_t value) {
    PQ_TRY(reserve(e->ctx, &e->rows, &e->rows_capacity, e->count + 1));
    PQ_TRY(reserve(e->ctx, &e->values, &e->values_capacity, e->count + 1));
    e->rows[e->count] = row;
    e->values[e->count] = value;
    e->count++;
    return PIQUE_OK;
}

static pique_status add(encoding *e, uint32_t row, uint32_t value) {
    size_t before = e->latest_capacity;
    PQ_TRY(reserve(e->ctx, &e->latest, &e->latest_capacity, (size_t)value + 1));
    if (e->latest_capacity > before) {
        memset(e->latest + before, 0, (e->latest_capacity - before) * sizeof(*e->latest));
    }
    return is_new(e, row, value) ? append(e, row, value) : PIQUE_OK;
}

/* The pairs by row; the values of a row keep their order. */
static pique_status place(encoding *e) {
    pq_feature *f = e->out;
    f->offsets = pq_alloc(e->ctx, (size_t)e->row_count + 1, sizeof(*f->offsets));
    f->values = pq_alloc(e->ctx, e->count, sizeof(*f->values));
    if (!f->offsets || !f->values) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = 0; i < e->count; i++) {
        f->offsets[e->rows[i] + 1]++;
    }
    for (uint32_t row = 0; row < e->row_count; row++) {
        f->offsets[row + 1] += f->offsets[row];
    }
    for (size_t i = 0; i < e->count; i++) {
        f->values[f->offsets[e->rows[i]]++] = e->values[i];
    }
    memmove(f->offsets + 1, f->offsets, e->row_count * sizeof(*f->offsets));
    f->offsets[0] = 0;
    return PIQUE_OK;
}

/* Calls `encode` with every cell of a row that there is. */
typedef pique_status cell_encoder(encoding *e, void *user, uint32_t row, pq_span cell);

static pique_status each_cell(encoding *e, cell_encoder *encode, void *user) {
    const pq_raw_column *column = e->column;
    for (size_t i = 0; i < column->count; i++) {
        uint32_t row = row_of(e, column->owners[i]);
        pq_span cell;
        cell.bytes = pq_strings_get(&column->cells, column->values[i], &cell.size);
        if (row != PQ_NOT_FOUND) {
            PQ_TRY(encode(e, user, row, cell));
        }
    }
    return PIQUE_OK;
}

static bool is_full(const encoding *e, size_t before) {
    int32_t most = e->column->spec.max_values;
    return most > 0 && e->count - before >= (size_t)most;
}

/* ---- categories ---- */

/* The next value of the cell, which is stepped over: the last one when `from_end`. */
static pq_span next_term(pq_span *cell, char separator, bool from_end) {
    size_t first = 0, end = cell->size;
    while (from_end && first < end && cell->bytes[end - 1] != separator) {
        end--;
    }
    if (from_end) {
        pq_span last = {.bytes = cell->bytes + end, .size = cell->size - end};
        cell->size = end ? end - 1 : 0;
        return last;
    }
    while (first < end && cell->bytes[first] != separator) {
        first++;
    }
    pq_span term = {.bytes = cell->bytes, .size = first};
    cell->bytes += first + (first < end);
    cell->size -= first + (first < end);
    return term;
}

/* A sequence has its newest value last, and that comes first. */
static pique_status add_terms(encoding *e, void *user, uint32_t row, pq_span cell) {
    const pq_feature *f = e->out;
    size_t before = e->count;
    while (cell.size && !is_full(e, before)) {
        pq_span term = cell;
        if (f->separator) {
            term = next_term(&cell, f->separator, f->newest);
        } else {
            cell.size = 0;
        }
        if (term.size) {
            uint32_t number;
            PQ_TRY(pq_strings_add(user, term.bytes, term.size, &number));
            PQ_TRY(add(e, row, number));
        }
    }
    return PIQUE_OK;
}

/* Terms are numbered bytewise: all that count at all count the same. */
static pique_status number_terms(encoding *e, const pq_strings *terms, uint32_t *counts,
                                 uint32_t *numbers) {
    for (size_t i = 0; i < e->count; i++) {
        counts[e->values[i]] += !e->trains || e->trains[e->rows[i]];
    }
    for (uint32_t term = 0; term < terms->count; term++) {
        counts[term] = counts[term] >= (uint32_t)e->column->spec.min_count;
    }
    PQ_TRY(pq_vocabulary_make(e->ctx, terms, counts, 1, &e->out->terms, numbers));
    for (size_t i = 0; i < e->count; i++) {
        e->values[i] = numbers[e->values[i]];
    }
    e->out->rows = e->out->terms.count + 2;
    return PIQUE_OK;
}

static pique_status encode_categories(encoding *e) {
    pq_strings terms;
    pq_strings_init(&terms, e->ctx);
    uint32_t *counts = NULL, *numbers = NULL;
    pique_status status = each_cell(e, add_terms, &terms);
    if (status == PIQUE_OK) {
        counts = pq_alloc(e->ctx, terms.count, sizeof(*counts));
        numbers = pq_alloc(e->ctx, terms.count, sizeof(*numbers));
        status = counts && numbers ? number_terms(e, &terms, counts, numbers) : PIQUE_NO_MEMORY;
    }
    pq_strings_free(&terms);
    pq_free(e->ctx, counts);
    pq_free(e->ctx, numbers);
    return status;
}

/* ---- text ---- */

typedef struct {
    encoding *e;
    uint32_t row;
    size_t before; /* the cell's first pair */
    pique_status status;
} word_state;

static void take_word(void *user, uint32_t code) {
    word_state *s = user;
    if (s->status == PIQUE_OK && !is_full(s->e, s->before)) {
        s->status = add(s->e, s->row, code);
    }
}

static pique_status add_words(encoding *e, void *user, uint32_t row, pq_span cell) {
    word_state s = {.e = e, .row = row, .before = e->count};
    (void)user;
    pq_words(cell, e->out->words, take_word, &s);
    return s.status;
}

static pique_status encode_text(encoding *e) {
    e->out->words = (uint32_t)e->column->spec.buckets;
    e->out->rows = e->out->words + 2;
    return each_cell(e, add_words, NULL);
}

/* ---- numbers ---- */

static int compare(const void *left, const void *right) {
    const double *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

typedef struct {
    double *training; /* values that the boundaries are fitted on */
    size_t count;
    uint32_t *codes; /* [row_count], 0: none yet */
} number_state;

static pique_status take_number(encoding *e, void *user, uint32_t row, pq_span cell) {
    number_state *s = user;
    double value;
    if (pq_decimal_parse(cell.bytes, cell.size, &value) && (!e->trains || e->trains[row])) {
        s->training[s->count++] = value;
    }
    return PIQUE_OK;
}

static uint32_t code_of(const pq_feature *f, double value) {
    return f->quantile ? pq_quantile_code(pq_quantile(f->bounds, f->bound_count, value))
                       : pq_bucket(f->bounds, f->bound_count, value);
}

static pique_status code_number(encoding *e, void *user, uint32_t row, pq_span cell) {
    number_state *s = user;
    double value;
    if (pq_decimal_parse(cell.bytes, cell.size, &value)) {
        s->codes[row] = code_of(e->out, value);
    }
    return PIQUE_OK;
}

/* Boundaries of buckets in sorted numbers. */
static void fit_buckets(pq_feature *f, size_t buckets, const double *sorted, size_t count) {
    for (size_t b = 1; b < buckets; b++) {
        size_t at = (size_t)((double)b * (double)count / (double)buckets);
        while (at > 0 && at < count && sorted[at] == sorted[at - 1]) {
            at++;
        }
        if (at == 0 || at >= count) {
            continue;
        }
        double middle = sorted[at - 1] / 2 + sorted[at] / 2;
        bool fits = middle >= -FLT_MAX && middle <= FLT_MAX;
        uint32_t last = f->bound_count;
        if (fits && (last == 0 || (float)middle > f->bounds[last - 1])) {
            f->bounds[f->bound_count++] = (float)middle;
        }
    }
    f->rows = f->bound_count + 3;
}

static float to_float(double value) {
    return (float)PQ_MAX(-FLT_MAX, PQ_MIN(value, FLT_MAX));
}

/* Landmark j of Q is the quantile j / (Q - 1), which lies between two of the sorted numbers. */
static void fit_landmarks(pq_feature *f, size_t most, const double *sorted, size_t count) {
    f->bound_count = (uint32_t)PQ_MAX(PQ_MIN(most, count), 1);
    f->rows = PQ_QUANTILE_CODES;
    for (uint32_t j = 0; count > 0 && j < f->bound_count; j++) {
        double place = j ? (double)j * (double)(count - 1) / (f->bound_count - 1) : 0;
        size_t below = (size_t)place;
        double part = place - (double)below, value = sorted[below];
        if (part > 0 && sorted[below + 1] != value) {
            value = value * (1 - part) + sorted[below + 1] * part;
        }
        f->bounds[j] = to_float(value);
    }
}

/* What a missing number counts as. */
static float fit_fill(const pq_column_spec *spec, const double *sorted, size_t count) {
    if (spec->missing == PQ_MISSING_CONSTANT) {
        return to_float(spec->constant);
    }
    if (spec->missing == PQ_MISSING_OWN || count == 0) {
        return NAN;
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += sorted[i];
    }
    return to_float(spec->missing == PQ_MISSING_MEAN ? sum / (double)count
                                                     : sorted[(count - 1) / 2]);
}

static pique_status fit_numbers(encoding *e, const double *sorted, size_t count) {
    const pq_column_spec *spec = &e->column->spec;
    pq_feature *f = e->out;
    f->bounds = pq_alloc(e->ctx, (size_t)spec->buckets, sizeof(*f->bounds));
    if (!f->bounds) {
        return PIQUE_NO_MEMORY;
    }
    f->quantile = spec->quantile;
    if (f->quantile) {
        fit_landmarks(f, (size_t)spec->buckets, sorted, count);
    } else {
        fit_buckets(f, (size_t)spec->buckets, sorted, count);
    }
    f->fill = fit_fill(spec, sorted, count);
    f->missing = isnan(f->fill) ? f->rows - 1 : code_of(f, (double)f->fill);
    return PIQUE_OK;
}

static pique_status encode_rows(encoding *e, number_state *s) {
    PQ_TRY(each_cell(e, take_number, s));
    if (s->count) {
        qsort(s->training, s->count, sizeof(*s->training), compare);
    }
    PQ_TRY(fit_numbers(e, s->training, s->count));
    PQ_TRY(each_cell(e, code_number, s));
    /* Of items the first and the last row are PAD and UNKNOWN. */
    uint32_t first = e->numbers ? 1 : 0, end = e->row_count - (e->numbers ? 1 : 0);
    for (uint32_t row = first; row < end; row++) {
        PQ_TRY(append(e, row, s->codes[row] ? s->codes[row] : e->out->missing));
    }
    return PIQUE_OK;
}

static pique_status encode_numbers(encoding *e) {
    number_state s = {.training = pq_alloc(e->ctx, e->column->count, sizeof(*s.training)),
                      .codes = pq_alloc(e->ctx, e->row_count, sizeof(*s.codes))};
    e->out->is_number = true;
    pique_status status = s.training && s.codes ? encode_rows(e, &s) : PIQUE_NO_MEMORY;
    pq_free(e->ctx, s.training);
    pq_free(e->ctx, s.codes);
    return status;
}

/* ---- vectors ---- */

/* The builder has seen to it that every cell has as many numbers as the column. */
static pique_status add_numbers(encoding *e, void *user, uint32_t row, pq_span cell) {
    (void)user;
    for (uint32_t j = 0; j < e->out->width; j++) {
        pq_span part = next_term(&cell, e->out->separator, false);
        double number = 0;
        (void)pq_decimal_parse(part.bytes, part.size, &number);
        PQ_TRY(append(e, row, pq_number_code((float)number)));
    }
    return PIQUE_OK;
}

static pique_status encode_vectors(encoding *e) {
    e->out->width = (uint32_t)e->column->spec.width;
    e->out->rows = e->out->width + 2;
    e->out->trains_unknown = true; /* no code stands for it: nothing is to be filled in */
    return each_cell(e, add_numbers, NULL);
}

/* ---- what a column is ---- */

/* "007" is a name: as a number it would lose its zeros. */
static bool is_number(pq_span cell) {
    double value;
    bool padded =
        cell.size > 1 && cell.bytes[0] == '0' && cell.bytes[1] >= '0' && cell.bytes[1] <= '9';
    return !padded && pq_decimal_parse(cell.bytes, cell.size, &value);
}

static void count_code(void *user, uint32_t code) {
    (void)code;
    ++*(size_t *)user;
}

/* Each word but the first makes a pair too. */
static size_t count_words(pq_span cell) {
    size_t codes = 0;
    pq_words(cell, 1, count_code, &codes);
    return (codes + 1) / 2;
}

/* Numbers where all cells are, of items text where they are long and not joined, else categories. */
static pq_column_kind looks_like(const pq_raw_column *column, bool of_items) {
    size_t words = 0;
    uint32_t cells = column->cells.count;
    bool numbers = cells > FEW_NUMBERS, joined = false;
    for (uint32_t i = 0; i < cells; i++) {
        pq_span cell;
        cell.bytes = pq_strings_get(&column->cells, i, &cell.size);
        numbers = numbers && is_number(cell);
        joined = joined || memchr(cell.bytes, column->spec.separator, cell.size);
        words += of_items ? count_words(cell) : 0;
    }
    if (numbers) {
        return PQ_COLUMN_NUMBER;
    }
    if (of_items && cells > FEW_NUMBERS && !joined && words >= (size_t)cells * WORDS_OF_TEXT) {
        return PQ_COLUMN_TEXT;
    }
    return of_items ? PQ_COLUMN_MULTI : PQ_COLUMN_CATEGORY;
}

static void infer(pq_builder *b, const pq_raw_table *table, pq_raw_column *column) {
    pq_column_kind kind = looks_like(column, table == &b->item_table);
    char separator = column->spec.separator;
    column->spec = pq_column_spec_default(kind);
    column->spec.separator = separator;
    if (kind == PQ_COLUMN_NUMBER || kind == PQ_COLUMN_TEXT) {
        pq_builder_log(b, "%s: column \"%s\" is taken for %s", table->part, column->name,
                       kind == PQ_COLUMN_NUMBER ? "numbers" : "text");
    }
}

/* ---- the whole ---- */

/* A profile's cells stay, for models that have encoders of their own. */
static pique_status keep_cells(encoding *e) {
    pq_raw_column *column = e->column;
    e->out->cell = pq_alloc(e->ctx, e->row_count, sizeof(*e->out->cell));
    if (!e->out->cell) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t i = column->count; i-- > 0;) {
        e->out->cell[column->owners[i]] = column->values[i] + 1;
    }
    pq_strings_free(&e->out->cells);
    e->out->cells = column->cells;
    pq_strings_init(&column->cells, e->ctx);
    return PIQUE_OK;
}

static pique_status encode(encoding *e) {
    const pq_column_spec *spec = &e->column->spec;
    bool joined = spec->kind == PQ_COLUMN_MULTI || spec->kind == PQ_COLUMN_SEQUENCE ||
                  spec->kind == PQ_COLUMN_VECTOR;
    e->out->separator = joined ? spec->separator : 0;
    e->out->newest = spec->kind == PQ_COLUMN_SEQUENCE;
    e->out->most = (uint32_t)spec->max_values;
    switch (spec->kind) {
    case PQ_COLUMN_NUMBER:
        PQ_TRY(encode_numbers(e));
        break;
    case PQ_COLUMN_TEXT:
        PQ_TRY(encode_text(e));
        break;
    case PQ_COLUMN_VECTOR:
        PQ_TRY(encode_vectors(e));
        break;
    default:
        PQ_TRY(encode_categories(e));
    }
    for (size_t i = 0; i < e->count; i++) {
        bool unknown = e->values[i] == e->out->rows - 1;
        e->out->trains_unknown |= unknown && (!e->trains || e->trains[e->rows[i]]);
    }
    PQ_TRY(place(e));
    return e->numbers ? PIQUE_OK : keep_cells(e);
}

static pique_status encode_column(const pq_builder *b, const encoding *common,
                                  pq_raw_column *column, pq_feature *out) {
    encoding e = *common;
    e.column = column;
    e.out = out;
    out->name = column->name;
    column->name = NULL;
    pq_strings_init(&out->terms, b->ctx);
    pq_strings_init(&out->cells, b->ctx);
    pique_status status = encode(&e);
    pq_free(e.ctx, e.rows);
    pq_free(e.ctx, e.values);
    pq_free(e.ctx, e.latest);
    return status;
}

static pique_status encode_table(pq_builder *b, pq_raw_table *table, const encoding *common,
                                 pq_feature **out, uint32_t *count) {
    if (table->count == 0) {
        return PIQUE_OK;
    }
    *out = pq_alloc(b->ctx, table->count, sizeof(**out));
    if (!*out) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        pq_raw_column *column = &table->columns[i];
        if (column->spec.kind == PQ_COLUMN_AUTO) {
            infer(b, table, column);
        }
        if (column->spec.kind != PQ_COLUMN_SKIP) {
            pq_feature *feature = &(*out)[(*count)++];
            PQ_TRY(encode_column(b, common, column, feature));
        }
    }
    return PIQUE_OK;
}

pique_status pq_encode_tables(pq_builder *b, pique_dataset *d, const uint32_t *numbers) {
    bool *trains = d->labelled ? pq_alloc(b->ctx, d->user_count, sizeof(*trains)) : NULL;
    bool *trained = pq_alloc(b->ctx, d->item_rows, sizeof(*trained));
    if ((d->labelled && !trains) || !trained) {
        pq_free(b->ctx, trains);
        pq_free(b->ctx, trained);
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < d->item_rows; i++) {
        trained[i] = d->popularity[i] > 0;
    }
    for (uint64_t i = 0; trains && i < d->labelled_count; i++) {
        trains[d->labelled[i].user] |= d->labelled[i].split == PQ_SPLIT_TRAIN;
    }
    encoding items = {
        .ctx = b->ctx, .numbers = numbers, .trains = trained, .row_count = d->item_rows};
    encoding users = {.ctx = b->ctx, .trains = trains, .row_count = d->user_count};
    pique_status status =
        encode_table(b, &b->item_table, &items, &d->item_features, &d->item_feature_count);
    if (status == PIQUE_OK) {
        status = encode_table(b, &b->user_table, &users, &d->profile, &d->profile_count);
    }
    pq_free(b->ctx, trains);
    pq_free(b->ctx, trained);
    return status;
}
