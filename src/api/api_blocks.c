/* api_blocks.c — item rows that come after the head of their file. */
#include "api/opened.h"

const pique_block *pique_model_blocks(const pique_model *model, uint32_t *count,
                                      uint32_t *row_bytes) {
    *count = model->block_count;
    if (row_bytes) {
        *row_bytes = model->rows->row_bytes;
    }
    return model->blocks;
}

bool pique_model_has_item(const pique_model *model, uint32_t item) {
    return item > 0 && item <= model->ids.count &&
           (model->shortlist || !pq_table_lacks(model->rows, item));
}

bool pique_model_has_behaviour(const pique_model *model, uint32_t item) {
    return item > 0 && item <= model->ids.count &&
           (model->m.items.behaviours || pique_model_has_item(model, item));
}

static pique_status check(const pique_model *model, uint32_t block, const void *rows, size_t size) {
    const char *name = pq_blocks_tensor(&model->container);
    if (block >= model->block_count) {
        PQ_FAIL(model->ctx, PIQUE_ARGUMENT, "the file has %lu blocks and none of number %lu",
                (unsigned long)model->block_count, (unsigned long)block);
    }
    const pique_block *b = &model->blocks[block];
    if (size != (size_t)b->rows * model->rows->row_bytes || pq_crc32(rows, size) != b->crc) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT,
                "tensor \"%s\": block %lu is damaged: %lu bytes, or a wrong checksum", name,
                (unsigned long)block, (unsigned long)size);
    }
    pq_tensor part = *pq_container_find(&model->container, name);
    part.shape[0] = b->rows;
    part.count = (size_t)b->rows * part.shape[1];
    part.data = (void *)rows; /* only read */
    return pq_check_rows(model, &part);
}

pique_status pique_model_put_block(pique_model *model, uint32_t block, const void *rows,
                                   size_t size) {
    PQ_TRY(check(model, block, rows, size));
    const pique_block *b = &model->blocks[block];
    pq_table *table = model->rows;
    if (!pq_table_lacks(table, b->first)) {
        return PIQUE_OK; /* it is there already */
    }
    pq_table_put(table, b->first, b->rows, rows);
    for (uint32_t row = b->first; row < b->first + b->rows; row++) {
        model->absent[row / 8] &= (uint8_t) ~(1u << row % 8);
    }
    for (uint32_t i = 0; i < model->block_count; i++) {
        if (pq_table_lacks(table, model->blocks[i].first)) {
            return PIQUE_OK;
        }
    }
    table->absent = NULL; /* nothing to ask for any more */
    return PIQUE_OK;
}
