#include "query_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void query_end_message(const query_source *s) {
    if (s->line) {
        fprintf(stderr, ", line %lu of %s", s->line, s->batch);
    }
    fputc('\n', stderr);
}

cli_exit query_items(const query_source *s, const char *option, const char *list, uint32_t **items,
                     uint32_t *count) {
    const char *at = list, *id;
    size_t size;
    uint32_t known = 0;
    *count = 0;
    *items = calloc(strlen(list) + 1, sizeof(**items)); /* as many parts at most */
    if (!*items) {
        return cli_no_memory(s->command);
    }
    while (args_next_part(&at, &id, &size)) {
        if (size == 0) {
            fprintf(stderr, "pique %s: %s: an id is empty", s->command, option);
            query_end_message(s);
            return CLI_USAGE;
        }
        uint32_t item = pique_model_find_item(s->model, id, size);
        if (item == 0) {
            fprintf(stderr, "pique %s: %s: %s does not know the item \"%.*s\"", s->command, option,
                    s->who, (int)size, id);
            query_end_message(s);
        }
        known += item != 0;
        (*items)[(*count)++] = item;
    }
    if (*count && !known) {
        fprintf(stderr, "pique %s: %s: %s knows none of the items", s->command, option, s->who);
        query_end_message(s);
        return CLI_FAILURE;
    }
    return CLI_OK;
}

cli_exit query_times(const query_source *s, const char *list, uint32_t count, double **times) {
    const char *at = list, *part;
    size_t size;
    uint32_t given = 0;
    *times = calloc(strlen(list) + 1, sizeof(**times)); /* as many parts at most */
    if (!*times) {
        return cli_no_memory(s->command);
    }
    while (args_next_part(&at, &part, &size)) {
        char *end;
        double time = strtod(part, &end);
        bool plain = size > 0 && strspn(part, "0123456789.") == size;
        if (!plain || end != part + size) {
            return cli_error(s->command, CLI_USAGE,
                             "--times: \"%.*s\" is not a number of seconds from 0 up", (int)size,
                             part);
        }
        (*times)[given++] = time;
    }
    if (given != count) {
        return cli_error(s->command, CLI_USAGE, "--times: %lu times for the %lu items of --history",
                         (unsigned long)given, (unsigned long)count);
    }
    return CLI_OK;
}

static uint32_t find_field(const pique_model *model, const char *name, size_t size) {
    uint32_t f = 0, count = pique_model_profile_count(model);
    for (; f < count; f++) {
        const char *field = pique_model_profile_name(model, f);
        if (strlen(field) == size && memcmp(field, name, size) == 0) {
            break;
        }
    }
    return f;
}

/* Adds the values of NAME=VALUE, of which there are fewer than its bytes. */
static cli_exit add_values(const query_source *s, const char *part, size_t size,
                           pique_value *values, uint32_t *count) {
    const char *sign = memchr(part, '=', size);
    if (!sign) {
        return cli_error(s->command, CLI_USAGE, "--profile: \"%.*s\" is not NAME=VALUE", (int)size,
                         part);
    }
    size_t length = (size_t)(sign - part);
    uint32_t field = find_field(s->model, part, length);
    bool others =
        s->other && find_field(s->other, part, length) < pique_model_profile_count(s->other);
    bool own = field < pique_model_profile_count(s->model);
    if (!own && !others) {
        return cli_error(s->command, CLI_USAGE, "--profile: the model has no field \"%.*s\"",
                         (int)length, part);
    }
    char separator = pique_model_profile_separator(s->model, field);
    const char *value = sign + 1, *end = part + size;
    while (own) {
        const char *stop = separator ? memchr(value, separator, (size_t)(end - value)) : NULL;
        size_t taken = (size_t)((stop ? stop : end) - value);
        values[(*count)++] =
            (pique_value){.bytes = value, .length = (uint32_t)taken, .field = field};
        own = stop != NULL;
        value += taken + 1;
    }
    return CLI_OK;
}

cli_exit query_profile(const query_source *s, const char *text, pique_context *ctx,
                       pique_session *session) {
    const char *at = text, *part;
    size_t size;
    uint32_t count = 0;
    pique_value *values = calloc(strlen(text) + 1, sizeof(*values));
    if (!values) {
        return cli_no_memory(s->command);
    }
    cli_exit code = CLI_OK;
    while (code == CLI_OK && args_next_part(&at, &part, &size)) {
        code = add_values(s, part, size, values, &count);
    }
    if (code == CLI_OK) {
        pique_status status = pique_session_profile(session, values, count, NULL);
        code = status == PIQUE_OK ? CLI_OK : cli_failed(s->command, ctx, status);
    }
    free(values);
    return code;
}

void query_print_id(const pique_model *model, uint32_t item, size_t width) {
    size_t size;
    const char *id = pique_model_item_id(model, item, &size);
    size_t taken = cli_width(id, size);
    cli_print_safe(id, size, false);
    if (taken < width) {
        printf("%*s", (int)(width - taken), "");
    }
}
