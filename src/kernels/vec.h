/* vec.h — a small vector type at one width per instruction set, on which the kernel bodies are
 * written. The only file that includes SIMDe.
 *
 * The file that includes this defines one of
 *   PQ_ISA_SCALAR  vec is one pq_real (float, or double under PQ_REAL_DOUBLE)
 *   PQ_ISA_V128    four floats, by the names of WebAssembly's SIMD: SSE4.1, NEON or wasm128
 *   PQ_ISA_AVX2    eight floats, AVX2 and FMA, only where these are native (SIMDe's stand-ins for
 *                  256-bit names are many times slower than the 128-bit ones)
 *   PQ_ISA_AVX512  sixteen floats, AVX-512 (F, BW, DQ, VL), by the compiler's own names: SIMDe lacks some,
 *                  and there is nothing to stand in for
 *
 * Every operation rounds exactly (no reciprocal estimates), so one set gives the same bits on every
 * machine. vec_fma rounds once in AVX2 and AVX-512 and twice in the others. */
#ifndef PQ_VEC_H
#define PQ_VEC_H

#include "base/number.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bodies that are meant to be specialised for constant arguments. */
#if defined(__GNUC__)
#define VEC_INLINE static inline __attribute__((always_inline))
#else
#define VEC_INLINE static inline
#endif

/* In each set below:
 *   vec_max(a, b)      a < b ? b : a, hence a when either is NaN; vec_min likewise
 *   vec_max_nan(a, b)  NaN when either is
 *   ivec               as many int32 as vec has lanes; shifts are by constants
 *   vec_transpose      of the VEC_WIDTH x VEC_WIDTH matrix with these rows
 * What only scans use stands in scan_vec.h. */

/* One operation a line, so that a set reads as a table. */
/* clang-format off */

#if defined(PQ_ISA_AVX2)

#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile the AVX2 kernels with -mavx2 -mfma"
#endif
#include <simde/x86/avx2.h>
#include <simde/x86/fma.h>

#define VEC_WIDTH 8
typedef simde__m256 vec;
typedef simde__m256i ivec;

VEC_INLINE vec vec_load(const pq_real *p) { return simde_mm256_loadu_ps(p); }
VEC_INLINE void vec_store(pq_real *p, vec a) { simde_mm256_storeu_ps(p, a); }
VEC_INLINE vec vec_splat(pq_real x) { return simde_mm256_set1_ps(x); }
VEC_INLINE vec vec_add(vec a, vec b) { return simde_mm256_add_ps(a, b); }
VEC_INLINE vec vec_sub(vec a, vec b) { return simde_mm256_sub_ps(a, b); }
VEC_INLINE vec vec_mul(vec a, vec b) { return simde_mm256_mul_ps(a, b); }
VEC_INLINE vec vec_div(vec a, vec b) { return simde_mm256_div_ps(a, b); }
VEC_INLINE vec vec_sqrt(vec a) { return simde_mm256_sqrt_ps(a); }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return simde_mm256_fmadd_ps(a, b, c); }
VEC_INLINE vec vec_max(vec a, vec b) { return simde_mm256_max_ps(b, a); }
VEC_INLINE vec vec_min(vec a, vec b) { return simde_mm256_min_ps(b, a); }
VEC_INLINE vec vec_max_nan(vec a, vec b) {
    return simde_mm256_blendv_ps(simde_mm256_max_ps(a, b), a,
                                 simde_mm256_cmp_ps(a, a, SIMDE_CMP_UNORD_Q));
}

VEC_INLINE ivec vec_bits(vec a) { return simde_mm256_castps_si256(a); }
VEC_INLINE vec vec_from_bits(ivec a) { return simde_mm256_castsi256_ps(a); }
VEC_INLINE ivec ivec_splat(int32_t x) { return simde_mm256_set1_epi32(x); }
VEC_INLINE ivec ivec_add(ivec a, ivec b) { return simde_mm256_add_epi32(a, b); }
VEC_INLINE ivec ivec_sub(ivec a, ivec b) { return simde_mm256_sub_epi32(a, b); }
#define ivec_shift_left(a, bits) simde_mm256_slli_epi32(a, bits)
#define ivec_shift_right(a, bits) simde_mm256_srai_epi32(a, bits)

VEC_INLINE void vec_transpose(vec r[VEC_WIDTH]) {
    vec pair[VEC_WIDTH], quad[VEC_WIDTH];
    for (int i = 0; i < VEC_WIDTH; i += 2) { /* two rows interleaved in each 128-bit half */
        pair[i] = simde_mm256_unpacklo_ps(r[i], r[i + 1]);
        pair[i + 1] = simde_mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VEC_WIDTH; i += 4) { /* quad[i + c]: columns c and c + 4 of rows i..i+3 */
        quad[i] = simde_mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
        quad[i + 1] = simde_mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
        quad[i + 2] = simde_mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        quad[i + 3] = simde_mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
    for (int c = 0; c < 4; c++) {
        r[c] = simde_mm256_permute2f128_ps(quad[c], quad[c + 4], 0x20);
        r[c + 4] = simde_mm256_permute2f128_ps(quad[c], quad[c + 4], 0x31);
    }
}

#elif defined(PQ_ISA_AVX512)

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__)
#error "compile the AVX-512 kernels with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif
#include <immintrin.h>

#define VEC_WIDTH 16
typedef __m512 vec;
typedef __m512i ivec;

VEC_INLINE vec vec_load(const pq_real *p) { return _mm512_loadu_ps(p); }
VEC_INLINE void vec_store(pq_real *p, vec a) { _mm512_storeu_ps(p, a); }
VEC_INLINE vec vec_splat(pq_real x) { return _mm512_set1_ps(x); }
VEC_INLINE vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
VEC_INLINE vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
VEC_INLINE vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
VEC_INLINE vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
VEC_INLINE vec vec_sqrt(vec a) { return _mm512_sqrt_ps(a); }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
VEC_INLINE vec vec_max(vec a, vec b) { return _mm512_max_ps(b, a); }
VEC_INLINE vec vec_min(vec a, vec b) { return _mm512_min_ps(b, a); }
VEC_INLINE vec vec_max_nan(vec a, vec b) {
    return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

VEC_INLINE ivec vec_bits(vec a) { return _mm512_castps_si512(a); }
VEC_INLINE vec vec_from_bits(ivec a) { return _mm512_castsi512_ps(a); }
VEC_INLINE ivec ivec_splat(int32_t x) { return _mm512_set1_epi32(x); }
VEC_INLINE ivec ivec_add(ivec a, ivec b) { return _mm512_add_epi32(a, b); }
VEC_INLINE ivec ivec_sub(ivec a, ivec b) { return _mm512_sub_epi32(a, b); }
#define ivec_shift_left(a, bits) _mm512_slli_epi32(a, bits)
#define ivec_shift_right(a, bits) _mm512_srai_epi32(a, bits)

VEC_INLINE void vec_transpose(vec r[VEC_WIDTH]) {
    vec pair[VEC_WIDTH], quad[VEC_WIDTH];
    for (int i = 0; i < VEC_WIDTH; i += 2) { /* two rows interleaved in each 128-bit quarter */
        pair[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        pair[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < VEC_WIDTH; i += 4) { /* quad[i + c]: columns c + 0, 4, 8, 12 of rows i..i+3 */
        quad[i] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0x44);
        quad[i + 1] = _mm512_shuffle_ps(pair[i], pair[i + 2], 0xee);
        quad[i + 2] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        quad[i + 3] = _mm512_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
    }
    for (int c = 0; c < 4; c++) { /* the quarters of four such rows are a 4 x 4 matrix to turn */
        vec even = _mm512_shuffle_f32x4(quad[c], quad[c + 4], 0x88); /* 0 2 of rows 0-3, 4-7 */
        vec odd = _mm512_shuffle_f32x4(quad[c], quad[c + 4], 0xdd);  /* 1 3 */
        vec even_low = _mm512_shuffle_f32x4(quad[c + 8], quad[c + 12], 0x88);
        vec odd_low = _mm512_shuffle_f32x4(quad[c + 8], quad[c + 12], 0xdd);
        r[c] = _mm512_shuffle_f32x4(even, even_low, 0x88);
        r[c + 4] = _mm512_shuffle_f32x4(odd, odd_low, 0x88);
        r[c + 8] = _mm512_shuffle_f32x4(even, even_low, 0xdd);
        r[c + 12] = _mm512_shuffle_f32x4(odd, odd_low, 0xdd);
    }
}

#elif defined(PQ_ISA_V128)

#include <simde/wasm/simd128.h>

#define VEC_WIDTH 4
typedef simde_v128_t vec;
typedef simde_v128_t ivec;

VEC_INLINE vec vec_load(const pq_real *p) { return simde_wasm_v128_load(p); }
VEC_INLINE void vec_store(pq_real *p, vec a) { simde_wasm_v128_store(p, a); }
VEC_INLINE vec vec_splat(pq_real x) { return simde_wasm_f32x4_splat(x); }
VEC_INLINE vec vec_add(vec a, vec b) { return simde_wasm_f32x4_add(a, b); }
VEC_INLINE vec vec_sub(vec a, vec b) { return simde_wasm_f32x4_sub(a, b); }
VEC_INLINE vec vec_mul(vec a, vec b) { return simde_wasm_f32x4_mul(a, b); }
VEC_INLINE vec vec_div(vec a, vec b) { return simde_wasm_f32x4_div(a, b); }
VEC_INLINE vec vec_sqrt(vec a) { return simde_wasm_f32x4_sqrt(a); }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return vec_add(vec_mul(a, b), c); }
VEC_INLINE vec vec_max(vec a, vec b) { return simde_wasm_f32x4_pmax(a, b); }
VEC_INLINE vec vec_min(vec a, vec b) { return simde_wasm_f32x4_pmin(a, b); }
VEC_INLINE vec vec_max_nan(vec a, vec b) { return simde_wasm_f32x4_max(a, b); }

VEC_INLINE ivec vec_bits(vec a) { return a; }
VEC_INLINE vec vec_from_bits(ivec a) { return a; }
VEC_INLINE ivec ivec_splat(int32_t x) { return simde_wasm_i32x4_splat(x); }
VEC_INLINE ivec ivec_add(ivec a, ivec b) { return simde_wasm_i32x4_add(a, b); }
VEC_INLINE ivec ivec_sub(ivec a, ivec b) { return simde_wasm_i32x4_sub(a, b); }
#define ivec_shift_left(a, bits) simde_wasm_i32x4_shl(a, bits)
#define ivec_shift_right(a, bits) simde_wasm_i32x4_shr(a, bits)

VEC_INLINE void vec_transpose(vec r[VEC_WIDTH]) {
    vec low01 = simde_wasm_i32x4_shuffle(r[0], r[1], 0, 4, 1, 5);
    vec high01 = simde_wasm_i32x4_shuffle(r[0], r[1], 2, 6, 3, 7);
    vec low23 = simde_wasm_i32x4_shuffle(r[2], r[3], 0, 4, 1, 5);
    vec high23 = simde_wasm_i32x4_shuffle(r[2], r[3], 2, 6, 3, 7);
    r[0] = simde_wasm_i32x4_shuffle(low01, low23, 0, 1, 4, 5);
    r[1] = simde_wasm_i32x4_shuffle(low01, low23, 2, 3, 6, 7);
    r[2] = simde_wasm_i32x4_shuffle(high01, high23, 0, 1, 4, 5);
    r[3] = simde_wasm_i32x4_shuffle(high01, high23, 2, 3, 6, 7);
}

#elif defined(PQ_ISA_SCALAR)

#include <math.h>

#define VEC_WIDTH 1
typedef pq_real vec;

VEC_INLINE vec vec_load(const pq_real *p) { return *p; }
VEC_INLINE void vec_store(pq_real *p, vec a) { *p = a; }
VEC_INLINE vec vec_splat(pq_real x) { return x; }
VEC_INLINE vec vec_add(vec a, vec b) { return a + b; }
VEC_INLINE vec vec_sub(vec a, vec b) { return a - b; }
VEC_INLINE vec vec_mul(vec a, vec b) { return a * b; }
VEC_INLINE vec vec_div(vec a, vec b) { return a / b; }
VEC_INLINE vec vec_fma(vec a, vec b, vec c) { return a * b + c; }
VEC_INLINE vec vec_max(vec a, vec b) { return a < b ? b : a; }
VEC_INLINE vec vec_min(vec a, vec b) { return b < a ? b : a; }
VEC_INLINE vec vec_max_nan(vec a, vec b) { return a != a || b < a ? a : b; }
VEC_INLINE void vec_transpose(vec r[VEC_WIDTH]) { (void)r; }

#ifdef PQ_REAL_DOUBLE

VEC_INLINE vec vec_sqrt(vec a) { return sqrt(a); }

#else

typedef int32_t ivec;

VEC_INLINE vec vec_sqrt(vec a) { return sqrtf(a); }
VEC_INLINE ivec vec_bits(vec a) {
    ivec bits;
    memcpy(&bits, &a, sizeof(bits));
    return bits;
}
VEC_INLINE vec vec_from_bits(ivec a) {
    vec value;
    memcpy(&value, &a, sizeof(value));
    return value;
}
/* Like the vector instructions, these wrap around. */
VEC_INLINE ivec ivec_splat(int32_t x) { return x; }
VEC_INLINE ivec ivec_add(ivec a, ivec b) { return (ivec)((uint32_t)a + (uint32_t)b); }
VEC_INLINE ivec ivec_sub(ivec a, ivec b) { return (ivec)((uint32_t)a - (uint32_t)b); }
VEC_INLINE ivec ivec_shift_left(ivec a, int bits) { return (ivec)((uint32_t)a << bits); }
VEC_INLINE ivec ivec_shift_right(ivec a, int bits) { return a >> bits; }

#endif
#else
#error "define PQ_ISA_SCALAR, PQ_ISA_V128, PQ_ISA_AVX2 or PQ_ISA_AVX512"
#endif

/* clang-format on */

/* For the last lanes of an array: count < VEC_WIDTH elements, the other lanes hold `fill`. */
#ifdef PQ_ISA_AVX512
VEC_INLINE vec vec_load_part(const pq_real *p, size_t count, pq_real fill) {
    return _mm512_mask_loadu_ps(vec_splat(fill), (__mmask16)((1u << count) - 1), p);
}

VEC_INLINE void vec_store_part(pq_real *p, size_t count, vec a) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), a);
}
#else
VEC_INLINE vec vec_load_part(const pq_real *p, size_t count, pq_real fill) {
    pq_real lanes[VEC_WIDTH];
    for (size_t i = 0; i < VEC_WIDTH; i++) {
        lanes[i] = i < count ? p[i] : fill;
    }
    return vec_load(lanes);
}

VEC_INLINE void vec_store_part(pq_real *p, size_t count, vec a) {
    pq_real lanes[VEC_WIDTH];
    vec_store(lanes, a);
    for (size_t i = 0; i < count; i++) {
        p[i] = lanes[i];
    }
}
#endif

/* The same where count may be VEC_WIDTH and more: all lanes then. */
VEC_INLINE vec vec_load_up_to(const pq_real *p, size_t count, pq_real fill) {
    return count < VEC_WIDTH ? vec_load_part(p, count, fill) : vec_load(p);
}

VEC_INLINE void vec_store_up_to(pq_real *p, size_t count, vec a) {
    if (count < VEC_WIDTH) {
        vec_store_part(p, count, a);
    } else {
        vec_store(p, a);
    }
}

/* Over the lanes, halves first. */
VEC_INLINE pq_real vec_sum(vec a) {
    pq_real lanes[VEC_WIDTH];
    vec_store(lanes, a);
    for (size_t half = VEC_WIDTH / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            lanes[i] += lanes[i + half];
        }
    }
    return lanes[0];
}

VEC_INLINE pq_real vec_largest(vec a) {
    pq_real lanes[VEC_WIDTH];
    vec_store(lanes, a);
    pq_real largest = lanes[0];
    for (size_t i = 1; i < VEC_WIDTH; i++) {
        largest = largest != largest || lanes[i] < largest ? largest : lanes[i];
    }
    return largest;
}

#endif
