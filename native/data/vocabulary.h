/* vocabulary.h — numbers for terms: 1..n for those that training counts often enough, n + 1 (UNKNOWN) for the
 * rest. */
#ifndef PQ_VOCABULARY_H
#define PQ_VOCABULARY_H

#include "base/strings.h"

/* Numbers the terms of `raw` that are counted `least` times or more, by falling count, equal counts bytewise:
 * `terms` receives them in order, numbers[raw] their numbers. For bytewise order all counts are equal. */
pique_status pq_vocabulary_make(pq_ctx *ctx, const pq_strings *raw, const uint32_t *counts,
                                uint32_t least, pq_strings *terms, uint32_t *numbers);

#endif
