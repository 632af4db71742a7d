/* rounding.h — training that is aware of quantisation: from some epoch on, scores and behaviours see every
 * item's vector as the quantiser of the model file will give it back, and its gradient passes to the floats
 * behind it (the straight-through estimator). What is rounded is the vector of the file, pooled from all
 * fields and mapped or brought to length 1.
 *
 * int4 rows need nothing but the row. A product quantiser is fitted once, when rounding begins; codebook, map
 * and metric then are frozen parameters, which checkpoints keep. So rounding is a function of the parameters
 * alone, and training goes on bit for bit from wherever it stopped. */
#ifndef PQ_ROUNDING_H
#define PQ_ROUNDING_H

#include "file/container.h"
#include "models/model.h"
#include "native/quant/product.h"

typedef enum {
    PQ_ROUND_NONE,
    PQ_ROUND_INT4,
    PQ_ROUND_PQ8,
    PQ_ROUND_PQ16,
    PQ_ROUND_PQ32
} pq_round_kind;

typedef struct {
    pq_ctx *ctx;
    pq_round_kind kind;
    uint32_t threads;
    uint32_t rows, width;
    pq_param *codebook, *map, *metric; /* NULL for int4 */
    pq_arena arena;
    pq_product product; /* of the three, once it is fitted or loaded */
    pq_real *exact;     /* [rows, D] that `rounded` was made of */
    pq_real *rounded;   /* [rows, D] */
    bool *stale;        /* [rows] */
    bool primed;        /* `rounded` is that of `exact` */
    double *scratch;
} pq_rounding;

/* Declares what the kind keeps; the model has been declared. PIQUE_ARGUMENT when the model cannot be rounded
 * so: the message says what can. Also after a failure pq_rounding_free takes what there is. */
pique_status pq_rounding_declare(pq_rounding *rounding, pq_model *m, pq_round_kind kind);
/* Memory for the rows. */
pique_status pq_rounding_open(pq_rounding *rounding, uint32_t threads);
void pq_rounding_free(pq_rounding *rounding);
/* Fits the product quantiser, of which there is a codebook, to the vectors as they stand, for queries with mean outer product `moment`. */
pique_status pq_rounding_fit(pq_rounding *rounding, const pq_model *m, const double *moment);
/* Takes it from the parameters, as a checkpoint has filled them. */
void pq_rounding_load(pq_rounding *rounding);
/* Rounds the vectors that have changed, and has the model look at them. */
pique_status pq_rounding_refresh(pq_rounding *rounding, pq_model *m);
/* Adds item.weight and its scales, or item.codes and their codebook, of these vectors [rows, D]; memory of the
 * arena. */
pique_status pq_rounding_write(const pq_rounding *rounding, const float *vectors, pq_arena *arena,
                               pq_writer *writer);
/* As pique.quant names it. */
const char *pq_rounding_name(pq_round_kind kind);

#endif
