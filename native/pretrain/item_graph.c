#include "native/pretrain/item_graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/rng.h"
#include "native/eval/baselines.h"

#define STREAM_CONTEXT 0x636f6e74657874u

typedef struct {
    pq_item_graph *graph;
    const pq_knn *who; /* who has which item in training */
    uint32_t theta;
    uint32_t *counts;  /* [rows] users in common with the item looked at */
    uint32_t *touched; /* [rows] items with a count */
    /* By the place of the neighbour. */
    uint32_t *common;
    size_t count, neighbours_capacity, common_capacity;
} building;

static int compare_numbers(const void *left, const void *right) {
    const uint32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

static bool is_item(const pq_item_graph *graph, uint32_t item) {
    return item > 0 && item < graph->rows - 1;
}

/* How many users each other item has in common with this one. */
static uint32_t count_common(const building *b, uint32_t item) {
    const pq_knn *who = b->who;
    uint32_t touched = 0;
    for (uint64_t u = who->starts[item]; u < who->starts[item + 1]; u++) {
        uint32_t user = who->users[u];
        for (uint64_t i = who->user_starts[user]; i < who->user_starts[user + 1]; i++) {
            uint32_t other = who->items[i];
            if (other != item && is_item(b->graph, other) && b->counts[other]++ == 0) {
                b->touched[touched++] = other;
            }
        }
    }
    return touched;
}

static pique_status add_neighbours(building *b, uint32_t item) {
    pq_item_graph *g = b->graph;
    uint32_t touched = is_item(g, item) ? count_common(b, item) : 0;
    qsort(b->touched, touched, sizeof(*b->touched), compare_numbers);
    PQ_TRY(pq_reserve(g->ctx, (void **)&g->neighbours, &b->neighbours_capacity, b->count + touched,
                      sizeof(*g->neighbours)));
    PQ_TRY(pq_reserve(g->ctx, (void **)&b->common, &b->common_capacity, b->count + touched,
                      sizeof(*b->common)));
    for (uint32_t i = 0; i < touched; i++) {
        uint32_t other = b->touched[i];
        if (b->counts[other] >= b->theta) {
            g->neighbours[b->count] = other;
            b->common[b->count++] = b->counts[other];
        }
        b->counts[other] = 0;
    }
    g->starts[item + 1] = b->count;
    return PIQUE_OK;
}

static void weigh(const building *b) {
    pq_item_graph *g = b->graph;
    for (uint32_t i = 0; i < g->rows; i++) {
        double sum = 0, own = pq_item_degree(g, i);
        for (uint64_t n = g->starts[i]; n < g->starts[i + 1]; n++) {
            double other = pq_item_degree(g, g->neighbours[n]);
            sum += (pq_log(b->common[n]) + 1) / (0.5 * pq_log(own * other) + 1);
            g->cumulative[n] = sum;
        }
        g->isolated += is_item(g, i) && own == 0;
    }
}

static pique_status build(building *b) {
    pq_item_graph *g = b->graph;
    g->starts = pq_alloc(g->ctx, (size_t)g->rows + 1, sizeof(*g->starts));
    b->counts = pq_alloc(g->ctx, g->rows, sizeof(*b->counts));
    b->touched = pq_alloc(g->ctx, g->rows, sizeof(*b->touched));
    if (!g->starts || !b->counts || !b->touched) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < g->rows; i++) {
        PQ_TRY(add_neighbours(b, i));
    }
    g->cumulative = pq_alloc(g->ctx, PQ_MAX(b->count, 1), sizeof(*g->cumulative));
    if (!g->cumulative) {
        return PIQUE_NO_MEMORY;
    }
    weigh(b);
    return PIQUE_OK;
}

pique_status pq_item_graph_build(pq_item_graph *graph, pq_ctx *ctx, const pique_dataset *dataset,
                                 uint32_t theta) {
    pq_knn who = {0};
    *graph = (pq_item_graph){.ctx = ctx, .rows = dataset->item_rows};
    building b = {.graph = graph, .who = &who, .theta = theta};
    pique_status status = pq_knn_init(&who, ctx, dataset);
    if (status == PIQUE_OK) {
        status = build(&b);
    }
    pq_knn_free(&who);
    pq_free(ctx, b.counts);
    pq_free(ctx, b.touched);
    pq_free(ctx, b.common);
    return status;
}

void pq_item_graph_free(pq_item_graph *graph) {
    if (graph->ctx) {
        pq_free(graph->ctx, graph->starts);
        pq_free(graph->ctx, graph->neighbours);
        pq_free(graph->ctx, graph->cumulative);
    }
    *graph = (pq_item_graph){0};
}

bool pq_item_graph_joins(const pq_item_graph *graph, uint32_t a, uint32_t b) {
    return pq_item_degree(graph, a) > 0 &&
           bsearch(&b, graph->neighbours + graph->starts[a], pq_item_degree(graph, a),
                   sizeof(*graph->neighbours), compare_numbers) != NULL;
}

double pq_item_graph_weight(const pq_item_graph *graph, uint32_t node, uint32_t n) {
    const double *sums = graph->cumulative + graph->starts[node];
    return n ? sums[n] - sums[n - 1] : sums[0];
}

/* ---- contexts ---- */

uint32_t pq_context_draws(const pq_context_options *options) {
    uint64_t hop = 1, all = 0;
    for (uint32_t k = 0; k < PQ_CONTEXT_HOPS && options->sizes[k]; k++) {
        hop *= options->sizes[k];
        all += hop;
        if (all > UINT32_MAX / 2) {
            return UINT32_MAX;
        }
    }
    return (uint32_t)all;
}

/* A neighbour by weight; the node has one. */
static uint32_t draw_neighbour(const pq_item_graph *g, uint32_t node, pq_rng *rng) {
    const double *sums = g->cumulative + g->starts[node];
    uint32_t low = 0, high = pq_item_degree(g, node) - 1;
    double x = pq_rng_uniform(rng) * sums[high];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] > x) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return g->neighbours[g->starts[node] + low];
}

static int by_node(const void *left, const void *right) {
    const pq_context_draw *a = left, *b = right;
    return a->node < b->node ? -1 : a->node > b->node;
}

static int by_score(const void *left, const void *right) {
    const pq_context_draw *a = left, *b = right;
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : by_node(left, right);
}

/* All hops, one after the other; each draw scores by its hop. */
static uint32_t draw_hops(const pq_item_graph *g, const pq_context_options *options, pq_rng *rng,
                          uint32_t node, pq_context_draw *draws) {
    uint32_t hops = 0, from = 0, to = 0;
    while (hops < PQ_CONTEXT_HOPS && options->sizes[hops]) {
        hops++;
    }
    for (uint32_t k = 0; k < hops; k++) {
        uint32_t end = to;
        for (uint32_t i = from; i < (k ? end : from + 1); i++) {
            uint32_t at = k ? draws[i].node : node;
            for (uint32_t n = 0; n < options->sizes[k]; n++) {
                draws[to++] = (pq_context_draw){draw_neighbour(g, at, rng), hops - k};
            }
        }
        from = end;
    }
    return to;
}

uint32_t pq_context_draw_all(const pq_item_graph *graph, const pq_context_options *options,
                             uint64_t seed, uint32_t node, pq_context_draw *scratch,
                             uint32_t *out) {
    pq_rng rng = pq_rng_make(seed ^ STREAM_CONTEXT, node, 0);
    if (pq_item_degree(graph, node) == 0) {
        return 0;
    }
    uint32_t draws = draw_hops(graph, options, &rng, node, scratch), count = 0, taken = 0;
    qsort(scratch, draws, sizeof(*scratch), by_node);
    for (uint32_t i = 0; i < draws; i++) {
        if (count > 0 && scratch[count - 1].node == scratch[i].node) {
            scratch[count - 1].score += scratch[i].score;
        } else {
            scratch[count++] = scratch[i];
        }
    }
    qsort(scratch, count, sizeof(*scratch), by_score);
    for (uint32_t i = 0; i < count && taken < options->length; i++) {
        if (!options->exclude_self || scratch[i].node != node) {
            out[taken++] = scratch[i].node;
        }
    }
    return taken;
}
