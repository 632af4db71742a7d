/* model.h — what a system is to the rest of the house: one definition per file, one row in models.def.
 *
 * A definition names its hyper-parameters (fields), declares its parameters, and writes its forward
 * passes. Everything else — options, files, training, serving, documentation — follows from it. */
#ifndef PQ_MODEL_H
#define PQ_MODEL_H

#include "base/fields.h"
#include "layers/profile.h"

/* What a teacher says of the labels of a batch, beside the labels themselves: a row's loss is `hard` times
 * that of its label plus alpha kappa times that of the teacher's distribution. P, C as in pq_batch. */
typedef struct {
    double alpha, kappa, temperature;
    bool by_slate;         /* the mean over the items of a slate instead of the sum */
    const pq_real *taught; /* [P] or [C]: 0 where no teacher can tell, else 1 */
    const pq_real *hard;   /* [P] or [C]: 1 - alpha, 1 where no teacher can tell */
    pq_ask_logits *ask;    /* retrieval: of the items of the labels' slates */
    void *user;
    const pq_real *labels; /* [C] ranking: softened chances of label 1 */
    double *part;          /* the teacher's part of the loss is added to it */
} pq_soft;

/* Histories of some users, and what is asked about them. Which members are set depends on the use: labels
 * and negatives only in training, candidates only in ranking, shares only when an explanation is wanted. */
typedef struct {
    pq_segments history;     /* B segments; oldest first */
    const uint32_t *items;   /* [T] item numbers */
    const pq_codes *profile; /* NULL: none known */

    uint32_t label_count;       /* P */
    const uint32_t *targets;    /* [P] the item that followed */
    const uint32_t *label_rows; /* [P] row of the history after which it did, rising */
    uint32_t positions;         /* labels of the whole batch, over all its shards */

    const uint32_t *negatives; /* [n], shared by the batch */
    uint32_t negative_count;
    const pq_real *target_log_q, *negative_log_q; /* [P], [n] log expected counts */
    const uint32_t *pair_negatives;               /* [P, pair_count] of each label's own */

    uint32_t candidate_count;        /* C: pairs of a user and an item to be scored */
    const uint32_t *candidates;      /* [C] item numbers */
    const uint32_t *candidate_users; /* [C] the segment of each, rising */
    const pq_real *candidate_labels; /* [C] 0 or 1, in training */

    const pq_soft *soft; /* NULL: no teacher */

    const int64_t *times; /* NULL (not known) or [T] seconds */
    const uint32_t
        *history_negatives; /* NULL or [T] an item the user did not like, for each behaviour */

    pq_real *shares; /* NULL or [T, K]: filled with the share of each behaviour in each interest */
} pq_batch;

/* Which events of a user are labels. PREFIX: some, each with the events before it as its history, and
 * the label belongs to the whole segment. ALL: every event of the newest window but its first, each
 * predicted from the rows before it. LAST: the newest event alone, as in PREFIX. */
typedef enum { PQ_SUPERVISE_PREFIX, PQ_SUPERVISE_ALL, PQ_SUPERVISE_LAST } pq_supervision;

typedef enum { PQ_LOSS_SAMPLED, PQ_LOSS_SOFTMAX, PQ_LOSS_BCE, PQ_LOSS_BPR, PQ_LOSS_GBCE } pq_loss;

/* Set by the training loop; see its options for the meaning. */
typedef struct {
    pq_loss kind;
    uint32_t pair_count; /* negatives of each label in the pair losses */
    double smoothing, beta;
} pq_loss_options;

/* RETRIEVAL learns which item follows and finds it by inner products with interests; RANKING learns a label
 * of (user, item) pairs and scores the candidates that it is given. */
typedef enum { PQ_TASK_RETRIEVAL, PQ_TASK_RANKING } pq_task;

typedef struct pq_model pq_model;

/* A preset beside the three that every model has: the values of `seed`, then "key=value key=value" of the model and
 * of training over them. */
typedef struct {
    const char *name; /* NULL ends a list */
    const char *settings;
} pq_preset;

/* Rows of items that training takes from a side file (layers/item_rows.h). */
typedef struct {
    const char *name; /* of the tensor; NULL ends a list */
    uint32_t width;   /* 0: any */
    const char
        *beside; /* NULL, or it may be absent, and has as many rows of each item as this one */
} pq_side_def;

#define PQ_MOST_SIDE 4

typedef struct {
    const char *name;
    pq_task task;
    const char *summary;
    const pq_field *fields; /* of the struct that `self` points to */
    /* "key=value key=value": how the training options of a preset differ for this model; NULL: not */
    const char *training_best, *training_seed, *training_paper;
    const pq_preset *presets; /* NULL: none; written `PQ_TRAINING ? presets : NULL` */
    /* NULL: none; at most PQ_MOST_SIDE. declare finds them in that order in items.side. */
    const pq_side_def *side;
    /* Whether a state is defined after every row, so that every event can be a label. */
    bool causal;
    bool history_negatives; /* training wants a negative for each behaviour */
    bool positives;         /* training looks at pairs of label 1 alone */
    bool pretrains;         /* `loss` is another one while the model is `pretraining` */
    size_t self_size;
    /* Checks the hyper-parameters against each other and declares every parameter. */
    pique_status (*declare)(pq_model *m);
    /* (1, 1); written `PQ_TRAINING ? loss : NULL`, so that a build that only serves can leave it out. NULL
     * in ranking: the log loss of `score` alone. */
    pq_var *(*loss)(pq_tape *t, const pq_model *m, const pq_batch *b);
    /* Interests (B * K, D), zero where not in use; live [B] receives how many are. NULL: the model has
     * none, so it can only rank. */
    pq_var *(*user)(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live);
    /* Log-odds (C, 1) of the candidates. What does not depend on a candidate is computed once per segment
     * and handed out with pq_op_select_rows. NULL: the best inner product over the interests. */
    pq_var *(*score)(pq_tape *t, const pq_model *m, const pq_batch *b);
} pq_model_def;

struct pq_model {
    pq_ctx *ctx;
    const pq_model_def *def;
    void *self;       /* hyper-parameters, and whatever else the definition keeps */
    pq_params params; /* in the order of declaration */
    pq_items items;
    pq_profile profile;
    uint32_t interests;   /* K, set by declare; 1 for models that only rank */
    uint32_t width;       /* D, set by declare */
    uint32_t max_history; /* newest behaviours a user may have, set by declare */
    /* Set by declare: in how many parts a batch is computed, at most; 0: as many as there are. A model that
     * normalises over the batch wants few, since each part has statistics of its own. */
    uint32_t batch_parts;
    pq_loss_options loss;
    /* Set by the training loop: how many epochs pretrain, and whether this is one of them. */
    uint32_t pretrain;
    bool pretraining;
};

/* batch_parts of models that normalise over the batch. */
#define PQ_NORMALISING_PARTS 2

/* "retrieval", "ranking" */
const char *pq_task_name(pq_task task);
/* NULL when there is none of that name. */
const pq_model_def *pq_model_find(const char *name, size_t length);
const pq_model_def *pq_model_at(uint32_t i); /* NULL past the last */

/* A model with the default hyper-parameters of `preset` and nothing declared yet. */
pique_status pq_model_init(pq_model *m, pq_ctx *ctx, const pq_model_def *def, const char *preset);
/* items.rows, items.columns, items.baked and profile.columns are set; `self` holds the options. */
pique_status pq_model_declare(pq_model *m);
void pq_model_free(pq_model *m);
/* The loss that training minimises, (1, 1). Not in builds that only serve. */
pq_var *pq_model_loss(pq_tape *t, const pq_model *m, const pq_batch *b);

#endif
