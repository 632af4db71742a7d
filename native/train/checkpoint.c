#include "native/train/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "file/container.h"
#include "native/data/fileio.h"

#define STATE_KEY "pique.state"
#define OPTIONS_KEY "pique.options"
#define LIMIT ((size_t)1 << 36)

/* Parameter i has three tensors: the values, and the two moments under these prefixes. */
static const char *const prefixes[] = {"", "first.", "second."};

static pq_real *part(const pq_optimiser *o, uint32_t i, uint32_t which) {
    switch (which) {
    case 0:
        return o->params->list[i]->value;
    case 1:
        return o->first[i];
    default:
        return o->second[i];
    }
}

typedef struct {
    char text[64];
} tensor_name;

static tensor_name name_of(const pq_optimiser *o, uint32_t i, uint32_t which) {
    tensor_name name;
    snprintf(name.text, sizeof(name.text), "%s%s", prefixes[which], o->params->list[i]->name);
    return name;
}

static void write_number(pq_text *text, const char *key, double value) {
    pq_text_add(text, "%s\"%s\":", text->size ? "," : "{", key);
    pq_text_number(text, value);
}

static pique_status state_text(const pq_optimiser *o, const pq_train_state *s, pq_text *text) {
    write_number(text, "step", (double)o->step);
    write_number(text, "epoch", s->epoch);
    write_number(text, "batch", s->batch);
    write_number(text, "loss_sum", s->loss_sum);
    write_number(text, "soft_sum", s->soft_sum);
    write_number(text, "best_metric", s->best_metric);
    write_number(text, "best_epoch", s->best_epoch);
    write_number(text, "stale", s->stale);
    write_number(text, "drops", s->drops);
    write_number(text, "finished", s->finished);
    write_number(text, "log_bytes", (double)s->log_bytes);
    write_number(text, "seconds", s->seconds);
    write_number(text, "train_seconds", s->train_seconds);
    pq_text_add(text, "}");
    return pq_text_status(text);
}

/* What cannot be read again must not take the place of what can. */
static pique_status check_finite(pq_ctx *ctx, const pq_optimiser *o) {
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        for (uint32_t which = 0; which < (param->frozen ? 1u : 3u); which++) {
            const pq_real *values = part(o, i, which);
            for (size_t j = 0; j < (size_t)param->rows * param->cols; j++) {
                if (!(values[j] - values[j] == 0)) {
                    PQ_FAIL(ctx, PIQUE_NUMERIC,
                            "step %lu: %s is not finite; a lower learning rate may help",
                            (unsigned long)o->step, name_of(o, i, which).text);
                }
            }
        }
    }
    return PIQUE_OK;
}

pique_status pq_checkpoint_write(pq_ctx *ctx, const char *path, const char *options,
                                 const pq_optimiser *o, const pq_train_state *state) {
    pq_writer writer;
    pq_text text;
    void *bytes = NULL;
    size_t size;
    pique_status status;
    PQ_TRY(check_finite(ctx, o));
    pq_writer_init(&writer, ctx);
    pq_text_init(&text, ctx);
    tensor_name *names = pq_alloc(ctx, (size_t)o->params->count * 3, sizeof(*names));
    PQ_TRY_GOTO(status, names ? PIQUE_OK : PIQUE_NO_MEMORY);
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        for (uint32_t which = 0; which < (param->frozen ? 1u : 3u); which++) {
            tensor_name *name = &names[i * 3 + which];
            *name = name_of(o, i, which);
            pq_writer_tensor(&writer, name->text, PQ_F32, param->rows, param->cols,
                             part(o, i, which));
        }
    }
    PQ_TRY_GOTO(status, state_text(o, state, &text));
    pq_writer_text(&writer, STATE_KEY, text.data, text.size);
    pq_writer_text(&writer, OPTIONS_KEY, options, strlen(options));
    PQ_TRY_GOTO(status, pq_writer_build(&writer, &bytes, &size));
    status = pq_file_write(ctx, path, bytes, size, false);
done:
    pq_free(ctx, bytes);
    pq_free(ctx, names);
    pq_text_free(&text);
    pq_writer_free(&writer);
    return status;
}

/* Names the first option in which the two objects differ. */
static pique_status compare_options(pq_ctx *ctx, const char *path, const char *made,
                                    const char *asked) {
    pq_json a = {0}, b = {0};
    pique_status status;
    if (strcmp(made, asked) == 0) {
        return PIQUE_OK;
    }
    PQ_TRY_GOTO(status, pq_json_parse(ctx, made, strlen(made), path, &a));
    PQ_TRY_GOTO(status, pq_json_parse(ctx, asked, strlen(asked), "options", &b));
    status = pq_fail(ctx, PIQUE_ARGUMENT, "%s was made with other options", path);
    int at = pq_json_first(&b, PQ_JSON_ROOT);
    for (int i = 0; i < pq_json_size(&b, PQ_JSON_ROOT); i++, at = pq_json_next(&b, at)) {
        size_t size;
        char *key = pq_json_string(&b, at, &size);
        if (!key) {
            status = PIQUE_NO_MEMORY;
            break;
        }
        int other = pq_json_find(&a, PQ_JSON_ROOT, key);
        pq_span is = pq_json_span(&b, at + 1);
        pq_span was = other < 0 ? (pq_span){"absent", 6} : pq_json_span(&a, other);
        bool same = is.size == was.size && memcmp(is.bytes, was.bytes, is.size) == 0;
        if (!same) {
            status =
                pq_fail(ctx, PIQUE_ARGUMENT,
                        "%s was made with other options: %s was %.*s, now it is %.*s", path, key,
                        (int)PQ_MIN(was.size, 80), was.bytes, (int)PQ_MIN(is.size, 80), is.bytes);
        }
        pq_free(ctx, key);
        if (!same) {
            break;
        }
    }
done:
    pq_json_free(&a);
    pq_json_free(&b);
    return status;
}

static pique_status read_number(const pq_json *json, const char *key, double *out) {
    int at = pq_json_find(json, PQ_JSON_ROOT, key);
    if (at < 0 || !pq_json_number(json, at, out)) {
        PQ_FAIL(json->ctx, PIQUE_CORRUPT, "checkpoint state has no number \"%s\"", key);
    }
    return PIQUE_OK;
}

static pique_status read_state(pq_ctx *ctx, const char *text, pq_optimiser *o, pq_train_state *s) {
    pq_json json;
    double step, epoch, batch, best_epoch, stale, drops, finished, log_bytes;
    pique_status status;
    PQ_TRY(pq_json_parse(ctx, text, strlen(text), STATE_KEY, &json));
    PQ_TRY_GOTO(status, read_number(&json, "step", &step));
    PQ_TRY_GOTO(status, read_number(&json, "epoch", &epoch));
    PQ_TRY_GOTO(status, read_number(&json, "batch", &batch));
    PQ_TRY_GOTO(status, read_number(&json, "loss_sum", &s->loss_sum));
    PQ_TRY_GOTO(status, read_number(&json, "soft_sum", &s->soft_sum));
    PQ_TRY_GOTO(status, read_number(&json, "best_metric", &s->best_metric));
    PQ_TRY_GOTO(status, read_number(&json, "best_epoch", &best_epoch));
    PQ_TRY_GOTO(status, read_number(&json, "stale", &stale));
    PQ_TRY_GOTO(status, read_number(&json, "drops", &drops));
    PQ_TRY_GOTO(status, read_number(&json, "finished", &finished));
    PQ_TRY_GOTO(status, read_number(&json, "log_bytes", &log_bytes));
    PQ_TRY_GOTO(status, read_number(&json, "seconds", &s->seconds));
    PQ_TRY_GOTO(status, read_number(&json, "train_seconds", &s->train_seconds));
    const double numbers[] = {epoch, batch, best_epoch, stale, drops, step, log_bytes};
    for (size_t i = 0; i < PQ_COUNT(numbers); i++) {
        double limit = i < 5 ? UINT32_MAX : 4e15;
        if (!(numbers[i] >= 0 && numbers[i] <= limit)) {
            status = pq_fail(ctx, PIQUE_CORRUPT, "checkpoint state has a number out of range");
            goto done;
        }
    }
    o->step = (uint64_t)step;
    s->epoch = (uint32_t)epoch;
    s->batch = (uint32_t)batch;
    s->best_epoch = (uint32_t)best_epoch;
    s->stale = (uint32_t)stale;
    s->drops = (uint32_t)drops;
    s->finished = finished != 0;
    s->log_bytes = (uint64_t)log_bytes;
done:
    pq_json_free(&json);
    return status;
}

static pique_status read_tensors(const pq_container *container, pq_optimiser *o) {
    for (uint32_t i = 0; i < o->params->count; i++) {
        const pq_param *param = o->params->list[i];
        for (uint32_t which = 0; which < (param->frozen ? 1u : 3u); which++) {
            const pq_tensor *tensor;
            PQ_TRY(pq_container_get(container, name_of(o, i, which).text, PQ_F32, param->rows,
                                    param->cols, &tensor));
            PQ_TRY(pq_tensor_finite(container->ctx, tensor));
            memcpy(part(o, i, which), tensor->data, tensor->count * sizeof(float));
        }
    }
    return PIQUE_OK;
}

static pique_status required(const pq_container *container, const char *path, const char *key,
                             char **out) {
    PQ_TRY(pq_container_text(container, key, out));
    if (!*out) {
        PQ_FAIL(container->ctx, PIQUE_CORRUPT, "%s is not a checkpoint: \"%s\" is missing", path,
                key);
    }
    return PIQUE_OK;
}

pique_status pq_checkpoint_read(pq_ctx *ctx, const char *path, const char *options, pq_optimiser *o,
                                pq_train_state *state) {
    pq_container container = {0};
    void *bytes = NULL;
    char *made = NULL, *text = NULL;
    size_t size;
    pique_status status;
    PQ_TRY_GOTO(status, pq_file_read(ctx, path, LIMIT, &bytes, &size));
    PQ_TRY_GOTO(status, pq_container_open(ctx, bytes, size, &container));
    PQ_TRY_GOTO(status, required(&container, path, OPTIONS_KEY, &made));
    PQ_TRY_GOTO(status, required(&container, path, STATE_KEY, &text));
    PQ_TRY_GOTO(status, compare_options(ctx, path, made, options));
    PQ_TRY_GOTO(status, read_state(ctx, text, o, state));
    status = read_tensors(&container, o);
done:
    if (status == PIQUE_CORRUPT && !strstr(ctx->error, path)) {
        status = pq_fail(ctx, status, "%s: %.400s", path, ctx->error);
    }
    pq_free(ctx, made);
    pq_free(ctx, text);
    pq_container_close(&container);
    pq_free(ctx, bytes);
    return status;
}

static pique_status read_weights(const pq_container *container, const pq_params *params) {
    for (uint32_t i = 0; i < params->count; i++) {
        const pq_param *param = params->list[i];
        const pq_tensor *tensor;
        if (param->frozen && param->unsaved) {
            continue;
        }
        PQ_TRY(pq_container_get(container, param->name, PQ_F32, param->rows, param->cols, &tensor));
        PQ_TRY(pq_tensor_finite(container->ctx, tensor));
        memcpy(param->value, tensor->data, tensor->count * sizeof(float));
    }
    return PIQUE_OK;
}

pique_status pq_checkpoint_weights(pq_ctx *ctx, const char *path, const pq_params *params) {
    pq_container container = {0};
    void *bytes;
    size_t size;
    char *made = NULL;
    PQ_TRY(pq_file_read(ctx, path, LIMIT, &bytes, &size));
    pique_status status = pq_container_open(ctx, bytes, size, &container);
    if (status == PIQUE_OK) {
        status = required(&container, path, OPTIONS_KEY, &made);
    }
    if (status == PIQUE_OK) {
        status = read_weights(&container, params);
    }
    if (status == PIQUE_CORRUPT) { /* it may be good for another model */
        status =
            pq_fail(ctx, PIQUE_ARGUMENT, "training cannot start from %s: %.400s", path, ctx->error);
    }
    pq_free(ctx, made);
    pq_container_close(&container);
    pq_free(ctx, bytes);
    return status;
}
