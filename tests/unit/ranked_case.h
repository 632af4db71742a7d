/* ranked_case.h — labelled data of a text, and an open file of a model that ranks with random weights for its
 * items. */
#ifndef RANKED_CASE_H
#define RANKED_CASE_H

#include "tests/unit/mind_case.h"
#include "tests/unit/small_data.h"

#include "api/opened.h"
#include "kernels/kernels.h"
#include "native/train/bake.h"

static inline pique_status ranked_case_read(pq_ctx *ctx, const pq_reader *reader, const char *text,
                                            const char *split, pique_dataset **out) {
    pq_source sources[PQ_READER_FILES] = {{.name = "rows", .bytes = text, .size = strlen(text)}};
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.labelled = true;
    options.split = split;
    options.path = "rows";
    return pq_dataset_parse(ctx, reader, sources, &options, NULL, out);
}

static inline pique_model *ranked_case_open(testing *t, const pique_dataset *d, const char *name,
                                            const char *settings) {
    pq_model m = {0};
    void *bytes;
    size_t size;
    pique_model *model = NULL;
    t->ctx.kernels = pq_kernels_find("best");
    assert_ok(&t->ctx, pq_model_init(&m, &t->ctx, pq_model_find(name, strlen(name)), "best"));
    assert_ok(&t->ctx, mind_case_set(&t->ctx, &m, settings));
    m.items.rows = d->item_rows;
    assert_ok(&t->ctx, pq_model_declare(&m));
    pq_params_draw(&m.params, 3);
    assert_ok(&t->ctx, pq_bake(&m, d, &(pq_bake_options){"{}", "", NULL}, &bytes, &size));
    assert_ok(&t->ctx, pique_model_open(&t->ctx, bytes, size, &model));
    pq_model_free(&m);
    return model;
}

#endif
