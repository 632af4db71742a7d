#include "seeds.h"

#include "args.h"
#include "json_out.h"
#include "json_view.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

cli_exit seeds_parse(const char *command, const char *text, seed_list *seeds) {
    const char *at = text, *part;
    size_t size;
    while (args_next_part(&at, &part, &size)) {
        uint32_t seed;
        if (!args_number(part, size, &seed)) {
            return cli_error(command, CLI_USAGE,
                             "--seeds: \"%.*s\" is not a whole number from 0 to 4294967295",
                             (int)size, part);
        }
        for (uint32_t i = 0; i < seeds->count; i++) {
            if (seeds->values[i] == seed) {
                return cli_error(command, CLI_USAGE, "--seeds: %lu is given twice",
                                 (unsigned long)seed);
            }
        }
        if (seeds->count == SEEDS_MOST) {
            return cli_error(command, CLI_USAGE, "--seeds: more than %d numbers", SEEDS_MOST);
        }
        seeds->values[seeds->count++] = seed;
    }
    return seeds->count ? CLI_OK : cli_error(command, CLI_USAGE, "--seeds: no number is given");
}

/* Released by free; NULL when memory is short. */
static char *join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) {
        snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

static char *folder_of(const pique_train_options *options, uint32_t seed) {
    char name[24];
    snprintf(name, sizeof(name), "seed-%lu", (unsigned long)seed);
    return join(options->out, name);
}

/* ---- mean and deviation ---- */

static double mean(const seed_list *seeds) {
    double sum = 0;
    for (uint32_t i = 0; i < seeds->count; i++) {
        sum += seeds->results[i].best_metric;
    }
    return sum / seeds->count;
}

/* Of a sample: with n - 1. NaN for a single seed. */
static double deviation(const seed_list *seeds) {
    double middle = mean(seeds), sum = 0;
    for (uint32_t i = 0; i < seeds->count; i++) {
        double away = seeds->results[i].best_metric - middle;
        sum += away * away;
    }
    return seeds->count > 1 ? sqrt(sum / (seeds->count - 1)) : (double)NAN;
}

/* ---- seeds.json ---- */

/* The numbers among the metrics that the model's file holds, as they stand there. */
static void write_metrics(FILE *file, const json_view *view) {
    int metrics = json_view_get(view, JSON_ROOT, "metrics");
    const char *before = "";
    for (int at = json_view_first(view, metrics); at >= 0; at = json_view_next(view, metrics, at)) {
        char *key = json_view_text(view, at), *value = json_view_text(view, at + 1);
        if (key && value && strchr("-0123456789", value[0])) {
            fprintf(file, "%s\"%s\":%s", before, key, value);
            before = ",";
        }
        free(key);
        free(value);
    }
}

static pique_status write_model_metrics(FILE *file, pique_context *ctx, const char *folder) {
    pique_model *model = NULL;
    json_view view = {.text = NULL};
    char *path = join(folder, "model.pique");
    pique_status status = path ? pique_model_read(ctx, path, &model) : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK && !json_view_open(&view, pique_model_info(model))) {
        status = PIQUE_NO_MEMORY;
    }
    if (status == PIQUE_OK) {
        write_metrics(file, &view);
    }
    json_view_close(&view);
    pique_model_free(model);
    free(path);
    return status;
}

static pique_status write_seed(FILE *file, pique_context *ctx, const pique_train_options *options,
                               uint32_t seed, const pique_train_result *result) {
    char *folder = folder_of(options, seed);
    fprintf(file,
            "{\"seed\":%lu,\"epochs\":%lu,\"best_epoch\":%lu,\"seconds\":%.3f,\"peak_bytes\":%lu,"
            "\"best_metric\":",
            (unsigned long)seed, (unsigned long)result->epochs, (unsigned long)result->best_epoch,
            result->seconds, (unsigned long)result->peak_bytes);
    json_write_number(file, result->best_metric);
    fputs(",\"metrics\":{", file);
    pique_status status = folder ? write_model_metrics(file, ctx, folder) : PIQUE_NO_MEMORY;
    fputs("}}", file);
    free(folder);
    return status;
}

static pique_status write_all(FILE *file, pique_context *ctx, const pique_train_options *options,
                              const seed_list *seeds) {
    pique_status status = PIQUE_OK;
    fputs("{\"seeds\":[", file);
    for (uint32_t i = 0; i < seeds->count && status == PIQUE_OK; i++) {
        fputs(i ? ",\n" : "\n", file);
        status = write_seed(file, ctx, options, seeds->values[i], &seeds->results[i]);
    }
    fputs("],\n\"mean\":", file);
    json_write_number(file, mean(seeds));
    fputs(",\"deviation\":", file);
    json_write_number(file, deviation(seeds));
    fputs("}\n", file);
    return status;
}

/* Written aside and renamed. */
static cli_exit write_file(const char *command, pique_context *ctx,
                           const pique_train_options *options, const seed_list *seeds,
                           const char *path) {
    char *part = join(options->out, "seeds.json.part");
    FILE *file = part ? fopen(part, "wb") : NULL;
    pique_status status = part ? PIQUE_OK : PIQUE_NO_MEMORY;
    bool written = file != NULL;
    if (file) {
        status = write_all(file, ctx, options, seeds);
        written = !ferror(file) && fflush(file) == 0 && fsync(fileno(file)) == 0;
        written = fclose(file) == 0 && written;
        written = written && status == PIQUE_OK && rename(part, path) == 0;
    }
    int reason = errno;
    if (file && !written) {
        remove(part);
    }
    free(part);
    if (status != PIQUE_OK) {
        return cli_failed(command, ctx, status);
    }
    return written ? CLI_OK : cli_error(command, CLI_FAILURE, "%s: %s", path, strerror(reason));
}

/* ---- the work ---- */

static cli_exit train_seed(const char *command, pique_context *ctx, const pique_dataset *dataset,
                           const pique_train_options *options, progress *shown,
                           pique_train_result *result) {
    pique_listener listener = progress_listener(shown);
    pique_status status = pique_train(ctx, dataset, options, &listener, result);
    progress_end(shown);
    if (status != PIQUE_OK) {
        cli_exit code = cli_failed(command, ctx, status);
        if (status == PIQUE_CANCELLED) {
            fputs("the same command with --resume continues it\n", stderr);
        }
        return code;
    }
    printf("%s/model.pique\nseed %lu: best epoch %lu of %lu, validation metric %.4f, %.1f seconds, "
           "%.0f MB at most\n",
           options->out, (unsigned long)options->seed, (unsigned long)result->best_epoch,
           (unsigned long)result->epochs, result->best_metric, result->seconds,
           (double)result->peak_bytes / 1e6);
    fflush(stdout); /* the next seed takes a while */
    return CLI_OK;
}

/* A seed that an interrupted run had not come to has nothing to go on from, except for the first: where
 * that is missing there was no such run. */
static bool goes_on(const char *folder, bool first) {
    char *checkpoint = join(folder, "last.ckpt");
    bool there = checkpoint && access(checkpoint, F_OK) == 0;
    free(checkpoint);
    return there || first;
}

static void report(const seed_list *seeds, const char *path) {
    double away = deviation(seeds);
    printf("%s\n%lu %s: validation metric %.4f in the mean", path, (unsigned long)seeds->count,
           seeds->count > 1 ? "seeds" : "seed", mean(seeds));
    if (seeds->count > 1) {
        printf(", deviation %.4f", away);
    }
    putchar('\n');
}

cli_exit seeds_train(const char *command, pique_context *ctx, const pique_dataset *dataset,
                     const pique_train_options *options, progress *shown, seed_list *seeds) {
    cli_exit code = CLI_OK;
    char *path = join(options->out, "seeds.json");
    if (!path) {
        return cli_no_memory(command);
    }
    unlink(path); /* what an earlier run left must not be taken for this one's */
    for (uint32_t i = 0; i < seeds->count && code == CLI_OK; i++) {
        pique_train_options one = *options;
        char *folder = folder_of(options, seeds->values[i]);
        one.out = folder;
        one.seed = seeds->values[i];
        one.resume = options->resume && folder && goes_on(folder, i == 0);
        code = folder ? train_seed(command, ctx, dataset, &one, shown, &seeds->results[i])
                      : cli_no_memory(command);
        free(folder);
    }
    if (code == CLI_OK) {
        code = write_file(command, ctx, options, seeds, path);
    }
    if (code == CLI_OK) {
        report(seeds, path);
    }
    free(path);
    return code;
}
