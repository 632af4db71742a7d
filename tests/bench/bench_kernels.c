/* bench_kernels.c — times every kernel of kernels.def in every instruction set this machine has, at
 * shapes that the models use. One JSON object a line: kernel, isa, shape, ns of one call, and the
 * rate (GFLOP/s for products, GB/s read and written for the rest).
 *
 *   bench_kernels [KERNEL [ISA]] */
#include "base/table.h"
#include "kernels/kernels.h"
#include "tests/bench/bench_timer.h"

#include <string.h>

#define SECONDS 0.2 /* for one measurement */
#define ROUNDS 5    /* measurements, of which the best counts */

typedef struct {
    const char *kernel, *isa;
} bench;

typedef void timed_call(const void *argument);

/* Seconds of one call, the best of some rounds. */
static double measure(timed_call *call, const void *argument) {
    unsigned calls = 1;
    double best = 1e9;
    for (int round = 0; round < ROUNDS;) {
        double start = now();
        for (unsigned i = 0; i < calls; i++) {
            call(argument);
        }
        double seconds = now() - start;
        if (seconds < SECONDS / ROUNDS / 2) {
            calls *= 2;
            continue;
        }
        best = PQ_MIN(best, seconds / calls);
        round++;
    }
    return best;
}

static void print(const bench *b, const char *shape, double seconds, double amount,
                  const char *unit) {
    printf("{\"kernel\":\"%s\",\"isa\":\"%s\",\"shape\":\"%s\",\"ns\":%.0f,\"%s\":%.1f}\n",
           b->kernel, b->isa, shape, seconds * 1e9, unit, amount / seconds * 1e-9);
    fflush(stdout);
}

static void *numbers(size_t count, size_t size) {
    unsigned char *bytes = malloc(count * size);
    if (!bytes) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    for (size_t i = 0; i < count * size; i++) {
        bytes[i] = (unsigned char)(i * 37 % 61);
    }
    return bytes;
}

/* ---- kernels over one array ---- */

typedef struct {
    union {
        pq_kernel_map *map;
        pq_kernel_slope *slope;
        pq_kernel_reduce *reduce;
        pq_kernel_reduce2 *reduce2;
        pq_kernel_axpy *axpy;
        pq_kernel_softmax *softmax;
        pq_kernel_adam *adam;
    } kernel;
    float *x, *y, *m, *v;
    size_t n;
} array_call;

static volatile float sink;

static void call_map(const void *argument) {
    const array_call *a = argument;
    a->kernel.map(a->x, a->y, a->n);
}
static void call_slope(const void *argument) {
    const array_call *a = argument;
    a->kernel.slope(a->x, a->m, a->y, a->n);
}
static void call_reduce(const void *argument) {
    const array_call *a = argument;
    sink = a->kernel.reduce(a->x, a->n);
}
static void call_reduce2(const void *argument) {
    const array_call *a = argument;
    sink = a->kernel.reduce2(a->x, a->y, a->n);
}
static void call_axpy(const void *argument) {
    const array_call *a = argument;
    a->kernel.axpy(1e-6f, a->x, a->y, a->n);
}
static void call_softmax(const void *argument) {
    const array_call *a = argument;
    sink = a->kernel.softmax(a->x, a->y, a->n);
}
static void call_adam(const void *argument) {
    const array_call *a = argument;
    pq_adam_args args = {.rate = 1e-6f,
                         .v_scale = 1,
                         .beta1 = .9f,
                         .beta2 = .999f,
                         .epsilon = 1e-8f,
                         .grad_scale = 1};
    a->kernel.adam(&args, a->y, a->m, a->v, a->x, a->n);
}

/* `touched`: floats read and written per element. */
static void bench_array(const bench *b, array_call call, timed_call *timed, int touched) {
    static const size_t sizes[] = {64, 4096};
    for (size_t i = 0; i < PQ_COUNT(sizes); i++) {
        call.n = sizes[i];
        call.x = floats(call.n);
        call.y = floats(call.n);
        call.m = floats(call.n);
        call.v = numbers(call.n, sizeof(float));
        memset(call.v, 0, call.n * sizeof(float));
        char shape[32];
        snprintf(shape, sizeof(shape), "%lu", (unsigned long)call.n);
        double bytes = (double)call.n * sizeof(float) * touched;
        print(b, shape, measure(timed, &call), bytes, "gb_per_s");
        free(call.x);
        free(call.y);
        free(call.m);
        free(call.v);
    }
}

static void bench_map(const bench *b, pq_kernel_map *kernel) {
    bench_array(b, (array_call){.kernel.map = kernel}, call_map, 2);
}
static void bench_slope(const bench *b, pq_kernel_slope *kernel) {
    bench_array(b, (array_call){.kernel.slope = kernel}, call_slope, 4);
}
static void bench_reduce(const bench *b, pq_kernel_reduce *kernel) {
    bench_array(b, (array_call){.kernel.reduce = kernel}, call_reduce, 1);
}
static void bench_reduce2(const bench *b, pq_kernel_reduce2 *kernel) {
    bench_array(b, (array_call){.kernel.reduce2 = kernel}, call_reduce2, 2);
}
static void bench_axpy(const bench *b, pq_kernel_axpy *kernel) {
    bench_array(b, (array_call){.kernel.axpy = kernel}, call_axpy, 3);
}
static void bench_softmax(const bench *b, pq_kernel_softmax *kernel) {
    bench_array(b, (array_call){.kernel.softmax = kernel}, call_softmax, 2);
}
static void bench_adam(const bench *b, pq_kernel_adam *kernel) {
    bench_array(b, (array_call){.kernel.adam = kernel}, call_adam, 7);
}

/* ---- products ---- */

typedef struct {
    pq_kernel_gemm *kernel;
    pq_gemm_args args;
} gemm_call;

static void call_gemm(const void *argument) {
    const gemm_call *g = argument;
    g->kernel(&g->args);
}

static void bench_gemm(const bench *b, pq_kernel_gemm *kernel) {
    /* m, n, k of: layers forward and backward, item scores and their gradients */
    static const uint32_t shapes[][3] = {{2048, 64, 64},   {2048, 256, 64},  {2048, 64, 256},
                                         {64, 64, 2048},   {64, 256, 2048},  {128, 12000, 64},
                                         {128, 64, 12000}, {12000, 64, 128}, {4, 64, 64}};
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        const uint32_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
        const bool a_turned = strcmp(b->kernel, "gemm_tn") == 0;
        const bool b_turned = strcmp(b->kernel, "gemm_nt") == 0;
        float *x = floats((size_t)m * k), *y = floats((size_t)n * k), *z = floats((size_t)m * n);
        gemm_call call = {kernel, {.m = m, .n = n, .k = k, .a = x, .b = y, .c = z}};
        call.args.lda = a_turned ? m : k;
        call.args.ldb = b_turned ? k : n;
        call.args.ldc = n;
        char shape[64];
        snprintf(shape, sizeof(shape), "m=%lu n=%lu k=%lu", (unsigned long)m, (unsigned long)n,
                 (unsigned long)k);
        print(b, shape, measure(call_gemm, &call), 2.0 * m * n * k, "gflop_per_s");
        free(x);
        free(y);
        free(z);
    }
}

/* Scans are timed with the tables and thresholds that they meet: bench_scan. */
static void bench_scan(const bench *b, pq_kernel_scan *kernel) {
    (void)b;
    (void)kernel;
}

int main(int count, char **words) {
    bool runnable;
    const pq_kernels *set;
    for (uint32_t i = 0; (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (!runnable || (count > 2 && strcmp(words[2], set->isa) != 0)) {
            continue;
        }
#define PQ_KERNEL(class, name, tolerance, help)                                                    \
    if (set->name && (count < 2 || strcmp(words[1], #name) == 0)) {                                \
        bench_##class(&(bench){#name, set->isa}, set->name);                                       \
    }
#include "kernels/kernels.def"
#undef PQ_KERNEL
    }
    return 0;
}
