/* dataset.h — interactions in memory: users with their events in time order, vocabularies, features.
 *
 * Numbers of items and of category values follow one convention: 0 is PAD (nothing), 1..n are terms,
 * n + 1 is UNKNOWN. Items are numbered by falling count of training events (ties bytewise), which
 * log-uniform sampling needs; category values bytewise.
 *
 * Split: the last event of a user is the test target, the one before it the validation target, the
 * rest is training; users with fewer than three events only train. Counts, popularity and
 * vocabularies come from training events alone. */
#ifndef PQ_DATASET_H
#define PQ_DATASET_H

#include "base/strings.h"
#include "pique_train.h"

/* A file beside the data whose first line says what they are; it goes into `provenance`. */
#define PQ_ABOUT_FILE "about.txt"

typedef struct {
    char *name;        /* column name: "genres" */
    pq_strings terms;  /* value v is term v - 1 */
    uint32_t rows;     /* table rows: terms + 2 */
    uint32_t *offsets; /* [row count of the owner + 1] into values; item features: by item number
                             0..item_rows-1, profile: by user */
    uint32_t *values;  /* a multi-valued column has several per owner; none: empty */
} pq_feature;

struct pique_dataset {
    pq_ctx *ctx;
    pq_strings items;     /* item i is string i - 1 */
    uint32_t item_rows;   /* items.count + 2 */
    uint32_t *popularity; /* [item_rows] training events */

    uint32_t user_count;
    pq_strings users;
    uint64_t *starts; /* [user_count + 1] into events */
    uint32_t *events; /* item numbers, oldest first within a user; UNKNOWN for rare items */
    int64_t *times;   /* seconds, beside events; position for `sequences` */

    pq_feature *item_features;
    uint32_t item_feature_count;
    pq_feature *profile;
    uint32_t profile_count;

    uint64_t bad_rows;
    char *provenance; /* one line: format, name of the folder, counts; for the model's card */
};

/* Takes NULL. */
void pq_dataset_free(pique_dataset *dataset);

typedef enum { PQ_SPLIT_TRAIN, PQ_SPLIT_VALID, PQ_SPLIT_TEST } pq_split;

/* The events of a user that a split may look at as history, and its target: for VALID the training
 * events and the validation target, for TEST training and validation events and the test target; for
 * TRAIN all training events and no target. false when the user has no such target. */
typedef struct {
    const uint32_t *history;
    uint32_t history_count;
    uint32_t target; /* 0 for TRAIN */
} pq_view;

bool pq_dataset_view(const pique_dataset *dataset, uint32_t user, pq_split split, pq_view *out);

#endif
