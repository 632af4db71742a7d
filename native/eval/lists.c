#include "native/eval/lists.h"

#include <math.h>
#include <stdlib.h>

#include "base/context.h"
#include "base/number.h"

#define NOTHING (-1.0)

/* ---- making ready ---- */

static uint64_t training_events(const pique_dataset *dataset) {
    uint64_t events = 0;
    for (uint32_t i = 1; i <= dataset->items.count; i++) {
        events += dataset->popularity[i];
    }
    return events;
}

static void describe_items(pq_lists *l, const pq_scorer *scorer) {
    const pique_dataset *dataset = l->knn->dataset;
    for (uint32_t i = 1; i <= dataset->items.count; i++) {
        uint32_t number = pq_scorer_number(scorer, i);
        if (number > 0 && number <= l->items) {
            l->numbers[number] = i;
        }
    }
    double total = (double)training_events(dataset);
    for (uint32_t i = 1; i <= l->items; i++) {
        uint32_t own = l->numbers[i] ? dataset->popularity[l->numbers[i]] : 0;
        l->bits[i] = pq_log(total / PQ_MAX(own, 1)) / pq_log(2);
    }
}

pique_status pq_lists_init(pq_lists *l, pq_ctx *ctx, const pq_knn *knn, const pq_scorer *scorer,
                           const pique_eval_options *options) {
    *l = (pq_lists){.ctx = ctx, .knn = knn, .options = options, .items = scorer->items};
    size_t rows = (size_t)l->items + 1;
    size_t cells = (size_t)knn->dataset->user_count * options->cutoff_count;
    l->numbers = pq_alloc(ctx, rows, sizeof(*l->numbers));
    l->bits = pq_alloc(ctx, rows, sizeof(*l->bits));
    l->novelty = pq_alloc(ctx, cells, sizeof(*l->novelty));
    l->diversity = pq_alloc(ctx, cells, sizeof(*l->diversity));
    if (!l->numbers || !l->bits || !l->novelty || !l->diversity) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t k = 0; k < options->cutoff_count; k++) {
        l->depth = PQ_MAX(l->depth, PQ_MIN(options->cutoffs[k], l->items));
        l->times[k] = pq_alloc(ctx, rows, sizeof(*l->times[k]));
        if (!l->times[k]) {
            return PIQUE_NO_MEMORY;
        }
    }
    for (size_t i = 0; i < cells; i++) {
        l->novelty[i] = l->diversity[i] = NOTHING;
    }
    describe_items(l, scorer);
    return PIQUE_OK;
}

void pq_lists_free(pq_lists *l) {
    if (l->ctx) {
        pq_free(l->ctx, l->numbers);
        pq_free(l->ctx, l->bits);
        pq_free(l->ctx, l->novelty);
        pq_free(l->ctx, l->diversity);
        for (uint32_t k = 0; k < PIQUE_MAX_CUTOFFS; k++) {
            pq_free(l->ctx, l->times[k]);
        }
    }
    *l = (pq_lists){0};
}

pique_status pq_list_init(pq_list *list, pq_ctx *ctx, const pq_lists *lists) {
    *list = (pq_list){.ctx = ctx};
    list->hits = pq_alloc(ctx, lists->depth, sizeof(*list->hits));
    list->weight = pq_alloc(ctx, lists->knn->dataset->user_count, sizeof(*list->weight));
    return list->hits && list->weight ? PIQUE_OK : PIQUE_NO_MEMORY;
}

void pq_list_free(pq_list *list) {
    if (list->ctx) {
        pq_free(list->ctx, list->hits);
        pq_free(list->ctx, list->weight);
    }
    *list = (pq_list){0};
}

/* ---- one list ---- */

static uint32_t best_items(const pq_lists *l, pq_list *list, const float *scores,
                           const bool *excluded) {
    pq_best best = {.hits = list->hits, .capacity = l->depth};
    for (uint32_t i = 1; l->depth && i <= l->items; i++) {
        if (!excluded[i] && scores[i] > -HUGE_VALF) {
            pq_best_offer(&best, (pq_hit){.row = i, .score = scores[i]});
        }
    }
    pq_best_order(&best);
    return best.count;
}

/* The sum of the cosines of an item with those listed before it; it is listed from now on. That is a walk
 * over its users: sum over j of users of both * w_i w_j = w_i * sum over the users of i of their weights. */
static double likeness(const pq_knn *knn, uint32_t item, double *weight) {
    double sum = 0, own = item ? (double)knn->weights[item] : 0;
    for (uint64_t n = knn->starts[item]; item && n < knn->starts[item + 1]; n++) {
        sum += weight[knn->users[n]];
        weight[knn->users[n]] += own;
    }
    return own * sum;
}

static void forget(const pq_knn *knn, uint32_t item, double *weight) {
    for (uint64_t n = knn->starts[item]; item && n < knn->starts[item + 1]; n++) {
        weight[knn->users[n]] = 0;
    }
}

static void count_item(pq_lists *l, uint32_t place, uint32_t item) {
    for (uint32_t k = 0; k < l->options->cutoff_count; k++) {
        if (place < l->options->cutoffs[k]) {
#pragma omp atomic
            l->times[k][item]++;
        }
    }
}

void pq_lists_add(pq_lists *l, pq_list *list, uint32_t user, const float *scores,
                  const bool *excluded) {
    uint32_t count = best_items(l, list, scores, excluded);
    size_t first = (size_t)user * l->options->cutoff_count;
    double bits = 0, alike = 0;
    for (uint32_t place = 0; place < count; place++) {
        uint32_t item = list->hits[place].row;
        double length = place + 1.0;
        count_item(l, place, item);
        bits += l->bits[item];
        alike += likeness(l->knn, l->numbers[item], list->weight);
        for (uint32_t k = 0; k < l->options->cutoff_count; k++) {
            if (place + 1 == PQ_MIN(l->options->cutoffs[k], count)) {
                l->novelty[first + k] = bits / length;
                /* Rounding may leave twins a little below zero. */
                double apart = place ? 1 - alike / (length * place / 2) : NOTHING;
                l->diversity[first + k] = place ? PQ_MAX(apart, 0) : NOTHING;
            }
        }
    }
    for (uint32_t place = 0; place < count; place++) {
        forget(l->knn, l->numbers[list->hits[place].row], list->weight);
    }
}

/* ---- all lists ---- */

static double mean_of_lists(const pq_lists *l, const double *values, uint32_t k) {
    double sum = 0;
    uint32_t lists = 0;
    for (uint32_t user = 0; user < l->knn->dataset->user_count; user++) {
        double value = values[(size_t)user * l->options->cutoff_count + k];
        if (value >= 0) {
            sum += value;
            lists++;
        }
    }
    return lists ? sum / lists : (double)NAN;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void spread(pq_lists *l, uint32_t k, pique_metrics *out) {
    uint32_t *times = l->times[k] + 1;
    double covered = 0, sum = 0, skew = 0, items = l->items;
    qsort(times, l->items, sizeof(*times), by_size);
    for (uint32_t i = 0; i < l->items; i++) {
        covered += times[i] > 0;
        sum += times[i];
        skew += (2.0 * i + 1 - items) * times[i];
    }
    out->coverage[k] = covered / items;
    out->gini[k] = sum > 0 ? skew / (items * sum) : (double)NAN;
}

void pq_lists_metrics(pq_lists *l, pique_metrics *out) {
    for (uint32_t k = 0; k < l->options->cutoff_count; k++) {
        spread(l, k, out);
        out->novelty[k] = mean_of_lists(l, l->novelty, k);
        out->diversity[k] = mean_of_lists(l, l->diversity, k);
    }
}
