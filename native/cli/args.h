/* args.h — the options of a subcommand as a table, which also writes its --help.
 *
 * Options may be written --name value, --name=value, -n value or -n=value, before, between and behind the plain
 * arguments; "--" ends them. An option given twice counts as given last, except for those that may be given
 * many times; one whose value is a list ("F,F,...") is refused, since either list may be what was meant. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli.h"

typedef enum {
    ARG_FLAG,  /* bool */
    ARG_TEXT,  /* const char * */
    ARG_COUNT, /* uint32_t, in the range of the option */
    ARG_LIST   /* arg_list: may be given many times */
} arg_kind;

typedef struct {
    const char **values;
    uint32_t count;
} arg_list;

typedef struct {
    const char *name;  /* without dashes */
    const char *value; /* what the help calls the value; NULL for flags */
    const char *help;
    void *target;
    bool *given; /* NULL, or set when the option is given */
    arg_kind kind;
    uint32_t min, max; /* of ARG_COUNT, both included */
    char letter;       /* 0: none */
    bool required;
} arg_option;

/* The members of rows that several commands have. */
#define ARG_SEED(at)                                                                               \
    .name = "seed", .kind = ARG_COUNT, .target = (at), .value = "S", .min = 0, .max = UINT32_MAX,  \
    .help = "of all that is random (default 1)"
#define ARG_THREADS(at)                                                                            \
    .name = "threads", .kind = ARG_COUNT, .target = (at), .value = "N", .min = 1, .max = 1024
#define ARG_POPULARITY(at)                                                                         \
    .name = "popularity", .kind = ARG_TEXT, .target = (at), .value = "COLUMN",                     \
    .help =                                                                                        \
        "column of numbers that grow with popularity (default: popularity, else the row order)"

typedef struct {
    const char *command; /* "train" */
    const char *summary; /* one sentence */
    const char *plain;   /* what the help calls the plain argument: "FILE"; NULL: there is none */
    const char **plain_target;
    const arg_option *options;
    size_t option_count;
    const char *notes; /* further lines of the help, or NULL */
} arg_spec;

/* Fills the targets. false when there is nothing left to do: the help was printed (*code CLI_OK), or the
 * arguments are wrong and it was told why. Lists are released by their owner in either case. */
bool args_parse(const arg_spec *spec, int count, char **arguments, cli_exit *code);

/* Keeps the pointer. */
cli_exit arg_list_add(const char *command, arg_list *list, const char *value);
void arg_list_free(arg_list *list);

/* The entry of `names` that a misspelt word was meant to be, NULL when none is near. */
const char *args_nearest(const char *word, const char *const *names, size_t count);

/* A whole number in decimal digits, and nothing else. */
bool args_number(const char *text, size_t size, uint32_t *out);

/* Cuts "a,b,c" into its parts: true and the next part while there is one. An empty text has none, and a
 * comma at the end begins none. Start with *at = text. */
bool args_next_part(const char **at, const char **part, size_t *size);

#endif
