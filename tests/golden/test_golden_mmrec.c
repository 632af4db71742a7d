/* test_golden_mmrec.c — mmrec against fixtures that mmrec_golden.py made with PyTorch, on padded items with masks. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const names[] = {"all",  "boxes", "offset", "hidden", "own",
                                    "text", "image", "apart",  "softmax"};

int main(void) {
    return golden_run("mmrec", names, PQ_COUNT(names));
}
