/* selftest.c — does this engine compute what it should? Some browsers accept SIMD modules and return
 * wrong numbers, so the loader asks before it trusts a build, and takes the other one on a 0.
 *
 * The inputs are small whole numbers, so that every order of summation is exact, and the expected
 * checksums are constants: a comparison against C loops would not do, because the compiler turns
 * those into the same SIMD instructions. */
#include "boundary.h"
#include "kernels/kernels.h"

enum { LENGTH = 67, ROWS = 3, INNER = 5, COLS = 9, BLOCKS = 2, WIDTH = 5, INTERESTS = 5 };

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

/* Over the blocks and rows that a scan finds above the threshold. */
static uint32_t found_by(pq_kernel_scan *kernel, pq_scan_args *args, uint32_t cols,
                         const void *interests, float threshold) {
    pq_scan_found found[BLOCKS];
    uint32_t next = 0, sum = 0;
    args->cols = cols;
    args->interests = interests;
    args->threshold = threshold;
    args->found = found;
    uint32_t count = kernel(args, &next);
    for (uint32_t i = 0; i < count; i++) {
        sum = sum * 31 + found[i].block * 8 + found[i].rows;
    }
    return sum;
}

/* A group of interests and one more; the widths end inside a register, a line, a group of columns. */
static bool scans_hold(const pq_kernels *kernels) {
    enum { MOST = 36, TABLES = INTERESTS * 128 };
    uint8_t bytes[TABLES], tables[TABLES];
    uint16_t halves[80];
    float floats[BLOCKS * WIDTH * 8], interests[INTERESTS * WIDTH], scores[BLOCKS * 8];
    float scales[64];
    const float steps[INTERESTS] = {1, 2, 3, 4, 5};
    int16_t rounded[INTERESTS * MOST];
    for (uint32_t i = 0; i < TABLES; i++) {
        bytes[i] = (uint8_t)(i * 89 % 251);
        tables[i] = (uint8_t)(i % 128 < 96 ? i * 37 % 113 : 0); /* of six codebooks in eight */
    }
    for (uint32_t i = 0; i < 80; i++) { /* below 2 */
        halves[i] = (uint16_t)((bytes[2 * i] | bytes[2 * i + 1] << 8) & 0xbfff);
    }
    for (uint32_t i = 0; i < INTERESTS * MOST; i++) {
        rounded[i] = (int16_t)((int32_t)(i * 4999 % 8191) - 4095);
    }
    for (uint32_t i = 0; i < 64; i++) {
        scales[i] = (float)(i * 5 % 11 + 1);
    }
    fill(floats, BLOCKS * WIDTH * 8, 11, 17);
    fill(interests, INTERESTS * WIDTH, 3, 7);
    pq_scan_args args = {.block_count = BLOCKS,
                         .interest_count = INTERESTS,
                         .interest_scales = steps,
                         .slacks = steps,
                         .scales = scales,
                         .room = BLOCKS,
                         .blocks = bytes};
    bool good = found_by(kernels->scan_i8, &args, 6, rounded, 9e6F) == 3089 &&
                found_by(kernels->scan_i4, &args, MOST, rounded, 2.5e6F) == 6974 &&
                found_by(kernels->scan_pq, &args, 6, tables, 0) == 2181506180;
    args.blocks = halves;
    good = good && found_by(kernels->scan_f16, &args, WIDTH, interests, 1.5F) == 5363;
    args.blocks = floats;
    args.scores = scores;
    return good && found_by(kernels->scan_f32, &args, WIDTH, interests, 0) == 0 &&
           checksum(scores, BLOCKS * 8) == 3186;
}

int32_t pique_js_self_test(void) {
    const pq_kernels *kernels = pq_kernels_find("best");
    return kernels && vectors_hold(kernels) && curves_hold(kernels) && products_hold(kernels) &&
           scans_hold(kernels);
}
