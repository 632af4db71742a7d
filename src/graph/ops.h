/* ops.h — the ops of the graph. Each lives in op_<name>.c with its shapes, forward and backward. */
#ifndef PQ_OPS_H
#define PQ_OPS_H

#include "graph/graph.h"

typedef enum {
    PQ_LINEAR, /* x */
    PQ_RELU,   /* max(0, x) */
    PQ_SELU,   /* l x, or l a (e^x - 1) below zero (Klambauer et al., 2017) */
    PQ_GELU,   /* x Phi(x) with the normal distribution's Phi (Hendrycks & Gimpel, 2016), exact */
    PQ_TANH,
    PQ_SIGMOID
} pq_activation;

/* Row r of a bag is the mean of table rows values[offsets[o] .. offsets[o + 1] - 1], o = owners[r].
 * PAD values count as absent; an empty bag gives zeros. Values of `quantile` are codes of quantiles (base/buckets.h). Of
 * a `vector` they are the bits of floats, the j-th of which is how often row j + 1 counts, and their sum is meant. */
typedef struct {
    const uint32_t *owners;  /* [n] */
    const uint32_t *offsets; /* [owner count + 1] */
    const uint32_t *values;
    bool quantile, vector;
} pq_bag;

typedef struct {
    const pq_segments *segments; /* B segments over the T rows of u */
    const uint32_t *live;        /* NULL: all; or [B] interests in use, 1..interests; the rest come
                                    out zero */
    const pq_real *logits; /* NULL: zeros; or [T, interests] where routing starts; not trained */
    const pq_real *mass;   /* NULL or [T, interests] > 0: how much a behaviour counts in each
                                    interest, multiplied after the softmax; not trained */
    uint32_t interests;    /* K */
    bool per_interest;     /* u has K vectors side by side instead of one */
    uint32_t rounds;       /* R >= 1 */
    uint32_t routed;       /* interests that compete in the softmax: 0 for the live ones */
    bool full_gradient;    /* differentiate through all rounds, not only the last */
    double epsilon;        /* inside the square root of squash */
    pq_var
        *residual;   /* NULL or (T, K * D): added to the vectors in all rounds but the first and the
                         last; it learns through the couplings */
    pq_real *shares; /* NULL or [T, K]: how much each row gives to each interest, */
    uint32_t share_step; /* one number in so many; 0: one after the other */
} pq_route;

/* Pairs of a query (C rows) and a key (T rows). */
typedef struct {
    const uint32_t *queries, *keys; /* [P] row of each */
    uint32_t count;                 /* P */
    pq_segments segments;           /* the pairs of each query, side by side */
} pq_pairs;

typedef struct {
    const pq_segments *segments; /* B segments over the rows of x, or of the weights */
    const uint32_t *rows;        /* NULL or [T]: the row of x that each weight belongs to */
    bool raw;                    /* the logits are the weights */
    bool softmax;    /* weights are the softmax of the logits; else there are no logits */
    bool mean;       /* without logits: the mean of the rows instead of their sum */
    pq_real *shares; /* NULL or [T, K]: the weights */
} pq_pool_segments;

typedef enum {
    PQ_POWER_SIGNED,     /* sign(s) |s|^p */
    PQ_POWER_RAW,        /* s^p; NaN for a negative s with a fractional p */
    PQ_POWER_TEMPERATURE /* p s */
} pq_power;

typedef struct {
    const uint32_t *live; /* [B] */
    uint32_t interests;   /* K */
    double power;         /* p */
    pq_power kind;
    bool hard;          /* the best interest alone */
    bool stop_gradient; /* attention weights are constants in backward */
} pq_label_attention;

typedef struct {
    const uint32_t *positive_ids;  /* [B] */
    const uint32_t *negative_ids;  /* [n], shared by the batch; those equal to a row's positive are
                                      left out of that row */
    const pq_real *positive_log_q; /* [B] log of the expected count of the id among the negatives */
    const pq_real *negative_log_q; /* [n] */
    double scale;                  /* multiplies inner products (1 / temperature) */
    double weight;                 /* of each row in the sum: 1 / positions of the whole batch */
    const pq_real *weights;        /* NULL or [B], of each row beside that */
} pq_sampled_softmax;

/* Recurrent cells; recurrence.h has the shapes. */
typedef struct {
    const pq_segments *segments; /* B segments over the rows of the gates */
    pq_var *start;               /* NULL: zeros; or (B, S), the state before each segment */
    const uint32_t *rows; /* NULL or [T]: the row of the gates that each row of the segments has */
    pq_var *attention;    /* (T, 1) of cells that take it, else NULL */
} pq_recurrence;

typedef struct {
    const pq_segments *segments; /* rows of q, k, v */
    uint32_t heads;              /* divides D; head h has columns h D / heads .. */
    bool causal;                 /* a row sees itself and those before it in its segment */
    double dropout;              /* of the attention weights, in training */
    bool blind;              /* a row does not see itself; one that sees no other becomes zero */
    double self;             /* added to the score of each row for itself; in training alone */
    const pq_segments *keys; /* NULL, or those of k and v, as many; then neither causal nor blind */
} pq_attention;

typedef struct {
    const uint32_t *targets; /* [P] row of `items` that is right for each row of u */
    uint32_t first;          /* rows of items before this one take no part (PAD) */
    uint32_t last;           /* nor those from this one on (UNKNOWN) */
    double scale;            /* multiplies inner products */
    double smoothing;        /* share of the label that is spread over all items */
    double weight;           /* of each row in the sum */
    const pq_real *weights;  /* NULL or [P], of each row beside that */
} pq_softmax_loss;

typedef struct {
    const uint32_t *targets; /* [P] column that is right for each row */
    const pq_real *weights;  /* [P] of each row in the sum */
} pq_cross_entropy;

typedef enum {
    PQ_PAIR_BCE, /* softplus(-s+) + mean softplus(s-) */
    PQ_PAIR_BPR, /* mean softplus(s- - s+) */
    PQ_PAIR_GBCE /* (beta softplus(-s+) + sum softplus(s-)) / (n + 1): sigmoid(s+)^beta in place of
                    sigmoid(s+) (Petrov & Macdonald, 2023) */
} pq_pair_kind;

typedef struct {
    pq_pair_kind kind;
    uint32_t negatives;     /* n: rows b n .. b n + n - 1 of `negative` belong to row b */
    double scale;           /* multiplies inner products */
    double beta;            /* of gBCE */
    double weight;          /* of each row in the sum */
    const pq_real *weights; /* NULL or [P], of each row beside that */
} pq_pair_loss;

typedef struct {
    const pq_real *labels;  /* [C] 0 or 1, or a probability */
    double weight;          /* of each row in the sum */
    const pq_real *weights; /* NULL or [C], of each row beside that */
} pq_logistic_loss;

/* The slates of some rows: for each the k items of its own, and then m that all share. */
typedef struct {
    uint32_t first, rows;                /* rows first .. first + rows - 1 */
    uint32_t own_count;                  /* k */
    const uint32_t *own;                 /* [rows, k] */
    uint32_t shared_count, shared_first; /* m */
    const uint32_t *shared;              /* [m]; NULL: shared_first and those after it */
} pq_slates;

/* The logit of an item that has no chance, whatever the others: finite, as its chance times it is 0. */
#define PQ_NO_CHANCE ((pq_real)-1e30)

/* logits [rows, k + m]: finite, the items' chances are their softmax. left_out [rows, k + m] tells items that are in
 * no distribution; more may be marked. What is answered to rows of weight 0 counts for nothing. Another status than
 * PIQUE_OK ends the step. */
typedef pique_status pq_ask_logits(void *user, const pq_slates *slates, bool *left_out,
                                   pq_real *logits);

typedef struct {
    uint32_t own_count;         /* k: items of each row's own, the first of which is its label */
    const uint32_t *own_ids;    /* [P k] */
    uint32_t first, last;       /* rows of `shared` that take part, first .. last - 1 */
    const uint32_t *shared_ids; /* [last], NULL: each is its own row; a row's label is left out */
    double scale;               /* multiplies inner products */
    double temperature;
    double weight;          /* of each row in the sum */
    const pq_real *weights; /* NULL or [P], of each row beside that */
    bool by_slate;          /* a row's loss is the mean over its slate instead of the sum */
    pq_ask_logits *ask;
    void *user;
} pq_soft_softmax;

typedef struct {
    const pq_real *targets; /* [T, D] */
    double weight;          /* of each element in the sum */
} pq_squared_error;

typedef struct {
    uint32_t channels; /* I, of which x has columns / I places */
    uint32_t taps;     /* W */
    bool interleaved;  /* a row of x is a list of places instead of a list of channels */
} pq_conv1d;

typedef struct {
    const pq_real *rows; /* [n, D] what stands in place of the rows of x; not trained */
    const uint32_t *ids; /* [T] the row of each, 0..n - 1; NULL: one after the other */
    bool lengths;        /* each is multiplied by the length of the row of x */
} pq_straight_through;

/* What the edges of a graph are divided by (op_segment_graph.c). */
typedef enum { PQ_DEGREE_SYMMETRIC, PQ_DEGREE_ROW, PQ_DEGREE_NONE } pq_degree;
#define PQ_DEGREE_CHOICES "sym,row,none" /* for a field of options */
typedef struct {
    uint32_t height, width, channels; /* H, W, I of an image */
    uint32_t size, stride;            /* S: side of a patch */
} pq_patches;

/* Patches along a side of so many places; 0 when it is too short for one. */
uint32_t pq_patches_fit(uint32_t side, const pq_patches *a);

typedef struct {
    const uint32_t *targets; /* [B] class of each row; one from `classes` on: none of them */
    uint32_t classes;        /* C */
    double high, low, down;
    double weight; /* of each row in the sum */
} pq_margin_loss;

#define PQ_NO_COLUMN UINT32_MAX

#define PQ_OP(name, parameters, help) pq_var *pq_op_##name parameters;
#include "graph/ops.def"
#undef PQ_OP

#endif
