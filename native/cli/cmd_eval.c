/* cmd_eval.c — `pique eval`. */
#include "data_options.h"
#include "json_out.h"

#include <stdio.h>
#include <string.h>

#define COMMAND "eval"

typedef struct {
    const char *file;
    const char *cutoffs; /* "5,10,20,50" */
    pique_eval_options eval;
    pique_dataset_options data;
    arg_list set;
    bool json;
    bool no_baselines;
} options;

static cli_exit parse_cutoffs(options *o) {
    const char *at = o->cutoffs, *part;
    size_t size;
    if (!at) {
        return CLI_OK;
    }
    o->eval.cutoff_count = 0;
    while (args_next_part(&at, &part, &size)) {
        uint32_t cutoff;
        if (!args_number(part, size, &cutoff) || cutoff == 0) {
            return cli_error(COMMAND, CLI_USAGE,
                             "--k: \"%.*s\" is not a whole number from 1 to 4294967295", (int)size,
                             part);
        }
        for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
            if (o->eval.cutoffs[i] == cutoff) {
                return cli_error(COMMAND, CLI_USAGE, "--k: %lu is given twice",
                                 (unsigned long)cutoff);
            }
        }
        if (o->eval.cutoff_count == PIQUE_MAX_CUTOFFS) {
            return cli_error(COMMAND, CLI_USAGE, "--k: more than %d numbers", PIQUE_MAX_CUTOFFS);
        }
        o->eval.cutoffs[o->eval.cutoff_count++] = cutoff;
    }
    return o->eval.cutoff_count ? CLI_OK : cli_error(COMMAND, CLI_USAGE, "--k: no number is given");
}

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        {.name = "data",
         .kind = ARG_TEXT,
         .target = &o->data.path,
         .value = "PATH",
         .required = true,
         .help = DATA_HELP},
        {.name = "format",
         .kind = ARG_TEXT,
         .target = &o->data.format,
         .value = "NAME",
         .help = FORMAT_HELP},
        {.name = "split",
         .kind = ARG_TEXT,
         .target = &o->eval.split,
         .value = "NAME",
         .help = "test (default) or valid"},
        {.name = "k",
         .letter = 'k',
         .kind = ARG_TEXT,
         .target = &o->cutoffs,
         .value = "K,K,...",
         .help = "cut-offs (default 5,10,20,50)"},
        {.name = "set",
         .kind = ARG_LIST,
         .target = &o->set,
         .value = "KEY=VALUE",
         .help = "a setting of the data set, as in training"},
        {.name = "threads",
         .kind = ARG_COUNT,
         .target = &o->eval.threads,
         .value = "N",
         .min = 1,
         .max = 1024,
         .help = "default: one per processor"},
        {.name = "no-baselines",
         .kind = ARG_FLAG,
         .target = &o->no_baselines,
         .help = "leave popularity and item-kNN out"},
        {.name = "json", .kind = ARG_FLAG, .target = &o->json, .help = "print one JSON object"},
    };
    const arg_spec spec = {
        .command = COMMAND,
        .summary = "Ranks every user's target among all items that are not in the user's history.",
        .plain = "FILE",
        .plain_target = &o->file,
        .options = table,
        .option_count = CLI_COUNT(table),
        .notes = DATA_NOTES};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go) {
        code = data_options_take(COMMAND, &o->set, &o->data);
    }
    if (*go && code == CLI_OK && o->set.count) {
        code = cli_error(COMMAND, CLI_USAGE,
                         "--set %s: only min_count, min_rating and strict are settings of the data "
                         "set",
                         o->set.values[0]);
    }
    if (*go && code == CLI_OK) {
        code = parse_cutoffs(o);
    }
    o->eval.baselines = !o->no_baselines;
    *go = *go && code == CLI_OK;
    return code;
}

/* ---- output ---- */

static void json_metrics(const options *o, const pique_metrics *m) {
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        printf("\"recall@%lu\":", (unsigned long)o->eval.cutoffs[i]);
        json_print_number(m->recall[i]);
        printf(",\"ndcg@%lu\":", (unsigned long)o->eval.cutoffs[i]);
        json_print_number(m->ndcg[i]);
        putchar(',');
    }
    fputs("\"mrr\":", stdout);
    json_print_number(m->mrr);
    printf(",\"seconds\":%.3f", m->seconds);
}

static void print_json(const options *o, const pique_eval_result *r) {
    printf("{\"users\":%lu,\"split\":\"%s\",", (unsigned long)r->users, o->eval.split);
    json_metrics(o, &r->model);
    if (o->eval.baselines) {
        fputs(",\"popularity\":{", stdout);
        json_metrics(o, &r->popularity);
        fputs("},\"item_knn\":{", stdout);
        json_metrics(o, &r->item_knn);
        putchar('}');
    }
    puts("}");
}

typedef struct {
    const char *name;
    const pique_metrics *metrics;
} column;

static void print_row(const column *columns, size_t count, const char *name, uint32_t cutoff,
                      size_t offset) {
    char label[32];
    snprintf(label, sizeof(label), cutoff ? "%s@%lu" : "%s", name, (unsigned long)cutoff);
    printf("%-14s", label);
    for (size_t c = 0; c < count; c++) {
        const char *base = (const char *)columns[c].metrics;
        printf("%12.4f", *(const double *)(base + offset));
    }
    putchar('\n');
}

static void print_table(const options *o, const pique_eval_result *r) {
    const column columns[] = {
        {"model", &r->model}, {"popularity", &r->popularity}, {"item-kNN", &r->item_knn}};
    size_t count = o->eval.baselines ? CLI_COUNT(columns) : 1;
    printf("%lu users, %s split\n\n%-14s", (unsigned long)r->users, o->eval.split, "");
    for (size_t c = 0; c < count; c++) {
        printf("%12s", columns[c].name);
    }
    putchar('\n');
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        print_row(columns, count, "recall", o->eval.cutoffs[i],
                  offsetof(pique_metrics, recall) + i * sizeof(double));
    }
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        print_row(columns, count, "ndcg", o->eval.cutoffs[i],
                  offsetof(pique_metrics, ndcg) + i * sizeof(double));
    }
    print_row(columns, count, "mrr", 0, offsetof(pique_metrics, mrr));
    printf("%-14s", "seconds");
    for (size_t c = 0; c < count; c++) {
        printf("%12.1f", columns[c].metrics->seconds);
    }
    putchar('\n');
}

/* ---- the work ---- */

static cli_exit evaluate(pique_context *ctx, const options *o, const pique_model *model) {
    progress shown;
    pique_dataset *dataset = NULL;
    progress_begin(&shown, NULL);
    cli_exit code = data_open(COMMAND, ctx, &o->data, &shown, &dataset);
    if (code != CLI_OK) {
        return code;
    }
    pique_eval_result result;
    pique_listener listener = progress_listener(&shown);
    pique_eval_options eval = o->eval;
    eval.listener = &listener;
    pique_status status = pique_evaluate(ctx, model, dataset, &eval, &result);
    progress_end(&shown);
    if (status != PIQUE_OK) {
        code = cli_failed(COMMAND, ctx, status);
    } else if (o->json) {
        print_json(o, &result);
    } else {
        print_table(o, &result);
    }
    pique_dataset_free(dataset);
    return code;
}

cli_exit cmd_eval(int count, char **arguments) {
    options o = {.file = NULL};
    pique_context *ctx = NULL;
    pique_model *model = NULL;
    bool go;
    pique_eval_options_default(&o.eval);
    pique_dataset_options_default(&o.data);
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = cli_open_model(COMMAND, o.file, &ctx, &model);
    }
    if (go && code == CLI_OK) {
        code = evaluate(ctx, &o, model);
    }
    arg_list_free(&o.set);
    pique_model_free(model);
    pique_context_free(ctx);
    return code;
}
