/* quant_rows.h — rows that tests of quantisers fit. */
#ifndef PQ_TEST_QUANT_ROWS_H
#define PQ_TEST_QUANT_ROWS_H

#include "tests/unit/testing.h"

#include "base/rng.h"

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
