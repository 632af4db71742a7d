#include "layers/attention_unit.h"

#include <stdio.h>

#include "layers/dense.h"

static pq_param *add(pq_params *params, const char *name, const char *what, uint32_t rows,
                     uint32_t cols, pq_init init) {
    char full[48];
    snprintf(full, sizeof(full), "%.20s1.%s", name, what);
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

pq_var *pq_attention_unit_run(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                              pq_var *keys, const pq_pairs *pairs) {
    pq_var *product = pq_op_multiply_pairs(t, queries, keys, pairs);
    pq_var *x = pq_op_linear(t, product, pq_tape_param(t, unit->product), NULL);
    pq_var *query = pq_dense(t, queries, unit->query, unit->bias);
    pq_var *key = pq_op_linear(t, keys, pq_tape_param(t, unit->key), NULL);
    return pq_mlp_run(t, &unit->mlp, pq_op_add_pairs(t, x, query, key, pairs));
}
