/* cmd_train.c — `pique train`. */
#include "data_options.h"
#include "interrupt.h"
#include "seeds.h"

#include <stdio.h>
#include <string.h>

#define COMMAND "train"

typedef struct {
    pique_train_options train;
    pique_dataset_options data;
    arg_list set;
    uint32_t epochs;
    char epochs_text[24];
    const char *seeds_text; /* "1,2,3"; NULL: one training */
    bool seed_given;
    seed_list seeds;
} options;

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        {.name = "model",
         .kind = ARG_TEXT,
         .target = &o->train.model,
         .value = "NAME",
         .required = true,
         .help = "system: see `pique models`"},
        DATA_ROW(o->data),
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o->train.out,
         .value = "RUN",
         .required = true,
         .help = "folder for model.pique, last.ckpt, config.json, metrics.jsonl"},
        DATA_OPTION_ROWS(o->data),
        {.name = "preset",
         .kind = ARG_TEXT,
         .target = &o->train.preset,
         .value = "NAME",
         .help = "best (default), seed (the original code's values), paper, or a model's own"},
        {.name = "config",
         .kind = ARG_TEXT,
         .target = &o->train.config_path,
         .value = "F.json",
         .help = "a JSON object of settings, over the preset"},
        {.name = "set",
         .kind = ARG_LIST,
         .target = &o->set,
         .value = "KEY=VALUE",
         .help = "one setting, over preset and config; may be given many times"},
        {.name = "epochs",
         .kind = ARG_COUNT,
         .target = &o->epochs,
         .value = "N",
         .min = 1,
         .max = 100000,
         .help = "short for --set epochs=N"},
        {ARG_THREADS(&o->train.threads),
         .help = "default: one per processor; the result does not depend on it"},
        {ARG_SEED(&o->train.seed), .given = &o->seed_given},
        {.name = "seeds",
         .kind = ARG_TEXT,
         .target = &o->seeds_text,
         .value = "S,S,...",
         .help = "train each into RUN/seed-S; mean and deviation in RUN/seeds.json"},
        {.name = "init",
         .kind = ARG_TEXT,
         .target = &o->train.init,
         .value = "RUN",
         .help = "start with the last weights of another run (its folder or .ckpt file)"},
        {.name = "init-items",
         .kind = ARG_TEXT,
         .target = &o->train.init_items,
         .value = "FILE",
         .help = "begin with the vectors of items of a .pique or safetensors file"},
        {.name = "teacher",
         .kind = ARG_TEXT,
         .target = &o->train.teacher,
         .value = "F,F,...",
         .help = "learn from these models' scores too (.pique files; --set kd.alpha=...)"},
        {.name = "side",
         .kind = ARG_TEXT,
         .target = &o->train.side,
         .value = "F",
         .help = "a safetensors file with rows of the items, for mmrec: tokens, regions, boxes"},
        {.name = "resume",
         .kind = ARG_FLAG,
         .target = &o->train.resume,
         .help = "go on from RUN/last.ckpt; give the same options again"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Trains a model and keeps the one that is best on the "
                                      "validation targets.",
                           .options = table,
                           .option_count = CLI_COUNT(table),
                           .notes = DATA_NOTES "\n\n`pique models` lists the keys of every system "
                                               "and of the training loop."};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go) {
        code = data_options_take(COMMAND, &o->set, &o->data);
    }
    if (*go && code == CLI_OK && o->epochs) {
        arg_list *set = &o->set;
        snprintf(o->epochs_text, sizeof(o->epochs_text), "epochs=%lu", (unsigned long)o->epochs);
        code = arg_list_add(COMMAND, set, o->epochs_text);
    }
    if (*go && code == CLI_OK && o->seeds_text) {
        code = o->seed_given
                   ? cli_error(COMMAND, CLI_USAGE, "--seed and --seeds cannot be given together")
                   : seeds_parse(COMMAND, o->seeds_text, &o->seeds);
    }
    *go = *go && code == CLI_OK;
    return code;
}

static void report(const options *o, const pique_train_result *r) {
    printf("%s/model.pique\n", o->train.out);
    printf("best epoch %lu of %lu, validation metric %.4f, %.1f seconds, %.0f MB at most\n",
           (unsigned long)r->best_epoch, (unsigned long)r->epochs, r->best_metric, r->seconds,
           (double)r->peak_bytes / 1e6);
}

static cli_exit train_once(pique_context *ctx, const options *o, const pique_dataset *dataset,
                           progress *shown) {
    pique_train_result result;
    pique_listener listener = progress_listener(shown);
    pique_status status = pique_train(ctx, dataset, &o->train, &listener, &result);
    progress_end(shown);
    if (status == PIQUE_OK) {
        report(o, &result);
        return CLI_OK;
    }
    cli_exit code = cli_failed(COMMAND, ctx, status);
    if (status == PIQUE_CANCELLED) {
        fputs("the same command with --resume continues it\n", stderr);
    }
    return code;
}

static cli_exit train(pique_context *ctx, options *o) {
    progress shown;
    pique_dataset *dataset = NULL;
    o->train.set = o->set.values;
    o->train.set_count = o->set.count;
    pique_status status = pique_train_check(ctx, &o->train);
    if (status != PIQUE_OK) {
        return cli_failed(COMMAND, ctx, status);
    }
    const char *task = pique_train_task(o->train.model);
    o->data.labelled = task && strcmp(task, "ranking") == 0;
    progress_begin(&shown, interrupt_came);
    cli_exit code = data_open(COMMAND, ctx, &o->data, &shown, &dataset);
    if (code != CLI_OK) {
        return code;
    }
    interrupt_catch();
    code = o->seeds.count ? seeds_train(COMMAND, ctx, dataset, &o->train, &shown, &o->seeds)
                          : train_once(ctx, o, dataset, &shown);
    pique_dataset_free(dataset);
    return code;
}

cli_exit cmd_train(int count, char **arguments) {
    options o = {.epochs = 0};
    pique_context *ctx;
    bool go;
    pique_train_options_default(&o.train);
    pique_dataset_options_default(&o.data);
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = cli_open(COMMAND, &ctx);
    }
    if (go && code == CLI_OK) {
        code = train(ctx, &o);
        pique_context_free(ctx);
    }
    arg_list_free(&o.set);
    return code;
}
