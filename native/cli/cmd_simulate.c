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
        {"catalog", 0, ARG_TEXT, (void *)&o.catalog, "items.csv",
         "item, title, and columns of categories joined by '|'", 0, 0, true},
        {"users", 0, ARG_COUNT, &o.users, "N", "how many viewers (default 10000)", 1, UINT32_MAX,
         false},
        {"interests", 0, ARG_COUNT, &o.interests, "K", "a viewer has 1 to K interests (default 4)",
         1, UINT32_MAX, false},
        {"seed", 0, ARG_COUNT, &o.seed, "S", "of all that is random (default 1)", 0, UINT32_MAX,
         false},
        {"out", 'o', ARG_TEXT, (void *)&o.out, "DIR",
         "folder for items.csv, interactions.csv and truth.csv", 0, 0, true},
        {"columns", 0, ARG_TEXT, (void *)&o.columns, "A,B,...",
         "columns that interests are made of (default: all but item, title, popularity)", 0, 0,
         false},
        {"popularity", 0, ARG_TEXT, (void *)&o.popularity, "COLUMN",
         "column of numbers that grow with popularity (default: popularity, else the row order)", 0,
         0, false},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Makes viewers with known interests and what they watched.",
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    return args_parse(&spec, count, arguments, &code) ? simulate(&o) : code;
}
