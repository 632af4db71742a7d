/* sampler.h — what training looks at: the labels (or, for ranking, the labelled pairs) of an epoch in their
 * order, batches of histories, and negatives. Everything is drawn from (seed, epoch or step), never from a state, so that training can
 * go on from any step. */
#ifndef PQ_SAMPLER_H
#define PQ_SAMPLER_H

#include "models/model.h"
#include "native/data/dataset.h"
#include "native/train/options.h"

typedef struct {
    uint32_t user;
    uint32_t
        position; /* of the (last) label among the user's training events; of a pair in the list */
    bool around;  /* history: the nearest events on both sides */
    bool hidden;  /* history: none */
} pq_sample;

/* Samples first .. first + count - 1 of the epoch, as seen in a step. */
typedef struct {
    size_t first;
    uint32_t count;
    uint32_t max_history;
    uint64_t step; /* numbers the random draws */
} pq_sample_range;

typedef struct {
    pq_ctx *ctx;
    const pique_dataset *dataset;
    const pq_train_options *options;
    uint64_t seed;
    bool history_negatives; /* set by the caller: batches of pairs want them */
    bool positives;         /* set by the caller: pairs of label 1 alone */
    pq_sample *samples;     /* of the current epoch, shuffled */
    size_t count, capacity;
    uint32_t *scratch; /* positions of one user */
    size_t scratch_capacity;
    double *chance;     /* [item_rows] P(item) of the negative sampler */
    double *cumulative; /* [item_rows] running sum */
    pq_real *log_q;     /* [item_rows] log of the expected count among the negatives */
} pq_sampler;

pique_status pq_sampler_init(pq_sampler *sampler, pq_ctx *ctx, const pique_dataset *dataset,
                             const pq_train_options *options, uint64_t seed);
void pq_sampler_free(pq_sampler *sampler);
/* Samples in every epoch: labels, or with supervision=all users. */
uint64_t pq_sampler_epoch_size(const pq_sampler *sampler);
/* Draws and shuffles the labels of the epoch. */
pique_status pq_sampler_epoch(pq_sampler *sampler, uint32_t epoch);
/* Labels of the range: as many as samples, or with supervision=all those of every row. items: NULL, or
 * receives their items (of labels, not of pairs); each: NULL, or receives every label as a sample of its own,
 * nothing hidden. */
uint32_t pq_sampler_labels(const pq_sampler *sampler, const pq_sample_range *range, uint32_t *items,
                           pq_sample *each);
/* Positions of the sample's history among the user's `events` training events, at most `most`: oldest, or of
 * `around` farthest, first. Returns how many; none of what is hidden. */
uint32_t pq_sampler_history(const pq_sample *sample, uint32_t events, uint32_t most, uint32_t *out);
/* The negatives of a whole batch: ids and log expected counts (but for a constant, which the softmax
 * cancels, where they are the labels of the batch); returns how many. */
uint32_t pq_sampler_negatives(const pq_sampler *sampler, const pq_sample_range *batch,
                              uint32_t *ids, pq_real *log_q);
uint32_t pq_sampler_most_negatives(const pq_sampler *sampler, uint32_t max_history);
/* The batch of the range, in the arena; shared negatives and positions are left to the caller. */
pique_status pq_sampler_batch(const pq_sampler *sampler, pq_arena *arena,
                              const pq_sample_range *range, pq_batch *out);

#endif
