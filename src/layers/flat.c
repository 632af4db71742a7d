#include "layers/flat.h"

void pq_flat_declare(pq_flat *flat, pq_params *params, const char *name, uint32_t ages, uint32_t in,
                     uint32_t out) {
    /* Glorot's bound for the layer on all rows. */
    pq_init init = {.kind = PQ_INIT_SYMMETRIC, .scale = pq_sqrt(6.0 / ((double)ages * in + out))};
    flat->ages = ages;
    flat->w = pq_params_add(params, name, ages * out, in, init);
}

pq_var *pq_flat_run(pq_tape *t, const pq_flat *flat, pq_var *x, const pq_segments *segments,
                    const uint32_t *ages) {
    pq_var *parts = pq_op_linear_by_group(t, x, pq_tape_param(t, flat->w), ages, flat->ages);
    pq_pool_segments sum = {.segments = segments};
    return pq_op_pool_segments(t, parts, NULL, &sum);
}
