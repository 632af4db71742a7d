#include "retrieval/losses.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#define CODEBOOKS 8 /* of a line */
#define LINE ((size_t)CODEBOOKS * PQ_TABLE_CENTROIDS)
#define MOST 127 /* so that two entries stay a byte */

static void prepare(pq_losses *l, const pq_exact *exact, const pq_table *codes, uint32_t k) {
    const float *products = exact->products + pq_exact_product(codes, 0, k);
    float best = 0, size = 0;
    for (uint32_t m = 0; m < codes->codebooks; m++) {
        float *out = l->losses +
                     pq_scan_place(k, l->interest_count, l->lines, m / CODEBOOKS) * LINE +
                     (size_t)(m % CODEBOOKS) * PQ_TABLE_CENTROIDS;
        float most = -HUGE_VALF;
        for (uint32_t c = 0; c < PQ_TABLE_CENTROIDS; c++) {
            most = PQ_MAX(most, products[(size_t)c * PQ_EXACT_GROUP]);
        }
        for (uint32_t c = 0; c < PQ_TABLE_CENTROIDS; c++) {
            out[c] = most - products[(size_t)c * PQ_EXACT_GROUP];
        }
        products += (size_t)PQ_TABLE_CENTROIDS * PQ_EXACT_GROUP;
        best += most;
        size += fabsf(most);
    }
    l->best[k] = best;
    l->slack[k] = 1e-5f * size;
    l->most = PQ_MAX(l->most, best);
}

pique_status pq_losses_init(pq_arena *arena, pq_losses *l, const pq_exact *exact,
                            const pq_table *codes) {
    const size_t count = exact->scan->interest_count;
    *l = (pq_losses){.interest_count = (uint32_t)count,
                     .lines = ((size_t)codes->codebooks + CODEBOOKS - 1) / CODEBOOKS,
                     .threshold = -HUGE_VALF,
                     .most = -HUGE_VALF};
    const size_t size = count * l->lines * LINE;
    l->bytes = pq_arena_take(arena, size, 1);
    l->losses = pq_arena_take(arena, size, sizeof(float));
    l->best = pq_arena_take(arena, count, 2 * sizeof(float));
    if (!l->bytes || !l->losses || !l->best) {
        return PIQUE_NO_MEMORY;
    }
    l->slack = l->best + count;
    memset(l->bytes, 0, size); /* nothing is below no threshold */
    memset(l->losses, 0, size * sizeof(float));
    for (uint32_t k = 0; k < count; k++) {
        prepare(l, exact, codes, k);
    }
    return PIQUE_OK;
}

/* One line. */
static void make_bytes(const float *losses, float steps, uint8_t *restrict out) {
    for (size_t i = 0; i < LINE; i++) {
        float loss = losses[i] * steps;
        out[i] = (uint8_t)(int32_t)(loss < MOST ? loss : MOST);
    }
}

/* New tables when the steps become finer by this share. */
#define WORTH_IT 0.04f

const uint8_t *pq_losses_for(pq_losses *l, float threshold) {
    const float before = l->threshold;
    if (threshold == before ||
        (before > -HUGE_VALF && threshold - before <= WORTH_IT * (l->most - before))) {
        return l->bytes;
    }
    l->threshold = threshold;
    for (uint32_t k = 0; k < l->interest_count; k++) {
        float may_lose = l->best[k] - threshold + l->slack[k] + 1e-5f * fabsf(threshold);
        for (size_t i = 0; i < l->lines; i++) {
            size_t at = pq_scan_place(k, l->interest_count, l->lines, i) * LINE;
            if (may_lose > 0) {
                make_bytes(l->losses + at, 254 / may_lose, l->bytes + at);
            } else { /* the interest's best is not enough */
                memset(l->bytes + at, MOST, LINE);
            }
        }
    }
    return l->bytes;
}
