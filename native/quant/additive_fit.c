/* additive_fit.c — fitting an additive quantiser: from a product quantiser, whose codes and centroids are additive
 * ones, too, codes and all centroids are improved in turns. The centroids that are best for given codes solve one
 * system of least squares, whatever the metric. Its sums are of doubles in a fixed order, the search's of floats that
 * no compiler may take in another order: the result depends on the arguments alone. */
#include <math.h>
#include <string.h>

#include "native/quant/additive.h"
#include "native/quant/cholesky.h"
#include "native/quant/product.h"
#include "native/quant/quantise.h"
#include "native/quant/query_metric.h"

#define K PQ_TABLE_CENTROIDS
#define SAMPLE 20000 /* rows looked at, evenly out of all */
#define TURNS 12
#define TRIES 12
#define LAST_TRIES 24
#define SHAKE 6         /* codes changed at random in the first turns; fewer in later ones */
#define PLAIN_SHARE 0.2 /* of the identity in the metric: rows are also read as behaviours */
#define RIDGE 1e-2      /* in units of the mean weight */

typedef struct {
    pq_additive *out;
    const float *rows; /* [count, d] */
    uint32_t n, count; /* of the sample, and of all */
    double *weights;   /* [n] */
    uint8_t *codes;    /* [n, M] */
    double *normal;    /* [16 M, 16 M] */
    double *best;      /* [16 M, d] */
    int8_t *bytes;     /* [16 M, d] */
    float *scales;     /* [16 M] */
    pq_additive_search search;
} fit;

static pique_status take(pq_arena *arena, fit *f) {
    const uint32_t m = f->out->codebooks;
    const size_t n = (size_t)m * K, d = f->out->width;
    f->weights = pq_arena_take(arena, f->n, sizeof(double));
    f->codes = pq_arena_take(arena, f->n, m);
    f->normal = pq_arena_take(arena, n * n, sizeof(double));
    f->best = pq_arena_take(arena, n * d, sizeof(double));
    f->bytes = pq_arena_take(arena, n * d, 1);
    f->scales = pq_arena_take(arena, n, sizeof(float));
    PQ_TRY(pq_additive_search_init(arena, &f->search, m));
    bool all = f->weights && f->codes && f->normal && f->best && f->bytes && f->scales;
    return all ? PIQUE_OK : PIQUE_NO_MEMORY;
}

static uint32_t place_of(const fit *f, uint32_t i) {
    return (uint32_t)((uint64_t)i * f->count / f->n);
}

/* The codes of a product quantiser; popular rows, which stand first, count more. */
static pique_status start(pq_arena *arena, fit *f, const pq_product *product) {
    const uint32_t m = f->out->codebooks, d = f->out->width;
    double *scratch =
        pq_arena_take(arena, 2 * (size_t)pq_product_directions(product), sizeof(*scratch));
    uint8_t *packed = pq_arena_take(arena, m / 2, 1);
    if (!scratch || !packed) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        uint8_t *codes = f->codes + (size_t)i * m;
        pq_product_encode(product, f->rows + (size_t)place_of(f, i) * d, packed, scratch);
        for (uint32_t j = 0; j < m; j++) {
            codes[j] = packed[j / 2] >> (j % 2 * 4) & 15;
        }
        f->weights[i] = 1 / sqrt(1.0 + place_of(f, i));
    }
    return PIQUE_OK;
}

static void add_row(fit *f, uint32_t i) {
    const uint32_t m = f->out->codebooks, d = f->out->width;
    const size_t n = (size_t)m * K;
    const uint8_t *codes = f->codes + (size_t)i * m;
    const float *row = f->rows + (size_t)place_of(f, i) * d;
    const double weight = f->weights[i];
    for (uint32_t a = 0; a < m; a++) {
        const size_t at = (size_t)a * K + codes[a];
        for (uint32_t b = 0; b <= a; b++) {
            f->normal[at * n + (size_t)b * K + codes[b]] += weight;
        }
        for (uint32_t j = 0; j < d; j++) {
            f->best[at * d + j] += weight * row[j];
        }
    }
}

static bool improve_centroids(fit *f) {
    const size_t n = (size_t)f->out->codebooks * K, size = n * f->out->width;
    double total = 0;
    bool finite = true;
    memset(f->normal, 0, n * n * sizeof(double));
    memset(f->best, 0, size * sizeof(double));
    for (uint32_t i = 0; i < f->n; i++) {
        add_row(f, i);
        total += f->weights[i];
    }
    for (size_t c = 0; c < n; c++) {
        f->normal[c * (n + 1)] += RIDGE * total / f->n;
    }
    if (!pq_cholesky(f->normal, (uint32_t)n)) {
        return false;
    }
    pq_solve_lower(f->normal, (uint32_t)n, f->best, f->out->width);
    pq_solve_upper(f->normal, (uint32_t)n, f->best, f->out->width);
    for (size_t i = 0; i < size; i++) {
        f->out->centroids[i] = (float)f->best[i];
        finite = finite && f->out->centroids[i] - f->out->centroids[i] == 0;
    }
    return finite;
}

static void improve_codes(fit *f, uint32_t turn, uint32_t tries) {
    const uint32_t m = f->out->codebooks, d = f->out->width;
    const uint32_t shake = turn < TURNS ? SHAKE * (TURNS - turn) / TURNS : 0;
    pq_additive_prepare(f->out);
    for (uint32_t i = 0; i < f->n; i++) {
        pq_additive_improve(f->out, f->rows + (size_t)place_of(f, i) * d, tries, PQ_MAX(1, shake),
                            pq_rng_make(3, turn, i), &f->search, f->codes + (size_t)i * m);
    }
}

/* ---- the result ---- */

/* What a codebook adds to the rows' squares in the metric, but for what it adds to all alike. */
static double energy_of(const fit *f, uint32_t m, double *work) {
    const uint32_t d = f->out->width;
    double *weights = work, *mean = work + K, sum = 0, total = 0;
    memset(work, 0, (K + (size_t)d) * sizeof(*work));
    for (uint32_t i = 0; i < f->n; i++) {
        weights[f->codes[(size_t)i * f->out->codebooks + m]] += f->weights[i];
        total += f->weights[i];
    }
    for (uint32_t c = 0; c < K; c++) {
        for (uint32_t j = 0; j < d; j++) {
            mean[j] += weights[c] / total * f->out->centroids[((size_t)m * K + c) * d + j];
        }
    }
    for (uint32_t c = 0; c < K; c++) {
        const float *centroid = f->out->centroids + ((size_t)m * K + c) * d;
        for (uint32_t i = 0; i < d; i++) {
            for (uint32_t j = 0; j < d; j++) {
                sum += weights[c] * f->out->metric[(size_t)i * d + j] * (centroid[i] - mean[i]) *
                       (centroid[j] - mean[j]);
            }
        }
    }
    return sum;
}

/* Codebooks in the order of what they carry, the most first. */
static void order_codebooks(fit *f, double *energies, double *work) {
    const uint32_t m = f->out->codebooks;
    const size_t size = (size_t)K * f->out->width;
    for (uint32_t i = 0; i < m; i++) {
        energies[i] = energy_of(f, i, work);
    }
    for (uint32_t to = 0; to < m; to++) {
        uint32_t most = to;
        for (uint32_t i = to; i < m; i++) {
            most = energies[i] > energies[most] ? i : most;
        }
        energies[most] = energies[to];
        for (size_t i = 0; i < size; i++) {
            float *a = &f->out->centroids[to * size + i], *b = &f->out->centroids[most * size + i];
            const float kept = *a;
            *a = *b;
            *b = kept;
        }
        for (uint32_t i = 0; i < f->n; i++) {
            uint8_t *codes = f->codes + (size_t)i * m, kept = codes[to];
            codes[to] = codes[most];
            codes[most] = kept;
        }
    }
}

/* The centroids become those that a file of int8 rows gives back. */
static void round_centroids(fit *f) {
    const uint32_t n = f->out->codebooks * K, d = f->out->width;
    pq_quantise_rows(f->out->centroids, n, d, true, f->bytes, f->scales);
    for (size_t i = 0; i < (size_t)n * d; i++) {
        f->out->centroids[i] = (float)f->bytes[i] * f->scales[i / d];
    }
}

/* Those of the sample as the fit has them, the others anew. */
static void write_codes(fit *f, uint8_t *codes) {
    const uint32_t m = f->out->codebooks, d = f->out->width;
    for (uint32_t row = 0, i = 0; row < f->count; row++) {
        uint8_t *packed = codes + row * pq_additive_bytes(f->out);
        if (i < f->n && place_of(f, i) == row) {
            pq_additive_pack(f->codes + (size_t)i++ * m, m, packed);
        } else {
            pq_additive_encode(f->out, f->rows + (size_t)row * d, &f->search, packed);
        }
    }
}

static pique_status run(pq_arena *arena, fit *f, const double *moment) {
    const uint32_t m = f->out->codebooks, d = f->out->width;
    pq_product product;
    double *energies = pq_arena_take(arena, m, sizeof(*energies));
    double *work = pq_arena_take(arena, K + (size_t)d, sizeof(*work));
    if (!energies || !work) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_product_fit(arena, f->rows, f->count, d, m, moment, &product));
    PQ_TRY(take(arena, f));
    PQ_TRY(start(arena, f, &product));
    pq_query_metric(moment, f->rows, f->count, d, PLAIN_SHARE, f->out->metric);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        if (!improve_centroids(f)) {
            PQ_FAIL(arena->ctx, PIQUE_NUMERIC,
                    "an additive quantiser cannot be fitted: the item vectors are too large");
        }
        improve_codes(f, turn, TRIES);
    }
    order_codebooks(f, energies, work);
    round_centroids(f);
    improve_codes(f, TURNS, LAST_TRIES);
    return PIQUE_OK;
}

pique_status pq_additive_fit(pq_arena *arena, const float *rows, uint32_t count,
                             const double *moment, pq_additive *out, uint8_t *codes) {
    const size_t n = (size_t)out->codebooks * K, d = out->width;
    out->centroids = pq_arena_take(arena, n * d, sizeof(float));
    out->metric = pq_arena_take(arena, d * d, sizeof(double));
    out->lift = pq_arena_take(arena, n * d, sizeof(float));
    out->gram = pq_arena_take(arena, n * n, sizeof(float));
    out->own = pq_arena_take(arena, n * K, sizeof(float));
    if (!out->centroids || !out->metric || !out->lift || !out->gram || !out->own) {
        return PIQUE_NO_MEMORY;
    }
    fit f = {.out = out, .rows = rows, .count = count, .n = PQ_MIN(count, (uint32_t)SAMPLE)};
    pq_arena_mark mark = pq_arena_here(arena);
    pique_status status = run(arena, &f, moment);
    if (status == PIQUE_OK) {
        write_codes(&f, codes);
    }
    pq_arena_back(arena, mark);
    return status;
}
