/* test_golden_interest.c — din, dien and bst against fixtures that interest_golden.py made with PyTorch, where every
 * candidate has a padded history of its own and the recurrent cells are written out step by step. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const din[] = {"full",     "kd",   "none-dice",    "sigmoid-norms", "dot-plain",
                                  "bilinear", "user", "self-compact", "elem-add",      "elem-sub",
                                  "elem-mul", "dice", "outer",        "outer-dice",    "affine"};
static const char *const dien[] = {"augru",          "kd",   "agru",     "aigru",     "gru",
                                   "bilinear-norms", "dice", "tf-augru", "tf-agru",   "tf-aigru",
                                   "tf-gru",         "one",  "h0",       "h0-tf-gru", "separate",
                                   "separate-label"};
static const char *const bst[] = {"learned",  "sinusoid", "pre",          "none-dice",
                                  "time-gap", "leaky",    "target-apart", "target-apart-dice"};

int main(void) {
    return golden_run("din", din, PQ_COUNT(din)) | golden_run("dien", dien, PQ_COUNT(dien)) |
           golden_run("bst", bst, PQ_COUNT(bst));
}
