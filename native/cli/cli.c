#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cli_exit cli_error(const char *command, cli_exit code, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "pique%s%s: ", command[0] ? " " : "", command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    if (code == CLI_USAGE) {
        fprintf(stderr, "`pique %s%s--help` tells how it is used\n", command,
                command[0] ? " " : "");
    }
    return code;
}

cli_exit cli_no_memory(const char *command) {
    return cli_error(command, CLI_FAILURE, "%s", pique_status_text(PIQUE_NO_MEMORY));
}

cli_exit cli_failed(const char *command, const pique_context *ctx, pique_status status) {
    const char *message = pique_error(ctx);
    cli_exit code = status == PIQUE_ARGUMENT ? CLI_USAGE : CLI_FAILURE;
    return cli_error(command, code, "%s", message[0] ? message : pique_status_text(status));
}

cli_exit cli_open(const char *command, pique_context **out) {
    const char *isa = getenv("PIQUE_ISA");
    *out = NULL;
    pique_context *ctx;
    if (pique_context_create(NULL, &ctx) != PIQUE_OK) {
        return cli_no_memory(command);
    }
    if (isa && isa[0] && pique_context_set_isa(ctx, isa) != PIQUE_OK) {
        cli_error(command, CLI_USAGE,
                  "PIQUE_ISA: %s; it can be scalar, v128, avx2, avx512, avx512vnni or best, as far "
                  "as the "
                  "processor has them",
                  pique_error(ctx));
        pique_context_free(ctx);
        return CLI_USAGE;
    }
    *out = ctx;
    return CLI_OK;
}

cli_exit cli_open_model(const char *command, const char *path, pique_context **ctx,
                        pique_model **model) {
    *model = NULL;
    cli_exit code = cli_open(command, ctx);
    if (code != CLI_OK) {
        return code;
    }
    pique_status status = pique_model_read(*ctx, path, model);
    return status == PIQUE_OK ? CLI_OK : cli_failed(command, *ctx, status);
}

cli_exit cli_check_output(const char *command) {
    errno = 0;
    bool lost = fflush(stdout) != 0;
    if (!lost && !ferror(stdout)) {
        return CLI_OK;
    }
    if (!lost) {
        /* An earlier write failed; errno has been used since, so one more has to tell the reason. */
        clearerr(stdout);
        lost = putchar('\n') == EOF || fflush(stdout) != 0;
    }
    return cli_error(command, CLI_FAILURE, "the result cannot be written: %s",
                     lost && errno ? strerror(errno) : "a part of it is lost");
}

void cli_print_safe(const char *bytes, size_t size, bool newlines) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool control = c < 0x20 || c == 0x7f;
        putchar(control && !(newlines && c == '\n') ? '?' : c);
    }
}

size_t cli_width(const char *bytes, size_t size) {
    size_t width = 0;
    for (size_t i = 0; i < size; i++) {
        width += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    }
    return width;
}
