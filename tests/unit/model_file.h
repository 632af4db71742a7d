/* model_file.h — small model files made by hand, one of every kind that the opener tells apart. A file is
 * a list of parts first, so that a test can spoil one of them before it becomes bytes. */
#ifndef MODEL_FILE_H
#define MODEL_FILE_H

#include "tests/unit/testing.h"

#include "base/half.h"
#include "base/rng.h"
#include "file/container.h"

enum {
    MODEL_ITEMS = 11,
    MODEL_ROWS = MODEL_ITEMS + 2,
    MODEL_DIM = 5, /* odd: int8 rows are padded in memory */
    MODEL_INTERESTS = 3,
    MODEL_HISTORY = 8,
    MODEL_HIDDEN = 3,
    MODEL_PROFILE_DIM = 2,
    MODEL_KINDS = 7,
    MODEL_MOST_PARTS = 24,
    MODEL_MOST_CELLS = 1024
};

typedef struct {
    const char *bilinear;
    bool per_position, per_interest, noise; /* what the map is */
    bool cosine, concat, profile, int8;
    /* The profile's ages are numbers, cut into buckets or mapped to quantiles, else categories; or ages are text, and
     * genders have up to two values, of which the last count. */
    bool numbers, quantiles, several;
} model_kind;

static const model_kind model_kinds[MODEL_KINDS] = {
    {.bilinear = "shared", .noise = true, .cosine = true},
    {.bilinear = "per_interest", .per_interest = true, .profile = true},
    {.bilinear = "per_position",
     .per_position = true,
     .noise = true,
     .profile = true,
     .concat = true,
     .numbers = true},
    {.bilinear = "per_position_interest",
     .per_position = true,
     .per_interest = true,
     .profile = true,
     .concat = true,
     .int8 = true},
    {.bilinear = "shared", .noise = true, .cosine = true, .profile = true, .int8 = true},
    {.bilinear = "per_interest", .per_interest = true, .profile = true, .several = true},
    {.bilinear = "per_interest",
     .per_interest = true,
     .profile = true,
     .numbers = true,
     .quantiles = true},
};

typedef struct {
    char name[64];
    pq_dtype dtype;
    uint32_t rows, cols;
    union {
        float floats[MODEL_MOST_CELLS];
        uint16_t halves[MODEL_MOST_CELLS];
        int8_t codes[MODEL_MOST_CELLS];
        uint8_t bytes[MODEL_MOST_CELLS];
        uint32_t counts[MODEL_MOST_CELLS];
    } data;
    bool gone; /* left out of the file */
} model_part;

typedef struct {
    model_part parts[MODEL_MOST_PARTS];
    uint32_t count;
    const char *version, *model, *profile, *categories, *metrics; /* NULL: left out */
    char config[512];
    float vectors[MODEL_ROWS * MODEL_DIM]; /* of the items, as the file has them */
} model_file;

static inline model_part *model_file_part(model_file *f, const char *name) {
    for (uint32_t i = 0; i < f->count; i++) {
        if (strcmp(f->parts[i].name, name) == 0) {
            return &f->parts[i];
        }
    }
    fail_msg("the file has no part %s", name);
    return NULL;
}

static inline model_part *model_file_add(model_file *f, const char *name, pq_dtype dtype,
                                         uint32_t rows, uint32_t cols) {
    assert_true(f->count < MODEL_MOST_PARTS && rows * (cols ? cols : 1) <= MODEL_MOST_CELLS);
    model_part *part = &f->parts[f->count++];
    snprintf(part->name, sizeof(part->name), "%s", name);
    part->dtype = dtype;
    part->rows = rows;
    part->cols = cols;
    return part;
}

/* Numbers of about `scale`, in half precision when asked. */
static inline void model_file_floats(model_file *f, const char *name, uint32_t rows, uint32_t cols,
                                     double scale, bool half) {
    model_part *part = model_file_add(f, name, half ? PQ_F16 : PQ_F32, rows, cols);
    pq_rng rng = pq_rng_make(5, f->count, rows);
    for (uint32_t i = 0; i < rows * (cols ? cols : 1); i++) {
        float value = (float)(scale * pq_rng_normal(&rng));
        if (half) {
            part->data.halves[i] = pq_half_from_float(value);
        } else {
            part->data.floats[i] = value;
        }
    }
}

/* `texts` ends with NULL. */
static inline void model_file_strings(model_file *f, const char *name, const char *const *texts) {
    char offsets_name[64];
    snprintf(offsets_name, sizeof(offsets_name), "%s.offsets", name);
    model_part *offsets = model_file_add(f, offsets_name, PQ_U32, 1, 0);
    model_part *bytes = model_file_add(f, name, PQ_U8, 0, 0);
    for (; *texts; texts++) {
        memcpy(bytes->data.bytes + bytes->rows, *texts, strlen(*texts));
        bytes->rows += (uint32_t)strlen(*texts);
        offsets->data.counts[offsets->rows++] = bytes->rows;
    }
}

/* Ages up to 18.5, up to 30, above; one that is not known is the second kind. */
static inline void model_file_ages(model_file *f) {
    model_part *bounds = model_file_add(f, "profile.age.bounds", PQ_F32, 2, 0);
    bounds->data.floats[0] = 18.5F;
    bounds->data.floats[1] = 30;
    model_file_add(f, "profile.age.missing", PQ_F32, 1, 0)->data.floats[0] = 20;
}

/* Ages are 10 to 50, every other one of them 30; one that is not known is 20. */
static inline void model_file_quantiles(model_file *f) {
    static const float landmarks[] = {10, 30, 30, 30, 50};
    memcpy(model_file_add(f, "profile.age.quantiles", PQ_F32, 5, 0)->data.floats, landmarks,
           sizeof(landmarks));
    model_file_add(f, "profile.age.missing", PQ_F32, 1, 0)->data.floats[0] = 20;
}

static inline void model_file_several(model_file *f) {
    static const uint32_t genders[] = {'|', 2, 1, 0}, ages[] = {0, 3, 0, 3};
    memcpy(model_file_add(f, "profile.gender.several", PQ_U32, 4, 0)->data.counts, genders,
           sizeof(genders));
    memcpy(model_file_add(f, "profile.age.several", PQ_U32, 4, 0)->data.counts, ages, sizeof(ages));
}

static inline void model_file_rows(model_file *f, const model_kind *kind) {
    if (!kind->int8) {
        model_file_floats(f, "item.weight", MODEL_ROWS, MODEL_DIM, 1, false);
        memcpy(f->vectors, f->parts[f->count - 1].data.floats, sizeof(f->vectors));
        return;
    }
    pq_rng rng = pq_rng_make(6, 0, 0);
    model_part *codes = model_file_add(f, "item.weight", PQ_I8, MODEL_ROWS, MODEL_DIM);
    model_part *scales = model_file_add(f, "item.weight.scale", PQ_F16, MODEL_ROWS, 0);
    for (uint32_t r = 0; r < MODEL_ROWS; r++) {
        scales->data.halves[r] = pq_half_from_float((float)(0.004 + 0.01 * pq_rng_uniform(&rng)));
        for (uint32_t d = 0; d < MODEL_DIM; d++) {
            int code = (int)pq_rng_below(&rng, 255) - 127;
            codes->data.codes[r * MODEL_DIM + d] = (int8_t)code;
            f->vectors[r * MODEL_DIM + d] = (float)code * pq_half_to_float(scales->data.halves[r]);
        }
    }
}

static inline void model_file_make(model_file *f, const model_kind *kind) {
    static const char *const ids[] = {"b",  "ab", "10", "1", "Ü", "x y",
                                      "k7", "k8", "k9", "m", "n", NULL};
    static const char *const genders[] = {"f", "m", NULL};
    static const char *const ages[] = {"18", "25", "35", NULL};
    memset(f, 0, sizeof(*f));
    f->version = "1";
    f->model = "mind";
    f->metrics = "{\"recall@50\":0.5}";
    f->profile = kind->profile ? "[\"gender\",\"age\"]" : NULL;
    snprintf(f->config, sizeof(f->config),
             "{\"dim\":%d,\"interests\":%d,\"history\":%d,\"hidden\":%d,\"profile_dim\":%d,"
             "\"bilinear\":\"%s\",\"cosine\":%s,\"behaviour\":\"%s\"}",
             MODEL_DIM, MODEL_INTERESTS, MODEL_HISTORY, MODEL_HIDDEN, MODEL_PROFILE_DIM,
             kind->bilinear, kind->cosine ? "true" : "false",
             kind->concat ? "concat_selu" : "pool");
    uint32_t maps =
        (kind->per_position ? MODEL_HISTORY : 1) * (kind->per_interest ? MODEL_INTERESTS : 1);
    uint32_t in = MODEL_DIM + (kind->profile ? 2 * MODEL_PROFILE_DIM : 0);
    model_file_rows(f, kind);
    if (kind->concat) {
        model_file_floats(f, "behaviour.weight", MODEL_ROWS, MODEL_DIM, 1, false);
    } else if (kind->cosine) {
        model_file_floats(f, "item.length", MODEL_ROWS, 0, 1, kind->int8);
    }
    model_file_floats(f, "map.w", maps * MODEL_DIM, MODEL_DIM, 0.6, kind->int8);
    if (kind->noise) {
        model_file_floats(f, "route.noise", MODEL_HISTORY, MODEL_INTERESTS, 1, kind->int8);
    }
    model_file_floats(f, "mlp.w1", MODEL_HIDDEN, in, 0.6, kind->int8);
    model_file_floats(f, "mlp.b1", 1, MODEL_HIDDEN, 0.3, kind->int8);
    model_file_floats(f, "mlp.w2", MODEL_DIM, MODEL_HIDDEN, 0.6, kind->int8);
    model_file_floats(f, "mlp.b2", 1, MODEL_DIM, 0.3, kind->int8);
    if (kind->profile) {
        model_file_floats(f, "profile.gender", 4, MODEL_PROFILE_DIM, 1, kind->int8);
        model_file_floats(f, "profile.age", kind->quantiles ? 3 : 5, MODEL_PROFILE_DIM, 1,
                          kind->int8);
        model_file_strings(f, "profile.gender.terms", genders);
        if (kind->several) {
            model_file_several(f);
        } else if (kind->quantiles) {
            model_file_quantiles(f);
        } else if (kind->numbers) {
            model_file_ages(f);
        } else {
            model_file_strings(f, "profile.age.terms", ages);
        }
    }
    model_file_strings(f, "item.ids", ids);
}

static inline void model_file_text(pq_writer *writer, const char *key, const char *text) {
    if (text) {
        pq_writer_text(writer, key, text, strlen(text));
    }
}

/* The bytes, in a block of the context's. */
static inline pique_status model_file_write(pq_ctx *ctx, const model_file *f, void **bytes,
                                            size_t *size) {
    pq_writer writer;
    pq_writer_init(&writer, ctx);
    model_file_text(&writer, "pique.version", f->version);
    model_file_text(&writer, "pique.model", f->model);
    model_file_text(&writer, "pique.config", f->config[0] ? f->config : NULL);
    model_file_text(&writer, "pique.profile", f->profile);
    model_file_text(&writer, "pique.categories", f->categories);
    model_file_text(&writer, "pique.metrics", f->metrics);
    model_file_text(&writer, "pique.card", "made by hand");
    for (uint32_t i = 0; i < f->count; i++) {
        const model_part *part = &f->parts[i];
        if (!part->gone) {
            pq_writer_tensor(&writer, part->name, part->dtype, part->rows, part->cols, &part->data);
        }
    }
    pique_status status = pq_writer_build(&writer, bytes, size);
    pq_writer_free(&writer);
    return status;
}

/* The file as a model; the bytes are the context's. */
static inline pique_status model_file_open(pique_context *ctx, const model_file *f,
                                           pique_model **out) {
    void *bytes;
    size_t size;
    *out = NULL;
    PQ_TRY(model_file_write(ctx, f, &bytes, &size));
    return pique_model_open(ctx, bytes, size, out);
}

#endif
