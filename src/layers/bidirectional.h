/* bidirectional.h — recurrent layers that read every segment from both ends:
 *     per layer:  x = [cell over x; cell over x from the last row to the first]
 * The last layer gives both halves side by side, or their mean. With `apart`, each direction reads its own half of
 * the layer below alone. */
#ifndef PQ_BIDIRECTIONAL_H
#define PQ_BIDIRECTIONAL_H

#include "layers/recurrent.h"

#define PQ_MOST_BIDIRECTIONAL 4

typedef enum { PQ_MERGE_MEAN, PQ_MERGE_CONCAT } pq_merge_kind;
#define PQ_MERGE_CHOICES "mean,concat" /* for a field of options */

typedef struct {
    /* set by the model before declaring */
    int32_t layers, merge; /* at most PQ_MOST_BIDIRECTIONAL; pq_merge_kind */
    uint32_t hidden;       /* of each direction */
    pq_cell_kind cell;
    bool apart;
    double dropout; /* of the input of every layer */

    pq_recurrent forward[PQ_MOST_BIDIRECTIONAL], backward[PQ_MOST_BIDIRECTIONAL];
} pq_bidirectional;

/* in: width of the input. Names begin with `name`.forward1. and `name`.backward1. … */
void pq_bidirectional_declare(pq_bidirectional *r, pq_params *params, const char *name,
                              uint32_t in);
/* x (T, in) to (T, hidden), or (T, 2 hidden) with PQ_MERGE_CONCAT. */
pq_var *pq_bidirectional_run(pq_tape *t, const pq_bidirectional *r, pq_var *x,
                             const pq_segments *segments);

#endif
