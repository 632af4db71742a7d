/* gemm_body.h — matrix products for tall, thin matrices, written on vec.h.
 *
 * C is made of tiles of TILE_ROWS x TILE_COLS that stay in registers while k runs. B is first
 * copied into panels [k][TILE_COLS] on the stack (turned on the way for A B'), as in Goto and van
 * de Geijn, "Anatomy of high-performance matrix multiplication". A is read where it is, since a tile
 * needs only TILE_ROWS of its values per step, unless it is given turned and its columns are far apart.
 *
 * Each element of C is the sum over k in order, in parts of PART_K (an inner product where A B' has one
 * column): it depends on its row of A and its column of B alone, not on how many other rows there are. */
#ifndef PQ_GEMM_BODY_H
#define PQ_GEMM_BODY_H

#include "kernels/kernels.h"
#include "kernels/math_body.h"

/* As many accumulators as the registers hold beside one row of B and one element of A. */
#if defined(PQ_ISA_AVX512)
#define TILE_ROWS 12
#define TILE_VECS 2
#define B_VALUES 32768
#elif defined(PQ_ISA_AVX2)
#define TILE_ROWS 6
#define TILE_VECS 2
#define B_VALUES 16384 /* copied at a time */
#else
#define TILE_ROWS 4
#define TILE_VECS 2
#define B_VALUES 4096
#define STEPS 2
#endif
#ifndef STEPS
#define STEPS 1 /* of k in one round of the loop */
#endif

#define TILE_COLS (TILE_VECS * VEC_WIDTH)
#define PART_K 256
#define ROWS_AT_ONCE 48 /* of A, against all panels: they stay in the first cache */

/* Copies k rows from p on of columns from j on, cols <= TILE_COLS, of B (with what is added to it) into panel
 * [k][TILE_COLS]; missing columns are zero. */
static void pack(const pq_gemm_args *args, uint32_t p, uint32_t j, uint32_t k, uint32_t cols,
                 pq_real *panel) {
    for (const uint32_t end = p + k; p < end; p++, panel += TILE_COLS) {
        const size_t at = (size_t)p * args->ldb + j;
        const pq_real *b = args->b + at, *more = args->scale ? args->more + at : b;
        const pq_real scale = args->scale ? args->scale[p] : 0;
        if (cols < TILE_COLS) {
            memset(panel, 0, TILE_COLS * sizeof(*panel));
            for (uint32_t c = 0; c < cols; c++) {
                panel[c] = args->scale ? b[c] + scale * more[c] : b[c];
            }
            continue;
        }
        for (uint32_t v = 0; v < TILE_COLS; v += VEC_WIDTH) {
            vec line = vec_load(b + v);
            if (args->scale) {
                line = vec_fma(vec_splat(scale), vec_load(more + v), line);
            }
            vec_store(panel + v, line);
        }
    }
}

/* The same from the rows of B' (cols, k), of which the last one stands for those that are missing. */
static void pack_turned(const pq_real *b, size_t ldb, uint32_t k, uint32_t cols, pq_real *panel) {
    for (uint32_t j = 0; j < TILE_COLS; j += VEC_WIDTH, panel += VEC_WIDTH) {
        const pq_real *row[VEC_WIDTH];
        for (uint32_t i = 0; i < VEC_WIDTH; i++) {
            row[i] = b + PQ_MIN(j + i, cols - 1) * ldb;
        }
        uint32_t p = 0;
        for (; p + VEC_WIDTH <= k; p += VEC_WIDTH) {
            vec square[VEC_WIDTH];
            for (uint32_t i = 0; i < VEC_WIDTH; i++) {
                square[i] = vec_load(row[i] + p);
            }
            vec_transpose(square);
            for (uint32_t i = 0; i < VEC_WIDTH; i++) {
                vec_store(panel + (size_t)(p + i) * TILE_COLS, square[i]);
            }
        }
        for (; p < k; p++) {
            for (uint32_t i = 0; i < VEC_WIDTH; i++) {
                panel[(size_t)p * TILE_COLS + i] = row[i][p];
            }
        }
    }
}

/* sum[i][v] += row[i][at] * b[v], one step along k. */
VEC_INLINE void add_step(vec sum[TILE_ROWS][TILE_VECS], const pq_real *const row[TILE_ROWS],
                         size_t at, const pq_real *b) {
    vec line[TILE_VECS];
    for (int v = 0; v < TILE_VECS; v++) {
        line[v] = vec_load(b + v * VEC_WIDTH);
    }
    for (int i = 0; i < TILE_ROWS; i++) {
        vec factor = vec_splat(row[i][at]);
        for (int v = 0; v < TILE_VECS; v++) {
            sum[i][v] = vec_fma(factor, line[v], sum[i][v]);
        }
    }
}

/* All k > 0 steps, STEPS a round. The branch behind each step keeps WebAssembly's compilers from moving the loads
 * of several steps to the front, for which there are no registers. The rows are the caller's to spoil. */
VEC_INLINE void add_steps(vec sum[TILE_ROWS][TILE_VECS], const pq_real *row[TILE_ROWS], size_t step,
                          const pq_real *b, uint32_t k) {
    for (;; k -= STEPS, b += STEPS * TILE_COLS) {
        for (uint32_t s = 0; s < STEPS; s++) {
            add_step(sum, row, s * step, b + s * TILE_COLS);
            if (k == s + 1) {
                return;
            }
        }
        for (int i = 0; i < TILE_ROWS; i++) {
            row[i] += STEPS * step;
        }
    }
}

/* What a tile is added to: nothing (NULL), or rows this far apart. */
typedef struct {
    const pq_real *from;
    size_t row;
} gemm_start;

/* One tile: c [TILE_ROWS, TILE_COLS] = start + sum over k of row[i][p * step] * b[p][j]. */
VEC_INLINE void multiply_tile(const pq_real *row[TILE_ROWS], size_t step, const pq_real *b,
                              uint32_t k, pq_real *c, size_t ldc, gemm_start start) {
    vec sum[TILE_ROWS][TILE_VECS];
    for (int i = 0; i < TILE_ROWS; i++) {
        for (int v = 0; v < TILE_VECS; v++) {
            sum[i][v] = vec_splat(0);
        }
    }
    if (STEPS > 1) {
        add_steps(sum, row, step, b, k);
    } else {
        for (uint32_t p = 0; p < k; p++) {
            add_step(sum, row, p * step, b + (size_t)p * TILE_COLS);
        }
    }
    for (int i = 0; i < TILE_ROWS; i++) {
        for (int v = 0; v < TILE_VECS; v++) {
            if (start.from) {
                vec before = vec_load(start.from + (size_t)i * start.row + v * VEC_WIDTH);
                sum[i][v] = vec_add(before, sum[i][v]);
            }
            vec_store(c + (size_t)i * ldc + v * VEC_WIDTH, sum[i][v]);
        }
    }
}

/* One part of a product: B in panels, element (row, p) of A at a[row * a_row + p * a_step]. */
typedef struct {
    uint32_t m, n, k;
    const pq_real *a, *b;
    pq_real *c;
    size_t a_row, a_step, ldc;
    gemm_start start;
} gemm_part;

/* The tile whose first element is C (i, j). What hangs over the edge of C is computed (rows
 * below the edge repeat the last one) and dropped. */
static void multiply_tile_at(const gemm_part *part, uint32_t i, uint32_t j) {
    const uint32_t rows = PQ_MIN(part->m - i, TILE_ROWS);
    const uint32_t cols = PQ_MIN(part->n - j, TILE_COLS);
    const pq_real *b = part->b + (size_t)j * part->k;
    pq_real *c = part->c + (size_t)i * part->ldc + j;
    const pq_real *row[TILE_ROWS];
    for (uint32_t r = 0; r < TILE_ROWS; r++) {
        row[r] = part->a + (size_t)(i + PQ_MIN(r, rows - 1)) * part->a_row;
    }
    const size_t step = PQ_TRAINING ? part->a_step : 1; /* only training has A turned */
    const bool whole = rows == TILE_ROWS && cols == TILE_COLS;
    gemm_start start = part->start;
    if (start.from) {
        start.from += (size_t)i * start.row + j;
    }
    pq_real tile[TILE_ROWS * TILE_COLS];
    multiply_tile(row, step, b, part->k, whole ? c : tile, whole ? part->ldc : TILE_COLS,
                  whole ? start : (gemm_start){NULL, 0});
    if (whole) {
        return;
    }
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t col = 0; col < cols; col++) {
            pq_real sum = tile[r * TILE_COLS + col];
            c[r * part->ldc + col] = start.from ? start.from[r * start.row + col] + sum : sum;
        }
    }
}

/* Columns this far apart lie in different pages and in the same sets of the cache. */
#define FAR_APART 1024

/* Copies the part's A, given turned, so that each step along k lies beside the one before: [k][m]. */
static void pack_columns(gemm_part *part, pq_real *packed) {
    for (uint32_t p = 0; p < part->k; p++) {
        const pq_real *column = part->a + p * part->a_step;
        memcpy(packed + (size_t)p * part->m, column, part->m * sizeof(*packed));
    }
    part->a = packed;
    part->a_step = part->m;
}

static void multiply_part(const gemm_part *whole) {
    pq_real packed[ROWS_AT_ONCE * PART_K];
    for (uint32_t top = 0; top < whole->m; top += ROWS_AT_ONCE) {
        gemm_part part = *whole;
        part.m = PQ_MIN(whole->m - top, ROWS_AT_ONCE);
        part.a += top * whole->a_row;
        part.c += top * whole->ldc;
        if (part.start.from) {
            part.start.from += top * part.start.row;
        }
        if (PQ_TRAINING && part.a_step >= FAR_APART) {
            pack_columns(&part, packed);
        }
        for (uint32_t j = 0; j < part.n; j += TILE_COLS) {
            for (uint32_t i = 0; i < part.m; i += TILE_ROWS) {
                multiply_tile_at(&part, i, j);
            }
        }
    }
}

/* The product of nothing. */
static void clear(const pq_gemm_args *args) {
    for (uint32_t i = 0; i < args->m; i++) {
        for (uint32_t j = 0; j < args->n; j++) {
            args->c[(size_t)i * args->ldc + j] = args->start ? args->start[j] : 0;
        }
    }
}

/* C of one column, which a tile would be mostly idle for. */
static void multiply_column(const pq_gemm_args *args) {
    for (uint32_t i = 0; i < args->m; i++) {
        pq_real *to = args->c + (size_t)i * args->ldc;
        pq_real sum = kernel_dot(args->a + (size_t)i * args->lda, args->b, args->k);
        *to = args->accumulate ? *to + sum : args->start ? args->start[0] + sum : sum;
    }
}

/* `a_turned`: A is given as (k, m); `b_turned`: B is given as (n, k). */
static void multiply(const pq_gemm_args *args, bool a_turned, bool b_turned) {
    pq_real panels[B_VALUES];
    gemm_part part = {.m = args->m, .b = panels, .ldc = args->ldc};
    part.a_row = a_turned ? 1 : args->lda;
    part.a_step = a_turned ? args->lda : 1;
    if (args->k == 0 && !args->accumulate) {
        clear(args);
    }
    for (uint32_t p = 0; p < args->k; p += PART_K) {
        part.k = PQ_MIN(args->k - p, PART_K);
        part.a = args->a + p * part.a_step;
        const uint32_t n_most = B_VALUES / part.k / TILE_COLS * TILE_COLS;
        for (uint32_t j = 0; j < args->n; j += part.n) {
            part.n = PQ_MIN(args->n - j, n_most);
            part.c = args->c + j;
            part.start = args->accumulate || p > 0 ? (gemm_start){part.c, part.ldc}
                         : args->start             ? (gemm_start){args->start + j, 0}
                                                   : (gemm_start){NULL, 0};
            for (uint32_t at = 0; at < part.n; at += TILE_COLS) {
                const uint32_t cols = PQ_MIN(part.n - at, TILE_COLS);
                pq_real *panel = panels + (size_t)at * part.k;
                if (b_turned) {
                    pack_turned(args->b + (size_t)(j + at) * args->ldb + p, args->ldb, part.k, cols,
                                panel);
                } else {
                    pack(args, p, j + at, part.k, cols, panel);
                }
            }
            multiply_part(&part);
        }
    }
}

static void kernel_gemm_nn(const pq_gemm_args *args) {
    multiply(args, false, false);
}
static void kernel_gemm_nt(const pq_gemm_args *args) {
    if (args->n == 1) {
        multiply_column(args);
        return;
    }
    multiply(args, false, true);
}
static void kernel_gemm_tn(const pq_gemm_args *args) {
    multiply(args, true, false);
}

#endif
