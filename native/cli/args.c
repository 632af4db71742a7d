#include "args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers for values ---- */

bool args_number(const char *text, size_t size, uint32_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value > UINT32_MAX) {
            return false;
        }
    }
    *out = (uint32_t)value;
    return size > 0;
}

bool args_next_part(const char **at, const char **part, size_t *size) {
    if (!*at || !**at) {
        return false;
    }
    *part = *at;
    *size = strcspn(*at, ",");
    *at += *size;
    *at += **at == ',';
    return true;
}

cli_exit arg_list_add(const char *command, arg_list *list, const char *value) {
    const char **values = realloc(list->values, (list->count + 1) * sizeof(*values));
    if (!values) {
        return cli_no_memory(command);
    }
    values[list->count++] = value;
    list->values = values;
    return CLI_OK;
}

void arg_list_free(arg_list *list) {
    free(list->values);
    *list = (arg_list){0};
}

/* ---- what was meant ---- */

#define LONGEST_WORD 31

static size_t least(size_t a, size_t b, size_t c) {
    size_t d = a < b ? a : b;
    return d < c ? d : c;
}

/* How many letters must be changed, added or dropped. Two neighbours that are swapped count as two. */
static size_t distance(const char *a, size_t m, const char *b, size_t n) {
    size_t rows[2][LONGEST_WORD + 1];
    for (size_t j = 0; j <= n; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= m; i++) {
        size_t *row = rows[i % 2];
        const size_t *above = rows[(i - 1) % 2];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
        }
    }
    return rows[m % 2][n];
}

const char *args_nearest(const char *word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t size = strlen(word);
    size_t best = 3;
    if (size < 2 || size > LONGEST_WORD) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (length < 2 || length > LONGEST_WORD) {
            continue;
        }
        size_t steps = distance(word, size, names[i], length);
        if (length > size && strncmp(word, names[i], size) == 0) {
            steps = 1; /* its beginning */
        }
        if (steps < best && steps < length && steps < size) {
            best = steps;
            nearest = names[i];
        }
    }
    return nearest;
}

/* ---- help ---- */

static void print_head(const arg_option *option, char *out, size_t size) {
    char letter[] = "-x, ";
    letter[1] = option->letter;
    snprintf(out, size, "%s--%s%s%s", option->letter ? letter : "    ", option->name,
             option->value ? " " : "", option->value ? option->value : "");
}

static void print_help(const arg_spec *spec) {
    printf("usage: pique %s%s%s", spec->command, spec->plain ? " " : "",
           spec->plain ? spec->plain : "");
    for (size_t i = 0; i < spec->option_count; i++) {
        const arg_option *option = &spec->options[i];
        if (option->required) {
            printf(" --%s %s", option->name, option->value);
        }
    }
    printf(" [options]\n\n%s\n\n", spec->summary);
    for (size_t i = 0; i < spec->option_count; i++) {
        char head[80];
        print_head(&spec->options[i], head, sizeof(head));
        printf("  %-30s %s\n", head, spec->options[i].help);
    }
    printf("  %-30s %s\n", "    --help", "show this text");
    if (spec->notes) {
        printf("\n%s\n", spec->notes);
    }
}

/* ---- parsing ---- */

typedef struct {
    const arg_spec *spec;
    char **arguments;
    int count, at;
    bool plain_only; /* behind "--" */
    bool *given;     /* [options] */
} parser;

static cli_exit unknown_option(const parser *p, const char *argument, size_t size) {
    const char *names[64];
    char word[LONGEST_WORD + 2];
    size_t count = 0;
    for (; count < p->spec->option_count && count + 1 < CLI_COUNT(names); count++) {
        names[count] = p->spec->options[count].name;
    }
    names[count++] = "help";
    const char *name = argument + strspn(argument, "-");
    snprintf(word, sizeof(word), "%.*s", (int)(size - (size_t)(name - argument)), name);
    const char *meant = args_nearest(word, names, count);
    if (meant) {
        return cli_error(p->spec->command, CLI_USAGE,
                         "there is no option \"%.*s\"; did you mean --%s?", (int)size, argument,
                         meant);
    }
    return cli_error(p->spec->command, CLI_USAGE, "there is no option \"%.*s\"", (int)size,
                     argument);
}

static cli_exit set_count(const parser *p, const arg_option *option, const char *value,
                          const char *shown) {
    uint32_t number;
    if (!args_number(value, strlen(value), &number) || number < option->min ||
        number > option->max) {
        return cli_error(p->spec->command, CLI_USAGE,
                         "%s: \"%s\" is not a whole number from %u to %u", shown, value,
                         (unsigned)option->min, (unsigned)option->max);
    }
    *(uint32_t *)option->target = number;
    return CLI_OK;
}

static cli_exit set_option(const parser *p, const arg_option *option, const char *value,
                           const char *shown) {
    bool *given = &p->given[option - p->spec->options];
    if (*given && option->kind == ARG_TEXT && strchr(option->value, ',')) {
        return cli_error(p->spec->command, CLI_USAGE, "%s is given twice; write --%s %s", shown,
                         option->name, option->value);
    }
    *given = true;
    if (option->given) {
        *option->given = true;
    }
    switch (option->kind) {
    case ARG_FLAG:
        *(bool *)option->target = true;
        return CLI_OK;
    case ARG_TEXT:
        *(const char **)option->target = value;
        return CLI_OK;
    case ARG_COUNT:
        return set_count(p, option, value, shown);
    case ARG_LIST:
        return arg_list_add(p->spec->command, option->target, value);
    }
    return CLI_FAILURE;
}

static const arg_option *find_option(const arg_spec *spec, const char *argument, size_t size) {
    for (size_t i = 0; i < spec->option_count; i++) {
        const arg_option *option = &spec->options[i];
        bool is_long = argument[1] == '-' && strlen(option->name) == size - 2 &&
                       memcmp(option->name, argument + 2, size - 2) == 0;
        if (is_long || (option->letter && size == 2 && argument[1] == option->letter)) {
            return option;
        }
    }
    return NULL;
}

/* The option at p->at, and its value when that is the next argument. */
static cli_exit parse_option(parser *p) {
    const char *argument = p->arguments[p->at];
    const char *equals = strchr(argument, '=');
    size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
    const arg_option *option = find_option(p->spec, argument, size);
    char shown[LONGEST_WORD + 3];
    if (!option) {
        return unknown_option(p, argument, size);
    }
    snprintf(shown, sizeof(shown), "%.*s", (int)size, argument);
    if (option->kind == ARG_FLAG) {
        return equals ? cli_error(p->spec->command, CLI_USAGE, "%s takes no value", shown)
                      : set_option(p, option, NULL, shown);
    }
    if (equals) {
        return set_option(p, option, equals + 1, shown);
    }
    /* "--out --resume" is a forgotten value; "--out=--resume" says that it is meant. */
    if (p->at + 1 >= p->count || strncmp(p->arguments[p->at + 1], "--", 2) == 0) {
        return cli_error(p->spec->command, CLI_USAGE, "%s needs a value: %s", shown, option->value);
    }
    return set_option(p, option, p->arguments[++p->at], shown);
}

static cli_exit parse_plain(const parser *p, const char *argument) {
    if (!p->spec->plain_target || *p->spec->plain_target) {
        return cli_error(p->spec->command, CLI_USAGE, "what is \"%s\" for?", argument);
    }
    *p->spec->plain_target = argument;
    return CLI_OK;
}

static cli_exit check_required(const parser *p) {
    const arg_spec *spec = p->spec;
    if (spec->plain_target && !*spec->plain_target) {
        return cli_error(spec->command, CLI_USAGE, "%s is missing", spec->plain);
    }
    for (size_t i = 0; i < spec->option_count; i++) {
        const arg_option *option = &spec->options[i];
        if (option->required && !p->given[i]) {
            return cli_error(spec->command, CLI_USAGE, "--%s %s is missing", option->name,
                             option->value);
        }
    }
    return CLI_OK;
}

static bool wants_help(int count, char **arguments) {
    for (int i = 0; i < count && strcmp(arguments[i], "--") != 0; i++) {
        if (strcmp(arguments[i], "--help") == 0 || strcmp(arguments[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static cli_exit parse_all(parser *p) {
    for (; p->at < p->count; p->at++) {
        const char *argument = p->arguments[p->at];
        bool plain = p->plain_only || argument[0] != '-' || argument[1] == 0;
        cli_exit code = CLI_OK;
        if (!plain && strcmp(argument, "--") == 0) {
            p->plain_only = true;
        } else {
            code = plain ? parse_plain(p, argument) : parse_option(p);
        }
        if (code != CLI_OK) {
            return code;
        }
    }
    return check_required(p);
}

bool args_parse(const arg_spec *spec, int count, char **arguments, cli_exit *code) {
    if (wants_help(count, arguments)) {
        print_help(spec);
        *code = CLI_OK;
        return false;
    }
    parser p = {.spec = spec, .arguments = arguments, .count = count};
    p.given = calloc(spec->option_count + 1, sizeof(*p.given));
    *code = p.given ? parse_all(&p) : cli_no_memory(spec->command);
    free(p.given);
    return *code == CLI_OK;
}
