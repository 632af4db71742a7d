/* settle.h — codes of one row by coordinate descent: each subspace in turn takes the centroid that is best
 * given those of the others, until none changes. */
#ifndef PQ_SETTLE_H
#define PQ_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t directions, subspaces; /* P and M */
    const float *codebook;          /* [M * 16, P / M] */
    const double *gram;             /* [P, P] inner products of the directions that y is made of */
} pq_settle_args;

/* open [P]: inner products of the directions with what the codes leave over of the row (not `started`: with the
 * row itself, and codes [M] are only written); kept true while codes change. */
void pq_settle(const pq_settle_args *args, double *open, uint8_t *codes, bool started, int sweeps);
/* The best code of subspace `at`; before: its centroid that `open` is without, NULL for none. */
uint32_t pq_settle_one(const pq_settle_args *args, const double *open, uint32_t at,
                       const float *before);

#endif
