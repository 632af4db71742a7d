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
    pq_product product;
    uint8_t *codes = pq_arena_take(arena, (size_t)count * bytes, 1);
    double *scratch = pq_arena_take(arena, 2 * (size_t)width, sizeof(*scratch));
    if (!codes || !scratch) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(
        pq_product_fit(arena, rows + width, count - 2, width, 2 * bytes, coder->moment, &product));
    for (uint32_t i = 0; i < count; i++) {
        pq_product_encode(&product, rows + (size_t)i * width, codes + (size_t)i * bytes, scratch);
    }
    coder->made[coder->count] = (pq_coded){
        .bytes = bytes, .codes = codes, .codebook = product.codebook, .map = product.map};
    *out = &coder->made[coder->count++];
    return PIQUE_OK;
}
