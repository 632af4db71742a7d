/* check_scan.c — checks of the scans: widths even and odd, interests around the groups they are taken in,
 * thresholds between, below, above and at the scores, rows left out, and little room. */
#include "kernel_checks.h"

#include "base/half.h"

enum { MOST_INTERESTS = 9, MOST_BLOCKS = 5 };

/* ---- what the kernels should see, by the layout that base/table.h and kernels.h draw ---- */

/* Where line i of interest k stands. */
static size_t line_at(const pq_scan_args *a, size_t k, size_t lines, size_t i) {
    size_t first = k / 4 * 4;
    return first + 4 <= a->interest_count ? first * lines + 4 * i + k % 4 : k * lines + i;
}

static double score_floats(const pq_scan_args *a, bool half, size_t block, size_t lane,
                           double *scale) {
    const float *interests = a->interests;
    double best = -HUGE_VAL;
    *scale = 0;
    for (size_t k = 0; k < a->interest_count; k++) {
        double sum = 0, size = 0;
        for (size_t d = 0; d < a->cols; d++) {
            size_t at = (block * a->cols + d) * 8 + lane;
            float x = half ? pq_half_to_float(((const uint16_t *)a->blocks)[at])
                           : ((const float *)a->blocks)[at];
            double product = (double)x * (double)interests[k * a->cols + d];
            sum += product;
            size += fabs(product);
        }
        best = fmax(best, sum);
        *scale = fmax(*scale, size);
    }
    return best;
}

static double score_f32(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    return score_floats(a, false, block, lane, scale);
}

static double score_f16(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    return score_floats(a, true, block, lane, scale);
}

static double score_bytes(const pq_scan_args *a, bool by_bytes, size_t block, size_t lane,
                          double *scale) {
    const size_t lines = (a->cols + 1) / 2, unit = by_bytes ? 8 : 2;
    const double row = (double)a->scales[block * 8 + lane];
    double best = -HUGE_VAL;
    *scale = 0;
    for (size_t k = 0; k < a->interest_count; k++) {
        int64_t sum = 0;
        for (size_t d = 0; d < a->cols; d++) {
            int64_t item =
                ((const int8_t *)a->blocks)[((block * lines + d / 2) * 8 + lane) * 2 + d % 2];
            size_t at = line_at(a, k, (a->cols + unit - 1) / unit, d / unit) * unit + d % unit;
            sum += item * (by_bytes ? ((const int8_t *)a->interests)[at]
                                    : ((const int16_t *)a->interests)[at]);
        }
        double product = (double)sum * (double)a->interest_scales[k];
        best = fmax(best, (product + (double)a->slacks[k]) * row);
        *scale = fmax(*scale, (fabs(product) + (double)a->slacks[k]) * row);
    }
    return best;
}

static double score_i8(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    return score_bytes(a, false, block, lane, scale);
}

static double score_i8_bytes(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    return score_bytes(a, true, block, lane, scale);
}

static double score_i4(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    static const size_t order[4] = {0, 2, 1, 3};
    const size_t lines = (a->cols + 3) / 4, groups = (a->cols + 31) / 32;
    double best = -HUGE_VAL;
    *scale = 0;
    for (size_t k = 0; k < a->interest_count; k++) {
        double total = 0, size = 0;
        for (size_t g = 0; g < groups; g++) {
            int64_t sum = 0;
            for (size_t d = 32 * g; d < a->cols && d < 32 * (g + 1); d++) {
                size_t j = d / 2, at = ((block * lines + j / 2) * 8 + lane) * 2 + j % 2;
                int64_t code = (((const uint8_t *)a->blocks)[at] >> d % 2 * 4 & 15) - 8;
                sum +=
                    code *
                    ((const int16_t *)a->interests)[line_at(a, k, lines, d / 4) * 4 + order[d % 4]];
            }
            double row = (double)a->scales[(block * 8 + lane) * groups + g];
            double product = (double)sum * (double)a->interest_scales[k];
            total += (product + (double)a->slacks[k]) * row;
            size += (fabs(product) + (double)a->slacks[k]) * row;
        }
        best = fmax(best, total);
        *scale = fmax(*scale, size);
    }
    return best;
}

/* How far the best interest's sum of bytes is below 255: the threshold is 0. */
static double score_pq(const pq_scan_args *a, size_t block, size_t lane, double *scale) {
    const size_t lines = ((size_t)a->cols + 7) / 8;
    double best = -HUGE_VAL;
    *scale = 1;
    for (size_t k = 0; k < a->interest_count; k++) {
        int sum = 0;
        for (size_t m = 0; m < a->cols; m++) {
            unsigned byte = ((const uint8_t *)a->blocks)[(block * a->cols + m) * 16 + lane % 16];
            unsigned code = lane < 16 ? byte & 15 : byte >> 4;
            sum += ((const uint8_t *)
                        a->interests)[line_at(a, k, lines, m / 8) * 128 + m % 8 * 16 + code];
        }
        best = fmax(best, 255 - sum);
    }
    return best;
}

const scan_reference reference_scan_f32 = {PQ_TABLE_F32, 1, score_f32};
const scan_reference reference_scan_f16 = {PQ_TABLE_F16, 1, score_f16};
const scan_reference reference_scan_i8 = {PQ_TABLE_I8, 2, score_i8};
const scan_reference reference_scan_i8_bytes = {PQ_TABLE_I8, 8, score_i8_bytes};
const scan_reference reference_scan_i4 = {PQ_TABLE_I4, 4, score_i4};
const scan_reference reference_scan_pq = {PQ_TABLE_PQ, 8, score_pq};

/* ---- random inputs, allocated to the byte ---- */

typedef struct {
    pq_scan_args args;
    pq_table_kind kind;
    uint32_t lanes, rows, unit;
    void *blocks, *interests;
    array scales, interest_scales, slacks;
    int32_t *starts;
    uint8_t *excluded, *absent;
    uint32_t *seen; /* rows of each block that the last run found */
} scan_case;

static void *bytes_make(size_t size) {
    void *bytes = malloc(size + !size);
    assert_non_null(bytes);
    memset(bytes, 0, size);
    return bytes;
}

static void fill_floats(scan_case *c, pq_rng *rng) {
    const size_t count = (size_t)c->rows * c->args.cols, size = c->kind == PQ_TABLE_F16 ? 2 : 4;
    float *interests = bytes_make((size_t)c->args.interest_count * c->args.cols * 4);
    c->blocks = bytes_make(count * size);
    c->interests = interests;
    for (size_t i = 0; i < count; i++) {
        float x = (float)pq_rng_normal(rng) * (i % 13 == 5 ? 0x1p-16f : 1); /* some subnormal */
        uint16_t half = pq_half_from_float(x);
        memcpy((uint8_t *)c->blocks + i * size, size == 2 ? (void *)&half : (void *)&x, size);
    }
    for (size_t i = 0; i < (size_t)c->args.interest_count * c->args.cols; i++) {
        interests[i] = (float)pq_rng_normal(rng);
    }
}

static void fill_integers(scan_case *c, pq_rng *rng) {
    const bool nibbles = c->kind == PQ_TABLE_I4, by_bytes = c->unit == 8;
    const size_t unit = c->unit, lines = (c->args.cols + unit - 1) / unit;
    const size_t of_row = nibbles ? lines * 2 : (c->args.cols + (size_t)1) / 2 * 2;
    const size_t count = c->rows * of_row, groups = nibbles ? (c->args.cols + 31) / 32 : 1;
    uint8_t *blocks = bytes_make(count);
    void *interests = bytes_make(c->args.interest_count * lines * unit * (by_bytes ? 1 : 2));
    c->starts = bytes_make(c->args.interest_count * sizeof(*c->starts));
    for (size_t i = 0; i < count; i++) {
        uint32_t low = 1 + pq_rng_below(rng, 15), high = 1 + pq_rng_below(rng, 15);
        int byte = i % 11 == 0 ? -127 : (int)pq_rng_below(rng, 255) - 127;
        blocks[i] = nibbles ? (uint8_t)(low | high << 4) : (uint8_t)(int8_t)byte;
    }
    for (size_t k = 0; k < c->args.interest_count; k++) { /* zeros beside the last column */
        static const size_t order[4] = {0, 2, 1, 3};
        for (size_t d = 0; d < c->args.cols; d++) {
            size_t at = line_at(&c->args, k, lines, d / unit) * unit;
            int most = by_bytes ? 127 : 32767;
            int draw = d % 7 == 0 ? -most : (int)pq_rng_below(rng, 2 * (uint32_t)most + 1) - most;
            at += nibbles ? order[d % 4] : d % unit;
            if (by_bytes) {
                ((int8_t *)interests)[at] = (int8_t)draw;
            } else {
                ((int16_t *)interests)[at] = (int16_t)draw;
            }
            c->starts[k] -= 128 * draw;
        }
    }
    c->blocks = blocks;
    c->interests = interests;
    c->scales = array_make(c->rows * groups, 1);
    c->interest_scales = array_make(c->args.interest_count, 0);
    c->slacks = array_make(c->args.interest_count, 2);
    for (size_t i = 0; i < c->rows * groups; i++) {
        c->scales.x[i] = (float)pq_rng_uniform(rng) + 0.1f;
    }
    for (size_t k = 0; k < c->args.interest_count; k++) {
        c->interest_scales.x[k] = (float)pq_rng_uniform(rng) + 0.1f;
        c->slacks.x[k] = (float)pq_rng_uniform(rng) * (by_bytes ? 1e3f : 1e5f);
    }
}

static void fill_codes(scan_case *c, pq_rng *rng) {
    const size_t lines = ((size_t)c->args.cols + 7) / 8, size = (size_t)c->rows * c->args.cols / 2;
    uint8_t *blocks = bytes_make(size), *tables = bytes_make(c->args.interest_count * lines * 128);
    for (size_t i = 0; i < size; i++) {
        blocks[i] = (uint8_t)pq_rng_below(rng, 256);
    }
    for (size_t k = 0; k < c->args.interest_count; k++) {
        for (size_t m = 0; m < c->args.cols; m++) {
            for (size_t i = 0; i < 16; i++) { /* sums around 255, some far above */
                uint32_t most = PQ_MIN(127, 520 / c->args.cols + (uint32_t)(m % 3 == 0) * 40);
                tables[line_at(&c->args, k, lines, m / 8) * 128 + m % 8 * 16 + i] =
                    (uint8_t)(i == 3 ? 127 : pq_rng_below(rng, most + 1));
            }
        }
    }
    c->blocks = blocks;
    c->interests = tables;
}

static void open_case(scan_case *c, scan_reference reference, uint32_t cols, uint32_t interests,
                      uint32_t blocks) {
    const pq_table_kind kind = reference.kind;
    pq_rng rng = pq_rng_make(50 + (uint32_t)kind, cols, interests * 10 + blocks);
    memset(c, 0, sizeof(*c));
    c->kind = kind;
    c->unit = reference.unit;
    c->args = (pq_scan_args){.cols = cols, .interest_count = interests, .block_count = blocks};
    c->lanes = kind == PQ_TABLE_PQ ? 32 : 8;
    c->rows = blocks * c->lanes;
    if (kind == PQ_TABLE_PQ) {
        fill_codes(c, &rng);
    } else if (kind == PQ_TABLE_I8 || kind == PQ_TABLE_I4) {
        fill_integers(c, &rng);
    } else {
        fill_floats(c, &rng);
    }
    c->excluded = bytes_make(c->rows / 8);
    c->absent = bytes_make(c->rows / 8);
    for (uint32_t i = 0; i < c->rows; i++) { /* single rows, and whole blocks in two halves */
        bool all = i / c->lanes % 3 == 1;
        c->excluded[i / 8] |= (uint8_t)((i % 5 == 1 || (all && i % 2 == 0)) << i % 8);
        c->absent[i / 8] |= (uint8_t)((i % 7 == 2 || (all && i % 2 == 1)) << i % 8);
    }
    c->seen = bytes_make(blocks * sizeof(*c->seen));
    c->args.blocks = c->blocks;
    c->args.interests = c->interests;
    c->args.scales = c->scales.x;
    c->args.interest_scales = c->interest_scales.x;
    c->args.slacks = c->slacks.x;
    c->args.starts = c->starts;
}

static void close_case(scan_case *c) {
    free(c->blocks);
    free(c->interests);
    array_free(&c->scales);
    array_free(&c->interest_scales);
    array_free(&c->slacks);
    free(c->starts);
    free(c->excluded);
    free(c->absent);
    free(c->seen);
}

/* ---- runs ---- */

/* Block after block in their order, whatever the room. */
static void run(scan_case *c, pq_kernel_scan *kernel, uint32_t room) {
    pq_scan_found *found = bytes_make(room * sizeof(*found));
    uint32_t next = 0, least = 0, count;
    memset(c->seen, 0, c->args.block_count * sizeof(*c->seen));
    c->args.room = room;
    c->args.found = found;
    do {
        count = kernel(&c->args, &next);
        assert_true(count <= room && next <= c->args.block_count);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(found[i].block >= least && found[i].block < next && found[i].rows != 0);
            c->seen[found[i].block] = found[i].rows;
            least = found[i].block + 1;
        }
    } while (count > 0);
    assert_int_equal(next, c->args.block_count);
    free(found);
}

static bool is_out(const scan_case *c, uint32_t row) {
    return (c->args.excluded && c->args.excluded[row / 8] >> row % 8 & 1) ||
           (c->args.absent && c->args.absent[row / 8] >> row % 8 & 1);
}

/* What was found is what the reference finds; where the score is the threshold up to rounding, either. */
static void expect_found(const subject *s, const scan_case *c, scan_reference reference) {
    for (uint32_t row = 0; row < c->rows; row++) {
        double scale;
        double score = reference.score(&c->args, row / c->lanes, row % c->lanes, &scale);
        bool found = c->seen[row / c->lanes] >> row % c->lanes & 1;
        double above = score - (double)c->args.threshold;
        bool near = fabs(above) <= s->tolerance * scale;
        if (is_out(c, row) ? found : !near && found != (above > 0)) {
            fail_msg("%s in %s: %u columns, %u interests, row %u: %.9g against %.9g is %sfound",
                     s->name, s->isa, c->args.cols, c->args.interest_count, row, score,
                     (double)c->args.threshold, found ? "" : "not ");
        }
    }
}

static void check_thresholds(const subject *s, scan_case *c, pq_kernel_scan *kernel,
                             scan_reference reference) {
    float thresholds[] = {0, -HUGE_VALF, HUGE_VALF, 0, 0};
    double scale;
    if (c->rows > 0 && c->kind != PQ_TABLE_PQ) { /* such as rows have */
        thresholds[3] = (float)reference.score(&c->args, 0, 3, &scale);
        thresholds[4] =
            (float)reference.score(&c->args, c->args.block_count - 1, 5, &scale) * 0.99f;
    }
    for (size_t t = 0; t < PQ_COUNT(thresholds); t++) {
        c->args.threshold = c->kind == PQ_TABLE_PQ ? 0 : thresholds[t];
        c->args.excluded = t % 2 == 0 ? c->excluded : NULL;
        c->args.absent = t % 3 == 0 ? c->absent : NULL;
        for (uint32_t room = 2; room <= 8; room += 3) {
            run(c, kernel, room);
            expect_found(s, c, reference);
        }
    }
}

/* Rows with a NaN are never found, their neighbours are; a NaN in one interest leaves the others. */
static void check_nan(const subject *s, pq_kernel_scan *kernel, scan_reference reference) {
    enum { COLS = 3, BAD = 5 };
    for (uint32_t count = 1; count <= MOST_INTERESTS; count++) {
        scan_case c;
        open_case(&c, reference, COLS, count, 2);
        c.args.threshold = -HUGE_VALF;
        for (uint32_t k = 0; k + 1 < count; k++) {
            ((float *)c.interests)[k * COLS + 1] = NAN;
        }
        ((float *)c.blocks)[8 + BAD] = NAN;
        run(&c, kernel, 8);
        assert_int_equal(c.seen[0], 0xff ^ 1 << BAD);
        assert_int_equal(c.seen[1], 0xff);
        ((float *)c.interests)[(count - 1) * COLS] = NAN;
        run(&c, kernel, 8);
        assert_int_equal(c.seen[0] | c.seen[1], 0);
        close_case(&c);
    }
    (void)s;
}

/* The scores of floats instead of what is above. */
static void check_scores(const subject *s, scan_case *c, pq_kernel_scan *kernel,
                         scan_reference reference) {
    array out = array_make(c->rows, 1);
    pq_scan_found none[2];
    uint32_t next = 0;
    c->args.scores = out.x;
    c->args.room = 2;
    c->args.found = none;
    c->args.excluded = NULL;
    c->args.absent = NULL;
    assert_int_equal(kernel(&c->args, &next), 0);
    assert_int_equal(next, c->args.block_count);
    for (uint32_t row = 0; row < c->rows; row++) {
        double scale, score = reference.score(&c->args, row / 8, row % 8, &scale);
        expect_near(s, (double)out.x[row], score, s->tolerance * scale, c->args.cols);
    }
    array_free(&out);
}

/* Whole numbers: a score that is the threshold is not above it, in any set. */
static void check_ties(const subject *s, pq_kernel_scan *kernel, scan_reference reference) {
    scan_case c;
    double scale;
    open_case(&c, reference, 8, 5, 3);
    for (uint32_t i = 0; i < c.rows * 8; i++) {
        ((float *)c.blocks)[i] = (float)(int)(i * 7 % 9) - 4;
    }
    for (uint32_t i = 0; i < 40; i++) {
        ((float *)c.interests)[i] = (float)(int)(i * 5 % 7) - 3;
    }
    subject exact = *s;
    exact.tolerance = 0;
    for (uint32_t row = 0; row < c.rows; row++) {
        c.args.threshold = (float)reference.score(&c.args, row / 8, row % 8, &scale);
        run(&c, kernel, 8);
        assert_false(c.seen[row / 8] >> row % 8 & 1);
        expect_found(&exact, &c, reference);
    }
    close_case(&c);
}

/* Numbers below the normal ones of half precision, against thresholds beside them. */
static void check_subnormal(pq_kernel_scan *kernel) {
    scan_case c;
    open_case(&c, reference_scan_f16, 1, 1, 1);
    *(float *)c.interests = 1;
    for (uint32_t lane = 0; lane < 8; lane++) {
        ((uint16_t *)c.blocks)[lane] = (uint16_t)(300 * lane);
    }
    for (uint32_t lane = 0; lane < 8; lane++) {
        c.args.threshold = (300 * (float)lane - 1) * 0x1p-24f;
        if (lane > 3) { /* normal: 2^-14 and above */
            c.args.threshold = pq_half_to_float((uint16_t)(300 * lane - 1));
        }
        run(&c, kernel, 8);
        assert_int_equal(c.seen[0], 0xffu << lane & 0xffu);
    }
    close_case(&c);
}

void check_scan(const subject *s, pq_kernel_scan *kernel, pq_kernel_scan *scalar,
                scan_reference reference) {
    const uint32_t step = reference.kind == PQ_TABLE_PQ ? 2 : 1;
    (void)scalar; /* one of the sets that are checked */
    for (uint32_t cols = step; cols <= 70; cols += cols < 10 ? step : 6 * step) {
        for (uint32_t count = 1; count <= MOST_INTERESTS; count++) {
            for (uint32_t blocks = 0; blocks <= MOST_BLOCKS; blocks++) {
                scan_case c;
                open_case(&c, reference, cols, count, blocks);
                check_thresholds(s, &c, kernel, reference);
                if (reference.kind == PQ_TABLE_F32) {
                    check_scores(s, &c, kernel, reference);
                }
                close_case(&c);
            }
        }
    }
    if (reference.kind == PQ_TABLE_F16) {
        check_subnormal(kernel);
    }
    if (reference.kind == PQ_TABLE_F32) {
        check_nan(s, kernel, reference);
        check_ties(s, kernel, reference);
    }
}
