/* graph.h — parameters, their gradients, and the tape that records a forward pass.
 *
 * Every tensor is a row-major matrix. A batch of sequences is one matrix of stacked token rows with
 * segments that say where each sequence starts: there is no padding, hence no padding mask.
 *
 * Ops run at once. While training, each pushes a record, and pq_tape_backward walks the records from
 * the last to the first. An op that fails sets the tape's status and returns NULL; every op hands NULL
 * on, so a model's forward pass is straight code and the caller asks for the status once.
 *
 * Shape letters: B segments, T token rows, L rows of one segment, D width, K interests, N items. */
#ifndef PQ_GRAPH_H
#define PQ_GRAPH_H

#include "base/arena.h"
#include "base/number.h"
#include "base/rng.h"
#include "kernels/kernels.h"

/* ---- parameters ---- */

typedef enum {
    PQ_INIT_ZERO,
    PQ_INIT_ONE,
    PQ_INIT_CONSTANT,       /* scale */
    PQ_INIT_GLOROT_UNIFORM, /* U(±sqrt(6 / (rows + cols))) */
    PQ_INIT_NORMAL,         /* N(0, scale), scale is the deviation */
    PQ_INIT_TRUNCATED,      /* the same, redrawn beyond two deviations */
    PQ_INIT_UNIFORM,        /* U[0, scale) */
    PQ_INIT_SYMMETRIC,      /* U(±scale) */
    PQ_INIT_SINUSOID,       /* sines and cosines of the row's number (layers/positions.h) */
    PQ_INIT_LEADING_ONES,   /* ones in the first `scale` columns, then zeros */
    PQ_INIT_STATISTIC       /* row 0 zeros, row 1 ones, row 2 zeros: see `statistic` */
} pq_init_kind;

typedef struct {
    pq_init_kind kind;
    double scale;
    bool pad_row; /* row 0 belongs to PAD: zero, and never touched by a gradient */
} pq_init;

typedef struct {
    char name[48];
    uint32_t rows, cols;
    pq_real *value;
    uint32_t index;
    pq_init init;
    bool sparse; /* an embedding table: gradients and updates by row */
    bool linear; /* weights of fields or of their pairs, which may have an optimiser of their own */
    bool frozen; /* belongs to the model file, is not trained */
    bool unsaved;    /* trained, but not part of the model file (baked into other tensors there) */
    bool pretrained; /* moves in the epochs of pretraining alone */
    bool
        statistic; /* (3, D): running mean and variance of batches; row 2 is not used. Its "gradient" holds
                       what a step saw, as sums over rows: x - mean, (x - mean)², and the count */
} pq_param;

/* Finds the values of a parameter in a model file: (rows, cols), checked, of the caller's memory. */
typedef pique_status pq_bind(void *user, const char *name, uint32_t rows, uint32_t cols,
                             pq_real **value);

typedef struct {
    pq_ctx *ctx;
    pq_param **list;
    uint32_t count;
    size_t capacity;
    pique_status status; /* first failure of a declaration */
    pq_bind *bind;       /* serving: values are borrowed instead of allocated, so that a file's
                            hyper-parameters cannot ask for more memory than the file has */
    void *bind_user;
} pq_params;

void pq_params_init(pq_params *params, pq_ctx *ctx);
/* A zeroed parameter; NULL with the status set on failure (a shape of 0, a name used twice). */
pq_param *pq_params_bare(pq_params *params, const char *name, uint32_t rows, uint32_t cols);
static inline pq_param *pq_params_add(pq_params *params, const char *name, uint32_t rows,
                                      uint32_t cols, pq_init init) {
    pq_param *param = pq_params_bare(params, name, rows, cols);
    if (PQ_TRAINING && param) { /* what is served is never drawn */
        param->init = init;
    }
    return param;
}
pq_param *pq_params_find(const pq_params *params, const char *name);
/* Draws every value anew: a parameter's numbers depend on the seed and its name alone. */
void pq_params_draw(const pq_params *params, uint64_t seed);
void pq_params_free(pq_params *params);

/* ---- gradients of parameters: one store per shard of a batch ---- */

typedef struct {
    pq_real *dense; /* [rows, cols] while `whole` */
    bool whole; /* always for dense parameters; a sparse one has the four below until all its rows
                        are wanted */
    uint32_t *slots; /* [rows]: place in `rows` + 1, 0 when untouched */
    uint32_t *rows;  /* rows touched, in the order of their coming */
    pq_real *values; /* [touched, cols] */
    uint32_t touched;
    size_t rows_capacity, values_capacity;
    bool used; /* something was added since the last clear */
} pq_grad;

typedef struct {
    pq_ctx *ctx;
    const pq_params *params;
    pq_grad *list; /* by parameter index; frozen parameters have none */
} pq_grads;

/* Rows that have a gradient, the j-th of them, and what it is: NULL when there is none. */
static inline uint32_t pq_grad_count(const pq_grad *grad, const pq_param *param) {
    return !grad->used ? 0 : grad->whole ? param->rows : grad->touched;
}
static inline uint32_t pq_grad_at(const pq_grad *grad, uint32_t j) {
    return grad->whole ? j : grad->rows[j];
}
static inline pq_real *pq_grad_row(const pq_grad *grad, const pq_param *param, uint32_t row) {
    if (!grad->used) {
        return NULL;
    }
    if (grad->whole) {
        return grad->dense + (size_t)row * param->cols;
    }
    return grad->slots[row] ? grad->values + (size_t)(grad->slots[row] - 1) * param->cols : NULL;
}

pique_status pq_grads_init(pq_grads *grads, pq_ctx *ctx, const pq_params *params);
void pq_grads_clear(pq_grads *grads);
/* The gradient of one row of a sparse parameter, zeroed when it comes first. Valid until the next call;
 * NULL when memory is short. */
pq_real *pq_grads_row(pq_grads *grads, const pq_param *param, uint32_t row);
/* The gradient of all rows, [rows, cols], valid until the next clear; a sparse parameter's becomes whole
 * with it. For what touches every row anyway. NULL when memory is short. */
pq_real *pq_grads_whole(pq_grads *grads, const pq_param *param);
/* Makes room in `into` for every row of the parameter that `from` has; new ones are zero. */
pique_status pq_grads_cover(pq_grads *into, const pq_grads *from, const pq_param *param);
void pq_grads_free(pq_grads *grads);

/* ---- the tape ---- */

typedef struct {
    pq_real *value; /* [rows, cols] */
    pq_real *grad;  /* NULL until something flows back into it */
    uint32_t rows, cols;
    bool needs_grad;
} pq_var;

typedef struct pq_tape pq_tape;
typedef void pq_backward(pq_tape *tape, void *record);
typedef struct pq_node pq_node;

struct pq_tape {
    pq_ctx *ctx;
    const pq_kernels *kernels;
    pq_arena arena;
    pq_node *last;
    pq_grads *grads; /* where parameter gradients go; NULL: nothing is recorded */
    bool training;   /* dropout and fresh noise on */
    pq_rng rng;      /* of this step and shard */
    pique_status status;
};

void pq_tape_init(pq_tape *tape, pq_ctx *ctx);
/* Forgets the last step. grads NULL: no recording. */
void pq_tape_begin(pq_tape *tape, pq_grads *grads, bool training, pq_rng rng);
/* Gradients of the scalar `loss` into the tape's grads. */
pique_status pq_tape_backward(pq_tape *tape, pq_var *loss);
void pq_tape_free(pq_tape *tape);

/* Sets the sticky status with a message and returns NULL. */
void *pq_tape_fail(pq_tape *tape, pique_status status, const char *format, ...) PQ_PRINTF(3, 4);
/* The same where shapes do not fit, which is a fault of a model's definition and never of a file or a caller: a
 * build that only serves names the op alone. */
#define PQ_MISFIT(tape, op, format, ...)                                                           \
    (PQ_TRAINING ? pq_tape_fail((tape), PIQUE_INTERNAL, "%s: " format, (op), __VA_ARGS__)          \
                 : pq_tape_misfit((tape), (op)))
void *pq_tape_misfit(pq_tape *tape, const char *op);

/* For op files. Memory of the step, NULL (and the status) when short or when something failed before. */
void *pq_tape_take(pq_tape *tape, size_t count, size_t size);
pq_var *pq_tape_values(pq_tape *tape, uint32_t rows, uint32_t cols);
static inline pq_var *pq_tape_var(pq_tape *tape, uint32_t rows, uint32_t cols, bool needs_grad) {
    pq_var *var = pq_tape_values(tape, rows, cols);
    if (PQ_TRAINING && var) {
        var->needs_grad = needs_grad && tape->grads;
    }
    return var;
}
/* A leaf whose value is the caller's memory, which outlives the step. */
pq_var *pq_tape_constant(pq_tape *tape, pq_real *value, uint32_t rows, uint32_t cols);
/* A parameter as a leaf; a sparse one with all its rows. */
pq_var *pq_tape_param(pq_tape *tape, const pq_param *param);
/* Whether dropout and fresh noise are on. */
static inline bool pq_tape_training(const pq_tape *tape) {
    return PQ_TRAINING && tape->training;
}
/* Whether the op that made y must record itself. */
static inline bool pq_tape_records(const pq_var *y) {
    return PQ_TRAINING && y->needs_grad;
}
void pq_tape_record(pq_tape *tape, pq_backward *backward, void *record);
/* The gradient to add to, zeroed at first use; NULL when none is wanted. */
pq_real *pq_tape_grad(pq_tape *tape, pq_var *var);

typedef struct {
    const uint32_t *starts; /* [count + 1], rows of segment b: starts[b] .. starts[b + 1] - 1 */
    uint32_t count;         /* B */
} pq_segments;

static inline uint32_t pq_segment_length(const pq_segments *segments, uint32_t b) {
    return segments->starts[b + 1] - segments->starts[b];
}

#endif
