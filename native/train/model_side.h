/* model_side.h — the rows of items that a model takes from a side file (models/model.h, pq_side_def). */
#ifndef PQ_MODEL_SIDE_H
#define PQ_MODEL_SIDE_H

#include "models/model.h"
#include "native/data/dataset.h"
#include "native/data/side_file.h"
#include "pique_train.h"

typedef struct {
    pq_side_rows read[PQ_MOST_SIDE];
    pq_item_rows rows[PQ_MOST_SIDE]; /* what items.side points to */
    char sum[10];                    /* CRC-32 of the file, "" without one */
} pq_model_side;

/* Whether the model takes a side file and there is one, or neither. */
pique_status pq_model_side_check(pq_ctx *ctx, const pq_model_def *def, const char *path);
/* Tells the listener how many items lack what. PIQUE_CORRUPT, PIQUE_DATA: file, tensor and reason. */
pique_status pq_model_side_open(pq_model_side *side, pq_ctx *ctx, const pq_model_def *def,
                                const pique_dataset *dataset, const char *path,
                                const pique_listener *listener);
void pq_model_side_close(pq_model_side *side);

#endif
