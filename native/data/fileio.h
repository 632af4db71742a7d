/* fileio.h — files of the native half: read whole (plain or gzip), write whole or not at all, append
 * to a log. Every failure is PIQUE_IO with the path and the system's reason, unless stated. */
#ifndef PQ_FILEIO_H
#define PQ_FILEIO_H

#include "base/context.h"

#include <stdio.h>

/* ---- reading ---- */

/* Largest unpacked model: keeps a small hostile file from filling the memory. */
#define PQ_MODEL_LIMIT ((size_t)UINT32_MAX)

/* The whole file in a block of the context's (pq_free, or pique_release), decompressed when it begins
 * as gzip does; several gzip members are joined. A zero byte that `size` does not count follows, so
 * that text is terminated. `limit` bounds the size of the result: a small file may decompress to any
 * size. An empty file is a failure. PIQUE_CORRUPT: the gzip data are damaged or end early. */
pique_status pq_file_read(pq_ctx *ctx, const char *path, size_t limit, void **bytes, size_t *size);

/* ---- writing ---- */

/* A file that appears under its name only when it is complete: it grows as `path`.part beside it and
 * is renamed by pq_output_commit. A killed process may leave the .part file; the next writer of the
 * same path takes it over. Two processes cannot write the same path at a time. */
typedef struct {
    pq_ctx *ctx;
    char *path;
    char *part;
    FILE *file;
    struct pq_deflate *deflate; /* NULL when written plain */
    pique_status status;        /* the first failure; later writes do nothing */
} pq_output;

/* gzip: level 9, without name and time, so that equal contents give equal files. Refuses a path that
 * is a directory or a device. */
pique_status pq_output_open(pq_output *out, pq_ctx *ctx, const char *path, bool gzip);
pique_status pq_output_write(pq_output *out, const void *bytes, size_t size);
/* Completes the file, brings it to the disk and gives it its name, or removes it: either way the
 * output is closed. */
pique_status pq_output_commit(pq_output *out);
/* Closes and removes an output that was not committed; does nothing for others. */
void pq_output_discard(pq_output *out);

/* The three in one. */
pique_status pq_file_write(pq_ctx *ctx, const char *path, const void *bytes, size_t size,
                           bool gzip);

/* One member of a gzip file whose header states its size (file/blocks.h), in a block of the context's. */
pique_status pq_gzip_member(pq_ctx *ctx, const void *bytes, size_t size, void **out,
                            size_t *out_size);

/* ---- appending ---- */

/* A log that a resumed run continues where its checkpoint says. */
typedef struct {
    pq_ctx *ctx;
    char *path;
    int descriptor;  /* -1 when closed */
    uint64_t length; /* of the file */
} pq_journal;

/* Creates the file when `length` is 0 and it is missing; cuts off what stands behind `length`. A
 * shorter file is a failure. */
pique_status pq_journal_open(pq_journal *journal, pq_ctx *ctx, const char *path, uint64_t length);
/* All or nothing: what a full disk took of it is cut off again. */
pique_status pq_journal_append(pq_journal *journal, const void *bytes, size_t size);
/* Brings it to the disk: before a checkpoint that refers to its length. */
pique_status pq_journal_sync(pq_journal *journal);
void pq_journal_close(pq_journal *journal);

/* ---- names ---- */

bool pq_file_exists(const char *path); /* a file, not a directory */
bool pq_folder_exists(const char *path);
pique_status pq_file_size(pq_ctx *ctx, const char *path, uint64_t *size);
/* With the folders above it; fine when it exists. */
pique_status pq_folder_make(pq_ctx *ctx, const char *path);
/* folder/name, allocated on the context; NULL when memory is short. */
char *pq_path_join(pq_ctx *ctx, const char *folder, const char *name);
/* PIQUE_IO with "path: reason", the reason being errno's. */
pique_status pq_fail_file(pq_ctx *ctx, const char *path);

/* The status as it is; the message of a damaged file gets its name in front, unless it has it. */
pique_status pq_file_named(pq_ctx *ctx, pique_status status, const char *path);

/* The context's memory in the form that zlib asks for; `user` is the context. */
void *pq_zlib_alloc(void *user, unsigned count, unsigned size);
void pq_zlib_free(void *user, void *block);

#endif
