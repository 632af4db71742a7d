/* query_args.h — ids and profiles of a person on the command line, as `recommend` and `rank` take them. */
#ifndef CLI_QUERY_ARGS_H
#define CLI_QUERY_ARGS_H

#include "args.h"

/* What is asked, for messages. */
typedef struct {
    const char *command;
    const pique_model *model;
    const char *who;          /* what messages call it: "the model" */
    const pique_model *other; /* NULL, or a model whose profile fields may be named as well */
    const char *batch;        /* file of histories, NULL: none */
    unsigned long line;       /* of it, from 1; 0: the text comes from the command line */
} query_source;

/* Numbers of the items of a list, to be freed; 0 for those that the model does not know, which are told.
 * CLI_FAILURE when it knows none of several. */
cli_exit query_items(const query_source *source, const char *option, const char *list,
                     uint32_t **items, uint32_t *count);
/* Seconds S,S,..., as many as the history has items, to be freed. */
cli_exit query_times(const query_source *source, const char *list, uint32_t count, double **times);
/* Gives the session of the source's model, which is of ctx, the profile NAME=VALUE,...; values of a field that takes
 * several stand between its separator, or in several parts. */
cli_exit query_profile(const query_source *source, const char *text, pique_context *ctx,
                       pique_session *session);
/* Ends a message on stderr: ", line 3 of FILE" and the end of the line, or the latter alone. */
void query_end_message(const query_source *source);
/* An item's id, safe for a terminal, filled up to `width` columns. */
void query_print_id(const pique_model *model, uint32_t item, size_t width);

#endif
