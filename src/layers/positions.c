#include "layers/positions.h"

pq_param *pq_positions_declare(pq_params *params, int32_t kind, uint32_t ages, uint32_t d) {
    if (kind == PQ_POSITIONS_NONE) {
        return NULL;
    }
    bool learned = kind == PQ_POSITIONS_LEARNED;
    pq_init init = {.kind = learned ? PQ_INIT_NORMAL : PQ_INIT_SINUSOID, .scale = 0.02};
    pq_param *positions = pq_params_add(params, "position", ages, d, init);
    if (positions) {
        positions->sparse = learned;
        positions->frozen = !learned;
    }
    return positions;
}

pq_var *pq_positions_add(pq_tape *t, const pq_param *positions, pq_var *x, const uint32_t *ages) {
    if (!positions || !x) {
        return x;
    }
    return pq_op_add(t, x, pq_op_gather(t, positions, ages, x->rows));
}
