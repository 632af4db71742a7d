/* dataset.h — interactions in memory: users with their events in time order, vocabularies, features.
 *
 * Numbers of items and of category values follow one convention: 0 is PAD (nothing), 1..n are terms,
 * n + 1 is UNKNOWN. Items are numbered by falling count of training events (ties bytewise), which
 * log-uniform sampling needs; category values bytewise.
 *
 * Split: the last event of a user is the test target, the one before it the validation target, the
 * rest is training; users with fewer than three events only train. Counts, popularity and
 * vocabularies come from training events alone. Items without a training event are known only when they are held out
 * (hold_out.h) or asked for (all_items); they come last, since numbers go by falling count.
 *
 * A labelled data set (for ranking) splits its pairs instead, by one of three rules: `last`, the user's last
 * pair is for test and the one before it for validation, as above; `random`, 8 : 1 : 1 by a hash of the
 * seed; `time`, the oldest 80 percent of all pairs train, the next 10 validate. The history of a pair is
 * what its user liked before it, so it never looks ahead of the pair. Counts and vocabularies come from the
 * pairs that train.
 *
 * A table of labelled rows (format `ctr`) brings a history of its own with every row: `events` holds these one
 * after the other, in the order of the pairs. It may come in a training and a test file: with `file` the test
 * file is for test and a tenth of the other validates; with `file_test` the test file does both. */
#ifndef PQ_DATASET_H
#define PQ_DATASET_H

#include "base/strings.h"
#include "pique_train.h"

/* A file beside the data whose first line says what they are; it goes into `provenance`. */
#define PQ_ABOUT_FILE "about.txt"

/* A column as codes. Where it is numbers, `terms` is empty, `bounds` cut them into buckets, value v is bucket
 * v, and UNKNOWN is what is missing if that has a code of its own; or `bounds` are landmarks of quantiles, which are
 * the values (base/buckets.h). Where it is text, value v is hash v - 1 of the words, and both are empty; where a
 * vector, an owner has the codes of its numbers (base/buckets.h), or none. */
typedef struct {
    char *name;        /* column name: "genres" */
    pq_strings terms;  /* of categories: value v is term v - 1 */
    uint32_t rows;     /* codes: PAD, the values, UNKNOWN */
    uint32_t *offsets; /* [row count of the owner + 1] into values; item features: by item number
                             0..item_rows-1, profile: by user */
    uint32_t *values;  /* a multi-valued column has several per owner; none: empty */

    bool trains_unknown; /* someone (or something) in training has the code UNKNOWN */

    bool is_number;
    bool quantile;
    float *bounds; /* [bound_count], rising */
    uint32_t bound_count;
    float fill;       /* the number that a missing one counts as; NaN: none, it is UNKNOWN */
    uint32_t missing; /* its code */

    char separator; /* of the values of a cell; 0: it is one */
    bool newest;    /* of more than `most` values the last count, else the first */
    uint32_t most;  /* 0: all */
    uint32_t words; /* buckets of the hashes of text; 0: no text */
    uint32_t width; /* numbers of a vector; 0: no vector */

    /* Of the profile, what the file said: cells[cell[user] - 1], 0: nothing. A model encodes it by itself. */
    pq_strings cells;
    uint32_t *cell; /* [user_count] */
} pq_feature;

typedef enum { PQ_SPLIT_TRAIN, PQ_SPLIT_VALID, PQ_SPLIT_TEST } pq_split;

/* A labelled pair of a user and an item, for ranking. */
typedef struct {
    uint32_t user;
    uint32_t first, history; /* events[first] .. events[first + history - 1] came before it */
    uint32_t item;
    uint8_t label; /* 0 or 1 */
    uint8_t split; /* pq_split */
} pq_labelled;

/* A user liked an item that is held out. */
typedef struct {
    uint32_t user, item;
} pq_held;

struct pique_dataset {
    pq_ctx *ctx;
    pq_strings items;     /* item i is string i - 1 */
    uint32_t item_rows;   /* items.count + 2 */
    uint32_t held_seed;   /* of the choice of the items that are held out */
    uint32_t *popularity; /* [item_rows] training events */

    uint32_t user_count;
    pq_strings users;
    uint64_t *starts; /* [user_count + 1] into events */
    uint32_t *events; /* item numbers, oldest first within a user; UNKNOWN for rare items */
    int64_t *times;   /* beside events: seconds, or when not `timed` positions */
    bool timed;

    /* Opened with `labelled`: every rated or labelled pair, by user, then time; `events` hold the liked
     * ones alone, or the histories of the rows of a table. NULL otherwise. */
    pq_labelled *labelled;
    uint64_t labelled_count;
    uint32_t *negatives; /* beside events: an item that was not liked; NULL: not known */
    bool test_validates; /* the pairs of the test split are those that validate */

    /* Items that are held out of everything else (hold_out.h), and who liked them, by user. */
    bool *is_held; /* [item_rows] NULL: none is */
    pq_held *held;
    uint64_t held_count;
    double held_share; /* 0: none is */

    pq_feature *item_features;
    uint32_t item_feature_count;
    pq_feature *profile;
    uint32_t profile_count;

    uint64_t bad_rows;
    char *provenance; /* one line: format, name of the folder, counts; for the model's card */
};

/* Takes NULL. */
void pq_dataset_free(pique_dataset *dataset);

/* What provenance says of the items that are held out, for pq_free: " 0.1 of the items held out (seed 1)"; NULL when memory
 * is short. */
char *pq_dataset_held_text(const pique_dataset *dataset);

/* The events of a user that a split may look at as history, and its target: for VALID the training
 * events and the validation target, for TEST training and validation events and the test target; for
 * TRAIN all training events and no target. false when the user has no such target. */
typedef struct {
    const uint32_t *history;
    const int64_t *times; /* of the history, in seconds; NULL: not known */
    uint32_t history_count;
    uint32_t target; /* 0 for TRAIN */
} pq_view;

bool pq_dataset_view(const pique_dataset *dataset, uint32_t user, pq_split split, pq_view *out);
/* What came before a labelled pair. No target. */
pq_view pq_dataset_pair_view(const pique_dataset *dataset, const pq_labelled *pair);
/* Whether the pair is one of the split; a pair of the test split may validate, too. */
bool pq_dataset_pair_in(const pique_dataset *dataset, const pq_labelled *pair, pq_split split);

#endif
