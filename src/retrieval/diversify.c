#include "retrieval/diversify.h"

#include <math.h>
#include <string.h>

#include "retrieval/exact.h"

#define CATEGORIES 256

/* The hits of each category wait in a line of their own, best first: they pay the same, so the next one
 * chosen stands at the front of some line. */
typedef struct {
    uint32_t front[CATEGORIES], chosen[CATEGORIES];
    uint32_t *behind; /* [count] who waits after each hit */
} lines;

static void line_up(lines *l, const pq_hit *hits, uint32_t count, const pq_categories *of) {
    for (uint32_t c = 0; c < CATEGORIES; c++) {
        l->front[c] = count; /* nobody */
        l->chosen[c] = 0;
    }
    for (uint32_t i = count; i-- > 0;) {
        uint8_t category = of->codes[(size_t)hits[i].row * of->each];
        l->behind[i] = l->front[category];
        l->front[category] = i;
    }
}

/* The category whose first hit is worth most; of equal ones that whose hit comes first. */
static uint32_t best_line(const lines *l, const pq_hit *hits, uint32_t count, float price) {
    uint32_t best = 0, first = count;
    float most = 0;
    for (uint32_t c = 0; c < CATEGORIES; c++) {
        uint32_t i = l->front[c];
        if (i < count) {
            float worth = hits[i].score - (c ? price * (float)l->chosen[c] : 0);
            if (first == count || worth > most || (worth == most && i < first)) {
                best = c;
                first = i;
                most = worth;
            }
        }
    }
    return best;
}

pique_status pq_diversify(pq_arena *arena, pq_hit *hits, uint32_t count, uint32_t wanted,
                          const pq_categories *categories, float price) {
    lines l = {.behind = pq_arena_take(arena, count, sizeof(*l.behind))};
    pq_hit *list = pq_arena_take(arena, count, sizeof(*list));
    if (!l.behind || !list) {
        return PIQUE_NO_MEMORY;
    }
    line_up(&l, hits, count, categories);
    wanted = wanted < count ? wanted : count;
    for (uint32_t n = 0; n < wanted; n++) {
        uint32_t category = best_line(&l, hits, count, price), i = l.front[category];
        list[n] = hits[i];
        l.front[category] = l.behind[i];
        l.chosen[category]++;
    }
    memcpy(hits, list, wanted * sizeof(*hits));
    return PIQUE_OK;
}

/* The hit that is worth most, of equal ones the first; a chosen one is worth nothing. */
static uint32_t best_left(const pq_hit *hits, uint32_t count, const float *likeness, float price) {
    uint32_t best = count;
    float most = 0;
    for (uint32_t i = 0; i < count; i++) {
        float worth = hits[i].score - price * likeness[i];
        if (likeness[i] < HUGE_VALF && (best == count || worth > most)) {
            best = i;
            most = worth;
        }
    }
    return best;
}

pique_status pq_diversify_by_vectors(pq_arena *arena, pq_hit *hits, uint32_t count, uint32_t wanted,
                                     const pq_directions *directions, float price) {
    const uint32_t width = directions->width;
    float *likeness = pq_arena_take(arena, count, sizeof(*likeness)); /* to a chosen one */
    pq_hit *list = pq_arena_take(arena, count, sizeof(*list));
    if (!likeness || !list) {
        return PIQUE_NO_MEMORY;
    }
    memset(likeness, 0, count * sizeof(*likeness));
    wanted = wanted < count ? wanted : count;
    for (uint32_t n = 0; n < wanted; n++) {
        uint32_t chosen = best_left(hits, count, likeness, price);
        list[n] = hits[chosen];
        likeness[chosen] = HUGE_VALF;
        for (uint32_t i = 0; i < count; i++) {
            float cosine = pq_exact_dot(directions->rows + (size_t)i * width,
                                        directions->rows + (size_t)chosen * width, width);
            likeness[i] = PQ_MAX(likeness[i], cosine);
        }
    }
    memcpy(hits, list, wanted * sizeof(*hits));
    return PIQUE_OK;
}
