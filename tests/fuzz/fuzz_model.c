/* fuzz_model.c — any bytes as a model file: refused with a message, or a model that serves: its items and
 * profile fields are found, and a query is answered or fails with a message. */
#include "fuzzing.h"

#include "pique.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void serve(pique_context *ctx, const pique_model *model) {
    uint32_t items = pique_model_item_count(model);
    const uint32_t history[] = {1, items, 0, items / 2 + 1, 1};
    const pique_query query = {
        .history = history, .history_count = 5, .count = 10, .explain = true, .exclude_seen = true};
    pique_session *session = NULL;
    const pique_recommendation *list = NULL;
    uint32_t count = 0;
    fuzzing_check(pique_session_create(ctx, model, &session) == PIQUE_OK);
    pique_status status = pique_session_recommend(session, &query, &list, &count);
    fuzzing_check(status == PIQUE_OK || (status == PIQUE_NUMERIC && pique_error(ctx)[0]));
    for (uint32_t i = 0; i < count; i++) {
        const pique_recommendation *r = &list[i];
        fuzzing_check(r->item >= 1 && r->item <= items && r->score == r->score);
        fuzzing_check(r->item != 1 && r->item != items && r->item != items / 2 + 1);
        fuzzing_check(i == 0 || list[i - 1].score >= r->score);
        fuzzing_check(r->interest < pique_model_interest_count(model) && r->reason_count <= 3);
    }
    pique_session_free(session);
}

static void look_up(const pique_model *model) {
    size_t size = 0;
    for (uint32_t item = 0; item <= pique_model_item_count(model) + 1; item++) {
        const char *id = pique_model_item_id(model, item, &size);
        fuzzing_check(!id || pique_model_find_item(model, id, size) == item);
    }
    for (uint32_t f = 0; f < pique_model_profile_count(model); f++) {
        fuzzing_check(pique_model_profile_name(model, f)[0] != 0);
        (void)pique_model_find_profile(model, f, "m", 1);
        (void)pique_model_find_profile(model, f, "1.5", 3);
    }
    fuzzing_check(pique_model_info(model)[0] == '{');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const pique_allocator allocator = {.resize = fuzzing_resize};
    pique_context *ctx = NULL;
    pique_model *model = NULL;
    fuzzing_check(pique_context_create(&allocator, &ctx) == PIQUE_OK);
    pique_status status = pique_model_open(ctx, fuzzing_copy(data, size), size, &model);
    if (status == PIQUE_OK) {
        look_up(model);
        serve(ctx, model);
    } else {
        fuzzing_check(!model && pique_error(ctx)[0] != 0);
        fuzzing_check(status == PIQUE_CORRUPT || status == PIQUE_VERSION ||
                      status == PIQUE_UNSUPPORTED);
    }
    pique_model_free(model);
    pique_context_free(ctx);
    return 0;
}
