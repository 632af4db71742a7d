#include "base/rng.h"

#include "base/number.h"

/* The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
uint64_t pq_mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

#define GOLDEN 0x9e3779b97f4a7c15u

pq_rng pq_rng_make(uint64_t seed, uint64_t stream, uint64_t index) {
    uint64_t key = pq_mix(seed + GOLDEN);
    key = pq_mix(key ^ (stream + GOLDEN * 2));
    key = pq_mix(key ^ (index + GOLDEN * 3));
    return (pq_rng){.key = key};
}

uint64_t pq_rng_next(pq_rng *rng) {
    rng->counter++;
    return pq_mix(rng->key + rng->counter * GOLDEN);
}

double pq_rng_uniform(pq_rng *rng) {
    return (double)(pq_rng_next(rng) >> 11) * 0x1p-53;
}

uint32_t pq_rng_below(pq_rng *rng, uint32_t end) {
    /* Lemire: the high half of a 64-bit product, redrawn in the rare biased corner. */
    uint32_t threshold = (uint32_t)(-end) % end;
    for (;;) {
        uint64_t product = (pq_rng_next(rng) >> 32) * end;
        if ((uint32_t)product >= threshold) {
            return (uint32_t)(product >> 32);
        }
    }
}

double pq_rng_normal(pq_rng *rng) {
    /* Marsaglia's polar method: needs only log and sqrt. The second value is not kept, so that the
     * stream has no hidden state. */
    for (;;) {
        double a = 2 * pq_rng_uniform(rng) - 1;
        double b = 2 * pq_rng_uniform(rng) - 1;
        double square = a * a + b * b;
        if (square > 0 && square < 1) {
            return a * pq_sqrt(-2 * pq_log(square) / square);
        }
    }
}

double pq_rng_truncated_normal(pq_rng *rng) {
    double x;
    do {
        x = pq_rng_normal(rng);
    } while (x < -2 || x > 2);
    return x;
}
