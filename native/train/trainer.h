/* trainer.h — the training loop: epochs of steps, evaluation on the validation targets, the best model and
 * the checkpoint on disk. The files of a run:
 *   config.json     all options          model.pique  best model so far
 *   metrics.jsonl   one line an evaluation   last.ckpt    to go on from */
#ifndef PQ_TRAINER_H
#define PQ_TRAINER_H

#include "pique_train.h"

pique_status pq_trainer_run(pique_context *ctx, const pique_dataset *dataset,
                            const pique_train_options *options, const pique_listener *listener,
                            pique_train_result *result);

#endif
