/* cmd_models.c — `pique models`: the systems, and every key that --set takes. */
#include "args.h"
#include "json_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "models"
#define INDENT 8
#define LINE_WIDTH 80

/* Breaks the text at spaces, each line behind INDENT spaces. */
static void print_wrapped(const char *text) {
    size_t column = INDENT;
    printf("%*s", INDENT, "");
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > INDENT && column + 1 + word > LINE_WIDTH) {
            printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > INDENT) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_member(const json_view *view, const char *before, int object, const char *key) {
    fputs(before, stdout);
    json_view_print(view, json_view_get(view, object, key), false);
}

/* " (1 to 16)" or " (a, b, c)" */
static void print_allowed(const json_view *view, int field) {
    int choices = json_view_get(view, field, "choices");
    const char *before = " (";
    for (int at = json_view_first(view, choices); at >= 0; at = json_view_next(view, choices, at)) {
        fputs(before, stdout);
        json_view_print(view, at, false);
        before = ", ";
    }
    if (json_view_get(view, field, "min") >= 0) {
        print_member(view, " (", field, "min");
        print_member(view, " to ", field, "max");
        before = ", ";
    }
    fputs(before[0] == ',' ? ")" : "", stdout);
}

/* ", seed 3": where a preset differs from the default. */
static void print_preset(const json_view *view, int field, const char *preset) {
    if (!json_view_same(view, json_view_get(view, field, preset),
                        json_view_get(view, field, "default"))) {
        printf(", %s", preset);
        print_member(view, " ", field, preset);
    }
}

static void print_field(const json_view *view, int field) {
    char *help = json_view_text(view, json_view_get(view, field, "help"));
    print_member(view, "    ", field, "name");
    print_member(view, " = ", field, "default");
    print_preset(view, field, "seed");
    print_preset(view, field, "paper");
    print_allowed(view, field);
    putchar('\n');
    if (help) {
        print_wrapped(help);
    }
    free(help);
}

static void print_fields(const json_view *view, int fields) {
    for (int at = json_view_first(view, fields); at >= 0; at = json_view_next(view, fields, at)) {
        print_field(view, at);
    }
}

/* Those that not every system has. */
static void print_presets(const json_view *view, int presets) {
    for (int at = json_view_first(view, presets); at >= 0; at = json_view_next(view, presets, at)) {
        char *settings = json_view_text(view, json_view_get(view, at, "settings"));
        print_member(view, "    preset ", at, "name");
        puts(settings && *settings ? ": seed with" : ": seed");
        if (settings && *settings) {
            print_wrapped(settings);
        }
        free(settings);
    }
}

static void print_report(const json_view *view) {
    int models = json_view_get(view, JSON_ROOT, "models");
    for (int at = json_view_first(view, models); at >= 0; at = json_view_next(view, models, at)) {
        print_member(view, "", at, "name");
        print_member(view, " (", at, "task");
        print_member(view, "): ", at, "summary");
        putchar('\n');
        print_fields(view, json_view_get(view, at, "fields"));
        print_presets(view, json_view_get(view, at, "presets"));
        putchar('\n');
    }
    puts("The training loop, for every system:");
    print_fields(view, json_view_get(view, JSON_ROOT, "training"));
    puts("\nPretraining (`pique pretrain`):");
    print_fields(view, json_view_get(view, JSON_ROOT, "pretraining"));
}

static cli_exit list(pique_context *ctx, bool json) {
    char *text;
    json_view view;
    pique_status status = pique_models_json(ctx, &text);
    cli_exit code = CLI_OK;
    if (status != PIQUE_OK) {
        return cli_failed(COMMAND, ctx, status);
    }
    if (json) {
        puts(text);
    } else if (json_view_open(&view, text)) {
        print_report(&view);
        json_view_close(&view);
    } else {
        code = cli_no_memory(COMMAND);
    }
    pique_release(ctx, text);
    return code;
}

cli_exit cmd_models(int count, char **arguments) {
    bool json = false;
    pique_context *ctx;
    const arg_option table[] = {
        {.name = "json", .kind = ARG_FLAG, .target = &json, .help = "print one JSON object"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Lists the systems and every key that `pique train --set` "
                                      "takes: its value by default and in the other presets, what "
                                      "is allowed, what it means.",
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    if (!args_parse(&spec, count, arguments, &code)) {
        return code;
    }
    code = cli_open(COMMAND, &ctx);
    if (code == CLI_OK) {
        code = list(ctx, json);
    }
    pique_context_free(ctx);
    return code;
}
