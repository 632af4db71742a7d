/* fuzz_blocks.c — any bytes as a file of blocks (decompressed): its head is refused with a message, or opens, and
 * then each block of rows comes or is refused; what is recommended has come. */
#include "fuzzing.h"

#include "file/container.h"
#include "file/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where a head would end: at the rows. */
static size_t head_size(const uint8_t *data, size_t size) {
    pq_ctx ctx = fuzzing_context();
    void *bytes = fuzzing_copy(data, size);
    size_t end = size / 2;
    pq_container c;
    if (pq_container_open(&ctx, bytes, size, &c) == PIQUE_OK) {
        const pq_tensor *rows = pq_container_find(&c, PQ_ITEM_WEIGHT);
        end = rows ? size - rows->count * pq_dtype_size(rows->dtype) : end;
        pq_container_close(&c);
    }
    free(bytes);
    return end;
}

static void recommend_some(pique_context *ctx, const pique_model *model) {
    const uint32_t history[] = {1, 40, 2};
    const pique_query query = {.history = history, .history_count = 3, .count = 10};
    pique_session *session = NULL;
    const pique_recommendation *list = NULL;
    uint32_t count = 0;
    fuzzing_check(pique_session_create(ctx, model, &session) == PIQUE_OK);
    pique_status status = pique_session_recommend(session, &query, &list, &count);
    fuzzing_check(status == PIQUE_OK || pique_error(ctx)[0]);
    for (uint32_t i = 0; i < count; i++) {
        fuzzing_check(pique_model_has_item(model, list[i].item));
    }
    pique_session_free(session);
}

static void arrive(pique_context *ctx, pique_model *model, const uint8_t *rows, size_t size) {
    uint32_t count, row_bytes;
    const pique_block *blocks = pique_model_blocks(model, &count, &row_bytes);
    fuzzing_check(count > 0);
    for (uint32_t i = count; i-- > 0;) {
        size_t from = (size_t)blocks[i].first * row_bytes,
               part = (size_t)blocks[i].rows * row_bytes;
        fuzzing_check(from + part <= size);
        void *copy = fuzzing_copy(rows + from, part);
        pique_status status = pique_model_put_block(model, i, copy, part);
        fuzzing_check(status == PIQUE_OK || (status == PIQUE_CORRUPT && pique_error(ctx)[0]));
        free(copy);
        recommend_some(ctx, model);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const pique_allocator allocator = {.resize = fuzzing_resize};
    pique_context *ctx = NULL;
    pique_model *model = NULL;
    size_t head = head_size(data, size);
    fuzzing_check(pique_context_create(&allocator, &ctx) == PIQUE_OK);
    pique_status status = pique_model_open_head(ctx, fuzzing_copy(data, size), size, head, &model);
    if (status == PIQUE_OK && head < size) {
        recommend_some(ctx, model);
        arrive(ctx, model, data + head, size - head);
    } else if (status != PIQUE_OK) {
        fuzzing_check(!model && pique_error(ctx)[0] != 0);
    }
    pique_model_free(model);
    pique_context_free(ctx);
    return 0;
}
