#include "base/table.h"

#include <string.h>

#define WIDEST (1u << 24) /* of a row: keeps the size of a block inside 32 bits */

static size_t element_size(const pq_table *table) {
    return table->kind == PQ_TABLE_F32 ? sizeof(float) : sizeof(int8_t);
}

/* Elements that one row takes inside a block. */
static size_t row_size(const pq_table *table) {
    size_t cols = table->cols;
    return table->kind == PQ_TABLE_F32 ? cols : cols + cols % 2;
}

static size_t block_size(const pq_table *table) {
    return row_size(table) * PQ_TABLE_BLOCK * element_size(table);
}

/* Where element (lane, d) of a block stands in it. */
static size_t place(const pq_table *table, size_t lane, size_t d) {
    if (table->kind == PQ_TABLE_F32) {
        return d * PQ_TABLE_BLOCK + lane;
    }
    return (d / 2 * PQ_TABLE_BLOCK + lane) * 2 + d % 2;
}

/* `count` rows, at most eight, into one block; what no row fills is left as it is. */
static void interleave(const pq_table *table, const void *rows, size_t count, void *block) {
    const size_t cols = table->cols;
    for (size_t lane = 0; lane < count; lane++) {
        for (size_t d = 0; d < cols; d++) {
            const size_t from = lane * cols + d, to = place(table, lane, d);
            if (table->kind == PQ_TABLE_F32) {
                ((float *)block)[to] = ((const float *)rows)[from];
            } else {
                ((int8_t *)block)[to] = ((const int8_t *)rows)[from];
            }
        }
    }
}

static const void *rows_at(const pq_table *table, const void *data, size_t row) {
    return (const char *)data + row * table->cols * element_size(table);
}

static pique_status interleave_in_place(pq_table *table, void *data, size_t blocks) {
    void *block = pq_alloc(table->ctx, block_size(table), 1);
    if (!block) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t b = 0; b < blocks; b++) {
        char *rows = (char *)data + b * block_size(table);
        interleave(table, rows, PQ_TABLE_BLOCK, block);
        memcpy(rows, block, block_size(table));
    }
    pq_free(table->ctx, block);
    table->blocks = data;
    return PIQUE_OK;
}

static pique_status interleave_widened(pq_table *table, const void *data, size_t blocks) {
    table->odd = pq_alloc(table->ctx, blocks, block_size(table));
    if (!table->odd) {
        return PIQUE_NO_MEMORY;
    }
    for (size_t b = 0; b < blocks; b++) {
        interleave(table, rows_at(table, data, b * PQ_TABLE_BLOCK), PQ_TABLE_BLOCK,
                   (char *)table->odd + b * block_size(table));
    }
    table->blocks = table->odd;
    return PIQUE_OK;
}

static pique_status fill(pq_table *table, void *data) {
    const size_t blocks = table->rows / PQ_TABLE_BLOCK, rest = table->rows % PQ_TABLE_BLOCK;
    /* First the tail: what follows moves the rows before it. */
    if (rest > 0) {
        table->tail = pq_alloc(table->ctx, block_size(table), 1);
        if (!table->tail) {
            return PIQUE_NO_MEMORY;
        }
        interleave(table, rows_at(table, data, blocks * PQ_TABLE_BLOCK), rest, table->tail);
    }
    if (blocks == 0) {
        return PIQUE_OK;
    }
    return row_size(table) == table->cols ? interleave_in_place(table, data, blocks)
                                          : interleave_widened(table, data, blocks);
}

pique_status pq_table_open(pq_ctx *ctx, pq_table *table, pq_table_kind kind, uint32_t rows,
                           uint32_t cols, void *data, const float *scales) {
    *table = (pq_table){.ctx = ctx, .kind = kind, .rows = rows, .cols = cols, .scales = scales};
    if (cols == 0 || cols > WIDEST) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "item table: %lu is not a possible width",
                (unsigned long)cols);
    }
    if (kind == PQ_TABLE_I8 && !scales) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "item table: int8 rows need scales");
    }
    pique_status status = fill(table, data);
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
    return table->rows / PQ_TABLE_BLOCK + (table->rows % PQ_TABLE_BLOCK > 0);
}

const void *pq_table_block(const pq_table *table, uint32_t block) {
    if (block == table->rows / PQ_TABLE_BLOCK) {
        return table->tail;
    }
    return (const char *)table->blocks + block * block_size(table);
}

void pq_table_row(const pq_table *table, uint32_t row, float *out) {
    const void *block = pq_table_block(table, row / PQ_TABLE_BLOCK);
    for (size_t d = 0; d < table->cols; d++) {
        const size_t at = place(table, row % PQ_TABLE_BLOCK, d);
        if (table->kind == PQ_TABLE_F32) {
            out[d] = ((const float *)block)[at];
        } else {
            out[d] = (float)((const int8_t *)block)[at] * table->scales[row];
        }
    }
}
