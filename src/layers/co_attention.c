#include "layers/co_attention.h"

pique_status pq_co_attention_declare(pq_co_attention *co, pq_params *params,
                                     const char *const names[2], uint32_t d) {
    co->stream[1] = co->stream[0];
    PQ_TRY(pq_transformer_declare(&co->stream[0], params, names[0], d));
    return pq_transformer_declare(&co->stream[1], params, names[1], d);
}

void pq_co_attention_run(pq_tape *t, const pq_co_attention *co, pq_stack streams[2]) {
    for (uint32_t i = 0; i < (uint32_t)co->stream[0].layers; i++) {
        pq_var *first = pq_transformer_look(t, &co->stream[0], i, &streams[0], &streams[1]);
        streams[1].rows = pq_transformer_look(t, &co->stream[1], i, &streams[1], &streams[0]);
        streams[0].rows = first;
    }
}
