#include "layers/bidirectional.h"

static void declare_way(const pq_bidirectional *r, pq_recurrent *way, uint32_t at,
                        pq_params *params, const char *name, const char *direction, uint32_t in) {
    *way = (pq_recurrent){.cell = (int32_t)r->cell,
                          .hidden = (int32_t)r->hidden,
                          .layers = 1,
                          .first = at,
                          .dropout = r->dropout,
                          .glorot = true};
    (void)pq_format(way->name, sizeof(way->name), "%.12s.%s", name, direction);
    pq_recurrent_declare(way, params, in);
}

void pq_bidirectional_declare(pq_bidirectional *r, pq_params *params, const char *name,
                              uint32_t in) {
    for (uint32_t i = 0; i < (uint32_t)r->layers; i++) {
        uint32_t wide = i ? (r->apart ? 1 : 2) * r->hidden : in;
        declare_way(r, &r->forward[i], i, params, name, "forward", wide);
        declare_way(r, &r->backward[i], i, params, name, "backward", wide);
    }
}

/* The rows of every segment from the last to the first. Done twice, nothing has happened. */
static uint32_t *turned(pq_tape *t, const pq_segments *segments) {
    uint32_t *rows = pq_tape_take(t, segments->starts[segments->count], sizeof(*rows));
    for (uint32_t b = 0; rows && b < segments->count; b++) {
        uint32_t first = segments->starts[b], end = segments->starts[b + 1];
        for (uint32_t i = first; i < end; i++) {
            rows[i] = end - 1 - (i - first);
        }
    }
    return rows;
}

pq_var *pq_bidirectional_run(pq_tape *t, const pq_bidirectional *r, pq_var *x,
                             const pq_segments *segments) {
    const uint32_t *back = turned(t, segments);
    if (!back || !x) {
        return NULL;
    }
    uint32_t rows = x->rows;
    pq_var *other = NULL; /* from the last row to the first */
    for (uint32_t i = 0; i < (uint32_t)r->layers; i++) {
        bool last = i + 1 == (uint32_t)r->layers, mean = last && r->merge == PQ_MERGE_MEAN;
        other = i && r->apart ? other : pq_op_select_rows(t, x, back, rows);
        x = pq_recurrent_run(t, &r->forward[i], x, segments, NULL, NULL);
        other = pq_recurrent_run(t, &r->backward[i], other, segments, NULL, NULL);
        if (r->apart && !last) {
            continue;
        }
        other = pq_op_select_rows(t, other, back, rows);
        x = mean ? pq_op_scale(t, pq_op_add(t, x, other), 0.5) : pq_op_concat(t, x, other);
    }
    return x;
}
