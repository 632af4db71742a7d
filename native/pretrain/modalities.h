/* modalities.h — what is known of items beside who has them, as fixed vectors: a modality has a row of length 1 for each
 * item, zeros where it says nothing of the item.
 *
 * A column of the data is a modality: the bag of its codes, each weighted by ln((1 + N) / df), where N counts the items
 * that have codes and df those that have this one. A bag of more codes than `width` is brought to that many dimensions by
 * latent semantic analysis (native/content/factors.h). Columns of numbers that count by their quantiles are left out. So is a tensor of a side file, whose rows are taken as they are, but
 * for their length. */
#ifndef PQ_MODALITIES_H
#define PQ_MODALITIES_H

#include "native/data/dataset.h"

#define PQ_MODALITIES 16

typedef struct {
    char name[64];
    uint32_t width;
    float *rows; /* [item_rows, width] */
} pq_modality;

typedef struct {
    pq_ctx *ctx;
    uint32_t item_rows;
    pq_modality list[PQ_MODALITIES];
    uint32_t count;
    uint32_t width; /* of all together */
} pq_modalities;

void pq_modalities_init(pq_modalities *modalities, pq_ctx *ctx, const pique_dataset *dataset);
void pq_modalities_free(pq_modalities *modalities);

/* columns: names joined by ','; NULL: all. A column without a code is left out. PIQUE_ARGUMENT: there is no such column;
 * PIQUE_UNSUPPORTED: more than PQ_MODALITIES. */
pique_status pq_modalities_of_columns(pq_modalities *modalities, const pique_dataset *dataset,
                                      const char *columns, uint32_t width, uint64_t seed);
/* Every matrix of floats in a side file (native/data/side_file.h) that has a row for each of its ids. */
pique_status pq_modalities_of_file(pq_modalities *modalities, const pique_dataset *dataset,
                                   const char *path);
/* Items that no modality says anything of. */
uint32_t pq_modalities_bare(const pq_modalities *modalities);

#endif
