/* test_golden_mind.c — MIND against fixtures that mind_golden.py made with another implementation:
 * interests, live counts, loss, every gradient, and the parameters after ten steps of Adam. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const fixtures[] = {
    "best-shared",        "best-per_interest",
    "best-per_position",  "best-per_position_interest",
    "seed-shared",        "seed-per_interest",
    "seed-per_position",  "seed-per_position_interest",
    "paper-shared",       "paper-per_interest",
    "paper-per_position", "paper-per_position_interest",
    "concat-selu",        "hard-cosine-fade",
    "soft-signed",        "soft-raw",
    "soft-cosine",        "compete-all",
    "route-full",         "residual-all",
    "none-log2p1",        "bare",
};

int main(void) {
    return golden_run("mind", fixtures, PQ_COUNT(fixtures));
}
