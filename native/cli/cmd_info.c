/* cmd_info.c — `pique info`: what a model file says about itself. */
#include "args.h"
#include "json_out.h"
#include "json_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COMMAND "info"

/* ---- output ---- */

static void print_json(const char *path, unsigned long size, const char *info) {
    fputs("{\"file\":", stdout);
    json_print_string(path, strlen(path));
    printf(",\"file_bytes\":%lu,%s\n", size, info + 1); /* the rest of the library's object */
}

static void print_line(const json_view *view, const char *name, const char *key, const char *unit) {
    int at = json_view_get(view, JSON_ROOT, key);
    if (at >= 0) {
        printf("%-12s ", name);
        json_view_print(view, at, false);
        printf("%s\n", unit);
    }
}

static void print_size(const json_view *view, unsigned long size) {
    printf("%-12s %lu bytes on disk, ", "size", size);
    json_view_print(view, json_view_get(view, JSON_ROOT, "bytes"), false);
    puts(" unpacked");
}

/* The elements of an array on one line. */
static void print_names(const json_view *view, const char *name, const char *key) {
    int array = json_view_get(view, JSON_ROOT, key);
    const char *before = "";
    for (int at = json_view_first(view, array); at >= 0; at = json_view_next(view, array, at)) {
        if (!before[0]) {
            printf("%-12s ", name);
        }
        fputs(before, stdout);
        json_view_print(view, at, false);
        before = ", ";
    }
    fputs(before[0] ? "\n" : "", stdout);
}

/* The members of an object, a line each, below a title. */
static void print_members(const json_view *view, const char *key) {
    int object = json_view_get(view, JSON_ROOT, key);
    int at = json_view_first(view, object);
    if (at >= 0) {
        printf("\n%s\n", key);
    }
    for (; at >= 0; at = json_view_next(view, object, at)) {
        fputs("  ", stdout);
        json_view_print(view, at, false);
        fputs(" = ", stdout);
        json_view_print(view, at + 1, false);
        putchar('\n');
    }
}

static void print_report(const char *path, unsigned long size, const json_view *view) {
    printf("%-12s %s\n", "file", path);
    print_line(view, "model", "model", "");
    print_line(view, "item rows", "quant", "");
    print_line(view, "items", "items", "");
    print_line(view, "interests", "interests", " at most");
    print_line(view, "width", "width", "");
    print_line(view, "history", "history", " newest items");
    print_names(view, "profile", "profile");
    print_names(view, "categories", "categories");
    print_size(view, size);
    print_line(view, "data", "data", "");
    print_members(view, "metrics");
    print_members(view, "config");
    int card = json_view_get(view, JSON_ROOT, "card");
    if (card >= 0) {
        puts("\ncard");
        json_view_print(view, card, true);
        putchar('\n');
    }
}

/* ---- the work ---- */

static cli_exit describe(const char *path, const pique_model *model, bool json) {
    struct stat file;
    json_view view;
    const char *info = pique_model_info(model);
    if (stat(path, &file) != 0) {
        return cli_error(COMMAND, CLI_FAILURE, "%s: %s", path, strerror(errno));
    }
    if (json) {
        print_json(path, (unsigned long)file.st_size, info);
        return CLI_OK;
    }
    if (!json_view_open(&view, info)) {
        return cli_no_memory(COMMAND);
    }
    print_report(path, (unsigned long)file.st_size, &view);
    json_view_close(&view);
    return CLI_OK;
}

cli_exit cmd_info(int count, char **arguments) {
    const char *file = NULL;
    bool json = false;
    pique_context *ctx;
    pique_model *model;
    const arg_option table[] = {
        {.name = "json", .kind = ARG_FLAG, .target = &json, .help = "print one JSON object"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Shows what a model file holds: card, sizes, options, "
                                      "metrics.",
                           .plain = "FILE",
                           .plain_target = &file,
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    if (!args_parse(&spec, count, arguments, &code)) {
        return code;
    }
    code = cli_open_model(COMMAND, file, &ctx, &model);
    if (code == CLI_OK) {
        code = describe(file, model, json);
    }
    pique_model_free(model);
    pique_context_free(ctx);
    return code;
}
