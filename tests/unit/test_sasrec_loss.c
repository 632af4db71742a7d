/* test_sasrec_loss.c — the losses of SASRec where they are known by hand, without labels, and what dropout
 * drops. */
#include "sasrec_case.h"

/* With item vectors of zero all logits are equal: each loss is a logarithm. */
static void equal_logits(void **state) {
    (void)state;
    const double ln2 = 0.69314718055994531;
    /* Of the four shared negatives, the target itself is left out: of labels 5 (2), 7 (6), 9 (8), 11 (9). */
    const double sampled = (7 * log(5) + 4 * log(4)) / 11;
    const struct {
        pq_loss kind;
        double smoothing, want;
    } cases[] = {
        {PQ_LOSS_BCE, 0, 2 * ln2},
        {PQ_LOSS_BPR, 0, ln2},
        {PQ_LOSS_GBCE, 0, (0.5 + 2) / 3 * ln2},
        {PQ_LOSS_SOFTMAX, 0, log(10)},
        {PQ_LOSS_SOFTMAX, 0.2, log(10)},
        {PQ_LOSS_SAMPLED, 0, sampled},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        sasrec_case b;
        sasrec_open(&b, SASREC_SIZES "temperature=0.1");
        memset(sasrec_param(&b, "item.id")->value, 0, sizeof(pq_real) * SASREC_ITEMS * 8);
        b.model.loss.kind = cases[i].kind;
        b.model.loss.smoothing = cases[i].smoothing;
        double got = sasrec_step(&b, false);
        if (!(fabs(got - cases[i].want) <= 1e-6)) {
            fail_msg("loss %d: %.8f instead of %.8f", (int)cases[i].kind, got, cases[i].want);
        }
        sasrec_close(&b);
    }
}

/* A part of a batch without a label adds nothing. */
static void no_labels(void **state) {
    (void)state;
    static const pq_loss kinds[] = {PQ_LOSS_SAMPLED, PQ_LOSS_SOFTMAX, PQ_LOSS_BCE, PQ_LOSS_BPR,
                                    PQ_LOSS_GBCE};
    for (size_t i = 0; i < PQ_COUNT(kinds); i++) {
        sasrec_case b;
        sasrec_open(&b, SASREC_SIZES);
        b.model.loss.kind = kinds[i];
        b.batch.label_count = 0;
        double loss = sasrec_step(&b, true);
        if (loss != 0 || !sasrec_finite(&b.grads)) {
            fail_msg("loss %d without labels: %g, gradients %s finite", (int)kinds[i], loss,
                     sasrec_finite(&b.grads) ? "are" : "are not");
        }
        sasrec_close(&b);
    }
}

/* Without dropout training is evaluation; with it the loss moves and stays finite. */
static void dropout(void **state) {
    (void)state;
    static const char *const norms[] = {"norm=post", "norm=pre", "norm=code"};
    for (size_t i = 0; i < PQ_COUNT(norms); i++) {
        sasrec_case b;
        char settings[128];
        snprintf(settings, sizeof(settings), "%s%s", SASREC_SIZES, norms[i]);
        sasrec_open(&b, settings);
        double still = sasrec_step(&b, false);
        assert_true(sasrec_step(&b, true) == still);
        sasrec_close(&b);
        snprintf(settings, sizeof(settings), "%s%s", SASREC_SIZES "dropout=0.9 ", norms[i]);
        sasrec_open(&b, settings);
        assert_true(sasrec_step(&b, false) == still);
        double moved = sasrec_step(&b, true);
        assert_true(isfinite(moved) && moved != still && sasrec_finite(&b.grads));
        sasrec_close(&b);
    }
}

/* Which share of what comes from `source` alone is dropped, where everything else is zero: the source's
 * elements are all different, and norms leave equal what is equal. */
static double dropped_share(const char *norm, const char *source) {
    static const uint32_t one_starts[] = {0, 1}, one_item[] = {3};
    enum { WIDTH = 16, DRAWS = 100 };
    sasrec_case b;
    char settings[128];
    snprintf(settings, sizeof(settings),
             "dim=16 heads=16 layers=1 inner=1 history=1 dropout=0.5 norm=%s", norm);
    sasrec_open(&b, settings);
    for (uint32_t i = 0; i < b.model.params.count; i++) {
        pq_param *p = b.model.params.list[i];
        bool unit = strstr(p->name, "out.w") || strstr(p->name, "forward2.w");
        for (uint32_t j = 0; j < p->rows * p->cols && !strstr(p->name, "gain"); j++) {
            p->value[j] = unit && j / WIDTH == j % WIDTH;
        }
        for (uint32_t j = 0; strstr(p->name, "gain") && j < WIDTH; j++) {
            p->value[j] = 1;
        }
    }
    pq_param *p = sasrec_param(&b, source);
    for (uint32_t j = 0; j < WIDTH; j++) {
        p->value[(p->rows > 1 ? 3 * WIDTH : 0) + j] = (pq_real)(1 + j);
    }
    b.batch.history = (pq_segments){one_starts, 1};
    b.batch.items = one_item;
    double dropped = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        uint32_t live, equal = 0;
        pq_tape_begin(&b.tape, NULL, true, pq_rng_make(9, draw, 0));
        const pq_var *v = b.model.def->user(&b.tape, &b.model, &b.batch, &live);
        assert_ok(&b.t.ctx, b.tape.status);
        for (uint32_t j = 0; j < WIDTH; j++) {
            equal = 0;
            for (uint32_t k = 0; k < WIDTH; k++) {
                equal += v->value[k] == v->value[j];
            }
            dropped += equal > 1;
        }
    }
    sasrec_close(&b);
    return dropped / (WIDTH * DRAWS);
}

/* At a rate of a half: nothing, once, or twice. */
static void what_is_dropped(void **state) {
    (void)state;
    static const char *const norms[] = {"post", "pre", "code"};
    static const struct {
        const char *source;
        double want[3];
    } cases[] = {
        {"item.id", {0.5, 0.5, 0.5}},
        {"layer1.v.b", {0.75, 0.75, 0.5}}, /* the weights, and unless norm = code the output */
        {"layer1.out.b", {0.5, 0.5, 0}},
        {"layer1.forward1.b", {0.5, 0.5, 0.75}},
        {"layer1.forward2.b", {0.5, 0.5, 0.5}},
    };
    for (size_t i = 0; i < PQ_COUNT(cases); i++) {
        for (size_t n = 0; n < 3; n++) {
            double got = dropped_share(norms[n], cases[i].source);
            if (!(fabs(got - cases[i].want[n]) <= 0.06)) {
                fail_msg("%s, %s: %.3f are dropped instead of %.2f", norms[n], cases[i].source, got,
                         cases[i].want[n]);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_logits),
        cmocka_unit_test(no_labels),
        cmocka_unit_test(dropout),
        cmocka_unit_test(what_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
