/* label_loss.h — the loss of labelled pairs, which every model that ranks minimises. */
#ifndef PQ_LABEL_LOSS_H
#define PQ_LABEL_LOSS_H

#include "models/model.h"

/* log_odds (C, 1) of the batch's candidates. (1, 1): weight times the log loss, summed over the candidates and
 * divided by the positions of the whole batch; with a teacher, what it says of them is part of it. */
pq_var *pq_label_loss(pq_tape *t, const pq_batch *b, pq_var *log_odds, double weight);

#endif
