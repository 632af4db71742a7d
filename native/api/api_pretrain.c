/* api_pretrain.c — pique_pretrain: item vectors from features and the item graph. */
#include "native/pretrain/pretrain.h"

void pique_pretrain_options_default(pique_pretrain_options *options) {
    *options = (pique_pretrain_options){.preset = "best", .seed = 1};
}

pique_status pique_pretrain_check(pique_context *ctx, const pique_pretrain_options *options) {
    pq_pretrain_settings settings;
    if (!options->preset || !options->out) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "pretraining needs a preset and a file for its output");
    }
    return pq_pretrain_read(ctx, options, &settings);
}

pique_status pique_pretrain(pique_context *ctx, const pique_dataset *dataset,
                            const pique_pretrain_options *options, const pique_listener *listener,
                            pique_pretrain_result *result) {
    *result = (pique_pretrain_result){0};
    PQ_TRY(pique_pretrain_check(ctx, options));
    return pq_pretrain_run(ctx, dataset, options, listener, result);
}
