/* api_content.c — pique_content: from a table of texts to a model file. */
#include "native/content/content.h"
#include "native/content/factors.h"
#include "native/data/fileio.h"

void pique_content_options_default(pique_content_options *options) {
    *options = (pique_content_options){.dim = 64, .interests = 1, .seed = 1};
}

static pique_status write_model(pq_ctx *ctx, const pq_corpus *corpus,
                                const pique_content_options *options, const float *vectors) {
    void *bytes = NULL;
    size_t size;
    PQ_TRY(pq_content_bake(corpus, options, vectors, &bytes, &size));
    pique_status status = pq_file_write(ctx, options->out, bytes, size, true);
    pq_free(ctx, bytes);
    return status;
}

static pique_status make(pq_ctx *ctx, const pique_content_options *options, pq_source source,
                         pq_corpus *corpus) {
    PQ_TRY(pq_source_check(ctx, &source));
    PQ_TRY(pq_corpus_parse(corpus, ctx, &source, options));
    float *vectors = pq_alloc(ctx, (size_t)corpus->items.count * options->dim, sizeof(*vectors));
    if (!vectors) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = pq_factors(ctx, &corpus->matrix, options->dim, options->seed, vectors);
    if (status == PIQUE_OK) {
        status = write_model(ctx, corpus, options, vectors);
    }
    pq_free(ctx, vectors);
    return status;
}

pique_status pique_content(pique_context *ctx, const pique_content_options *options,
                           pique_content_result *result) {
    void *bytes;
    size_t size;
    *result = (pique_content_result){0};
    if (!options->items || !options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "content needs a table of items and a file for its output");
    }
    PQ_TRY(pq_file_read(ctx, options->items, SIZE_MAX / 4, &bytes, &size));
    pq_corpus corpus = {.ctx = ctx};
    pq_source source = {.name = options->items, .bytes = bytes, .size = size};
    pique_status status = make(ctx, options, source, &corpus);
    *result = (pique_content_result){.items = corpus.items.count,
                                     .terms = corpus.matrix.cols,
                                     .unrelated = corpus.empty,
                                     .not_utf8 = corpus.not_utf8};
    pq_corpus_free(&corpus);
    pq_free(ctx, bytes);
    return status;
}
