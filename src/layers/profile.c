#include "layers/profile.h"

#include "base/buckets.h"

static pq_param *add_table(pq_params *params, const pq_column *column, const char *what,
                           uint32_t width, pq_init init) {
    char name[48];
    (void)pq_format(name, sizeof(name), "profile.%.28s%s", column->name, what);
    pq_param *table = pq_params_add(params, name, pq_column_rows(column), width, init);
    if (table) {
        table->sparse = true;
    }
    return table;
}

void pq_profile_declare(pq_profile *profile, pq_params *params) {
    pq_init init = {.kind = profile->init_scale > 0 ? PQ_INIT_NORMAL : PQ_INIT_GLOROT_UNIFORM,
                    .scale = profile->init_scale,
                    .pad_row = true};
    for (uint32_t f = 0; f < profile->column_count; f++) {
        const pq_column *column = &profile->columns[f];
        profile->fields[f] = add_table(params, column, "", profile->width, init);
        if (profile->linear) {
            profile->weights[f] = add_table(params, column, ".linear", 1,
                                            (pq_init){.kind = PQ_INIT_ZERO, .pad_row = true});
        }
    }
}

/* What a field's table has for the users, (B, its width). */
static pq_var *field(pq_tape *t, const pq_profile *profile, const pq_param *table, uint32_t f,
                     const pq_codes *codes, uint32_t b) {
    static const uint32_t nothing[2] = {0, 0};
    pq_column column = profile->columns[f];
    uint32_t *owners = pq_tape_take(t, b, sizeof(*owners));
    column.offsets = codes ? codes->offsets : nothing;
    column.values = codes ? codes->values : nothing;
    for (uint32_t i = 0; owners && i < b; i++) {
        owners[i] = codes ? i * profile->column_count + f : 0;
    }
    return owners ? pq_column_vectors(t, table, &column, owners, b) : NULL;
}

pq_var *pq_profile_vector(pq_tape *t, const pq_profile *profile, const pq_codes *codes,
                          uint32_t b) {
    pq_var *all = NULL;
    for (uint32_t f = 0; f < profile->column_count; f++) {
        pq_var *next = field(t, profile, profile->fields[f], f, codes, b);
        all = f == 0 ? next : pq_op_concat(t, all, next);
    }
    return all;
}

uint32_t pq_profile_find_vector(const pq_profile *profile, uint32_t n) {
    uint32_t f = 0;
    while (f < profile->column_count &&
           (!profile->columns[f].vector || profile->columns[f].rows != n + 2)) {
        f++;
    }
    return f;
}

pq_var *pq_profile_numbers(pq_tape *t, const pq_profile *profile, uint32_t f, const pq_codes *codes,
                           uint32_t b) {
    uint32_t n = profile->columns[f].rows - 2;
    pq_var *y = pq_tape_var(t, b, n, false);
    for (size_t i = 0; y && i < (size_t)b * n; i++) {
        const uint32_t *own = codes ? codes->offsets + i / n * profile->column_count + f : NULL;
        bool known = own && own[1] - own[0] == n;
        y->value[i] = known ? (pq_real)pq_number_of_code(codes->values[own[0] + i % n]) : 0;
    }
    return y;
}

pq_var *pq_profile_linear(pq_tape *t, const pq_profile *profile, const pq_codes *codes,
                          uint32_t b) {
    pq_var *sum = NULL;
    for (uint32_t f = 0; f < profile->column_count; f++) {
        pq_var *next = field(t, profile, profile->weights[f], f, codes, b);
        sum = f == 0 ? next : pq_op_add(t, sum, next);
    }
    return sum;
}

void pq_profile_declare_map(pq_profile *profile, pq_params *params, bool keep, uint32_t n,
                            pq_init init) {
    profile->column_count = keep ? profile->column_count : 0;
    pq_profile_declare(profile, params);
    if (profile->column_count > 0) {
        profile->map =
            pq_params_add(params, "profile.w", n, profile->column_count * profile->width, init);
    }
}

pq_var *pq_profile_add(pq_tape *t, const pq_profile *profile, const pq_codes *codes, uint32_t b,
                       const uint32_t *users, pq_var *x) {
    if (!profile->map || !x) {
        return x;
    }
    pq_var *p = pq_profile_vector(t, profile, codes, b);
    p = pq_op_linear(t, p, pq_tape_param(t, profile->map), NULL);
    return pq_op_add(t, x, users ? pq_op_select_rows(t, p, users, x->rows) : p);
}
