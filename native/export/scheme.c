#include "native/export/scheme.h"

#include <stdio.h>
#include <string.h>

static const pq_scheme schemes[PQ_SCHEMES] = {
    {.name = "f32", .rows = PQ_ROWS_F32},
    {.name = "f16", .rows = PQ_ROWS_F16},
    {.name = "int8", .rows = PQ_ROWS_INT8},
    {.name = "int4", .rows = PQ_ROWS_INT4},
    {.name = "pq8", .rows = PQ_ROWS_NONE, .bytes = 8},
    {.name = "pq16", .rows = PQ_ROWS_NONE, .bytes = 16},
    {.name = "pq32", .rows = PQ_ROWS_NONE, .bytes = 32},
    {.name = "pq8+int8", .rows = PQ_ROWS_INT8, .bytes = 8},
    {.name = "pq16+int8", .rows = PQ_ROWS_INT8, .bytes = 16},
    {.name = "pq32+int8", .rows = PQ_ROWS_INT8, .bytes = 32},
};

bool pq_scheme_at(uint32_t i, pq_scheme *out) {
    if (i >= PQ_SCHEMES) {
        return false;
    }
    *out = schemes[i];
    out->dense = out->rows == PQ_ROWS_F32 ? PQ_DENSE_F32 : PQ_DENSE_F16;
    return true;
}

pique_status pq_scheme_parse(pq_ctx *ctx, const char *quant, const char *dense, pq_scheme *out) {
    static const char *const kinds[] = {"f32", "f16", "int8"};
    const char *name = strcmp(quant, "pq") == 0 ? "pq16" : quant;
    uint32_t i = 0;
    while (pq_scheme_at(i, out) && strcmp(out->name, name) != 0) {
        i++;
    }
    if (i == PQ_SCHEMES) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "item rows can be f32, f16, int8, int4, pq8, pq16, pq32, or pqN+int8, not "
                "\"%.40s\"",
                quant);
    }
    for (uint32_t k = 0; dense && k < PQ_COUNT(kinds); k++) {
        if (strcmp(dense, kinds[k]) == 0) {
            out->dense = (pq_dense)k;
            return PIQUE_OK;
        }
    }
    if (dense) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "dense layers can be f32, f16 or int8, not \"%.40s\"", dense);
    }
    return PIQUE_OK;
}

bool pq_scheme_fits(const pq_scheme *scheme, uint32_t width) {
    return scheme->bytes == 0 || (width >= 2 * scheme->bytes);
}

pique_status pq_scheme_check_width(pq_ctx *ctx, const pq_scheme *scheme, uint32_t width) {
    char allowed[128] = "f32, f16, int8, int4";
    if (pq_scheme_fits(scheme, width)) {
        return PIQUE_OK;
    }
    for (uint32_t i = 0; i < PQ_SCHEMES; i++) {
        if (schemes[i].bytes && pq_scheme_fits(&schemes[i], width)) {
            size_t used = strlen(allowed);
            snprintf(allowed + used, sizeof(allowed) - used, ", %.15s", schemes[i].name);
        }
    }
    PQ_FAIL(ctx, PIQUE_UNSUPPORTED,
            "%s needs a width of at least %lu, the model's is %lu: it can be %s", scheme->name,
            2ul * scheme->bytes, (unsigned long)width, allowed);
}
