#include "native/train/rounding.h"

#include <string.h>

#include "file/layout.h"
#include "native/quant/quantise.h"

#define CHUNK 1024
#define MOST_CODES 32 /* bytes of a row of pq32 */
#define PARTS 16 /* of the rows, each with scratch of its own, whatever the number of threads */

static const struct {
    const char *name;
    uint32_t subspaces;
} kinds[] = {[PQ_ROUND_NONE] = {"f32", 0},
             [PQ_ROUND_INT4] = {"int4", 0},
             [PQ_ROUND_PQ8] = {"pq8", 16},
             [PQ_ROUND_PQ16] = {"pq16", 32},
             [PQ_ROUND_PQ32] = {"pq32", 64}};

const char *pq_rounding_name(pq_round_kind kind) {
    return kinds[kind].name;
}

/* ---- making ready ---- */

static pique_status check(const pq_model *m, pq_round_kind kind) {
    const uint32_t subspaces = kinds[kind].subspaces;
    if (m->def->task == PQ_TASK_RANKING) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "quantise = %s is for models that retrieve, which %s does not", kinds[kind].name,
                m->def->name);
    }
    if (m->width < subspaces) {
        PQ_FAIL(m->ctx, PIQUE_ARGUMENT,
                "quantise = %s takes item vectors of a width of at least %u, not %u (pq8 at least "
                "16, pq16 32, pq32 64, int4 any)",
                kinds[kind].name, (unsigned)subspaces, (unsigned)m->width);
    }
    return PIQUE_OK;
}

/* Kept by checkpoints, neither drawn nor trained. */
static pq_param *keep(pq_params *params, const char *name, uint32_t rows, uint32_t cols) {
    pq_param *param = pq_params_add(params, name, rows, cols, (pq_init){.kind = PQ_INIT_ZERO});
    if (param) {
        param->frozen = param->unsaved = true;
    }
    return param;
}

pique_status pq_rounding_declare(pq_rounding *r, pq_model *m, pq_round_kind kind) {
    const uint32_t subspaces = kinds[kind].subspaces, d = m->width;
    *r = (pq_rounding){.ctx = m->ctx, .kind = kind, .rows = m->items.rows, .width = d};
    pq_arena_init(&r->arena, m->ctx);
    if (kind != PQ_ROUND_NONE) {
        PQ_TRY(check(m, kind));
    }
    if (subspaces) {
        const uint32_t each = pq_product_each(d, subspaces);
        r->codebook = keep(&m->params, "product.codebook", PQ_TABLE_CENTROIDS * subspaces, each);
        r->map = keep(&m->params, "product.map", subspaces * each, d);
        r->metric = keep(&m->params, "product.metric", d, d);
    }
    return m->params.status;
}

pique_status pq_rounding_open(pq_rounding *r, uint32_t threads) {
    const size_t count = (size_t)r->rows * r->width, directions = r->map ? r->map->rows : 0;
    r->threads = threads;
    if (r->kind == PQ_ROUND_NONE) {
        return PIQUE_OK;
    }
    r->exact = pq_arena_take(&r->arena, count, sizeof(*r->exact));
    r->rounded = pq_arena_take(&r->arena, count, sizeof(*r->rounded));
    r->stale = pq_arena_take(&r->arena, r->rows, sizeof(*r->stale));
    r->scratch = pq_arena_take(&r->arena, (size_t)PARTS * 2 * directions, sizeof(*r->scratch));
    r->product.metric = pq_arena_take(&r->arena, (size_t)r->width * r->width, sizeof(double));
    r->product.gram = pq_arena_take(&r->arena, directions * directions, sizeof(double));
    r->product.lift = pq_arena_take(&r->arena, directions * r->width, sizeof(double));
    r->product.centroids = pq_arena_take(
        &r->arena, (size_t)kinds[r->kind].subspaces * PQ_TABLE_CENTROIDS * r->width, sizeof(float));
    if (!r->exact || !r->rounded || !r->stale || !r->scratch || !r->product.metric ||
        !r->product.gram || !r->product.lift || !r->product.centroids) {
        return pq_fail(r->ctx, PIQUE_NO_MEMORY, "out of memory: %u rounded item vectors",
                       (unsigned)r->rows);
    }
    return PIQUE_OK;
}

void pq_rounding_free(pq_rounding *r) {
    if (r->ctx) {
        pq_arena_free(&r->arena);
    }
    *r = (pq_rounding){0};
}

/* ---- the quantiser ---- */

/* exact := the vectors as they stand; stale: which have changed. */
static pique_status look(pq_rounding *r, const pq_model *m) {
    pq_items items = m->items;
    pq_tape tape;
    pique_status status = PIQUE_OK;
    uint32_t ids[CHUNK];
    items.rounded = NULL;
    pq_tape_init(&tape, m->ctx);
    for (uint32_t first = 0; status == PIQUE_OK && first < r->rows; first += CHUNK) {
        const uint32_t n = PQ_MIN(CHUNK, r->rows - first);
        const size_t size = r->width * sizeof(pq_real);
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        for (uint32_t i = 0; i < n; i++) {
            ids[i] = first + i;
        }
        const pq_var *e = pq_items_vectors(&tape, &items, ids, n);
        status = e ? PIQUE_OK : tape.status;
        for (uint32_t i = 0; e && i < n; i++) {
            pq_real *old = r->exact + (size_t)(first + i) * r->width;
            const pq_real *now = e->value + (size_t)i * r->width;
            r->stale[first + i] = !r->primed || memcmp(old, now, size) != 0;
            memcpy(old, now, size);
        }
    }
    pq_tape_free(&tape);
    return status;
}

void pq_rounding_load(pq_rounding *r) {
    r->primed = false;
    if (!r->codebook) {
        return;
    }
    const size_t square = (size_t)r->width * r->width;
    r->product.width = r->width;
    r->product.subspaces = kinds[r->kind].subspaces;
    r->product.each = r->codebook->cols;
    r->product.codebook = r->codebook->value;
    r->product.map = r->map->value;
    for (size_t i = 0; i < square; i++) {
        r->product.metric[i] = r->metric->value[i];
    }
    pq_product_prepare(&r->product);
}

pique_status pq_rounding_fit(pq_rounding *r, const pq_model *m, const double *moment) {
    const uint32_t subspaces = kinds[r->kind].subspaces, items = r->rows - 2;
    const size_t square = (size_t)r->width * r->width;
    pq_product fitted;
    PQ_TRY(look(r, m));
    pq_arena_mark mark = pq_arena_here(&r->arena);
    pique_status status =
        pq_product_fit(&r->arena, r->exact + r->width, items, r->width, subspaces, moment, &fitted);
    if (status == PIQUE_OK) {
        const size_t directions = r->map->rows;
        memcpy(r->codebook->value, fitted.codebook,
               PQ_TABLE_CENTROIDS * directions * sizeof(float));
        memcpy(r->map->value, fitted.map, directions * r->width * sizeof(float));
        for (size_t i = 0; i < square; i++) {
            r->metric->value[i] = (pq_real)fitted.metric[i];
        }
        pq_rounding_load(r);
    }
    pq_arena_back(&r->arena, mark);
    return status;
}

/* Rows first .. of a part, and where its scratch is. */
typedef struct {
    uint32_t first, last;
    double *scratch;
} part;

static part part_at(const pq_rounding *r, uint32_t i) {
    const uint32_t each = (r->rows + PARTS - 1) / PARTS;
    const uint32_t first = PQ_MIN(i * each, r->rows);
    return (part){first, PQ_MIN(first + each, r->rows),
                  r->scratch + (size_t)i * 2 * (r->map ? r->map->rows : 0)};
}

static void round_row(const pq_rounding *r, const pq_real *row, double *scratch, pq_real *out) {
    uint8_t codes[MOST_CODES];
    if (!r->codebook) {
        pq_int4_round(row, r->width, out);
        return;
    }
    pq_product_encode(&r->product, row, codes, scratch);
    pq_product_decode(&r->product, codes, out);
}

pique_status pq_rounding_refresh(pq_rounding *r, pq_model *m) {
    PQ_TRY(look(r, m));
#pragma omp parallel for num_threads(r->threads) schedule(dynamic, 1)
    for (uint32_t i = 0; i < PARTS; i++) {
        const part own = part_at(r, i);
        for (uint32_t row = own.first; row < own.last; row++) {
            const size_t at = (size_t)row * r->width;
            if (r->stale[row]) {
                round_row(r, r->exact + at, own.scratch, r->rounded + at);
            }
        }
    }
    r->primed = true;
    m->items.rounded = r->rounded;
    return PIQUE_OK;
}

/* ---- the model file ---- */

static pique_status write_int4(const pq_rounding *r, const float *vectors, pq_arena *arena,
                               pq_writer *w) {
    const uint32_t groups = pq_int4_groups(r->width), bytes = (uint32_t)pq_int4_bytes(r->width);
    uint8_t *codes = pq_arena_take(arena, (size_t)r->rows * bytes, sizeof(*codes));
    float *scales = pq_arena_take(arena, (size_t)r->rows * groups, sizeof(*scales));
    if (!codes || !scales) {
        return PIQUE_NO_MEMORY;
    }
    pq_int4_encode(vectors, r->rows, r->width, true, codes, scales);
    pq_writer_tensor(w, PQ_ITEM_WEIGHT, PQ_U8, r->rows, bytes, codes);
    pq_writer_tensor(w, PQ_ITEM_WEIGHT PQ_SCALE_SUFFIX, PQ_F32, r->rows, groups, scales);
    return PIQUE_OK;
}

pique_status pq_rounding_write(const pq_rounding *r, const float *vectors, pq_arena *arena,
                               pq_writer *w) {
    if (!r->codebook) {
        return write_int4(r, vectors, arena, w);
    }
    const size_t bytes = pq_product_bytes(&r->product);
    const uint32_t centroids = r->product.subspaces * PQ_TABLE_CENTROIDS;
    uint8_t *codes = pq_arena_take(arena, r->rows * bytes, sizeof(*codes));
    if (!codes) {
        return PIQUE_NO_MEMORY;
    }
#pragma omp parallel for num_threads(r->threads) schedule(dynamic, 1)
    for (uint32_t i = 0; i < PARTS; i++) {
        const part own = part_at(r, i);
        for (uint32_t row = own.first; row < own.last; row++) {
            pq_product_encode(&r->product, vectors + (size_t)row * r->width, codes + row * bytes,
                              own.scratch);
        }
    }
    pq_writer_tensor(w, PQ_ITEM_CODES, PQ_U8, r->rows, (uint32_t)bytes, codes);
    pq_writer_tensor(w, PQ_ITEM_CODEBOOK, PQ_F32, centroids, r->width, r->product.centroids);
    return PIQUE_OK;
}
