#include "base/half.h"

#include <string.h>

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* A float has 8 bits of exponent around 127 and 23 of fraction, a half 5 around 15 and 10. */

float pq_half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 31u, fraction = half & 0x3ffu;
    if (exponent == 31) {
        return from_bits(sign | 0x7f800000u | fraction << 13);
    }
    if (exponent == 0) { /* zero and subnormals: fraction * 2^-24, exact as a float */
        float value = (float)fraction * 0x1p-24f;
        return from_bits(sign | to_bits(value));
    }
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t pq_half_from_float(float value) {
    uint32_t bits = to_bits(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return sign | 0x7e00u;
    }
    if (size >= 0x477ff000u) { /* 65520 and above round to infinity */
        return sign | 0x7c00u;
    }
    if (size < 0x38800000u) {
        /* Subnormal: adding 2^-1 leaves the multiple of 2^-24 in the low bits, rounded by the sum. */
        uint32_t sum = to_bits(from_bits(size) + 0.5f);
        return (uint16_t)(sign | (sum - to_bits(0.5f)));
    }
    uint32_t odd = size >> 13 & 1u;
    return (uint16_t)(sign | (size - (112u << 23) + 0xfffu + odd) >> 13);
}
