/* lists.h — what the lists of recommendations look like, whether or not they are right. For a cut-off K,
 * over the first K items of each user's list, with I items in the scorer's catalogue:
 *
 *   coverage   items that stand in anyone's list / I
 *   gini       sum over i = 1..I of (2 i - I - 1) c_i / (I sum c), with c_i the rising numbers of lists that
 *              an item stands in (Gini's coefficient; 0: all alike, towards 1: always the same few)
 *   novelty    mean over the lists of the mean over their items of -log2(share of the training events),
 *              in bits; an item without training events counts as one with a single event
 *              (Zhou et al., PNAS 2010, self-information)
 *   diversity  mean over the lists of the mean over their pairs of items of 1 - cos, with the cosine of
 *              item-kNN: users who have both in training / sqrt(users of one * users of the other)
 *              (Ziegler et al., WWW 2005, intra-list). Who interacted is known for every data set and
 *              every scorer, other than categories and vectors.
 *
 * A list holds the best scores, equal ones by number, as recommendations do: a score that is no number or
 * minus infinity is left out. Each user's sums are kept and added in the order of users, so that the
 * figures do not depend on threads. */
#ifndef PQ_LISTS_H
#define PQ_LISTS_H

#include "native/eval/baselines.h"
#include "retrieval/best.h"

typedef struct pq_lists {
    pq_ctx *ctx;
    const pq_knn *knn; /* who has which item, and its data set */
    const pique_eval_options *options;
    uint32_t items;    /* of the scorer */
    uint32_t depth;    /* the longest list that is needed */
    uint32_t *numbers; /* [items + 1] the data set's numbers of the scorer's; 0: none */
    double *bits;      /* [items + 1] -log2 of the share */
    double *novelty;   /* [user_count * cutoff_count]; below 0: no list */
    double *diversity; /* the same; below 0: no pair */
    uint32_t *times[PIQUE_MAX_CUTOFFS]; /* [items + 1] lists that the item stands in */
} pq_lists;

/* knn, scorer and options outlive the lists. */
pique_status pq_lists_init(pq_lists *lists, pq_ctx *ctx, const pq_knn *knn, const pq_scorer *scorer,
                           const pique_eval_options *options);
void pq_lists_free(pq_lists *lists);

/* What a thread needs to make its lists. */
typedef struct {
    pq_ctx *ctx;
    pq_hit *hits; /* [depth] */
    double
        *weight; /* [user_count] of each user: the sum of the weights of the listed items he has */
} pq_list;

pique_status pq_list_init(pq_list *list, pq_ctx *ctx, const pq_lists *lists);
void pq_list_free(pq_list *list);

/* Takes in the list of one user: scores[1..items] without the excluded. Threads may call it at once, for
 * different users. */
void pq_lists_add(pq_lists *lists, pq_list *list, uint32_t user, const float *scores,
                  const bool *excluded);
/* Fills in coverage, gini, novelty and diversity; NaN where no list has what it takes. Once: it sorts the
 * counts. */
void pq_lists_metrics(pq_lists *lists, pique_metrics *out);

#endif
