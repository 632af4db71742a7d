#include "layers/attention_unit.h"

#include <string.h>

#include "layers/dense.h"

static pq_param *add(pq_params *params, const char *name, const char *what, uint32_t rows,
                     uint32_t cols, pq_init init) {
    char full[48];
    (void)pq_format(full, sizeof(full), "%.20s1.%s", name, what);
    return pq_params_add(params, full, rows, cols, init);
}

void pq_attention_unit_declare(pq_attention_unit *unit, pq_params *params, const char *name,
                               uint32_t h) {
    uint32_t n = (uint32_t)unit->mlp.widths[0];
    /* Glorot's bound for the layer on all four parts. */
    pq_init init = {.kind = PQ_INIT_SYMMETRIC, .scale = pq_sqrt(6.0 / (4.0 * h + n))};
    unit->query = add(params, name, "query", n, h, init);
    unit->key = add(params, name, "key", n, h, init);
    unit->product = add(params, name, "product", n, h, init);
    unit->bias = add(params, name, "b", 1, n, (pq_init){.kind = PQ_INIT_ZERO});
    unit->mlp.norm = PQ_NORM_NONE;
    unit->mlp.first_outside = true;
    pq_mlp_declare(&unit->mlp, params, name, h, 1);
}

/* The logits of pairs; query (C, n) and key (T, n) are what the first layer makes of the rows. */
static pq_var *run(pq_tape *t, const pq_attention_unit *unit, pq_var *queries, pq_var *keys,
                   pq_var *query, pq_var *key, const pq_pairs *pairs) {
    pq_var *product = pq_op_multiply_pairs(t, queries, keys, pairs);
    pq_var *x = pq_op_linear(t, product, pq_tape_param(t, unit->product), NULL);
    return pq_mlp_run(t, &unit->mlp, pq_op_add_pairs(t, x, query, key, pairs));
}

/* So many pairs at a time that the layers' matrices stay in the second cache. */
#define PAIRS_AT_ONCE 192

/* The same bit by bit, part by part: what nobody looks back at needs no memory. */
static pq_var *run_in_parts(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                            pq_var *keys, pq_var *query, pq_var *key, const pq_pairs *pairs) {
    pq_var *y = pq_tape_var(t, pairs->count, 1, false);
    pq_arena_mark mark = pq_arena_here(&t->arena);
    for (uint32_t at = 0; y && at < pairs->count; at += PAIRS_AT_ONCE) {
        pq_pairs part = {.queries = pairs->queries + at,
                         .keys = pairs->keys + at,
                         .count = PQ_MIN(pairs->count - at, PAIRS_AT_ONCE)};
        const pq_var *logits = run(t, unit, queries, keys, query, key, &part);
        if (!logits) {
            return NULL;
        }
        memcpy(y->value + at, logits->value, part.count * sizeof(*y->value));
        pq_arena_back(&t->arena, mark);
    }
    return y;
}

pq_var *pq_attention_unit_run(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                              pq_var *keys, const pq_pairs *pairs) {
    pq_var *query = pq_dense(t, queries, unit->query, unit->bias);
    pq_var *key = pq_op_linear(t, keys, pq_tape_param(t, unit->key), NULL);
    bool whole = t->grads || t->training; /* statistics of a batch are those of all its pairs */
    return (whole ? run : run_in_parts)(t, unit, queries, keys, query, key, pairs);
}
