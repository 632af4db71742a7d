/* blocks.h — item rows that come in blocks, so that a page can recommend before it has all of them.
 *
 * A file of blocks is a gzip stream of several members, which decompress to one container: a head, which
 * is all that stands before the container's last tensor, item.weight or codes that stand alone, and then one
 * member for each block of its rows. Every member's gzip header has an extra field "PQ" of four bytes, the
 * little-endian size of the member, so that whoever has the first PQ_MEMBER_HEADER bytes of one knows where it ends.
 *
 *   item.blocks     (blocks, 5) U32: a pique_block each, in the order of the file
 *   item.centroids  (blocks, D): the mean of each block's items */
#ifndef PQ_BLOCKS_H
#define PQ_BLOCKS_H

#include "file/container.h"

#define PQ_MEMBER_HEADER 20 /* gzip's ten bytes, two of length, "PQ", two of length, four of size */
#define PQ_BLOCK_FIELDS 5   /* of pique_block */
#define PQ_BLOCK_ALIGNMENT 32 /* a block begins at a multiple of so many rows */

/* The tensor whose rows come in blocks. */
const char *pq_blocks_tensor(const pq_container *container);
/* The index of a file of blocks, inside the container's bytes; *count = 0 when it has none. PIQUE_CORRUPT
 * when the blocks do not follow each other from row 0 to `rows`, or their members in the file. */
pique_status pq_blocks_open(const pq_container *container, uint32_t rows,
                            const pique_block **blocks, uint32_t *count);

/* The CRC-32 of gzip and zlib. */
uint32_t pq_crc32(const void *bytes, size_t size);

#endif
