/* api_blocks_file.c — writes a model file again with its item rows in blocks. */
#include "api/opened.h"
#include "native/data/fileio.h"
#include "native/export/blocks_write.h"
#include "pique_train.h"

/* The model's item vectors as floats, [rows, width]; NULL when memory is short. */
static float *item_vectors(pq_ctx *ctx, const pique_model *model) {
    const pq_table *table = model->rows;
    float *vectors = pq_alloc(ctx, (size_t)table->rows * table->cols, sizeof(*vectors));
    for (uint32_t row = 0; vectors && row < table->rows; row++) {
        pq_table_row(table, row, vectors + (size_t)row * table->cols);
    }
    return vectors;
}

static pique_status write_blocks(pq_ctx *ctx, const char *path, const pique_model *model,
                                 uint32_t block_rows, const char *out) {
    void *bytes;
    size_t size;
    if (!pique_model_retrieves(model)) {
        PQ_FAIL(ctx, PIQUE_UNSUPPORTED, "%s: blocks are for models that retrieve; %s only ranks",
                path, model->m.def->name);
    }
    PQ_TRY(pq_file_read(ctx, path, PQ_MODEL_LIMIT, &bytes, &size));
    float *vectors = item_vectors(ctx, model);
    pique_status status =
        vectors ? pq_blocks_write(ctx, out, bytes, size, block_rows, vectors, model->rows->cols)
                : PIQUE_NO_MEMORY;
    pq_free(ctx, vectors);
    pq_free(ctx, bytes);
    return status;
}

pique_status pique_model_write_blocks(pique_context *ctx, const char *path, uint32_t block_rows,
                                      const char *out) {
    pique_model *model;
    PQ_TRY(pique_model_read(ctx, path, &model));
    pique_status status = write_blocks(ctx, path, model, block_rows, out);
    pique_model_free(model);
    return status;
}
