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
        if (equals(name, fields->name, strlen(fields->name))) {
            return fields;
        }
    }
    return NULL;
}

bool pq_fields_has(const pq_field *fields, const char *name, size_t length) {
    return find(fields, (pq_span){.bytes = name, .size = length}) != NULL;
}

/* Choice number `index`; size 0 behind the last. */
static pq_span choice_at(const pq_field *field, int32_t index) {
    const char *at = field->choices;
    size_t size;
    for (;; at += size + (at[size] == ',')) {
        size = 0;
        while (at[size] && at[size] != ',') {
            size++;
        }
        if (index-- <= 0 || !*at) {
            return (pq_span){.bytes = at, .size = size};
        }
    }
}

static pique_status set_number(pq_ctx *ctx, const pq_field *field, void *at, pq_span value) {
    double number;
    bool whole = field->type == PQ_FIELD_INT;
    bool good = pq_decimal_parse(value.bytes, value.size, &number) && number >= field->min &&
                number <= field->max && (!whole || floor(number) == number);
    if (!good && !PQ_TRAINING) { /* prints no numbers; a file that says this is damaged */
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: %.*s is out of range", field->name, SHOWN(value));
    }
    if (!good) {
        char min[PQ_DECIMAL_SIZE], max[PQ_DECIMAL_SIZE];
        pq_decimal_print(field->min, min);
        pq_decimal_print(field->max, max);
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: \"%.*s\" is not a %s from %s to %s", field->name,
                SHOWN(value), whole ? "whole number" : "number", min, max);
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
            field->choices);
}

static pique_status set(pq_ctx *ctx, const pq_field *field, void *options, pq_span value) {
    void *at = (char *)options + field->offset;
    switch (field->type) {
    case PQ_FIELD_INT:
    case PQ_FIELD_REAL:
        return set_number(ctx, field, at, value);
    case PQ_FIELD_BOOL:
        return set_bool(ctx, field, at, value);
    case PQ_FIELD_CHOICE:
        return set_choice(ctx, field, at, value);
    }
    PQ_FAIL(ctx, PIQUE_INTERNAL, "option %s has no type", field->name);
}

pique_status pq_fields_preset(pq_ctx *ctx, const pq_field *fields, void *options,
                              const char *preset) {
    bool seed = strcmp(preset, "seed") == 0, paper = strcmp(preset, "paper") == 0;
    if (!seed && !paper && strcmp(preset, "best") != 0) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "preset \"%.64s\" is not one of best, seed, paper", preset);
    }
    for (; fields->name; fields++) {
        const char *value = seed ? fields->seed : paper ? fields->paper : NULL;
        PQ_TRY(set(ctx, fields, options, span_of(value ? value : fields->best)));
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
        if (pq_json_is_string(json, at + 1) != (field->type == PQ_FIELD_CHOICE)) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "option %s: %.*s is not a %s", field->name, SHOWN(value),
                    field->type == PQ_FIELD_CHOICE ? "string"
                    : field->type == PQ_FIELD_BOOL ? "truth value"
                                                   : "number");
        }
        PQ_TRY(set(ctx, field, options, value));
    }
    return PIQUE_OK;
}

static void write_value(const pq_field *field, const void *at, pq_text *out) {
    switch (field->type) {
    case PQ_FIELD_INT:
        pq_text_number(out, *(const int32_t *)at);
        break;
    case PQ_FIELD_REAL:
        pq_text_number(out, *(const double *)at);
        break;
    case PQ_FIELD_BOOL:
        pq_text_add(out, *(const bool *)at ? "true" : "false");
        break;
    case PQ_FIELD_CHOICE: {
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

void pq_fields_describe(const pq_field *fields, pq_text *out) {
    static const char types[][8] = {"int", "real", "bool", "choice"};
    pq_text_add(out, "[");
    for (const pq_field *field = fields; field->name; field++) {
        pq_text_add(out, "%s{\"name\": \"%s\", \"type\": \"%s\"", field == fields ? "" : ", ",
                    field->name, types[field->type]);
        describe_value(field, "default", field->best, out);
        describe_value(field, "seed", field->seed ? field->seed : field->best, out);
        describe_value(field, "paper", field->paper ? field->paper : field->best, out);
        if (field->type == PQ_FIELD_INT || field->type == PQ_FIELD_REAL) {
            pq_text_add(out, ", \"min\": ");
            pq_text_number(out, field->min);
            pq_text_add(out, ", \"max\": ");
            pq_text_number(out, field->max);
        }
        if (field->type == PQ_FIELD_CHOICE) {
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
