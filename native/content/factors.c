#include "native/content/factors.h"

#include "base/number.h"
#include "base/rng.h"

#include <string.h>

#define SPARE 16 /* vectors beyond D, which make those of the smallest values converge sooner */
#define ROUNDS 8 /* of the iteration, each a product with A A' */
#define NOTHING                                                                                    \
    1e-9 /* what is left of a vector, or of a singular value beside the largest, when it was rounding alone */
#define FLOAT_NOTHING 1e-5 /* the same beside the floats of a row of length 1 */
#define MOST_SWEEPS 30     /* of Jacobi's rotations; they end sooner */

/* L vectors one after the other: left [L, N], right [L, M]. */
typedef struct {
    const pq_sparse *a;
    uint32_t count; /* L */
    double *left, *right;
    double *gram, *basis; /* (L, L) */
} work;

static double dot(const double *x, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

static void axpy(double factor, const double *x, double *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += factor * x[i];
    }
}

/* y = A x for each of the vectors. */
static void multiply(const work *w) {
    const pq_sparse *a = w->a;
    for (uint32_t j = 0; j < w->count; j++) {
        const double *x = w->right + (size_t)j * a->cols;
        double *y = w->left + (size_t)j * a->rows;
        for (uint32_t i = 0; i < a->rows; i++) {
            double sum = 0;
            for (size_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
                sum += a->values[k] * x[a->columns[k]];
            }
            y[i] = sum;
        }
    }
}

/* x = A' y. */
static void multiply_back(const work *w) {
    const pq_sparse *a = w->a;
    memset(w->right, 0, (size_t)w->count * a->cols * sizeof(*w->right));
    for (uint32_t j = 0; j < w->count; j++) {
        const double *y = w->left + (size_t)j * a->rows;
        double *x = w->right + (size_t)j * a->cols;
        for (uint32_t i = 0; i < a->rows; i++) {
            for (size_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
                x[a->columns[k]] += a->values[k] * y[i];
            }
        }
    }
}

/* Gram and Schmidt, twice, so that the vectors are at right angles to the last bits. One that lies in the span of those
 * before it becomes zero. */
static void orthonormalise(double *vectors, uint32_t count, size_t n) {
    for (uint32_t j = 0; j < count; j++) {
        double *v = vectors + (size_t)j * n;
        double before = pq_sqrt(dot(v, v, n));
        for (int pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < j; i++) {
                const double *u = vectors + (size_t)i * n;
                axpy(-dot(u, v, n), u, v, n);
            }
        }
        double length = pq_sqrt(dot(v, v, n));
        double factor = length > NOTHING * before ? 1 / length : 0;
        for (size_t i = 0; i < n; i++) {
            v[i] *= factor;
        }
    }
}

/* Jacobi's rotation of rows and columns p and q, which makes gram[p, q] zero; `basis` collects the rotations in its
 * rows. */
static void rotate(const work *w, uint32_t p, uint32_t q) {
    const uint32_t n = w->count;
    double *g = w->gram, *v = w->basis;
    double theta = (g[q * n + q] - g[p * n + p]) / (2 * g[p * n + q]);
    double t = (theta < 0 ? -1 : 1) / ((theta < 0 ? -theta : theta) + pq_sqrt(theta * theta + 1));
    double c = 1 / pq_sqrt(t * t + 1), s = t * c;
    for (uint32_t i = 0; i < n; i++) {
        double x = g[i * n + p], y = g[i * n + q];
        g[i * n + p] = c * x - s * y;
        g[i * n + q] = s * x + c * y;
    }
    for (uint32_t i = 0; i < n; i++) {
        double x = g[p * n + i], y = g[q * n + i];
        g[p * n + i] = c * x - s * y;
        g[q * n + i] = s * x + c * y;
        x = v[p * n + i];
        y = v[q * n + i];
        v[p * n + i] = c * x - s * y;
        v[q * n + i] = s * x + c * y;
    }
}

/* gram becomes diagonal: the squares of the singular values, of the vectors in the rows of basis. */
static void diagonalise(const work *w) {
    const uint32_t n = w->count;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            w->basis[i * n + j] = i == j;
        }
    }
    bool done = false;
    for (int sweep = 0; sweep < MOST_SWEEPS && !done; sweep++) {
        done = true;
        for (uint32_t p = 0; p < n; p++) {
            for (uint32_t q = p + 1; q < n; q++) {
                double square = w->gram[p * n + q] * w->gram[p * n + q];
                double limit = 1e-30 * w->gram[p * n + p] * w->gram[q * n + q];
                if (square > (limit < 0 ? -limit : limit)) {
                    rotate(w, p, q);
                    done = false;
                }
            }
        }
    }
}

/* The place of the largest diagonal element that is not taken yet; taken ones are negative. */
static uint32_t take_largest(const work *w, double *value) {
    const uint32_t n = w->count;
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        best = w->gram[i * n + i] > w->gram[best * n + best] ? i : best;
    }
    *value = PQ_MAX(w->gram[best * n + best], 0);
    w->gram[best * n + best] = -1;
    return best;
}

/* Column `d` of the item vectors: that of U times the root of the singular value. */
static void add_dimension(const work *w, uint32_t place, double square, float *out, uint32_t dim) {
    double factor = pq_sqrt(pq_sqrt(square));
    for (uint32_t i = 0; i < w->a->rows; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < w->count; j++) {
            sum += w->basis[place * w->count + j] * w->left[(size_t)j * w->a->rows + i];
        }
        out[(size_t)i * dim] = (float)(factor * sum);
    }
}

/* To length 1, or zero when no more than `least` long. */
static void scale_row(float *row, uint32_t dim, double least) {
    double square = 0;
    for (uint32_t d = 0; d < dim; d++) {
        square += (double)row[d] * row[d];
    }
    double factor = square > least * least ? 1 / pq_sqrt(square) : 0;
    for (uint32_t d = 0; d < dim; d++) {
        row[d] = (float)(factor * row[d]);
    }
}

/* Vectors of length 1 around their mean. Empty rows stay zero and have no part in the mean. */
static void centre(const pq_sparse *a, float *out, uint32_t dim, double *mean) {
    uint32_t filled = 0;
    memset(mean, 0, dim * sizeof(*mean));
    for (uint32_t i = 0; i < a->rows; i++) {
        float *row = out + (size_t)i * dim;
        scale_row(row, dim, NOTHING);
        filled += a->starts[i] < a->starts[i + 1];
        for (uint32_t d = 0; d < dim; d++) {
            mean[d] += row[d];
        }
    }
    for (uint32_t i = 0; i < a->rows; i++) {
        float *row = out + (size_t)i * dim;
        for (uint32_t d = 0; d < dim && a->starts[i] < a->starts[i + 1]; d++) {
            row[d] = (float)(row[d] - mean[d] / filled);
        }
        scale_row(row, dim, FLOAT_NOTHING);
    }
}

static void factorise(const work *w, uint32_t dim, uint64_t seed, float *out) {
    const pq_sparse *a = w->a;
    const uint32_t n = w->count;
    pq_rng rng = pq_rng_make(seed, 0, 0);
    for (size_t i = 0; i < (size_t)n * a->cols; i++) {
        w->right[i] = pq_rng_normal(&rng);
    }
    for (int round = 0; round < ROUNDS; round++) {
        multiply(w);
        orthonormalise(w->left, n, a->rows);
        multiply_back(w);
        orthonormalise(w->right, round + 1 < ROUNDS ? n : 0, a->cols);
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            w->gram[i * n + j] =
                dot(w->right + (size_t)i * a->cols, w->right + (size_t)j * a->cols, a->cols);
        }
    }
    diagonalise(w);
    double largest = 0, square;
    for (uint32_t d = 0; d < PQ_MIN(dim, n); d++) {
        uint32_t place = take_largest(w, &square);
        largest = d ? largest : square;
        if (square > NOTHING * NOTHING * largest) {
            add_dimension(w, place, square, out + d, dim);
        }
    }
}

pique_status pq_factors(pq_ctx *ctx, const pq_sparse *a, uint32_t dim, uint64_t seed, float *out) {
    memset(out, 0, (size_t)a->rows * dim * sizeof(*out));
    if (a->cols == 0) {
        return PIQUE_OK;
    }
    work w = {.a = a, .count = PQ_MIN(dim + SPARE, PQ_MIN(a->rows, a->cols))};
    w.left = pq_alloc(ctx, (size_t)w.count * a->rows, sizeof(double));
    w.right = pq_alloc(ctx, (size_t)w.count * a->cols, sizeof(double));
    w.gram = pq_alloc(ctx, (size_t)w.count * w.count, sizeof(double));
    w.basis = pq_alloc(ctx, (size_t)w.count * w.count, sizeof(double));
    double *mean = pq_alloc(ctx, dim, sizeof(double));
    bool ready = w.left && w.right && w.gram && w.basis && mean;
    if (ready) {
        factorise(&w, dim, seed, out);
        centre(a, out, dim, mean);
    }
    pq_free(ctx, w.left);
    pq_free(ctx, w.right);
    pq_free(ctx, w.gram);
    pq_free(ctx, w.basis);
    pq_free(ctx, mean);
    return ready ? PIQUE_OK : PIQUE_NO_MEMORY;
}
