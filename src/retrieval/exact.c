#include "retrieval/exact.h"

#include <math.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));

/* out[count]: x . each of the rows of y. Four sums side by side for each, whatever the instruction set, and several
 * rows at once, as a sum waits for the one before it. */
static inline void dot_rows(const float *x, const float *y, uint32_t n, uint32_t count,
                            float *out) {
    four sum[PQ_EXACT_GROUP] = {{0}}, from_x, from_y;
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        memcpy(&from_x, x + i, sizeof(from_x));
        for (uint32_t k = 0; k < count; k++) {
            memcpy(&from_y, y + (size_t)k * n + i, sizeof(from_y));
            sum[k] += from_x * from_y;
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        for (uint32_t rest = i; rest < n; rest++) {
            sum[k][0] += x[rest] * y[(size_t)k * n + rest];
        }
        out[k] = (sum[k][0] + sum[k][1]) + (sum[k][2] + sum[k][3]);
    }
}

float pq_exact_dot(const float *a, const float *b, uint32_t n) {
    float sum;
    dot_rows(a, b, n, 1, &sum);
    return sum;
}

/* out[interest_count]: x . each interest. */
static void dot_interests(const pq_scan *scan, const float *x, float *out) {
    const uint32_t n = scan->table->cols, count = scan->interest_count;
    uint32_t k = 0;
    for (; k + PQ_EXACT_GROUP <= count; k += PQ_EXACT_GROUP) {
        dot_rows(x, scan->interests + (size_t)k * n, n, PQ_EXACT_GROUP, out + k);
    }
    for (; k < count; k++) {
        out[k] = pq_exact_dot(x, scan->interests + (size_t)k * n, n);
    }
}

static const pq_table *codes_of(const pq_scan *scan) {
    return scan->table->kind == PQ_TABLE_PQ ? scan->table : scan->codes;
}

size_t pq_exact_scratch(const pq_scan *scan) {
    return (size_t)scan->table->cols + scan->interest_count + PQ_EXACT_GROUP;
}

pique_status pq_exact_init(pq_arena *arena, pq_exact *exact, const pq_scan *scan) {
    const pq_table *codes = codes_of(scan);
    *exact = (pq_exact){.scan = scan};
    if (!codes) {
        return PIQUE_OK;
    }
    const uint32_t cols = codes->cols, count = scan->interest_count;
    const uint32_t centroids = codes->codebooks * PQ_TABLE_CENTROIDS;
    const size_t groups = (count + PQ_EXACT_GROUP - 1) / PQ_EXACT_GROUP;
    const size_t size = groups * centroids * PQ_EXACT_GROUP;
    float *of_centroid = pq_arena_take(arena, count, sizeof(float));
    exact->products = pq_arena_take(arena, size, sizeof(float));
    if (!exact->products || !of_centroid) {
        return PIQUE_NO_MEMORY;
    }
    memset(exact->products, 0, size * sizeof(float));
    for (uint32_t c = 0; c < centroids; c++) {
        dot_interests(scan, codes->centroids + (size_t)c * cols, of_centroid);
        for (uint32_t k = 0; k < count; k++) {
            exact->products[pq_exact_product(codes, c, k)] = of_centroid[k];
        }
    }
    return PIQUE_OK;
}

/* sums[interest_count] of the row's centroids, with room for whole groups. */
static void add_products(const pq_exact *exact, const pq_table *codes, uint32_t row, float *sums) {
    const uint32_t lane = row % PQ_TABLE_CODES;
    const uint8_t *block = pq_table_block(codes, row / PQ_TABLE_CODES);
    const unsigned shift = lane < PQ_TABLE_CODES / 2 ? 0 : 4;
    const float *products = exact->products;
    for (uint32_t k = 0; k < exact->scan->interest_count; k += PQ_EXACT_GROUP) {
        const uint8_t *line = block + lane % (PQ_TABLE_CODES / 2);
        float sum[PQ_EXACT_GROUP] = {0};
        for (uint32_t m = 0; m < codes->codebooks; m++) {
            const float *of_centroid = products + (size_t)(*line >> shift & 15u) * PQ_EXACT_GROUP;
            for (uint32_t i = 0; i < PQ_EXACT_GROUP; i++) {
                sum[i] += of_centroid[i];
            }
            line += PQ_TABLE_CODES / 2;
            products += (size_t)PQ_TABLE_CENTROIDS * PQ_EXACT_GROUP;
        }
        memcpy(sums + k, sum, sizeof(sum));
    }
}

float pq_exact_score(const pq_exact *exact, const pq_table *table, uint32_t row, float *scratch,
                     uint32_t *interest) {
    const pq_scan *scan = exact->scan;
    float *scores = scratch + scan->table->cols, best = -HUGE_VALF;
    *interest = 0;
    if (table->kind == PQ_TABLE_PQ) {
        add_products(exact, table, row, scores);
    } else {
        pq_table_row(table, row, scratch);
        dot_interests(scan, scratch, scores);
    }
    for (uint32_t k = 0; k < scan->interest_count; k++) {
        if (scores[k] > best) { /* never when it is NaN */
            best = scores[k];
            *interest = k;
        }
    }
    return best;
}
