/* api_simulate.c — pique_simulate and pique_digits: simulated in memory (the one's catalogue is read), then the files of
 * the data set are written together or not at all. */
#include "native/data/dataset.h"
#include "native/data/digits.h"
#include "native/data/fileio.h"
#include "native/data/schema.h"
#include "native/data/simulate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILES 4

enum { ITEMS, INTERACTIONS, TRUTH, ABOUT };
enum { USERS, PAIRS, SCHEMA }; /* and ABOUT, of digits */

static const char *const names[FILES] = {"items.csv", "interactions.csv", "truth.csv",
                                         PQ_ABOUT_FILE};
static const char *const digit_names[FILES] = {"users.csv", "interactions.csv", PQ_SCHEMA_FILE,
                                               PQ_ABOUT_FILE};

void pique_simulate_options_default(pique_simulate_options *options) {
    *options = (pique_simulate_options){.users = 10000, .interests = 4, .seed = 1};
}

/* Writing over the catalogue would drop its other columns. */
static pique_status check_paths(pq_ctx *ctx, const char *catalog, const char *items) {
    struct stat from, to;
    bool same = strcmp(catalog, items) == 0;
    if (stat(catalog, &from) == 0 && stat(items, &to) == 0) {
        same = same || (from.st_ino && from.st_ino == to.st_ino && from.st_dev == to.st_dev);
    }
    if (same) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "%s is the catalogue itself; write to another folder", items);
    }
    return PIQUE_OK;
}

/* All are written in full before the first gets its name. */
static pique_status write_files(pq_ctx *ctx, char *const paths[FILES], const pq_text texts[FILES]) {
    pq_output outputs[FILES];
    int opened = 0;
    int committed = 0;
    pique_status status = PIQUE_OK;
    while (opened < FILES && status == PIQUE_OK) {
        pq_output *out = &outputs[opened];
        PQ_TRY_GOTO(status, pq_output_open(out, ctx, paths[opened], false));
        status = pq_output_write(out, texts[opened].data, texts[opened].size);
        opened++;
    }
    while (committed < opened && status == PIQUE_OK) {
        PQ_TRY_GOTO(status, pq_output_commit(&outputs[committed]));
        committed++;
    }
done:
    for (int i = 0; i < opened && status != PIQUE_OK; i++) {
        if (i < committed) {
            remove(paths[i]);
        } else {
            pq_output_discard(&outputs[i]);
        }
    }
    return status;
}

static pique_status simulate(pq_ctx *ctx, const pique_simulate_options *options,
                             const pique_listener *listener, pq_source source,
                             pq_text texts[FILES]) {
    pq_catalog catalog;
    PQ_TRY(pq_source_check(ctx, &source));
    pique_status status =
        pq_catalog_parse(&catalog, ctx, &source, options->columns, options->popularity);
    if (status == PIQUE_OK) {
        status = pq_simulate(&catalog, options, listener, &texts[INTERACTIONS], &texts[TRUTH]);
    }
    if (status == PIQUE_OK) {
        pq_catalog_write(&catalog, &texts[ITEMS]);
        pq_text_add(&texts[ABOUT],
                    "The people are simulated (pique simulate: %lu viewers with 1 to %lu interests "
                    "each, seed %lu); only the catalogue may be real.\n",
                    (unsigned long)options->users, (unsigned long)options->interests,
                    (unsigned long)options->seed);
        status = pq_text_status(&texts[ITEMS]);
    }
    if (status == PIQUE_OK) {
        status = pq_text_status(&texts[ABOUT]);
    }
    pq_catalog_free(&catalog);
    return status;
}

/* Where the files go, and what is in them. */
typedef struct {
    char *paths[FILES];
    pq_text texts[FILES];
} folder;

static pique_status folder_open(folder *f, pq_ctx *ctx, const char *out,
                                const char *const file_names[FILES]) {
    pique_status status = PIQUE_OK;
    for (int i = 0; i < FILES; i++) {
        pq_text_init(&f->texts[i], ctx);
        f->paths[i] = pq_path_join(ctx, out, file_names[i]);
        status = f->paths[i] ? status : PIQUE_NO_MEMORY;
    }
    return status;
}

static void folder_close(folder *f, pq_ctx *ctx) {
    for (int i = 0; i < FILES; i++) {
        pq_text_free(&f->texts[i]);
        pq_free(ctx, f->paths[i]);
    }
}

static pique_status simulate_files(pq_ctx *ctx, const pique_simulate_options *options,
                                   const pique_listener *listener, folder *f) {
    void *bytes;
    size_t size;
    PQ_TRY(check_paths(ctx, options->catalog, f->paths[ITEMS]));
    PQ_TRY(pq_file_read(ctx, options->catalog, SIZE_MAX / 4, &bytes, &size));
    pq_source source = {.name = options->catalog, .bytes = bytes, .size = size};
    pique_status status = simulate(ctx, options, listener, source, f->texts);
    pq_free(ctx, bytes);
    PQ_TRY(status);
    PQ_TRY(pq_folder_make(ctx, options->out));
    return write_files(ctx, f->paths, f->texts);
}

pique_status pique_simulate(pique_context *ctx, const pique_simulate_options *options,
                            const pique_listener *listener) {
    if (!options->catalog || !options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "simulate needs a catalogue and a folder for its output");
    }
    folder f;
    pique_status status = folder_open(&f, ctx, options->out, names);
    if (status == PIQUE_OK) {
        status = simulate_files(ctx, options, listener, &f);
    }
    folder_close(&f, ctx);
    return status;
}

void pique_digits_options_default(pique_digits_options *options) {
    *options = (pique_digits_options){.count = 10000, .size = 28, .slant = 20, .seed = 1};
}

static pique_status digit_files(pq_ctx *ctx, const pique_digits_options *options,
                                const pique_listener *listener, folder *f) {
    PQ_TRY(
        pq_digits(ctx, options, listener, &f->texts[USERS], &f->texts[PAIRS], &f->texts[SCHEMA]));
    pq_text_add(&f->texts[ABOUT],
                "Digits drawn from strokes (pique simulate --digits %lu --size %lu --rotate %lu "
                "--slant %lu --seed %lu).\n",
                (unsigned long)options->count, (unsigned long)options->size,
                (unsigned long)options->rotate, (unsigned long)options->slant,
                (unsigned long)options->seed);
    PQ_TRY(pq_text_status(&f->texts[ABOUT]));
    PQ_TRY(pq_folder_make(ctx, options->out));
    return write_files(ctx, f->paths, f->texts);
}

pique_status pique_digits(pique_context *ctx, const pique_digits_options *options,
                          const pique_listener *listener) {
    if (!options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "digits need a folder");
    }
    folder f;
    pique_status status = folder_open(&f, ctx, options->out, digit_names);
    if (status == PIQUE_OK) {
        status = digit_files(ctx, options, listener, &f);
    }
    folder_close(&f, ctx);
    return status;
}
