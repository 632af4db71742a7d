/* cmd_pretrain.c — `pique pretrain`. */
#include "data_options.h"
#include "interrupt.h"

#include <stdio.h>

#define COMMAND "pretrain"

typedef struct {
    pique_pretrain_options pretrain;
    pique_dataset_options data;
    arg_list set;
} options;

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        DATA_ROW(o->data),
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o->pretrain.out,
         .value = "OUT.pique",
         .required = true,
         .help = "the file to write"},
        DATA_OPTION_ROWS(o->data),
        {.name = "columns",
         .kind = ARG_TEXT,
         .target = &o->pretrain.columns,
         .value = "A,B,...",
         .help = "columns of the items to take; \"\": none (default: all)"},
        {.name = "features",
         .kind = ARG_TEXT,
         .target = &o->pretrain.features,
         .value = "FILE",
         .help = "further features: a safetensors file with item.ids and a row for each"},
        {.name = "preset",
         .kind = ARG_TEXT,
         .target = &o->pretrain.preset,
         .value = "NAME",
         .help = "best (default), seed (the original code's values) or paper"},
        {.name = "set",
         .kind = ARG_LIST,
         .target = &o->set,
         .value = "KEY=VALUE",
         .help = "one setting, over the preset; may be given many times"},
        {ARG_THREADS(&o->pretrain.threads),
         .help = "default: one per processor; the result does not depend on it"},
        {ARG_SEED(&o->pretrain.seed)},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Makes vectors of items from their features and from what "
                                      "users have in common (PMGT),\nto begin a training with or "
                                      "to serve as they are.",
                           .options = table,
                           .option_count = CLI_COUNT(table),
                           .notes = DATA_NOTES "\n\n`pique models` lists the keys of pretraining."};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go) {
        code = data_options_take(COMMAND, &o->set, &o->data);
    }
    *go = *go && code == CLI_OK;
    return code;
}

static cli_exit pretrain(pique_context *ctx, options *o) {
    progress shown;
    pique_dataset *dataset = NULL;
    pique_pretrain_result r;
    o->pretrain.set = o->set.values;
    o->pretrain.set_count = o->set.count;
    pique_status status = pique_pretrain_check(ctx, &o->pretrain);
    if (status != PIQUE_OK) {
        return cli_failed(COMMAND, ctx, status);
    }
    progress_begin(&shown, interrupt_came);
    o->data.all_items = true;
    cli_exit code = data_open(COMMAND, ctx, &o->data, &shown, &dataset);
    if (code != CLI_OK) {
        return code;
    }
    interrupt_catch();
    pique_listener listener = progress_listener(&shown);
    status = pique_pretrain(ctx, dataset, &o->pretrain, &listener, &r);
    progress_end(&shown);
    if (status == PIQUE_OK) {
        printf("%s: %lu items, %lu links, %lu items without one, %lu without a feature\n",
               o->pretrain.out, (unsigned long)r.items, (unsigned long)r.links,
               (unsigned long)r.isolated, (unsigned long)r.bare);
        printf("link AUC %.4f, %.1f seconds, %.0f MB at most\n", r.link_auc, r.seconds,
               (double)r.peak_bytes / 1e6);
    } else {
        code = cli_failed(COMMAND, ctx, status);
    }
    pique_dataset_free(dataset);
    return code;
}

cli_exit cmd_pretrain(int count, char **arguments) {
    options o = {.set = {0}};
    pique_context *ctx;
    bool go;
    pique_pretrain_options_default(&o.pretrain);
    pique_dataset_options_default(&o.data);
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = cli_open(COMMAND, &ctx);
    }
    if (go && code == CLI_OK) {
        code = pretrain(ctx, &o);
        pique_context_free(ctx);
    }
    arg_list_free(&o.set);
    return code;
}
