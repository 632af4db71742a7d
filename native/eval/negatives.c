#include "native/eval/negatives.h"

#include "base/context.h"
#include "base/rng.h"

pique_status pq_negatives_init(pq_negatives *n, pq_ctx *ctx, const pique_dataset *dataset,
                               uint32_t wanted) {
    *n = (pq_negatives){.ctx = ctx, .items = dataset->items.count};
    n->wanted = PQ_MIN(wanted, n->items);
    n->order = pq_alloc(ctx, n->items, sizeof(*n->order));
    n->swaps = pq_alloc(ctx, n->items, sizeof(*n->swaps));
    n->barred = pq_alloc(ctx, dataset->item_rows, sizeof(*n->barred));
    n->drawn = pq_alloc(ctx, n->wanted, sizeof(*n->drawn));
    if (!n->order || !n->swaps || !n->barred || !n->drawn) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n->items; i++) {
        n->order[i] = i + 1;
    }
    return PIQUE_OK;
}

void pq_negatives_free(pq_negatives *n) {
    if (n->ctx) {
        pq_free(n->ctx, n->order);
        pq_free(n->ctx, n->swaps);
        pq_free(n->ctx, n->barred);
        pq_free(n->ctx, n->drawn);
    }
    *n = (pq_negatives){0};
}

static void bar(pq_negatives *n, const pq_view *view, bool with_seen, bool barred) {
    for (uint32_t i = 0; !with_seen && i < view->history_count; i++) {
        n->barred[view->history[i]] = barred;
    }
    n->barred[view->target] = barred;
}

static void swap(uint32_t *order, uint32_t a, uint32_t b) {
    uint32_t item = order[a];
    order[a] = order[b];
    order[b] = item;
}

/* The beginning of a Fisher-Yates shuffle, undone afterwards: so the cost grows with what is drawn and not
 * with the catalogue, and it ends however few items are left. */
uint32_t pq_negatives_draw(pq_negatives *n, uint32_t user, const pq_view *view, bool with_seen) {
    pq_rng rng = pq_rng_make(PQ_NEGATIVES_SEED, user, 0);
    uint32_t count = 0, step = 0;
    bar(n, view, with_seen, true);
    for (; step < n->items && count < n->wanted; step++) {
        n->swaps[step] = step + pq_rng_below(&rng, n->items - step);
        swap(n->order, step, n->swaps[step]);
        if (!n->barred[n->order[step]]) {
            n->drawn[count++] = n->order[step];
        }
    }
    while (step-- > 0) {
        swap(n->order, step, n->swaps[step]);
    }
    bar(n, view, with_seen, false);
    return count;
}
