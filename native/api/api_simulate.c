/* api_simulate.c — pique_simulate: reads the catalogue, simulates in memory, and writes the files of the
 * data set together or not at all. */
#include "native/data/dataset.h"
#include "native/data/fileio.h"
#include "native/data/simulate.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { ITEMS, INTERACTIONS, TRUTH, ABOUT, FILES };

static const char *const names[FILES] = {"items.csv", "interactions.csv", "truth.csv",
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

static pique_status simulate_files(pq_ctx *ctx, const pique_simulate_options *options,
                                   const pique_listener *listener, char *const paths[FILES],
                                   pq_text texts[FILES]) {
    void *bytes;
    size_t size;
    PQ_TRY(check_paths(ctx, options->catalog, paths[ITEMS]));
    PQ_TRY(pq_file_read(ctx, options->catalog, SIZE_MAX / 4, &bytes, &size));
    pq_source source = {.name = options->catalog, .bytes = bytes, .size = size};
    pique_status status = simulate(ctx, options, listener, source, texts);
    pq_free(ctx, bytes);
    PQ_TRY(status);
    PQ_TRY(pq_folder_make(ctx, options->out));
    return write_files(ctx, paths, texts);
}

pique_status pique_simulate(pique_context *ctx, const pique_simulate_options *options,
                            const pique_listener *listener) {
    if (!options->catalog || !options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "simulate needs a catalogue and a folder for its output");
    }
    char *paths[FILES] = {NULL};
    pq_text texts[FILES];
    pique_status status = PIQUE_OK;
    for (int i = 0; i < FILES; i++) {
        pq_text_init(&texts[i], ctx);
        paths[i] = pq_path_join(ctx, options->out, names[i]);
        status = paths[i] ? status : PIQUE_NO_MEMORY;
    }
    if (status == PIQUE_OK) {
        status = simulate_files(ctx, options, listener, paths, texts);
    }
    for (int i = 0; i < FILES; i++) {
        pq_text_free(&texts[i]);
        pq_free(ctx, paths[i]);
    }
    return status;
}
