/* cmd_export.c — `pique export`. */
#include "args.h"

#include <stdio.h>
#include <sys/stat.h>

#define COMMAND "export"

typedef struct {
    const char *file, *quant, *out;
} options;

static cli_exit export(const options *o) {
    pique_context *ctx;
    struct stat before, after;
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    bool known = stat(o->file, &before) == 0; /* OUT may be FILE itself */
    pique_status status = pique_model_export(ctx, o->file, o->quant, o->out);
    if (status != PIQUE_OK) {
        code = cli_failed(COMMAND, ctx, status);
    } else if (known && stat(o->out, &after) == 0) {
        printf("%s: %lu bytes, %.2f of %s\n", o->out, (unsigned long)after.st_size,
               (double)after.st_size / (double)before.st_size, o->file);
    }
    pique_context_free(ctx);
    return code;
}

cli_exit cmd_export(int count, char **arguments) {
    options o = {NULL, NULL, NULL};
    const arg_option table[] = {
        {.name = "quant",
         .kind = ARG_TEXT,
         .target = &o.quant,
         .value = "KIND",
         .required = true,
         .help = "f32, or int8: rows in a quarter of the bytes"},
        {.name = "out",
         .letter = 'o',
         .kind = ARG_TEXT,
         .target = &o.out,
         .value = "OUT.pique",
         .required = true,
         .help = "the file to write"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Writes a model again with another kind of item rows.",
                           .plain = "FILE",
                           .plain_target = &o.file,
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    return args_parse(&spec, count, arguments, &code) ? export(&o) : code;
}
