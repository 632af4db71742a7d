/* test_golden_mgnm.c — MGNM against fixtures that mgnm_golden.py made with another implementation. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const fixtures[] = {
    "paper",       "seed",         "aware-sym",  "aware-none", "aware-row", "plain-sym",
    "plain-none",  "per-position", "pointwise",  "pairs-bpr",  "one-level", "no-sequence",
    "four-rounds", "two-rounds",   "route-full", "bare",
};

int main(void) {
    return golden_run("mgnm", fixtures, PQ_COUNT(fixtures));
}
