/* product.c — rows to codes and back, with a quantiser that is there. */
#include "native/quant/product.h"

#include <string.h>

#include "native/quant/additive.h"
#include "native/quant/settle.h"

#define SWEEPS 6 /* over the subspaces: later ones hardly change a code */

void pq_settle(const pq_settle_args *a, double *open, uint8_t *codes, bool started, int sweeps) {
    const uint32_t d = a->directions, m = a->subspaces, s = d / m;
    for (int sweep = 0; sweep < sweeps; sweep++) {
        bool changed = false;
        for (uint32_t at = 0; at < m; at++) {
            const float *centroids = a->codebook + (size_t)at * PQ_TABLE_CENTROIDS * s;
            const float *before = started || sweep ? centroids + (size_t)codes[at] * s : NULL;
            const uint32_t code = pq_settle_one(a, open, at, before);
            if (before && code == codes[at]) {
                continue;
            }
            changed = true;
            codes[at] = (uint8_t)code;
            for (uint32_t k = 0; k < s; k++) {
                const double now = centroids[(size_t)code * s + k];
                const double step = before ? now - before[k] : now;
                const double *column = a->gram + (size_t)(at * s + k) * d; /* symmetric */
                for (uint32_t i = 0; i < d; i++) {
                    open[i] -= step * column[i];
                }
            }
        }
        if (!changed) {
            break;
        }
    }
}

uint32_t pq_settle_one(const pq_settle_args *a, const double *open, uint32_t at,
                       const float *before) {
    const uint32_t d = a->directions, s = d / a->subspaces;
    const float *centroids = a->codebook + (size_t)at * PQ_TABLE_CENTROIDS * s;
    uint32_t best = 0;
    double least = 0;
    for (uint32_t c = 0; c < PQ_TABLE_CENTROIDS; c++) {
        const float *centroid = centroids + (size_t)c * s;
        double cost = 0;
        for (uint32_t j = 0; j < s; j++) {
            const double *line = a->gram + (size_t)(at * s + j) * d + (size_t)at * s;
            double pull = -2 * open[at * s + j];
            for (uint32_t k = 0; k < s; k++) {
                pull += line[k] * (before ? centroid[k] - 2 * (double)before[k] : centroid[k]);
            }
            cost += centroid[j] * pull;
        }
        if (c == 0 || cost < least) {
            least = cost;
            best = c;
        }
    }
    return best;
}

/* Each centroid through the map. */
static void make_centroids(pq_product *p) {
    const size_t d = p->width, s = p->each, count = (size_t)p->subspaces * PQ_TABLE_CENTROIDS;
    memset(p->centroids, 0, count * d * sizeof(*p->centroids));
    for (size_t c = 0; c < count; c++) {
        for (size_t k = 0; k < s; k++) {
            const float *line = p->map + (c / PQ_TABLE_CENTROIDS * s + k) * d;
            for (size_t j = 0; j < d; j++) {
                p->centroids[c * d + j] += p->codebook[c * s + k] * line[j];
            }
        }
    }
}

void pq_product_prepare(pq_product *p) {
    const uint32_t d = p->width, directions = pq_product_directions(p);
    for (uint32_t i = 0; i < directions; i++) {
        for (uint32_t j = 0; j < d; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < d; k++) {
                sum += p->map[(size_t)i * d + k] * p->metric[(size_t)k * d + j];
            }
            p->lift[(size_t)i * d + j] = sum;
        }
    }
    for (size_t i = 0; i < directions; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < d; k++) {
                sum += p->lift[i * d + k] * p->map[j * d + k];
            }
            p->gram[i * directions + j] = p->gram[j * directions + i] = sum;
        }
    }
    make_centroids(p);
}

void pq_product_encode(const pq_product *p, const float *row, uint8_t *codes, double *scratch) {
    const uint32_t d = p->width, directions = pq_product_directions(p);
    const pq_settle_args args = {.directions = directions,
                                 .subspaces = p->subspaces,
                                 .codebook = p->codebook,
                                 .gram = p->gram};
    double *open = scratch;
    uint8_t *wide = (uint8_t *)(scratch + directions);
    for (uint32_t i = 0; i < directions; i++) {
        double sum = 0;
        for (uint32_t j = 0; j < d; j++) {
            sum += p->lift[(size_t)i * d + j] * row[j];
        }
        open[i] = sum;
    }
    pq_settle(&args, open, wide, false, SWEEPS);
    pq_additive_pack(wide, p->subspaces, codes);
}

void pq_product_decode(const pq_product *p, const uint8_t *codes, float *row) {
    const pq_additive additive = {
        .width = p->width, .codebooks = p->subspaces, .centroids = p->centroids};
    pq_additive_decode(&additive, codes, row);
}

double pq_product_error(const pq_product *p, const float *row, const float *decoded) {
    const uint32_t d = p->width;
    double sum = 0;
    for (uint32_t i = 0; i < d; i++) {
        double line = 0;
        for (uint32_t j = 0; j < d; j++) {
            line += p->metric[(size_t)i * d + j] * ((double)row[j] - decoded[j]);
        }
        sum += line * ((double)row[i] - decoded[i]);
    }
    return sum;
}
