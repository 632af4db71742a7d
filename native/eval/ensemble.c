#include "native/eval/ensemble.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "graph/ops.h"

pique_status pq_ensemble_init(pq_ensemble *e, pq_ctx *ctx, const pique_model *const *models,
                              uint32_t count, const pique_dataset *dataset) {
    *e = (pq_ensemble){.ctx = ctx};
    for (; e->count < count; e->count++) {
        PQ_TRY(pq_model_scorer_init(&e->members[e->count], ctx, models[e->count], dataset));
    }
    e->numbers = pq_alloc(ctx, dataset->item_rows, sizeof(*e->numbers));
    if (!e->numbers) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t item = 1; item <= dataset->items.count; item++) {
        bool known = true;
        for (uint32_t m = 0; m < count; m++) {
            known = known && e->members[m].numbers[item] > 0;
        }
        e->numbers[item] = known ? item : 0;
    }
    return PIQUE_OK;
}

void pq_ensemble_free(pq_ensemble *e) {
    /* The member after the last one is that whose start failed. */
    for (uint32_t m = 0; m < PIQUE_MOST_MODELS && m <= e->count; m++) {
        pq_model_scorer_free(&e->members[m]);
    }
    if (e->ctx) {
        pq_free(e->ctx, e->numbers);
    }
    *e = (pq_ensemble){0};
}

/* Of a thread. */
typedef struct {
    void *states[PIQUE_MOST_MODELS];
    float *scores;  /* [most items of a member + 2] */
    pq_real *row;   /* [items] of one member */
    pq_real *means; /* [items] */
} asked;

static void close_asked(pq_ctx *ctx, void *opened) {
    asked *own = opened;
    for (uint32_t m = 0; m < PIQUE_MOST_MODELS; m++) {
        pq_model_user_close(ctx, own->states[m]);
    }
    pq_free(ctx, own->scores);
    pq_free(ctx, own->row);
    pq_free(ctx, own->means);
    pq_free(ctx, own);
}

static pique_status fill_asked(pq_ctx *ctx, const pq_ensemble *e, asked *own) {
    const uint32_t items = e->members[0].dataset->items.count;
    uint32_t most = 0;
    for (uint32_t m = 0; m < e->count; m++) {
        const pq_scorer scorer = pq_model_scorer_get(&e->members[m]);
        most = PQ_MAX(most, scorer.items);
        PQ_TRY(scorer.open(ctx, scorer.shared, &own->states[m]));
    }
    own->scores = pq_alloc(ctx, (size_t)most + 2, sizeof(*own->scores));
    own->row = pq_alloc(ctx, items, sizeof(*own->row));
    own->means = pq_alloc(ctx, items, sizeof(*own->means));
    return own->scores && own->row && own->means ? PIQUE_OK : PIQUE_NO_MEMORY;
}

static pique_status open_asked(pq_ctx *ctx, const void *shared, void **out) {
    asked *own = pq_alloc(ctx, 1, sizeof(*own));
    if (!own) {
        return PIQUE_NO_MEMORY;
    }
    pique_status status = fill_asked(ctx, shared, own);
    if (status != PIQUE_OK) {
        close_asked(ctx, own);
        return status;
    }
    *out = own;
    return PIQUE_OK;
}

/* own->means += the distribution of member m / count. */
static pique_status ask_member(pq_ctx *ctx, const pq_ensemble *e, asked *own, uint32_t m,
                               uint32_t user, const pq_view *view) {
    const pq_model_scorer *member = &e->members[m];
    const pq_scorer scorer = pq_model_scorer_get(member);
    const uint32_t items = member->dataset->items.count;
    PQ_TRY(scorer.score(ctx, scorer.shared, own->states[m], user, view, own->scores));
    for (uint32_t item = 1; item <= items; item++) {
        own->row[item - 1] = e->numbers[item]
                                 ? (pq_real)(member->scale * own->scores[member->numbers[item]])
                                 : PQ_NO_CHANCE;
    }
    ctx->kernels->softmax(own->row, own->row, items);
    ctx->kernels->axpy(1 / (pq_real)e->count, own->row, own->means, items);
    return PIQUE_OK;
}

static pique_status score(pq_ctx *ctx, const void *shared, void *opened, uint32_t user,
                          const pq_view *view, float *scores) {
    const pq_ensemble *e = shared;
    asked *own = opened;
    const uint32_t items = e->members[0].dataset->items.count;
    memset(own->means, 0, items * sizeof(*own->means));
    for (uint32_t m = 0; m < e->count; m++) {
        PQ_TRY(ask_member(ctx, e, own, m, user, view));
    }
    for (uint32_t item = 1; item <= items; item++) {
        const double mean = (double)own->means[item - 1];
        scores[item] = !e->numbers[item] ? -HUGE_VALF
                       : mean > 0        ? (float)pq_log(mean)
                                         : -FLT_MAX; /* below what the type can tell */
    }
    return PIQUE_OK;
}

pq_scorer pq_ensemble_get(const pq_ensemble *e) {
    return e->count == 1 ? pq_model_scorer_get(&e->members[0])
                         : (pq_scorer){.shared = e,
                                       .items = e->members[0].dataset->items.count,
                                       .numbers = e->numbers,
                                       .open = open_asked,
                                       .close = close_asked,
                                       .score = score};
}
