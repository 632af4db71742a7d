#include "native/data/schema.h"

#include "base/decimal.h"
#include "base/fields.h"

#include <stddef.h>
#include <string.h>

#define DEFAULT_BUCKETS 10
#define DEFAULT_TEXT_BUCKETS 1024
#define DEFAULT_QUANTILES 1000

typedef struct {
    int32_t type, buckets, min_count, max_values, as, width;
} options;

#define AT(member) offsetof(options, member)

static const pq_field fields[] = {
    PQ_FIELD("type", AT(type), "category,multi,sequence,number,text,vector,skip", "category", NULL,
             NULL, "what the column's values are"),
    PQ_FIELD("buckets", AT(buckets), "int 2 65536", "2", NULL, NULL,
             "codes that numbers or words are mapped to"),
    PQ_FIELD("min_count", AT(min_count), "int 1 1073741824", "1", NULL, NULL,
             "values that fewer have are UNKNOWN"),
    PQ_FIELD("max_values", AT(max_values), "int 1 1048576", "1", NULL, NULL,
             "so many values of one cell count: the first, of a sequence the last"),
    PQ_FIELD("as", AT(as), "buckets,quantile", "buckets", NULL, NULL,
             "a number is a bucket with a vector of its own, or its quantile times one vector"),
    PQ_FIELD("width", AT(width), "int 1 1048576", "1", NULL, NULL, "numbers of a vector"),
    {0},
};

#define BIT(kind) (1u << (kind))
#define JOINED (BIT(PQ_COLUMN_MULTI) | BIT(PQ_COLUMN_SEQUENCE))

/* Which keys say something about which kinds. */
static const struct {
    const char *key;
    uint32_t kinds;
} meanings[] = {
    {"buckets", BIT(PQ_COLUMN_NUMBER) | BIT(PQ_COLUMN_TEXT)},
    {"min_count", BIT(PQ_COLUMN_CATEGORY) | JOINED},
    {"max_values", JOINED | BIT(PQ_COLUMN_TEXT)},
    {"missing", BIT(PQ_COLUMN_NUMBER)},
    {"as", BIT(PQ_COLUMN_NUMBER)},
    {"width", BIT(PQ_COLUMN_VECTOR)},
    {"separator", JOINED | BIT(PQ_COLUMN_VECTOR)},
};

/* A column of the schema, for messages. */
typedef struct {
    pq_ctx *ctx;
    const pq_schema *schema;
    const char *part;
    char name[PQ_QUOTE_SIZE];
} place;

static bool span_is(pq_span span, const char *text) {
    return span.size == strlen(text) && memcmp(span.bytes, text, span.size) == 0;
}

pq_column_spec pq_column_spec_default(pq_column_kind kind) {
    return (pq_column_spec){.kind = (int32_t)kind,
                            .buckets =
                                kind == PQ_COLUMN_TEXT ? DEFAULT_TEXT_BUCKETS : DEFAULT_BUCKETS,
                            .min_count = 1};
}

pique_status pq_schema_open(pq_ctx *ctx, const pq_source *source, pq_schema *out) {
    if (!source->bytes) {
        return PIQUE_OK;
    }
    pique_status status = pq_json_parse(ctx, source->bytes, source->size, source->name, &out->json);
    if (status != PIQUE_OK) {
        return status == PIQUE_CORRUPT ? PIQUE_DATA : status; /* no model file is involved */
    }
    out->file = source->name;
    if (!pq_json_is_object(&out->json, PQ_JSON_ROOT)) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: not a JSON object", source->name);
    }
    int count = pq_json_size(&out->json, PQ_JSON_ROOT);
    int at = pq_json_first(&out->json, PQ_JSON_ROOT);
    for (int i = 0; i < count; i++) {
        pq_span key = pq_json_span(&out->json, at);
        if (!span_is(key, "items") && !span_is(key, "users")) {
            char quote[PQ_QUOTE_SIZE];
            PQ_FAIL(ctx, PIQUE_DATA, "%s: unknown table \"%s\" (items, users)", source->name,
                    pq_source_quote(quote, key.bytes, key.size));
        }
        if (!pq_json_is_object(&out->json, at + 1)) {
            PQ_FAIL(ctx, PIQUE_DATA, "%s: \"%.5s\" is not an object", source->name, key.bytes);
        }
        at = pq_json_next(&out->json, at);
    }
    return PIQUE_OK;
}

void pq_schema_free(pq_schema *schema) {
    pq_json_free(&schema->json);
    *schema = (pq_schema){0};
}

/* ---- one column ---- */

static pique_status fail_kind(const place *p, pq_span given) {
    char quote[PQ_QUOTE_SIZE];
    PQ_FAIL(p->ctx, PIQUE_DATA,
            "%s: %s.\"%s\" is \"%s\", not one of category, multi, sequence, number, text, "
            "vector, skip",
            p->schema->file, p->part, p->name, pq_source_quote(quote, given.bytes, given.size));
}

/* Of {"type": "…", …} or of "…" alone; `at` is that of the type. */
static pique_status read_kind(const place *p, int at, int32_t *kind) {
    const pq_json *json = &p->schema->json;
    options given = {0};
    bool known =
        pq_json_is_string(json, at) && pq_fields_set(p->ctx, fields, &given, (pq_span){"type", 4},
                                                     pq_json_span(json, at)) == PIQUE_OK;
    if (!known) {
        return fail_kind(p, pq_json_span(json, at));
    }
    *kind = given.type; /* the choices stand in the order of pq_column_kind */
    return PIQUE_OK;
}

static pique_status read_separator(const place *p, int at, char *out) {
    pq_span text = pq_json_span(&p->schema->json, at);
    *out = text.size == 1 ? text.bytes[0] : 0;
    if (text.size != 1 || !pq_json_is_string(&p->schema->json, at)) {
        PQ_FAIL(p->ctx, PIQUE_DATA, "%s: %s.\"%s\": the separator is not a single ASCII character",
                p->schema->file, p->part, p->name);
    }
    return PIQUE_OK;
}

static pique_status read_missing(const place *p, int at, pq_column_spec *spec) {
    static const char *const names[] = {"median", "mean", "own"};
    pq_span value = pq_json_span(&p->schema->json, at);
    bool text = pq_json_is_string(&p->schema->json, at);
    for (size_t i = 0; text && i < PQ_COUNT(names); i++) {
        if (span_is(value, names[i])) {
            spec->missing = (pq_missing)i;
            return PIQUE_OK;
        }
    }
    spec->missing = PQ_MISSING_CONSTANT;
    if (text || !pq_decimal_parse(value.bytes, value.size, &spec->constant)) {
        char quote[PQ_QUOTE_SIZE];
        PQ_FAIL(p->ctx, PIQUE_DATA,
                "%s: %s.\"%s\": \"missing\" is \"%s\", neither median, mean, own nor a number",
                p->schema->file, p->part, p->name, pq_source_quote(quote, value.bytes, value.size));
    }
    return PIQUE_OK;
}

/* Whether the schema may say `key` of such a column. */
static pique_status check_key(const place *p, pq_span key, int32_t kind) {
    static const char *const names[] = {"category", "multi",  "sequence", "number",
                                        "text",     "vector", "skip"};
    char quote[PQ_QUOTE_SIZE];
    pq_source_quote(quote, key.bytes, key.size);
    for (size_t i = 0; i < PQ_COUNT(meanings); i++) {
        if (span_is(key, meanings[i].key)) {
            if (meanings[i].kinds & BIT(kind)) {
                return PIQUE_OK;
            }
            PQ_FAIL(p->ctx, PIQUE_DATA, "%s: %s.\"%s\": \"%s\" says nothing about a column of %s",
                    p->schema->file, p->part, p->name, quote, names[kind]);
        }
    }
    PQ_FAIL(p->ctx, PIQUE_DATA,
            "%s: %s.\"%s\": unknown key \"%s\" (type, buckets, min_count, max_values, missing, as, "
            "width, separator)",
            p->schema->file, p->part, p->name, quote);
}

static pique_status read_options(const place *p, int object, pq_column_spec *spec) {
    const pq_json *json = &p->schema->json;
    options given = {
        .buckets = spec->buckets, .min_count = spec->min_count, .max_values = spec->max_values};
    int at = pq_json_first(json, object);
    for (int i = 0; i < pq_json_size(json, object); i++) {
        pq_span key = pq_json_span(json, at);
        if (!span_is(key, "type")) {
            PQ_TRY(check_key(p, key, spec->kind));
        }
        if (span_is(key, "separator")) {
            PQ_TRY(read_separator(p, at + 1, &spec->separator));
        }
        if (span_is(key, "missing")) {
            PQ_TRY(read_missing(p, at + 1, spec));
        }
        at = pq_json_next(json, at);
    }
    if (pq_fields_read(p->ctx, fields, &given, json, object) != PIQUE_OK) {
        char reason[200];
        memcpy(reason, p->ctx->error, sizeof(reason) - 1);
        reason[sizeof(reason) - 1] = 0;
        PQ_FAIL(p->ctx, PIQUE_DATA, "%s: %s.\"%s\": %s", p->schema->file, p->part, p->name, reason);
    }
    spec->quantile = given.as == 1;
    bool steps = spec->quantile && pq_json_find(json, object, "buckets") < 0;
    spec->buckets = steps ? DEFAULT_QUANTILES : given.buckets;
    spec->min_count = given.min_count;
    spec->max_values = given.max_values;
    spec->width = given.width;
    return PIQUE_OK;
}

static pique_status read_column(const place *p, int at, pq_column_spec *spec) {
    const pq_json *json = &p->schema->json;
    int type = at;
    if (pq_json_is_object(json, at)) {
        type = pq_json_find(json, at, "type");
        if (type < 0) {
            PQ_FAIL(p->ctx, PIQUE_DATA, "%s: %s.\"%s\" has no \"type\"", p->schema->file, p->part,
                    p->name);
        }
    }
    int32_t kind;
    PQ_TRY(read_kind(p, type, &kind));
    *spec = pq_column_spec_default((pq_column_kind)kind);
    spec->declared = true;
    PQ_TRY(type == at ? PIQUE_OK : read_options(p, at, spec));
    if (kind == PQ_COLUMN_VECTOR && spec->width == 0) {
        PQ_FAIL(p->ctx, PIQUE_DATA, "%s: %s.\"%s\": a vector needs its \"width\"", p->schema->file,
                p->part, p->name);
    }
    return PIQUE_OK;
}

static int find_part(const pq_schema *schema, const char *part) {
    return schema->file ? pq_json_find(&schema->json, PQ_JSON_ROOT, part) : -1;
}

pique_status pq_schema_name(const pq_schema *schema, const char *part, int index, char **name) {
    int object = find_part(schema, part);
    *name = NULL;
    if (object < 0 || index >= pq_json_size(&schema->json, object)) {
        return PIQUE_OK;
    }
    int at = pq_json_first(&schema->json, object);
    for (int i = 0; i < index; i++) {
        at = pq_json_next(&schema->json, at);
    }
    *name = pq_json_string(&schema->json, at, NULL);
    return *name ? PIQUE_OK : PIQUE_NO_MEMORY;
}

pique_status pq_schema_column(pq_ctx *ctx, const pq_schema *schema, const char *part, pq_span name,
                              pq_column_spec *spec) {
    int object = find_part(schema, part);
    int count = object < 0 ? 0 : pq_json_size(&schema->json, object);
    int at = count ? pq_json_first(&schema->json, object) : -1;
    place p = {.ctx = ctx, .schema = schema, .part = part};
    pq_source_quote(p.name, name.bytes, name.size);
    for (int i = 0; i < count; i++) {
        size_t size = 0;
        char *key = pq_json_string(&schema->json, at, &size);
        if (!key) {
            return PIQUE_NO_MEMORY;
        }
        bool same = size == name.size && memcmp(key, name.bytes, size) == 0;
        pq_free(ctx, key);
        if (same) {
            return read_column(&p, at + 1, spec);
        }
        at = pq_json_next(&schema->json, at);
    }
    return PIQUE_OK;
}
