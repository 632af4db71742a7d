/* codes.h — the codes of a model's items, fitted once for every number of bytes: pq16 and pq16+int8 have the
 * same, and a search for the smallest file looks at each more than once. */
#ifndef PQ_EXPORT_CODES_H
#define PQ_EXPORT_CODES_H

#include "native/quant/additive.h"

#define PQ_CODE_SIZES 3 /* 8, 16 and 32 bytes */

typedef struct {
    uint32_t bytes;         /* of an item */
    uint8_t *codes;         /* [rows, bytes] */
    const float *centroids; /* [32 bytes, D] */
} pq_coded;

typedef struct {
    pq_arena arena;       /* of what is kept */
    const double *moment; /* [D, D] of the users' interests; NULL: not known */
    pq_coded made[PQ_CODE_SIZES];
    uint32_t count;
} pq_coder;

void pq_coder_init(pq_coder *coder, pq_ctx *ctx);
/* Also of zeros. */
void pq_coder_free(pq_coder *coder);
/* NULL: not fitted yet. */
const pq_coded *pq_coder_find(const pq_coder *coder, uint32_t bytes);
/* rows [count, D], of which the first is PAD and the last UNKNOWN. The result lives as long as the coder. */
pique_status pq_coder_fit(pq_coder *coder, const float *rows, uint32_t count, uint32_t width,
                          uint32_t bytes, const pq_coded **out);

#endif
