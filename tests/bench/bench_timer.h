/* bench_timer.h — what the benchmarks share: a clock, and numbers. */
#ifndef BENCH_TIMER_H
#define BENCH_TIMER_H

#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The processor's seconds of this thread: what else the machine does takes none of them. */
static inline double now(void) {
    struct timespec t;
#ifdef __wasm__ /* has no such clock */
    clock_gettime(CLOCK_MONOTONIC, &t);
#else
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
#endif
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline float *floats(size_t count) {
    float *x = malloc(count * sizeof(float));
    if (!x) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        x[i] = (float)(i * 37 % 101) / 50 - 1;
    }
    return x;
}

#endif
