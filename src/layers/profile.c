#include "layers/profile.h"

#include <stdio.h>

void pq_profile_declare(pq_profile *profile, pq_params *params) {
    for (uint32_t f = 0; f < profile->column_count; f++) {
        char name[48];
        snprintf(name, sizeof(name), "profile.%.32s", profile->columns[f].name);
        profile->fields[f] =
            pq_params_add(params, name, profile->columns[f].rows, profile->width,
                          (pq_init){.kind = PQ_INIT_GLOROT_UNIFORM, .pad_row = true});
        if (profile->fields[f]) {
            profile->fields[f]->sparse = true;
        }
    }
}

pq_var *pq_profile_vector(pq_tape *t, const pq_profile *profile, const uint32_t *codes,
                          uint32_t b) {
    pq_var *all = NULL;
    for (uint32_t f = 0; f < profile->column_count; f++) {
        uint32_t *column = pq_tape_take(t, b, sizeof(*column));
        if (!column) {
            return NULL;
        }
        for (uint32_t i = 0; i < b; i++) {
            column[i] = codes ? codes[(size_t)i * profile->column_count + f] : 0;
        }
        pq_var *field = pq_op_gather(t, profile->fields[f], column, b);
        all = f == 0 ? field : pq_op_concat(t, all, field);
    }
    return all;
}
