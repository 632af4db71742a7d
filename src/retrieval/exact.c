#include "retrieval/exact.h"

#include <math.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));

/* Four sums side by side, whatever the instruction set. */
float pq_exact_dot(const float *a, const float *b, uint32_t n) {
    four sum = {0, 0, 0, 0}, x, y;
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        memcpy(&x, a + i, sizeof(x));
        memcpy(&y, b + i, sizeof(y));
        sum += x * y;
    }
    for (; i < n; i++) {
        sum[0] += a[i] * b[i];
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static const pq_table *codes_of(const pq_scan *scan) {
    return scan->table->kind == PQ_TABLE_PQ ? scan->table : scan->codes;
}

size_t pq_exact_scratch(const pq_scan *scan) {
    return PQ_MAX(scan->table->cols, scan->interest_count + PQ_EXACT_GROUP);
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
    exact->products = pq_arena_take(arena, size, sizeof(float));
    if (!exact->products) {
        return PIQUE_NO_MEMORY;
    }
    memset(exact->products, 0, size * sizeof(float));
    for (uint32_t c = 0; c < centroids; c++) {
        for (uint32_t k = 0; k < count; k++) {
            exact->products[pq_exact_product(codes, c, k)] = pq_exact_dot(
                codes->centroids + (size_t)c * cols, scan->interests + (size_t)k * cols, cols);
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
    const bool coded = table->kind == PQ_TABLE_PQ;
    float best = -HUGE_VALF;
    *interest = 0;
    if (coded) {
        add_products(exact, table, row, scratch);
    } else {
        pq_table_row(table, row, scratch);
    }
    for (uint32_t k = 0; k < scan->interest_count; k++) {
        float score =
            coded ? scratch[k]
                  : pq_exact_dot(scan->interests + (size_t)k * table->cols, scratch, table->cols);
        if (score > best) { /* never when it is NaN */
            best = score;
            *interest = k;
        }
    }
    return best;
}
