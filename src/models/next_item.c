#include "models/next_item.h"

#include <string.h>

typedef enum { OUTPUT_TIED, OUTPUT_OWN } output_kind;
typedef enum { AUX_LINEAR, AUX_TANH_SOFTMAX_CE, AUX_SOFTMAX_CE } aux_head;
typedef enum { LAST_MASK, LAST_KEEP } last_step;

/* Without PAD, UNKNOWN and what was held out. */
static uint32_t catalogue_size(const pq_model *m) {
    return m->items.rows - 2 - m->items.cold;
}

pique_status pq_next_item_declare(pq_model *m, pq_next_item *n) {
    if (n->head != AUX_LINEAR && n->negatives > 0) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "aux_head = %s takes the whole catalogue, not aux_negatives = %d",
                n->head == AUX_SOFTMAX_CE ? "softmax_ce" : "tanh_softmax_ce", (int)n->negatives);
    }
    if (n->output == OUTPUT_OWN && !pq_items_baked(&m->items)) {
        pq_init linear = {.kind = PQ_INIT_SYMMETRIC, .scale = 1 / pq_sqrt(m->width)};
        n->own = pq_params_add(&m->params, "aux.w", catalogue_size(m), m->width + 1, linear);
        if (n->own) {
            n->own->unsaved = true;
            n->own->sparse = n->negatives > 0;
        }
    }
    return m->params.status;
}

typedef struct {
    uint32_t count;    /* P */
    uint32_t *rows;    /* [P] of the history */
    uint32_t *targets; /* [P] place of the item that follows in the catalogue */
    pq_real *weights;  /* [P] */
} next_labels;

static void add_label(const pq_model *m, next_labels *l, uint32_t row, uint32_t item) {
    if (item >= 1 && item <= catalogue_size(m)) {
        l->rows[l->count] = row;
        l->targets[l->count++] = item - 1;
    }
}

/* A segment's labels share its part of the loss, which is that of its candidates; the last label is the
 * first of these that counts as one. */
static bool find_labels(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_next_item *n,
                        next_labels *l) {
    uint32_t rows = b->history.starts[b->history.count], next = 0;
    *l = (next_labels){.rows = pq_tape_take(t, rows, sizeof(*l->rows)),
                       .targets = pq_tape_take(t, rows, sizeof(*l->targets)),
                       .weights = pq_tape_take(t, rows, sizeof(*l->weights))};
    if (!l->rows || !l->targets || !l->weights) {
        return false;
    }
    for (uint32_t s = 0; s < b->history.count; s++) {
        uint32_t end = b->history.starts[s + 1], first = l->count, candidates = 0, last = 0;
        for (; next < b->candidate_count && b->candidate_users[next] == s; next++, candidates++) {
            bool counts = n->last_step == LAST_KEEP || b->candidate_labels[next] > 0;
            last = last == 0 && counts ? b->candidates[next] : last;
        }
        for (uint32_t row = b->history.starts[s]; row < end; row++) {
            add_label(m, l, row, row + 1 < end ? b->items[row + 1] : last);
        }
        for (uint32_t i = first; i < l->count; i++) {
            l->weights[i] = (pq_real)((double)candidates / b->positions / (l->count - first));
        }
    }
    return true;
}

/* Vectors of items by their places in the catalogue, as wide as the queries. */
static pq_var *output_rows(pq_tape *t, const pq_model *m, const pq_next_item *n,
                           const uint32_t *places, uint32_t count) {
    if (n->own) {
        return n->own->sparse ? pq_op_gather(t, n->own, places, count)
                              : pq_op_select_rows(t, pq_tape_param(t, n->own), places, count);
    }
    uint32_t *ids = pq_tape_take(t, count, sizeof(*ids));
    for (uint32_t i = 0; ids && i < count; i++) {
        ids[i] = places[i] + 1;
    }
    return ids ? pq_items_vectors(t, &m->items, ids, count) : NULL;
}

static pq_var *whole_catalogue(pq_tape *t, const pq_model *m, const pq_next_item *n, pq_var *u,
                               const next_labels *l) {
    uint32_t size = catalogue_size(m);
    uint32_t *all = pq_tape_take(t, size, sizeof(*all));
    for (uint32_t i = 0; all && i < size; i++) {
        all[i] = i;
    }
    pq_var *items = !all     ? NULL
                    : n->own ? pq_tape_param(t, n->own)
                             : output_rows(t, m, n, all, size);
    if (n->head == AUX_LINEAR) {
        pq_softmax_loss args = {
            .targets = l->targets, .last = size, .scale = 1, .weight = 1, .weights = l->weights};
        return pq_op_softmax_loss(t, u, items, &args);
    }
    pq_cross_entropy args = {.targets = l->targets, .weights = l->weights};
    pq_activation bound = n->head == AUX_TANH_SOFTMAX_CE ? PQ_TANH : PQ_LINEAR;
    pq_var *logits = pq_op_activate(t, pq_op_linear(t, u, items, NULL), bound);
    return pq_op_cross_entropy(t, pq_op_softmax_rows(t, logits), &args);
}

/* The label counts as one item and each of n drawn ones as N / n, so that the sum over the catalogue is
 * estimated without bias. */
static pq_var *against_negatives(pq_tape *t, const pq_model *m, const pq_next_item *n, pq_var *u,
                                 const next_labels *l) {
    uint32_t count = (uint32_t)n->negatives, size = catalogue_size(m);
    uint32_t *drawn = pq_tape_take(t, count, sizeof(*drawn));
    pq_real *log_q = pq_tape_take(t, count, sizeof(*log_q));
    pq_real *none = pq_tape_take(t, l->count, sizeof(*none));
    if (!drawn || !log_q || !none) {
        return NULL;
    }
    memset(none, 0, l->count * sizeof(*none));
    for (uint32_t i = 0; i < count; i++) {
        drawn[i] = pq_rng_below(&t->rng, size);
        log_q[i] = (pq_real)pq_log((double)count / size);
    }
    pq_sampled_softmax args = {.positive_ids = l->targets,
                               .negative_ids = drawn,
                               .positive_log_q = none,
                               .negative_log_q = log_q,
                               .scale = 1,
                               .weight = 1,
                               .weights = l->weights};
    return pq_op_sampled_softmax(t, u, output_rows(t, m, n, l->targets, l->count),
                                 output_rows(t, m, n, drawn, count), &args);
}

pq_var *pq_next_item_add(pq_tape *t, const pq_model *m, const pq_batch *b, const pq_next_item *n,
                         pq_var *states, pq_var *loss) {
    next_labels l;
    if (!loss || n->weight == 0 || !find_labels(t, m, b, n, &l) || l.count == 0) {
        return loss;
    }
    pq_var *u = pq_op_select_rows(t, states, l.rows, l.count);
    if (n->own) { /* the column that multiplies the bias */
        pq_var *one = pq_tape_var(t, l.count, 1, false);
        for (uint32_t i = 0; one && i < l.count; i++) {
            one->value[i] = 1;
        }
        u = pq_op_concat(t, u, one);
    }
    pq_var *aux =
        n->negatives > 0 ? against_negatives(t, m, n, u, &l) : whole_catalogue(t, m, n, u, &l);
    return pq_op_add(t, loss, pq_op_scale(t, aux, n->weight));
}
