/* shards.h — one step over a batch: the batch is cut into a fixed number of shards, each with its own tape
 * and gradients, whatever the number of threads; gradients are added in the order of the shards. So any
 * number of threads gives the same bits. */
#ifndef PQ_SHARDS_H
#define PQ_SHARDS_H

#include "native/train/teacher.h"

#define PQ_SHARDS 8

typedef struct {
    pq_ctx ctx; /* for messages of its own */
    pq_tape tape;
    pq_grads grads;
    pq_arena batch;
    pq_lesson lesson; /* when there are teachers */
    double loss;
    pique_status status;
} pq_shard;

typedef struct {
    pq_ctx *ctx;
    const pq_model *m;
    uint32_t threads;
    bool taught;
    double soft_loss; /* of the last step: the teachers' part */
    uint32_t *negatives, negative_count;
    pq_real *negative_log_q;
    pq_shard shard[PQ_SHARDS];
} pq_shards;

pique_status pq_shards_init(pq_shards *shards, pq_ctx *ctx, const pq_model *m,
                            const pq_sampler *sampler, uint32_t threads);
/* From now on the losses have the teachers' part; with kd.alpha = 0 nobody is asked. */
pique_status pq_shards_teach(pq_shards *shards, const pq_teachers *teachers,
                             const pq_sampler *sampler);
void pq_shards_free(pq_shards *shards);
/* grads[0] += the others, in their order. */
pique_status pq_grads_sum(pq_grads *const *grads, uint32_t count, uint32_t threads);
/* Loss and gradient (in shard[0].grads) of samples[first .. first + count - 1]. `step` numbers the
 * random draws. */
pique_status pq_shards_step(pq_shards *shards, const pq_sampler *sampler, size_t first,
                            uint32_t count, uint64_t step, double *loss);

#endif
