/* test_golden_rnn_family.c — pool and the recurrent models that rank against fixtures that
 * rnn_family_golden.py made with PyTorch's nn.RNN, nn.GRU and nn.LSTM. */
#include "base/context.h"
#include "tests/golden/golden_check.h"

static const char *const pool[] = {"mean", "sum", "profile", "seed"};
static const char *const rnn[] = {"rnn",  "gru-two-layers", "lstm-three-layers",
                                  "lstm", "profile",        "seed"};
static const char *const rnn_als[] = {"rnn", "gru", "lstm-two-layers", "profile", "seed"};
static const char *const rnn_joint[] = {"own", "tied", "keep", "profile", "tied-tanh", "seed"};

int main(void) {
    return golden_run("pool", pool, PQ_COUNT(pool)) | golden_run("rnn", rnn, PQ_COUNT(rnn)) |
           golden_run("rnn_als", rnn_als, PQ_COUNT(rnn_als)) |
           golden_run("rnn_joint", rnn_joint, PQ_COUNT(rnn_joint));
}
