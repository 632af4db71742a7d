/* table.h — the item vectors as they are stored for the scan: rows of floats, or of int8 with a scale
 * each, interleaved in blocks of eight rows so that a vector register holds the same dimension of
 * neighbouring items and no sum has to run across lanes.
 *
 * f32:  block[d][8]          eight items' dimension d side by side
 * int8: block[d/2][8][2]     two dimensions of each of eight items (an odd width has a zero beside
 *                            its last dimension)
 *
 * The file holds plain row-major rows; pq_table_open interleaves them in place. */
#ifndef PQ_TABLE_H
#define PQ_TABLE_H

#include "base/context.h"

#define PQ_TABLE_BLOCK 8

typedef enum { PQ_TABLE_F32, PQ_TABLE_I8 } pq_table_kind;

typedef struct {
    pq_ctx *ctx;
    pq_table_kind kind;
    uint32_t rows, cols;
    void *blocks; /* whole blocks of eight rows, interleaved inside the caller's memory */
    void *tail;   /* the last rows % 8 rows as a block of their own, zero-filled; may be NULL */
    const float *scales; /* [rows] of int8; NULL for f32 */
    void *odd;           /* int8 with an odd width: a widened copy that `blocks` points into */
} pq_table;

/* `data` is [rows, cols] row-major of float or int8_t, `scales` [rows] or NULL; both outlive the
 * table, and the table changes the order of the data in place. */
pique_status pq_table_open(pq_ctx *ctx, pq_table *table, pq_table_kind kind, uint32_t rows,
                           uint32_t cols, void *data, const float *scales);
void pq_table_close(pq_table *table);
/* Block b (rows 8b .. 8b+7, missing rows zero), b < pq_table_blocks. */
uint32_t pq_table_blocks(const pq_table *table);
const void *pq_table_block(const pq_table *table, uint32_t block);
/* One row as floats, out[cols]. */
void pq_table_row(const pq_table *table, uint32_t row, float *out);

#endif
