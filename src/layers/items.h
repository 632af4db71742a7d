/* items.h — the item side of a model: from an item number to its vector.
 *
 * While training, an item's vector is pooled from the embeddings of its id and its categories,
 *     e_i = mean (or sum) over fields f of E_f[i's values in f]
 * with the embeddings of a multi-valued field averaged first; a behaviour in a history is the same
 * vector, or x_i = SELU(W_in [concat_f E_f] + b_in). In a model file all of that is baked into one row
 * per item, so that serving only looks up rows. */
#ifndef PQ_ITEMS_H
#define PQ_ITEMS_H

#include "base/table.h"
#include "layers/item_rows.h"

#define PQ_MAX_FIELDS 16

/* A column of items (or of users): owner o has values[offsets[o] .. offsets[o + 1] - 1], codes 0 PAD, 1..rows - 2,
 * UNKNOWN. Of a number whose quantile counts, an owner has one code, which says how often the vector that all share
 * counts (base/buckets.h). Of a vector of rows - 2 numbers an owner has all of them as their codes, or none. */
typedef struct {
    const char *name;
    uint32_t rows; /* codes */
    const uint32_t *offsets;
    const uint32_t *values;
    bool quantile, vector;
} pq_column;

/* Rows of the column's table. */
static inline uint32_t pq_column_rows(const pq_column *column) {
    return column->quantile ? 3 : column->rows;
}
/* The means of the vectors of the owners' values, (n, width). */
pq_var *pq_column_vectors(pq_tape *t, const pq_param *table, const pq_column *column,
                          const uint32_t *owners, uint32_t n);

typedef enum { PQ_BEHAVIOUR_POOL, PQ_BEHAVIOUR_CONCAT_SELU } pq_behaviour;
typedef enum {
    PQ_POOL_MEAN,
    PQ_POOL_SUM,
    PQ_POOL_CONCAT /* fields side by side, each `width` wide: what models that rank look at */
} pq_pool;

typedef struct pq_items {
    /* set by the model before declaring */
    const char *name; /* that the tables' names begin with; NULL: item */
    uint32_t rows;    /* PAD, items, UNKNOWN */
    uint32_t width;   /* D; with PQ_POOL_CONCAT that of one field */
    const pq_column *columns;
    uint32_t column_count;
    pq_behaviour behaviour;
    pq_pool pool;
    uint32_t
        linear; /* PQ_POOL_CONCAT: so many columns more, the sums of the fields' linear weights */
    uint32_t cold; /* training: so many items, the last ones, have no events and are no negatives */
    bool normalise; /* item vectors have length 1; behaviours keep theirs */
    /* NULL, or what makes an item's vector of its pooled row (an item tower): the vector then has a width of
     * its own, and the behaviours are the rows. Its parameters are `unsaved`. */
    pq_var *(*map)(pq_tape *t, const void *self, pq_var *rows);
    const void *map_self;
    /* NULL, or what makes an item's vector, which is its behaviour too, of its number alone, where there are neither
     * tables nor columns; `self` is map_self. */
    pq_var *(*encode)(pq_tape *t, const void *self, const uint32_t *ids, uint32_t n);
    /* NULL, or the rows that the model's `side` names, absent ones without values. */
    const pq_item_rows *side;
    /* NULL, or other tables of the same width, whose vectors are the behaviours; the model declares them. */
    const struct pq_items *history;
    double init_scale; /* deviation of the embeddings; 0: Glorot uniform */
    bool baked;        /* serving: rows come from the tables below */
    uint32_t
        baked_width; /* of the rows in the file, which tells how many columns stand side by side */
    bool baked_halves; /* it counts bytes of two columns each, of which the last may be unused */

    /* training */
    pq_param *ids;
    pq_param *fields[PQ_MAX_FIELDS];
    pq_param *weights[PQ_MAX_FIELDS + 1]; /* linear, of the id and the columns */
    pq_param *w_in, *b_in;
    /* NULL, or [rows, D]: the vectors as the file will give them back, which then stand in place of e, and
     * their multiples in place of x where x is one of e. Gradients pass by them. */
    const pq_real *rounded;

    /* serving */
    const pq_table *vectors; /* e_i */
    const pq_table
        *codes; /* what stands for those of `vectors` that have not come; NULL: nothing */
    const pq_table *behaviours; /* x_i where it is not a multiple of e_i; NULL otherwise */
    const float *lengths;       /* [rows] x_i = lengths[i] e_i; NULL: 1 */
} pq_items;

/* A build that only serves knows no other items. */
static inline bool pq_items_baked(const pq_items *items) {
    return !PQ_TRAINING || items->baked;
}
/* Width of a pooled row: D, or (1 + columns) D + linear. */
uint32_t pq_items_width(const pq_items *items);
/* Whether a model file has rows of behaviours beside those of items. */
static inline bool pq_items_own_behaviours(const pq_items *items) {
    return items->behaviour != PQ_BEHAVIOUR_POOL || items->map || items->history;
}
/* Declares the trained parameters; when baked, counts the columns of PQ_POOL_CONCAT instead. Before
 * pq_items_width. */
void pq_items_declare(pq_items *items, pq_params *params);
/* e of n items, (n, D), and x of n behaviours, (n, D). */
pq_var *pq_items_vectors(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n);
/* e of all rows, PAD and UNKNOWN too: (rows, D). Not in serving. */
pq_var *pq_items_all(pq_tape *t, const pq_items *items);
pq_var *pq_items_behaviours(pq_tape *t, const pq_items *items, const uint32_t *ids, uint32_t n);
/* x without the linear weights, which then are not looked up: (n, width - linear). */
pq_var *pq_items_behaviour_fields(pq_tape *t, const pq_items *items, const uint32_t *ids,
                                  uint32_t n);

#endif
