/* check_scan.c — checks of the scans: widths even and odd, interests around the groups they are
 * taken in. */
#include "kernel_checks.h"

enum { SCAN_MOST_COLS = 66, SCAN_MOST_INTERESTS = 9, SCAN_BLOCKS = 3 };

/* The largest <interest, item> of the item in `lane` of the block, and what rounding is relative
 * to. */
double reference_scan_f32(const pq_scan_f32_args *a, size_t block, size_t lane, double *scale) {
    double best = -HUGE_VAL;
    *scale = 0;
    for (size_t k = 0; k < a->interest_count; k++) {
        double sum = 0, size = 0;
        for (size_t d = 0; d < a->cols; d++) {
            double product = (double)a->blocks[(block * a->cols + d) * 8 + lane] *
                             (double)a->interests[k * a->cols + d];
            sum += product;
            size += fabs(product);
        }
        best = fmax(best, sum);
        *scale = fmax(*scale, size);
    }
    return best;
}

/* The item with a NaN loses against everything; its neighbours notice nothing. */
static void check_scan_nan(const subject *s, pq_kernel_scan_f32 *kernel) {
    enum { COLS = 3, BAD = 5 };
    for (uint32_t count = 1; count <= SCAN_MOST_INTERESTS; count++) {
        array items = array_random(8 * COLS, 0, 42), interests = array_random(count * COLS, 0, 43);
        float before[8], after[8];
        pq_scan_f32_args args = {.blocks = items.x, .interests = interests.x, .out = before};
        args.block_count = 1;
        args.interest_count = count;
        args.cols = COLS;
        kernel(&args);
        items.x[8 + BAD] = NAN;
        args.out = after;
        kernel(&args);
        before[BAD] = -HUGE_VALF;
        expect_same(s, after, before, 8);
        array_free(&items);
        array_free(&interests);
    }
}

void check_scan_f32(const subject *s, pq_kernel_scan_f32 *kernel, pq_kernel_scan_f32 *scalar,
                    scan_f32_reference *reference) {
    check_scan_nan(s, kernel);
    for (uint32_t cols = 1; cols <= SCAN_MOST_COLS; cols += cols < 10 ? 1 : 7) {
        for (uint32_t count = 1; count <= SCAN_MOST_INTERESTS; count++) {
            for (uint32_t blocks = 0; blocks <= SCAN_BLOCKS; blocks++) {
                array items = array_random((size_t)blocks * 8 * cols, cols % 4, 40);
                array interests = array_random((size_t)count * cols, count % 4, 41);
                array out = array_make((size_t)blocks * 8, blocks % 4);
                array other = array_make((size_t)blocks * 8, 0);
                pq_scan_f32_args args = {.blocks = items.x,
                                         .interests = interests.x,
                                         .block_count = blocks,
                                         .interest_count = count,
                                         .cols = cols,
                                         .out = out.x};
                kernel(&args);
                args.out = other.x;
                scalar(&args);
                for (size_t i = 0; i < (size_t)blocks * 8; i++) {
                    double scale, exact = reference(&args, i / 8, i % 8, &scale);
                    expect_near(s, out.x[i], exact, 2e-6 * scale, cols);
                    expect_near(s, out.x[i], other.x[i], s->tolerance * scale, cols);
                }
                array_free(&items);
                array_free(&interests);
                array_free(&out);
                array_free(&other);
            }
        }
    }
}

/* Exact in integers; the one rounding of the product with the scale is the kernel's too. */
float reference_scan_i8(const pq_scan_i8_args *a, size_t block, size_t lane) {
    const size_t pairs = (a->cols + 1) / 2;
    float best = -HUGE_VALF;
    for (size_t k = 0; k < a->interest_count; k++) {
        int64_t sum = 0;
        for (size_t d = 0; d < a->cols; d++) {
            int64_t item = a->blocks[((block * pairs + d / 2) * 8 + lane) * 2 + d % 2];
            sum += item * a->interests[k * pairs * 2 + d];
        }
        best = fmaxf(best, (float)(int32_t)sum * a->interest_scales[k]);
    }
    return best;
}

static void check_scan_i8_once(const subject *s, pq_kernel_scan_i8 *kernel,
                               pq_kernel_scan_i8 *scalar, scan_i8_reference *reference,
                               pq_scan_i8_args args) {
    const size_t width = args.cols + args.cols % 2, items = (size_t)args.block_count * 8;
    int8_t *all_blocks = malloc(items * width + 2), *blocks = all_blocks + 1;
    int16_t *interests = malloc(args.interest_count * width * sizeof(int16_t));
    array scales = array_make(args.interest_count, 0);
    array out = array_make(items, 1), other = array_make(items, 2);
    assert_true(all_blocks && interests);
    pq_rng rng = pq_rng_make(50, args.cols, args.interest_count);
    for (size_t i = 0; i < items * width; i++) {
        bool beside = args.cols % 2 == 1 && i / 16 % (width / 2) == width / 2 - 1 && i % 2 == 1;
        int draw = (int)pq_rng_below(&rng, 255) - 127;
        blocks[i] = (int8_t)(beside ? 0 : i % 11 == 0 ? -127 : draw);
    }
    for (size_t i = 0; i < args.interest_count * width; i++) {
        int draw = (int)pq_rng_below(&rng, 65535) - 32767;
        interests[i] = (int16_t)(i % 7 == 0 ? -32767 : draw);
    }
    for (size_t k = 0; k < args.interest_count; k++) {
        scales.x[k] = (float)pq_rng_uniform(&rng) + 0.1f;
    }
    args.blocks = blocks;
    args.interests = interests;
    args.interest_scales = scales.x;
    args.out = out.x;
    kernel(&args);
    args.out = other.x;
    scalar(&args);
    for (size_t i = 0; i < items; i++) {
        expect_near(s, out.x[i], reference(&args, i / 8, i % 8), 0, args.cols);
    }
    expect_same(s, out.x, other.x, items);
    free(all_blocks);
    free(interests);
    array_free(&scales);
    array_free(&out);
    array_free(&other);
}

void check_scan_i8(const subject *s, pq_kernel_scan_i8 *kernel, pq_kernel_scan_i8 *scalar,
                   scan_i8_reference *reference) {
    assert_true(s->tolerance == 0);
    for (uint32_t cols = 1; cols <= SCAN_MOST_COLS; cols += cols < 10 ? 1 : 7) {
        for (uint32_t count = 1; count <= SCAN_MOST_INTERESTS; count++) {
            for (uint32_t blocks = 0; blocks <= SCAN_BLOCKS; blocks++) {
                pq_scan_i8_args args = {
                    .block_count = blocks, .interest_count = count, .cols = cols};
                check_scan_i8_once(s, kernel, scalar, reference, args);
            }
        }
    }
}
