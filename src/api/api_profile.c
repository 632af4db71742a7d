/* api_profile.c — the user's profile: how raw values become codes, from the file and for a session. */
#include <math.h>
#include <string.h>

#include "api/session.h"
#include "base/buckets.h"
#include "base/decimal.h"
#include "base/words.h"

static uint32_t words_of(const pq_encoder *e) {
    return e->several ? e->several[PQ_SEVERAL_WORDS] : 0;
}

/* ---- from the file ---- */

#define PART_NAME 64 /* of a tensor of a field, whose name is 32 bytes at most */

/* profile.NAME.SUFFIX, and whether the file has it. */
static bool find_part(const pique_model *model, uint32_t f, const char *suffix,
                      char name[PART_NAME]) {
    (void)pq_format(name, PART_NAME, "profile.%s%s", model->names[f], suffix);
    return pq_container_find(&model->container, name) != NULL;
}

static uint32_t code_of_number(const pique_model *model, uint32_t f, double value) {
    const pq_encoder *e = &model->encoders[f];
    return model->columns[f].quantile
               ? pq_quantile_code(pq_quantile(e->bounds, e->bound_count, value))
               : pq_bucket(e->bounds, e->bound_count, value);
}

/* A field of numbers, whose boundaries or landmarks `name` holds: they rise. */
static pique_status open_number(pique_model *model, uint32_t f, const char *name, bool quantile) {
    pq_encoder *e = &model->encoders[f];
    const pq_tensor *missing, *bounds = pq_container_find(&model->container, name);
    uint32_t count = bounds && bounds->rank == 1 ? bounds->shape[0] : 0;
    PQ_TRY(pq_container_get(&model->container, name, PQ_F32, count, 0, &bounds));
    if (!pq_buckets_rise(bounds->data, count, quantile) || (quantile && !count)) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT, "tensor \"%s\" does not rise", name);
    }
    e->bounds = bounds->data;
    e->bound_count = count;
    model->columns[f].quantile = quantile;
    model->columns[f].rows = quantile ? PQ_QUANTILE_CODES : count + 3;
    char missing_name[PART_NAME];
    (void)find_part(model, f, PQ_MISSING_SUFFIX, missing_name);
    PQ_TRY(pq_container_get(&model->container, missing_name, PQ_F32, 1, 0, &missing));
    float fill = *(const float *)missing->data;
    e->missing = fill == fill ? code_of_number(model, f, (double)fill) : model->columns[f].rows - 1;
    return PIQUE_OK;
}

/* A field whose value may have several codes; *values: of text, its buckets of hashes, of a vector its numbers. */
static pique_status open_several(pique_model *model, uint32_t f, const char *name,
                                 uint32_t *values) {
    const pq_tensor *tensor;
    PQ_TRY(pq_container_get(&model->container, name, PQ_U32, PQ_SEVERAL, 0, &tensor));
    const uint32_t *several = tensor->data;
    const bool vector = several[PQ_SEVERAL_NEWEST] == PQ_VECTOR;
    const uint32_t words = several[PQ_SEVERAL_WORDS];
    *values = vector ? several[PQ_SEVERAL_MOST] : words;
    if (several[PQ_SEVERAL_SEPARATOR] > 127 || !several[PQ_SEVERAL_SEPARATOR] == !words ||
        several[PQ_SEVERAL_NEWEST] > PQ_VECTOR || *values > INT32_MAX || (vector && !*values)) {
        PQ_FAIL(model->ctx, PIQUE_CORRUPT, "tensor \"%s\" makes no sense", name);
    }
    model->encoders[f].several = several;
    model->columns[f].vector = vector;
    return PIQUE_OK;
}

static pique_status open_field(pique_model *model, uint32_t f) {
    char name[PART_NAME];
    uint32_t values = 0;
    model->columns[f] = (pq_column){.name = model->names[f]};
    bool quantile = find_part(model, f, PQ_QUANTILES_SUFFIX, name);
    bool missing = find_part(model, f, PQ_MISSING_SUFFIX, name);
    if (quantile) {
        (void)find_part(model, f, PQ_QUANTILES_SUFFIX, name);
    }
    if (quantile || find_part(model, f, PQ_BOUNDS_SUFFIX, name) || missing) {
        return open_number(model, f, name, quantile);
    }
    if (find_part(model, f, PQ_SEVERAL_SUFFIX, name)) {
        PQ_TRY(open_several(model, f, name, &values));
    }
    if (!values) {
        (void)find_part(model, f, PQ_TERMS_SUFFIX, name);
        PQ_TRY(pq_container_strings(&model->container, name, &model->encoders[f].terms));
        values = model->encoders[f].terms.count;
    }
    model->columns[f].rows = values + 2;
    return PIQUE_OK;
}

pique_status pq_open_profile(pique_model *model, uint32_t count) {
    for (uint32_t f = 0; f < count; f++) {
        PQ_TRY(open_field(model, f));
    }
    model->m.profile.columns = model->columns;
    model->m.profile.column_count = count;
    return PIQUE_OK;
}

uint32_t pique_model_profile_count(const pique_model *model) {
    return model->m.profile.column_count;
}

const char *pique_model_profile_name(const pique_model *model, uint32_t field) {
    return field < model->m.profile.column_count ? model->names[field] : NULL;
}

char pique_model_profile_separator(const pique_model *model, uint32_t field) {
    const uint32_t *several =
        field < model->m.profile.column_count ? model->encoders[field].several : NULL;
    return several ? (char)several[PQ_SEVERAL_SEPARATOR] : 0;
}

/* ---- codes of values ---- */

uint32_t pique_model_find_profile(const pique_model *model, uint32_t field, const char *value,
                                  size_t length) {
    if (field >= model->m.profile.column_count || length == 0) {
        return 0;
    }
    const pq_encoder *e = &model->encoders[field];
    double number;
    if (e->bounds) {
        return pq_decimal_parse(value, length, &number) ? code_of_number(model, field, number)
                                                        : PIQUE_NOT_A_NUMBER;
    }
    if (words_of(e) || model->columns[field].vector) {
        return PIQUE_SEVERAL_CODES;
    }
    uint32_t term = pq_strings_find(&e->terms, value, length);
    return term == PQ_NOT_FOUND ? model->columns[field].rows - 1 : term + 1;
}

/* ---- of a session ---- */

typedef struct {
    uint32_t *codes;
    uint32_t count;
    uint32_t known; /* fields */
    /* Of the field that is added to. */
    uint32_t first, most, unknown;
} adding;

/* A code counts once, save UNKNOWN, which different values may have. */
static void add_code(void *user, uint32_t code) {
    adding *a = user;
    for (uint32_t i = a->first; i < a->count; i++) {
        if (a->codes[i] == code && code != a->unknown) {
            return;
        }
    }
    if (a->most == 0 || a->count - a->first < a->most) {
        a->codes[a->count++] = code;
    }
}

static pique_status add_value(const pique_session *s, adding *a, const pique_value *value) {
    const pique_model *model = s->model;
    const pq_encoder *e = &model->encoders[value->field];
    uint32_t words = words_of(e);
    if (words) {
        pq_words((pq_span){value->bytes, value->length}, words, add_code, a);
        return PIQUE_OK;
    }
    uint32_t code = pique_model_find_profile(model, value->field, value->bytes, value->length);
    if (code == PIQUE_SEVERAL_CODES) { /* of a vector, whose numbers all count */
        double number;
        float x = pq_decimal_parse(value->bytes, value->length, &number) ? (float)number : INFINITY;
        if (x - x == 0) {
            a->codes[a->count++] = pq_number_code(x);
            return PIQUE_OK;
        }
        code = PIQUE_NOT_A_NUMBER;
    }
    if (code == PIQUE_NOT_A_NUMBER) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "profile field \"%s\" takes a number, not \"%.*s\"",
                model->names[value->field], (int)PQ_MIN(value->length, 64), value->bytes);
    }
    if (code) {
        add_code(a, code);
    }
    return PIQUE_OK;
}

/* The codes of one field. Of more than count the first do, or the last. */
static pique_status add_field(const pique_session *s, adding *a, uint32_t f,
                              const pique_value *values, uint32_t count) {
    const uint32_t *several = s->model->encoders[f].several;
    bool given = false;
    a->first = a->count;
    a->most = several ? several[PQ_SEVERAL_MOST] : 0;
    a->unknown = s->model->columns[f].rows - 1;
    for (uint32_t n = 0; n < count; n++) {
        const pique_value *value =
            &values[several && several[PQ_SEVERAL_NEWEST] == 1 ? count - 1 - n : n];
        if (value->field != f) {
            continue;
        }
        if (given && !pique_model_profile_separator(s->model, f)) {
            PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "profile field \"%s\" takes one value, not several",
                    s->model->names[f]);
        }
        given = true;
        PQ_TRY(add_value(s, a, value));
    }
    if (s->model->columns[f].vector && a->count > a->first && a->count - a->first != a->most) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "profile field \"%s\" takes %u numbers, not %u",
                s->model->names[f], (unsigned)a->most, (unsigned)(a->count - a->first));
    }
    return PIQUE_OK;
}

/* The codes of all fields; those that nothing is known of as training filled them in. */
static pique_status add_fields(const pique_session *s, adding *a, uint32_t *ends,
                               const pique_value *values, uint32_t count) {
    for (uint32_t f = 0; f < s->model->m.profile.column_count; f++) {
        PQ_TRY(add_field(s, a, f, values, count));
        a->known += a->count > a->first;
        if (a->count == a->first) {
            a->codes[a->count++] = s->model->encoders[f].missing;
        }
        ends[f + 1] = a->count;
    }
    return PIQUE_OK;
}

pique_status pique_session_profile(pique_session *session, const pique_value *values,
                                   uint32_t count, uint32_t *known) {
    pique_session *s = session;
    const uint32_t fields = s->model->m.profile.column_count;
    uint64_t room =
        1 + 2 * (uint64_t)fields + count; /* a text has no more codes than bytes, plus one */
    for (uint32_t i = 0; i < count; i++) {
        room += values[i].length;
    }
    uint32_t *block = room < UINT32_MAX ? pq_alloc(s->ctx, (size_t)room, sizeof(*block)) : NULL;
    if (!block) {
        return PIQUE_NO_MEMORY;
    }
    adding a = {.codes = block + fields + 1};
    pique_status status = add_fields(s, &a, block, values, count);
    if (status != PIQUE_OK) {
        pq_free(s->ctx, block);
        return status;
    }
    pq_free(s->ctx, s->profile_block);
    s->profile_block = block;
    s->profile = (pq_codes){block, a.codes};
    s->known = a.known;
    if (known) {
        *known = s->known;
    }
    return PIQUE_OK;
}

const pq_codes *pq_session_codes(pique_session *s, const uint32_t *given) {
    uint32_t count = s->model->m.profile.column_count;
    if (!given) {
        return &s->profile;
    }
    pq_codes *codes = pq_tape_take(&s->tape, 1, sizeof(*codes));
    uint32_t *values = pq_tape_take(&s->tape, 2 * (size_t)count + 1, sizeof(*values));
    if (!codes || !values) {
        return NULL;
    }
    *codes = (pq_codes){values + count, values};
    for (uint32_t f = 0; f < count; f++) {
        values[f] = given[f] ? given[f] : s->model->encoders[f].missing;
        values[count + f] = f;
    }
    values[2 * (size_t)count] = count;
    return codes;
}
