/* scan_vec.h — the vector operations that only scans use, for the sets of vec.h: interleaved items
 * (base/table.h) into registers, and tables of bytes.
 *
 *   SCAN_BLOCKS        blocks of eight items that a step takes, SCAN_ITEMS the items in them; a and b below
 *                      point to the same place of the first and of the last of them
 *   items_f32, _f16    one dimension of the items as floats
 *   pairs              neighbouring dimensions (d, d + 1) of the items as int16, pairs_i8 from int8;
 *                      pairs_i4 gives from two bytes of each item the pairs (d, d + 2) and (d + 1, d + 3)
 *   query              the same two dimensions of one interest
 *   octets             where SCAN_OCTETS is defined: eight neighbouring dimensions of a block's items as bytes,
 *                      each 128 more than it is, or the sums of their products with the same of one interest that
 *                      octets_add adds up; octets_sums makes of two blocks' the items' sums
 *   sums               int32 sums; sums_add adds pair . query to each, which never leaves int32
 *   vec_above          bit i: lane i of a is above that of b
 *
 *   bytes              CODE_LINES lines of 16 bytes; bytes_find looks every byte (0..15) of `at` up in the
 *                      line of `table` that it stands in; bytes_add stops at 255, bytes_join must not get there
 *                      and takes half the time of it on x86
 *   totals             a byte for each of 32 items; totals_of adds the lines of the first 16 and of the others as
 *                      bytes_add does; totals_below_most gives bit i where byte i is below 255 */
#ifndef PQ_SCAN_VEC_H
#define PQ_SCAN_VEC_H

#include "base/table.h"
#include "kernels/vec.h"

/* clang-format off */

#if defined(PQ_ISA_AVX2) || defined(PQ_ISA_AVX512)

#include <immintrin.h>

typedef __m128i line;
typedef __m256i totals;

VEC_INLINE line line_load(const void *p) { return _mm_loadu_si128(p); }
VEC_INLINE totals totals_add(__m256i low, __m256i high) {
    return _mm256_adds_epu8(_mm256_blend_epi32(low, high, 0xf0), _mm256_permute2x128_si256(low, high, 0x21));
}
VEC_INLINE totals totals_min(totals a, totals b) { return _mm256_min_epu8(a, b); }
VEC_INLINE uint32_t totals_below_most(totals a) {
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, _mm256_set1_epi8(-1)));
}

#endif

#if defined(PQ_ISA_AVX2)

#define SCAN_BLOCKS 1
typedef __m256i pairs, query, sums;

VEC_INLINE uint32_t vec_above(vec a, vec b) {
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
VEC_INLINE void items_f32(const float *a, const float *b, vec x[1]) { (void)b; x[0] = vec_load(a); }
VEC_INLINE void items_f16(const uint16_t *a, const uint16_t *b, vec x[1]) {
    (void)b;
    x[0] = _mm256_cvtph_ps(line_load(a));
}

VEC_INLINE pairs pairs_i8(const void *a, const void *b) { (void)b; return _mm256_cvtepi8_epi16(line_load(a)); }
VEC_INLINE void pairs_i4(const void *a, const void *b, pairs *even, pairs *odd) {
    line both = line_load(a), eight = _mm_set1_epi8(8), low = _mm_set1_epi8(15);
    (void)b;
    *even = _mm256_cvtepi8_epi16(_mm_sub_epi8(_mm_and_si128(both, low), eight));
    *odd = _mm256_cvtepi8_epi16(_mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(both, 4), low), eight));
}
VEC_INLINE query query_load(const int16_t *p) {
    int32_t both;
    memcpy(&both, p, sizeof(both));
    return _mm256_set1_epi32(both);
}
VEC_INLINE sums sums_zero(void) { return _mm256_setzero_si256(); }
VEC_INLINE sums sums_add(sums s, pairs p, query q) { return _mm256_add_epi32(s, _mm256_madd_epi16(p, q)); }
VEC_INLINE void sums_floats(sums s, vec out[1]) { out[0] = _mm256_cvtepi32_ps(s); }

#define CODE_LINES 2
typedef __m256i bytes;

VEC_INLINE bytes bytes_load(const uint8_t *p) { return _mm256_loadu_si256((const void *)p); }
VEC_INLINE bytes bytes_load_part(const uint8_t *p, uint32_t lines) {
    return lines > 0 ? bytes_load(p) : _mm256_setzero_si256();
}
VEC_INLINE bytes bytes_zero(void) { return _mm256_setzero_si256(); }
VEC_INLINE bytes bytes_low(bytes a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }
VEC_INLINE bytes bytes_high(bytes a) { return bytes_low(_mm256_srli_epi16(a, 4)); }
VEC_INLINE bytes bytes_find(bytes table, bytes at) { return _mm256_shuffle_epi8(table, at); }
VEC_INLINE bytes bytes_add(bytes a, bytes b) { return _mm256_adds_epu8(a, b); }
VEC_INLINE bytes bytes_join(bytes a, bytes b) { return _mm256_add_epi8(a, b); }
VEC_INLINE totals totals_of(bytes low, bytes high) { return totals_add(low, high); }

#elif defined(PQ_ISA_AVX512)

#define SCAN_BLOCKS 2
typedef __m512i pairs, query, sums;

VEC_INLINE uint32_t vec_above(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
VEC_INLINE void items_f32(const float *a, const float *b, vec x[1]) {
    x[0] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(a)), _mm256_loadu_ps(b), 1);
}
VEC_INLINE __m256i two_lines(const void *a, const void *b) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(line_load(a)), line_load(b), 1);
}
VEC_INLINE void items_f16(const uint16_t *a, const uint16_t *b, vec x[1]) {
    x[0] = _mm512_cvtph_ps(two_lines(a, b));
}

VEC_INLINE pairs pairs_i8(const void *a, const void *b) { return _mm512_cvtepi8_epi16(two_lines(a, b)); }
VEC_INLINE void pairs_i4(const void *a, const void *b, pairs *even, pairs *odd) {
    __m256i both = two_lines(a, b), eight = _mm256_set1_epi8(8), low = _mm256_set1_epi8(15);
    *even = _mm512_cvtepi8_epi16(_mm256_sub_epi8(_mm256_and_si256(both, low), eight));
    both = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    *odd = _mm512_cvtepi8_epi16(_mm256_sub_epi8(both, eight));
}
VEC_INLINE query query_load(const int16_t *p) {
    int32_t both;
    memcpy(&both, p, sizeof(both));
    return _mm512_set1_epi32(both);
}
VEC_INLINE sums sums_zero(void) { return _mm512_setzero_si512(); }
#ifdef PQ_ISA_VNNI
VEC_INLINE sums sums_add(sums s, pairs p, query q) { return _mm512_dpwssd_epi32(s, p, q); }

#define SCAN_OCTETS
typedef __m512i octets;

/* From lines of two dimensions of all items to two lanes of four for each item. */
VEC_INLINE octets octets_of(__m512i lines) {
    const __m512i order = _mm512_setr_epi32(0x80000, 0x180010, 0x90001, 0x190011, 0xa0002, 0x1a0012, 0xb0003, 0x1b0013,
                                            0xc0004, 0x1c0014, 0xd0005, 0x1d0015, 0xe0006, 0x1e0016, 0xf0007, 0x1f0017);
    return _mm512_xor_si512(_mm512_permutexvar_epi16(order, lines), _mm512_set1_epi8(-128));
}
VEC_INLINE octets octets_load(const void *p) { return octets_of(_mm512_loadu_si512(p)); }
VEC_INLINE octets octets_load_part(const void *p, uint32_t lines) {
    return octets_of(_mm512_maskz_loadu_epi64((__mmask8)((1u << 2 * lines) - 1), p));
}
VEC_INLINE octets octets_zero(void) { return _mm512_setzero_si512(); }
VEC_INLINE octets octets_add(octets sum, octets items, const int8_t *interest) {
    int64_t eight;
    memcpy(&eight, interest, sizeof(eight));
    return _mm512_dpbusd_epi32(sum, items, _mm512_set1_epi64(eight));
}
VEC_INLINE sums octets_sums(octets a, octets b) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b));
}
VEC_INLINE sums sums_start(sums s, int32_t start) { return _mm512_add_epi32(s, _mm512_set1_epi32(start)); }
#else
VEC_INLINE sums sums_add(sums s, pairs p, query q) { return _mm512_add_epi32(s, _mm512_madd_epi16(p, q)); }
#endif
VEC_INLINE void sums_floats(sums s, vec out[1]) { out[0] = _mm512_cvtepi32_ps(s); }

#define CODE_LINES 4
typedef __m512i bytes;

VEC_INLINE bytes bytes_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
VEC_INLINE bytes bytes_load_part(const uint8_t *p, uint32_t lines) {
    return _mm512_maskz_loadu_epi64((__mmask8)(lines < CODE_LINES ? (1u << 2 * lines) - 1 : 255u), p);
}
VEC_INLINE bytes bytes_zero(void) { return _mm512_setzero_si512(); }
VEC_INLINE bytes bytes_low(bytes a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
VEC_INLINE bytes bytes_high(bytes a) { return bytes_low(_mm512_srli_epi16(a, 4)); }
VEC_INLINE bytes bytes_find(bytes table, bytes at) { return _mm512_shuffle_epi8(table, at); }
VEC_INLINE bytes bytes_add(bytes a, bytes b) { return _mm512_adds_epu8(a, b); }
VEC_INLINE bytes bytes_join(bytes a, bytes b) { return _mm512_add_epi8(a, b); }
VEC_INLINE __m256i bytes_half(bytes a) {
    return _mm256_adds_epu8(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1));
}
VEC_INLINE totals totals_of(bytes low, bytes high) { return totals_add(bytes_half(low), bytes_half(high)); }

#elif defined(PQ_ISA_V128)

#define SCAN_BLOCKS 1
typedef struct {
    simde_v128_t low, high; /* items 0..3, 4..7 */
} pairs, sums;
typedef simde_v128_t query;

VEC_INLINE uint32_t vec_above(vec a, vec b) {
    return (uint32_t)simde_wasm_i32x4_bitmask(simde_wasm_f32x4_gt(a, b));
}
VEC_INLINE void items_f32(const float *a, const float *b, vec x[2]) {
    (void)b;
    x[0] = vec_load(a);
    x[1] = vec_load(a + 4);
}
/* Exponent and fraction moved into a float's places are 2^-112 of the number, also below the normal
 * ones; only infinities and NaN, which no file holds, come out as large numbers. */
VEC_INLINE vec halves_widen(simde_v128_t x) {
    simde_v128_t sign = simde_wasm_v128_and(x, ivec_splat(0x8000));
    simde_v128_t size = simde_wasm_v128_and(x, ivec_splat(0x7fff));
    size = vec_mul(simde_wasm_i32x4_shl(size, 13), vec_splat(0x1p112F));
    return simde_wasm_v128_or(size, simde_wasm_i32x4_shl(sign, 16));
}
VEC_INLINE void items_f16(const uint16_t *a, const uint16_t *b, vec x[2]) {
    simde_v128_t halves = simde_wasm_v128_load(a);
    (void)b;
    x[0] = halves_widen(simde_wasm_u32x4_extend_low_u16x8(halves));
    x[1] = halves_widen(simde_wasm_u32x4_extend_high_u16x8(halves));
}

VEC_INLINE pairs pairs_widen(simde_v128_t a) {
    return (pairs){simde_wasm_i16x8_extend_low_i8x16(a), simde_wasm_i16x8_extend_high_i8x16(a)};
}
VEC_INLINE pairs pairs_i8(const void *a, const void *b) {
    (void)b;
    return (pairs){simde_wasm_i16x8_load8x8(a), simde_wasm_i16x8_load8x8((const int8_t *)a + 8)};
}
/* The high halves of bytes; shifts of bytes are slow on x86. */
VEC_INLINE simde_v128_t halves_high(simde_v128_t a) {
    return simde_wasm_v128_and(simde_wasm_u16x8_shr(a, 4), simde_wasm_i8x16_splat(15));
}
VEC_INLINE void pairs_i4(const void *a, const void *b, pairs *even, pairs *odd) {
    simde_v128_t both = simde_wasm_v128_load(a), eight = simde_wasm_i8x16_splat(8);
    (void)b;
    *even = pairs_widen(simde_wasm_i8x16_sub(simde_wasm_v128_and(both, simde_wasm_i8x16_splat(15)), eight));
    *odd = pairs_widen(simde_wasm_i8x16_sub(halves_high(both), eight));
}
VEC_INLINE query query_load(const int16_t *p) { return simde_wasm_v128_load32_splat(p); }
VEC_INLINE sums sums_zero(void) { return (sums){ivec_splat(0), ivec_splat(0)}; }
VEC_INLINE sums sums_add(sums s, pairs p, query q) {
    return (sums){ivec_add(s.low, simde_wasm_i32x4_dot_i16x8(p.low, q)),
                  ivec_add(s.high, simde_wasm_i32x4_dot_i16x8(p.high, q))};
}
VEC_INLINE void sums_floats(sums s, vec out[2]) {
    out[0] = simde_wasm_f32x4_convert_i32x4(s.low);
    out[1] = simde_wasm_f32x4_convert_i32x4(s.high);
}

#define CODE_LINES 1
typedef simde_v128_t bytes;
typedef struct {
    bytes low, high;
} totals;

VEC_INLINE bytes bytes_load(const uint8_t *p) { return simde_wasm_v128_load(p); }
VEC_INLINE bytes bytes_load_part(const uint8_t *p, uint32_t lines) { (void)lines; return bytes_load(p); }
VEC_INLINE bytes bytes_zero(void) { return ivec_splat(0); }
VEC_INLINE bytes bytes_low(bytes a) { return simde_wasm_v128_and(a, simde_wasm_i8x16_splat(15)); }
VEC_INLINE bytes bytes_high(bytes a) { return halves_high(a); }
#ifdef __SSSE3__ /* swizzle gives 0 above 15, which costs an operation more and is not needed */
VEC_INLINE bytes bytes_find(bytes table, bytes at) {
    return _mm_shuffle_epi8(table, at);
}
#else
VEC_INLINE bytes bytes_find(bytes table, bytes at) { return simde_wasm_i8x16_swizzle(table, at); }
#endif
VEC_INLINE bytes bytes_add(bytes a, bytes b) { return simde_wasm_u8x16_add_sat(a, b); }
VEC_INLINE bytes bytes_join(bytes a, bytes b) { return simde_wasm_i8x16_add(a, b); }
VEC_INLINE totals totals_of(bytes low, bytes high) { return (totals){low, high}; }
VEC_INLINE bytes bytes_min(bytes a, bytes b) { return simde_wasm_u8x16_min(a, b); }
VEC_INLINE uint32_t bytes_below_most(bytes a) {
    return (uint32_t)simde_wasm_i8x16_bitmask(simde_wasm_i8x16_ne(a, simde_wasm_i8x16_splat(-1)));
}

#else

#include "base/half.h"

#define SCAN_BLOCKS 1
typedef struct {
    int16_t item[16];
} pairs;
typedef struct {
    int32_t first, second;
} query;
typedef struct {
    int32_t item[8];
} sums;

VEC_INLINE uint32_t vec_above(vec a, vec b) { return a > b; }
VEC_INLINE void items_f32(const float *a, const float *b, vec x[8]) {
    (void)b;
    memcpy(x, a, 8 * sizeof(*x));
}
VEC_INLINE void items_f16(const uint16_t *a, const uint16_t *b, vec x[8]) {
    (void)b;
    for (int i = 0; i < 8; i++) {
        x[i] = pq_half_to_float(a[i]);
    }
}
VEC_INLINE pairs pairs_i8(const void *a, const void *b) {
    pairs p;
    (void)b;
    for (int i = 0; i < 16; i++) {
        int value = ((const uint8_t *)a)[i];
        p.item[i] = (int16_t)(value < 128 ? value : value - 256);
    }
    return p;
}
VEC_INLINE void pairs_i4(const void *a, const void *b, pairs *even, pairs *odd) {
    (void)b;
    for (int i = 0; i < 16; i++) {
        uint8_t both = ((const uint8_t *)a)[i];
        even->item[i] = (int16_t)((both & 15) - 8);
        odd->item[i] = (int16_t)((both >> 4) - 8);
    }
}
VEC_INLINE query query_load(const int16_t *p) { return (query){p[0], p[1]}; }
VEC_INLINE sums sums_zero(void) { return (sums){{0}}; }
VEC_INLINE sums sums_add(sums s, pairs p, query q) {
    for (int i = 0; i < 8; i++) {
        s.item[i] += p.item[2 * i] * q.first + p.item[2 * i + 1] * q.second;
    }
    return s;
}
VEC_INLINE void sums_floats(sums s, vec out[8]) {
    for (int i = 0; i < 8; i++) {
        out[i] = (float)s.item[i];
    }
}

#define CODE_LINES 1
typedef struct {
    uint8_t at[16];
} bytes;
typedef struct {
    bytes low, high;
} totals;

VEC_INLINE bytes bytes_load(const uint8_t *p) {
    bytes a;
    memcpy(&a, p, sizeof(a));
    return a;
}
VEC_INLINE bytes bytes_load_part(const uint8_t *p, uint32_t lines) { (void)lines; return bytes_load(p); }
VEC_INLINE bytes bytes_zero(void) { return (bytes){{0}}; }
#define EACH_BYTE(value) bytes out; for (int i = 0; i < 16; i++) { out.at[i] = (uint8_t)(value); } return out
VEC_INLINE bytes bytes_low(bytes a) { EACH_BYTE(a.at[i] & 15); }
VEC_INLINE bytes bytes_high(bytes a) { EACH_BYTE(a.at[i] >> 4); }
VEC_INLINE bytes bytes_find(bytes table, bytes at) { EACH_BYTE(table.at[at.at[i]]); }
VEC_INLINE bytes bytes_add(bytes a, bytes b) { EACH_BYTE(PQ_MIN(a.at[i] + b.at[i], 255)); }
VEC_INLINE bytes bytes_join(bytes a, bytes b) { EACH_BYTE(a.at[i] + b.at[i]); }
VEC_INLINE totals totals_of(bytes low, bytes high) { return (totals){low, high}; }
VEC_INLINE bytes bytes_min(bytes a, bytes b) { EACH_BYTE(PQ_MIN(a.at[i], b.at[i])); }
#undef EACH_BYTE
VEC_INLINE uint32_t bytes_below_most(bytes a) {
    uint32_t bits = 0;
    for (int i = 0; i < 16; i++) {
        bits |= (uint32_t)(a.at[i] < 255) << i;
    }
    return bits;
}

#endif

#if CODE_LINES == 1
VEC_INLINE totals totals_min(totals a, totals b) {
    return (totals){bytes_min(a.low, b.low), bytes_min(a.high, b.high)};
}
VEC_INLINE uint32_t totals_below_most(totals a) {
    return bytes_below_most(a.low) | bytes_below_most(a.high) << 16;
}
#endif

/* clang-format on */

#define SCAN_ITEMS (SCAN_BLOCKS * PQ_TABLE_BLOCK)
#define SCAN_VECS (SCAN_ITEMS / VEC_WIDTH)

#endif
