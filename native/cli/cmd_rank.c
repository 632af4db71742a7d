/* cmd_rank.c — `pique rank`: given candidates in the order of their scores for one history. */
#include "json_out.h"
#include "query_args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "rank"

typedef struct {
    const char *file, *history, *times, *candidates, *profile;
    uint32_t count; /* 0: all */
    bool json;
} options;

typedef struct {
    uint32_t item;
    float score;
    uint32_t place; /* among the candidates */
} ranked;

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        {.name = "history",
         .kind = ARG_TEXT,
         .target = &o->history,
         .value = "ID,ID,...",
         .required = true,
         .help = "what the person has seen, oldest first; may be empty"},
        {.name = "times",
         .kind = ARG_TEXT,
         .target = &o->times,
         .value = "S,S,...",
         .help = "when each item of the history was seen, in seconds"},
        {.name = "candidates",
         .kind = ARG_TEXT,
         .target = &o->candidates,
         .value = "ID,ID,...",
         .required = true,
         .help = "the items to put in order"},
        {.name = "k",
         .letter = 'k',
         .kind = ARG_COUNT,
         .target = &o->count,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "how many of them to print (default: all)"},
        {.name = "profile",
         .kind = ARG_TEXT,
         .target = &o->profile,
         .value = "NAME=VALUE,...",
         .help = "what is known of the person; `pique info` lists the names. Several values: "
                 "NAME=A|B"},
        {.name = "json", .kind = ARG_FLAG, .target = &o->json, .help = "print one JSON object"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Puts candidates in the order of their scores for a history.",
                           .plain = "FILE",
                           .plain_target = &o->file,
                           .options = table,
                           .option_count = CLI_COUNT(table),
                           .notes =
                               "A candidate that the model does not know is told and left out."};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    return code;
}

/* Best first; equal scores in the order they were given. */
static int by_score(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

static void print(const options *o, const pique_model *model, const ranked *list, uint32_t count) {
    bool odds = strcmp(pique_model_task(model), "ranking") == 0;
    fputs(o->json ? "{\"items\":["
          : odds  ? "rank     score  probability  id\n"
                  : "rank     score  id\n",
          stdout);
    for (uint32_t i = 0; i < count; i++) {
        double score = (double)list[i].score, probability = 1 / (1 + exp(-score));
        if (o->json) {
            size_t size;
            const char *id = pique_model_item_id(model, list[i].item, &size);
            fputs(i ? ",{\"id\":" : "{\"id\":", stdout);
            json_print_string(id, size);
            printf(",\"score\":%.9g", score);
            if (odds) {
                printf(",\"probability\":%.9g", probability);
            }
            putchar('}');
            continue;
        }
        printf("%4lu  %8.4f  ", (unsigned long)i + 1, score);
        if (odds) {
            printf("%11.4f  ", probability);
        }
        query_print_id(model, list[i].item, 0);
        putchar('\n');
    }
    fputs(o->json ? "]}\n" : "", stdout);
}

/* Scores the items that the model knows and prints them. */
static cli_exit rank(pique_context *ctx, const options *o, const query_source *source,
                     const pique_query *query, uint32_t *items, uint32_t count) {
    const pique_model *model = source->model;
    pique_session *session = NULL;
    float *scores = calloc((size_t)count + 1, sizeof(*scores));
    ranked *list = calloc((size_t)count + 1, sizeof(*list));
    uint32_t known = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i]) {
            items[known++] = items[i];
        }
    }
    if (!scores || !list) {
        free(scores);
        free(list);
        return cli_no_memory(COMMAND);
    }
    pique_status status = pique_session_create(ctx, model, &session);
    cli_exit code = status == PIQUE_OK ? CLI_OK : cli_failed(COMMAND, ctx, status);
    if (code == CLI_OK && o->profile) {
        code = query_profile(source, o->profile, ctx, session);
    }
    if (code == CLI_OK) {
        status = pique_session_rank(session, query, items, known, scores);
        code = status == PIQUE_OK ? CLI_OK : cli_failed(COMMAND, ctx, status);
    }
    if (code == CLI_OK) {
        for (uint32_t i = 0; i < known; i++) {
            list[i] = (ranked){items[i], scores[i], i};
        }
        qsort(list, known, sizeof(*list), by_score);
        print(o, model, list, o->count && o->count < known ? o->count : known);
    }
    pique_session_free(session);
    free(scores);
    free(list);
    return code;
}

static cli_exit ask(pique_context *ctx, const options *o, const pique_model *model) {
    const query_source source = {.command = COMMAND, .model = model, .who = "the model"};
    uint32_t *history = NULL, *candidates = NULL, count = 0;
    double *times = NULL;
    pique_query query = {0};
    cli_exit code = query_items(&source, "--history", o->history, &history, &query.history_count);
    if (code == CLI_OK && o->times) {
        code = query_times(&source, o->times, query.history_count, &times);
    }
    if (code == CLI_OK) {
        code = query_items(&source, "--candidates", o->candidates, &candidates, &count);
    }
    if (code == CLI_OK) {
        query.history = history;
        query.history_times = times;
        code = rank(ctx, o, &source, &query, candidates, count);
    }
    free(history);
    free(times);
    free(candidates);
    return code;
}

cli_exit cmd_rank(int count, char **arguments) {
    options o = {.file = NULL};
    pique_context *ctx = NULL;
    pique_model *model = NULL;
    bool go;
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = cli_open_model(COMMAND, o.file, &ctx, &model);
    }
    if (go && code == CLI_OK) {
        code = ask(ctx, &o, model);
    }
    pique_model_free(model);
    pique_context_free(ctx);
    return code;
}
