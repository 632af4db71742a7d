/* cli.h — what the subcommands share: exit codes, the context, failures in one form.
 *
 * Results go to stdout, everything else to stderr. A message names the command, the thing and the
 * reason: "pique eval: run/model.pique: No such file or directory". */
#ifndef CLI_H
#define CLI_H

#include "pique_train.h"

typedef enum { CLI_OK = 0, CLI_FAILURE = 1, CLI_USAGE = 2 } cli_exit;

#define CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__GNUC__)
#define CLI_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define CLI_PRINTF(at, first)
#endif

/* A context with the instruction set that the environment asks for (PIQUE_ISA). On failure it has
 * told why, and *out is NULL. */
cli_exit cli_open(const char *command, pique_context **out);

/* The same, and the model of a file. Both are released by the caller, also after a failure. */
cli_exit cli_open_model(const char *command, const char *path, pique_context **ctx,
                        pique_model **model);

/* Tells the failure of a library call and gives the exit code that belongs to it. */
cli_exit cli_failed(const char *command, const pique_context *ctx, pique_status status);
/* The same for a failure of our own. */
cli_exit cli_error(const char *command, cli_exit code, const char *format, ...) CLI_PRINTF(3, 4);
cli_exit cli_no_memory(const char *command);

/* Notices results that did not reach their place: a full disk, a closed pipe. Long outputs ask between
 * their parts; the program asks at the end. */
cli_exit cli_check_output(const char *command);

/* Text from a file of unknown origin, for a terminal: control characters become '?', except that
 * `newlines` lets line feeds pass. */
void cli_print_safe(const char *bytes, size_t size, bool newlines);
/* Columns that a UTF-8 text takes on a terminal, roughly: its characters. */
size_t cli_width(const char *bytes, size_t size);

/* The subcommands. `arguments` are those behind the command's name. */
cli_exit cmd_train(int count, char **arguments);
cli_exit cmd_pretrain(int count, char **arguments);
cli_exit cmd_content(int count, char **arguments);
cli_exit cmd_eval(int count, char **arguments);
cli_exit cmd_export(int count, char **arguments);
cli_exit cmd_recommend(int count, char **arguments);
cli_exit cmd_rank(int count, char **arguments);
cli_exit cmd_info(int count, char **arguments);
cli_exit cmd_models(int count, char **arguments);
cli_exit cmd_simulate(int count, char **arguments);
cli_exit cmd_site(int count, char **arguments);

#endif
