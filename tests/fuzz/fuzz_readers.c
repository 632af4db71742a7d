/* fuzz_readers.c — any bytes as the files of a data set: refused with a message, or a data set whose
 * parts agree. The first byte chooses the reader (c, m, d, r, s; l: labelled CSV; t: labelled tables with
 * histories; k: the catalogue of a simulation; o: a table of texts), a capital makes it strict; the files follow, separated by the
 * byte 0x1e. */
#include "fuzzing.h"

#include "base/buckets.h"
#include "native/content/factors.h"
#include "native/data/catalog.h"
#include "native/data/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_feature(const pq_feature *feature, uint32_t owners) {
    uint32_t values = feature->quantile    ? PQ_QUANTILE_CODES - 2
                      : feature->is_number ? feature->bound_count + 1
                      : feature->words     ? feature->words
                                           : feature->terms.count;
    fuzzing_check(feature->rows == values + 2 && feature->offsets[0] == 0);
    fuzzing_check(pq_buckets_rise(feature->bounds, feature->bound_count, feature->quantile));
    for (uint32_t i = 0; i < owners; i++) {
        fuzzing_check(feature->offsets[i] <= feature->offsets[i + 1]);
    }
    for (uint32_t i = 0; i < feature->offsets[owners]; i++) {
        fuzzing_check(feature->values[i] >= 1 && feature->values[i] < feature->rows);
    }
}

static bool is_item(const pique_dataset *d, uint32_t item) {
    return item >= 1 && item < d->item_rows;
}

/* Every pair's history lies among its user's events. */
static void check_pairs(const pique_dataset *d) {
    for (uint64_t i = 0; i < d->labelled_count; i++) {
        const pq_labelled *pair = &d->labelled[i];
        fuzzing_check(pair->user < d->user_count && is_item(d, pair->item) && pair->label <= 1);
        fuzzing_check(pair->split <= PQ_SPLIT_TEST && pair->first >= d->starts[pair->user]);
        fuzzing_check((uint64_t)pair->first + pair->history <= d->starts[pair->user + 1]);
        fuzzing_check(i == 0 || d->labelled[i - 1].user <= pair->user);
    }
    for (uint64_t i = 0; i < d->starts[d->user_count]; i++) {
        fuzzing_check(is_item(d, d->events[i]) && d->times[i] >= 0);
        fuzzing_check(!d->negatives || d->negatives[i] < d->item_rows);
    }
}

static void check_events(const pique_dataset *d) {
    uint64_t training = 0;
    uint64_t counted = 0;
    for (uint32_t u = 0; u < d->user_count; u++) {
        pq_view view;
        fuzzing_check(d->starts[u] < d->starts[u + 1]);
        fuzzing_check(pq_dataset_view(d, u, PQ_SPLIT_TRAIN, &view) && view.history_count);
        training += view.history_count;
        for (uint64_t i = d->starts[u]; i < d->starts[u + 1]; i++) {
            fuzzing_check(is_item(d, d->events[i]) && d->times[i] >= 0);
            fuzzing_check(i == d->starts[u] || d->times[i - 1] <= d->times[i]);
        }
    }
    for (uint32_t i = 0; i < d->item_rows; i++) {
        counted += d->popularity[i];
    }
    fuzzing_check(training == counted);
}

static void check_dataset(const pique_dataset *d) {
    fuzzing_check(d->user_count && d->items.count && d->item_rows == d->items.count + 2);
    fuzzing_check(d->users.count == d->user_count && d->popularity[0] == 0);
    for (uint32_t i = 2; i <= d->items.count; i++) {
        fuzzing_check(d->popularity[i] <= d->popularity[i - 1]);
    }
    if (d->labelled) {
        check_pairs(d);
    } else {
        check_events(d);
    }
    for (uint32_t i = 0; i < d->item_feature_count; i++) {
        check_feature(&d->item_features[i], d->item_rows);
    }
    for (uint32_t i = 0; i < d->profile_count; i++) {
        check_feature(&d->profile[i], d->user_count);
    }
}

static void read_catalog(pq_ctx *ctx, const pq_source *source) {
    pq_catalog catalog;
    pq_text text;
    pq_text_init(&text, ctx);
    if (pq_catalog_parse(&catalog, ctx, source, NULL, NULL) == PIQUE_OK) {
        pq_catalog_write(&catalog, &text);
        fuzzing_check(pq_text_status(&text) == PIQUE_OK);
        /* What was written reads as the same again. */
        pq_source again = {.name = "again", .bytes = text.data, .size = text.size};
        pq_catalog second;
        fuzzing_check(pq_catalog_parse(&second, ctx, &again, NULL, NULL) == PIQUE_OK);
        fuzzing_check(second.items.count == catalog.items.count);
        fuzzing_check(second.column_count == catalog.column_count);
        pq_catalog_free(&second);
    } else {
        fuzzing_check(ctx->error[0] != 0);
    }
    pq_text_free(&text);
    pq_catalog_free(&catalog);
}

static void check_corpus(const pq_corpus *corpus) {
    const pq_sparse *a = &corpus->matrix;
    fuzzing_check(a->rows == corpus->items.count && a->starts[0] == 0);
    for (uint32_t i = 0; i < a->rows; i++) {
        double square = 0;
        for (size_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
            fuzzing_check(a->columns[k] < a->cols);
            fuzzing_check(k == a->starts[i] || a->columns[k - 1] < a->columns[k]);
            square += a->values[k] * a->values[k];
        }
        fuzzing_check(a->starts[i] == a->starts[i + 1] || (square > 0.999 && square < 1.001));
        for (uint32_t t = corpus->tag_offsets[i]; t < corpus->tag_offsets[i + 1]; t++) {
            fuzzing_check(corpus->tag_values[t] < corpus->tags.count);
        }
    }
}

static void read_content(pq_ctx *ctx, const pq_source *source) {
    enum { DIM = 4 };
    pq_corpus corpus;
    pique_content_options options;
    pique_content_options_default(&options);
    if (pq_corpus_parse(&corpus, ctx, source, &options) == PIQUE_OK) {
        check_corpus(&corpus);
        size_t count = (size_t)corpus.items.count * DIM;
        float *vectors = pq_alloc(ctx, count, sizeof(*vectors));
        fuzzing_check(vectors && pq_factors(ctx, &corpus.matrix, DIM, 1, vectors) == PIQUE_OK);
        for (size_t i = 0; i < count; i++) {
            fuzzing_check(vectors[i] >= -1.001f && vectors[i] <= 1.001f);
        }
        pq_free(ctx, vectors);
    } else {
        fuzzing_check(ctx->error[0] != 0);
    }
    pq_corpus_free(&corpus);
}

static void read_dataset(pq_ctx *ctx, const pq_reader *reader, const pq_source *sources,
                         bool labelled, bool strict) {
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "fuzzed";
    options.labelled = labelled;
    options.strict = strict;
    pique_dataset *dataset = NULL;
    (void)reader->fits(&sources[0]);
    if (pq_dataset_parse(ctx, reader, sources, &options, NULL, &dataset) == PIQUE_OK) {
        check_dataset(dataset);
        pique_dataset_free(dataset);
    } else {
        fuzzing_check(ctx->error[0] && !dataset);
    }
}

static const pq_reader *choose_reader(uint8_t letter) {
    switch (letter) {
    case 'c':
    case 'l':
        return &pq_reader_csv;
    case 't':
        return &pq_reader_ctr;
    case 'm':
        return &pq_reader_movielens_csv;
    case 'd':
        return &pq_reader_movielens_dat;
    case 'r':
        return &pq_reader_recbole;
    default:
        return &pq_reader_sequences;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    pq_ctx ctx = fuzzing_context();
    uint8_t letter = data[0] | 0x20;
    bool strict = letter != data[0];
    pq_source sources[PQ_READER_FILES] = {
        {.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};
    char *blocks[PQ_READER_FILES] = {NULL};
    bool text = true;
    data++;
    size--;
    for (size_t i = 0; i < PQ_READER_FILES && (i == 0 || size); i++) {
        const uint8_t *stop = size ? memchr(data, 0x1e, size) : NULL;
        size_t length = stop ? (size_t)(stop - data) : size;
        blocks[i] = fuzzing_copy(data, length);
        sources[i].bytes = blocks[i];
        sources[i].size = length;
        text = text && pq_source_check(&ctx, &sources[i]) == PIQUE_OK;
        data += length + (stop != NULL);
        size -= length + (stop != NULL);
    }
    if (text && letter == 'k') {
        read_catalog(&ctx, &sources[0]);
    } else if (text && letter == 'o') {
        read_content(&ctx, &sources[0]);
    } else if (text) {
        read_dataset(&ctx, choose_reader(letter), sources, letter == 'l' || letter == 't', strict);
    }
    for (size_t i = 0; i < PQ_READER_FILES; i++) {
        free(blocks[i]);
    }
    return 0;
}
