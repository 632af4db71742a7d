#include "layers/item_rows.h"

#include <string.h>

bool pq_distinct_items(pq_tape *t, uint32_t rows, const uint32_t *ids, uint32_t n,
                       pq_distinct *out) {
    uint32_t *place = pq_tape_take(t, rows, sizeof(*place)); /* of each item, plus 1 */
    *out = (pq_distinct){.ids = pq_tape_take(t, n, sizeof(*out->ids)),
                         .at = pq_tape_take(t, n, sizeof(*out->at))};
    if (!place || !out->ids || !out->at) {
        return false;
    }
    memset(place, 0, rows * sizeof(*place));
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] >= rows) {
            return pq_tape_fail(t, PIQUE_ARGUMENT, "item number %u is outside the %u rows",
                                (unsigned)ids[i], (unsigned)rows);
        }
        if (!place[ids[i]]) {
            out->ids[out->count++] = ids[i];
            place[ids[i]] = out->count;
        }
        out->at[i] = place[ids[i]] - 1;
    }
    return true;
}

static uint32_t length_of(const pq_item_rows *rows, uint32_t item, uint32_t most) {
    return PQ_MIN(rows->counts[item], most);
}

pq_stack pq_item_rows_take(pq_tape *t, const pq_item_rows *rows, const pq_distinct *items,
                           uint32_t most, uint32_t **places) {
    const size_t width = rows->width;
    uint32_t total = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        total += length_of(rows, items->ids[i], most);
    }
    pq_segments *segments = pq_tape_take(t, 1, sizeof(*segments));
    uint32_t *starts = pq_tape_take(t, (size_t)items->count + 1, sizeof(*starts));
    uint32_t *place = pq_tape_take(t, total, sizeof(*place));
    pq_var *x = pq_tape_var(t, total, rows->width, false);
    if (!segments || !starts || !place || !x) {
        return (pq_stack){.rows = NULL};
    }
    starts[0] = 0;
    for (uint32_t i = 0, at = 0; i < items->count; i++) {
        const float *from = rows->values + rows->first[items->ids[i]] * width;
        uint32_t length = length_of(rows, items->ids[i], most);
        for (size_t j = 0; j < length * width; j++) {
            x->value[at * width + j] = from[j];
        }
        for (uint32_t j = 0; j < length; j++) {
            place[at++] = j;
        }
        starts[i + 1] = at;
    }
    if (places) {
        *places = place;
    }
    *segments = (pq_segments){starts, items->count};
    return (pq_stack){x, segments};
}
