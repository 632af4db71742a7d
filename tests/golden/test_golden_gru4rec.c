/* test_golden_gru4rec.c — GRU4Rec against fixtures that gru4rec_golden.py made with PyTorch's nn.GRU. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const fixtures[] = {
    "plain", "project", "two-layers", "three-layers-cosine", "seed", "paper",
};

int main(void) {
    return golden_run("gru4rec", fixtures, PQ_COUNT(fixtures));
}
