/* api_export.c — pique_model_export: one scheme, or all from the smallest file on until one holds the loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file/layout.h"
#include "native/data/fileio.h"
#include "native/eval/moment.h"
#include "native/export/convert.h"
#include "native/export/loss.h"

void pique_export_options_default(pique_export_options *options) {
    *options = (pique_export_options){.quant = NULL};
}

typedef struct {
    pq_ctx *ctx;
    const pique_export_options *options;
    const char *out;
    pique_model *model; /* the file exported from, open */
    void *bytes;
    pq_container container; /* and as tensors */
    pq_export_metric metric;
    double *moment; /* NULL: not known */
    pq_coder coder; /* looks at it */
    pique_export_result *result;
} export;

/* ---- what can be tried ---- */

static pique_status check_scheme(const export *e, const pq_scheme *scheme) {
    if (scheme->bytes && !pique_model_retrieves(e->model)) {
        PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED,
                "%s: the model only ranks, so nothing is scanned: it can be f32, f16, int8, int4",
                scheme->name);
    }
    return pq_scheme_check_width(e->ctx, scheme, pique_model_width(e->model));
}

/* Whether a search may take the scheme: the model allows it, and the file's rows are wide enough. */
static bool is_open_to(const export *e, const pq_scheme *scheme) {
    if (pq_container_find(&e->container, PQ_ITEM_CODES)) {
        return pq_keeps_codes(&e->container, scheme);
    }
    const pq_rows has = pq_rows_of(&e->container, PQ_ITEM_WEIGHT);
    bool narrower = scheme->rows == PQ_ROWS_NONE ? has <= PQ_ROWS_INT8 : has <= scheme->rows;
    return narrower &&
           (scheme->bytes == 0 || (pique_model_retrieves(e->model) &&
                                   pq_scheme_fits(scheme, pique_model_width(e->model))));
}

static pique_status measure(const export *e, const pique_model *model, double *out) {
    const pique_export_options *o = e->options;
    return pq_metric_measure(e->ctx, &e->metric, model, o->dataset, o->threads, o->listener, out);
}

/* The loss of a container that is built. Takes the bytes. */
static pique_status measure_bytes(export *e, void *bytes, size_t size, pique_export_trial *trial) {
    pique_model *model = NULL;
    PQ_TRY(pique_model_open(e->ctx, bytes, size, &model));
    pique_status status = measure(e, model, &trial->metric);
    pique_model_free(model);
    double before = e->result->before;
    trial->loss = before > 0 ? 1 - trial->metric / before : 0;
    return status;
}

/* The bytes with what was measured. */
static pique_status build_measured(const export *e, const pique_export_trial *trial,
                                   pq_conversion *c, void **bytes, size_t *size) {
    char line[200];
    pq_text json;
    pq_text_init(&json, e->ctx);
    pq_text_add(&json, "{\"split\":\"valid\",\"metric\":\"%s\",\"before\":", e->metric.name);
    pq_text_number(&json, e->result->before);
    pq_text_add(&json, ",\"after\":");
    pq_text_number(&json, trial->metric);
    pq_text_add(&json, ",\"loss\":");
    pq_text_number(&json, trial->loss);
    pq_text_add(&json, "}");
    snprintf(line, sizeof(line),
             "Exported as %s: %s on the validation split %.4f, before %.4f, a loss of %.2f%%.\n",
             trial->scheme, e->metric.name, trial->metric, e->result->before, 100 * trial->loss);
    pique_status status = pq_text_status(&json);
    if (status == PIQUE_OK) {
        status = pq_conversion_build(c, json.data, line, bytes, size);
    }
    pq_text_free(&json);
    return status;
}

/* Converts, measures where there are data, and writes the file `path`; trial tells how it went. */
static pique_status attempt(export *e, const pq_scheme *scheme, bool measured, const char *path,
                            pique_export_trial *trial) {
    pq_conversion c;
    void *bytes = NULL;
    size_t size;
    snprintf(trial->scheme, sizeof(trial->scheme), "%s", scheme->name);
    pq_conversion_init(&c, e->ctx, &e->container, scheme, &e->coder);
    pique_status status;
    PQ_TRY_GOTO(status, pq_convert(&c));
    PQ_TRY_GOTO(status, pq_conversion_build(&c, NULL, NULL, &bytes, &size));
    if (measured) {
        void *taken = bytes;
        bytes = NULL;
        PQ_TRY_GOTO(status, measure_bytes(e, taken, size, trial));
        PQ_TRY_GOTO(status, build_measured(e, trial, &c, &bytes, &size));
    }
    PQ_TRY_GOTO(status, pq_file_write(e->ctx, path, bytes, size, true));
    status = pq_file_size(e->ctx, path, &trial->bytes);
done:
    pq_free(e->ctx, bytes);
    pq_conversion_free(&c);
    return status;
}

/* ---- the search ---- */

typedef struct {
    pq_scheme scheme;
    uint64_t bytes;
} candidate;

static int compare_bytes(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->bytes != y->bytes) {
        return x->bytes < y->bytes ? -1 : 1;
    }
    return strcmp(x->scheme.name, y->scheme.name);
}

/* The schemes that are open to the model, smallest file first. */
static pique_status list_candidates(export *e, const char *path, candidate *list, uint32_t *count) {
    pq_scheme scheme;
    *count = 0;
    for (uint32_t i = 0; pq_scheme_at(i, &scheme); i++) {
        pique_export_trial trial;
        if (!is_open_to(e, &scheme)) {
            continue;
        }
        if (e->options->dense) {
            PQ_TRY(pq_scheme_parse(e->ctx, scheme.name, e->options->dense, &scheme));
        }
        PQ_TRY(attempt(e, &scheme, false, path, &trial));
        list[(*count)++] = (candidate){.scheme = scheme, .bytes = trial.bytes};
    }
    qsort(list, *count, sizeof(*list), compare_bytes);
    return PIQUE_OK;
}

static pique_status search_at(export *e, const char *path) {
    candidate list[PQ_SCHEMES];
    uint32_t count;
    pique_export_result *r = e->result;
    PQ_TRY(list_candidates(e, path, list, &count));
    for (uint32_t i = 0; i < count; i++) {
        pique_export_trial *trial = &r->trials[r->trial_count++];
        PQ_TRY(attempt(e, &list[i].scheme, true, path, trial));
        if (trial->loss <= e->options->target_loss) {
            if (rename(path, e->out) != 0) {
                return pq_fail_file(e->ctx, e->out);
            }
            return PIQUE_OK;
        }
    }
    char share[32]; /* messages have no forms for such numbers */
    snprintf(share, sizeof(share), "%g", 100 * e->options->target_loss);
    PQ_FAIL(e->ctx, PIQUE_UNSUPPORTED, "no scheme loses at most %s%% of %s", share, e->metric.name);
}

/* Trials are files beside OUT, which is only replaced by the one that is chosen. */
static pique_status search(export *e) {
    size_t size = strlen(e->out) + sizeof(".trial");
    char *path = pq_alloc(e->ctx, size, 1);
    if (!path) {
        return PIQUE_NO_MEMORY;
    }
    snprintf(path, size, "%s.trial", e->out);
    pique_status status = search_at(e, path);
    if (status != PIQUE_OK) {
        (void)remove(path);
    }
    pq_free(e->ctx, path);
    return status;
}

/* ---- the whole ---- */

static pique_status learn_from_data(export *e) {
    const pique_export_options *o = e->options;
    const uint32_t d = pique_model_width(e->model);
    PQ_TRY(pq_metric_parse(e->ctx, o->metric, e->model, &e->metric));
    snprintf(e->result->metric, sizeof(e->result->metric), "%s", e->metric.name);
    PQ_TRY(measure(e, e->model, &e->result->before));
    if (pique_model_retrieves(e->model)) {
        e->moment = pq_alloc(e->ctx, (size_t)d * d, sizeof(*e->moment));
        if (!e->moment) {
            return PIQUE_NO_MEMORY;
        }
        PQ_TRY(pq_interest_moment(e->ctx, e->model, o->dataset, e->moment));
        e->coder.moment = e->moment;
    }
    return PIQUE_OK;
}

static pique_status export_all(export *e, const char *path, const pq_scheme *scheme) {
    size_t size;
    PQ_TRY(pique_model_read(e->ctx, path, &e->model));
    PQ_TRY(pq_file_read(e->ctx, path, PQ_MODEL_LIMIT, &e->bytes, &size));
    PQ_TRY(pq_container_open(e->ctx, e->bytes, size, &e->container));
    if (scheme) {
        PQ_TRY(check_scheme(e, scheme));
    }
    if (e->options->dataset) {
        PQ_TRY(learn_from_data(e));
    }
    if (!scheme) {
        return search(e);
    }
    e->result->trial_count = 1;
    return attempt(e, scheme, e->options->dataset != NULL, e->out, &e->result->trials[0]);
}

pique_status pique_model_export(pique_context *ctx, const char *path,
                                const pique_export_options *options, const char *out,
                                pique_export_result *result) {
    export e = {.ctx = ctx, .options = options, .out = out, .result = result};
    pq_scheme scheme = {.bytes = 0};
    memset(result, 0, sizeof(*result));
    if (options->quant) {
        PQ_TRY(pq_scheme_parse(ctx, options->quant, options->dense, &scheme));
    } else if (!options->dataset) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "a search for the smallest file needs data to measure on");
    }
    pq_coder_init(&e.coder, ctx);
    pique_status status = export_all(&e, path, options->quant ? &scheme : NULL);
    result->blind = e.coder.count > 0 && !options->dataset;
    pique_model_free(e.model);
    pq_container_close(&e.container);
    pq_free(ctx, e.bytes);
    pq_coder_free(&e.coder);
    pq_free(ctx, e.moment);
    return status;
}
