/* api_similar.c — items by their vectors alone: those near one, and lists that are not all alike. */
#include <math.h>
#include <string.h>

#include "api/session.h"
#include "retrieval/diversify.h"
#include "retrieval/exact.h"

/* The item's vector at length 1; one without length stays 0. */
static void direction(const pique_session *s, uint32_t item, float *out) {
    const uint32_t width = s->model->m.width;
    pq_table_row(s->model->m.items.vectors, item, out);
    float length = sqrtf(pq_exact_dot(out, out, width));
    for (uint32_t d = 0; d < width && length > 0; d++) {
        out[d] /= length;
    }
}

pique_status pq_session_diversify(pique_session *s, const pique_query *q, pq_best *hits,
                                  uint32_t wanted, const uint32_t *items) {
    pq_arena *arena = &s->tape.arena;
    const uint32_t count = hits->count, width = s->model->m.width;
    if (q->category == PIQUE_BY_VECTORS) {
        float *rows = pq_arena_take(arena, (size_t)count * width, sizeof(*rows));
        if (!rows) {
            return PIQUE_NO_MEMORY;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t row = hits->hits[i].row;
            direction(s, items ? items[row] : row, rows + (size_t)i * width);
        }
        const pq_directions directions = {.rows = rows, .width = width};
        return pq_diversify_by_vectors(arena, hits->hits, count, wanted, &directions, q->diversity);
    }
    const uint8_t *categories = s->model->categories[q->category];
    uint32_t each = s->model->categories_each[q->category];
    if (items) {
        uint8_t *of_rows = pq_arena_take(arena, count, sizeof(*of_rows));
        for (uint32_t i = 0; of_rows && i < count; i++) {
            of_rows[i] = categories[(size_t)items[i] * each];
        }
        if (!of_rows) {
            return PIQUE_NO_MEMORY;
        }
        categories = of_rows;
        each = 1;
    }
    const pq_categories of = {.codes = categories, .each = each};
    return pq_diversify(arena, hits->hits, count, wanted, &of, q->diversity);
}

static bool is_there(const pique_session *s, uint32_t item) {
    return !pq_has_row(s->model->m.items.vectors->absent, item);
}

static void offer_all(const pique_session *s, const float *own, float *row, const uint8_t *excluded,
                      pq_best *best) {
    for (uint32_t item = 1; item <= s->model->ids.count; item++) {
        if (!pq_has_row(excluded, item) && is_there(s, item)) {
            direction(s, item, row);
            float score = pq_exact_dot(own, row, s->model->m.width);
            pq_best_offer(best, (pq_hit){.row = item, .score = score});
        }
    }
    pq_best_order(best);
}

pique_status pique_model_item_vector(const pique_model *model, uint32_t item, float *vector) {
    const pq_table *vectors = model->m.items.vectors;
    if (!pique_model_retrieves(model)) {
        PQ_FAIL(model->ctx, PIQUE_UNSUPPORTED, "%s has no item vectors", model->m.def->name);
    }
    if (item == 0 || item > model->ids.count || pq_table_lacks(vectors, item)) {
        PQ_FAIL(model->ctx, PIQUE_ARGUMENT, "item %u is not there", (unsigned)item);
    }
    pq_table_row(vectors, item, vector);
    return PIQUE_OK;
}

pique_status pique_session_similar(pique_session *session, uint32_t item, const pique_query *query,
                                   const pique_recommendation **list, uint32_t *count) {
    pique_session *s = session;
    pq_tape *t = &s->tape;
    const uint32_t wanted = PQ_MIN(query->count, s->model->ids.count);
    uint8_t *excluded;
    *list = NULL;
    *count = 0;
    if (!pique_model_retrieves(s->model)) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED, "%s has no item vectors", s->model->m.def->name);
    }
    if (item == 0 || item > s->model->ids.count || !is_there(s, item)) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "similar: item %u is not there", (unsigned)item);
    }
    pq_tape_begin(t, NULL, false, (pq_rng){0});
    float *own = pq_tape_take(t, s->model->m.width, sizeof(*own));
    float *row = pq_tape_take(t, s->model->m.width, sizeof(*row));
    pq_best best = {.hits = pq_tape_take(t, wanted, sizeof(*best.hits)), .capacity = wanted};
    pique_recommendation *found = pq_tape_take(t, wanted, sizeof(*found));
    PQ_TRY(pq_session_exclude(s, query, &excluded));
    if (t->status != PIQUE_OK || wanted == 0) {
        return t->status;
    }
    pq_exclude(excluded, item);
    direction(s, item, own);
    offer_all(s, own, row, excluded, &best);
    for (uint32_t i = 0; i < best.count; i++) {
        found[i] = (pique_recommendation){.item = best.hits[i].row, .score = best.hits[i].score};
    }
    *list = found;
    *count = best.count;
    return PIQUE_OK;
}
