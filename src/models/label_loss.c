#include "models/label_loss.h"

pq_var *pq_label_loss(pq_tape *t, const pq_batch *b, pq_var *log_odds, double weight) {
    const pq_soft *s = b->soft;
    pq_logistic_loss args = {.labels = b->candidate_labels,
                             .weight = weight / b->positions,
                             .weights = s ? s->hard : NULL};
    pq_var *loss = pq_op_logistic_loss(t, log_odds, &args);
    if (!s) {
        return loss;
    }
    /* The temperature squared keeps the gradient as large as that of the labels. */
    args = (pq_logistic_loss){.labels = s->labels,
                              .weight = args.weight * s->alpha * s->kappa * s->temperature *
                                        s->temperature,
                              .weights = s->taught};
    pq_var *soft = pq_op_logistic_loss(t, pq_op_scale(t, log_odds, 1 / s->temperature), &args);
    *s->part += soft ? soft->value[0] : 0;
    return pq_op_add(t, loss, soft);
}
