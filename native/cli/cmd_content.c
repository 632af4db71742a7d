/* cmd_content.c — `pique content`. */
#include "args.h"

#include <stdio.h>

#define COMMAND "content"

static void tell(const pique_content_options *o, const pique_content_result *r) {
    if (r->not_utf8) {
        fprintf(stderr, "%s: %lu items have texts that are not valid UTF-8\n", o->items,
                (unsigned long)r->not_utf8);
    }
    if (r->unrelated) {
        fprintf(stderr, "%s: %lu items share no word with any other; nothing is related to them\n",
                o->items, (unsigned long)r->unrelated);
    }
    printf("%s: %lu items, vectors of width %lu from %lu words and tags\n", o->out,
           (unsigned long)r->items, (unsigned long)o->dim, (unsigned long)r->terms);
}

static cli_exit make(const pique_content_options *o) {
    pique_context *ctx;
    pique_content_result result;
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    pique_status status = pique_content(ctx, o, &result);
    if (status == PIQUE_OK) {
        tell(o, &result);
    } else {
        code = cli_failed(COMMAND, ctx, status);
    }
    pique_context_free(ctx);
    return code;
}

cli_exit cmd_content(int count, char **arguments) {
    pique_content_options o;
    pique_content_options_default(&o);
    const arg_option table[] = {
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o.out,
         .value = "OUT.pique",
         .required = true,
         .help = "the file to write"},
        {.name = "id",
         .kind = ARG_TEXT,
         .target = &o.id,
         .value = "COLUMN",
         .help = "column of ids (default: id, item or url)"},
        {.name = "title",
         .kind = ARG_TEXT,
         .target = &o.title,
         .value = "COLUMN",
         .help = "column of titles, whose words count twice (default: title)"},
        {.name = "text",
         .kind = ARG_TEXT,
         .target = &o.text,
         .value = "A,B,...",
         .help = "columns of texts; HTML is stepped over (default: text)"},
        {.name = "tags",
         .kind = ARG_TEXT,
         .target = &o.tags,
         .value = "A,B,...",
         .help = "columns of tags joined by '|', ',' or ';' (default: tags)"},
        {ARG_POPULARITY(&o.popularity)},
        {.name = "dim",
         .kind = ARG_COUNT,
         .target = &o.dim,
         .value = "D",
         .min = 4,
         .max = 1024,
         .help = "width of the vectors (default 64)"},
        {.name = "interests",
         .kind = ARG_COUNT,
         .target = &o.interests,
         .value = "K",
         .min = 1,
         .max = 16,
         .help = "most interests that a history is divided into (default 1: its mean)"},
        {ARG_SEED(&o.seed)},
    };
    const arg_spec spec = {
        .command = COMMAND,
        .summary = "Makes a model of texts and tags alone, for sites without interactions.",
        .plain = "ITEMS.csv",
        .plain_target = &o.items,
        .options = table,
        .option_count = CLI_COUNT(table)};
    cli_exit code;
    return args_parse(&spec, count, arguments, &code) ? make(&o) : code;
}
