/* settings.h — a run's options: preset, then config file, then --set, over the fields of the model and of
 * the training loop together. */
#ifndef PQ_SETTINGS_H
#define PQ_SETTINGS_H

#include "models/model.h"
#include "native/train/options.h"
#include "pique_train.h"

/* Initialises the model and fills its fields and the training options. */
pique_status pq_settings_read(pq_ctx *ctx, const pique_train_options *asked, pq_model *m,
                              pq_train_options *train);
/* CRC-32 of the files beside the data, as text; "" where there are none. */
typedef struct {
    const char *teacher, *side;
} pq_file_sums;

/* The JSON object that RUN/config.json holds; `data` says what is trained on. */
pique_status pq_settings_write(const pique_train_options *asked, const pq_model *m,
                               const pq_train_options *train, const char *data,
                               const pq_file_sums *sums, pq_text *out);

#endif
