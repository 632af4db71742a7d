/* test_diversify.c — diverse lists against the greedy rule written out, and its limits. */
#include "testing.h"

#include "base/rng.h"
#include "retrieval/diversify.h"

#define MOST 40

/* The rule of the paper itself: the gain for every chosen item of another category, over all that are left;
 * places: of the chosen among the hits. */
static void by_rule(const pq_hit *hits, uint32_t count, uint32_t wanted, const uint8_t *categories,
                    double price, uint32_t *places) {
    bool taken[MOST] = {false};
    for (uint32_t n = 0; n < wanted; n++) {
        double most = -1e300;
        uint32_t best = 0;
        for (uint32_t i = 0; i < count; i++) {
            double gain = (double)hits[i].score;
            for (uint32_t j = 0; j < count; j++) {
                uint8_t own = categories[hits[i].row], other = categories[hits[j].row];
                gain += taken[j] && (own != other || own == 0) ? price : 0;
            }
            if (!taken[i] && gain > most + 1e-9) {
                most = gain;
                best = i;
            }
        }
        taken[best] = true;
        places[n] = best;
    }
}

static uint32_t random_hits(uint64_t seed, pq_hit *hits, uint8_t *categories) {
    pq_rng rng = pq_rng_make(seed, 0, 0);
    uint32_t count = 1 + pq_rng_below(&rng, MOST);
    double score = 20;
    for (uint32_t i = 0; i < count; i++) {
        score -= 0.25 * pq_rng_below(&rng, 4); /* quarters: sums are exact */
        hits[i] = (pq_hit){count - i, i % 3, (float)score};
        categories[count - i] = (uint8_t)(pq_rng_below(&rng, 5) * 255 / 4);
    }
    return count;
}

static void test_the_rule(void **state) {
    (void)state;
    testing t;
    pq_arena arena;
    testing_open(&t);
    pq_arena_init(&arena, &t.ctx);
    uint32_t moved = 0;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        pq_hit hits[MOST], chosen[MOST];
        uint8_t categories[MOST + 1] = {0};
        uint32_t places[MOST], count = random_hits(seed, hits, categories);
        uint32_t wanted = 1 + (uint32_t)(seed % count);
        float price = 0.25f * (float)(seed % 9);
        memcpy(chosen, hits, sizeof(hits));
        by_rule(hits, count, wanted, categories, (double)price, places);
        assert_ok(&t.ctx, pq_diversify(&arena, chosen, count, wanted,
                                       &(pq_categories){categories, 1}, price));
        for (uint32_t n = 0; n < wanted; n++) {
            const pq_hit *hit = &hits[places[n]]; /* with its score and its interest */
            assert_memory_equal(&chosen[n], hit, sizeof(*hit));
            moved += chosen[n].row != hits[n].row;
        }
        pq_arena_reset(&arena);
    }
    assert_true(moved > 1000);
    pq_arena_free(&arena);
    testing_close(&t);
}

static void test_limits(void **state) {
    (void)state;
    testing t;
    pq_arena arena;
    testing_open(&t);
    pq_arena_init(&arena, &t.ctx);
    static const uint8_t categories[] = {0, 1, 1, 2, 1, 0, 2, 0};
    pq_hit hits[] = {{1, 0, 7}, {2, 0, 6}, {3, 0, 5}, {4, 0, 4}, {5, 0, 3}, {6, 0, 2}, {7, 0, 1}};
    pq_hit list[7];
    memcpy(list, hits, sizeof(hits));
    assert_ok(&t.ctx, pq_diversify(&arena, list, 7, 7, &(pq_categories){categories, 1}, 0));
    assert_memory_equal(list, hits, sizeof(hits));
    /* A price above all scores: one of each category first, and those of none. */
    assert_ok(&t.ctx, pq_diversify(&arena, list, 7, 5, &(pq_categories){categories, 1}, 1000));
    static const uint32_t first[] = {1, 3, 5, 7, 2};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(list[i].row, first[i]);
    }
    assert_ok(&t.ctx, pq_diversify(&arena, list, 0, 3, &(pq_categories){categories, 1}, 1));
    pq_arena_free(&arena);
    testing_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
