/* cmd_eval.c — `pique eval`. */
#include "data_options.h"
#include "json_out.h"

#include <stdio.h>
#include <string.h>

#define COMMAND "eval"
#define HELD_SHARE 0.1 /* of the items, unless it is given */

typedef struct {
    const char *file;
    const char *cutoffs; /* "5,10,20,50" */
    pique_eval_options eval;
    pique_dataset_options data;
    arg_list set;
    arg_list others; /* files */
    bool json;
    bool buckets;
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

/* How the figures came about: those of one protocol cannot be compared with those of another. */
typedef struct {
    char text[64];
} protocol;

static protocol protocol_of(const options *o) {
    protocol p;
    const char *seen = o->eval.with_seen ? ", with seen items" : "";
    if (o->eval.sampled) {
        snprintf(p.text, sizeof(p.text), "sampled, %lu negatives%s", (unsigned long)o->eval.sampled,
                 seen);
    } else {
        snprintf(p.text, sizeof(p.text), "full%s", seen);
    }
    return p;
}

static bool is_cold(const options *o, const char *split) {
    return strcmp(o->eval.split, split) == 0;
}

static cli_exit parse(int count, char **arguments, options *o, bool *go) {
    const arg_option table[] = {
        DATA_ROW(o->data),
        DATA_OPTION_ROWS(o->data),
        {.name = "split",
         .kind = ARG_TEXT,
         .target = &o->eval.split,
         .value = "NAME",
         .help = "test (default), valid, cold-items or cold-users"},
        {.name = "with",
         .kind = ARG_LIST,
         .target = &o->others,
         .value = "FILE",
         .help = "ask another model as well, and measure the mean of both: an ensemble"},
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
        {ARG_THREADS(&o->eval.threads), .help = "default: one per processor"},
        {.name = "with-seen",
         .kind = ARG_FLAG,
         .target = &o->eval.with_seen,
         .help = "items of the history stay in the ranking"},
        {.name = "sampled",
         .kind = ARG_COUNT,
         .target = &o->eval.sampled,
         .value = "N",
         .min = 1,
         .max = UINT32_MAX,
         .help = "rank among N drawn items; not comparable with full ranking"},
        {.name = "buckets",
         .kind = ARG_FLAG,
         .target = &o->buckets,
         .help = "recall and ndcg by the popularity of the target"},
        {.name = "no-baselines",
         .kind = ARG_FLAG,
         .target = &o->no_baselines,
         .help = "leave popularity and item-kNN out"},
        {.name = "json", .kind = ARG_FLAG, .target = &o->json, .help = "print one JSON object"},
    };
    const arg_spec spec = {
        .command = COMMAND,
        .summary = "Ranks every user's target among all items that are not in the user's history,\n"
                   "and looks at the lists that the ranking makes.",
        .plain = "FILE",
        .plain_target = &o->file,
        .options = table,
        .option_count = CLI_COUNT(table),
        .notes = "cold-items: the items that hold_out_items (here 0.1 by default) kept from "
                 "training, by\n            the users' training histories\n"
                 "cold-users: the test targets without any history\n\n" DATA_NOTES};
    cli_exit code;
    *go = args_parse(&spec, count, arguments, &code);
    if (*go) {
        code = data_options_take(COMMAND, &o->set, &o->data);
    }
    if (*go && code == CLI_OK && o->set.count) {
        code = cli_error(COMMAND, CLI_USAGE,
                         "--set %s: no setting of the data set; `pique eval --help` lists them",
                         o->set.values[0]);
    }
    if (*go && code == CLI_OK) {
        code = parse_cutoffs(o);
    }
    o->eval.baselines = !o->no_baselines;
    if (*go && is_cold(o, "cold-items") && !(o->data.hold_out_items > 0)) {
        o->data.hold_out_items = HELD_SHARE;
    }
    if (is_cold(o, "cold-items") || is_cold(o, "cold-users")) {
        o->eval.lists = false;
    }
    *go = *go && code == CLI_OK;
    return code;
}

/* ---- output ---- */

/* Figures at each cut-off, in the order of the output. */
static const struct {
    const char *name;
    size_t offset;
} figures[] = {{"recall", offsetof(pique_metrics, recall)},
               {"ndcg", offsetof(pique_metrics, ndcg)},
               {"mrr", offsetof(pique_metrics, mrr_at)},
               {"coverage", offsetof(pique_metrics, coverage)},
               {"gini", offsetof(pique_metrics, gini)},
               {"novelty", offsetof(pique_metrics, novelty)},
               {"diversity", offsetof(pique_metrics, diversity)}};

#define RANK_FIGURES 3 /* the first ones; the others are of lists */

static const char *const bucket_names[PIQUE_BUCKETS] = {"head", "middle", "tail"};

static double figure(const pique_metrics *m, size_t offset, uint32_t k) {
    return ((const double *)(const void *)((const char *)m + offset))[k];
}

static double users_per_second(const pique_eval_result *r, const pique_metrics *m) {
    return m->seconds > 0 ? r->users / m->seconds : 0;
}

static void json_buckets(const options *o, const pique_metrics *m) {
    for (uint32_t b = 0; b < PIQUE_BUCKETS; b++) {
        for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
            unsigned long k = o->eval.cutoffs[i];
            printf("\"%s_recall@%lu\":", bucket_names[b], k);
            json_print_number(m->bucket_recall[b][i]);
            printf(",\"%s_ndcg@%lu\":", bucket_names[b], k);
            json_print_number(m->bucket_ndcg[b][i]);
            putchar(',');
        }
    }
}

static void json_metrics(const options *o, const pique_eval_result *r, const pique_metrics *m) {
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        for (size_t f = 0; f < (o->eval.lists ? CLI_COUNT(figures) : RANK_FIGURES); f++) {
            printf("\"%s@%lu\":", figures[f].name, (unsigned long)o->eval.cutoffs[i]);
            json_print_number(figure(m, figures[f].offset, i));
            putchar(',');
        }
    }
    if (o->buckets) {
        json_buckets(o, m);
    }
    fputs("\"mrr\":", stdout);
    json_print_number(m->mrr);
    printf(",\"seconds\":%.3f,\"users_per_second\":%.1f", m->seconds, users_per_second(r, m));
}

static void print_json(const options *o, const pique_eval_result *r) {
    printf("{\"users\":%lu,\"split\":\"%s\",\"protocol\":\"%s\",\"peak_bytes\":%lu,",
           (unsigned long)r->users, o->eval.split, protocol_of(o).text,
           (unsigned long)r->peak_bytes);
    for (uint32_t b = 0; o->buckets && b < PIQUE_BUCKETS; b++) {
        printf("\"%s_users\":%lu,\"%s_items\":%lu,", bucket_names[b],
               (unsigned long)r->bucket_users[b], bucket_names[b],
               (unsigned long)r->bucket_items[b]);
    }
    json_metrics(o, r, &r->model);
    if (o->eval.baselines) {
        fputs(",\"popularity\":{", stdout);
        json_metrics(o, r, &r->popularity);
        if (!is_cold(o, "cold-users")) {
            fputs("},\"item_knn\":{", stdout);
            json_metrics(o, r, &r->item_knn);
        }
        putchar('}');
    }
    puts("}");
}

typedef struct {
    const char *name;
    const pique_metrics *metrics;
} column;

/* NaN is what no user has. */
static void print_value(double value) {
    if (value == value) {
        printf("%12.4f", value);
    } else {
        printf("%12s", "-");
    }
}

static void print_row(const column *columns, size_t count, const char *name, uint32_t cutoff,
                      size_t offset) {
    char label[32];
    snprintf(label, sizeof(label), cutoff ? "%s@%lu" : "%s", name, (unsigned long)cutoff);
    printf("%-18s", label);
    for (size_t c = 0; c < count; c++) {
        print_value(figure(columns[c].metrics, offset, 0));
    }
    putchar('\n');
}

static void print_rows(const options *o, const column *columns, size_t count, const char *name,
                       size_t offset) {
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        print_row(columns, count, name, o->eval.cutoffs[i], offset + i * sizeof(double));
    }
}

static void print_buckets(const options *o, const pique_eval_result *r, const column *columns,
                          size_t count) {
    for (uint32_t b = 0; b < PIQUE_BUCKETS; b++) {
        char name[24];
        size_t row = b * sizeof(r->model.bucket_recall[0]);
        printf("\n%s: %lu items, targets of %lu users\n", bucket_names[b],
               (unsigned long)r->bucket_items[b], (unsigned long)r->bucket_users[b]);
        snprintf(name, sizeof(name), "%s_recall", bucket_names[b]);
        print_rows(o, columns, count, name, offsetof(pique_metrics, bucket_recall) + row);
        snprintf(name, sizeof(name), "%s_ndcg", bucket_names[b]);
        print_rows(o, columns, count, name, offsetof(pique_metrics, bucket_ndcg) + row);
    }
}

static void print_memory(const pique_eval_result *r) {
    printf("\n%.0f MB at most\n", (double)r->peak_bytes / 1e6);
}

static void print_speed(const pique_eval_result *r, const column *columns, size_t count) {
    printf("%-18s", "seconds");
    for (size_t c = 0; c < count; c++) {
        printf("%12.1f", columns[c].metrics->seconds);
    }
    printf("\n%-18s", "users_per_second");
    for (size_t c = 0; c < count; c++) {
        printf("%12.0f", users_per_second(r, columns[c].metrics));
    }
    putchar('\n');
}

static void print_table(const options *o, const pique_eval_result *r) {
    const column columns[] = {
        {"model", &r->model}, {"popularity", &r->popularity}, {"item-kNN", &r->item_knn}};
    size_t count = !o->eval.baselines ? 1 : is_cold(o, "cold-users") ? 2 : CLI_COUNT(columns);
    if (o->eval.sampled) {
        printf("ranked among %lu sampled negatives: not comparable with figures of full ranking\n",
               (unsigned long)o->eval.sampled);
    }
    printf("%lu users, %s split, protocol: %s\n\n%-18s", (unsigned long)r->users, o->eval.split,
           protocol_of(o).text, "");
    for (size_t c = 0; c < count; c++) {
        printf("%12s", columns[c].name);
    }
    putchar('\n');
    for (size_t f = 0; f < (o->eval.lists ? CLI_COUNT(figures) : RANK_FIGURES); f++) {
        print_rows(o, columns, count, figures[f].name, figures[f].offset);
    }
    print_row(columns, count, "mrr", 0, offsetof(pique_metrics, mrr));
    print_speed(r, columns, count);
    if (o->buckets) {
        print_buckets(o, r, columns, count);
    }
    print_memory(r);
}

/* ---- output of models that rank ---- */

static const struct {
    const char *name;
    size_t offset;
} label_figures[] = {{"auc", offsetof(pique_label_metrics, auc)},
                     {"gauc", offsetof(pique_label_metrics, gauc)},
                     {"top1", offsetof(pique_label_metrics, top1)},
                     {"logloss", offsetof(pique_label_metrics, logloss)},
                     {"accuracy", offsetof(pique_label_metrics, accuracy)},
                     {"ece", offsetof(pique_label_metrics, ece)}};

static double label_figure(const pique_label_metrics *m, size_t f) {
    return *(const double *)(const void *)((const char *)m + label_figures[f].offset);
}

static void json_labels(const pique_label_metrics *m) {
    for (size_t f = 0; f < CLI_COUNT(label_figures); f++) {
        printf("\"%s\":", label_figures[f].name);
        json_print_number(label_figure(m, f));
        putchar(',');
    }
    printf("\"seconds\":%.3f", m->seconds);
}

static void print_labels(const options *o, const pique_eval_result *r) {
    if (o->json) {
        printf("{\"users\":%lu,\"pairs\":%lu,\"split\":\"%s\",\"peak_bytes\":%lu,",
               (unsigned long)r->users, (unsigned long)r->pairs, o->eval.split,
               (unsigned long)r->peak_bytes);
        json_labels(&r->labels);
        if (o->eval.baselines) {
            fputs(",\"popularity\":{", stdout);
            json_labels(&r->label_popularity);
            putchar('}');
        }
        puts("}");
        return;
    }
    printf("%lu labelled pairs, %s split\n\n%-18s%12s", (unsigned long)r->pairs, o->eval.split, "",
           "model");
    puts(o->eval.baselines ? "  popularity" : "");
    for (size_t f = 0; f < CLI_COUNT(label_figures); f++) {
        printf("%-18s", label_figures[f].name);
        print_value(label_figure(&r->labels, f));
        if (o->eval.baselines) {
            print_value(label_figure(&r->label_popularity, f));
        }
        putchar('\n');
    }
    print_memory(r);
}

/* ---- output of items that were held out ---- */

static void print_cold(const options *o, const pique_eval_result *r) {
    const pique_cold_items *c = &r->cold;
    if (o->json) {
        printf("{\"users\":%lu,\"split\":\"%s\",\"items\":%lu,\"unknown\":%lu,",
               (unsigned long)c->users, o->eval.split, (unsigned long)c->items,
               (unsigned long)c->unknown);
        for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
            unsigned long k = o->eval.cutoffs[i];
            printf("\"recall@%lu\":%.6f,\"all_recall@%lu\":%.6f,\"chance@%lu\":%.6f,", k,
                   c->recall[i], k, c->recall_of_all[i], k, c->chance[i]);
        }
        printf("\"seconds\":%.3f,\"peak_bytes\":%lu}\n", c->seconds, (unsigned long)r->peak_bytes);
        return;
    }
    printf("%lu users, %lu items held out of training, of which the model does not know %lu\n\n",
           (unsigned long)c->users, (unsigned long)c->items, (unsigned long)c->unknown);
    printf("%-18s%12s%12s%12s\n", "", "among them", "by lot", "among all");
    for (uint32_t i = 0; i < o->eval.cutoff_count; i++) {
        char label[32];
        snprintf(label, sizeof(label), "recall@%lu", (unsigned long)o->eval.cutoffs[i]);
        printf("%-18s%12.4f%12.4f%12.4f\n", label, c->recall[i], c->chance[i], c->recall_of_all[i]);
    }
    print_memory(r);
}

/* ---- the work ---- */

static cli_exit evaluate(pique_context *ctx, const options *o, const pique_model *model) {
    progress shown;
    pique_dataset *dataset = NULL;
    progress_begin(&shown, NULL);
    pique_dataset_options data = o->data;
    /* Held-out items are found by events, so that the figures of all systems are of the same ones. */
    data.labelled = strcmp(pique_model_task(model), "ranking") == 0 && !is_cold(o, "cold-items");
    cli_exit code = data_open(COMMAND, ctx, &data, &shown, &dataset);
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
    } else if (result.of_cold_items) {
        print_cold(o, &result);
    } else if (result.ranking) {
        print_labels(o, &result);
    } else if (o->json) {
        print_json(o, &result);
    } else {
        print_table(o, &result);
    }
    pique_dataset_free(dataset);
    return code;
}

static cli_exit open_others(pique_context *ctx, options *o, pique_model **others) {
    if (o->others.count >= PIQUE_MOST_MODELS) {
        return cli_error(COMMAND, CLI_USAGE, "--with: an ensemble has at most %d models",
                         PIQUE_MOST_MODELS);
    }
    for (size_t i = 0; i < o->others.count; i++) {
        pique_status status = pique_model_read(ctx, o->others.values[i], &others[i]);
        if (status != PIQUE_OK) {
            return cli_failed(COMMAND, ctx, status);
        }
    }
    o->eval.others = (const pique_model *const *)others;
    o->eval.other_count = (uint32_t)o->others.count;
    return CLI_OK;
}

cli_exit cmd_eval(int count, char **arguments) {
    options o = {.file = NULL};
    pique_context *ctx = NULL;
    pique_model *model = NULL, *others[PIQUE_MOST_MODELS] = {NULL};
    bool go;
    pique_eval_options_default(&o.eval);
    o.eval.lists = true;
    pique_dataset_options_default(&o.data);
    cli_exit code = parse(count, arguments, &o, &go);
    if (go) {
        code = cli_open_model(COMMAND, o.file, &ctx, &model);
    }
    if (go && code == CLI_OK) {
        code = open_others(ctx, &o, others);
    }
    if (go && code == CLI_OK) {
        code = evaluate(ctx, &o, model);
    }
    for (size_t i = 0; i < CLI_COUNT(others); i++) {
        pique_model_free(others[i]);
    }
    arg_list_free(&o.others);
    arg_list_free(&o.set);
    pique_model_free(model);
    pique_context_free(ctx);
    return code;
}
