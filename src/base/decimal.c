/* decimal.c — exact conversion with long integers.
 *
 * Printing: Steele and White, "How to print floating-point numbers accurately", free-format: the
 * value is a fraction r / s, and digits are produced until what is left is within half the distance
 * to the neighbouring doubles. Parsing: the text is a fraction of two long integers, divided bit by
 * bit. Short numbers, which are nearly all, take the path where double arithmetic is exact. */
#include "base/decimal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A double's half-way points have up to 767 digits. Beyond these it only matters whether anything
 * follows. The longest number is then a fraction of about 3,700 bits. */
#define MAX_DIGITS 780
#define MAX_WORDS 128

typedef struct {
    int count; /* words in use; the highest is not 0 */
    uint32_t words[MAX_WORDS];
} big;

static void big_set(big *x, uint64_t value) {
    x->count = 0;
    for (; value; value >>= 32) {
        x->words[x->count++] = (uint32_t)value;
    }
}

/* x = x * factor + addend */
static void big_scale(big *x, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (int i = 0; i < x->count; i++) {
        carry += (uint64_t)x->words[i] * factor;
        x->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        x->words[x->count++] = (uint32_t)carry;
    }
}

static void big_scale_ten(big *x, int power) {
    for (; power >= 9; power -= 9) {
        big_scale(x, 1000000000u, 0);
    }
    for (; power > 0; power--) {
        big_scale(x, 10, 0);
    }
}

static void big_shift(big *x, int bits) {
    int words = bits / 32;
    if (x->count == 0) {
        return;
    }
    memmove(x->words + words, x->words, (size_t)x->count * sizeof(uint32_t));
    memset(x->words, 0, (size_t)words * sizeof(uint32_t));
    x->count += words;
    big_scale(x, (uint32_t)1 << bits % 32, 0);
}

static int big_compare(const big *a, const big *b) {
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    for (int i = a->count - 1; i >= 0; i--) {
        if (a->words[i] != b->words[i]) {
            return a->words[i] < b->words[i] ? -1 : 1;
        }
    }
    return 0;
}

/* sum = a + b */
static void big_add(const big *a, const big *b, big *sum) {
    uint64_t carry = 0;
    int count = a->count > b->count ? a->count : b->count;
    for (int i = 0; i < count; i++) {
        carry += (uint64_t)(i < a->count ? a->words[i] : 0) + (i < b->count ? b->words[i] : 0);
        sum->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    sum->count = count;
    if (carry) {
        sum->words[sum->count++] = (uint32_t)carry;
    }
}

/* a -= b, a >= b */
static void big_subtract(big *a, const big *b) {
    int64_t borrow = 0;
    for (int i = 0; i < a->count; i++) {
        int64_t difference = (int64_t)a->words[i] - (i < b->count ? b->words[i] : 0) + borrow;
        a->words[i] = (uint32_t)difference;
        borrow = difference < 0 ? -1 : 0;
    }
    while (a->count && a->words[a->count - 1] == 0) {
        a->count--;
    }
}

static int big_bits(const big *x) {
    int bits = (x->count - 1) * 32;
    for (uint32_t top = x->words[x->count - 1]; top; top >>= 1) {
        bits++;
    }
    return bits;
}

/* The digits of the value, and the place of the point: 0.d1d2d3… * 10^point. */
static int shortest_digits(double value, char digits[18], int *point) {
    int exponent;
    double fraction = frexp(value, &exponent);
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53);
    exponent -= 53;
    while (exponent < -1074) { /* subnormal: the low bits are zero */
        mantissa >>= 1;
        exponent++;
    }
    bool even = !(mantissa & 1);
    /* Below a power of two the neighbour is half as far. */
    bool narrow = mantissa == (uint64_t)1 << 52 && exponent > -1074;

    /* value = r / s; half the way to the neighbours is up / s and down / s. */
    big r, s, up, down, sum;
    int shift = narrow ? 2 : 1;
    big_set(&r, mantissa);
    big_shift(&r, shift + (exponent > 0 ? exponent : 0));
    big_set(&s, 1);
    big_shift(&s, shift + (exponent < 0 ? -exponent : 0));
    big_set(&down, 1);
    big_shift(&down, exponent > 0 ? exponent : 0);
    up = down;
    big_shift(&up, narrow ? 1 : 0);

    /* Find the power of ten with (r + up) / s in [1/10, 1): an estimate that is never too high. */
    int power = (int)ceil((exponent + 52) * 0.30102999566398114 - 1e-10);
    if (power > 0) {
        big_scale_ten(&s, power);
    } else {
        big_scale_ten(&r, -power);
        big_scale_ten(&up, -power);
        big_scale_ten(&down, -power);
    }
    for (;;) {
        big_add(&r, &up, &sum);
        int against = big_compare(&sum, &s);
        if (against < 0 || (against == 0 && !even)) {
            break;
        }
        big_scale(&s, 10, 0);
        power++;
    }
    for (;;) { /* … and for subnormals, whose mantissa is short, it may be too high */
        big_add(&r, &up, &sum);
        big_scale(&sum, 10, 0);
        int against = big_compare(&sum, &s);
        if (against > 0 || (against == 0 && even)) {
            break;
        }
        big_scale(&r, 10, 0);
        big_scale(&up, 10, 0);
        big_scale(&down, 10, 0);
        power--;
    }
    *point = power;

    int count = 0;
    for (;;) {
        big_scale(&r, 10, 0);
        big_scale(&up, 10, 0);
        big_scale(&down, 10, 0);
        int digit = 0;
        while (big_compare(&r, &s) >= 0) {
            big_subtract(&r, &s);
            digit++;
        }
        int low = big_compare(&r, &down);
        big_add(&r, &up, &sum);
        int high = big_compare(&sum, &s);
        bool may_stop_low = low < 0 || (low == 0 && even);
        bool may_stop_high = high > 0 || (high == 0 && even);
        if (may_stop_low || may_stop_high) {
            big_scale(&r, 2, 0);
            int half = big_compare(&r, &s);
            bool round_up =
                may_stop_high && (!may_stop_low || half > 0 || (half == 0 && digit % 2));
            digits[count++] = (char)('0' + digit + round_up);
            return count;
        }
        digits[count++] = (char)('0' + digit);
    }
}

static size_t put_exponent(char *text, int exponent) {
    size_t size = 0;
    text[size++] = 'e';
    text[size++] = exponent < 0 ? '-' : '+';
    int magnitude = exponent < 0 ? -exponent : exponent;
    if (magnitude >= 100) {
        text[size++] = (char)('0' + magnitude / 100);
    }
    if (magnitude >= 10) {
        text[size++] = (char)('0' + magnitude / 10 % 10);
    }
    text[size++] = (char)('0' + magnitude % 10);
    return size;
}

size_t pq_decimal_print(double value, char text[PQ_DECIMAL_SIZE]) {
    size_t size = 0;
    if (value < 0 || (value == 0 && signbit(value))) {
        text[size++] = '-';
        value = -value;
    }
    char digits[18] = "0";
    int point = 1;
    int count = value > 0 ? shortest_digits(value, digits, &point) : 1;
    bool scientific = point < -5 || point > 21;
    int before = scientific ? 1 : point; /* digits before the point */
    if (before <= 0) {
        text[size++] = '0';
    }
    for (int i = 0; i < before; i++) {
        text[size++] = i < count ? digits[i] : '0';
    }
    if (count > before) {
        text[size++] = '.';
        for (int i = before; i < count; i++) {
            text[size++] = i < 0 ? '0' : digits[i];
        }
    }
    if (scientific) {
        size += put_exponent(text + size, point - 1);
    }
    text[size] = 0;
    return size;
}

/* numerator / denominator, rounded to nearest, ties to even. */
static double divide(big *numerator, big *denominator) {
    /* Scale so that the quotient has 54 or 55 bits: 53, and at least one to round by. Subnormal
     * results have fewer, down to the unit of 2^-1074. */
    int shift = 55 - (big_bits(numerator) - big_bits(denominator));
    shift = shift > 1075 ? 1075 : shift;
    if (shift >= 0) {
        big_shift(numerator, shift);
    } else {
        big_shift(denominator, -shift);
    }
    uint64_t quotient = 0;
    int bits = big_bits(numerator) - big_bits(denominator);
    for (int i = bits; i >= 0; i--) {
        big part = *denominator;
        big_shift(&part, i);
        if (big_compare(numerator, &part) >= 0) {
            big_subtract(numerator, &part);
            quotient |= (uint64_t)1 << i;
        }
    }
    bool rest = numerator->count > 0;
    int excess = 0; /* bits beyond those that the result keeps */
    while (quotient >> excess >> 53 || shift - excess > 1074) {
        excess++;
    }
    if (excess) {
        uint64_t half = (uint64_t)1 << (excess - 1);
        uint64_t below = quotient & (2 * half - 1);
        quotient >>= excess;
        if (below > half || (below == half && (rest || (quotient & 1)))) {
            quotient++;
        }
    }
    return ldexp((double)quotient, excess - shift);
}

typedef struct {
    char digits[MAX_DIGITS + 1];
    int count;
    int exponent; /* value = digits * 10^exponent */
    bool negative;
} decimal;

static bool is_digit(const char *text, const char *end) {
    return text < end && *text >= '0' && *text <= '9';
}

static bool scan(const char *text, size_t size, decimal *out) {
    const char *end = text + size;
    bool after_point = false, any = false, more = false;
    out->count = 0;
    out->exponent = 0;
    out->negative = text < end && *text == '-';
    text += text < end && (*text == '-' || *text == '+');
    for (; text < end; text++) {
        if (*text == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!is_digit(text, end)) {
            break;
        }
        any = true;
        if (*text == '0' && out->count == 0) {
            out->exponent -= after_point;
        } else if (out->count < MAX_DIGITS) {
            out->digits[out->count++] = *text;
            out->exponent -= after_point;
        } else {
            more |= *text != '0';
            out->exponent += !after_point;
        }
    }
    if (!any || size > 100000000) {
        return false;
    }
    if (text < end && (*text == 'e' || *text == 'E')) {
        text++;
        bool minus = text < end && *text == '-';
        text += text < end && (*text == '-' || *text == '+');
        if (!is_digit(text, end)) {
            return false;
        }
        int exponent = 0;
        for (; is_digit(text, end); text++) {
            exponent = exponent < 100000000 ? exponent * 10 + (*text - '0') : exponent;
        }
        out->exponent += minus ? -exponent : exponent;
    }
    if (more) {
        out->digits[out->count++] = '1';
        out->exponent--;
    }
    return text == end;
}

bool pq_decimal_parse(const char *text, size_t size, double *out) {
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal number;
    if (!scan(text, size, &number)) {
        return false;
    }
    int exponent = number.exponent;
    double value = 0;
    if (number.count && number.count + exponent > 310) {
        return false;
    }
    if (number.count <= 15 && exponent >= -22 && exponent <= 22) {
        for (int i = 0; i < number.count; i++) {
            value = value * 10 + (number.digits[i] - '0');
        }
        value = exponent < 0 ? value / tens[-exponent] : value * tens[exponent];
    } else if (number.count && number.count + exponent > -330) {
        big numerator, denominator;
        big_set(&numerator, 0);
        for (int i = 0; i < number.count; i++) {
            uint32_t digit = (uint32_t)(number.digits[i] - '0');
            if (numerator.count == 0) {
                big_set(&numerator, digit);
            } else {
                big_scale(&numerator, 10, digit);
            }
        }
        big_set(&denominator, 1);
        big_scale_ten(exponent < 0 ? &denominator : &numerator,
                      exponent < 0 ? -exponent : exponent);
        value = divide(&numerator, &denominator);
        if (value > 1.7976931348623157e308) {
            return false;
        }
    }
    *out = number.negative ? -value : value;
    return true;
}
