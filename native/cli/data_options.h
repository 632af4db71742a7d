/* data_options.h — --data, --format and those --set keys that belong to the data set. */
#ifndef CLI_DATA_OPTIONS_H
#define CLI_DATA_OPTIONS_H

#include "args.h"
#include "progress.h"

/* The row of --data, and those of --format, --schema and --strict; `options` are pique_dataset_options. */
#define DATA_ROW(options)                                                                          \
    {                                                                                              \
        .name = "data", .kind = ARG_TEXT, .target = &(options).path, .value = "PATH",              \
        .required = true, .help = "ratings: a folder or a file"                                    \
    }
#define DATA_OPTION_ROWS(options)                                                                  \
    {.name = "format",                                                                             \
     .kind = ARG_TEXT,                                                                             \
     .target = &(options).format,                                                                  \
     .value = "NAME",                                                                              \
     .help = "auto (default), csv, ctr, movielens, recbole or sequences"},                         \
        {.name = "schema",                                                                         \
         .kind = ARG_TEXT,                                                                         \
         .target = &(options).schema,                                                              \
         .value = "F.json",                                                                        \
         .help = "what the columns are; default: schema.json beside the data"},                    \
    {                                                                                              \
        .name = "strict", .kind = ARG_FLAG, .target = &(options).strict,                           \
        .help = "a bad row ends the reading; else it is counted and left out"                      \
    }
#define DATA_NOTES                                                                                 \
    "--set keys of the data set:\n"                                                                \
    "  min_count=N      items with fewer training events count as unknown (default 1)\n"           \
    "  min_rating=X     events rated lower are left out (default 0)\n"                             \
    "  strict=1         as --strict\n"                                                             \
    "  hold_out_items=S keeps all events of this share of the items from training (default 0)\n"   \
    "  hold_out_seed=N  of which items (default 1)\n"                                              \
    "  all_items=1      items of the table that no training event has are known, too\n"            \
    "  label_rating=X   for models that rank: a rating from here on is label 1 (default 4)\n"      \
    "  split=NAME       for models that rank: last, random or time; with a test file also file "   \
    "and\n"                                                                                        \
    "                   file_test (default: file where there is one, else last)\n"                 \
    "  split_seed=N     of split=random and split=file (default 1)"

/* Moves the keys of DATA_NOTES from `set` to the options; the others stay, in their order. */
cli_exit data_options_take(const char *command, arg_list *set, pique_dataset_options *options);

/* Reads the data set and says on stderr what it holds. */
cli_exit data_open(const char *command, pique_context *ctx, const pique_dataset_options *options,
                   progress *shown, pique_dataset **out);

#endif
