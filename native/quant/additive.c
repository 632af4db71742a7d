/* additive.c — the search for a row's codes. */
#include "native/quant/additive.h"

#include <string.h>

#define K PQ_TABLE_CENTROIDS
#define ALONG 1.0 /* the weight of what changes a row's high scores */
#define SWEEPS 2  /* of coordinate descent after a change: later ones hardly change a code */
#define FIRST_SWEEPS 8
#define TRIES 96 /* of the search for rows that the fit has not seen */
#define SHAKE 4

/* sum += factor * line, of n numbers. */
static void add_times(const float *restrict line, float factor, float *restrict sum, size_t n) {
    for (size_t i = 0; i < n; i++) {
        sum[i] += factor * line[i];
    }
}

void pq_additive_prepare(pq_additive *a) {
    const uint32_t d = a->width;
    const size_t n = (size_t)a->codebooks * K;
    for (size_t c = 0; c < n; c++) {
        const float *centroid = a->centroids + c * d;
        for (uint32_t i = 0; i < d; i++) {
            double sum = 0;
            for (uint32_t j = 0; j < d; j++) {
                sum += a->metric[(size_t)i * d + j] * centroid[j];
            }
            a->lift[i * n + c] = (float)sum;
        }
    }
    memset(a->gram, 0, n * n * sizeof(*a->gram));
    for (size_t c = 0; c < n; c++) {
        for (uint32_t i = 0; i < d; i++) {
            add_times(a->lift + i * n, a->centroids[c * d + i], a->gram + c * n, n);
        }
    }
    for (size_t i = 0; i < n * K; i++) {
        const size_t before = i / K, now = before / K * K + i % K;
        a->own[i] = a->gram[now * (n + 1)] - 2 * a->gram[before * n + now];
    }
}

pique_status pq_additive_search_init(pq_arena *arena, pq_additive_search *s, uint32_t codebooks) {
    const size_t n = (size_t)codebooks * K;
    s->pull = pq_arena_take(arena, n, sizeof(float));
    s->open = pq_arena_take(arena, n, sizeof(float));
    s->kept = pq_arena_take(arena, n, sizeof(float));
    s->codes = pq_arena_take(arena, codebooks, 1);
    s->other = pq_arena_take(arena, codebooks, 1);
    return s->pull && s->open && s->kept && s->codes && s->other ? PIQUE_OK : PIQUE_NO_MEMORY;
}

/* A row on its way to codes. */
typedef struct {
    const pq_additive *a;
    size_t n; /* M * 16 */
    const float *pull;
    float *open;
    uint8_t *codes;
    float length, along; /* x' S x, and the weight of (x' S r)² */
    float score;         /* x' S decoded */
} state;

/* The state without any code. */
static state look_at(const pq_additive *a, const float *row, pq_additive_search *search) {
    const uint32_t d = a->width;
    state s = {.a = a, .n = (size_t)a->codebooks * K, .pull = search->pull, .open = search->open};
    double length = 0;
    memset(search->pull, 0, s.n * sizeof(float));
    for (uint32_t i = 0; i < d; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < d; j++) {
            sum += a->metric[(size_t)i * d + j] * row[j];
        }
        length += sum * row[i];
        add_times(a->lift + i * s.n, row[i], search->pull, s.n);
    }
    for (size_t c = 0; c < s.n; c++) {
        s.open[c] = -s.pull[c];
    }
    s.length = (float)length;
    s.along = length > 0 ? (float)(ALONG / length) : 0;
    return s;
}

static void put(state *s, uint32_t m, uint32_t code) {
    const size_t now = (size_t)m * K + code;
    add_times(s->a->gram + now * s->n, 1, s->open, s->n);
    s->score += s->pull[now];
    s->codes[m] = (uint8_t)code;
}

static void change(state *s, uint32_t m, uint32_t code) {
    const size_t before = (size_t)m * K + s->codes[m], now = (size_t)m * K + code;
    const float *restrict added = s->a->gram + now * s->n, *restrict gone =
                                                               s->a->gram + before * s->n;
    float *restrict open = s->open;
    for (size_t i = 0; i < s->n; i++) {
        open[i] += added[i] - gone[i];
    }
    s->score += s->pull[now] - s->pull[before];
    s->codes[m] = (uint8_t)code;
}

/* The least of 16, halved four times. */
static uint32_t least_of(float *cost) {
    uint32_t index[K];
    for (uint32_t c = 0; c < K; c++) {
        index[c] = c;
    }
    for (uint32_t half = K / 2; half > 0; half /= 2) {
        for (uint32_t c = 0; c < half; c++) {
            const bool other = cost[c + half] < cost[c];
            index[c] = other ? index[c + half] : index[c];
            cost[c] = other ? cost[c + half] : cost[c];
        }
    }
    return index[0];
}

/* The best code of a codebook, given the others. */
static uint32_t best_code(const state *s, uint32_t m) {
    const size_t at = (size_t)m * K;
    const float *open = s->open + at, *pull = s->pull + at;
    const float *own = s->a->own + (at + s->codes[m]) * K;
    const float rest = s->length - s->score + pull[s->codes[m]];
    float cost[K];
    for (uint32_t c = 0; c < K; c++) {
        const float miss = rest - pull[c];
        cost[c] = own[c] + 2 * open[c] + s->along * miss * miss;
    }
    return least_of(cost);
}

/* The best code of a codebook that has none yet, given those that have one. */
static uint32_t first_code(const state *s, uint32_t m) {
    const size_t at = (size_t)m * K;
    float cost[K];
    for (uint32_t c = 0; c < K; c++) {
        const float miss = s->length - s->score - s->pull[at + c];
        cost[c] = s->a->gram[(at + c) * (s->n + 1)] + 2 * s->open[at + c] + s->along * miss * miss;
    }
    return least_of(cost);
}

static void descend(state *s, int sweeps) {
    bool changed = true;
    for (int sweep = 0; changed && sweep < sweeps; sweep++) {
        changed = false;
        for (uint32_t m = 0; m < s->a->codebooks; m++) {
            const uint32_t code = best_code(s, m);
            if (code != s->codes[m]) {
                change(s, m, code);
                changed = true;
            }
        }
    }
}

/* The error but for x' S x, which no code changes. */
static float error_of(const state *s) {
    const float miss = s->length - s->score;
    float sum = s->along * miss * miss;
    for (uint32_t m = 0; m < s->a->codebooks; m++) {
        const size_t at = (size_t)m * K + s->codes[m];
        sum += s->open[at] - s->pull[at];
    }
    return sum;
}

/* Iterated local search from the codes of the state; the best are in search->other. */
static void look_around(state *s, uint32_t tries, uint32_t shake, pq_rng *rng,
                        pq_additive_search *search) {
    const uint32_t m = s->a->codebooks;
    const size_t size = s->n * sizeof(float);
    float least = error_of(s), score = s->score;
    memcpy(search->other, s->codes, m);
    memcpy(search->kept, s->open, size);
    for (uint32_t i = 0; i < tries; i++) {
        for (uint32_t k = 0; k < shake; k++) {
            const uint64_t drawn = pq_rng_next(rng);
            change(s, (uint32_t)((drawn >> 32) * m >> 32), drawn % K);
        }
        descend(s, SWEEPS);
        const float error = error_of(s);
        if (error < least) {
            least = error;
            score = s->score;
            memcpy(search->other, s->codes, m);
            memcpy(search->kept, s->open, size);
        } else {
            s->score = score;
            memcpy(s->codes, search->other, m);
            memcpy(s->open, search->kept, size);
        }
    }
}

void pq_additive_improve(const pq_additive *a, const float *row, uint32_t tries, uint32_t shake,
                         pq_rng rng, pq_additive_search *search, uint8_t *codes) {
    state s = look_at(a, row, search);
    s.codes = search->codes;
    for (uint32_t m = 0; m < a->codebooks; m++) {
        put(&s, m, codes[m]);
    }
    descend(&s, SWEEPS);
    look_around(&s, tries, shake, &rng, search);
    memcpy(codes, search->other, a->codebooks);
}

void pq_additive_encode(const pq_additive *a, const float *row, pq_additive_search *search,
                        uint8_t *codes) {
    state s = look_at(a, row, search);
    pq_rng rng = pq_rng_make(4, 0, 0);
    s.codes = search->codes;
    for (uint32_t m = 0; m < a->codebooks; m++) {
        put(&s, m, first_code(&s, m));
    }
    descend(&s, FIRST_SWEEPS);
    look_around(&s, TRIES, SHAKE, &rng, search);
    pq_additive_pack(search->other, a->codebooks, codes);
}

void pq_additive_pack(const uint8_t *codes, uint32_t codebooks, uint8_t *packed) {
    for (uint32_t b = 0; b < codebooks / 2; b++) {
        const uint8_t *two = codes + 2 * (size_t)b;
        packed[b] = (uint8_t)(two[0] | two[1] << 4);
    }
}

void pq_additive_decode(const pq_additive *a, const uint8_t *codes, float *row) {
    const uint32_t d = a->width;
    memset(row, 0, d * sizeof(*row));
    for (uint32_t m = 0; m < a->codebooks; m++) {
        const uint32_t code = codes[m / 2] >> (m % 2 * 4) & 15;
        const float *centroid = a->centroids + ((size_t)m * K + code) * d;
        for (uint32_t i = 0; i < d; i++) {
            row[i] += centroid[i];
        }
    }
}
