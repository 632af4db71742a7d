/* blocks_write.h — a model file of blocks (file/blocks.h) made from a container. */
#ifndef PQ_BLOCKS_WRITE_H
#define PQ_BLOCKS_WRITE_H

#include "base/context.h"

/* Largest block, in rows: what a page can be asked to inflate at once. */
#define PQ_MOST_BLOCK_ROWS (1u << 20)

/* Writes the container to `path` with blocks of `block_rows` items, a multiple of 32. The first block holds the
 * most popular items, the others items whose `vectors` [rows, cols] are similar, and items are numbered
 * anew in that order. PIQUE_ARGUMENT: no such size of blocks; PIQUE_UNSUPPORTED: the file has no item rows. */
pique_status pq_blocks_write(pq_ctx *ctx, const char *path, void *container, size_t size,
                             uint32_t block_rows, const float *vectors, uint32_t cols);

#endif
