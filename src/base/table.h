/* table.h — the item vectors as they are stored for the scan: rows of floats, of halves, of int8 or
 * int4 with scales, or of codes of an additive quantiser, interleaved in blocks of eight rows (codes: of
 * 32) so that a vector register holds the same dimension of neighbouring items and no sum has to run
 * across lanes.
 *
 * F32: block[d][8]            eight items' dimension d side by side
 * F16: block[d][8]
 * I8:  block[d/2][8][2]       two dimensions of each of eight items (an odd width has a zero beside its
 *                             last dimension)
 * I4:  block[j/2][8][2]       two bytes of each of eight items; byte j holds dimension 2j in its low and
 *                             2j + 1 in its high half, as code + 8 (a row of an odd number of bytes has
 *                             a zero beside its last one)
 * PQ:  block[m][16]           byte i holds the code of codebook m of item i in its low half and that of
 *                             item i + 16 in its high half
 *
 * The file holds plain row-major rows; pq_table_open interleaves them in place. */
#ifndef PQ_TABLE_H
#define PQ_TABLE_H

#include "base/context.h"

#define PQ_TABLE_BLOCK 8
#define PQ_TABLE_CODES 32     /* rows of a block of codes */
#define PQ_TABLE_CENTROIDS 16 /* of a codebook: what four bits can name */
#define PQ_TABLE_GROUP 32     /* columns of int4 rows that share a scale */

typedef enum { PQ_TABLE_F32, PQ_TABLE_F16, PQ_TABLE_I8, PQ_TABLE_I4, PQ_TABLE_PQ } pq_table_kind;

/* What a table is made of. All of it outlives the table, which changes the order of the data in place. */
typedef struct {
    pq_table_kind kind;
    uint32_t rows, cols;
    /* Row-major: [rows, cols] of float, half or int8_t; int4: [rows, ceil(cols / 2)] bytes, of which byte j
     * is code[2j] + 8 | (code[2j + 1] + 8) << 4; PQ: [rows, codebooks / 2] bytes, of which byte j is the
     * code of codebook 2j | that of 2j + 1 << 4. */
    void *data;
    bool later; /* no row is there yet: they come by pq_table_put, and `data` is room alone */
    const float *scales; /* I8: [rows]; I4: [rows, ceil(cols / 32)]; else NULL */
    /* PQ: row 16 m + c is centroid c of codebook m; a row is the sum of its centroids. The number of codebooks is
     * even and at most cols. */
    uint32_t codebooks;
    const float *centroids; /* [codebooks * 16, cols] */
} pq_table_parts;

typedef struct {
    pq_ctx *ctx;
    pq_table_kind kind;
    uint32_t rows, cols;
    void *blocks;        /* whole blocks, interleaved inside the caller's memory */
    void *tail;          /* the last rows as a block of their own, zero-filled; may be NULL */
    const float *scales; /* as in the parts */
    const float *centroids;
    uint32_t codebooks;
    uint32_t row_bytes; /* of a row as it arrives; inside a block, filled up to whole units */
    uint32_t block_rows, whole_blocks;
    size_t block_size;
    void *odd; /* when filling up makes rows longer: the copy that `blocks` points into */
    /* Bit row % 8 of byte row / 8: the row has not arrived yet and no scan finds it; NULL: all are there.
     * Belongs to the caller, who sets it after opening. */
    const uint8_t *absent;
} pq_table;

pique_status pq_table_open(pq_ctx *ctx, pq_table *table, const pq_table_parts *parts);
void pq_table_close(pq_table *table);
/* Block b < pq_table_blocks (missing rows zero). */
uint32_t pq_table_blocks(const pq_table *table);
const void *pq_table_block(const pq_table *table, uint32_t block);
/* `count` rows from `first` on arrive, laid out as in the parts. */
void pq_table_put(pq_table *table, uint32_t first, uint32_t count, const void *rows);
/* One row as floats, out[cols]. */
void pq_table_row(const pq_table *table, uint32_t row, float *out);
/* Which centroid the row has of a codebook of a PQ table. */
uint32_t pq_table_code(const pq_table *table, uint32_t row, uint32_t codebook);

static inline bool pq_table_lacks(const pq_table *table, uint32_t row) {
    return table->absent && (table->absent[row / 8] >> row % 8 & 1);
}

static inline uint32_t pq_table_groups(const pq_table *table) {
    return (table->cols + PQ_TABLE_GROUP - 1) / PQ_TABLE_GROUP;
}

#endif
