#include "retrieval/diversify.h"

#include <string.h>

/* What a hit is worth after so many of its category were chosen. */
static float worth(const pq_hit *hit, const uint8_t *categories, const uint32_t *chosen,
                   float price) {
    uint8_t category = categories[hit->row];
    return category ? hit->score - price * (float)chosen[category] : hit->score;
}

pique_status pq_diversify(pq_arena *arena, pq_hit *hits, uint32_t count, uint32_t wanted,
                          const uint8_t *categories, float price) {
    uint32_t *chosen = pq_arena_take(arena, 256, sizeof(*chosen)); /* of each category */
    if (!chosen) {
        return PIQUE_NO_MEMORY;
    }
    memset(chosen, 0, 256 * sizeof(*chosen));
    for (uint32_t n = 0; n < wanted && n < count; n++) {
        uint32_t best = n;
        float most = worth(&hits[n], categories, chosen, price);
        /* The rest is in falling order of score, and nothing is worth more than its score. */
        for (uint32_t i = n + 1; i < count && hits[i].score > most; i++) {
            float own = worth(&hits[i], categories, chosen, price);
            if (own > most) {
                most = own;
                best = i;
            }
        }
        pq_hit hit = hits[best];
        memmove(hits + n + 1, hits + n, (best - n) * sizeof(*hits));
        hits[n] = hit;
        chosen[categories[hit.row]]++;
    }
    return PIQUE_OK;
}
