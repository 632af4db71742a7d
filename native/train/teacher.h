/* teacher.h — distillation: what trained models say of the labels that another one learns (Hinton, Vinyals &
 * Dean, 2015). Teachers are model files, asked through the code that serves them: they look at all that came
 * before a label and take of it what they take in service, with times and profile as far as the data have
 * them. Items are joined by their ids.
 *
 * A label that not every teacher knows, or before which there is nothing that every teacher knows, is
 * learnt from the label alone; an item of a slate that not every teacher knows is left out of it. */
#ifndef PQ_TEACHER_H
#define PQ_TEACHER_H

#include "native/eval/model_scorer.h"
#include "native/train/sampler.h"

/* Of a teacher that retrieves: its items' vectors, and the interests of the histories before labels, which are the same
 * in every epoch. Each label is in one shard of an epoch alone. */
typedef struct {
    uint32_t width, most; /* D, K */
    float *vectors;       /* [item_rows of the data, D]; zeros where it does not know the item */
    float *interests;     /* [events, K, D]; NULL where that would be too much */
    uint8_t *live;        /* [events] how many there are + 1; 0: nobody has asked */
} pq_recall;

typedef struct {
    pq_ctx *ctx;
    const pique_dataset *dataset;
    uint32_t count;
    pique_model *models[PIQUE_MOST_MODELS];
    pq_model_scorer scorers[PIQUE_MOST_MODELS];
    pq_recall recalls[PIQUE_MOST_MODELS];
    bool *known; /* [item_rows]: to every teacher */
    /* [labelled_count] the mean softened chance of each labelled pair, negative until somebody has asked: it
     * is the same in every epoch. NULL without labels. Each pair is in one shard of an epoch alone. */
    pq_real *chances;
    char sums[PIQUE_MOST_MODELS * 10]; /* CRC-32 of the files, as "01234567,89abcdef" */
} pq_teachers;

/* paths: files, joined by ','. PIQUE_ARGUMENT, with a message that names the file: the teacher is of another task,
 * knows less than half of the items, or takes a profile field that the data lack. Also after a failure
 * pq_teachers_free takes what there is. */
pique_status pq_teachers_open(pq_teachers *teachers, pq_ctx *ctx, const pique_dataset *dataset,
                              pq_task task, const char *paths);
void pq_teachers_free(pq_teachers *teachers);

/* What a shard of a batch needs to ask the teachers. */
typedef struct {
    pq_ctx *ctx; /* of the shard */
    const pq_teachers *teachers;
    const pq_sampler *sampler;
    pq_model_user *users[PIQUE_MOST_MODELS];
    pq_sample *labels; /* [P] of the part at hand */
    uint32_t *items;   /* [longest history], of the view being asked about */
    /* Of the rows that are asked about together: queries, vectors of the items they share, scores of one interest,
     * logits of one of several teachers. */
    pq_real *queries, *slate, *scores, *one;
    size_t items_capacity, queries_capacity, slate_capacity, scores_capacity, one_capacity;
    pq_soft soft;
    double part; /* of the loss that is the teachers' */
} pq_lesson;

pique_status pq_lesson_open(pq_lesson *lesson, pq_ctx *ctx, const pq_teachers *teachers,
                            const pq_sampler *sampler);
void pq_lesson_close(pq_lesson *lesson);
/* Sets batch->soft for the batch of the range; valid until the arena is reset. */
pique_status pq_lesson_give(pq_lesson *lesson, pq_arena *arena, const pq_sample_range *range,
                            pq_batch *batch);

#endif
