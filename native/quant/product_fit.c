/* product_fit.c — fitting a product quantiser. Rows are first multiplied by the Cholesky factor L of the
 * metric, in which space errors are plain squared lengths. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"
#include "native/quant/cholesky.h"
#include "native/quant/product.h"
#include "native/quant/query_metric.h"
#include "native/quant/settle.h"

#define K PQ_TABLE_CENTROIDS
#define SAMPLE 20000     /* rows looked at, evenly out of all */
#define PLAIN_SHARE 0.02 /* of the identity in the metric */
#define TURNS 5
#define MEANS 12  /* turns of k-means */
#define POWERS 30 /* turns of the orthogonal iteration */
#define RIDGE 1e-6

typedef struct {
    uint32_t n, d, m, s, p; /* p = m s directions */
    double *rows;           /* [n, d] times L */
    double *left;           /* [n, d] what the codes leave over of it */
    double *weights;        /* [n] */
    double *basis;   /* [p, d] the directions: rows m s .. m s + s - 1 are those of subspace m */
    double *gram;    /* [p, p] */
    double *work;    /* [p, p], or more where that is little */
    double *spots;   /* [n, s] k-means */
    double *reach;   /* [n] of it */
    double *line;    /* [2 p] */
    float *codebook; /* [m * 16, s] */
    uint8_t *codes;  /* [n, m] */
} fit;

static pique_status take(pq_arena *arena, fit *f) {
    const size_t n = f->n, square = (size_t)f->p * f->p;
    f->rows = pq_arena_take(arena, n * f->d, sizeof(double));
    f->left = pq_arena_take(arena, n * f->d, sizeof(double));
    f->weights = pq_arena_take(arena, n, sizeof(double));
    f->basis = pq_arena_take(arena, (size_t)f->p * f->d, sizeof(double));
    f->gram = pq_arena_take(arena, square, sizeof(double));
    const size_t means = (size_t)f->s * (f->s + K);
    f->work = pq_arena_take(arena, PQ_MAX(square, means), sizeof(double));
    f->spots = pq_arena_take(arena, n * f->s, sizeof(double));
    f->reach = pq_arena_take(arena, n, sizeof(double));
    f->line = pq_arena_take(arena, 2 * (size_t)f->p, sizeof(double));
    f->codes = pq_arena_take(arena, n * f->m, 1);
    bool all = f->rows && f->left && f->weights && f->basis && f->gram && f->work && f->spots &&
               f->reach && f->line && f->codes;
    return all ? PIQUE_OK : PIQUE_NO_MEMORY;
}

/* sum += weight * row row', the lower triangle. */
static void add_outer(double *sum, const double *row, uint32_t d, double weight) {
    for (uint32_t i = 0; i < d; i++) {
        const double factor = weight * row[i];
        for (uint32_t j = 0; j <= i; j++) {
            sum[(size_t)i * d + j] += factor * row[j];
        }
    }
}

static void mirror(double *a, uint32_t d) {
    for (uint32_t i = 0; i < d; i++) {
        for (uint32_t j = 0; j < i; j++) {
            a[(size_t)j * d + i] = a[(size_t)i * d + j];
        }
    }
}

static double dot(const double *a, const double *b, uint32_t count) {
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* The sampled rows times L; popular ones, which stand first, count more. */
static void load_rows(fit *f, const float *rows, uint32_t count, const double *l) {
    const uint32_t d = f->d;
    for (uint32_t i = 0; i < f->n; i++) {
        const uint32_t from = (uint32_t)((uint64_t)i * count / f->n);
        double *out = f->rows + (size_t)i * d;
        memset(out, 0, d * sizeof(*out));
        for (uint32_t j = 0; j < d; j++) {
            const double x = rows[(size_t)from * d + j];
            for (uint32_t k = 0; k <= j; k++) {
                out[k] += x * l[(size_t)j * d + k];
            }
        }
        f->weights[i] = 1 / sqrt(1.0 + from);
    }
    memcpy(f->left, f->rows, (size_t)f->n * d * sizeof(*f->left));
}

/* ---- the first codes: one subspace after the other ---- */

/* The s directions in which most is left over, as rows `first` .. of the basis: orthogonal iteration. */
static void find_directions(fit *f, uint32_t first) {
    const uint32_t d = f->d;
    memset(f->work, 0, (size_t)d * d * sizeof(*f->work));
    for (uint32_t i = 0; i < f->n; i++) {
        add_outer(f->work, f->left + (size_t)i * d, d, f->weights[i]);
    }
    mirror(f->work, d);
    double *base = f->basis + (size_t)first * d;
    pq_rng rng = pq_rng_make(1, first, 0);
    for (size_t i = 0; i < (size_t)f->s * d; i++) {
        base[i] = pq_rng_normal(&rng);
    }
    for (int turn = 0; turn < POWERS; turn++) {
        for (uint32_t j = 0; j < f->s; j++) {
            double *row = base + (size_t)j * d;
            for (uint32_t i = 0; i < d; i++) {
                f->line[i] = dot(f->work + (size_t)i * d, row, d);
            }
            for (uint32_t before = 0; before < j; before++) {
                const double *other = base + (size_t)before * d;
                const double along = dot(f->line, other, d);
                for (uint32_t i = 0; i < d; i++) {
                    f->line[i] -= along * other[i];
                }
            }
            const double length = sqrt(dot(f->line, f->line, d));
            for (uint32_t i = 0; i < d && length > 0; i++) {
                row[i] = f->line[i] / length;
            }
        }
    }
}

static double distance(const double *a, const double *b, uint32_t s) {
    double sum = 0;
    for (uint32_t j = 0; j < s; j++) {
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    }
    return sum;
}

/* k-means++: each first centroid is drawn by weight and squared distance from those there are. */
static void seed_means(fit *f, double *means, pq_rng *rng) {
    const uint32_t s = f->s;
    for (uint32_t c = 0; c < K; c++) {
        double total = 0;
        for (uint32_t i = 0; i < f->n; i++) {
            const double *spot = f->spots + (size_t)i * s;
            double far = c ? distance(spot, means + (size_t)(c - 1) * s, s) : 1;
            f->reach[i] = c < 2 || far < f->reach[i] ? far : f->reach[i];
            total += f->weights[i] * f->reach[i];
        }
        double mark = pq_rng_uniform(rng) * total;
        uint32_t chosen = 0;
        for (; chosen + 1 < f->n && mark >= f->weights[chosen] * f->reach[chosen]; chosen++) {
            mark -= f->weights[chosen] * f->reach[chosen];
        }
        memcpy(means + (size_t)c * s, f->spots + (size_t)chosen * s, s * sizeof(*means));
    }
}

static uint8_t nearest(const double *spot, const double *means, uint32_t s) {
    uint8_t best = 0;
    double least = distance(spot, means, s);
    for (uint8_t c = 1; c < K; c++) {
        const double far = distance(spot, means + (size_t)c * s, s);
        if (far < least) {
            least = far;
            best = c;
        }
    }
    return best;
}

/* Sums of the spots and weights of each centroid become means; an empty centroid stays. */
static void move_means(const fit *f, uint32_t at, double *means, double *sums) {
    const uint32_t s = f->s;
    memset(sums, 0, (size_t)K * (s + 1) * sizeof(*sums));
    for (uint32_t i = 0; i < f->n; i++) {
        double *sum = sums + (size_t)f->codes[(size_t)i * f->m + at] * (s + 1);
        sum[s] += f->weights[i];
        for (uint32_t j = 0; j < s; j++) {
            sum[j] += f->weights[i] * f->spots[(size_t)i * s + j];
        }
    }
    for (uint32_t c = 0; c < K; c++) {
        const double *sum = sums + (size_t)c * (s + 1);
        for (uint32_t j = 0; j < s && sum[s] > 0; j++) {
            means[(size_t)c * s + j] = sum[j] / sum[s];
        }
    }
}

/* means [16, s], sums [16, s + 1]. */
static void first_codes(fit *f, uint32_t at, double *means, double *sums) {
    const uint32_t d = f->d, s = f->s;
    const double *base = f->basis + (size_t)at * s * d;
    pq_rng rng = pq_rng_make(2, at, 0);
    for (uint32_t i = 0; i < f->n; i++) {
        for (uint32_t j = 0; j < s; j++) {
            f->spots[(size_t)i * s + j] = dot(base + (size_t)j * d, f->left + (size_t)i * d, d);
        }
    }
    seed_means(f, means, &rng);
    for (int turn = 0; turn <= MEANS; turn++) {
        for (uint32_t i = 0; i < f->n; i++) {
            f->codes[(size_t)i * f->m + at] = nearest(f->spots + (size_t)i * s, means, s);
        }
        if (turn < MEANS) {
            move_means(f, at, means, sums);
        }
    }
    for (uint32_t i = 0; i < K * s; i++) {
        f->codebook[(size_t)at * K * s + i] = (float)means[i];
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const double *mean = means + (size_t)f->codes[(size_t)i * f->m + at] * s;
        for (uint32_t j = 0; j < s; j++) {
            for (uint32_t k = 0; k < d; k++) {
                f->left[(size_t)i * d + k] -= mean[j] * base[(size_t)j * d + k];
            }
        }
    }
}

/* ---- improvements in turns ---- */

static const float *centroid_of(const fit *f, uint32_t row, uint32_t at) {
    return f->codebook + ((size_t)at * K + f->codes[(size_t)row * f->m + at]) * f->s;
}

/* line [p] = the centroids of the row side by side. */
static void side_by_side(const fit *f, uint32_t row, double *line) {
    for (uint32_t at = 0; at < f->m; at++) {
        const float *centroid = centroid_of(f, row, at);
        for (uint32_t j = 0; j < f->s; j++) {
            line[at * f->s + j] = centroid[j];
        }
    }
}

static void refresh_left(fit *f) {
    const uint32_t d = f->d;
    for (uint32_t i = 0; i < f->n; i++) {
        double *left = f->left + (size_t)i * d;
        memcpy(left, f->rows + (size_t)i * d, d * sizeof(*left));
        side_by_side(f, i, f->line);
        for (uint32_t j = 0; j < f->p; j++) {
            for (uint32_t k = 0; k < d; k++) {
                left[k] -= f->line[j] * f->basis[(size_t)j * d + k];
            }
        }
    }
    for (size_t i = 0; i < f->p; i++) {
        for (size_t j = 0; j < f->p; j++) {
            f->gram[i * f->p + j] = dot(f->basis + i * d, f->basis + j * d, d);
        }
    }
}

static void improve_codes(fit *f) {
    const pq_settle_args args = {
        .directions = f->p, .subspaces = f->m, .codebook = f->codebook, .gram = f->gram};
    for (uint32_t i = 0; i < f->n; i++) {
        for (uint32_t j = 0; j < f->p; j++) {
            f->line[j] = dot(f->basis + (size_t)j * f->d, f->left + (size_t)i * f->d, f->d);
        }
        pq_settle(&args, f->line, f->codes + (size_t)i * f->m, true, 2);
    }
    refresh_left(f);
}

/* Each subspace's centroids become the best for the codes, given the others: the mean of what is left over
 * without it, seen along its directions. */
static bool improve_centroids(fit *f, uint32_t at, double *sums) {
    const uint32_t d = f->d, s = f->s;
    const double *base = f->basis + (size_t)at * s * d;
    memset(sums, 0, (size_t)K * (s + 1) * sizeof(*sums));
    for (uint32_t i = 0; i < f->n; i++) {
        double *sum = sums + (size_t)f->codes[(size_t)i * f->m + at] * (s + 1);
        sum[s] += f->weights[i];
        for (uint32_t j = 0; j < s; j++) {
            sum[j] += f->weights[i] * dot(base + (size_t)j * d, f->left + (size_t)i * d, d);
        }
    }
    double *inner = f->work, *shifts = f->work + (size_t)s * s; /* [s, s], then [16, s] */
    double trace = 0;
    for (uint32_t i = 0; i < s; i++) {
        for (uint32_t j = 0; j < s; j++) {
            inner[i * s + j] = f->gram[(size_t)(at * s + i) * f->p + (size_t)at * s + j];
        }
        trace += inner[i * s + i];
    }
    for (uint32_t i = 0; i < s; i++) {
        inner[i * s + i] += RIDGE * trace / s;
    }
    if (!pq_cholesky(inner, s)) {
        return trace == 0; /* nothing lies along these directions: the centroids do not matter */
    }
    for (uint32_t c = 0; c < K; c++) {
        double *shift = shifts + (size_t)c * s;
        float *centroid = f->codebook + ((size_t)at * K + c) * s;
        for (uint32_t j = 0; j < s; j++) {
            const double *sum = sums + (size_t)c * (s + 1);
            shift[j] = sum[s] > 0 ? sum[j] / sum[s] : 0;
        }
        pq_solve_lower(inner, s, shift, 1);
        pq_solve_upper(inner, s, shift, 1);
        for (uint32_t j = 0; j < s; j++) {
            const float before = centroid[j];
            centroid[j] = (float)(before + shift[j]);
            shift[j] = (double)centroid[j] - before;
        }
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const double *shift = shifts + (size_t)f->codes[(size_t)i * f->m + at] * s;
        for (uint32_t j = 0; j < s; j++) {
            for (uint32_t k = 0; k < d; k++) {
                f->left[(size_t)i * d + k] -= shift[j] * base[(size_t)j * d + k];
            }
        }
    }
    return true;
}

/* The directions that give the rows back best from their centroids: least squares. */
static bool improve_basis(fit *f) {
    const uint32_t d = f->d, p = f->p;
    double trace = 0;
    memset(f->work, 0, (size_t)p * p * sizeof(*f->work));
    memset(f->basis, 0, (size_t)p * d * sizeof(*f->basis));
    for (uint32_t i = 0; i < f->n; i++) {
        side_by_side(f, i, f->line);
        add_outer(f->work, f->line, p, f->weights[i]);
        for (uint32_t j = 0; j < p; j++) {
            const double factor = f->weights[i] * f->line[j];
            for (uint32_t k = 0; k < d; k++) {
                f->basis[(size_t)j * d + k] += factor * f->rows[(size_t)i * d + k];
            }
        }
    }
    for (uint32_t i = 0; i < p; i++) {
        trace += f->work[(size_t)i * p + i];
    }
    for (uint32_t i = 0; i < p; i++) {
        f->work[(size_t)i * p + i] += trace > 0 ? RIDGE * trace / p : 1;
    }
    if (!pq_cholesky(f->work, p)) {
        return false;
    }
    pq_solve_lower(f->work, p, f->basis, d);
    pq_solve_upper(f->work, p, f->basis, d);
    refresh_left(f);
    return true;
}

/* ---- the result ---- */

static bool round_to_half(float *values, size_t count) {
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        values[i] = pq_half_to_float(pq_half_from_float(values[i]));
        finite = finite && values[i] - values[i] == 0;
    }
    return finite;
}

/* map = basis L^-1, its rows of length 1 and the codebook's columns longer instead; then what encoding needs. */
static bool finish(fit *f, const double *l, pq_product *out) {
    const uint32_t d = f->d, s = f->s;
    for (uint32_t i = 0; i < f->p; i++) {
        memcpy(f->line, f->basis + (size_t)i * d, d * sizeof(*f->line));
        pq_solve_upper(l, d, f->line, 1); /* x L = b is L' x' = b' */
        const double length = sqrt(dot(f->line, f->line, d));
        for (uint32_t j = 0; j < d; j++) {
            out->map[(size_t)i * d + j] = (float)(length > 0 ? f->line[j] / length : 0);
        }
        for (uint32_t c = 0; c < K; c++) {
            float *value = f->codebook + ((size_t)(i / s) * K + c) * s + i % s;
            *value = (float)(*value * length);
        }
    }
    if (!round_to_half(out->map, (size_t)f->p * d) ||
        !round_to_half(f->codebook, (size_t)K * f->p)) {
        return false;
    }
    pq_product_prepare(out);
    return true;
}

static bool run(fit *f, double *means, double *sums) {
    for (uint32_t at = 0; at < f->m; at++) {
        find_directions(f, at * f->s);
        first_codes(f, at, means, sums);
    }
    refresh_left(f);
    bool good = true;
    for (int turn = 0; good && turn < TURNS; turn++) {
        improve_codes(f);
        for (uint32_t at = 0; good && at < f->m; at++) {
            good = improve_centroids(f, at, sums);
        }
        good = good && improve_basis(f);
    }
    return good;
}

static pique_status fit_rows(pq_arena *arena, fit *f, const float *rows, uint32_t count,
                             const double *moment, pq_product *out) {
    const size_t square = (size_t)f->d * f->d;
    double *l = pq_arena_take(arena, square, sizeof(*l));
    double *means = pq_arena_take(arena, (size_t)K * f->s, sizeof(*means));
    double *sums = pq_arena_take(arena, (size_t)K * (f->s + 1), sizeof(*sums));
    PQ_TRY(take(arena, f));
    if (!l || !means || !sums) {
        return PIQUE_NO_MEMORY;
    }
    pq_query_metric(moment, rows, count, f->d, PLAIN_SHARE, out->metric);
    memcpy(l, out->metric, square * sizeof(*l));
    bool good = pq_cholesky(l, f->d);
    if (good) {
        load_rows(f, rows, count, l);
        good = run(f, means, sums) && finish(f, l, out);
    }
    if (!good) {
        PQ_FAIL(
            arena->ctx, PIQUE_NUMERIC,
            "a product quantiser cannot be fitted: the item vectors or interests are too large");
    }
    return PIQUE_OK;
}

pique_status pq_product_fit(pq_arena *arena, const float *rows, uint32_t count, uint32_t width,
                            uint32_t subspaces, const double *moment, pq_product *out) {
    const uint32_t each = pq_product_each(width, subspaces);
    const size_t d = width, p = (size_t)subspaces * each;
    *out = (pq_product){.width = width, .subspaces = subspaces, .each = each};
    out->codebook = pq_arena_take(arena, K * p, sizeof(float));
    out->map = pq_arena_take(arena, p * d, sizeof(float));
    out->metric = pq_arena_take(arena, d * d, sizeof(double));
    out->gram = pq_arena_take(arena, p * p, sizeof(double));
    out->lift = pq_arena_take(arena, p * d, sizeof(double));
    out->centroids = pq_arena_take(arena, (size_t)subspaces * K * d, sizeof(float));
    if (!out->codebook || !out->map || !out->metric || !out->gram || !out->lift ||
        !out->centroids) {
        return PIQUE_NO_MEMORY;
    }
    fit f = {.n = PQ_MIN(count, (uint32_t)SAMPLE),
             .d = width,
             .m = subspaces,
             .s = each,
             .p = subspaces * each,
             .codebook = out->codebook};
    pq_arena_mark mark = pq_arena_here(arena);
    pique_status status = fit_rows(arena, &f, rows, count, moment, out);
    pq_arena_back(arena, mark);
    return status;
}
