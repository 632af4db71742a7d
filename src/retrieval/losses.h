/* losses.h — the tables of bytes by which the scan of rows of codes leaves out what cannot be above a
 * threshold: what each centroid loses against the best of its codebook.
 *
 * Of an interest, `best` is the score of a row that had the best centroid everywhere, and a row above the
 * threshold loses less than best - threshold. That is 254 steps of a byte, and every loss is rounded down, to 127
 * if it is more: a row whose bytes reach 255 has lost more and is out, so none above the threshold is ever
 * missed. Rounding lets through about as many others as half a step a codebook makes of them. The scan then
 * scores what it found by exact.h; so its list is that of scores in floats, without a margin to choose.
 *
 * The tables belong to a threshold; as it rises they are made anew when that is worth it. */
#ifndef PQ_LOSSES_H
#define PQ_LOSSES_H

#include "retrieval/exact.h"

typedef struct {
    uint32_t interest_count;
    size_t lines;        /* of an interest's table: eight codebooks each, as kernels.h says */
    float *losses;       /* [interest_count * lines][128] */
    float *best, *slack; /* [interest_count]; slack: of the roundings of floats */
    uint8_t *bytes;      /* like losses */
    float threshold;     /* of the bytes */
    float most;          /* of best */
} pq_losses;

pique_status pq_losses_init(pq_arena *arena, pq_losses *losses, const pq_exact *exact,
                            const pq_table *codes);
const uint8_t *pq_losses_for(pq_losses *losses, float threshold);

#endif
