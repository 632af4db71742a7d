/* test_golden_comirec.c — ComiRec against fixtures that comirec_golden.py made with another implementation. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const fixtures[] = {
    "sa", "sa-position-tanh", "sa-soft-cosine", "dr", "dr-shared", "seed-sa", "paper-dr",
};

int main(void) {
    return golden_run("comirec", fixtures, PQ_COUNT(fixtures));
}
