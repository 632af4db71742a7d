/* bench_softmax_loss.c — times the cross-entropy over the whole catalogue, forward and backward, in every
 * instruction set this machine has: the rows of one shard against the catalogues of Beauty and of a
 * large shop. One JSON object a line: isa, shape, ms of one step (best of the rounds, the sets in turns),
 * and the rate in GFLOP/s, counting the three products alone.
 *
 *   bench_softmax_loss [ISA] */
#include "graph/ops.h"
#include "tests/bench/bench_timer.h"

#include <string.h>

#define ROUNDS 7
#define MOST_SETS 4

typedef struct {
    uint32_t rows, items, cols;
} shape;

static const shape shapes[] = {{1750, 12101, 64}, {1750, 3416, 64}, {96, 200000, 64}};

static void *resize(void *user, void *block, size_t size) {
    (void)user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

typedef struct {
    pq_ctx ctx;
    pq_params params;
    pq_grads grads;
    pq_tape tape;
    pq_param *u, *items;
    uint32_t *targets;
} bench;

static pq_param *add(bench *x, const char *name, uint32_t rows, uint32_t cols) {
    return pq_params_add(&x->params, name, rows, cols, (pq_init){PQ_INIT_NORMAL, 0.3, false});
}

static bool bench_open(bench *x, const shape *s) {
    memset(x, 0, sizeof(*x));
    x->ctx.allocator = (pique_allocator){.resize = resize};
    pq_params_init(&x->params, &x->ctx);
    pq_tape_init(&x->tape, &x->ctx);
    x->u = add(x, "u", s->rows, s->cols);
    x->items = add(x, "items", s->items, s->cols);
    x->targets = malloc(s->rows * sizeof(*x->targets));
    if (!x->u || !x->items || !x->targets ||
        pq_grads_init(&x->grads, &x->ctx, &x->params) != PIQUE_OK) {
        return false;
    }
    pq_params_draw(&x->params, 1);
    for (uint32_t i = 0; i < s->rows; i++) {
        x->targets[i] = i * 131 % s->items;
    }
    return true;
}

static void bench_close(bench *x) {
    pq_tape_free(&x->tape);
    pq_grads_free(&x->grads);
    pq_params_free(&x->params);
    free(x->targets);
}

/* Seconds of one step, negative when it failed. */
static double step(bench *x, const pq_kernels *kernels) {
    x->ctx.kernels = kernels;
    pq_grads_clear(&x->grads);
    double start = now();
    pq_tape_begin(&x->tape, &x->grads, true, pq_rng_make(0, 0, 0));
    pq_softmax_loss args = {.targets = x->targets, .last = x->items->rows, .scale = 1};
    args.weight = 1.0 / x->u->rows;
    pq_var *y = pq_op_softmax_loss(&x->tape, pq_tape_param(&x->tape, x->u),
                                   pq_tape_param(&x->tape, x->items), &args);
    return pq_tape_backward(&x->tape, y) == PIQUE_OK ? now() - start : -1;
}

static bool measure(bench *x, const shape *s, const char *isa) {
    double best[MOST_SETS] = {0};
    bool runnable;
    const pq_kernels *set;
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < MOST_SETS && (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
            if (!runnable || (isa && strcmp(isa, set->isa) != 0)) {
                continue;
            }
            double seconds = step(x, set);
            if (seconds < 0) {
                return false;
            }
            best[i] = round == 0 ? seconds : PQ_MIN(best[i], seconds);
        }
    }
    for (uint32_t i = 0; i < MOST_SETS && (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
        if (best[i] > 0) {
            printf("{\"isa\":\"%s\",\"shape\":\"rows=%u items=%u cols=%u\",", set->isa,
                   (unsigned)s->rows, (unsigned)s->items, (unsigned)s->cols);
            printf("\"ms\":%.2f,\"gflop_per_s\":%.1f}\n", best[i] * 1e3,
                   6e-9 * s->rows * s->items * s->cols / best[i]);
        }
    }
    return true;
}

int main(int count, char **arguments) {
    bool fine = true;
    for (size_t i = 0; i < PQ_COUNT(shapes) && fine; i++) {
        bench x;
        fine =
            bench_open(&x, &shapes[i]) && measure(&x, &shapes[i], count > 1 ? arguments[1] : NULL);
        if (!fine) {
            fprintf(stderr, "bench_softmax_loss: %s\n", x.ctx.error);
        }
        bench_close(&x);
    }
    return !fine;
}
