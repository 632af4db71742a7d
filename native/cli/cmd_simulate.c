/* cmd_simulate.c — `pique simulate`. */
#include "args.h"
#include "progress.h"

#include <stdio.h>

#define COMMAND "simulate"

static void tell(const pique_simulate_options *o, const pique_digits_options *d) {
    if (d) {
        printf("%s: users.csv, interactions.csv and schema.json of %lu images of digits\n", o->out,
               (unsigned long)d->count);
    } else {
        printf("%s: items.csv, interactions.csv and truth.csv of %lu simulated viewers\n", o->out,
               (unsigned long)o->users);
    }
}

/* Viewers of a catalogue, or, unless NULL, digits. */
static cli_exit simulate(const pique_simulate_options *o, pique_digits_options *d) {
    pique_context *ctx;
    progress shown;
    if (!d == !o->catalog) {
        return cli_error(COMMAND, CLI_USAGE, "either --catalog or --digits is needed");
    }
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    progress_begin(&shown, NULL);
    pique_listener listener = progress_listener(&shown);
    pique_status status;
    if (d) {
        d->out = o->out;
        d->seed = o->seed;
        status = pique_digits(ctx, d, &listener);
    } else {
        status = pique_simulate(ctx, o, &listener);
    }
    progress_end(&shown);
    if (status == PIQUE_OK) {
        tell(o, d);
    } else {
        code = cli_failed(COMMAND, ctx, status);
    }
    pique_context_free(ctx);
    return code;
}

cli_exit cmd_simulate(int count, char **arguments) {
    pique_simulate_options o;
    pique_digits_options d;
    bool of_digits = false;
    pique_simulate_options_default(&o);
    pique_digits_options_default(&d);
    const arg_option table[] = {
        {.name = "catalog",
         .kind = ARG_TEXT,
         .target = &o.catalog,
         .value = "items.csv",
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
        {.name = "digits",
         .kind = ARG_COUNT,
         .target = &d.count,
         .given = &of_digits,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help =
             "in place of viewers N images of digits: interactions.csv, users.csv, schema.json"},
        {.name = "size",
         .kind = ARG_COUNT,
         .target = &d.size,
         .value = "SIDE",
         .min = 1,
         .max = UINT32_MAX,
         .help = "of an image (default 28)"},
        {.name = "rotate",
         .kind = ARG_COUNT,
         .target = &d.rotate,
         .value = "DEGREES",
         .max = UINT32_MAX,
         .help = "digits are turned by up to so much each way (default 0)"},
        {.name = "slant",
         .kind = ARG_COUNT,
         .target = &d.slant,
         .value = "PERCENT",
         .max = UINT32_MAX,
         .help = "and slanted by up to so much of their height (default 20)"},
        {.name = "columns",
         .kind = ARG_TEXT,
         .target = &o.columns,
         .value = "A,B,...",
         .help = "columns that interests are made of (default: all but item, title, popularity)"},
        {ARG_POPULARITY(&o.popularity)},
    };
    const arg_spec spec = {
        .command = COMMAND,
        .summary = "Makes viewers with known interests and what they watched, or images "
                   "of digits.",
        .options = table,
        .option_count = CLI_COUNT(table)};
    cli_exit code;
    return args_parse(&spec, count, arguments, &code) ? simulate(&o, of_digits ? &d : NULL) : code;
}
