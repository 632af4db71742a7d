/* fileio.c — reading whole files, and names of files. */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64

#include "native/data/fileio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define CHUNK ((size_t)256 << 10)

pique_status pq_fail_file(pq_ctx *ctx, const char *path) {
    PQ_FAIL(ctx, PIQUE_IO, "%s: %s", path, strerror(errno));
}

/* ---- reading ---- */

typedef struct {
    pq_ctx *ctx;
    const char *path;
    size_t limit;
    unsigned char *bytes;
    size_t size, capacity;
} buffer;

/* Room for at least one more byte, and the terminator. The size is within the limit. */
static pique_status grow(buffer *b) {
    if (b->size + 1 < b->capacity) {
        return PIQUE_OK;
    }
    size_t target = b->capacity ? b->capacity * 2 : CHUNK;
    /* One byte beyond the limit shows that the file is too large. */
    target = PQ_MIN(target, b->limit < SIZE_MAX - 2 ? b->limit + 2 : SIZE_MAX);
    void *block = pq_resize(b->ctx, b->bytes, target, 1);
    if (!block) {
        return PIQUE_NO_MEMORY;
    }
    b->bytes = block;
    b->capacity = target;
    return PIQUE_OK;
}

static pique_status read_plain(buffer *b, FILE *file) {
    for (;;) {
        PQ_TRY(grow(b));
        size_t count = fread(b->bytes + b->size, 1, b->capacity - b->size - 1, file);
        if (ferror(file)) {
            return pq_fail_file(b->ctx, b->path);
        }
        b->size += count;
        if (b->size > b->limit) {
            PQ_FAIL(b->ctx, PIQUE_IO, "%s: larger than the limit of %lu bytes", b->path,
                    (unsigned long)b->limit);
        }
        if (count == 0) {
            return PIQUE_OK;
        }
    }
}

void *pq_zlib_alloc(void *user, unsigned count, unsigned size) {
    return pq_resize(user, NULL, count, size);
}

void pq_zlib_free(void *user, void *block) {
    pq_free(user, block);
}

static pique_status damaged(const buffer *b, const char *reason) {
    PQ_FAIL(b->ctx, PIQUE_CORRUPT, "%s: damaged gzip data: %s", b->path, reason);
}

/* One call of inflate into the buffer; *ended when a member has ended. */
static pique_status inflate_some(buffer *b, z_stream *stream, bool *ended) {
    PQ_TRY(grow(b));
    size_t room = PQ_MIN(b->capacity - b->size - 1, CHUNK);
    stream->next_out = b->bytes + b->size;
    stream->avail_out = (unsigned)room;
    int result = inflate(stream, Z_NO_FLUSH);
    b->size += room - stream->avail_out;
    if (result == Z_MEM_ERROR) {
        return PIQUE_NO_MEMORY; /* the context has the message of the allocation */
    }
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return damaged(b, stream->msg ? stream->msg : "unexpected content");
    }
    if (b->size > b->limit) {
        PQ_FAIL(b->ctx, PIQUE_IO, "%s: larger than the limit of %lu bytes when decompressed",
                b->path, (unsigned long)b->limit);
    }
    *ended = result == Z_STREAM_END;
    return PIQUE_OK;
}

static pique_status inflate_members(buffer *b, FILE *file, z_stream *stream, unsigned char *input) {
    bool ended = false; /* between members */
    for (;;) {
        if (stream->avail_in == 0) {
            stream->next_in = input;
            stream->avail_in = (unsigned)fread(input, 1, CHUNK, file);
            if (ferror(file)) {
                return pq_fail_file(b->ctx, b->path);
            }
            if (stream->avail_in == 0) {
                return ended ? PIQUE_OK : damaged(b, "it ends too early");
            }
        }
        if (ended && inflateReset(stream) != Z_OK) {
            return damaged(b, "zlib fails");
        }
        /* Until the input is used up: zlib may hold output back while there is no room for it. */
        do {
            PQ_TRY(inflate_some(b, stream, &ended));
        } while (!ended && (stream->avail_in > 0 || stream->avail_out == 0));
    }
}

static pique_status read_gzip(buffer *b, FILE *file) {
    z_stream stream = {.zalloc = pq_zlib_alloc, .zfree = pq_zlib_free, .opaque = b->ctx};
    unsigned char *input = pq_resize(b->ctx, NULL, CHUNK, 1);
    if (!input) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = PIQUE_NO_MEMORY;
    if (inflateInit2(&stream, 15 + 16) == Z_OK) {
        status = inflate_members(b, file, &stream, input);
        inflateEnd(&stream);
    }
    pq_free(b->ctx, input);
    return status;
}

static pique_status read_open(buffer *b, FILE *file) {
    struct stat info;
    if (fstat(fileno(file), &info) != 0) {
        return pq_fail_file(b->ctx, b->path);
    }
    if (S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return pq_fail_file(b->ctx, b->path);
    }
    int first = getc(file), second = first == 0x1f ? getc(file) : EOF;
    rewind(file);
    bool gzip = second == 0x8b;
    PQ_TRY(gzip ? read_gzip(b, file) : read_plain(b, file));
    if (b->size == 0) {
        PQ_FAIL(b->ctx, PIQUE_IO, "%s: the file is empty", b->path);
    }
    return PIQUE_OK;
}

pique_status pq_file_read(pq_ctx *ctx, const char *path, size_t limit, void **bytes, size_t *size) {
    buffer b = {.ctx = ctx, .path = path, .limit = limit};
    *bytes = NULL;
    *size = 0;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return pq_fail_file(ctx, path);
    }
    pique_status status = read_open(&b, file);
    fclose(file);
    if (status != PIQUE_OK) {
        pq_free(ctx, b.bytes);
        return status;
    }
    b.bytes[b.size] = 0;
    *bytes = b.bytes;
    *size = b.size;
    return PIQUE_OK;
}

/* ---- names ---- */

bool pq_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool pq_folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

pique_status pq_file_size(pq_ctx *ctx, const char *path, uint64_t *size) {
    struct stat info;
    if (stat(path, &info) != 0) {
        return pq_fail_file(ctx, path);
    }
    *size = (uint64_t)info.st_size;
    return PIQUE_OK;
}

char *pq_path_join(pq_ctx *ctx, const char *folder, const char *name) {
    size_t size = strlen(folder);
    bool slash = size > 0 && folder[size - 1] != '/';
    char *path = pq_alloc(ctx, size + strlen(name) + 2, 1);
    if (path) {
        memcpy(path, folder, size);
        memcpy(path + size, "/", slash);
        memcpy(path + size + slash, name, strlen(name));
    }
    return path;
}

pique_status pq_folder_make(pq_ctx *ctx, const char *path) {
    char *part = pq_path_join(ctx, path, "");
    if (!part) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = PIQUE_OK;
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0777) != 0 && !pq_folder_exists(part)) {
            status = pq_fail_file(ctx, part);
            break;
        }
        *slash = '/';
    }
    pq_free(ctx, part);
    return status;
}

pique_status pq_file_named(pq_ctx *ctx, pique_status status, const char *path) {
    bool of_contents =
        status == PIQUE_CORRUPT || status == PIQUE_VERSION || status == PIQUE_UNSUPPORTED;
    if (of_contents && !strstr(ctx->error, path)) {
        return pq_fail(ctx, status, "%s: %.400s", path, ctx->error);
    }
    return status;
}
