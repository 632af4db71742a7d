#include "models/ctr_input.h"

void pq_ctr_declare(pq_model *m, uint32_t d, bool linear, double scale, uint32_t history) {
    pq_ctr_options o = {.dim = (int32_t)d, .history = (int32_t)history, .init_scale = scale};
    pq_ctr_input_declare(m, &o, linear, 0);
}

/* Those of them that there are. */
static void mark_linear(pq_param *const *weights, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (weights[i]) {
            weights[i]->linear = true;
        }
    }
}

void pq_ctr_input_declare(pq_model *m, const pq_ctr_options *o, bool linear, uint32_t crosses) {
    m->items.pool = PQ_POOL_CONCAT;
    m->items.width = m->profile.width = (uint32_t)o->dim;
    m->items.linear = (linear ? 1 : 0) + crosses;
    m->profile.linear = linear;
    m->items.init_scale = m->profile.init_scale = o->init_scale;
    m->interests = 1;
    m->max_history = (uint32_t)PQ_MAX(o->history, 1);
    pq_items_declare(&m->items, &m->params);
    m->width = pq_items_width(&m->items);
    pq_profile_declare(&m->profile, &m->params);
    if (PQ_TRAINING) {
        mark_linear(m->items.weights, m->items.column_count + 1);
        mark_linear(m->profile.weights, m->profile.column_count);
    }
}

uint32_t pq_ctr_input_count(const pq_model *m, const pq_ctr_options *o) {
    return m->profile.column_count + (o->history > 0 ? 2 : 1) * (1 + m->items.column_count);
}

/* One row per segment handed out to the candidates. */
static pq_var *of_candidates(pq_tape *t, const pq_batch *b, pq_var *x) {
    return pq_op_select_rows(t, x, b->candidate_users, b->candidate_count);
}

pq_var *pq_ctr_profile(pq_tape *t, const pq_model *m, const pq_batch *b) {
    if (m->profile.column_count == 0) {
        return NULL;
    }
    return of_candidates(t, b, pq_profile_vector(t, &m->profile, b->profile, b->history.count));
}

static pq_var *without_linear(pq_tape *t, const pq_model *m, pq_var *rows) {
    return pq_op_columns(t, rows, 0, m->width - m->items.linear);
}

pq_var *pq_ctr_candidates(pq_tape *t, const pq_model *m, const pq_batch *b) {
    return without_linear(t, m, pq_items_vectors(t, &m->items, b->candidates, b->candidate_count));
}

pq_var *pq_ctr_history(pq_tape *t, const pq_model *m, const pq_batch *b) {
    pq_pool_segments mean = {.segments = &b->history, .mean = true};
    uint32_t rows = b->history.starts[b->history.count];
    pq_var *x = pq_items_behaviour_fields(t, &m->items, b->items, rows);
    return pq_op_pool_segments(t, x, NULL, &mean);
}

pq_ctr_parts pq_ctr_input(pq_tape *t, const pq_model *m, const pq_batch *b,
                          const pq_ctr_options *o) {
    bool profile = m->profile.column_count > 0;
    uint32_t first = m->width - m->items.linear, linear = m->profile.linear ? 1 : 0;
    uint32_t crosses = m->items.linear - linear;
    pq_var *rows = pq_items_vectors(t, &m->items, b->candidates, b->candidate_count);
    pq_ctr_parts parts = {
        .fields = pq_ctr_join(t, profile, pq_ctr_profile(t, m, b), without_linear(t, m, rows))};
    if (o->history > 0) {
        pq_var *history = of_candidates(t, b, pq_ctr_history(t, m, b));
        parts.fields = pq_op_concat(t, parts.fields, history);
    }
    if (linear) {
        parts.linear = pq_op_columns(t, rows, first, 1);
        if (profile) {
            pq_var *user = pq_profile_linear(t, &m->profile, b->profile, b->history.count);
            parts.linear = pq_op_add(t, parts.linear, of_candidates(t, b, user));
        }
    }
    if (crosses > 0) {
        parts.crosses = pq_op_columns(t, rows, first + linear, crosses);
    }
    return parts;
}

pq_var *pq_ctr_ones(pq_tape *t, uint32_t n) {
    pq_var *ones = pq_tape_var(t, 1, n, false);
    for (uint32_t i = 0; ones && i < n; i++) {
        ones->value[i] = 1;
    }
    return ones;
}

pq_var *pq_ctr_row_sums(pq_tape *t, pq_var *x, const pq_param *bias) {
    return x ? pq_op_linear(t, x, pq_ctr_ones(t, x->cols), bias ? pq_tape_param(t, bias) : NULL)
             : NULL;
}
