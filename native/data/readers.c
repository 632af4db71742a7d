/* readers.c — from a path to a data set: which format, which files, read them, build. */
#include "native/data/readers.h"

#include "base/text.h"
#include "native/data/fileio.h"

#include <string.h>

/* In the order in which "auto" tries them: the more particular first. */
static const pq_reader *const readers[] = {
    &pq_reader_ctr, &pq_reader_movielens_dat, &pq_reader_movielens_csv,
    &pq_reader_csv, &pq_reader_recbole,       &pq_reader_sequences,
};

#define LARGEST_FILE (SIZE_MAX / 4)
#define LONGEST_ABOUT 400

/* ---- for readers ---- */

pq_span pq_source_first_line(const pq_source *source) {
    const char *stop = source->size ? memchr(source->bytes, '\n', source->size) : NULL;
    pq_span line = {.bytes = source->bytes,
                    .size = stop ? (size_t)(stop - source->bytes) : source->size};
    if (line.size && line.bytes[line.size - 1] == '\r') {
        line.size--;
    }
    return line;
}

pique_status pq_reader_check_ratings(pq_builder *builder, const pq_source *source, bool ratings,
                                     bool labels) {
    if (builder->options->min_rating > 0 && !ratings) {
        PQ_FAIL(builder->ctx, PIQUE_ARGUMENT, "min_rating is set, but %s has no ratings",
                source->name);
    }
    if (builder->options->labelled && !ratings && !labels) {
        PQ_FAIL(builder->ctx, PIQUE_DATA, "%s has neither ratings nor labels, which ranking needs",
                source->name);
    }
    return PIQUE_OK;
}

void pq_reader_end_table(pq_builder *builder, const pq_raw_table *table, const char *what) {
    uint32_t missing = table->owners->count - table->described_count;
    if (missing) {
        pq_builder_log(builder, "%s: no row for %lu of the %lu %s", builder->file,
                       (unsigned long)missing, (unsigned long)table->owners->count, what);
    }
}

/* ---- options ---- */

static bool is_auto(const char *format) {
    return !format || strcmp(format, "auto") == 0;
}

static bool serves(const pq_reader *reader, const char *format) {
    return is_auto(format) || strcmp(reader->format, format) == 0;
}

static pique_status check_options(pq_ctx *ctx, const pique_dataset_options *options) {
    if (!options->path || !options->path[0]) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "no path of a data set is given");
    }
    if (!(options->min_rating >= 0 && options->min_rating <= 1e300)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "min_rating is not a number from 0 up");
    }
    for (size_t i = 0; i < PQ_COUNT(readers); i++) {
        if (serves(readers[i], options->format)) {
            return PIQUE_OK;
        }
    }
    PQ_FAIL(ctx, PIQUE_ARGUMENT,
            "unknown format \"%s\" (auto, csv, ctr, movielens, recbole, sequences)",
            options->format);
}

/* ---- finding the files ---- */

typedef struct {
    pq_ctx *ctx;
    const pq_reader *reader;
    char *paths[PQ_READER_FILES];
    void *blocks[PQ_READER_FILES];
    pq_source sources[PQ_READER_FILES];
} input;

static void free_input(input *in) {
    for (size_t i = 0; i < PQ_READER_FILES; i++) {
        pq_free(in->ctx, in->paths[i]);
        pq_free(in->ctx, in->blocks[i]);
    }
}

/* "what it looks for (format)" of all readers that the format allows. */
static pique_status fail_listing(pq_ctx *ctx, const pique_dataset_options *options,
                                 const char *lead, bool names) {
    pq_text text;
    pq_text_init(&text, ctx);
    const char *between = "";
    for (size_t i = 0; i < PQ_COUNT(readers); i++) {
        if (serves(readers[i], options->format)) {
            const char *look = names ? readers[i]->files[0] : readers[i]->looks;
            pq_text_add(&text, "%s%s%s (%s)", between, look[0] == '.' ? "FOLDER" : "", look,
                        readers[i]->format);
            between = ", ";
        }
    }
    pique_status status = pq_text_status(&text);
    if (status == PIQUE_OK) {
        status = pq_fail(ctx, PIQUE_DATA, "%s: %s %s", options->path, lead, text.data);
    }
    pq_text_free(&text);
    return status;
}

/* The path of a format's file in a folder. `stem`: what stands before names that begin with a dot. */
static char *path_of(pq_ctx *ctx, const char *folder, const char *stem, size_t stem_size,
                     const char *name) {
    char *whole = NULL;
    pq_text text;
    pq_text_init(&text, ctx);
    pq_text_add(&text, "%.*s%s", name[0] == '.' ? (int)stem_size : 0, stem, name);
    if (pq_text_status(&text) == PIQUE_OK) {
        whole = pq_path_join(ctx, folder, text.data);
    }
    pq_text_free(&text);
    return whole;
}

/* The last name of a path without slashes at its end, or, of a file, without what follows its last dot. */
static const char *stem_of(const char *path, bool folder, size_t *size) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t first = end;
    while (first > 0 && path[first - 1] != '/') {
        first--;
    }
    size_t dot = end;
    while (!folder && dot > first && path[dot - 1] != '.') {
        dot--;
    }
    *size = (!folder && dot > first + 1 ? dot - 1 : end) - first;
    return path + first;
}

static pique_status read_one(input *in, size_t at) {
    size_t size;
    pq_source *source = &in->sources[at];
    PQ_TRY(pq_file_read(in->ctx, in->paths[at], LARGEST_FILE, &in->blocks[at], &size));
    *source = (pq_source){.name = in->paths[at], .bytes = in->blocks[at], .size = size};
    return pq_source_check(in->ctx, source);
}

/* A folder: the first format whose first file stands in it. */
static pique_status open_folder(input *in, const pique_dataset_options *options) {
    for (size_t i = 0; i < PQ_COUNT(readers); i++) {
        if (!serves(readers[i], options->format)) {
            continue;
        }
        size_t stem_size;
        const char *stem = stem_of(options->path, true, &stem_size);
        char *path = path_of(in->ctx, options->path, stem, stem_size, readers[i]->files[0]);
        if (!path) {
            return PIQUE_NO_MEMORY;
        }
        if (pq_file_exists(path)) {
            in->reader = readers[i];
            in->paths[0] = path;
            return read_one(in, 0);
        }
        pq_free(in->ctx, path);
    }
    return fail_listing(in->ctx, options, "the folder has none of", true);
}

static char *copy_text(pq_ctx *ctx, const char *text, size_t size) {
    char *copy = pq_alloc(ctx, size + 1, 1);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

/* A file: the first format that its text looks like. A format that was asked for is taken at its
 * word, so that its reader can say what is missing. */
static pique_status open_file(input *in, const pique_dataset_options *options) {
    in->paths[0] = copy_text(in->ctx, options->path, strlen(options->path));
    if (!in->paths[0]) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(read_one(in, 0));
    const pq_reader *last = NULL;
    for (size_t i = 0; i < PQ_COUNT(readers) && !in->reader; i++) {
        if (serves(readers[i], options->format)) {
            last = readers[i];
            in->reader = last->fits(&in->sources[0]) ? last : NULL;
        }
    }
    if (!in->reader && !is_auto(options->format)) {
        in->reader = last;
    }
    if (!in->reader) {
        return fail_listing(in->ctx, options, "looks like none of", false);
    }
    return PIQUE_OK;
}

/* The other files of the format, in the folder of the first. */
static pique_status open_others(input *in, const pique_dataset_options *options, bool folder) {
    const char *slash = strrchr(options->path, '/');
    size_t size = folder ? strlen(options->path) : slash ? (size_t)(slash - options->path) : 0;
    const char *from = !folder && !slash ? "." : options->path;
    size = !folder && !slash ? 1 : PQ_MAX(size, 1); /* "/file": the root */
    char *base = copy_text(in->ctx, from, size);
    size_t stem_size;
    const char *stem = stem_of(options->path, folder, &stem_size);
    pique_status status = base ? PIQUE_OK : PIQUE_NO_MEMORY;
    for (size_t i = 1; i < PQ_READER_FILES && in->reader->files[i] && status == PIQUE_OK; i++) {
        bool given = options->schema && strcmp(in->reader->files[i], PQ_SCHEMA_FILE) == 0;
        in->paths[i] = given ? copy_text(in->ctx, options->schema, strlen(options->schema))
                             : path_of(in->ctx, base, stem, stem_size, in->reader->files[i]);
        if (!in->paths[i]) {
            status = PIQUE_NO_MEMORY;
        } else if (given || pq_file_exists(in->paths[i])) {
            status = read_one(in, i);
        } else {
            in->sources[i].name = in->paths[i];
        }
    }
    pq_free(in->ctx, base);
    return status;
}

static bool takes_schema(const pq_reader *reader) {
    for (size_t i = 0; i < PQ_READER_FILES && reader->files[i]; i++) {
        if (strcmp(reader->files[i], PQ_SCHEMA_FILE) == 0) {
            return true;
        }
    }
    return false;
}

static pique_status open_input(input *in, const pique_dataset_options *options) {
    bool folder = pq_folder_exists(options->path);
    PQ_TRY(folder ? open_folder(in, options) : open_file(in, options));
    if (options->schema && !takes_schema(in->reader)) {
        PQ_FAIL(in->ctx, PIQUE_ARGUMENT, "the format \"%s\" has no columns for a schema",
                in->reader->format);
    }
    return open_others(in, options, folder);
}

/* ---- the whole ---- */

/* Adds the folder's own words to where the data came from. */
static pique_status add_about(pique_dataset *dataset, const pq_source *source) {
    pq_span line = pq_source_first_line(source);
    line.size -= line.size > 0 && line.bytes[line.size - 1] == '.'; /* the card has its own */
    pq_text text;
    pq_text_init(&text, dataset->ctx);
    pq_text_add(&text, "%s. %.*s", dataset->provenance, (int)PQ_MIN(line.size, LONGEST_ABOUT),
                line.bytes);
    PQ_TRY(pq_text_status(&text));
    pq_free(dataset->ctx, dataset->provenance);
    dataset->provenance = text.data;
    return PIQUE_OK;
}

static pique_status parse(pq_builder *builder, const pq_reader *reader, const pq_source *sources,
                          pique_dataset **out) {
    PQ_TRY(reader->read(builder, sources));
    PQ_TRY(pq_dataset_build(builder, reader->format, builder->options->path, out));
    pique_status status = PIQUE_OK;
    for (size_t i = 0; i < PQ_READER_FILES && reader->files[i] && status == PIQUE_OK; i++) {
        if (sources[i].bytes && strcmp(reader->files[i], PQ_ABOUT_FILE) == 0) {
            status = add_about(*out, &sources[i]);
        }
    }
    if (status != PIQUE_OK) {
        pq_dataset_free(*out);
        *out = NULL;
    }
    return status;
}

pique_status pq_dataset_parse(pq_ctx *ctx, const pq_reader *reader, const pq_source *sources,
                              const pique_dataset_options *options, const pique_listener *listener,
                              pique_dataset **out) {
    pq_builder builder;
    pq_builder_init(&builder, ctx, options, listener);
    pique_status status = parse(&builder, reader, sources, out);
    pq_builder_free(&builder);
    return status;
}

pique_status pq_dataset_read(pq_ctx *ctx, const pique_dataset_options *options,
                             const pique_listener *listener, pique_dataset **out) {
    PQ_TRY(check_options(ctx, options));
    input in = {.ctx = ctx};
    pique_status status = open_input(&in, options);
    if (status == PIQUE_OK) {
        status = pq_dataset_parse(ctx, in.reader, in.sources, options, listener, out);
    }
    free_input(&in);
    return status;
}
