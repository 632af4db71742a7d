/* test_golden_transformer4rec.c — transformer4rec against fixtures that transformer4rec_golden.py made with
 * PyTorch, user by user. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const names[] = {"tied", "seed", "alone", "strict", "answers"};

int main(void) {
    return golden_run("transformer4rec", names, PQ_COUNT(names));
}
