/* cmd_recommend.c — `pique recommend`: the best items for one history, or for each line of a file. */
#include "json_out.h"
#include "query_args.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND "recommend"
#define RETRIEVE 100 /* items that a ranker is given */

typedef struct {
    const char *file, *ranker;
    const char *history, *times, *exclude, *profile; /* as given */
    const char *batch;
    const char *diversity, *diversity_by;
    uint32_t count, retrieve; /* retrieve 0: not given */
    bool exclude_seen, explain, json;
} options;

/* A model that is asked, and what is known of the person in its numbers. */
typedef struct {
    pique_context *ctx;
    pique_model *model;
    pique_session *session;
    query_source source;
} stage;

typedef struct {
    const options *o;
    stage retrieval, ranking; /* ranking.model NULL: no ranker */
    uint32_t *excluded;
    uint32_t excluded_count;
    float diversity;
    uint32_t category;
} job;

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        {.name = "history",
         .kind = ARG_TEXT,
         .target = &o->history,
         .value = "ID,ID,...",
         .help = "what the person has seen, oldest first; may be empty"},
        {.name = "times",
         .kind = ARG_TEXT,
         .target = &o->times,
         .value = "S,S,...",
         .help = "when each item of the history was seen, in seconds"},
        {.name = "k",
         .letter = 'k',
         .kind = ARG_COUNT,
         .target = &o->count,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "how many items (default 10)"},
        {.name = "exclude-seen",
         .kind = ARG_FLAG,
         .target = &o->exclude_seen,
         .help = "leave the history's items out"},
        {.name = "exclude",
         .kind = ARG_TEXT,
         .target = &o->exclude,
         .value = "ID,ID,...",
         .help = "further items to leave out"},
        {.name = "profile",
         .kind = ARG_TEXT,
         .target = &o->profile,
         .value = "NAME=VALUE,...",
         .help = "what is known of the person; `pique info` lists the names. Several values: "
                 "NAME=A|B"},
        {.name = "diversity",
         .kind = ARG_TEXT,
         .target = &o->diversity,
         .value = "X",
         .help = "a score falls by X for every item of its category above it (default 0)"},
        {.name = "diversity-by",
         .kind = ARG_TEXT,
         .target = &o->diversity_by,
         .value = "NAME",
         .help = "column of the categories (default: the first; `pique info` lists them)"},
        {.name = "ranker",
         .kind = ARG_TEXT,
         .target = &o->ranker,
         .value = "FILE",
         .help = "a ranking model that puts the items retrieved in order; items are joined by ids"},
        {.name = "retrieve",
         .kind = ARG_COUNT,
         .target = &o->retrieve,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "how many items the ranker is given, at least -k (default 100)"},
        {.name = "explain",
         .kind = ARG_FLAG,
         .target = &o->explain,
         .help = "the interest that won, and the items that feed it with their shares"},
        {.name = "json", .kind = ARG_FLAG, .target = &o->json, .help = "print one JSON object"},
        {.name = "batch",
         .kind = ARG_TEXT,
         .target = &o->batch,
         .value = "FILE",
         .help = "one history a line instead of --history; prints one JSON object a line"},
    };
    const arg_spec spec = {.command = COMMAND,
                           .summary = "Prints the best items for a history.",
                           .plain = "FILE",
                           .plain_target = &o->file,
                           .options = table,
                           .option_count = CLI_COUNT(table)};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go && !o->history == !o->batch) {
        *go = false;
        return cli_error(COMMAND, CLI_USAGE, "%s",
                         o->batch ? "--history and --batch cannot be given together"
                                  : "--history ID,ID,... or --batch FILE is missing");
    }
    if (*go && o->batch && o->times) {
        *go = false;
        return cli_error(COMMAND, CLI_USAGE, "--times goes with --history, not with --batch");
    }
    if (*go && o->retrieve && !o->ranker) {
        *go = false;
        return cli_error(COMMAND, CLI_USAGE, "--retrieve takes --ranker too");
    }
    return code;
}

/* ---- output ---- */

static double probability(const pique_recommendation *r) {
    return 1 / (1 + exp(-(double)r->score));
}

static void json_item(const job *j, uint32_t item) {
    size_t size;
    const char *id = pique_model_item_id(j->retrieval.model, item, &size);
    fputs("{\"id\":", stdout);
    json_print_string(id, size);
}

/* Nine digits tell every float from its neighbours. */
static void print_json(const job *j, const pique_recommendation *list, uint32_t count) {
    fputs("{\"items\":[", stdout);
    for (uint32_t i = 0; i < count; i++) {
        const pique_recommendation *r = &list[i];
        fputs(i ? "," : "", stdout);
        json_item(j, r->item);
        printf(",\"score\":%.9g", (double)r->score);
        if (j->ranking.model) {
            printf(",\"probability\":%.9g", probability(r));
        }
        printf(",\"interest\":%lu", (unsigned long)r->interest);
        fputs(j->o->explain ? ",\"reasons\":[" : "}", stdout);
        for (uint32_t k = 0; j->o->explain && k < r->reason_count; k++) {
            fputs(k ? "," : "", stdout);
            json_item(j, r->reasons[k]);
            printf(",\"share\":%.9g}", (double)r->reason_weights[k]);
        }
        fputs(j->o->explain ? "]}" : "", stdout);
    }
    puts("]}");
}

static void print_table(const job *j, const pique_recommendation *list, uint32_t count) {
    size_t width = 2;
    for (uint32_t i = 0; i < count && j->o->explain; i++) {
        size_t size;
        const char *id = pique_model_item_id(j->retrieval.model, list[i].item, &size);
        size_t taken = cli_width(id, size);
        width = taken > width && taken < 60 ? taken : width;
    }
    printf("rank     score  %sid\n", j->ranking.model ? "probability  " : "");
    for (uint32_t i = 0; i < count; i++) {
        const pique_recommendation *r = &list[i];
        printf("%4lu  %8.4f  ", (unsigned long)i + 1, (double)r->score);
        if (j->ranking.model) {
            printf("%11.4f  ", probability(r));
        }
        query_print_id(j->retrieval.model, r->item, j->o->explain ? width : 0);
        if (j->o->explain) {
            printf("  interest %lu", (unsigned long)r->interest);
        }
        for (uint32_t k = 0; k < r->reason_count; k++) {
            fputs(k ? ", " : ": ", stdout);
            query_print_id(j->retrieval.model, r->reasons[k], 0);
            printf(" (%.0f%%)", 100 * (double)r->reason_weights[k]);
        }
        putchar('\n');
    }
}

/* ---- the work ---- */

static cli_exit person(const stage *s, const char *history, pique_query *query, uint32_t **items) {
    cli_exit code = query_items(&s->source, s->source.line ? "history" : "--history", history,
                                items, &query->history_count);
    query->history = *items;
    return code;
}

/* Asks the one model, or both; the list belongs to the session. */
static cli_exit ask(const job *j, const pique_query *query, const pique_query *ranked,
                    const pique_recommendation **list, uint32_t *count) {
    const stage *s = &j->retrieval;
    uint32_t unknown = 0;
    pique_ranker ranker = {.session = j->ranking.session,
                           .person = ranked,
                           .retrieve = j->o->retrieve ? j->o->retrieve : RETRIEVE};
    pique_status status =
        j->ranking.model ? pique_session_cascade(s->session, query, &ranker, list, count, &unknown)
                         : pique_session_recommend(s->session, query, list, count);
    if (unknown) {
        fprintf(
            stderr,
            "pique %s: --ranker: %s does not know %lu of the items retrieved; they are left out",
            COMMAND, j->ranking.source.who, (unsigned long)unknown);
        query_end_message(&s->source);
    }
    return status == PIQUE_OK ? CLI_OK : cli_failed(COMMAND, s->ctx, status);
}

static cli_exit answer(const job *j, const char *history) {
    uint32_t *items = NULL, *rank_items = NULL, count;
    double *times = NULL;
    const pique_recommendation *list;
    pique_query ranked = {0};
    pique_query query = {.count = j->o->count,
                         .exclude_seen = j->o->exclude_seen,
                         .explain = j->o->explain,
                         .exclude = j->excluded,
                         .exclude_count = j->excluded_count,
                         .diversity = j->diversity,
                         .category = j->category};
    cli_exit code = person(&j->retrieval, history, &query, &items);
    if (code == CLI_OK && j->ranking.model) {
        code = person(&j->ranking, history, &ranked, &rank_items);
    }
    if (code == CLI_OK && j->o->times) {
        code = query_times(&j->retrieval.source, j->o->times, query.history_count, &times);
        query.history_times = times;
        ranked.history_times = times;
    }
    if (code == CLI_OK) {
        code = ask(j, &query, &ranked, &list, &count);
    }
    if (code == CLI_OK && (j->o->json || j->o->batch)) {
        print_json(j, list, count);
    } else if (code == CLI_OK) {
        print_table(j, list, count);
    }
    free(items);
    free(rank_items);
    free(times);
    return code;
}

static cli_exit answer_lines(job *j, FILE *file) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    cli_exit code = CLI_OK;
    while (code == CLI_OK && (size = getline(&line, &capacity, file)) >= 0) {
        j->retrieval.source.line++;
        j->ranking.source.line++;
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r')) {
            line[--size] = 0;
        }
        if (strlen(line) != (size_t)size) {
            code = cli_error(COMMAND, CLI_FAILURE, "%s, line %lu: not a text file (zero byte)",
                             j->o->batch, j->retrieval.source.line);
        } else {
            code = answer(j, line);
        }
        if (code == CLI_OK) {
            code = cli_check_output(COMMAND);
        }
    }
    if (code == CLI_OK && ferror(file)) {
        code = cli_error(COMMAND, CLI_FAILURE, "%s: %s", j->o->batch, strerror(errno));
    }
    free(line);
    return code;
}

static cli_exit answer_batch(job *j) {
    FILE *file = fopen(j->o->batch, "r");
    if (!file) {
        return cli_error(COMMAND, CLI_FAILURE, "%s: %s", j->o->batch, strerror(errno));
    }
    cli_exit code = answer_lines(j, file);
    fclose(file);
    return code;
}

static cli_exit parse_diversity(job *j) {
    const char *text = j->o->diversity, *name = j->o->diversity_by;
    char *end;
    if (!text) {
        return name ? cli_error(COMMAND, CLI_USAGE, "--diversity-by takes --diversity too")
                    : CLI_OK;
    }
    j->diversity = strtof(text, &end);
    if (!text[0] || text[strspn(text, "0123456789.")] || *end) {
        return cli_error(COMMAND, CLI_USAGE, "--diversity: \"%s\" is not a number from 0 up", text);
    }
    uint32_t count = pique_model_category_count(j->retrieval.model);
    while (name && j->category < count &&
           strcmp(pique_model_category_name(j->retrieval.model, j->category), name) != 0) {
        j->category++;
    }
    return name && j->category == count
               ? cli_error(COMMAND, CLI_USAGE,
                           "--diversity-by: the model has no column \"%s\" of categories", name)
               : CLI_OK;
}

/* A model of the task that the stage is for. */
static cli_exit open_stage(stage *s, const char *file, const char *batch, bool ranks) {
    cli_exit code = cli_open_model(COMMAND, file, &s->ctx, &s->model);
    if (code != CLI_OK) {
        return code;
    }
    const char *task = pique_model_task(s->model);
    pique_context_set_threads(s->ctx, 0);
    s->source = (query_source){.command = COMMAND,
                               .model = s->model,
                               .who = ranks ? "the ranking model" : "the model",
                               .batch = batch};
    if (ranks && strcmp(task, "ranking") != 0) {
        return cli_error(COMMAND, CLI_FAILURE,
                         "--ranker: %s is a %s model: it finds items in the catalogue and does not "
                         "rank given ones",
                         file, task);
    }
    if (!ranks && !pique_model_retrieves(s->model)) {
        return cli_error(
            COMMAND, CLI_FAILURE,
            "%s is a %s model: it has no interests to search the catalogue with; `pique "
            "rank` or --ranker takes it",
            file, task);
    }
    pique_status status = pique_session_create(s->ctx, s->model, &s->session);
    return status == PIQUE_OK ? CLI_OK : cli_failed(COMMAND, s->ctx, status);
}

static void close_stage(stage *s) {
    pique_session_free(s->session);
    pique_model_free(s->model);
    pique_context_free(s->ctx);
}

static cli_exit open_stages(job *j) {
    stage *first = &j->retrieval, *second = &j->ranking;
    cli_exit code = open_stage(first, j->o->file, j->o->batch, false);
    if (code == CLI_OK && j->o->ranker) {
        code = open_stage(second, j->o->ranker, j->o->batch, true);
        first->source.other = second->model;
        second->source.other = first->model;
    }
    if (code == CLI_OK && j->o->profile) {
        code = query_profile(&first->source, j->o->profile, first->ctx, first->session);
    }
    if (code == CLI_OK && j->o->profile && second->model) {
        code = query_profile(&second->source, j->o->profile, second->ctx, second->session);
    }
    return code;
}

static cli_exit recommend(job *j) {
    cli_exit code = open_stages(j);
    if (code == CLI_OK && j->o->exclude) {
        code = query_items(&j->retrieval.source, "--exclude", j->o->exclude, &j->excluded,
                           &j->excluded_count);
    }
    if (code == CLI_OK) {
        code = parse_diversity(j);
    }
    if (code == CLI_OK) {
        code = j->o->batch ? answer_batch(j) : answer(j, j->o->history);
    }
    return code;
}

cli_exit cmd_recommend(int count, char **arguments) {
    options o = {.count = 10};
    job j = {.o = &o};
    bool go;
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = recommend(&j);
    }
    free(j.excluded);
    close_stage(&j.retrieval);
    close_stage(&j.ranking);
    return code;
}
