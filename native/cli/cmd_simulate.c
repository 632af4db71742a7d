/* cmd_simulate.c — `pique simulate`. */
#include "args.h"
#include "progress.h"

#include <stdio.h>

#define COMMAND "simulate"

static cli_exit simulate(const pique_simulate_options *o) {
    pique_context *ctx;
    progress shown;
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    progress_begin(&shown, NULL);
    pique_listener listener = progress_listener(&shown);
    pique_status status = pique_simulate(ctx, o, &listener);
    progress_end(&shown);
    if (status == PIQUE_OK) {
        printf("%s: items.csv, interactions.csv and truth.csv of %lu simulated viewers\n", o->out,
               (unsigned long)o->users);
    } else {
        code = cli_failed(COMMAND, ctx, status);
    }
    pique_context_free(ctx);
    return code;
}

cli_exit cmd_simulate(int count, char **arguments) {
    pique_simulate_options o;
    pique_simulate_options_default(&o);
    const arg_option table[] = {
        {.name = "catalog",
         .kind = ARG_TEXT,
         .target = &o.catalog,
         .value = "items.csv",
         .required = true,
         .help = "item, title, and columns of categories joined by '|'"},
        {.name = "users",
         .kind = ARG_COUNT,
         .target = &o.users,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "how many viewers (default 10000)"},
        {.name = "interests",
         .kind = ARG_COUNT,
         .target = &o.interests,
         .value = "K",
         .min = 1,
         .max = UINT32_MAX,
         .help = "a viewer has 1 to K interests (default 4)"},
        {ARG_SEED(&o.seed)},
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o.out,
         .value = "DIR",
         .required = true,
         .help = "folder for interactions.csv, items.csv, truth.csv, about.txt"},
        {.name = "columns",
         .kind = ARG_TEXT,
         .target = &o.columns,
         .value = "A,B,...",
         .help = "columns that interests are made of (default: all but item, title, popularity)"},
        {ARG_POPULARITY(&o.popularity)},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Makes viewers with known interests and what they watched.",
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    return args_parse(&spec, count, arguments, &code) ? simulate(&o) : code;
}
