/* rng.h — counter-based random numbers: the n-th number of a stream is a hash of (seed, stream, n), so
 * what is drawn for a sample depends on neither threads nor the order of work. */
#ifndef PQ_RNG_H
#define PQ_RNG_H

#include <stdint.h>

typedef struct {
    uint64_t key;
    uint64_t counter;
} pq_rng;

/* Streams are named by two numbers, such as (epoch, sample). */
pq_rng pq_rng_make(uint64_t seed, uint64_t stream, uint64_t index);
uint64_t pq_rng_next(pq_rng *rng);
double pq_rng_uniform(pq_rng *rng);               /* [0, 1) */
uint32_t pq_rng_below(pq_rng *rng, uint32_t end); /* 0..end-1, end > 0, no modulo bias */
double pq_rng_normal(pq_rng *rng);                /* mean 0, deviation 1 */
double pq_rng_truncated_normal(pq_rng *rng);      /* the same, redrawn beyond two deviations */

/* The mixing function itself, also for hashing numbers. */
uint64_t pq_mix(uint64_t x);

#endif
