#include "file/blocks.h"

#include "file/layout.h"

/* The struct is the row of the tensor. */
typedef char
    pq_block_is_its_fields[sizeof(pique_block) == PQ_BLOCK_FIELDS * sizeof(uint32_t) ? 1 : -1];

uint32_t pq_crc32(const void *bytes, size_t size) {
    uint32_t table[256], crc = UINT32_MAX;
    for (uint32_t i = 0; i < PQ_COUNT(table); i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) {
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320u : 0);
        }
    }
    for (size_t i = 0; i < size; i++) {
        crc = crc >> 8 ^ table[(crc ^ ((const uint8_t *)bytes)[i]) & 255];
    }
    return ~crc;
}

/* What is wrong with a block that should begin at the row and the place where the last one ended. */
static const char *fault(const pique_block *block, uint32_t row, uint32_t place, uint32_t rows) {
    if (block->first != row) {
        return block->first < row ? "its rows overlap the block before"
                                  : "there is a gap before its rows";
    }
    if (block->rows == 0 || block->rows > rows - row) {
        return "it has no rows or more than there are";
    }
    if (block->first % PQ_BLOCK_ALIGNMENT) {
        return "it begins at an odd row";
    }
    if (block->offset != place) {
        return block->offset < place ? "its bytes overlap the block before"
                                     : "there is a gap before its bytes";
    }
    return block->size < PQ_MEMBER_HEADER || block->size > UINT32_MAX - place
               ? "its size is not possible"
               : NULL;
}

const char *pq_blocks_tensor(const pq_container *container) {
    return pq_container_find(container, PQ_ITEM_WEIGHT) ? PQ_ITEM_WEIGHT : PQ_ITEM_CODES;
}

pique_status pq_blocks_open(const pq_container *container, uint32_t rows,
                            const pique_block **blocks, uint32_t *count) {
    const pq_tensor *tensor = pq_container_find(container, PQ_ITEM_BLOCKS);
    const pq_tensor *last = &container->tensors[container->count - 1];
    *blocks = NULL;
    *count = 0;
    if (!tensor) {
        return PIQUE_OK;
    }
    PQ_TRY(pq_container_get(container, PQ_ITEM_BLOCKS, PQ_U32, tensor->shape[0], PQ_BLOCK_FIELDS,
                            &tensor));
    if (pq_container_find(container, pq_blocks_tensor(container)) != last) {
        PQ_FAIL(container->ctx, PIQUE_CORRUPT,
                "tensor \"" PQ_ITEM_BLOCKS "\": the rows of items are not the last tensor");
    }
    const pique_block *all = tensor->data;
    uint32_t row = 0, place = 0;
    for (uint32_t i = 0; i < tensor->shape[0]; i++) {
        const char *reason = fault(&all[i], row, place, rows);
        if (reason) {
            PQ_FAIL(container->ctx, PIQUE_CORRUPT, "tensor \"" PQ_ITEM_BLOCKS "\": block %lu: %s",
                    (unsigned long)i, reason);
        }
        row += all[i].rows;
        place += all[i].size;
    }
    if (row != rows) {
        PQ_FAIL(container->ctx, PIQUE_CORRUPT,
                "tensor \"" PQ_ITEM_BLOCKS "\": the blocks hold %lu of %lu rows",
                (unsigned long)row, (unsigned long)rows);
    }
    *blocks = all;
    *count = tensor->shape[0];
    return PIQUE_OK;
}
