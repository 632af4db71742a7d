/* bench_scan.c — the best 20 of a catalogue by every kind of table and every instruction set, beside a plain
 * sum over as many bytes: one JSON object a line, the shortest of several turns.
 *
 *   bench_scan [rows] [interests] [set]     100000, 4 and the best set unless told; set "all": every one
 *
 * Everything takes its turn in each round, so that what else the machine does falls on all alike. */
#include "bench_timer.h"

#include "base/rng.h"
#include "base/table.h"
#include "kernels/kernels.h"
#include "retrieval/scan.h"

#include <string.h>

enum { COLS = 64, WANTED = 20, ROUNDS = 30, MOST_SETS = 8 };

typedef struct {
    const char *name;
    pq_table_kind kind;
    uint32_t bytes; /* of a row */
    bool beside;    /* codes beside int8 rows */
    pq_table table, codes;
    double best[MOST_SETS], sum;
} scheme;

static scheme schemes[] = {
    {.name = "f32", .kind = PQ_TABLE_F32, .bytes = 256},
    {.name = "f16", .kind = PQ_TABLE_F16, .bytes = 128},
    {.name = "int8", .kind = PQ_TABLE_I8, .bytes = 64},
    {.name = "int4", .kind = PQ_TABLE_I4, .bytes = 32},
    {.name = "pq32", .kind = PQ_TABLE_PQ, .bytes = 32},
    {.name = "pq16", .kind = PQ_TABLE_PQ, .bytes = 16},
    {.name = "pq8", .kind = PQ_TABLE_PQ, .bytes = 8},
    {.name = "pq16+int8", .kind = PQ_TABLE_I8, .bytes = 64, .beside = true},
};

static void fail(pq_ctx *ctx, pique_status status) {
    if (status != PIQUE_OK) {
        fprintf(stderr, "%s\n", ctx->error);
        exit(1);
    }
}

static float normal(pq_rng *rng) {
    return (float)pq_rng_normal(rng);
}

/* As the library takes memory, and at a multiple of 64. */
static void *take(pq_ctx *ctx, size_t size) {
    uint8_t *memory = pq_resize(ctx, NULL, size + 64, 1);
    fail(ctx, memory ? PIQUE_OK : PIQUE_NO_MEMORY);
    return memory + (64 - (uintptr_t)memory % 64) % 64;
}

/* Random rows of the kind, and whatever belongs to them; they live as long as the program. */
static void make(pq_ctx *ctx, pq_table *table, pq_table_kind kind, uint32_t rows, uint32_t bytes) {
    pq_rng rng = pq_rng_make(1, rows, bytes);
    uint8_t *data = take(ctx, (size_t)rows * bytes);
    float *scales = take(ctx, (size_t)rows * 2 * sizeof(float)),
          *centroids = floats((size_t)32 * bytes * COLS);
    for (size_t i = 0; i < (size_t)rows * 2; i++) {
        scales[i] = 0.02F + 0.001F * (float)(i % 7);
    }
    /* Each codebook has columns of its own, so that scores vary as those of product-quantised rows do. */
    for (size_t i = 0; kind == PQ_TABLE_PQ && i < (size_t)32 * bytes * COLS; i++) {
        bool own = i % COLS / (COLS / (2 * (size_t)bytes)) == i / COLS / 16;
        centroids[i] = own ? normal(&rng) : 0;
    }
    for (size_t i = 0; i < (size_t)rows * bytes; i++) {
        if (kind == PQ_TABLE_PQ) {
            data[i] = (uint8_t)pq_rng_below(&rng, 256);
        } else if (kind == PQ_TABLE_I8) {
            int sum = (int)pq_rng_below(&rng, 85) + (int)pq_rng_below(&rng, 85) +
                      (int)pq_rng_below(&rng, 85);
            data[i] = (uint8_t)(int8_t)(sum - 126);
        } else if (kind == PQ_TABLE_I4) {
            data[i] = (uint8_t)((1 + pq_rng_below(&rng, 15)) | (1 + pq_rng_below(&rng, 15)) << 4);
        } else if (kind == PQ_TABLE_F16 && i % 2 == 0) {
            uint16_t half =
                (uint16_t)(0x3800 + pq_rng_below(&rng, 0x600) + (pq_rng_below(&rng, 2) << 15));
            memcpy(data + i, &half, 2);
        } else if (kind == PQ_TABLE_F32 && i % 4 == 0) {
            float x = (float)pq_rng_uniform(&rng) + (float)pq_rng_uniform(&rng) - 1;
            memcpy(data + i, &x, 4);
        }
    }
    pq_table_parts parts = {.kind = kind,
                            .rows = rows,
                            .cols = COLS,
                            .data = data,
                            .scales = scales,
                            .codebooks = 2 * bytes,
                            .centroids = centroids};
    fail(ctx, pq_table_open(ctx, table, &parts));
}

typedef uint64_t wide __attribute__((vector_size(64)));

#ifdef __x86_64__
__attribute__((target("avx512f")))
#endif
static uint64_t
sum_wide(const void *data, size_t size) {
    const wide *x = data;
    wide sum[4] = {{0}};
    for (size_t i = 0; i + 4 <= size / sizeof(wide); i += 4) {
        for (size_t j = 0; j < 4; j++) {
            sum[j] += x[i + j];
        }
    }
    sum[0] += sum[1] + sum[2] + sum[3];
    return sum[0][0] ^ sum[0][3] ^ sum[0][7];
}

static uint64_t sum_plain(const void *data, size_t size) {
    const uint64_t *x = data;
    uint64_t sum = 0;
    for (size_t i = 0; i < size / 8; i++) {
        sum += x[i];
    }
    return sum;
}

static uint64_t sum_bytes(const void *data, size_t size) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) {
        return sum_wide(data, size);
    }
#endif
    (void)sum_wide;
    return sum_plain(data, size);
}

static volatile uint64_t sink;

/* Of all that a scan reads: the rows, and the scales of integers. */
static double time_sum(const pq_table *table) {
    const size_t groups = table->kind == PQ_TABLE_I8   ? 1
                          : table->kind == PQ_TABLE_I4 ? pq_table_groups(table)
                                                       : 0;
    double start = now();
    sink = sum_bytes(table->blocks, table->block_size * (table->rows / table->block_rows)) +
           sum_bytes(table->scales, table->rows * groups * sizeof(float));
    return now() - start;
}

static double time_scan(pq_arena *arena, const pq_scan *scan) {
    pq_hit hits[WANTED];
    uint32_t found;
    pq_arena_reset(arena);
    double start = now();
    fail(arena->ctx, pq_scan_top(arena, scan, hits, &found));
    double time = now() - start;
    sink = hits[0].row;
    return time;
}

static void print(const scheme *s, const char *isa, uint32_t rows, uint32_t interests, double time,
                  double int8) {
    const pq_table *scanned = s->beside ? &s->codes : &s->table;
    double bytes = (double)scanned->block_size * scanned->rows / scanned->block_rows;
    printf("{\"scheme\": \"%s\", \"isa\": \"%s\", \"rows\": %u, \"cols\": %u, \"interests\": %u, "
           "\"ms\": %.4f, \"gb_per_s\": %.2f, \"sum_ms\": %.4f, \"over_sum\": %.3f, "
           "\"times_int8\": %.2f}\n",
           s->name, isa, rows, COLS, interests, time * 1e3, bytes / time * 1e-9, s->sum * 1e3,
           time / s->sum, int8 / time);
}

int main(int count, char **words) {
    const uint32_t rows = count > 1 ? (uint32_t)atoi(words[1]) : 100000;
    const uint32_t interests = count > 2 ? (uint32_t)atoi(words[2]) : 4;
    const char *isa = count > 3 ? words[3] : "best";
    pique_context *ctx = NULL;
    const pq_kernels *sets[MOST_SETS] = {pq_kernels_find(isa)};
    uint32_t set_count = sets[0] != NULL;
    bool runnable;
    for (uint32_t i = 0; strcmp(isa, "all") == 0 && pq_kernels_at(i, &runnable); i++) {
        if (runnable) {
            sets[set_count++] = pq_kernels_at(i, &runnable);
        }
    }
    float *q = floats((size_t)interests * COLS);
    pq_rng rng = pq_rng_make(3, 0, 0);
    pq_arena arena;
    for (size_t i = 0; i < (size_t)interests * COLS; i++) {
        q[i] = normal(&rng);
    }
    if (pique_context_create(NULL, &ctx) != PIQUE_OK) {
        return 1;
    }
    pq_arena_init(&arena, ctx);
    for (size_t i = 0; i < PQ_COUNT(schemes); i++) {
        scheme *s = &schemes[i];
        make(ctx, &s->table, s->kind, rows, s->bytes);
        if (s->beside) {
            make(ctx, &s->codes, PQ_TABLE_PQ, rows, 16);
        }
        s->sum = 1e9;
        for (uint32_t set = 0; set < set_count; set++) {
            s->best[set] = 1e9;
        }
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < PQ_COUNT(schemes); i++) {
            scheme *s = &schemes[i];
            pq_scan scan = {.table = &s->table,
                            .codes = s->beside ? &s->codes : NULL,
                            .interests = q,
                            .interest_count = interests,
                            .count = WANTED};
            double sum = time_sum(s->beside ? &s->codes : &s->table);
            s->sum = PQ_MIN(s->sum, sum);
            for (uint32_t set = 0; set < set_count; set++) {
                ctx->kernels = sets[set];
                double time = time_scan(&arena, &scan);
                s->best[set] = PQ_MIN(s->best[set], time);
            }
        }
    }
    for (uint32_t set = 0; set < set_count; set++) {
        for (size_t i = 0; i < PQ_COUNT(schemes); i++) {
            print(&schemes[i], sets[set]->isa, rows, interests, schemes[i].best[set],
                  schemes[2].best[set]);
        }
    }
    pq_arena_free(&arena);
    pique_context_free(ctx);
    return 0;
}
