#include "base/table.h"

#include <string.h>

#include "base/half.h"

#define WIDEST (1u << 24) /* of a row: keeps the size of a block inside 32 bits */

/* Bytes that stand side by side in a block before the next row's; PQ blocks have another order. */
static uint32_t unit_size(const pq_table *table) {
    return table->kind == PQ_TABLE_F32 ? 4 : 2;
}

/* Bytes that one row takes inside a block. */
static size_t row_size(const pq_table *table) {
    size_t size = table->row_bytes;
    return table->kind == PQ_TABLE_PQ ? size : size + size % unit_size(table);
}

/* The lane's code of codebook m, and the bits it must be shifted by. */
static uint8_t *code_place(const void *block, size_t lane, size_t m, unsigned *shift) {
    *shift = lane < PQ_TABLE_CODES / 2 ? 0 : 4;
    return (uint8_t *)block + m * (PQ_TABLE_CODES / 2) + lane % (PQ_TABLE_CODES / 2);
}

static void put_codes(const pq_table *table, const uint8_t *row, size_t lane, void *block) {
    for (size_t m = 0; m < table->codebooks; m++) {
        unsigned shift, code = row[m / 2] >> m % 2 * 4 & 15u;
        uint8_t *at = code_place(block, lane, m, &shift);
        *at = (uint8_t)((*at & 0xf0u >> shift) | code << shift);
    }
}

/* One row, as it arrives, into its lane of a block. */
static void put_row(const pq_table *table, const uint8_t *row, size_t lane, uint8_t *block) {
    if (table->kind == PQ_TABLE_PQ) {
        put_codes(table, row, lane, block);
        return;
    }
    const size_t size = table->row_bytes, unit = unit_size(table), whole = size / unit;
    uint8_t *to = block + lane * unit;
    if (unit == 4) {
        for (size_t u = 0; u < whole; u++) {
            memcpy(to + u * 4 * PQ_TABLE_BLOCK, row + u * 4, 4);
        }
        return;
    }
    for (size_t u = 0; u < whole; u++) {
        memcpy(to + u * 2 * PQ_TABLE_BLOCK, row + u * 2, 2);
    }
    if (size % 2 == 1) {
        to[whole * 2 * PQ_TABLE_BLOCK] = row[size - 1];
    }
}

/* `count` rows into one zeroed block. */
static void interleave(const pq_table *table, const void *rows, size_t count, void *block) {
    for (size_t lane = 0; lane < count; lane++) {
        put_row(table, (const uint8_t *)rows + lane * table->row_bytes, lane, block);
    }
}

static pique_status interleave_in_place(pq_table *table, void *data, size_t blocks) {
    const size_t size = table->block_size;
    void *block = pq_alloc(table->ctx, size, 1);
    if (!block) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *rows = (uint8_t *)data + b * size;
        interleave(table, rows, table->block_rows, block);
        memcpy(rows, block, size);
    }
    pq_free(table->ctx, block);
    table->blocks = data;
    return PIQUE_OK;
}

static pique_status interleave_widened(pq_table *table, const void *data, size_t blocks,
                                       bool later) {
    const size_t size = table->block_size, rows = table->block_rows;
    table->odd = pq_alloc(table->ctx, blocks, size);
    if (!table->odd) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t b = 0; b < blocks && !later; b++) {
        interleave(table, (const uint8_t *)data + b * rows * table->row_bytes, rows,
                   (uint8_t *)table->odd + b * size);
    }
    table->blocks = table->odd;
    return PIQUE_OK;
}

/* `later`: only room for the rows. */
static pique_status fill(pq_table *table, void *data, bool later) {
    const size_t block_rows = table->block_rows, blocks = table->whole_blocks;
    const size_t rest = table->rows % block_rows;
    /* First the tail: what follows moves the rows before it. */
    if (rest > 0) {
        table->tail = pq_alloc(table->ctx, table->block_size, 1);
        if (!table->tail) {
            return PIQUE_NO_MEMORY;
        }
        interleave(table, (const uint8_t *)data + blocks * block_rows * table->row_bytes,
                   later ? 0 : rest, table->tail);
    }
    if (blocks == 0) {
        return PIQUE_OK;
    }
    return row_size(table) == table->row_bytes
               ? interleave_in_place(table, data, later ? 0 : blocks)
               : interleave_widened(table, data, blocks, later);
}

static uint32_t bytes_of_row(const pq_table_parts *parts) {
    switch (parts->kind) {
    case PQ_TABLE_F32:
        return parts->cols * 4;
    case PQ_TABLE_F16:
        return parts->cols * 2;
    case PQ_TABLE_I8:
        return parts->cols;
    case PQ_TABLE_I4:
        return parts->cols / 2 + parts->cols % 2;
    case PQ_TABLE_PQ:
        break;
    }
    return parts->codebooks / 2;
}

static pique_status check(pq_ctx *ctx, const pq_table_parts *parts) {
    const pq_table_kind kind = parts->kind;
    if (parts->cols == 0 || parts->cols > WIDEST) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "item table: %lu is not a possible width",
                (unsigned long)parts->cols);
    }
    if ((kind == PQ_TABLE_I8 || kind == PQ_TABLE_I4) && !parts->scales) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "item table: integer rows need scales");
    }
    if (kind == PQ_TABLE_PQ) {
        const uint32_t m = parts->codebooks;
        if (m == 0 || m % 2 != 0 || m > parts->cols || !parts->centroids) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "item table: %lu columns cannot have %lu codebooks",
                    (unsigned long)parts->cols, (unsigned long)m);
        }
    }
    return PIQUE_OK;
}

pique_status pq_table_open(pq_ctx *ctx, pq_table *table, const pq_table_parts *parts) {
    *table = (pq_table){.ctx = ctx,
                        .kind = parts->kind,
                        .rows = parts->rows,
                        .cols = parts->cols,
                        .scales = parts->scales,
                        .centroids = parts->centroids,
                        .codebooks = parts->codebooks,
                        .row_bytes = bytes_of_row(parts)};
    table->block_rows = parts->kind == PQ_TABLE_PQ ? PQ_TABLE_CODES : PQ_TABLE_BLOCK;
    table->whole_blocks = parts->rows / table->block_rows;
    table->block_size = row_size(table) * table->block_rows;
    pique_status status = check(ctx, parts);
    if (status == PIQUE_OK) {
        status = fill(table, parts->data, parts->later);
    }
    if (status != PIQUE_OK) {
        pq_table_close(table);
    }
    return status;
}

void pq_table_close(pq_table *table) {
    pq_free(table->ctx, table->tail);
    pq_free(table->ctx, table->odd);
    table->tail = NULL;
    table->odd = NULL;
    table->blocks = NULL;
    table->rows = 0;
}

uint32_t pq_table_blocks(const pq_table *table) {
    return table->whole_blocks + (table->rows % table->block_rows > 0);
}

const void *pq_table_block(const pq_table *table, uint32_t block) {
    return block == table->whole_blocks
               ? table->tail
               : (const uint8_t *)table->blocks + block * table->block_size;
}

void pq_table_put(pq_table *table, uint32_t first, uint32_t count, const void *rows) {
    const uint32_t block_rows = table->block_rows;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = first + i;
        put_row(table, (const uint8_t *)rows + (size_t)i * table->row_bytes, row % block_rows,
                (uint8_t *)pq_table_block(table, row / block_rows));
    }
}

uint32_t pq_table_code(const pq_table *table, uint32_t row, uint32_t codebook) {
    unsigned shift;
    const void *block = pq_table_block(table, row / PQ_TABLE_CODES);
    uint8_t byte = *code_place(block, row % PQ_TABLE_CODES, codebook, &shift);
    return byte >> shift & 15u;
}

/* The sum of the codes' centroids. */
static void decode(const pq_table *table, uint32_t row, float *restrict out) {
    const uint32_t cols = table->cols;
    memset(out, 0, cols * sizeof(*out));
    for (uint32_t m = 0; m < table->codebooks; m++) {
        size_t centroid = (size_t)PQ_TABLE_CENTROIDS * m + pq_table_code(table, row, m);
        const float *restrict values = table->centroids + centroid * cols;
        for (uint32_t i = 0; i < cols; i++) {
            out[i] += values[i];
        }
    }
}

void pq_table_row(const pq_table *table, uint32_t row, float *out) {
    if (table->kind == PQ_TABLE_PQ) {
        decode(table, row, out);
        return;
    }
    const uint32_t cols = table->cols, lane = row % PQ_TABLE_BLOCK;
    const uint32_t line = PQ_TABLE_BLOCK * unit_size(table); /* bytes from unit to unit of a row */
    const uint8_t *at = pq_table_block(table, row / PQ_TABLE_BLOCK);
    at += (size_t)lane * unit_size(table);
    if (table->kind == PQ_TABLE_F32) {
        for (uint32_t d = 0; d < cols; d++, at += line) {
            memcpy(&out[d], at, sizeof(*out));
        }
    } else if (table->kind == PQ_TABLE_F16) {
        for (uint32_t d = 0; d < cols; d++, at += line) {
            uint16_t half;
            memcpy(&half, at, sizeof(half));
            out[d] = pq_half_to_float(half);
        }
    } else if (table->kind == PQ_TABLE_I8) {
        const float scale = table->scales[row];
        for (uint32_t d = 0; d < cols; d++) {
            out[d] = (float)(int8_t)at[d / 2 * line + d % 2] * scale;
        }
    } else {
        const float *scales = table->scales + (size_t)row * pq_table_groups(table);
        for (uint32_t d = 0; d < cols; d++) {
            unsigned both = at[d / 4 * line + d / 2 % 2];
            out[d] = (float)((int)(both >> d % 2 * 4 & 15u) - 8) * scales[d / PQ_TABLE_GROUP];
        }
    }
}
