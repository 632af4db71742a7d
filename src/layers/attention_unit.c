#include "layers/attention_unit.h"

#include <string.h>

#include "layers/dense.h"

static pq_param *add(pq_params *params, const char *name, const char *what, uint32_t rows,
                     uint32_t cols, pq_init init) {
    char full[48];
    (void)pq_format(full, sizeof(full), "%.20s1.%s", name, what);
    return pq_params_add(params, full, rows, cols, init);
}

void pq_attention_unit_declare(pq_attention_unit *unit, pq_params *params, const char *name,
                               uint32_t h) {
    uint32_t n = (uint32_t)unit->mlp.widths[0];
    /* Glorot's bound for the layer on all parts. */
    double parts = unit->outer ? 4.0 + h : 4.0;
    pq_init init = {.kind = PQ_INIT_SYMMETRIC, .scale = pq_sqrt(6.0 / (parts * h + n))};
    unit->query = add(params, name, "query", n, h, init);
    unit->key = add(params, name, "key", n, h, init);
    unit->product = add(params, name, "product", n, h, init);
    if (unit->outer) {
        unit->crosses = add(params, name, "outer", n * h, h, init);
    }
    unit->bias = add(params, name, "b", 1, n, (pq_init){.kind = PQ_INIT_ZERO});
    unit->mlp.norm = PQ_NORM_NONE;
    unit->mlp.first_outside = true;
    pq_mlp_declare(&unit->mlp, params, name, h, 1);
}

/* What the first layer does to the outer products of the pairs, (P, n). */
static pq_var *run_outer(pq_tape *t, const pq_attention_unit *unit, pq_var *queries, pq_var *keys,
                         const pq_pairs *pairs) {
    pq_var *maps = pq_op_linear(t, queries, pq_tape_param(t, unit->crosses), NULL); /* (C, n H) */
    return pq_op_linear_by_group(t, pq_op_select_rows(t, keys, pairs->keys, pairs->count),
                                 pq_op_reshape(t, maps, keys->cols), pairs->queries, queries->rows);
}

/* The logits of all pairs at once, every step on record. */
static pq_var *run_whole(pq_tape *t, const pq_attention_unit *unit, pq_var *queries, pq_var *keys,
                         const pq_pairs *pairs) {
    pq_var *query = pq_dense(t, queries, unit->query, unit->bias);
    pq_var *key = pq_op_linear(t, keys, pq_tape_param(t, unit->key), NULL);
    pq_var *product = pq_op_multiply_pairs(t, queries, keys, pairs);
    pq_var *x = pq_op_linear(t, product, pq_tape_param(t, unit->product), NULL);
    x = unit->crosses && queries->rows > 0
            ? pq_op_add(t, x, run_outer(t, unit, queries, keys, pairs))
            : x;
    return pq_mlp_run(t, &unit->mlp, pq_op_add_pairs(t, x, query, key, pairs));
}

/* What nobody looks back at. A query q makes one matrix of what the first layer does to k and to q * k,
 *     key' k + product' (q * k) = (key + product diag(q))' k,
 * so that there is no row for a pair before the layer's result. */
typedef struct {
    const pq_var *queries, *keys,
        *start; /* (C, H), (T, H), (C, n): the query's part and the bias */
    const pq_pairs *pairs;
    pq_real *key, *product; /* (H, n): the parameters, turned */
} first_layer;

static pq_real *turned(pq_tape *t, const pq_param *w) {
    pq_real *out = pq_tape_take(t, (size_t)w->rows * w->cols, sizeof(*out));
    for (uint32_t i = 0; out && i < w->rows; i++) {
        for (uint32_t j = 0; j < w->cols; j++) {
            out[(size_t)j * w->rows + i] = w->value[(size_t)i * w->cols + j];
        }
    }
    return out;
}

/* The first layer of the pairs of query c; x (pairs, n). */
static void look(const pq_tape *t, const first_layer *f, uint32_t c, pq_real *x) {
    const uint32_t h = f->keys->cols, n = f->start->cols, *starts = f->pairs->segments.starts;
    if (starts[c] == starts[c + 1]) {
        return;
    }
    t->kernels->gemm_nn(&(pq_gemm_args){.m = starts[c + 1] - starts[c],
                                        .n = n,
                                        .k = h,
                                        .a = f->keys->value + (size_t)f->pairs->keys[starts[c]] * h,
                                        .lda = h,
                                        .b = f->key,
                                        .ldb = n,
                                        .more = f->product,
                                        .scale = f->queries->value + (size_t)c * h,
                                        .c = x,
                                        .ldc = n,
                                        .start = f->start->value + (size_t)c * n});
}

/* And of the outer products: one matrix of the query for its keys. */
static void look_outer(pq_tape *t, const pq_attention_unit *unit, const first_layer *f, uint32_t c,
                       pq_real *x) {
    const uint32_t h = f->keys->cols, *starts = f->pairs->segments.starts;
    const uint32_t count = starts[c + 1] - starts[c];
    if (!unit->crosses || count == 0) {
        return;
    }
    pq_var *q = pq_tape_constant(t, f->queries->value + (size_t)c * h, 1, h);
    pq_var *k =
        pq_tape_constant(t, f->keys->value + (size_t)f->pairs->keys[starts[c]] * h, count, h);
    pq_var *map = pq_op_linear(t, q, pq_tape_param(t, unit->crosses), NULL);
    const pq_var *y = pq_op_linear(t, k, pq_op_reshape(t, map, h), NULL);
    if (y) {
        t->kernels->axpy(1, y->value, x, (size_t)count * y->cols);
    }
}

/* So many pairs at a time, or one query's, that the layers' matrices stay in the second cache: a
 * multiple of the four rows of WebAssembly's tiles, and of usual lengths of histories. */
#define PAIRS_AT_ONCE 200

static pq_var *run_in_parts(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                            pq_var *keys, const pq_pairs *pairs) {
    const uint32_t *starts = pairs->segments.starts, count = pairs->segments.count;
    pq_var *y = pq_tape_var(t, pairs->count, 1, false);
    first_layer f = {queries,
                     keys,
                     pq_dense(t, queries, unit->query, unit->bias),
                     pairs,
                     turned(t, unit->key),
                     turned(t, unit->product)};
    pq_arena_mark mark = pq_arena_here(&t->arena);
    for (uint32_t c = 0; f.product && c < count;) {
        const uint32_t first = c;
        do {
            c++;
        } while (c < count && starts[c + 1] - starts[first] <= PAIRS_AT_ONCE);
        pq_var *x = pq_tape_var(t, starts[c] - starts[first], f.start->cols, false);
        for (uint32_t i = first; x && i < c; i++) {
            pq_real *to = x->value + (size_t)(starts[i] - starts[first]) * x->cols;
            look(t, &f, i, to);
            look_outer(t, unit, &f, i, to);
        }
        const pq_var *logits = pq_mlp_run(t, &unit->mlp, x);
        if (!logits) {
            return NULL;
        }
        memcpy(y->value + starts[first], logits->value, logits->rows * sizeof(*y->value));
        pq_arena_back(&t->arena, mark);
    }
    return f.product ? y : NULL;
}

pq_var *pq_attention_unit_run(pq_tape *t, const pq_attention_unit *unit, pq_var *queries,
                              pq_var *keys, const pq_pairs *pairs) {
    if (!queries || !keys) {
        return NULL;
    }
    /* Statistics of a batch are those of all its pairs. */
    bool whole = PQ_TRAINING && (t->grads || t->training);
    return (whole ? run_whole : run_in_parts)(t, unit, queries, keys, pairs);
}
