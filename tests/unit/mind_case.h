/* mind_case.h — a small MIND with every kind of input, for the unit and the gradient tests: ten items
 * with a multi-valued and a single-valued column, two profile fields, and a batch of five users whose
 * histories have lengths 5, 0, 1, 7 and 4. */
#ifndef MIND_CASE_H
#define MIND_CASE_H

#include "tests/unit/testing.h"

#include "models/model.h"

#define MIND_CASE_SIZES "dim=4 interests=3 history=7 hidden=5 profile_dim=2 "

typedef struct {
    pq_model model;
    pq_batch batch;
} mind_case;

/* settings: "key=value key=value …" on top of the preset. */
static inline pique_status mind_case_set(pq_ctx *ctx, pq_model *m, const char *settings) {
    for (const char *at = settings; *at;) {
        size_t size = strcspn(at, " "), name = strcspn(at, "=");
        PQ_TRY(pq_fields_set(ctx, m->def->fields, m->self, (pq_span){at, name},
                             (pq_span){at + name + 1, size - name - 1}));
        at += size + strspn(at + size, " ");
    }
    return PIQUE_OK;
}

/* Profiles of five users in two fields: user 1 has no code in the first and PAD in the second, others several. */
static inline const pq_codes *mind_case_codes(void) {
    static const uint32_t offsets[] = {0, 1, 2, 2, 3, 5, 6, 7, 10, 11, 12};
    static const uint32_t values[] = {1, 2, 0, 2, 1, 4, 3, 1, 3, 4, 1, 3};
    static const pq_codes codes = {offsets, values};
    return &codes;
}

/* The same with another model of interests. mind_case_close is due also after a failure. */
static inline pique_status mind_case_open_as(mind_case *c, pq_ctx *ctx, const char *model,
                                             const char *preset, const char *settings) {
    /* Items 0 PAD, 1..10, 11 UNKNOWN; item 4 has no genre, item 7 three, item 9 a PAD among them. */
    static const uint32_t genre_offsets[] = {0, 0, 1, 3, 4, 4, 5, 7, 10, 11, 13, 14, 14};
    static const uint32_t genre_values[] = {1, 1, 2, 3, 2, 3, 1, 1, 2, 3, 4, 0, 2, 3};
    static const uint32_t brand_offsets[] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10};
    static const uint32_t brand_values[] = {1, 2, 1, 2, 3, 3, 1, 2, 3, 1};
    static const pq_column columns[] = {{"genre", 5, genre_offsets, genre_values, false, false},
                                        {"brand", 5, brand_offsets, brand_values, false, false}};
    static const pq_column profile[] = {{"gender", 4, NULL, NULL, false, false},
                                        {"age", 5, NULL, NULL, false, false}};
    static const uint32_t starts[] = {0, 5, 5, 6, 13, 17};
    static const uint32_t items[] = {3, 1, 4, 1, 7, 9, 2, 6, 5, 11, 8, 10, 1, 5, 5, 2, 9};
    static const uint32_t targets[] = {2, 9, 5, 3, 7}, negatives[] = {6, 2, 1, 8, 2, 10};
    static const pq_real target_q[] = {(pq_real)-0.2, -1, (pq_real)-0.5, (pq_real)0.1, -1};
    static const pq_real negative_q[] = {(pq_real)-0.6, (pq_real)-0.2, (pq_real)0.3,
                                         (pq_real)-0.9, (pq_real)-0.2, (pq_real)-1.5};

    PQ_TRY(pq_model_init(&c->model, ctx, pq_model_find(model, strlen(model)), preset));
    PQ_TRY(mind_case_set(ctx, &c->model, settings));
    c->model.items.rows = 12;
    c->model.items.columns = columns;
    c->model.items.column_count = PQ_COUNT(columns);
    c->model.profile.columns = profile;
    c->model.profile.column_count = PQ_COUNT(profile);
    PQ_TRY(pq_model_declare(&c->model));
    pq_params_draw(&c->model.params, 1);
    c->batch = (pq_batch){.history = {starts, 5},
                          .items = items,
                          .profile = mind_case_codes(),
                          .targets = targets,
                          .label_count = 5,
                          .positions = 5,
                          .negatives = negatives,
                          .negative_count = PQ_COUNT(negatives),
                          .target_log_q = target_q,
                          .negative_log_q = negative_q};
    return PIQUE_OK;
}

static inline pique_status mind_case_open(mind_case *c, pq_ctx *ctx, const char *preset,
                                          const char *settings) {
    return mind_case_open_as(c, ctx, "mind", preset, settings);
}

/* Every parameter N(0, scale), biases too, save the rows of PAD. */
static inline void mind_case_fill(mind_case *c, uint64_t seed, double scale) {
    for (uint32_t i = 0; i < c->model.params.count; i++) {
        pq_param *param = c->model.params.list[i];
        pq_rng rng = pq_rng_make(seed, i, 0);
        for (size_t j = param->init.pad_row ? param->cols : 0;
             j < (size_t)param->rows * param->cols; j++) {
            param->value[j] = (pq_real)(scale * pq_rng_normal(&rng));
        }
    }
}

static inline void mind_case_close(mind_case *c) {
    pq_model_free(&c->model);
}

#endif
