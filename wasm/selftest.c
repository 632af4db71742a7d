/* selftest.c — does this engine compute what it should? Some browsers accept SIMD modules and return
 * wrong numbers, so the loader asks before it trusts a build, and takes the other one on a 0.
 *
 * The inputs are small whole numbers, so that every order of summation is exact, and the expected
 * checksums are constants: a comparison against C loops would not do, because the compiler turns
 * those into the same SIMD instructions. */
#include "boundary.h"
#include "kernels/kernels.h"

enum { LENGTH = 67, ROWS = 3, INNER = 5, COLS = 9, BLOCKS = 2, WIDTH = 5, INTERESTS = 2 };

static void fill(float *x, uint32_t n, uint32_t step, uint32_t modulus) {
    for (uint32_t i = 0; i < n; i++) {
        x[i] = (float)((int32_t)(i * step % modulus) - (int32_t)(modulus / 2));
    }
}

/* Differs for every other value and every other place. */
static double checksum(const float *x, uint32_t n) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)(i + 1) * (double)x[i];
    }
    return sum;
}

static bool near(double value, double expected) {
    double difference = value > expected ? value - expected : expected - value;
    return difference <= 4e-6 * expected;
}

static bool vectors_hold(const pq_kernels *kernels) {
    float x[LENGTH], y[LENGTH];
    fill(x, LENGTH, 7, 13);
    fill(y, LENGTH, 5, 11);
    bool good = kernels->sum(x, LENGTH) == -5 && kernels->max(y, LENGTH) == 5 &&
                kernels->dot(x, y, LENGTH) == -200;
    kernels->axpy(3, x, y, LENGTH);
    return good && checksum(y, LENGTH) == 43;
}

static bool curves_hold(const pq_kernels *kernels) {
    float x[7] = {-20, -2, -0.5F, 0, 0.5F, 1, 10}, y[7];
    const double expected[7] = {2.061153622438558e-9, 0.1353352832366127, 0.6065306597126334, 1,
                                1.6487212707001282,   2.718281828459045,  22026.465794806718};
    bool good = true;
    kernels->exp(x, y, 7);
    for (uint32_t i = 0; i < 7; i++) {
        good = good && near(y[i], expected[i]);
    }
    good = good && near(kernels->softmax(x, y, 6), 1.8097416568966254);
    return good && near(y[5], 0.44497300708278037);
}

static bool products_hold(const pq_kernels *kernels) {
    float a[ROWS * INNER], b[INNER * COLS], c[ROWS * COLS];
    fill(a, ROWS * INNER, 5, 7);
    fill(b, INNER * COLS, 3, 11);
    pq_gemm_args args = {.m = ROWS,
                         .n = COLS,
                         .k = INNER,
                         .a = a,
                         .b = b,
                         .c = c,
                         .lda = INNER,
                         .ldb = COLS,
                         .ldc = COLS,
                         .accumulate = false};
    kernels->gemm_nn(&args);
    bool good = checksum(c, ROWS * COLS) == -58;
    args.ldb = INNER;
    kernels->gemm_nt(&args);
    return good && checksum(c, ROWS * COLS) == -354;
}

static bool scans_hold(const pq_kernels *kernels) {
    float blocks[BLOCKS * WIDTH * 8], interests[INTERESTS * WIDTH], scores[BLOCKS * 8];
    fill(blocks, BLOCKS * WIDTH * 8, 11, 17);
    fill(interests, INTERESTS * WIDTH, 3, 7);
    pq_scan_f32_args plain = {.blocks = blocks,
                              .interests = interests,
                              .block_count = BLOCKS,
                              .interest_count = INTERESTS,
                              .cols = WIDTH,
                              .out = scores};
    kernels->scan_f32(&plain);
    bool good = checksum(scores, BLOCKS * 8) == 1637;

    enum { EVEN = WIDTH + 1 };
    int8_t codes[BLOCKS * EVEN * 8];
    int16_t steps[INTERESTS * EVEN];
    const float scales[INTERESTS] = {0.5F, 2};
    for (uint32_t i = 0; i < BLOCKS * EVEN * 8; i++) {
        codes[i] = (int8_t)((int32_t)(i * 89 % 255) - 127);
    }
    for (uint32_t i = 0; i < INTERESTS * EVEN; i++) {
        steps[i] = (int16_t)((int32_t)(i * 4999 % 8191) - 4095);
    }
    pq_scan_i8_args packed = {.blocks = codes,
                              .interests = steps,
                              .interest_scales = scales,
                              .block_count = BLOCKS,
                              .interest_count = INTERESTS,
                              .cols = EVEN,
                              .out = scores};
    kernels->scan_i8(&packed);
    return good && checksum(scores, BLOCKS * 8) == 73422981.5;
}

int32_t pique_js_self_test(void) {
    const pq_kernels *kernels = pq_kernels_find("best");
    return kernels && vectors_hold(kernels) && curves_hold(kernels) && products_hold(kernels) &&
           scans_hold(kernels);
}
