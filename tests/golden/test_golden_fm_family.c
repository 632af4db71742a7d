/* test_golden_fm_family.c — the models on fields against fixtures that fm_family_golden.py made with PyTorch, where
 * pairs of fields are plain lists. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const struct {
    const char *model, *names[3];
} fixtures[] = {
    {"lr", {"plain"}},
    {"fm", {"plain", "bare", "sides"}},
    {"fnn", {"trainable", "alone", "frozen"}},
    {"fnn_plus", {"plain", "seed"}},
    {"wide_deep", {"linear", "crosses", "poly2-dense"}},
    {"deepfm", {"sum", "concat-norms", "seed"}},
    {"afm", {"pairs", "bare", "agg"}},
    {"two_tower", {"linear", "tanh"}},
    {"concat_mlp", {"plain", "seed"}},
    {"feature_mlp", {"plain", "seed"}},
    {"cnn", {"dims", "fields"}},
};

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < PQ_COUNT(fixtures); i++) {
        unsigned count = 0;
        while (count < PQ_COUNT(fixtures[i].names) && fixtures[i].names[count]) {
            count++;
        }
        failed |= golden_run(fixtures[i].model, fixtures[i].names, count);
    }
    return failed;
}
