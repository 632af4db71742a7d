#include "native/export/codes.h"

void pq_coder_init(pq_coder *coder, pq_ctx *ctx) {
    *coder = (pq_coder){.moment = NULL};
    pq_arena_init(&coder->arena, ctx);
}

void pq_coder_free(pq_coder *coder) {
    if (coder->arena.ctx) {
        pq_arena_free(&coder->arena);
    }
}

const pq_coded *pq_coder_find(const pq_coder *coder, uint32_t bytes) {
    for (uint32_t i = 0; i < coder->count; i++) {
        if (coder->made[i].bytes == bytes) {
            return &coder->made[i];
        }
    }
    return NULL;
}

pique_status pq_coder_fit(pq_coder *coder, const float *rows, uint32_t count, uint32_t width,
                          uint32_t bytes, const pq_coded **out) {
    pq_arena *arena = &coder->arena;
    pq_additive additive = {.width = width, .codebooks = 2 * bytes};
    pq_additive_search search;
    uint8_t *codes = pq_arena_take(arena, (size_t)count * bytes, 1);
    if (!codes) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_additive_search_init(arena, &search, additive.codebooks));
    PQ_TRY(
        pq_additive_fit(arena, rows + width, count - 2, coder->moment, &additive, codes + bytes));
    pq_additive_encode(&additive, rows, &search, codes);
    pq_additive_encode(&additive, rows + (size_t)(count - 1) * width, &search,
                       codes + (size_t)(count - 1) * bytes);
    coder->made[coder->count] =
        (pq_coded){.bytes = bytes, .codes = codes, .centroids = additive.centroids};
    *out = &coder->made[coder->count++];
    return PIQUE_OK;
}
