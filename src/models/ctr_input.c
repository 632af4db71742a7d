#include "models/ctr_input.h"

void pq_ctr_declare(pq_model *m, uint32_t d, bool linear, double scale, uint32_t history) {
    m->items.pool = PQ_POOL_CONCAT;
    m->items.width = m->profile.width = d;
    m->items.linear = m->profile.linear = linear;
    m->items.init_scale = m->profile.init_scale = scale;
    m->interests = 1;
    m->max_history = history;
    pq_items_declare(&m->items, &m->params);
    m->width = pq_items_width(&m->items);
    pq_profile_declare(&m->profile, &m->params);
}

uint32_t pq_ctr_field_count(const pq_model *m) {
    return m->profile.column_count + 1 + m->items.column_count;
}

/* One row per segment handed out to the candidates. */
static pq_var *of_candidates(pq_tape *t, const pq_batch *b, pq_var *x) {
    return pq_op_select_rows(t, x, b->candidate_users, b->candidate_count);
}

pq_var *pq_ctr_profile(pq_tape *t, const pq_model *m, const pq_batch *b) {
    return of_candidates(t, b, pq_profile_vector(t, &m->profile, b->profile, b->history.count));
}

static pq_var *without_linear(pq_tape *t, const pq_model *m, pq_var *rows) {
    return m->items.linear ? pq_op_columns(t, rows, 0, m->width - 1) : rows;
}

pq_var *pq_ctr_candidates(pq_tape *t, const pq_model *m, const pq_batch *b) {
    return without_linear(t, m, pq_items_vectors(t, &m->items, b->candidates, b->candidate_count));
}

pq_var *pq_ctr_fields(pq_tape *t, const pq_model *m, const pq_batch *b, pq_var **linear) {
    bool profile = m->profile.column_count > 0;
    pq_var *rows = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    if (linear) {
        *linear = pq_op_columns(t, rows, m->width - 1, 1);
        if (profile) {
            pq_var *user = pq_profile_linear(t, &m->profile, b->profile, b->history.count);
            *linear = pq_op_add(t, *linear, of_candidates(t, b, user));
        }
    }
    return pq_ctr_join(t, profile, profile ? pq_ctr_profile(t, m, b) : NULL,
                       without_linear(t, m, rows));
}
