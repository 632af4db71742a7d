/* positions.h — what tells the places of a history apart: a vector for each age (ages.h), added to the row.
 * Sinusoids (Vaswani et al., 2017) have column 2 i = sin(a / 10000^(2 i / D)), column 2 i + 1 = cos of the same. */
#ifndef PQ_POSITIONS_H
#define PQ_POSITIONS_H

#include "graph/ops.h"

typedef enum { PQ_POSITIONS_NONE, PQ_POSITIONS_LEARNED, PQ_POSITIONS_SINUSOID } pq_position_kind;
#define PQ_POSITION_CHOICES "none,learned,sinusoid"

/* ages: how many there are. NULL for PQ_POSITIONS_NONE. Learned ones begin as N(0, 0.02). */
pq_param *pq_positions_declare(pq_params *params, int32_t kind, uint32_t ages, uint32_t d);
/* x (T, D) plus the vectors of the rows' ages [T]; x itself without positions. */
pq_var *pq_positions_add(pq_tape *t, const pq_param *positions, pq_var *x, const uint32_t *ages);

#endif
