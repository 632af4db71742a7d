/* model.h — what a system is to the rest of the house: one definition per file, one row in models.def.
 *
 * A definition names its hyper-parameters (fields), declares its parameters, and writes its forward
 * passes. Everything else — options, files, training, serving, documentation — follows from it. */
#ifndef PQ_MODEL_H
#define PQ_MODEL_H

#include "base/fields.h"
#include "layers/profile.h"

/* Histories and labels of some users. Which members are set depends on the use: labels and negatives
 * only in training, shares only when an explanation is wanted. */
typedef struct {
    pq_segments history;     /* B segments; oldest first */
    const uint32_t *items;   /* [T] item numbers */
    const uint32_t *profile; /* [B, profile fields] codes; NULL: none known */

    const uint32_t *targets;   /* [B] the item that followed the history */
    uint32_t positions;        /* labels of the whole batch, over all its shards */
    const uint32_t *negatives; /* [n] */
    uint32_t negative_count;
    const pq_real *target_log_q, *negative_log_q; /* [B], [n] log expected counts */

    pq_real *shares; /* NULL or [T, K]: filled with the share of each behaviour in each interest */
} pq_batch;

typedef enum { PQ_TASK_RETRIEVAL } pq_task;

typedef struct pq_model pq_model;

typedef struct {
    const char *name;
    pq_task task;
    const char *summary;
    const pq_field *fields; /* of the struct that `self` points to */
    size_t self_size;
    /* Checks the hyper-parameters against each other and declares every parameter. */
    pique_status (*declare)(pq_model *m);
    /* (1, 1); written `PQ_TRAINING ? loss : NULL`, so that a build that only serves can leave it out */
    pq_var *(*loss)(pq_tape *t, const pq_model *m, const pq_batch *b);
    /* Interests (B * K, D), zero where not in use; live [B] receives how many are. */
    pq_var *(*user)(pq_tape *t, const pq_model *m, const pq_batch *b, uint32_t *live);
} pq_model_def;

struct pq_model {
    pq_ctx *ctx;
    const pq_model_def *def;
    void *self;       /* hyper-parameters, and whatever else the definition keeps */
    pq_params params; /* in the order of declaration */
    pq_items items;
    pq_profile profile;
    uint32_t interests;   /* K, set by declare */
    uint32_t width;       /* D, set by declare */
    uint32_t max_history; /* newest behaviours a user may have, set by declare */
};

/* NULL when there is none of that name. */
const pq_model_def *pq_model_find(const char *name, size_t length);
const pq_model_def *pq_model_at(uint32_t i); /* NULL past the last */

/* A model with the default hyper-parameters of `preset` and nothing declared yet. */
pique_status pq_model_init(pq_model *m, pq_ctx *ctx, const pq_model_def *def, const char *preset);
/* items.rows, items.columns, items.baked and profile.columns are set; `self` holds the options. */
pique_status pq_model_declare(pq_model *m);
void pq_model_free(pq_model *m);

#endif
