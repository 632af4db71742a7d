/* item_graph.h — the graph of items that users have in common, and what is drawn around a node.
 *
 * Two items are neighbours when at least `theta` users have both among their training events. With c such users and
 * deg(i) neighbours of i,
 *     w_ij = (ln c_ij + 1) / (ln sqrt(deg_i deg_j) + 1)
 * (Liu et al., "Pre-training graph transformer with multimodal side information for recommendation", ACM MM 2021, section
 * 3.1, and the authors' code). PAD and UNKNOWN have no neighbours. */
#ifndef PQ_ITEM_GRAPH_H
#define PQ_ITEM_GRAPH_H

#include "native/data/dataset.h"

typedef struct {
    pq_ctx *ctx;
    uint32_t rows;        /* nodes are item numbers: PAD, the items, UNKNOWN */
    uint64_t *starts;     /* [rows + 1] into the two below */
    uint32_t *neighbours; /* rising in a row */
    double *cumulative;   /* running sums of the weights in a row */
    uint32_t isolated;    /* items without a neighbour */
} pq_item_graph;

pique_status pq_item_graph_build(pq_item_graph *graph, pq_ctx *ctx, const pique_dataset *dataset,
                                 uint32_t theta);
void pq_item_graph_free(pq_item_graph *graph);

static inline uint32_t pq_item_degree(const pq_item_graph *graph, uint32_t node) {
    return (uint32_t)(graph->starts[node + 1] - graph->starts[node]);
}
bool pq_item_graph_joins(const pq_item_graph *graph, uint32_t a, uint32_t b);
/* The weight of the node's n-th neighbour. */
double pq_item_graph_weight(const pq_item_graph *graph, uint32_t node, uint32_t n);

/* The context of a node (section 3.2): every draw of hop k - 1 draws sizes[k - 1] neighbours with replacement, by weight.
 * A node's score is the sum over the hops of how often hop k drew it times hops - k + 1; those with the highest scores are
 * its context, equal ones by number. */
#define PQ_CONTEXT_HOPS 3
#define PQ_CONTEXT_DRAWS 4096 /* of all hops together, at most */

typedef struct {
    uint32_t sizes[PQ_CONTEXT_HOPS]; /* 0 ends the hops */
    uint32_t length;                 /* S: most nodes of a context */
    bool exclude_self;               /* the node is none of its own context */
} pq_context_options;

typedef struct {
    uint32_t node;
    uint32_t score;
} pq_context_draw;

/* Draws of a context with those sizes, which must not be more than PQ_CONTEXT_DRAWS. */
uint32_t pq_context_draws(const pq_context_options *options);
/* The context, best first, into out [length]; returns how many there are. It depends on seed and node alone. `scratch` has
 * room for pq_context_draws. */
uint32_t pq_context_draw_all(const pq_item_graph *graph, const pq_context_options *options,
                             uint64_t seed, uint32_t node, pq_context_draw *scratch, uint32_t *out);

#endif
