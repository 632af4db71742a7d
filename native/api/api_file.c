/* api_file.c — model files on disk. */
#include <string.h>

#include "base/context.h"
#include "native/data/fileio.h"
#include "pique_train.h"

/* The message of a damaged file, with its name in front. */
static pique_status name_file(pq_ctx *ctx, pique_status status, const char *path) {
    bool of_contents =
        status == PIQUE_CORRUPT || status == PIQUE_VERSION || status == PIQUE_UNSUPPORTED;
    if (of_contents && !strstr(ctx->error, path)) {
        return pq_fail(ctx, status, "%s: %.400s", path, ctx->error);
    }
    return status;
}

pique_status pique_model_read(pique_context *ctx, const char *path, pique_model **out) {
    void *bytes;
    size_t size;
    *out = NULL;
    PQ_TRY(pq_file_read(ctx, path, PQ_MODEL_LIMIT, &bytes, &size));
    return name_file(ctx, pique_model_open(ctx, bytes, size, out), path);
}
