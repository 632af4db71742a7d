#include "native/train/options.h"

#include "base/number.h"

#define PI 3.14159265358979323846
#define AT(member) offsetof(pq_train_options, member)

const pq_field pq_train_fields[] = {
    PQ_FIELD("epochs", AT(epochs), "int 0 100000", "20", NULL, NULL,
             "passes over the users; 0: none, the weights of --init as they are"),
    PQ_FIELD("pretrain", AT(pretrain), "int 0 100000", "0", NULL, NULL,
             "epochs before those, of models that train in two stages: the first stage's"),
    PQ_FIELD("batch", AT(batch), "int 1 1048576", "512", "256", "256", "labels in a batch"),
    PQ_FIELD("samples_per_user", AT(samples_per_user), "int 0 1048576", "20", "0", "0",
             "labels drawn from each user per epoch; 0: every event"),
    PQ_FIELD("around", AT(around), "real 0 1", "0.3", "0", "0",
             "share of labels whose history is the nearest events on both sides instead of those "
             "before"),
    PQ_FIELD("history_dropout", AT(history_dropout), "real 0 1", "0", NULL, NULL,
             "models that take a profile: share of labels whose history is hidden, so that people "
             "without one are served by what training saw"),
    PQ_FIELD(
        "supervision", AT(supervision), "prefix,all,last", "prefix", NULL, NULL,
        "labels: drawn events with what came before each, every event of the newest window, or the "
        "newest event alone"),
    PQ_FIELD("loss", AT(loss), "sampled_softmax,softmax,bce,bpr,gbce", "sampled_softmax", NULL,
             NULL, "against shared negatives, the whole catalogue, or each label's own negatives"),
    PQ_FIELD("label_smoothing", AT(label_smoothing), "real 0 0.999", "0", NULL, NULL,
             "softmax: share of the label that is spread over all items"),
    PQ_FIELD("pair_negatives", AT(pair_negatives), "int 1 4096", "1", NULL, NULL,
             "bce, bpr, gbce: negatives of each label, none of which its user has"),
    PQ_FIELD("gbce_beta", AT(gbce_beta), "real 0 1", "1", NULL, NULL,
             "gbce: the power of the positive's probability"),
    PQ_FIELD("negatives", AT(negatives), "int 1 1048576", "2000", "2560", "2560",
             "items drawn for each batch and shared by its labels"),
    PQ_FIELD("sampler", AT(sampler), "popularity,log_uniform,uniform,in_batch", "popularity",
             "log_uniform", "log_uniform",
             "how negatives are drawn, with replacement; in_batch: the other labels of the batch"),
    PQ_FIELD("negative_power", AT(negative_power), "real 0 2", "0.75", NULL, NULL,
             "popularity sampler: chance proportional to count^power"),
    PQ_FIELD("lr", AT(lr), "real 0 10", "0.003", "0.001", "0.001", "learning rate"),
    PQ_FIELD("schedule", AT(schedule), "constant,linear,cosine,step,plateau", "cosine", "constant",
             "constant", "course of the learning rate after the warm-up"),
    PQ_FIELD("lr_factor", AT(lr_factor), "real 0 1", "0.5", NULL, NULL,
             "step, plateau: the learning rate is multiplied by it"),
    PQ_FIELD("lr_every", AT(lr_every), "int 1 100000", "10", NULL, NULL,
             "step: every so many epochs; plateau: after so many evaluations without improvement"),
    PQ_FIELD("warmup", AT(warmup), "int 0 1073741824", "0", NULL, NULL,
             "steps over which the learning rate rises"),
    PQ_FIELD("lr_floor", AT(lr_floor), "real 0 1", "0.02", NULL, NULL,
             "share of the learning rate that the schedule ends at"),
    PQ_FIELD("optimiser", AT(optimiser), "adam,adagrad", "adam", NULL, NULL,
             "what moves the weights"),
    PQ_FIELD("linear_optimiser", AT(linear_optimiser), "same,ftrl", "same", NULL, NULL,
             "what moves the linear weights of fields and of pairs of fields"),
    PQ_FIELD("ftrl_alpha", AT(ftrl_alpha), "real 1e-6 1000", "0.1", NULL, NULL,
             "ftrl: its learning rate"),
    PQ_FIELD("ftrl_beta", AT(ftrl_beta), "real 0 1000", "1", NULL, NULL,
             "ftrl: the larger, the slower the first steps"),
    PQ_FIELD("ftrl_l1", AT(ftrl_l1), "real 0 1000", "0", NULL, NULL,
             "ftrl: weights whose sum of gradients stays within it are zero"),
    PQ_FIELD("ftrl_l2", AT(ftrl_l2), "real 0 1000", "0", NULL, NULL,
             "ftrl: pulls weights towards zero"),
    PQ_FIELD(
        "dense_rows", AT(dense_rows), "bool", "0", NULL, NULL,
        "every row of an embedding table moves in every step, not only the rows that were touched"),
    PQ_FIELD("item_ids", AT(item_ids), "bool", "1", NULL, NULL,
             "items have vectors of their own; 0: only those of their columns"),
    PQ_FIELD("max_norm", AT(max_norm), "real 0 1e9", "0", NULL, NULL,
             "longest row of an embedding table; 0: no limit"),
    PQ_FIELD("weight_decay", AT(weight_decay), "real 0 10", "0", NULL, NULL,
             "AdamW: decay per unit of learning rate; embedding rows decay when they are touched"),
    PQ_FIELD("l2", AT(l2), "real 0 10", "0", NULL, NULL,
             "share of each weight that is added to its gradient; embedding rows' when they are "
             "touched"),
    PQ_FIELD("beta1", AT(beta1), "real 0 0.9999", "0.9", NULL, NULL, "Adam's first moment"),
    PQ_FIELD("beta2", AT(beta2), "real 0 0.99999", "0.999", NULL, NULL, "Adam's second moment"),
    PQ_FIELD("epsilon", AT(epsilon), "real 1e-30 1", "1e-8", NULL, NULL, "Adam's epsilon"),
    PQ_FIELD("clip", AT(clip), "real 0 1e9", "0", NULL, NULL,
             "largest norm of the whole gradient; 0: no limit"),
    PQ_FIELD(
        "quantise", AT(quantise), "none,int4,pq8,pq16,pq32", "none", NULL, NULL,
        "training aware of quantisation: scores and behaviours see item vectors as this scheme of "
        "`pique "
        "export` gives them back"),
    PQ_FIELD("quantise_from", AT(quantise_from), "int 0 100000", "0", NULL, NULL,
             "quantise: first epoch with it; 0: the last quarter of the epochs"),
    PQ_FIELD("kd.temperature", AT(kd_temperature), "real 0.01 1000", "4", NULL, NULL,
             "with a teacher: what its scores and the model's are divided by"),
    PQ_FIELD("kd.alpha", AT(kd_alpha), "real 0 1", "0.7", NULL, NULL,
             "with a teacher: the weight of what it says; that of the labels is 1 - alpha"),
    PQ_FIELD("kd.kappa", AT(kd_kappa), "real 0 1000", "1", NULL, NULL,
             "with a teacher: a further factor of what it says, beside alpha temperature^2"),
    PQ_FIELD("kd.reduction", AT(kd_reduction), "labels,elements", "labels", NULL, NULL,
             "with a teacher: the mean over the labels of sums over their items, or over all "
             "elements"),
    PQ_FIELD("init.scale", AT(init_scale), "real 0 1000", "1", NULL, NULL,
             "with rows of items from a file: what they are multiplied by"),
    PQ_FIELD("init.freeze", AT(init_freeze), "bool", "0", NULL, NULL,
             "the items' own rows stay as they begin"),
    PQ_FIELD("eval_every", AT(eval_every), "int 1 100000", "2", NULL, NULL,
             "epochs between evaluations on the validation targets"),
    PQ_FIELD("patience", AT(patience), "int 0 100000", "0", NULL, NULL,
             "evaluations without improvement before training stops; 0: never"),
    PQ_FIELD("metric", AT(metric), "recall,ndcg,mrr,auc,gauc,logloss,top1", "recall", NULL, NULL,
             "validation metric that picks the model to keep; the last four for models that rank"),
    PQ_FIELD("cutoff", AT(cutoff), "int 1 10000", "50", NULL, NULL,
             "K of that metric (recall@K, ndcg@K)"),
    PQ_FIELD("checkpoint_seconds", AT(checkpoint_seconds), "real 0 1e9", "30", NULL, NULL,
             "longest time between checkpoints; one is written after every evaluation in any case"),
    {.name = NULL},
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
