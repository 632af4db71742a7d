#include "models/retrieval_loss.h"

#include <string.h>

#include "layers/last_rows.h"

/* The loss, and how far the students' scores of a slate are from the teachers'. slate: what its items are. */
static pq_var *with_teacher(pq_tape *t, const pq_batch *b, pq_var *loss, pq_var *u, pq_var *own,
                            pq_var *shared, pq_soft_softmax slate) {
    const pq_soft *s = b->soft;
    if (!s) {
        return loss;
    }
    slate.temperature = s->temperature;
    slate.weight = s->alpha * s->kappa / b->positions;
    slate.weights = s->taught;
    slate.by_slate = s->by_slate;
    slate.ask = s->ask;
    slate.user = s->user;
    pq_var *soft = pq_op_soft_softmax(t, u, own, shared, &slate);
    *s->part += soft ? soft->value[0] : 0;
    return pq_op_add(t, loss, soft);
}

static const pq_real *hard_weights(const pq_batch *b) {
    return b->soft ? b->soft->hard : NULL;
}

static pq_var *sampled(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b, double scale) {
    pq_sampled_softmax args = {.positive_ids = b->targets,
                               .negative_ids = b->negatives,
                               .positive_log_q = b->target_log_q,
                               .negative_log_q = b->negative_log_q,
                               .scale = scale,
                               .weight = 1.0 / b->positions,
                               .weights = hard_weights(b)};
    pq_var *positive = pq_items_vectors(t, &m->items, b->targets, b->label_count);
    pq_var *negative = pq_items_vectors(t, &m->items, b->negatives, b->negative_count);
    pq_var *loss = pq_op_sampled_softmax(t, u, positive, negative, &args);
    return with_teacher(t, b, loss, u, positive, negative,
                        (pq_soft_softmax){.own_count = 1,
                                          .own_ids = b->targets,
                                          .last = b->negative_count,
                                          .shared_ids = b->negatives,
                                          .scale = scale});
}

static pq_var *softmax(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b, double scale) {
    pq_softmax_loss args = {.targets = b->targets,
                            .first = 1,
                            .last = m->items.rows - 1 - m->items.cold,
                            .scale = scale,
                            .smoothing = m->loss.smoothing,
                            .weight = 1.0 / b->positions,
                            .weights = hard_weights(b)};
    pq_var *items = pq_items_all(t, &m->items);
    return with_teacher(t, b, pq_op_softmax_loss(t, u, items, &args), u, NULL, items,
                        (pq_soft_softmax){.first = args.first, .last = args.last, .scale = scale});
}

uint32_t *pq_pair_slates(pq_tape *t, const pq_batch *b, uint32_t n) {
    const size_t width = (size_t)n + 1;
    uint32_t *ids = pq_tape_take(t, b->label_count * width, sizeof(*ids));
    for (size_t p = 0; ids && p < b->label_count; p++) {
        ids[p * width] = b->targets[p];
        memcpy(ids + p * width + 1, b->pair_negatives + p * n, n * sizeof(*ids));
    }
    return ids;
}

static pq_var *pairs(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b, double scale) {
    static const pq_pair_kind kinds[] = {
        [PQ_LOSS_BCE] = PQ_PAIR_BCE, [PQ_LOSS_BPR] = PQ_PAIR_BPR, [PQ_LOSS_GBCE] = PQ_PAIR_GBCE};
    uint32_t n = m->loss.pair_count;
    pq_pair_loss args = {.kind = kinds[m->loss.kind],
                         .negatives = n,
                         .scale = scale,
                         .beta = m->loss.beta,
                         .weight = 1.0 / b->positions,
                         .weights = hard_weights(b)};
    pq_var *positive = pq_items_vectors(t, &m->items, b->targets, b->label_count);
    pq_var *negative = pq_items_vectors(t, &m->items, b->pair_negatives, b->label_count * n);
    pq_var *loss = pq_op_pair_loss(t, u, positive, negative, &args);
    const uint32_t *ids = b->soft ? pq_pair_slates(t, b, n) : NULL;
    if (!ids) {
        return b->soft ? NULL : loss;
    }
    return with_teacher(t, b, loss, u,
                        pq_items_vectors(t, &m->items, ids, b->label_count * (n + 1)), NULL,
                        (pq_soft_softmax){.own_count = n + 1, .own_ids = ids, .scale = scale});
}

pq_var *pq_retrieval_loss(pq_tape *t, const pq_model *m, pq_var *u, const pq_batch *b,
                          double scale) {
    switch (m->loss.kind) {
    case PQ_LOSS_SAMPLED:
        return sampled(t, m, u, b, scale);
    case PQ_LOSS_SOFTMAX:
        return softmax(t, m, u, b, scale);
    case PQ_LOSS_BCE:
    case PQ_LOSS_BPR:
    case PQ_LOSS_GBCE:
        return pairs(t, m, u, b, scale);
    }
    return NULL;
}

static void similarity_shares(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_var *v) {
    uint32_t rows = b->history.starts[b->history.count], d = m->width;
    if (!b->shares || !v) {
        return;
    }
    pq_var *e = pq_items_vectors(t, &m->items, b->items, rows);
    for (uint32_t i = 0; e && i < b->history.count; i++) {
        pq_real total = 0;
        uint32_t first = b->history.starts[i], last = b->history.starts[i + 1];
        for (uint32_t r = first; r < last; r++) {
            pq_real match = t->kernels->dot(e->value + (size_t)r * d, v->value + (size_t)i * d, d);
            b->shares[r] = match > 0 ? match : 0;
            total += b->shares[r];
        }
        for (uint32_t r = first; r < last; r++) {
            b->shares[r] /= total > 0 ? total : 1;
        }
    }
}

pq_var *pq_causal_loss(pq_tape *t, const pq_model *m, pq_var *states, const pq_batch *b,
                       double scale) {
    pq_var *u = pq_op_select_rows(t, states, b->label_rows, b->label_count);
    return pq_retrieval_loss(t, m, u, b, scale);
}

pq_var *pq_one_interest(pq_tape *t, const pq_model *m, pq_var *v, const pq_batch *b,
                        uint32_t *live) {
    for (uint32_t i = 0; i < b->history.count; i++) {
        live[i] = 1;
    }
    similarity_shares(t, m, b, v);
    return v;
}

pq_var *pq_causal_user(pq_tape *t, const pq_model *m, pq_var *states, const pq_batch *b,
                       uint32_t *live) {
    return pq_one_interest(t, m, pq_last_rows(t, states, &b->history), b, live);
}
