/* cmd_export.c — `pique export`. */
#include "data_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COMMAND "export"

typedef struct {
    const char *file, *out;
    const char *target; /* "1%" */
    pique_export_options export;
    pique_dataset_options data;
    arg_list set;
    uint32_t blocks; /* rows of each, 0: none */
} options;

/* "1%" or "0.01". */
static cli_exit parse_target(options *o) {
    char *end;
    if (!o->target) {
        return o->export.quant
                   ? CLI_OK
                   : cli_error(COMMAND, CLI_USAGE,
                               "--quant KIND is missing (or --target-loss with --data)");
    }
    double value = strtod(o->target, &end);
    bool percent = *end == '%';
    if (end == o->target || end[percent] || !(value >= 0) || !(value <= (percent ? 100 : 1))) {
        return cli_error(COMMAND, CLI_USAGE, "--target-loss: \"%s\" is no share such as 1%%",
                         o->target);
    }
    o->export.target_loss = percent ? value / 100 : value;
    if (o->export.quant) {
        return cli_error(COMMAND, CLI_USAGE, "--quant and --target-loss exclude each other");
    }
    return o->data.path ? CLI_OK
                        : cli_error(COMMAND, CLI_USAGE, "--target-loss needs --data to measure on");
}

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        {.name = "quant",
         .kind = ARG_TEXT,
         .target = &o->export.quant,
         .value = "KIND",
         .help = "item rows as f32, f16, int8, int4, pq8, pq16, pq32 or pqN+int8"},
        {.name = "dense",
         .kind = ARG_TEXT,
         .target = &o->export.dense,
         .value = "KIND",
         .help = "layers as f32, f16 or int8 (default f16, beside f32 rows f32)"},
        {.name = "target-loss",
         .kind = ARG_TEXT,
         .target = &o->target,
         .value = "X%",
         .help = "instead of --quant: the smallest file that loses at most X% on validation"},
        {.name = "metric",
         .kind = ARG_TEXT,
         .target = &o->export.metric,
         .value = "NAME",
         .help = "ndcg@K (default ndcg@10), recall@K, mrr@K; auc or gauc where the model ranks"},
        {.name = "data",
         .kind = ARG_TEXT,
         .target = &o->data.path,
         .value = "PATH",
         .help = "measure the loss, and fit codes to the interests of its users"},
        DATA_OPTION_ROWS(o->data),
        {.name = "set",
         .kind = ARG_LIST,
         .target = &o->set,
         .value = "KEY=VALUE",
         .help = "a setting of the data set, as in training"},
        {ARG_THREADS(&o->export.threads), .help = "default: one per processor"},
        {.name = "blocks",
         .kind = ARG_COUNT,
         .target = &o->blocks,
         .value = "ROWS",
         .min = 32,
         .max = 1 << 20,
         .help = "item rows in blocks of that many (a multiple of 32), for pages that begin early"},
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o->out,
         .value = "OUT.pique",
         .required = true,
         .help = "the file to write"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Writes a model again with another kind of item rows.",
                           .plain = "FILE",
                           .plain_target = &o->file,
                           .options = table,
                           .option_count = CLI_COUNT(table),
                           .notes = DATA_NOTES};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go) {
        code = data_options_take(COMMAND, &o->set, &o->data);
    }
    if (*go && code == CLI_OK && o->set.count) {
        code = cli_error(COMMAND, CLI_USAGE,
                         "--set %s: no setting of the data set; `pique export --help` lists them",
                         o->set.values[0]);
    }
    if (*go && code == CLI_OK) {
        code = parse_target(o);
    }
    if (*go && code == CLI_OK && o->blocks % 32) {
        code = cli_error(COMMAND, CLI_USAGE, "--blocks takes a multiple of 32, not %lu",
                         (unsigned long)o->blocks);
    }
    *go = *go && code == CLI_OK;
    return code;
}

/* ---- output ---- */

static void print_trials(const pique_export_result *r) {
    printf("%-12s%12s%12s%9s\n", "", "bytes", r->metric, "loss");
    printf("%-12s%12s%12.4f\n", "before", "", r->before);
    for (uint32_t i = 0; i < r->trial_count; i++) {
        const pique_export_trial *trial = &r->trials[i];
        printf("%-12s%12lu%12.4f%8.2f%%\n", trial->scheme, (unsigned long)trial->bytes,
               trial->metric, 100 * trial->loss);
    }
}

static void print_result(const options *o, const pique_export_result *r, uint64_t before) {
    const pique_export_trial *last = &r->trials[r->trial_count - 1];
    if (r->metric[0]) {
        print_trials(r);
    }
    printf("%s: %lu bytes, %.2f of %s\n", o->out, (unsigned long)last->bytes,
           (double)last->bytes / (double)before, o->file);
    if (r->blind) {
        fprintf(stderr,
                "codes were fitted to the item vectors alone: with --data they lose less\n");
    }
}

/* ---- the work ---- */

/* A data set is read as the model's task wants it. */
static cli_exit open_data(pique_context *ctx, const options *o, progress *shown,
                          pique_dataset **out) {
    pique_model *model = NULL;
    if (pique_model_read(ctx, o->file, &model) != PIQUE_OK) {
        return cli_failed(COMMAND, ctx, PIQUE_CORRUPT);
    }
    pique_dataset_options data = o->data;
    data.labelled = strcmp(pique_model_task(model), "ranking") == 0;
    pique_model_free(model);
    return data_open(COMMAND, ctx, &data, shown, out);
}

/* The file that was written again in blocks, and its size in the result. */
static pique_status cut_blocks(pique_context *ctx, const options *o, pique_export_result *result) {
    struct stat now;
    pique_status status = pique_model_write_blocks(ctx, o->out, o->blocks, o->out);
    if (status == PIQUE_OK && stat(o->out, &now) == 0) {
        result->trials[result->trial_count - 1].bytes = (uint64_t)now.st_size;
    } else if (status != PIQUE_OK) {
        (void)remove(o->out); /* not what was asked for */
    }
    return status;
}

static cli_exit export(const options *o) {
    pique_context *ctx;
    progress shown;
    pique_dataset *dataset = NULL;
    pique_export_result result;
    struct stat before;
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    progress_begin(&shown, NULL);
    bool known = stat(o->file, &before) == 0; /* OUT may be FILE itself */
    if (o->data.path) {
        code = open_data(ctx, o, &shown, &dataset);
    }
    if (code == CLI_OK) {
        pique_listener listener = progress_listener(&shown);
        pique_export_options wanted = o->export;
        wanted.dataset = dataset;
        wanted.listener = &listener;
        pique_status status = pique_model_export(ctx, o->file, &wanted, o->out, &result);
        if (status == PIQUE_OK && o->blocks) {
            status = cut_blocks(ctx, o, &result);
        }
        progress_end(&shown);
        if (status != PIQUE_OK) {
            code = cli_failed(COMMAND, ctx, status);
        } else if (known) {
            print_result(o, &result, (uint64_t)before.st_size);
        }
    }
    pique_dataset_free(dataset);
    pique_context_free(ctx);
    return code;
}

cli_exit cmd_export(int count, char **arguments) {
    options o = {.file = NULL};
    bool go;
    pique_export_options_default(&o.export);
    pique_dataset_options_default(&o.data);
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = export(&o);
    }
    arg_list_free(&o.set);
    return code;
}
