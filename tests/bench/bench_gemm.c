/* bench_gemm.c — the project's matrix products beside those of a BLAS, one thread each, at the shapes of
 * these models: layers on many rows, scores of a catalogue, and what their backward passes need. The two
 * are timed in turns, so that whatever else the machine does hits both alike; the best of the rounds
 * counts.
 *
 *   bench_gemm [--json] [ISA]      one table a set (default: the best one), or one JSON object
 *
 * To compare sets of the same width, ask the BLAS for a kernel:
 *   OPENBLAS_CORETYPE=Haswell bench_gemm avx2 */
#include "kernels/kernels.h"
#include "tests/bench/bench_timer.h"

#include <cblas.h>

#include <string.h>

#define ROUNDS 15
#define SECONDS 0.02 /* of one measurement */

typedef struct {
    const char *what;
    char form[3]; /* nn, nt, tn */
    uint32_t m, n, k;
} shape;

static const shape shapes[] = {
    {"square", "nn", 1024, 1024, 1024},
    {"layer", "nt", 2048, 64, 64},
    {"layer, input's gradient", "nn", 2048, 64, 64},
    {"layer, weight's gradient", "tn", 64, 64, 2048},
    {"wide layer", "nt", 2048, 256, 64},
    {"wide layer, input's gradient", "nn", 2048, 64, 256},
    {"wide layer, weight's gradient", "tn", 256, 64, 2048},
    {"catalogue", "nt", 128, 12000, 64},
    {"catalogue, query's gradient", "nn", 128, 64, 12000},
    {"catalogue, items' gradient", "tn", 12000, 64, 128},
};

typedef struct {
    const pq_kernels *kernels;
    const shape *s;
    pq_gemm_args args;
} product;

static void ours(const product *p) {
    if (p->s->form[0] == 't') {
        p->kernels->gemm_tn(&p->args);
    } else if (p->s->form[1] == 't') {
        p->kernels->gemm_nt(&p->args);
    } else {
        p->kernels->gemm_nn(&p->args);
    }
}

static void theirs(const product *p) {
    const pq_gemm_args *g = &p->args;
    cblas_sgemm(CblasRowMajor, p->s->form[0] == 't' ? CblasTrans : CblasNoTrans,
                p->s->form[1] == 't' ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n, (int)g->k,
                1, g->a, (int)g->lda, g->b, (int)g->ldb, 0, g->c, (int)g->ldc);
}

static double seconds_of(void (*call)(const product *), const product *p, unsigned calls) {
    double start = now();
    for (unsigned i = 0; i < calls; i++) {
        call(p);
    }
    return (now() - start) / calls;
}

/* GFLOP/s of both. */
static void measure(const pq_kernels *kernels, const shape *s, double *own, double *blas) {
    float *a = floats((size_t)s->m * s->k), *b = floats((size_t)s->k * s->n);
    float *c = floats((size_t)s->m * s->n);
    product p = {.kernels = kernels,
                 .s = s,
                 .args = {.m = s->m, .n = s->n, .k = s->k, .a = a, .b = b, .c = c}};
    p.args.lda = s->form[0] == 't' ? s->m : s->k;
    p.args.ldb = s->form[1] == 't' ? s->k : s->n;
    p.args.ldc = s->n;
    double flops = 2.0 * s->m * s->n * s->k * 1e-9;
    double first = seconds_of(ours, &p, 1) + seconds_of(theirs, &p, 1);
    unsigned calls = (unsigned)(2 * SECONDS / first) + 1;
    *own = *blas = 0;
    for (int round = 0; round < ROUNDS; round++) {
        *own = PQ_MAX(*own, flops / seconds_of(ours, &p, calls));
        *blas = PQ_MAX(*blas, flops / seconds_of(theirs, &p, calls));
    }
    free(a);
    free(b);
    free(c);
}

int main(int count, char **arguments) {
    bool json = count > 1 && strcmp(arguments[1], "--json") == 0;
    const char *isa = count > 1 + json ? arguments[1 + json] : "best";
    openblas_set_num_threads(1);
    const pq_kernels *kernels = pq_kernels_find(isa);
    if (!kernels) {
        fprintf(stderr, "bench_gemm: this processor has no instruction set \"%s\"\n", isa);
        return 2;
    }
    if (json) {
        printf("{\"isa\":\"%s\",\"blas\":\"%s, %s\",\"shapes\":[", kernels->isa,
               openblas_get_config(), openblas_get_corename());
    } else {
        printf("%s beside %s, %s; GFLOP/s, best of %d\n\n", kernels->isa, openblas_get_config(),
               openblas_get_corename(), ROUNDS);
        printf("%-30s %-4s %5s %5s %5s %8s %8s %6s\n", "", "form", "m", "n", "k", "Pique", "BLAS",
               "ratio");
    }
    for (size_t i = 0; i < PQ_COUNT(shapes); i++) {
        const shape *s = &shapes[i];
        double own, blas;
        measure(kernels, s, &own, &blas);
        if (json) {
            printf("%s{\"what\":\"%s\",\"form\":\"%s\",\"m\":%u,\"n\":%u,\"k\":%u,", i ? "," : "",
                   s->what, s->form, (unsigned)s->m, (unsigned)s->n, (unsigned)s->k);
            printf("\"pique\":%.1f,\"blas\":%.1f,\"ratio\":%.3f}", own, blas, own / blas);
        } else {
            printf("%-30s %-4s %5u %5u %5u %8.1f %8.1f %6.2f\n", s->what, s->form, (unsigned)s->m,
                   (unsigned)s->n, (unsigned)s->k, own, blas, own / blas);
        }
        fflush(stdout);
    }
    fputs(json ? "]}\n" : "", stdout);
    return 0;
}
