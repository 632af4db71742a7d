/* seeds.h — `pique train --seeds`: the same training for several seeds, each in a folder of its own, and
 * the mean and deviation of what they reach. */
#ifndef CLI_SEEDS_H
#define CLI_SEEDS_H

#include "cli.h"
#include "progress.h"

#define SEEDS_MOST 64

typedef struct {
    uint32_t values[SEEDS_MOST];
    pique_train_result results[SEEDS_MOST];
    uint32_t count;
} seed_list;

/* "1,2,3" */
cli_exit seeds_parse(const char *command, const char *text, seed_list *seeds);

/* Trains each seed into OUT/seed-N and tells it on stdout, then writes OUT/seeds.json and tells mean and
 * deviation. options->resume goes on where an earlier run was interrupted: finished seeds are taken as
 * they are, those that had not begun begin. The first failure ends it. */
cli_exit seeds_train(const char *command, pique_context *ctx, const pique_dataset *dataset,
                     const pique_train_options *options, progress *shown, seed_list *seeds);

#endif
