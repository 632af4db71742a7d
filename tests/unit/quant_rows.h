/* quant_rows.h — rows that tests of quantisers fit. */
#ifndef PQ_TEST_QUANT_ROWS_H
#define PQ_TEST_QUANT_ROWS_H

#include "tests/unit/testing.h"

#include "base/arena.h"
#include "base/rng.h"

/* A context, and an arena of it. */
typedef struct {
    testing t;
    pq_arena arena;
} quant_place;

static inline void quant_open(quant_place *p) {
    testing_open(&p->t);
    pq_arena_init(&p->arena, &p->t.ctx);
}

static inline void quant_close(quant_place *p) {
    pq_arena_free(&p->arena);
    testing_close(&p->t);
}

/* moment [d, d]: `first` for the first dimension, `rest` for the others. */
static inline void quant_moment(double *moment, uint32_t d, double first, double rest) {
    memset(moment, 0, sizeof(double) * d * d);
    for (uint32_t j = 0; j < d; j++) {
        moment[j * d + j] = j == 0 ? first : rest;
    }
}

/* Rows [count, d] whose squares are no floats. */
static inline void quant_large_rows(float *rows, uint32_t count, uint32_t d) {
    for (uint32_t i = 0; i < count * d; i++) {
        rows[i] = 1e30f * (float)(i % 5);
    }
}

/* Rows [count, d], d at most 16, of which four directions explain most. */
static inline void quant_rows(float *rows, uint32_t count, uint32_t d) {
    pq_rng rng = pq_rng_make(3, 0, 0);
    double mix[4][16];
    for (int k = 0; k < 4; k++) {
        for (uint32_t j = 0; j < d; j++) {
            mix[k][j] = pq_rng_normal(&rng);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        double factors[4];
        for (int k = 0; k < 4; k++) {
            factors[k] = pq_rng_normal(&rng);
        }
        for (uint32_t j = 0; j < d; j++) {
            double sum = 0.2 * pq_rng_normal(&rng);
            for (int k = 0; k < 4; k++) {
                sum += factors[k] * mix[k][j];
            }
            rows[i * d + j] = (float)sum;
        }
    }
}

#endif
