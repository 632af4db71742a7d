/* pique_train.h — the native half of Pique: files, data sets, training, evaluation, export.
 * Native builds only; the WebAssembly build holds what pique.h declares.
 *
 * Nothing here prints or exits: progress and warnings reach the caller through pique_listener.
 * Threads: training and evaluation call the context's allocator from several threads at once, unless
 * they are asked for one thread. */
#ifndef PIQUE_TRAIN_H
#define PIQUE_TRAIN_H

#include "pique.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *phase; /* "train", "eval", … */
    uint64_t done;     /* units of the phase finished, of `total` */
    uint64_t total;
    double seconds; /* since the phase began */
    double value;   /* loss of the last step, or the metric at the end of an evaluation */
    uint32_t epoch;
} pique_progress;

typedef struct {
    void (*progress)(void *user, const pique_progress *progress); /* may be NULL */
    void (*log)(void *user, const char *line);                    /* may be NULL; no newline */
    bool (*cancelled)(void *user);                                /* may be NULL */
    void *user;
} pique_listener;

/* ---- files ---- */

/* Opens a model file (gzip or plain container). */
PIQUE_API PIQUE_CHECKED pique_status pique_model_read(pique_context *ctx, const char *path,
                                                      pique_model **out);
/* Writes the model at `path` again under `out` with its item rows in blocks of `block_rows`, a multiple of 32,
 * so that a page can recommend before it has all of them (pique.h, files of blocks). The first block holds
 * the most popular items, the others similar ones; items are numbered anew in that order, so of two items
 * with equal scores another may stand first. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_write_blocks(pique_context *ctx, const char *path,
                                                              uint32_t block_rows, const char *out);

/* ---- data sets ---- */

typedef struct pique_dataset pique_dataset;

typedef struct {
    const char *path;   /* a file or a directory */
    const char *format; /* "auto", "csv", "ctr", "movielens", "recbole", "sequences" */
    uint32_t min_count; /* items with fewer training events become UNKNOWN */
    double min_rating;  /* events rated lower are dropped; 0 keeps all */
    bool strict;        /* a bad row is an error instead of a counted warning */
    /* For models that rank: rows keep their labels instead of being dropped or taken as events. */
    bool labelled;
    double
        label_rating; /* a rating from here on is label 1 (default 4); a label column stands as it is */
    /* Of the labelled pairs: "last", "random", "time"; of tables with a test file also "file" (it is for test,
     * a tenth of the rest validates) and "file_test" (it validates, too); "auto": "file" or else "last". */
    const char *split;
    uint32_t split_seed; /* of "random" and "file" */
    /* Of every item's events, this share of the items (by a hash of their ids and the seed) is kept from training
     * entirely: the items are known, but stand in no history and no split. 0: none. */
    double hold_out_items;
    uint32_t hold_out_seed;
    bool all_items; /* items of the items' table that no training event has are known, too */
    const char
        *schema; /* a file that says what columns are; NULL: schema.json beside the data, if any */
} pique_dataset_options;

typedef struct {
    uint32_t users;
    uint32_t items; /* in the vocabulary: seen at least min_count times in training */
    uint64_t events;
    uint64_t bad_rows;
    uint32_t item_fields;    /* categories beside the id */
    uint32_t profile_fields; /* of the users */
    uint64_t labelled;       /* pairs, of which so many have label 1 */
    uint64_t liked;
} pique_dataset_summary;

PIQUE_API void pique_dataset_options_default(pique_dataset_options *options);
PIQUE_API PIQUE_CHECKED pique_status pique_dataset_open(pique_context *ctx,
                                                        const pique_dataset_options *options,
                                                        const pique_listener *listener,
                                                        pique_dataset **out);
PIQUE_API void pique_dataset_free(pique_dataset *dataset);
PIQUE_API pique_dataset_summary pique_dataset_describe(const pique_dataset *dataset);

/* ---- training ---- */

typedef struct {
    const char *model;       /* registry name: "mind" */
    const char *preset;      /* "best", "seed", "paper", or one of the model's own */
    const char *config_path; /* NULL or a JSON object of key: value */
    const char *const *set;  /* "key=value", applied after preset and config */
    uint32_t set_count;
    const char *out;  /* the RUN directory */
    uint32_t threads; /* 0: one per processor */
    uint32_t seed;
    bool resume; /* continue RUN/last.ckpt bit for bit */
    /* NULL, or the RUN directory or the .ckpt file of another run of the same model and shapes, whose weights
     * this one starts with; moments, epochs and learning rate start anew. Not read when resuming. */
    const char *init;
    /* NULL, or a file whose vectors of items (`item.weight`, joined by id) are the first rows of the table of items;
     * options init.scale, init.freeze. Not read when resuming. PIQUE_DATA: they have another width. */
    const char *init_items;
    /* NULL, or model files joined by ',': teachers of the same task, whose softened scores the model learns
     * beside the labels (options kd.*). Items are joined by their ids: a label that not every teacher knows is
     * learnt from the label alone, an item of a slate that not every one knows is left out of it.
     * PIQUE_ARGUMENT: a teacher of the other task, that knows less than half of the items, or that takes a
     * profile field that the data have not. */
    const char *teacher;
    /* NULL, or a safetensors file with rows of the items, for models that take them (mmrec: tokens, regions, boxes);
     * its item.ids say whose they are. Items that it lacks have none, which the listener is told.
     * PIQUE_CORRUPT, PIQUE_DATA: file, tensor and reason. PIQUE_ARGUMENT: the model takes none, or needs one. */
    const char *side;
} pique_train_options;

typedef struct {
    uint32_t epochs;
    uint32_t best_epoch;
    double best_metric; /* validation metric of the model kept in RUN/model.pique */
    double seconds;
    double train_seconds; /* of them in steps, not in evaluation and files */
    uint64_t peak_bytes;  /* most memory that the process has had in use */
} pique_train_result;

PIQUE_API void pique_train_options_default(pique_train_options *options);
/* Reads model, preset, config file and settings and throws them away: so that a mistake in them is told
 * before a large data set is read. */
PIQUE_API PIQUE_CHECKED pique_status pique_train_check(pique_context *ctx,
                                                       const pique_train_options *options);
PIQUE_API PIQUE_CHECKED pique_status pique_train(pique_context *ctx, const pique_dataset *dataset,
                                                 const pique_train_options *options,
                                                 const pique_listener *listener,
                                                 pique_train_result *result);

/* "retrieval" or "ranking"; NULL when there is no such model. A model that ranks needs a labelled data
 * set to train and to be evaluated on. */
PIQUE_API const char *pique_train_task(const char *model);

/* A JSON array of the models with their task, fields (name, type, default, range, help) and the presets of their own
 * (name, and the settings over those of "seed") and the tensors that they take from a side file, and under "training" the fields of the training loop. Release with
 * pique_release. */
PIQUE_API PIQUE_CHECKED pique_status pique_models_json(pique_context *ctx, char **out);

/* ---- pretraining ---- */

typedef struct {
    const char *out;     /* the .pique file */
    const char *columns; /* of the items, joined by ','; NULL: all, "": none */
    const char
        *features;      /* NULL, or a safetensors file of further features, joined by `item.ids` */
    const char *preset; /* "best", "seed", "paper" */
    const char *const *set; /* "key=value", over the preset */
    uint32_t set_count;
    uint32_t threads; /* 0: one per processor */
    uint32_t seed;
} pique_pretrain_options;

typedef struct {
    uint32_t items;
    uint64_t links;                  /* between two items each */
    uint32_t isolated;               /* items without a link */
    uint32_t bare;                   /* items without a feature */
    double graph_loss, feature_loss; /* of the last epoch */
    double
        link_auc; /* how well cosines tell links of held nodes from pairs without one; NaN: none is held */
    double seconds;
    uint64_t peak_bytes;
} pique_pretrain_result;

PIQUE_API void pique_pretrain_options_default(pique_pretrain_options *options);
PIQUE_API PIQUE_CHECKED pique_status pique_pretrain_check(pique_context *ctx,
                                                          const pique_pretrain_options *options);
/* Makes vectors of items from what is known of them and from the graph of items that users have in common in training
 * (PMGT). Items without events have theirs from features alone, so open the data set with `all_items`. The file is a model
 * that retrieves: a history is the mean of its items; and init_items of a training takes it. */
PIQUE_API PIQUE_CHECKED pique_status pique_pretrain(pique_context *ctx,
                                                    const pique_dataset *dataset,
                                                    const pique_pretrain_options *options,
                                                    const pique_listener *listener,
                                                    pique_pretrain_result *result);

/* ---- evaluation ---- */

#define PIQUE_MOST_MODELS 8 /* of an ensemble, of teachers */
#define PIQUE_MAX_CUTOFFS 8
#define PIQUE_BUCKETS 3 /* head, middle, tail */

typedef struct {
    /* "valid" or "test"; "cold-items": the items that the data set holds out, by users' training histories;
     * "cold-users": the test targets without any history, by profile alone. */
    const char *split;
    uint32_t cutoffs[PIQUE_MAX_CUTOFFS];
    uint32_t cutoff_count;
    uint32_t threads; /* 0: one per processor */
    bool baselines;   /* popularity and item-kNN beside the model */
    bool with_seen;   /* items of the history stay in the ranking and in the lists */
    uint32_t
        sampled; /* rank the target among so many drawn items; 0: among all. The figures are not
                          comparable with those of full ranking */
    bool lists;  /* coverage, Gini, novelty and diversity, which take the lists of all users */
    /* Models that are asked together with the one that is measured, which do the same task: an ensemble, as teachers
     * of distillation are. It scores by the mean of their softmax over the items of the data set that all of them
     * know, or of their chances where they rank. Not on "cold-users", where models that retrieve have no say. */
    const pique_model *const *others;
    uint32_t other_count;           /* less than PIQUE_MOST_MODELS */
    const pique_listener *listener; /* may be NULL */
} pique_eval_options;

/* Means over the users with a target, at each cut-off K. One target a user: the hit rate is the recall,
 * and the mean average precision at K is mrr_at. */
typedef struct {
    double recall[PIQUE_MAX_CUTOFFS];
    double ndcg[PIQUE_MAX_CUTOFFS];
    double mrr_at[PIQUE_MAX_CUTOFFS]; /* reciprocal rank within the first K */
    /* With `lists`, over the first K items of every user: */
    double coverage[PIQUE_MAX_CUTOFFS]; /* share of the catalogue in anyone's list */
    double gini[PIQUE_MAX_CUTOFFS];     /* of how often items are listed; 0: all alike */
    double novelty[PIQUE_MAX_CUTOFFS];  /* bits: -log2 of the items' share of the training events */
    double
        diversity[PIQUE_MAX_CUTOFFS]; /* 1 - cosine of who has the items, over the pairs of a list;
                                            NaN when no list has two items */
    /* Of the users whose target is in a bucket; NaN for none. The head is the most popular items that make
     * up the first third of the training events, the tail those behind the second third. */
    double bucket_recall[PIQUE_BUCKETS][PIQUE_MAX_CUTOFFS];
    double bucket_ndcg[PIQUE_BUCKETS][PIQUE_MAX_CUTOFFS];
    double mrr; /* over the whole ranking */
    double seconds;
} pique_metrics;

/* Of items that were held out of training: means over the users who took one and have a history. */
typedef struct {
    uint32_t users;
    uint32_t items;   /* held out */
    uint32_t unknown; /* of them, that the model does not know */
    double
        recall[PIQUE_MAX_CUTOFFS]; /* share of a user's held-out items in the first K of them all */
    double
        recall_of_all[PIQUE_MAX_CUTOFFS]; /* in the first K of all items but those of the history */
    double chance[PIQUE_MAX_CUTOFFS];     /* `recall` of a list drawn by lot */
    double seconds;
} pique_cold_items;

/* Of models that rank, over the labelled pairs of the split. */
typedef struct {
    double auc; /* chance that a pair with label 1 stands above one with label 0; ties count half */
    double
        gauc; /* mean of the users' AUC, weighted by their pairs; users with one label are left out */
    double
        top1; /* share of users whose best pair has label 1, those with one label left out; of equal
                    best ones the mean */
    double logloss;  /* mean of -log of the probability given to the label */
    double accuracy; /* at probability 0.5 */
    double ece;      /* expected calibration error over 10 equal bins of probability */
    double seconds;
} pique_label_metrics;

typedef struct {
    uint32_t users;
    uint32_t bucket_users[PIQUE_BUCKETS]; /* whose target is in the bucket */
    uint32_t bucket_items[PIQUE_BUCKETS];
    uint64_t peak_bytes; /* most memory that the process has had in use */
    pique_metrics model;
    pique_metrics popularity;
    pique_metrics item_knn;
    /* Set instead of the above when the model ranks; popularity gives each item its training pairs' share of
     * label 1. */
    bool ranking;
    bool of_cold_items; /* `cold` is set instead of the above */
    pique_cold_items cold;
    uint64_t pairs;
    pique_label_metrics labels;
    pique_label_metrics label_popularity;
} pique_eval_result;

PIQUE_API void pique_eval_options_default(pique_eval_options *options);
/* By default full ranking over all items except those of the user's history; ties count against the
 * target. Sampled negatives are distinct, uniform, neither the target nor (unless with_seen) of the
 * history, and the same for model and baselines. The figures do not depend on the number of threads. */
PIQUE_API PIQUE_CHECKED pique_status pique_evaluate(pique_context *ctx, const pique_model *model,
                                                    const pique_dataset *dataset,
                                                    const pique_eval_options *options,
                                                    pique_eval_result *result);

/* How many threads may look through a large catalogue for a recommendation (one unless told; 0: one per
 * processor). The lists do not depend on it. */
PIQUE_API void pique_context_set_threads(pique_context *ctx, uint32_t threads);
/* ---- export ---- */

typedef struct {
    /* How item rows are stored: "f32", "f16", "int8", "int4" (a scale for each 32 columns), "pq8", "pq16", "pq32"
     * (that many bytes of codes an item), or "pq8+int8", ..., where the codes find and the rows score. NULL: the
     * smallest file whose loss is at most `target_loss`. */
    const char *quant;
    /* The other parameters: "f32", "f16" or "int8"; NULL: f32 beside f32 rows, else f16. */
    const char *dense;
    /* Its validation split measures the loss, and codes are fitted to the interests that its training events
     * give. NULL: nothing is measured, and codes are fitted to the item vectors alone. */
    const pique_dataset *dataset;
    double target_loss; /* .01: one percent of the metric */
    const char *metric; /* "ndcg@K", "recall@K", "mrr@K", "auc", "gauc"; NULL: ndcg@10, or auc where
                           the model ranks */
    uint32_t threads;   /* 0: one per processor */
    const pique_listener *listener; /* may be NULL */
} pique_export_options;

#define PIQUE_EXPORT_TRIALS 10

typedef struct {
    char scheme[16];
    uint64_t bytes; /* of the file */
    double metric;
    double loss; /* 1 - metric / that of the file exported from */
} pique_export_trial;

typedef struct {
    char metric[24]; /* "": nothing was measured */
    double before;   /* the metric of the file exported from */
    uint32_t trial_count;
    pique_export_trial trials[PIQUE_EXPORT_TRIALS]; /* by rising bytes; the last one was written */
    bool
        blind; /* codes were fitted to the item vectors alone: there were no data to tell where interests lie */
} pique_export_result;

PIQUE_API void pique_export_options_default(pique_export_options *options);
/* Writes the model at `path` again under `out`. Written aside and renamed: a failure leaves nothing behind. The
 * bytes depend on file, data and options alone. PIQUE_UNSUPPORTED: the model's width does not allow the scheme,
 * its rows are narrower already, or codes are asked of a model that only ranks. */
PIQUE_API PIQUE_CHECKED pique_status pique_model_export(pique_context *ctx, const char *path,
                                                        const pique_export_options *options,
                                                        const char *out,
                                                        pique_export_result *result);

/* ---- models of content ---- */

typedef struct {
    const char *items; /* items.csv, whose first row names the columns */
    const char *out;   /* the .pique file */
    const char *id;    /* column of ids; NULL: "id", "item" or "url" */
    /* Columns of what items are about, several joined by ','; NULL: "title", "text" and "tags", as far as there are
     * such. HTML in titles and texts is stepped over; tags are joined by '|', ',' or ';'. */
    const char *title, *text, *tags;
    const char *
        popularity; /* column of numbers: people of whom nothing is known see the largest first; NULL: the column
                               "popularity" when there is one, else the order of the rows */
    uint32_t dim;       /* width of the vectors */
    uint32_t interests; /* most interests that a history is divided into */
    uint32_t seed;
} pique_content_options;

typedef struct {
    uint32_t items;
    uint32_t terms;     /* words and tags that several items have */
    uint32_t unrelated; /* items without any of them: nothing is near them */
    uint32_t not_utf8;  /* items whose texts are no valid UTF-8; what is not ends a word */
} pique_content_result;

PIQUE_API void pique_content_options_default(pique_content_options *options);
/* Writes a model that retrieves, made of texts and tags alone: related items, and what is near a reader's history. The
 * bytes depend on table and options alone. PIQUE_DATA names file and line of a row without an id or with one that was
 * there before. */
PIQUE_API PIQUE_CHECKED pique_status pique_content(pique_context *ctx,
                                                   const pique_content_options *options,
                                                   pique_content_result *result);

/* ---- simulation ---- */

typedef struct {
    const char *catalog; /* items.csv: item,title,… with category columns joined by '|' */
    const char *out; /* directory that receives items.csv, interactions.csv, truth.csv, about.txt */
    const char *columns; /* category columns that interests are made of: "genre,director,…" or NULL
                            for all but item, title and popularity */
    const char *popularity; /* column with a number that grows with popularity; NULL: the column
                               "popularity" when there is one, else the order of the rows */
    uint32_t users;
    uint32_t interests; /* most interests a viewer has: 1..interests */
    uint32_t seed;
} pique_simulate_options;

PIQUE_API void pique_simulate_options_default(pique_simulate_options *options);
PIQUE_API PIQUE_CHECKED pique_status pique_simulate(pique_context *ctx,
                                                    const pique_simulate_options *options,
                                                    const pique_listener *listener);

/* Images of digits, drawn from strokes that are scaled, slanted, turned and moved at random. */
typedef struct {
    const char *out; /* directory that receives users.csv (the image, a vector of size * size
                        numbers), interactions.csv, schema.json and about.txt */
    uint32_t count;
    uint32_t size;   /* side of an image, 8 to 64 */
    uint32_t rotate; /* turned by up to so many degrees each way, 0 to 180 */
    uint32_t slant;  /* slanted by up to so many percent of the height each way, 0 to 100 */
    uint32_t seed;
} pique_digits_options;

PIQUE_API void pique_digits_options_default(pique_digits_options *options);
/* Labelled pairs for models that rank: for every image the ten digits as items, of which one is right. */
PIQUE_API PIQUE_CHECKED pique_status pique_digits(pique_context *ctx,
                                                  const pique_digits_options *options,
                                                  const pique_listener *listener);

#ifdef __cplusplus
}
#endif
#endif
