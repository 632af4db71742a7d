#include "data_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cli_exit set_count(const char *command, const char *key, const char *value, uint32_t *out) {
    if (!args_number(value, strlen(value), out)) {
        return cli_error(command, CLI_USAGE,
                         "--set %s: \"%s\" is not a whole number from 0 to 4294967295", key, value);
    }
    return CLI_OK;
}

static cli_exit set_number(const char *command, const char *key, const char *value, double *out) {
    char *end;
    bool plain = value[0] && value[strspn(value, "0123456789.")] == 0;
    *out = strtod(value, &end);
    if (!plain || *end) {
        return cli_error(command, CLI_USAGE, "--set %s: \"%s\" is not a number from 0 up", key,
                         value);
    }
    return CLI_OK;
}

static cli_exit set_flag(const char *command, const char *key, const char *value, bool *out) {
    *out = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (!*out && strcmp(value, "0") != 0 && strcmp(value, "false") != 0) {
        return cli_error(command, CLI_USAGE, "--set %s: \"%s\" is not true or false", key, value);
    }
    return CLI_OK;
}

cli_exit data_options_take(const char *command, arg_list *set, pique_dataset_options *options) {
    uint32_t kept = 0;
    cli_exit code = CLI_OK;
    for (uint32_t i = 0; i < set->count && code == CLI_OK; i++) {
        const char *text = set->values[i];
        if (strncmp(text, "min_count=", 10) == 0) {
            code = set_count(command, "min_count", text + 10, &options->min_count);
        } else if (strncmp(text, "min_rating=", 11) == 0) {
            code = set_number(command, "min_rating", text + 11, &options->min_rating);
        } else if (strncmp(text, "label_rating=", 13) == 0) {
            code = set_number(command, "label_rating", text + 13, &options->label_rating);
        } else if (strncmp(text, "split_seed=", 11) == 0) {
            code = set_count(command, "split_seed", text + 11, &options->split_seed);
        } else if (strncmp(text, "hold_out_items=", 15) == 0) {
            code = set_number(command, "hold_out_items", text + 15, &options->hold_out_items);
        } else if (strncmp(text, "hold_out_seed=", 14) == 0) {
            code = set_count(command, "hold_out_seed", text + 14, &options->hold_out_seed);
        } else if (strncmp(text, "all_items=", 10) == 0) {
            code = set_flag(command, "all_items", text + 10, &options->all_items);
        } else if (strncmp(text, "split=", 6) == 0) {
            options->split = text + 6;
        } else if (strncmp(text, "strict=", 7) == 0) {
            code = set_flag(command, "strict", text + 7, &options->strict);
        } else {
            set->values[kept++] = text;
        }
    }
    set->count = kept;
    return code;
}

cli_exit data_open(const char *command, pique_context *ctx, const pique_dataset_options *options,
                   progress *shown, pique_dataset **out) {
    pique_listener listener = progress_listener(shown);
    pique_status status = pique_dataset_open(ctx, options, &listener, out);
    progress_end(shown);
    if (status != PIQUE_OK) {
        return cli_failed(command, ctx, status);
    }
    pique_dataset_summary s = pique_dataset_describe(*out);
    fprintf(stderr, "%s: %lu users, %lu items, %lu events", options->path, (unsigned long)s.users,
            (unsigned long)s.items, (unsigned long)(options->labelled ? s.liked : s.events));
    if (options->labelled) {
        fprintf(stderr, " liked of %lu labelled", (unsigned long)s.labelled);
    }
    if (s.bad_rows) {
        fprintf(stderr, ", %lu bad rows left out", (unsigned long)s.bad_rows);
    }
    fputc('\n', stderr);
    return CLI_OK;
}
