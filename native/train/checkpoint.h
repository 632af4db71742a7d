/* checkpoint.h — RUN/last.ckpt: everything that training needs to go on as if it had never stopped. A
 * plain safetensors container: parameters, both moments, and the state as JSON metadata. */
#ifndef PQ_CHECKPOINT_H
#define PQ_CHECKPOINT_H

#include "native/train/optimiser.h"

typedef struct {
    uint32_t epoch;     /* being trained, from 1 */
    uint32_t batch;     /* next batch of that epoch, from 0 */
    double loss_sum;    /* over the batches of the epoch so far */
    double soft_sum;    /* likewise, of the part of the loss that is the teachers' */
    double best_metric; /* -1: none yet */
    uint32_t best_epoch;
    uint32_t stale; /* evaluations since the best */
    uint32_t drops; /* of the learning rate, by the schedule `plateau` */
    bool finished;
    uint64_t log_bytes;   /* length of metrics.jsonl that belongs to this state */
    double seconds;       /* spent by the runs so far */
    double train_seconds; /* of them in steps, not in evaluation and files */
} pq_train_state;

/* options: the JSON object of config.json, kept so that another run's checkpoint is not taken.
 * PIQUE_NUMERIC, with the file as it was, when a number is not finite. */
pique_status pq_checkpoint_write(pq_ctx *ctx, const char *path, const char *options,
                                 const pq_optimiser *optimiser, const pq_train_state *state);
/* Fills parameters, moments and state. PIQUE_ARGUMENT when the checkpoint was made with other options;
 * the message names the first that differs. */
pique_status pq_checkpoint_read(pq_ctx *ctx, const char *path, const char *options,
                                pq_optimiser *optimiser, pq_train_state *state);
/* Fills the values of all parameters but those that a run fits for itself (frozen and unsaved), by name.
 * PIQUE_ARGUMENT when the checkpoint has none of that name and shape; the message names it. */
pique_status pq_checkpoint_weights(pq_ctx *ctx, const char *path, const pq_params *params);

#endif
