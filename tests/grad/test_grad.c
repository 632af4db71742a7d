/* test_grad.c — every op of ops.def has a row here with its gradient cases, or the run fails. */
#include "tests/grad/grad_check.h"

static const struct {
    const char *op;
    grad_cases *run;
} cases[] = {
    {"gather", grad_gather},
    {"bag", grad_bag},
    {"linear", grad_linear},
    {"linear_by_group", grad_linear_by_group},
    {"activate", grad_activate},
    {"add", grad_add},
    {"scale", grad_scale},
    {"concat", grad_concat},
    {"repeat", grad_repeat},
    {"mask_rows", grad_mask_rows},
    {"dropout", grad_dropout},
    {"normalise", grad_normalise},
    {"route", grad_route},
    {"label_attention", grad_label_attention},
    {"interest_score", grad_interest_score},
    {"sampled_softmax", grad_sampled_softmax},
    {"select_rows", grad_select_rows},
    {"layer_norm", grad_layer_norm},
    {"attention", grad_attention},
    {"rnn", grad_rnn},
    {"gru", grad_gru},
    {"lstm", grad_lstm},
    {"columns", grad_columns},
    {"dot_rows", grad_dot_rows},
    {"softmax_rows", grad_softmax_rows},
    {"cross_entropy", grad_cross_entropy},
    {"softmax_loss", grad_softmax_loss},
    {"pair_loss", grad_pair_loss},
    {"logistic_loss", grad_logistic_loss},
    {"soft_softmax", grad_soft_softmax},
    {"pool_segments", grad_pool_segments},
    {"agru", grad_agru},
    {"augru", grad_augru},
    {"gru_before", grad_gru_before},
    {"agru_before", grad_agru_before},
    {"augru_before", grad_augru_before},
    {"multiply_pairs", grad_multiply_pairs},
    {"add_pairs", grad_add_pairs},
    {"scale_rows", grad_scale_rows},
    {"batch_norm", grad_batch_norm},
    {"dice", grad_dice},
    {"prelu", grad_prelu},
    {"leaky_relu", grad_leaky_relu},
    {"softmax_segments", grad_softmax_segments},
    {"fm_pool", grad_fm_pool},
    {"reshape", grad_reshape},
    {"conv1d", grad_conv1d},
    {"pick_columns", grad_pick_columns},
    {"straight_through", grad_straight_through},
    {"squared_error", grad_squared_error},
    {"adjacency", grad_adjacency},
    {"neighbours", grad_neighbours},
    {"total", grad_total},
    {"squash", grad_squash},
    {"patches", grad_patches},
    {"margin_loss", grad_margin_loss},
};

static const char *const ops[] = {
#define PQ_OP(name, parameters, help) #name,
#include "graph/ops.def"
#undef PQ_OP
};

static void run_cases(void **state) {
    const char *op = *state;
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        if (strcmp(cases[i].op, op) == 0) {
            cases[i].run();
            return;
        }
    }
    fail_msg("op %s has no gradient cases: add a row to test_grad.c", op);
}

int main(void) {
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(grad_tape),       cmocka_unit_test(grad_layers),
        cmocka_unit_test(grad_mind),       cmocka_unit_test(grad_sasrec),
        cmocka_unit_test(grad_rnn_family), cmocka_unit_test(grad_interest),
        cmocka_unit_test(grad_fm_family),  cmocka_unit_test(grad_mmrec),
        cmocka_unit_test(grad_pmgt),       cmocka_unit_test(grad_capsnet),
    };
    struct CMUnitTest tests[PQ_COUNT(ops) + PQ_COUNT(others)];
    for (size_t i = 0; i < PQ_COUNT(ops); i++) {
        tests[i] = (struct CMUnitTest){
            .name = ops[i], .test_func = run_cases, .initial_state = (void *)(uintptr_t)ops[i]};
    }
    memcpy(tests + PQ_COUNT(ops), others, sizeof(others));
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
