#include "base/fields.h"

#include "base/decimal.h"

#include <math.h>
#include <string.h>

/* How much of a given name or value a message repeats. */
#define SHOWN(span) (int)PQ_MIN((span).size, 64), (span).bytes

static pq_span span_of(const char *text) {
    return (pq_span){.bytes = text, .size = strlen(text)};
}

static bool equals(pq_span span, const char *text, size_t size) {
    return span.size == size && (size == 0 || memcmp(span.bytes, text, size) == 0);
}

static const pq_field *find(const pq_field *fields, pq_span name) {
    for (; fields->name; fields++) {
        if (fields->domain && equals(name, fields->name, strlen(fields->name))) {
            return fields;
        }
    }
    return NULL;
}

bool pq_fields_has(const pq_field *fields, const char *name, size_t length) {
    return find(fields, (pq_span){.bytes = name, .size = length}) != NULL;
}

/* Part number `index` of a text in parts; size 0 behind the last. */
static pq_span part_at(const char *text, char separator, int32_t index) {
    size_t size;
    for (;; text += size + (text[size] == separator)) {
        size = 0;
        while (text[size] && text[size] != separator) {
            size++;
        }
        if (index-- <= 0 || !*text) {
            return (pq_span){.bytes = text, .size = size};
        }
    }
}

static pq_span choice_at(const pq_field *field, int32_t index) {
    return part_at(field->domain, ',', index);
}

typedef enum { TYPE_INT, TYPE_REAL, TYPE_BOOL, TYPE_CHOICE } field_type;

static field_type type_of(const pq_field *field) {
    const pq_span word = part_at(field->domain, ' ', 0);
    return equals(word, "int", 3)    ? TYPE_INT
           : equals(word, "real", 4) ? TYPE_REAL
           : equals(word, "bool", 4) ? TYPE_BOOL
                                     : TYPE_CHOICE;
}

static bool parse(pq_span text, double *out) {
    return pq_decimal_parse(text.bytes, text.size, out);
}

static pique_status set_number(pq_ctx *ctx, const pq_field *field, void *at, pq_span value) {
    const bool whole = type_of(field) == TYPE_INT;
    const pq_span low = part_at(field->domain, ' ', 1), high = part_at(field->domain, ' ', 2);
    double number, min, max;
    if (!parse(low, &min) || !parse(high, &max) || !parse(value, &number) || number < min ||
        number > max || (whole && floor(number) != number)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: \"%.*s\" is not a %s from %.*s to %.*s",
                field->name, SHOWN(value), whole ? "whole number" : "number", SHOWN(low),
                SHOWN(high));
    }
    if (whole) {
        *(int32_t *)at = (int32_t)number;
    } else {
        *(double *)at = number;
    }
    return PIQUE_OK;
}

static pique_status set_bool(pq_ctx *ctx, const pq_field *field, void *at, pq_span value) {
    bool yes = equals(value, "1", 1) || equals(value, "true", 4);
    if (!yes && !equals(value, "0", 1) && !equals(value, "false", 5)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: \"%.*s\" is not true or false", field->name,
                SHOWN(value));
    }
    *(bool *)at = yes;
    return PIQUE_OK;
}

static pique_status set_choice(pq_ctx *ctx, const pq_field *field, void *at, pq_span value) {
    for (int32_t i = 0; choice_at(field, i).size; i++) {
        pq_span choice = choice_at(field, i);
        if (equals(value, choice.bytes, choice.size)) {
            *(int32_t *)at = i;
            return PIQUE_OK;
        }
    }
    PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: \"%.*s\" is not one of %s", field->name, SHOWN(value),
            field->domain);
}

static pique_status set(pq_ctx *ctx, const pq_field *field, void *options, pq_span value) {
    void *at = (char *)options + field->offset;
    switch (type_of(field)) {
    case TYPE_BOOL:
        return set_bool(ctx, field, at, value);
    case TYPE_CHOICE:
        return set_choice(ctx, field, at, value);
    default:
        return set_number(ctx, field, at, value);
    }
}

pique_status pq_fields_preset(pq_ctx *ctx, const pq_field *fields, void *options,
                              const char *preset) {
    const bool seed = PQ_TRAINING && strcmp(preset, "seed") == 0;
    const bool paper = PQ_TRAINING && strcmp(preset, "paper") == 0;
    if (PQ_TRAINING && !seed && !paper && strcmp(preset, "best") != 0) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "preset \"%.64s\" is not one of best, seed, paper", preset);
    }
    for (; fields->name; fields++) {
        const char *value = fields->best;
#if PQ_TRAINING
        const char *other = seed ? fields->seed : paper ? fields->paper : NULL;
        value = other ? other : value;
#endif
        if (fields->domain) {
            PQ_TRY(set(ctx, fields, options, span_of(value)));
        }
    }
    return PIQUE_OK;
}

pique_status pq_fields_set(pq_ctx *ctx, const pq_field *fields, void *options, pq_span name,
                           pq_span value) {
    const pq_field *field = find(fields, name);
    if (!field) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "there is no option \"%.*s\"", SHOWN(name));
    }
    return set(ctx, field, options, value);
}

pique_status pq_fields_read(pq_ctx *ctx, const pq_field *fields, void *options, const pq_json *json,
                            int object) {
    for (int at = pq_json_first(json, object); at >= 0; at = pq_json_next(json, at)) {
        const pq_field *field = find(fields, pq_json_span(json, at));
        if (!field) {
            continue;
        }
        pq_span value = pq_json_span(json, at + 1);
        const field_type type = type_of(field);
        if (pq_json_is_string(json, at + 1) != (type == TYPE_CHOICE)) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: %.*s is not a %s", field->name, SHOWN(value),
                    type == TYPE_CHOICE ? "string"
                    : type == TYPE_BOOL ? "truth value"
                                        : "number");
        }
        PQ_TRY(set(ctx, field, options, value));
    }
    return PIQUE_OK;
}

static void write_value(const pq_field *field, const void *at, pq_text *out) {
    switch (type_of(field)) {
    case TYPE_INT:
        pq_text_number(out, *(const int32_t *)at);
        break;
    case TYPE_REAL:
        pq_text_number(out, *(const double *)at);
        break;
    case TYPE_BOOL:
        pq_text_add(out, *(const bool *)at ? "true" : "false");
        break;
    case TYPE_CHOICE: {
        pq_span choice = choice_at(field, *(const int32_t *)at);
        pq_text_json(out, choice.bytes, choice.size);
        break;
    }
    }
}

void pq_fields_write(const pq_field *fields, const void *options, pq_text *out) {
    for (const pq_field *field = fields; field->name; field++) {
        pq_text_add(out, field == fields ? "\"%s\": " : ", \"%s\": ", field->name);
        write_value(field, (const char *)options + field->offset, out);
    }
}

#if PQ_TRAINING

/* `, "key": value` for a value given as the table's text. */
static void describe_value(const pq_field *field, const char *key, const char *text, pq_text *out) {
    union {
        int32_t whole;
        double real;
        bool truth;
    } value;
    pq_field alone = *field;
    alone.offset = 0;
    pq_text_add(out, ", \"%s\": ", key);
    if (set(out->ctx, &alone, &value, span_of(text)) == PIQUE_OK) {
        write_value(field, &value, out);
    } else {
        pq_text_add(out, "null");
    }
}

static void describe_limit(const pq_field *field, const char *key, int32_t part, pq_text *out) {
    double limit = 0;
    (void)parse(part_at(field->domain, ' ', part), &limit);
    pq_text_add(out, ", \"%s\": ", key);
    pq_text_number(out, limit);
}

void pq_fields_describe(const pq_field *fields, pq_text *out) {
    static const char types[][8] = {"int", "real", "bool", "choice"};
    pq_text_add(out, "[");
    for (const pq_field *field = fields; field->name; field++) {
        const field_type type = type_of(field);
        pq_text_add(out, "%s{\"name\": \"%s\", \"type\": \"%s\"", field == fields ? "" : ", ",
                    field->name, types[type]);
        describe_value(field, "default", field->best, out);
        describe_value(field, "seed", field->seed ? field->seed : field->best, out);
        describe_value(field, "paper", field->paper ? field->paper : field->best, out);
        if (type == TYPE_INT || type == TYPE_REAL) {
            describe_limit(field, "min", 1, out);
            describe_limit(field, "max", 2, out);
        }
        if (type == TYPE_CHOICE) {
            pq_text_add(out, ", \"choices\": [");
            for (int32_t i = 0; choice_at(field, i).size; i++) {
                pq_text_add(out, i ? ", " : "");
                pq_span choice = choice_at(field, i);
                pq_text_json(out, choice.bytes, choice.size);
            }
            pq_text_add(out, "]");
        }
        pq_text_add(out, ", \"help\": ");
        pq_text_json(out, field->help ? field->help : "", field->help ? strlen(field->help) : 0);
        pq_text_add(out, "}");
    }
    pq_text_add(out, "]");
}

#endif
