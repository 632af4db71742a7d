/* profile.h — the user's profile fields (gender, age …) as one vector: the embeddings of the fields' codes
 * side by side, p (B, F * D_p). */
#ifndef PQ_PROFILE_H
#define PQ_PROFILE_H

#include "layers/items.h"

typedef struct {
    /* set by the model before declaring */
    uint32_t width;           /* D_p of one field */
    const pq_column *columns; /* rows and names; offsets are not used */
    uint32_t column_count;    /* F */
    bool linear;              /* a linear weight for each code too */
    double init_scale;        /* deviation of the embeddings; 0: Glorot uniform */

    pq_param *fields[PQ_MAX_FIELDS];
    pq_param *weights[PQ_MAX_FIELDS];
} pq_profile;

void pq_profile_declare(pq_profile *profile, pq_params *params);
/* codes [B, F], NULL: none known. The result is NULL when there are no fields. */
pq_var *pq_profile_vector(pq_tape *t, const pq_profile *profile, const uint32_t *codes, uint32_t b);
/* The sum of the codes' linear weights, (B, 1); NULL when there are no fields. */
pq_var *pq_profile_linear(pq_tape *t, const pq_profile *profile, const uint32_t *codes, uint32_t b);

#endif
