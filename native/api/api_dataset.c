/* api_dataset.c — the public functions of data sets. */
#include "native/data/readers.h"

void pique_dataset_options_default(pique_dataset_options *options) {
    *options = (pique_dataset_options){.format = "auto",
                                       .min_count = 1,
                                       .label_rating = 4,
                                       .split = "auto",
                                       .split_seed = 1,
                                       .hold_out_seed = 1};
}

pique_status pique_dataset_open(pique_context *ctx, const pique_dataset_options *options,
                                const pique_listener *listener, pique_dataset **out) {
    *out = NULL;
    return pq_dataset_read(ctx, options, listener, out);
}

void pique_dataset_free(pique_dataset *dataset) {
    pq_dataset_free(dataset);
}

pique_dataset_summary pique_dataset_describe(const pique_dataset *dataset) {
    uint64_t liked = 0;
    for (uint64_t i = 0; i < dataset->labelled_count; i++) {
        liked += dataset->labelled[i].label;
    }
    return (pique_dataset_summary){
        .users = dataset->user_count,
        .items = dataset->items.count,
        .events = dataset->starts[dataset->user_count],
        .bad_rows = dataset->bad_rows,
        .item_fields = dataset->item_feature_count,
        .profile_fields = dataset->profile_count,
        .labelled = dataset->labelled_count,
        .liked = liked,
    };
}
