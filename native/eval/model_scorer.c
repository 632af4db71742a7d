#include "native/eval/model_scorer.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/json.h"

/* Items of a list whose codes found them: beyond, ranks are those of the scores. */
#define SHORTLIST 100

/* Models that retrieve are trained on inner products divided by a temperature, and serve the inner products. */
static double scale_of(const pq_json *json, const pique_model *model) {
    double temperature = 1;
    const int config = pq_json_find(json, PQ_JSON_ROOT, "config");
    const int at = config >= 0 && pq_json_is_object(json, config)
                       ? pq_json_find(json, config, "temperature")
                       : -1;
    if (at >= 0 && !pq_json_number(json, at, &temperature)) {
        temperature = 1;
    }
    return strcmp(pique_model_task(model), "retrieval") == 0 && temperature > 0 ? 1 / temperature
                                                                                : 1;
}

/* "pq16+int8" and the like. */
static bool has_shortlist(const pq_json *json) {
    const int quant = pq_json_find(json, PQ_JSON_ROOT, "quant");
    const pq_span span = quant >= 0 ? pq_json_span(json, quant) : (pq_span){0};
    return span.size && memchr(span.bytes, '+', span.size);
}

static pique_status read_info(pq_model_scorer *s) {
    const char *info = pique_model_info(s->model);
    pq_json json;
    PQ_TRY(pq_json_parse(s->ctx, info, strlen(info), "description of the model", &json));
    s->scale = scale_of(&json, s->model);
    s->shortlists = has_shortlist(&json);
    pq_json_free(&json);
    return PIQUE_OK;
}

pique_status pq_model_scorer_init(pq_model_scorer *s, pq_ctx *ctx, const pique_model *model,
                                  const pique_dataset *dataset) {
    *s = (pq_model_scorer){.ctx = ctx, .model = model, .dataset = dataset};
    s->field_count = pique_model_profile_count(model);
    s->numbers = pq_alloc(ctx, dataset->item_rows, sizeof(*s->numbers));
    s->fields = pq_alloc(ctx, s->field_count, sizeof(*s->fields));
    if (!s->numbers || !s->fields) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(read_info(s));
    for (uint32_t i = 0; i < dataset->items.count; i++) {
        size_t size;
        const char *id = pq_strings_get(&dataset->items, i, &size);
        s->numbers[i + 1] = pique_model_find_item(model, id, size);
    }
    for (uint32_t f = 0; f < s->field_count; f++) {
        for (uint32_t c = 0; c < dataset->profile_count; c++) {
            if (strcmp(pique_model_profile_name(model, f), dataset->profile[c].name) == 0) {
                s->fields[f] = c + 1;
            }
        }
    }
    return PIQUE_OK;
}

void pq_model_scorer_free(pq_model_scorer *s) {
    if (s->ctx) {
        pq_free(s->ctx, s->numbers);
        pq_free(s->ctx, s->fields);
    }
    *s = (pq_model_scorer){0};
}

void pq_model_user_close(pq_ctx *ctx, pq_model_user *own) {
    if (own) {
        pique_session_free(own->session);
        pq_free(ctx, own->history);
        pq_free(ctx, own->times);
        pq_free(ctx, own->values);
        pq_free(ctx, own);
    }
}

pique_status pq_model_user_open(pq_ctx *ctx, const pq_model_scorer *s, pq_model_user **out) {
    pq_model_user *own = pq_alloc(ctx, 1, sizeof(*own));
    if (!own) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = pique_session_create(ctx, s->model, &own->session);
    if (status != PIQUE_OK) {
        pq_model_user_close(ctx, own);
        return status;
    }
    *out = own;
    return PIQUE_OK;
}

static void close_state(pq_ctx *ctx, void *opened) {
    pq_model_user_close(ctx, opened);
}

static pique_status open_state(pq_ctx *ctx, const void *shared, void **out) {
    pq_model_user *own = NULL;
    PQ_TRY(pq_model_user_open(ctx, shared, &own));
    *out = own;
    return PIQUE_OK;
}

/* What stands between the values of the user's cell in a field: the data may have another separator than those that
 * the model was trained on. */
static char separator_of(const pq_model_scorer *s, uint32_t f, const pq_feature *feature) {
    char own = pique_model_profile_separator(s->model, f);
    return own && feature->separator ? feature->separator : own;
}

/* Adds the values of the user's cell in the model's profile field f. */
static pique_status add_values(pq_ctx *ctx, const pq_model_scorer *s, pq_model_user *own,
                               uint32_t f, uint32_t user) {
    const pq_feature *feature = s->fields[f] ? &s->dataset->profile[s->fields[f] - 1] : NULL;
    if (!feature || feature->cell[user] == 0) {
        return PIQUE_OK;
    }
    size_t size = 0;
    const char *cell = pq_strings_get(&feature->cells, feature->cell[user] - 1, &size);
    char separator = separator_of(s, f, feature);
    for (bool more = true; more;) {
        const char *end = separator && size ? memchr(cell, separator, size) : NULL;
        size_t length = end ? (size_t)(end - cell) : size;
        PQ_TRY(pq_reserve(ctx, (void **)&own->values, &own->values_capacity, own->value_count + 1,
                          sizeof(*own->values)));
        own->values[own->value_count++] =
            (pique_value){.bytes = cell, .length = (uint32_t)length, .field = f};
        more = end != NULL;
        cell += length + more;
        size -= length + more;
    }
    return PIQUE_OK;
}

static pique_status set_profile(pq_ctx *ctx, const pq_model_scorer *s, pq_model_user *own,
                                uint32_t user) {
    own->value_count = 0;
    for (uint32_t f = 0; f < s->field_count; f++) {
        PQ_TRY(add_values(ctx, s, own, f, user));
    }
    pique_status status =
        pique_session_profile(own->session, own->values, (uint32_t)own->value_count, NULL);
    return status == PIQUE_ARGUMENT ? PIQUE_DATA : status; /* the data have it */
}

pique_status pq_model_user_query(pq_ctx *ctx, const pq_model_scorer *s, pq_model_user *own,
                                 uint32_t user, const pq_view *view) {
    PQ_TRY(pq_reserve(ctx, (void **)&own->history, &own->capacity, view->history_count,
                      sizeof(*own->history)));
    PQ_TRY(pq_reserve(ctx, (void **)&own->times, &own->times_capacity, view->history_count,
                      sizeof(*own->times)));
    for (uint32_t i = 0; i < view->history_count; i++) {
        own->history[i] = s->numbers[view->history[i]];
        own->times[i] = view->times ? (double)view->times[i] : 0;
    }
    PQ_TRY(set_profile(ctx, s, own, user));
    own->query = (pique_query){.history = own->history,
                               .history_times = view->times ? own->times : NULL,
                               .history_count = view->history_count};
    return PIQUE_OK;
}

static bool is_listed(const pique_recommendation *list, uint32_t count, uint32_t item) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].item == item) {
            return true;
        }
    }
    return false;
}

/* What the codes did not find goes below what they did, so that ranks are those of the lists that are served. */
static pique_status demote_missed(const pq_model_scorer *s, pq_model_user *own, float *scores) {
    const pique_recommendation *list;
    const uint32_t items = pique_model_item_count(s->model);
    uint32_t count;
    pique_query query = own->query;
    query.count = SHORTLIST;
    query.exclude_seen = true;
    PQ_TRY(pique_session_recommend(own->session, &query, &list, &count));
    const float worst = count ? list[count - 1].score : HUGE_VALF;
    for (uint32_t i = 1; i <= items; i++) {
        bool seen = false;
        if (scores[i] < worst || is_listed(list, count, i)) {
            continue;
        }
        for (uint32_t h = 0; h < query.history_count; h++) {
            seen = seen || query.history[h] == i;
        }
        scores[i] = seen ? scores[i] : nextafterf(worst, -HUGE_VALF);
    }
    return PIQUE_OK;
}

static pique_status score(pq_ctx *ctx, const void *shared, void *opened, uint32_t user,
                          const pq_view *view, float *scores) {
    pq_model_user *own = opened;
    PQ_TRY(pq_model_user_query(ctx, shared, own, user, view));
    PQ_TRY(pique_session_scores(own->session, &own->query, scores));
    return ((const pq_model_scorer *)shared)->shortlists ? demote_missed(shared, own, scores)
                                                         : PIQUE_OK;
}

pq_scorer pq_model_scorer_get(const pq_model_scorer *s) {
    return (pq_scorer){.shared = s,
                       .items = pique_model_item_count(s->model),
                       .numbers = s->numbers,
                       .open = open_state,
                       .close = close_state,
                       .score = score};
}
