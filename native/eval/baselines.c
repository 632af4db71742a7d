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

/* The distinct items of each user's training events: an item seen twice is one user of the item. */
static pique_status collect_items(pq_knn *knn) {
    const pique_dataset *dataset = knn->dataset;
    uint64_t events = dataset->starts[dataset->user_count], count = 0;
    uint32_t *latest = pq_alloc(knn->ctx, dataset->item_rows, sizeof(*latest)); /* user + 1 */
    knn->user_starts =
        pq_alloc(knn->ctx, (size_t)dataset->user_count + 1, sizeof(*knn->user_starts));
    knn->items = pq_alloc(knn->ctx, events, sizeof(*knn->items));
    if (!latest || !knn->user_starts || !knn->items) {
        pq_free(knn->ctx, latest);
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t u = 0; u < dataset->user_count; u++) {
        pq_view view;
        (void)pq_dataset_view(dataset, u, PQ_SPLIT_TRAIN, &view);
        for (uint32_t i = 0; i < view.history_count; i++) {
            uint32_t item = view.history[i];
            if (latest[item] != u + 1) {
                latest[item] = u + 1;
                knn->items[count++] = item;
            }
        }
        knn->user_starts[u + 1] = count;
    }
    pq_free(knn->ctx, latest);
    return PIQUE_OK;
}

/* The same the other way round: the users of each item. */
static pique_status collect_users(pq_knn *knn) {
    uint32_t rows = knn->dataset->item_rows, users = knn->dataset->user_count;
    uint64_t count = knn->user_starts[users];
    knn->starts = pq_alloc(knn->ctx, (size_t)rows + 1, sizeof(*knn->starts));
    knn->weights = pq_alloc(knn->ctx, rows, sizeof(*knn->weights));
    knn->users = pq_alloc(knn->ctx, count, sizeof(*knn->users));
    uint64_t *next = pq_alloc(knn->ctx, rows, sizeof(*next));
    if (!knn->starts || !knn->weights || !knn->users || !next) {
        pq_free(knn->ctx, next);
        return PIQUE_NO_MEMORY;
    }
    for (uint64_t i = 0; i < count; i++) {
        knn->starts[knn->items[i] + 1]++;
    }
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t own = knn->starts[i + 1];
        knn->weights[i] = own ? (float)(1 / pq_sqrt((double)own)) : 0;
        next[i] = knn->starts[i];
        knn->starts[i + 1] += knn->starts[i];
    }
    for (uint32_t u = 0; u < users; u++) {
        for (uint64_t i = knn->user_starts[u]; i < knn->user_starts[u + 1]; i++) {
            knn->users[next[knn->items[i]]++] = u;
        }
    }
    pq_free(knn->ctx, next);
    return PIQUE_OK;
}

pique_status pq_knn_init(pq_knn *knn, pq_ctx *ctx, const pique_dataset *dataset) {
    *knn = (pq_knn){.ctx = ctx, .dataset = dataset};
    PQ_TRY(collect_items(knn));
    return collect_users(knn);
}

void pq_knn_free(pq_knn *knn) {
    if (knn->ctx) {
        pq_free(knn->ctx, knn->user_starts);
        pq_free(knn->ctx, knn->items);
        pq_free(knn->ctx, knn->starts);
        pq_free(knn->ctx, knn->users);
        pq_free(knn->ctx, knn->weights);
    }
    *knn = (pq_knn){0};
}

static pique_status score_knn(pq_ctx *ctx, const void *shared, void *state, uint32_t user,
                              const pq_view *view, float *scores) {
    const pq_knn *knn = shared;
    (void)ctx;
    (void)state;
    (void)user;
    memset(scores, 0, knn->dataset->item_rows * sizeof(*scores));
    uint32_t count = PQ_MIN(view->history_count, PQ_KNN_HISTORY);
    for (uint32_t h = view->history_count - count; h < view->history_count; h++) {
        uint32_t j = view->history[h];
        for (uint64_t n = knn->starts[j]; n < knn->starts[j + 1]; n++) {
            uint32_t other = knn->users[n];
            for (uint64_t i = knn->user_starts[other]; i < knn->user_starts[other + 1]; i++) {
                uint32_t item = knn->items[i];
                scores[item] += knn->weights[j] * knn->weights[item];
            }
        }
    }
    return PIQUE_OK;
}

pq_scorer pq_knn_scorer(const pq_knn *knn) {
    return (pq_scorer){.shared = knn, .items = knn->dataset->item_rows - 2, .score = score_knn};
}
