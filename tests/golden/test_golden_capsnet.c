/* test_golden_capsnet.c — capsnet against fixtures that capsnet_golden.py made with PyTorch's convolutions. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const names[] = {"full", "one-round", "stopped", "wide"};

int main(void) {
    return golden_run("capsnet", names, PQ_COUNT(names));
}
