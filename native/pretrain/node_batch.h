/* node_batch.h — nodes of the item graph as batches for the network of pmgt.h: their contexts, pairs and hidden features.
 * Everything that is drawn for a node is a hash of seed, epoch and node. */
#ifndef PQ_NODE_BATCH_H
#define PQ_NODE_BATCH_H

#include "base/arena.h"
#include "native/pretrain/item_graph.h"
#include "native/pretrain/pmgt.h"

typedef struct {
    pq_pmgt_options net;
    int32_t theta, hop1, hop2, hop3, feature_dim, negatives, batch, epochs, warmup, interests;
    bool exclude_self;
    double mask, lonely, hold_out, lr, lr_floor, weight_decay, clip;
} pq_pretrain_settings;

extern const pq_field pq_pretrain_fields[];

typedef struct {
    pq_ctx *ctx;
    const pq_item_graph *graph;
    const pq_modalities *modalities;
    const pq_pretrain_settings *settings;
    uint64_t seed;
    pq_context_options context;
    bool *held;      /* [rows] nodes whose links are not trained, to measure on */
    uint32_t *heads; /* nodes with neighbours that are not held */
    uint32_t head_count;
    uint32_t *judged; /* held nodes with neighbours */
    uint32_t judged_count;
    uint32_t *known; /* items with a training event, of which negatives are drawn */
    uint32_t known_count;
} pq_nodes;

/* PIQUE_ARGUMENT: the hops draw too many nodes; PIQUE_DATA: the graph has no edge. */
pique_status pq_nodes_init(pq_nodes *nodes, pq_ctx *ctx, const pique_dataset *dataset,
                           const pq_item_graph *graph, const pq_modalities *modalities,
                           const pq_pretrain_settings *settings, uint64_t seed);
void pq_nodes_free(pq_nodes *nodes);

/* For training: the heads given, each with a neighbour, `negatives` other items, and their contexts, of which a share is
 * hidden. all_pairs and all_masked are those of this part. */
pique_status pq_nodes_batch(const pq_nodes *nodes, pq_arena *arena, uint32_t epoch,
                            const uint32_t *heads, uint32_t count, pq_pmgt_batch *out);
/* The nodes with whole contexts, the same in every epoch. */
pique_status pq_nodes_plain(const pq_nodes *nodes, pq_arena *arena, const uint32_t *list,
                            uint32_t count, pq_pmgt_batch *out);
/* An item that has training events and is neither the node nor a neighbour of it, unless hardly any is. */
uint32_t pq_nodes_stranger(const pq_nodes *nodes, uint32_t node, pq_rng *rng);

#endif
