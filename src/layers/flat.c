#include "layers/flat.h"

void pq_flat_declare(pq_flat *flat, pq_params *params, uint32_t in, uint32_t profile,
                     uint32_t out) {
    /* Glorot's bound for the layer on all rows. */
    pq_init init = {.kind = PQ_INIT_SYMMETRIC,
                    .scale = pq_sqrt(6.0 / ((double)flat->ages * in + out))};
    flat->w = pq_params_add(params, "tower1.rows", flat->ages * out, in, init);
    if (profile > 0) {
        flat->profile = pq_params_add(params, "tower1.profile", out, profile,
                                      (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM});
    }
    flat->b = pq_params_add(params, "tower1.b", 1, out, (pq_init){.kind = PQ_INIT_ZERO});
}

pq_var *pq_flat_run(pq_tape *t, const pq_flat *flat, pq_var *x, const pq_segments *segments,
                    const uint32_t *ages, pq_var *profile) {
    pq_var *parts = pq_op_linear_by_group(t, x, pq_tape_param(t, flat->w), ages, flat->ages);
    pq_pool_segments sum = {.segments = segments};
    pq_var *y = pq_op_pool_segments(t, parts, NULL, &sum);
    if (flat->profile) {
        y = pq_op_add(t, y, pq_op_linear(t, profile, pq_tape_param(t, flat->profile), NULL));
    }
    return pq_op_add(t, y, pq_tape_param(t, flat->b));
}
