#include "native/train/options.h"

#include "base/number.h"

#define PI 3.14159265358979323846
#define AT(member) offsetof(pq_train_options, member)

const pq_field pq_train_fields[] = {
    {"epochs", PQ_FIELD_INT, AT(epochs), 1, 100000, NULL, "20", NULL, NULL,
     "passes over the users"},
    {"pretrain", PQ_FIELD_INT, AT(pretrain), 0, 100000, NULL, "0", NULL, NULL,
     "epochs before those, of models that train in two stages: the first stage's"},
    {"batch", PQ_FIELD_INT, AT(batch), 1, 1 << 20, NULL, "512", "256", "256", "labels in a batch"},
    {"samples_per_user", PQ_FIELD_INT, AT(samples_per_user), 0, 1 << 20, NULL, "20", "0", "0",
     "labels drawn from each user per epoch; 0: every event"},
    {"around", PQ_FIELD_REAL, AT(around), 0, 1, NULL, "0.3", "0", "0",
     "share of labels whose history is the nearest events on both sides instead of those before"},
    {"supervision", PQ_FIELD_CHOICE, AT(supervision), 0, 0, "prefix,all,last", "prefix", NULL, NULL,
     "labels: drawn events with what came before each, every event of the newest window, or the "
     "newest event alone"},
    {"loss", PQ_FIELD_CHOICE, AT(loss), 0, 0, "sampled_softmax,softmax,bce,bpr,gbce",
     "sampled_softmax", NULL, NULL,
     "against shared negatives, the whole catalogue, or each label's own negatives"},
    {"label_smoothing", PQ_FIELD_REAL, AT(label_smoothing), 0, 0.999, NULL, "0", NULL, NULL,
     "softmax: share of the label that is spread over all items"},
    {"pair_negatives", PQ_FIELD_INT, AT(pair_negatives), 1, 4096, NULL, "1", NULL, NULL,
     "bce, bpr, gbce: negatives of each label, none of which its user has"},
    {"gbce_beta", PQ_FIELD_REAL, AT(gbce_beta), 0, 1, NULL, "1", NULL, NULL,
     "gbce: the power of the positive's probability"},
    {"negatives", PQ_FIELD_INT, AT(negatives), 1, 1 << 20, NULL, "2000", "2560", "2560",
     "items drawn for each batch and shared by its labels"},
    {"sampler", PQ_FIELD_CHOICE, AT(sampler), 0, 0, "popularity,log_uniform,uniform,in_batch",
     "popularity", "log_uniform", "log_uniform",
     "how negatives are drawn, with replacement; in_batch: the other labels of the batch"},
    {"negative_power", PQ_FIELD_REAL, AT(negative_power), 0, 2, NULL, "0.75", NULL, NULL,
     "popularity sampler: chance proportional to count^power"},
    {"lr", PQ_FIELD_REAL, AT(lr), 0, 10, NULL, "0.003", "0.001", "0.001", "learning rate"},
    {"schedule", PQ_FIELD_CHOICE, AT(schedule), 0, 0, "constant,linear,cosine,step,plateau",
     "cosine", "constant", "constant", "course of the learning rate after the warm-up"},
    {"lr_factor", PQ_FIELD_REAL, AT(lr_factor), 0, 1, NULL, "0.5", NULL, NULL,
     "step, plateau: the learning rate is multiplied by it"},
    {"lr_every", PQ_FIELD_INT, AT(lr_every), 1, 100000, NULL, "10", NULL, NULL,
     "step: every so many epochs; plateau: after so many evaluations without improvement"},
    {"warmup", PQ_FIELD_INT, AT(warmup), 0, 1 << 30, NULL, "0", NULL, NULL,
     "steps over which the learning rate rises"},
    {"lr_floor", PQ_FIELD_REAL, AT(lr_floor), 0, 1, NULL, "0.02", NULL, NULL,
     "share of the learning rate that the schedule ends at"},
    {"optimiser", PQ_FIELD_CHOICE, AT(optimiser), 0, 0, "adam,adagrad", "adam", NULL, NULL,
     "what moves the weights"},
    {"linear_optimiser", PQ_FIELD_CHOICE, AT(linear_optimiser), 0, 0, "same,ftrl", "same", NULL,
     NULL, "what moves the linear weights of fields and of pairs of fields"},
    {"ftrl_alpha", PQ_FIELD_REAL, AT(ftrl_alpha), 1e-6, 1000, NULL, "0.1", NULL, NULL,
     "ftrl: its learning rate"},
    {"ftrl_beta", PQ_FIELD_REAL, AT(ftrl_beta), 0, 1000, NULL, "1", NULL, NULL,
     "ftrl: the larger, the slower the first steps"},
    {"ftrl_l1", PQ_FIELD_REAL, AT(ftrl_l1), 0, 1000, NULL, "0", NULL, NULL,
     "ftrl: weights whose sum of gradients stays within it are zero"},
    {"ftrl_l2", PQ_FIELD_REAL, AT(ftrl_l2), 0, 1000, NULL, "0", NULL, NULL,
     "ftrl: pulls weights towards zero"},
    {"dense_rows", PQ_FIELD_BOOL, AT(dense_rows), 0, 0, NULL, "0", NULL, NULL,
     "every row of an embedding table moves in every step, not only the rows that were touched"},
    {"max_norm", PQ_FIELD_REAL, AT(max_norm), 0, 1e9, NULL, "0", NULL, NULL,
     "longest row of an embedding table; 0: no limit"},
    {"weight_decay", PQ_FIELD_REAL, AT(weight_decay), 0, 10, NULL, "0", NULL, NULL,
     "AdamW: decay per unit of learning rate; embedding rows decay when they are touched"},
    {"l2", PQ_FIELD_REAL, AT(l2), 0, 10, NULL, "0", NULL, NULL,
     "share of each weight that is added to its gradient; embedding rows' when they are touched"},
    {"beta1", PQ_FIELD_REAL, AT(beta1), 0, 0.9999, NULL, "0.9", NULL, NULL, "Adam's first moment"},
    {"beta2", PQ_FIELD_REAL, AT(beta2), 0, 0.99999, NULL, "0.999", NULL, NULL,
     "Adam's second moment"},
    {"epsilon", PQ_FIELD_REAL, AT(epsilon), 1e-30, 1, NULL, "1e-8", NULL, NULL, "Adam's epsilon"},
    {"clip", PQ_FIELD_REAL, AT(clip), 0, 1e9, NULL, "0", NULL, NULL,
     "largest norm of the whole gradient; 0: no limit"},
    {"quantise", PQ_FIELD_CHOICE, AT(quantise), 0, 0, "none,int4,pq8,pq16,pq32", "none", NULL, NULL,
     "training aware of quantisation: scores and behaviours see item vectors as this scheme of "
     "`pique "
     "export` gives them back"},
    {"quantise_from", PQ_FIELD_INT, AT(quantise_from), 0, 100000, NULL, "0", NULL, NULL,
     "quantise: first epoch with it; 0: the last quarter of the epochs"},
    {"eval_every", PQ_FIELD_INT, AT(eval_every), 1, 100000, NULL, "2", NULL, NULL,
     "epochs between evaluations on the validation targets"},
    {"patience", PQ_FIELD_INT, AT(patience), 0, 100000, NULL, "0", NULL, NULL,
     "evaluations without improvement before training stops; 0: never"},
    {"metric", PQ_FIELD_CHOICE, AT(metric), 0, 0, "recall,ndcg,mrr,auc,gauc,logloss", "recall",
     NULL, NULL,
     "validation metric that picks the model to keep; the last three for models that rank"},
    {"cutoff", PQ_FIELD_INT, AT(cutoff), 1, 10000, NULL, "50", NULL, NULL,
     "K of that metric (recall@K, ndcg@K)"},
    {"checkpoint_seconds", PQ_FIELD_REAL, AT(checkpoint_seconds), 0, 1e9, NULL, "30", NULL, NULL,
     "longest time between checkpoints; one is written after every evaluation in any case"},
    {NULL, PQ_FIELD_INT, 0, 0, 0, NULL, NULL, NULL, NULL, NULL},
};

double pq_learning_rate(const pq_train_options *o, uint64_t step, uint64_t total, uint32_t drops) {
    double warmup = o->warmup;
    if ((double)step < warmup) {
        return o->lr * (double)step / warmup;
    }
    if (o->schedule == PQ_SCHEDULE_STEP || o->schedule == PQ_SCHEDULE_PLATEAU) {
        return o->lr * PQ_MAX(o->lr_floor, pq_pow(o->lr_factor, drops));
    }
    double left = (double)total - warmup;
    double done = left > 0 ? ((double)step - warmup) / left : 1;
    done = done > 1 ? 1 : done;
    double course = 1;
    if (o->schedule == PQ_SCHEDULE_LINEAR) {
        course = 1 - done;
    } else if (o->schedule == PQ_SCHEDULE_COSINE) {
        course = 0.5 * (1 + pq_cos(PI * done));
    }
    return o->lr * (o->lr_floor + (1 - o->lr_floor) * course);
}

uint32_t pq_train_rounds_from(const pq_train_options *o) {
    const int32_t quarter = (o->epochs + 3) / 4;
    return (uint32_t)(o->quantise_from ? o->quantise_from : o->epochs - quarter + 1);
}

pq_adam pq_train_step(const pq_train_options *o, double lr) {
    return (pq_adam){.lr = lr,
                     .beta1 = o->beta1,
                     .beta2 = o->beta2,
                     .epsilon = o->epsilon,
                     .weight_decay = o->weight_decay,
                     .l2 = o->l2,
                     .clip = o->clip,
                     .kind = (pq_optimiser_kind)o->optimiser,
                     .ftrl = o->linear_optimiser == PQ_LINEAR_FTRL,
                     .ftrl_alpha = o->ftrl_alpha,
                     .ftrl_beta = o->ftrl_beta,
                     .ftrl_l1 = o->ftrl_l1,
                     .ftrl_l2 = o->ftrl_l2,
                     .dense_rows = o->dense_rows,
                     .max_norm = o->max_norm};
}
