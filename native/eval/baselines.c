#include "native/eval/baselines.h"

#include <string.h>

#include "base/context.h"
#include "base/number.h"

static pique_status score_popularity(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                                     const pq_view *view, float *scores) {
    const pique_dataset *dataset = shared;
    (void)ctx;
    (void)state;
    (void)user;
    (void)view;
    for (uint32_t i = 0; i < dataset->item_rows; i++) {
        scores[i] = (float)dataset->popularity[i];
    }
    return PIQUE_OK;
}

pq_scorer pq_popularity_scorer(const pique_dataset *dataset) {
    return (pq_scorer){
        .shared = dataset, .items = dataset->item_rows - 2, .score = score_popularity};
}

pique_status pq_knn_init(pq_knn *knn, pq_ctx *ctx, const pique_dataset *dataset) {
    *knn = (pq_knn){.ctx = ctx, .dataset = dataset};
    uint32_t rows = dataset->item_rows;
    pq_view view;
    knn->starts = pq_alloc(ctx, (size_t)rows + 1, sizeof(*knn->starts));
    knn->weights = pq_alloc(ctx, rows, sizeof(*knn->weights));
    if (!knn->starts || !knn->weights) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t u = 0; u < dataset->user_count; u++) {
        (void)pq_dataset_view(dataset, u, PQ_SPLIT_TRAIN, &view);
        for (uint32_t i = 0; i < view.history_count; i++) {
            knn->starts[view.history[i] + 1]++;
        }
    }
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t count = knn->starts[i + 1];
        knn->weights[i] = count ? (float)(1 / pq_sqrt((double)count)) : 0;
        knn->starts[i + 1] += knn->starts[i];
    }
    knn->users = pq_alloc(ctx, knn->starts[rows], sizeof(*knn->users));
    uint64_t *next = pq_alloc(ctx, rows, sizeof(*next));
    if (!knn->users || !next) {
        pq_free(ctx, next);
        return PIQUE_NO_MEMORY;
    }
    memcpy(next, knn->starts, rows * sizeof(*next));
    for (uint32_t u = 0; u < dataset->user_count; u++) {
        (void)pq_dataset_view(dataset, u, PQ_SPLIT_TRAIN, &view);
        for (uint32_t i = 0; i < view.history_count; i++) {
            knn->users[next[view.history[i]]++] = u;
        }
    }
    pq_free(ctx, next);
    return PIQUE_OK;
}

void pq_knn_free(pq_knn *knn) {
    if (knn->ctx) {
        pq_free(knn->ctx, knn->starts);
        pq_free(knn->ctx, knn->users);
        pq_free(knn->ctx, knn->weights);
    }
    *knn = (pq_knn){0};
}

static pique_status score_knn(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                              const pq_view *view, float *scores) {
    const pq_knn *knn = shared;
    const pique_dataset *dataset = knn->dataset;
    (void)ctx;
    (void)state;
    (void)user;
    memset(scores, 0, dataset->item_rows * sizeof(*scores));
    uint32_t count = PQ_MIN(view->history_count, PQ_KNN_HISTORY);
    for (uint32_t h = view->history_count - count; h < view->history_count; h++) {
        uint32_t j = view->history[h];
        for (uint64_t n = knn->starts[j]; n < knn->starts[j + 1]; n++) {
            pq_view other;
            (void)pq_dataset_view(dataset, knn->users[n], PQ_SPLIT_TRAIN, &other);
            for (uint32_t i = 0; i < other.history_count; i++) {
                uint32_t item = other.history[i];
                scores[item] += knn->weights[j] * knn->weights[item];
            }
        }
    }
    return PIQUE_OK;
}

pq_scorer pq_knn_scorer(const pq_knn *knn) {
    return (pq_scorer){.shared = knn, .items = knn->dataset->item_rows - 2, .score = score_knn};
}
