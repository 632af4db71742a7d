/* filewrite.c — files that are complete or absent, and logs that end where a checkpoint says. */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64

#include "file/blocks.h"
#include "native/data/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK ((size_t)64 << 10)
#define GZIP_OS_UNKNOWN 255

struct pq_deflate {
    z_stream stream;
    gz_header header;
    unsigned char buffer[CHUNK];
};

/* ---- gzip ---- */

/* Equal contents give equal bytes: no time, no name. */
static pique_status start_gzip(pq_ctx *ctx, z_stream *stream, gz_header *header) {
    stream->zalloc = pq_zlib_alloc;
    stream->zfree = pq_zlib_free;
    stream->opaque = ctx;
    if (deflateInit2(stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        return PIQUE_NO_MEMORY;
    }
    header->os = GZIP_OS_UNKNOWN; /* zlib would name the system */
    if (deflateSetHeader(stream, header) != Z_OK) {
        deflateEnd(stream);
        PQ_FAIL(ctx, PIQUE_INTERNAL, "zlib fails");
    }
    return PIQUE_OK;
}

static pique_status start_deflate(pq_output *out) {
    struct pq_deflate *deflate = pq_alloc(out->ctx, 1, sizeof(*deflate));
    pique_status status =
        deflate ? start_gzip(out->ctx, &deflate->stream, &deflate->header) : PIQUE_NO_MEMORY;
    if (status != PIQUE_OK) {
        pq_free(out->ctx, deflate);
        return status;
    }
    out->deflate = deflate;
    return PIQUE_OK;
}

pique_status pq_gzip_member(pq_ctx *ctx, const void *bytes, size_t size, void **out,
                            size_t *out_size) {
    unsigned char extra[] = {'P', 'Q', 4, 0, 0, 0, 0, 0};
    gz_header header = {.extra = extra, .extra_len = sizeof(extra)};
    z_stream stream = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)size};
    *out = NULL;
    if (size > UINT32_MAX / 2) { /* zlib counts in unsigned int */
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "%lu bytes are too many for one member of a gzip file",
                (unsigned long)size);
    }
    PQ_TRY(start_gzip(ctx, &stream, &header));
    size_t bound = deflateBound(&stream, (unsigned long)size) + sizeof(extra) + 2;
    unsigned char *member = pq_resize(ctx, NULL, bound, 1);
    stream.next_out = member;
    stream.avail_out = (unsigned)bound;
    bool done = member && deflate(&stream, Z_FINISH) == Z_STREAM_END;
    *out_size = bound - stream.avail_out;
    deflateEnd(&stream);
    if (!done) {
        pq_free(ctx, member);
        return member ? pq_fail(ctx, PIQUE_INTERNAL, "zlib fails") : PIQUE_NO_MEMORY;
    }
    for (int i = 0; i < 4; i++) { /* the size, which is known only now */
        member[PQ_MEMBER_HEADER - 4 + i] = (unsigned char)(*out_size >> (8 * i));
    }
    *out = member;
    return PIQUE_OK;
}

static pique_status write_plain(pq_output *out, const void *bytes, size_t size) {
    if (size && fwrite(bytes, 1, size, out->file) != size) {
        return pq_fail_file(out->ctx, out->path);
    }
    return PIQUE_OK;
}

static pique_status deflate_input(pq_output *out, const void *bytes, size_t size, int flush) {
    struct pq_deflate *d = out->deflate;
    d->stream.next_in = (unsigned char *)bytes; /* zlib only reads it */
    d->stream.avail_in = (unsigned)size;
    do {
        d->stream.next_out = d->buffer;
        d->stream.avail_out = sizeof(d->buffer);
        (void)deflate(&d->stream, flush); /* its state was never invalid */
        PQ_TRY(write_plain(out, d->buffer, sizeof(d->buffer) - d->stream.avail_out));
    } while (d->stream.avail_out == 0);
    return PIQUE_OK;
}

/* ---- output ---- */

/* Opens the .part file for this process alone. */
static pique_status open_part(pq_output *out) {
    struct stat mine, named;
    int descriptor = open(out->part, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return pq_fail_file(out->ctx, out->path);
    }
    bool locked = lockf(descriptor, F_TLOCK, 0) == 0 || (errno != EACCES && errno != EAGAIN);
    /* Another writer may have renamed it between the opening and the lock. */
    if (!locked || fstat(descriptor, &mine) != 0 || stat(out->part, &named) != 0 ||
        mine.st_ino != named.st_ino || mine.st_dev != named.st_dev) {
        close(descriptor);
        PQ_FAIL(out->ctx, PIQUE_IO, "%s: another process is writing it", out->path);
    }
    out->file = ftruncate(descriptor, 0) == 0 ? fdopen(descriptor, "wb") : NULL;
    if (!out->file) {
        pique_status status = pq_fail_file(out->ctx, out->path);
        close(descriptor);
        unlink(out->part);
        return status;
    }
    return PIQUE_OK;
}

static void release(pq_output *out) {
    if (out->deflate) {
        deflateEnd(&out->deflate->stream);
        pq_free(out->ctx, out->deflate);
    }
    pq_free(out->ctx, out->path);
    pq_free(out->ctx, out->part);
    *out = (pq_output){.ctx = out->ctx, .status = PIQUE_IO};
}

static char *with_suffix(pq_ctx *ctx, const char *path, const char *suffix) {
    size_t size = strlen(path);
    char *result = pq_alloc(ctx, size + strlen(suffix) + 1, 1);
    if (result) {
        memcpy(result, path, size);
        memcpy(result + size, suffix, strlen(suffix));
    }
    return result;
}

pique_status pq_output_open(pq_output *out, pq_ctx *ctx, const char *path, bool gzip) {
    struct stat info;
    *out = (pq_output){.ctx = ctx, .status = PIQUE_IO};
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        PQ_FAIL(ctx, PIQUE_IO, "%s: %s", path,
                S_ISDIR(info.st_mode) ? strerror(EISDIR) : "not a regular file");
    }
    out->path = with_suffix(ctx, path, "");
    out->part = with_suffix(ctx, path, ".part");
    pique_status status = out->path && out->part ? open_part(out) : PIQUE_NO_MEMORY;
    if (status == PIQUE_OK && gzip) {
        status = start_deflate(out);
    }
    out->status = status;
    if (status != PIQUE_OK) {
        pq_output_discard(out);
    }
    return status;
}

pique_status pq_output_write(pq_output *out, const void *bytes, size_t size) {
    const char *at = bytes;
    while (out->deflate && size && out->status == PIQUE_OK) {
        size_t part = PQ_MIN(size, (size_t)1 << 30); /* zlib counts in unsigned int */
        out->status = deflate_input(out, at, part, Z_NO_FLUSH);
        at += part;
        size -= part;
    }
    if (!out->deflate && out->status == PIQUE_OK) {
        out->status = write_plain(out, at, size);
    }
    return out->status;
}

/* A rename is on the disk only when its folder is. */
static void sync_folder(pq_output *out) {
    char *slash = strrchr(out->part, '/');
    if (slash) {
        slash[slash == out->part] = 0; /* "/" itself keeps its slash */
    }
    int folder = open(slash ? out->part : ".", O_RDONLY | O_CLOEXEC);
    if (folder >= 0) {
        (void)fsync(folder); /* some file systems cannot; the file itself is safe already */
        close(folder);
    }
}

pique_status pq_output_commit(pq_output *out) {
    if (out->status == PIQUE_OK && out->deflate) {
        out->status = deflate_input(out, NULL, 0, Z_FINISH);
    }
    if (out->status == PIQUE_OK && (fflush(out->file) != 0 || fsync(fileno(out->file)) != 0 ||
                                    rename(out->part, out->path) != 0)) {
        out->status = pq_fail_file(out->ctx, out->path);
    }
    pique_status status = out->status;
    if (status == PIQUE_OK) {
        fclose(out->file);
        sync_folder(out);
        release(out);
    } else {
        pq_output_discard(out);
    }
    return status;
}

void pq_output_discard(pq_output *out) {
    if (out->file) {
        unlink(out->part); /* before the lock goes with the descriptor */
        fclose(out->file);
    }
    release(out);
}

pique_status pq_file_write(pq_ctx *ctx, const char *path, const void *bytes, size_t size,
                           bool gzip) {
    pq_output out;
    PQ_TRY(pq_output_open(&out, ctx, path, gzip));
    (void)pq_output_write(&out, bytes, size); /* the commit tells */
    return pq_output_commit(&out);
}

/* ---- appending ---- */

pique_status pq_journal_open(pq_journal *journal, pq_ctx *ctx, const char *path, uint64_t length) {
    *journal = (pq_journal){.ctx = ctx, .descriptor = -1, .length = length};
    journal->path = with_suffix(ctx, path, "");
    if (!journal->path) {
        return PIQUE_NO_MEMORY;
    }
    struct stat info;
    int create = length == 0 ? O_CREAT : 0;
    journal->descriptor = open(path, O_WRONLY | O_CLOEXEC | create, 0666);
    pique_status status = PIQUE_OK;
    bool open_now = journal->descriptor >= 0 && fstat(journal->descriptor, &info) == 0;
    if (open_now && (uint64_t)info.st_size < length) {
        status = pq_fail(ctx, PIQUE_IO, "%s: has %lu bytes, fewer than the %lu written before",
                         path, (unsigned long)info.st_size, (unsigned long)length);
    } else if (!open_now || ftruncate(journal->descriptor, (off_t)length) != 0) {
        status = pq_fail_file(ctx, path);
    }
    if (status != PIQUE_OK) {
        pq_journal_close(journal);
    }
    return status;
}

pique_status pq_journal_append(pq_journal *journal, const void *bytes, size_t size) {
    const char *at = bytes;
    size_t done = 0;
    while (done < size) {
        ssize_t count =
            pwrite(journal->descriptor, at + done, size - done, (off_t)(journal->length + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            pique_status status = pq_fail_file(journal->ctx, journal->path);
            (void)!ftruncate(journal->descriptor,
                             (off_t)journal->length); /* the first failure counts */
            return status;
        }
        done += (size_t)count;
    }
    journal->length += size;
    return PIQUE_OK;
}

pique_status pq_journal_sync(pq_journal *journal) {
    return fsync(journal->descriptor) == 0 ? PIQUE_OK : pq_fail_file(journal->ctx, journal->path);
}

void pq_journal_close(pq_journal *journal) {
    if (journal->descriptor >= 0) {
        close(journal->descriptor);
    }
    pq_free(journal->ctx, journal->path);
    journal->path = NULL;
    journal->descriptor = -1;
}
