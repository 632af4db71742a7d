/* test_golden_sasrec.c — SASRec against fixtures that sasrec_golden.py made with another implementation, on
 * padded matrices: user vectors, loss, every gradient, and the parameters after ten steps of Adam. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const fixtures[] = {
    "post-softmax", "post-bce",   "post-gbce", "pre-smooth", "pre-bpr", "pre-sampled",
    "code-bce",     "code-bpr",   "code-gbce", "seed",       "paper",   "kd-softmax",
    "kd-smooth",    "kd-sampled", "kd-bce",    "kd-bpr",     "kd-gbce",
};

int main(void) {
    return golden_run("sasrec", fixtures, PQ_COUNT(fixtures));
}
