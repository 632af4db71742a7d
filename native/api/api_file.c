/* api_file.c — model files on disk. */
#include "native/data/fileio.h"
#include "pique_train.h"

pique_status pique_model_read(pique_context *ctx, const char *path, pique_model **out) {
    void *bytes;
    size_t size;
    *out = NULL;
    PQ_TRY(pq_file_read(ctx, path, PQ_MODEL_LIMIT, &bytes, &size));
    return pq_file_named(ctx, pique_model_open(ctx, bytes, size, out), path);
}
