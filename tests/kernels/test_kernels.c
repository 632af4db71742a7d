/* test_kernels.c — every kernel of kernels.def in every instruction set that this machine can run
 * (kernel_checks.h says how). */
#include "kernel_checks.h"

#define PQ_KERNEL(class, name, tolerance, help)                                                    \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        bool runnable;                                                                             \
        const pq_kernels *first = pq_kernels_at(0, &runnable), *set;                               \
        assert_string_equal(first->isa, "scalar");                                                 \
        for (uint32_t i = 0; (set = pq_kernels_at(i, &runnable)) != NULL; i++) {                   \
            if (runnable && set->name) {                                                           \
                subject s = {#name, set->isa, tolerance};                                          \
                check_##class(&s, set->name, first->name, reference_##name);                       \
            }                                                                                      \
        }                                                                                          \
    }
#include "kernels/kernels.def"
#undef PQ_KERNEL

static void test_find(void **state) {
    (void)state;
    bool runnable;
    const pq_kernels *set, *widest = NULL;
    for (uint32_t i = 0; (set = pq_kernels_at(i, &runnable)) != NULL; i++) {
        assert_ptr_equal(pq_kernels_find(set->isa), runnable ? set : NULL);
        widest = runnable ? set : widest;
        print_message("instruction set %s: %s\n", set->isa, runnable ? "tested" : "not here");
    }
    assert_ptr_equal(pq_kernels_find("best"), widest);
    assert_non_null(pq_kernels_find("scalar"));
    assert_null(pq_kernels_find("avx"));
    assert_null(pq_kernels_find(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
#define PQ_KERNEL(class, name, tolerance, help) cmocka_unit_test(test_##name),
#include "kernels/kernels.def"
#undef PQ_KERNEL
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
