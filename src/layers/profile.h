/* profile.h — the user's profile fields (gender, age …) as one vector: the means of the embeddings of each field's codes
 * side by side, p (B, F * D_p). */
#ifndef PQ_PROFILE_H
#define PQ_PROFILE_H

#include "base/fields.h"
#include "layers/items.h"

/* Codes of B users: user b has values[offsets[b F + f] .. offsets[b F + f + 1] - 1] in field f, 0 being none. */
typedef struct {
    const uint32_t *offsets; /* [B F + 1] */
    const uint32_t *values;
} pq_codes;

typedef struct {
    /* set by the model before declaring */
    uint32_t width;           /* D_p of one field */
    const pq_column *columns; /* rows and names; the codes are the batch's */
    uint32_t column_count;    /* F */
    bool linear;              /* a linear weight for each code too */
    double init_scale;        /* deviation of the embeddings; 0: Glorot uniform */

    pq_param *fields[PQ_MAX_FIELDS];
    pq_param *weights[PQ_MAX_FIELDS];
    pq_param *map; /* (n, F * D_p) of pq_profile_add */
} pq_profile;

void pq_profile_declare(pq_profile *profile, pq_params *params);
/* codes NULL: none known. The result is NULL when there are no fields. */
pq_var *pq_profile_vector(pq_tape *t, const pq_profile *profile, const pq_codes *codes, uint32_t b);
/* The first field that is a vector of n numbers; column_count when there is none. */
uint32_t pq_profile_find_vector(const pq_profile *profile, uint32_t n);
/* The n numbers of field f, which is a vector, as they are: (B, n), zeros where none are known. */
pq_var *pq_profile_numbers(pq_tape *t, const pq_profile *profile, uint32_t f, const pq_codes *codes,
                           uint32_t b);
/* The sum of the fields' linear weights, (B, 1); NULL when there are no fields. */
pq_var *pq_profile_linear(pq_tape *t, const pq_profile *profile, const pq_codes *codes, uint32_t b);

/* For models that add the profile to a vector of the user: its options (`keep`: whether they do), width and map to n
 * numbers, called profile.w, where there are fields. */
void pq_profile_declare_map(pq_profile *profile, pq_params *params, bool keep, uint32_t n,
                            pq_init init);
/* x (C, n) plus what the map makes of the profiles of b users, or x alone. users [C]: whose each row is; NULL: of
 * each user one. */
pq_var *pq_profile_add(pq_tape *t, const pq_profile *profile, const pq_codes *codes, uint32_t b,
                       const uint32_t *users, pq_var *x);

/* A row of a table of fields; `at` is the offset of a bool. */
#define PQ_PROFILE_FIELD(at)                                                                       \
    PQ_FIELD("profile", at, "bool", "1", "0", NULL,                                                \
             "the fields of the user's profile count too, where there are any")

#endif
