/* boundary.c — the C side of the JavaScript boundary, over pique.h alone (see boundary.h). */
#include "boundary.h"

#include <string.h>

struct pique_js {
    pique_context *ctx;
    pique_model *model;
    pique_session *session;
    pique_query query;
    const pique_js *ranker; /* of the query, NULL: none */
    uint32_t retrieve;
    uint32_t *numbers; /* history and exclude of the query */
    uint32_t numbers_capacity;
    double *times; /* of the query's history */
    uint8_t *filtered;
    float *ranked; /* of the last pique_js_rank */
    uint32_t out[PIQUE_JS_OUT_WORDS];
};

/* The page reads rows of the list by these places. */
typedef char pique_js_row_is_ten_words[sizeof(pique_recommendation) == 40 ? 1 : -1];
typedef char
    pique_js_value_is_three_words[sizeof(void *) != 4 || sizeof(pique_value) == 12 ? 1 : -1];
typedef char pique_js_row_has_three_reasons[PIQUE_MAX_REASONS == 3 ? 1 : -1];

static uint32_t address(const void *pointer) {
    return (uint32_t)(uintptr_t)pointer;
}

static const char *text(pique_js *js, const char *bytes) {
    js->out[0] = bytes ? (uint32_t)strlen(bytes) : 0;
    return bytes;
}

pique_js *pique_js_create(void) {
    pique_context *ctx = NULL;
    if (pique_context_create(NULL, &ctx) != PIQUE_OK) {
        return NULL;
    }
    pique_js *js = pique_alloc(ctx, sizeof(*js));
    if (!js) {
        pique_context_free(ctx);
        return NULL;
    }
    memset(js, 0, sizeof(*js));
    js->ctx = ctx;
    return js;
}

void pique_js_free(pique_js *js) {
    if (!js) {
        return;
    }
    pique_context *ctx = js->ctx;
    pique_session_free(js->session);
    pique_model_free(js->model);
    pique_release(ctx, js->numbers);
    pique_release(ctx, js->times);
    pique_release(ctx, js->filtered);
    pique_release(ctx, js->ranked);
    pique_release(ctx, js);
    pique_context_free(ctx);
}

void *pique_js_alloc(pique_js *js, uint32_t size) {
    return pique_alloc(js->ctx, size);
}

void pique_js_release(pique_js *js, void *block) {
    pique_release(js->ctx, block);
}

const uint32_t *pique_js_out(const pique_js *js) {
    return js->out;
}

const char *pique_js_error(const pique_js *js) {
    return pique_error(js->ctx);
}

const char *pique_js_isa(const pique_js *js) {
    return pique_context_isa(js->ctx);
}

int32_t pique_js_model_size(pique_js *js, const void *bytes, uint32_t count) {
    size_t total = 0;
    pique_status status = pique_model_size(js->ctx, bytes, count, &total);
    js->out[0] = (uint32_t)total;
    return status;
}

int32_t pique_js_model_open(pique_js *js, void *bytes, uint32_t size, uint32_t filled) {
    if (js->model) {
        pique_release(js->ctx, bytes);
        return PIQUE_ARGUMENT;
    }
    pique_status status = pique_model_open_head(js->ctx, bytes, size, filled, &js->model);
    if (status == PIQUE_OK) {
        status = pique_session_create(js->ctx, js->model, &js->session);
    }
    if (status != PIQUE_OK) {
        pique_model_free(js->model);
        js->model = NULL;
    }
    return status;
}

const pique_block *pique_js_blocks(pique_js *js) {
    js->out[1] = pique_model_has_behaviour(js->model, 1);
    return pique_model_blocks(js->model, &js->out[0], NULL);
}

int32_t pique_js_put_block(pique_js *js, uint32_t block, const void *rows, uint32_t size) {
    return pique_model_put_block(js->model, block, rows, size);
}

int32_t pique_js_near(pique_js *js) {
    const float *scores = NULL;
    pique_status status = pique_session_near(js->session, &js->query, &scores);
    js->out[0] = address(scores);
    return status;
}

const char *pique_js_info(pique_js *js) {
    return text(js, pique_model_info(js->model));
}

int32_t pique_js_retrieves(const pique_js *js) {
    return pique_model_retrieves(js->model) ? 1 : 0;
}

uint32_t pique_js_find_item(const pique_js *js, const char *id, uint32_t length) {
    return pique_model_find_item(js->model, id, length);
}

const char *pique_js_item_id(pique_js *js, uint32_t item) {
    size_t length = 0;
    const char *id = pique_model_item_id(js->model, item, &length);
    js->out[0] = id ? (uint32_t)length : 0;
    return id;
}

int32_t pique_js_profile(pique_js *js, const pique_value *values, uint32_t count) {
    return pique_session_profile(js->session, values, count, &js->out[0]);
}

uint32_t *pique_js_query(pique_js *js, uint32_t history_count, uint32_t exclude_count) {
    uint64_t needed = (uint64_t)history_count + exclude_count;
    if (needed > UINT32_MAX / sizeof(uint32_t)) {
        return NULL;
    }
    if (!js->numbers || needed > js->numbers_capacity) {
        uint32_t capacity = needed < 64 ? 64 : (uint32_t)needed;
        uint32_t *numbers = pique_alloc(js->ctx, capacity * sizeof(uint32_t));
        if (!numbers) {
            return NULL;
        }
        pique_release(js->ctx, js->numbers);
        js->numbers = numbers;
        js->numbers_capacity = capacity;
    }
    js->ranker = NULL;
    js->query = (pique_query){
        .history = js->numbers,
        .history_count = history_count,
        .exclude = js->numbers + history_count,
        .exclude_count = exclude_count,
    };
    return js->numbers;
}

double *pique_js_times(pique_js *js) {
    pique_release(js->ctx, js->times);
    js->times = pique_alloc(js->ctx, ((size_t)js->query.history_count + 1) * sizeof(double));
    js->query.history_times = js->times;
    return js->times;
}

void pique_js_rank_by(pique_js *js, pique_js *ranker, uint32_t retrieve) {
    js->ranker = ranker;
    js->retrieve = retrieve;
}

uint8_t *pique_js_filter(pique_js *js) {
    const size_t size = ((size_t)pique_model_item_count(js->model) + 2) / 8 + 1;
    if (!js->filtered) {
        js->filtered = pique_alloc(js->ctx, size);
    }
    if (js->filtered) {
        memset(js->filtered, 0, size);
    }
    js->query.filtered = js->filtered;
    return js->filtered;
}

const uint8_t *pique_js_categories(pique_js *js, uint32_t column) {
    return pique_model_categories(js->model, column, &js->out[0]);
}

int32_t pique_js_similar(pique_js *js, uint32_t item, uint32_t count, uint32_t flags) {
    const pique_recommendation *list = NULL;
    uint32_t length = 0;
    js->query.count = count;
    js->query.exclude_seen = (flags & PIQUE_JS_EXCLUDE_SEEN) != 0;
    pique_status status = pique_session_similar(js->session, item, &js->query, &list, &length);
    js->out[0] = address(list);
    js->out[1] = length;
    return status;
}

int32_t pique_js_recommend(pique_js *js, uint32_t count, uint32_t flags, float diversity,
                           uint32_t category) {
    const pique_recommendation *list = NULL;
    uint32_t length = 0, unknown = 0;
    js->query.count = count;
    js->query.exclude_seen = (flags & PIQUE_JS_EXCLUDE_SEEN) != 0;
    js->query.diversity = diversity;
    js->query.category = category;
    js->query.explain = (flags & PIQUE_JS_EXPLAIN) != 0;
    pique_status status;
    if (js->ranker) {
        const pique_ranker ranker = {
            .session = js->ranker->session, .person = &js->ranker->query, .retrieve = js->retrieve};
        status = pique_session_cascade(js->session, &js->query, &ranker, &list, &length, &unknown);
    } else {
        status = pique_session_recommend(js->session, &js->query, &list, &length);
    }
    js->out[0] = address(list);
    js->out[1] = length;
    js->out[2] = unknown;
    return status;
}

int32_t pique_js_interests(pique_js *js) {
    pique_interests interests = {0};
    pique_status status = pique_session_interests(js->session, &js->query, &interests);
    js->out[0] = address(interests.vectors);
    js->out[1] = address(interests.shares);
    js->out[2] = interests.live;
    js->out[3] = interests.history_first;
    return status;
}

int32_t pique_js_rank(pique_js *js) {
    uint32_t count = js->query.exclude_count;
    pique_release(js->ctx, js->ranked);
    js->ranked = pique_alloc(js->ctx, ((size_t)count + 1) * sizeof(float));
    if (!js->ranked) {
        return PIQUE_NO_MEMORY;
    }
    js->out[0] = address(js->ranked);
    return pique_session_rank(js->session, &js->query, js->query.exclude, count, js->ranked);
}
