/* cmd_export.c — `pique export`. */
#include "args.h"

#include <stdio.h>
#include <sys/stat.h>

#define COMMAND "export"

typedef struct {
    const char *file, *quant, *out;
    uint32_t blocks;
} options;

static cli_exit export(const options *o) {
    pique_context *ctx;
    struct stat before, after;
    if (o->blocks % 32) {
        return cli_error(COMMAND, CLI_USAGE, "--blocks takes a multiple of 32, not %lu",
                         (unsigned long)o->blocks);
    }
    cli_exit code = cli_open(COMMAND, &ctx);
    if (code != CLI_OK) {
        return code;
    }
    bool known = stat(o->file, &before) == 0; /* OUT may be FILE itself */
    pique_status status = pique_model_export(ctx, o->file, o->quant, o->out);
    if (status == PIQUE_OK && o->blocks) {
        status = pique_model_write_blocks(ctx, o->out, o->blocks, o->out);
    }
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
    options o = {NULL, NULL, NULL, 0};
    const arg_option table[] = {
        {.name = "quant",
         .kind = ARG_TEXT,
         .target = &o.quant,
         .value = "KIND",
         .required = true,
         .help = "f32, or int8: rows in a quarter of the bytes"},
        {.name = "blocks",
         .kind = ARG_COUNT,
         .target = &o.blocks,
         .value = "ROWS",
         .min = 32,
         .max = 1 << 20,
         .help = "item rows in blocks of that many (a multiple of 32): a page can recommend before "
                 "it has all of them"},
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
