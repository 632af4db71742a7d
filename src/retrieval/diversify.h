/* diversify.h — a list that does not say the same thing ten times: recommendations chosen one after the other,
 * each by its score less a price for every chosen item of its category (Cen et al., KDD 2020, "controllable
 * aggregation": their gain for each chosen item of another category differs from that by a constant). */
#ifndef PQ_DIVERSIFY_H
#define PQ_DIVERSIFY_H

#include "base/arena.h"
#include "retrieval/best.h"

typedef struct {
    const float *rows;
    uint32_t width;
} pq_directions;

/* Of each row `each` codes, of which the first counts; 0: of none. */
typedef struct {
    const uint8_t *codes;
    uint32_t each;
} pq_categories;

/* hits [count], best first as of pq_scan_top; categories by row; none never counts as the same.
 * The first `wanted` become the chosen ones in the order of choice; of equal figures the one that came
 * first. What stands after them is not defined. price >= 0; at 0 the order stays. PIQUE_NO_MEMORY. */
pique_status pq_diversify(pq_arena *arena, pq_hit *hits, uint32_t count, uint32_t wanted,
                          const pq_categories *categories, float price);

/* The same with a price times the largest cosine of a hit's vector and that of a chosen one, where it is above 0
 * (maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998). directions [count, width]: the vectors of
 * the hits, of length 1 or 0. */
pique_status pq_diversify_by_vectors(pq_arena *arena, pq_hit *hits, uint32_t count, uint32_t wanted,
                                     const pq_directions *directions, float price);

#endif
