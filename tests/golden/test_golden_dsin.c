/* test_golden_dsin.c — dsin against fixtures that dsin_golden.py made with PyTorch, session by session. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const names[] = {"bias",         "bilinear-concat", "long-sessions",
                                    "newest-first", "norms",           "reference"};

int main(void) {
    return golden_run("dsin", names, PQ_COUNT(names));
}
