#include "native/eval/metrics.h"

#include <string.h>

#include "base/context.h"
#include "base/number.h"

/* Items are numbered by falling count of training events, so a bucket is a range of numbers; it ends with
 * `last[b]`. An item is of the bucket in which the events of the items before it end. */
typedef struct {
    uint32_t last[PIQUE_BUCKETS];
} buckets;

static buckets find_buckets(const pique_dataset *dataset) {
    uint64_t total = 0, before = 0;
    buckets b = {{0}};
    for (uint32_t i = 1; i <= dataset->items.count; i++) {
        total += dataset->popularity[i];
    }
    for (uint32_t i = 1; i <= dataset->items.count; i++) {
        for (uint32_t n = 0; n < PIQUE_BUCKETS; n++) {
            b.last[n] = before * PIQUE_BUCKETS < total * (n + 1) ? i : b.last[n];
        }
        before += dataset->popularity[i];
    }
    return b;
}

/* What is unknown has no training events: the tail. */
static uint32_t bucket_of(const buckets *b, uint32_t item) {
    uint32_t n = 0;
    while (n + 1 < PIQUE_BUCKETS && item > b->last[n]) {
        n++;
    }
    return n;
}

void pq_rank_buckets(const pq_ranking *ranking, uint32_t *users, uint32_t *items) {
    buckets b = find_buckets(ranking->dataset);
    pq_view view;
    for (uint32_t n = 0; n < PIQUE_BUCKETS; n++) {
        users[n] = 0;
        items[n] = b.last[n] - (n ? b.last[n - 1] : 0);
    }
    for (uint32_t user = 0; user < ranking->dataset->user_count; user++) {
        if (pq_dataset_view(ranking->dataset, user, ranking->split, &view)) {
            users[bucket_of(&b, view.target)]++;
        }
    }
}

static void add_rank(const pique_eval_options *options, uint32_t rank, uint32_t bucket,
                     pique_metrics *out) {
    double gain = pq_log(2) / pq_log(rank + 2.0), reciprocal = 1.0 / (rank + 1.0);
    out->mrr += reciprocal;
    for (uint32_t k = 0; k < options->cutoff_count; k++) {
        if (rank < options->cutoffs[k]) {
            out->recall[k] += 1;
            out->ndcg[k] += gain;
            out->mrr_at[k] += reciprocal;
            out->bucket_recall[bucket][k] += 1;
            out->bucket_ndcg[bucket][k] += gain;
        }
    }
}

void pq_rank_metrics(const pq_ranking *ranking, const pique_eval_options *options,
                     const uint32_t *ranks, pique_metrics *out) {
    buckets b = find_buckets(ranking->dataset);
    double users = 0, bucket_users[PIQUE_BUCKETS] = {0};
    pq_view view;
    memset(out, 0, sizeof(*out));
    for (uint32_t user = 0; user < ranking->dataset->user_count; user++) {
        if (pq_dataset_view(ranking->dataset, user, ranking->split, &view)) {
            uint32_t bucket = bucket_of(&b, view.target);
            users++;
            bucket_users[bucket]++;
            if (ranks[user] != PQ_MISS) {
                add_rank(options, ranks[user], bucket, out);
            }
        }
    }
    out->mrr /= users;
    for (uint32_t k = 0; k < options->cutoff_count; k++) {
        out->recall[k] /= users;
        out->ndcg[k] /= users;
        out->mrr_at[k] /= users;
        for (uint32_t n = 0; n < PIQUE_BUCKETS; n++) {
            out->bucket_recall[n][k] /= bucket_users[n];
            out->bucket_ndcg[n][k] /= bucket_users[n];
        }
    }
}
