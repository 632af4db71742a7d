#include "native/export/cluster.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS 8 /* of two-means: the split is at the middle anyway, only the direction counts */
#define SAMPLE 16384u /* rows that two-means looks at */

typedef struct {
    float along; /* the direction */
    uint32_t row;
} place;

typedef struct {
    const float *vectors;
    uint32_t cols, size;
    place *places;   /* [count] */
    double *centres; /* [2, cols] */
    double *sums;    /* [2, cols] */
} cluster;

static int compare_places(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->along != y->along) {
        return x->along < y->along ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

static int compare_rows(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static const float *vector(const cluster *c, uint32_t row) {
    return c->vectors + (size_t)row * c->cols;
}

static double distance(const cluster *c, uint32_t row, const double *centre) {
    const float *x = vector(c, row);
    double sum = 0;
    for (uint32_t d = 0; d < c->cols; d++) {
        sum += (x[d] - centre[d]) * (x[d] - centre[d]);
    }
    return sum;
}

static void move_to(const cluster *c, double *centre, uint32_t row) {
    for (uint32_t d = 0; d < c->cols; d++) {
        centre[d] = vector(c, row)[d];
    }
}

/* The row that is farthest from the centre; the first of several. */
static uint32_t farthest(const cluster *c, const uint32_t *rows, uint32_t count, uint32_t step,
                         const double *centre) {
    uint32_t best = rows[0];
    double most = -1;
    for (uint32_t i = 0; i < count; i += step) {
        double away = distance(c, rows[i], centre);
        if (away > most) {
            most = away;
            best = rows[i];
        }
    }
    return best;
}

/* Centres of two clusters of every `step`-th row. */
static void two_means(cluster *c, const uint32_t *rows, uint32_t count, uint32_t step) {
    double *one = c->centres, *two = c->centres + c->cols;
    move_to(c, two, rows[0]);
    move_to(c, one, farthest(c, rows, count, step, two));
    move_to(c, two, farthest(c, rows, count, step, one));
    for (int round = 0; round < ROUNDS; round++) {
        double counts[2] = {0, 0};
        memset(c->sums, 0, 2 * (size_t)c->cols * sizeof(*c->sums));
        for (uint32_t i = 0; i < count; i += step) {
            int which = distance(c, rows[i], two) < distance(c, rows[i], one);
            counts[which]++;
            for (uint32_t d = 0; d < c->cols; d++) {
                c->sums[(size_t)which * c->cols + d] += vector(c, rows[i])[d];
            }
        }
        for (uint32_t i = 0; i < 2 * c->cols; i++) {
            double members = counts[i >= c->cols];
            c->centres[i] = members > 0 ? c->sums[i] / members : c->centres[i];
        }
    }
}

static void split(cluster *c, uint32_t *rows, uint32_t count) {
    if (count <= c->size) {
        qsort(rows, count, sizeof(*rows), compare_rows);
        return;
    }
    two_means(c, rows, count, count / SAMPLE + 1);
    for (uint32_t i = 0; i < count; i++) {
        double along = 0;
        for (uint32_t d = 0; d < c->cols; d++) {
            along += (c->centres[c->cols + d] - c->centres[d]) * vector(c, rows[i])[d];
        }
        c->places[i] = (place){.along = (float)along, .row = rows[i]};
    }
    qsort(c->places, count, sizeof(*c->places), compare_places);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = c->places[i].row;
    }
    uint32_t pieces = (count - 1) / c->size + 1, half = pieces / 2 * c->size;
    split(c, rows, half);
    split(c, rows + half, count - half);
}

pique_status pq_cluster(pq_ctx *ctx, const float *vectors, uint32_t cols, uint32_t *rows,
                        uint32_t count, uint32_t size) {
    cluster c = {.vectors = vectors, .cols = cols, .size = size};
    c.places = pq_alloc(ctx, count, sizeof(*c.places));
    c.centres = pq_alloc(ctx, cols, 2 * sizeof(*c.centres));
    c.sums = pq_alloc(ctx, cols, 2 * sizeof(*c.sums));
    pique_status status = PIQUE_NO_MEMORY;
    if (c.places && c.centres && c.sums) {
        split(&c, rows, count);
        status = PIQUE_OK;
    }
    pq_free(ctx, c.places);
    pq_free(ctx, c.centres);
    pq_free(ctx, c.sums);
    return status;
}
