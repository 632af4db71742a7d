/* options.h — the options of the training loop; the table of fields (options.c) has their meaning. */
#ifndef PQ_TRAIN_OPTIONS_H
#define PQ_TRAIN_OPTIONS_H

#include "base/fields.h"
#include "native/train/optimiser.h"

typedef enum {
    PQ_SCHEDULE_CONSTANT,
    PQ_SCHEDULE_LINEAR,
    PQ_SCHEDULE_COSINE,
    PQ_SCHEDULE_STEP,
    PQ_SCHEDULE_PLATEAU
} pq_schedule;
typedef enum {
    PQ_NEGATIVES_POPULARITY,
    PQ_NEGATIVES_LOG_UNIFORM,
    PQ_NEGATIVES_UNIFORM,
    PQ_NEGATIVES_IN_BATCH
} pq_negatives;
typedef enum {
    PQ_METRIC_RECALL,
    PQ_METRIC_NDCG,
    PQ_METRIC_MRR,
    PQ_METRIC_AUC,
    PQ_METRIC_GAUC,
    PQ_METRIC_LOGLOSS,
    PQ_METRIC_TOP1
} pq_metric;

typedef enum { PQ_KD_BY_LABEL, PQ_KD_BY_SLATE } pq_kd_reduction;

typedef enum { PQ_LINEAR_SAME, PQ_LINEAR_FTRL } pq_linear_optimiser;

typedef struct {
    int32_t epochs, pretrain, batch, negatives, samples_per_user, eval_every, patience, cutoff,
        warmup, lr_every, optimiser, linear_optimiser, quantise, quantise_from;
    int32_t sampler, schedule, metric, supervision, loss, pair_negatives, kd_reduction;
    bool dense_rows, item_ids, init_freeze;
    double max_norm, lr_factor, label_smoothing, gbce_beta, lr, lr_floor, weight_decay, l2, clip,
        beta1, beta2, epsilon, ftrl_alpha, ftrl_beta, ftrl_l1, ftrl_l2, negative_power, around,
        history_dropout, checkpoint_seconds, kd_temperature, kd_alpha, kd_kappa, init_scale;
} pq_train_options;

extern const pq_field pq_train_fields[];

/* The learning rate of step 1..total, after so many drops of the schedules `step` and `plateau`. */
double pq_learning_rate(const pq_train_options *options, uint64_t step, uint64_t total,
                        uint32_t drops);
/* The first epoch with rounded item vectors, when there are any. */
uint32_t pq_train_rounds_from(const pq_train_options *options);
/* What the optimiser is to do in a step of that learning rate. */
pq_adam pq_train_step(const pq_train_options *options, double lr);

#endif
