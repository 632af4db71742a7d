#include "native/quant/query_metric.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* The mean of row row', where popular rows, which stand first, count more. */
static void moment_of_rows(const float *rows, uint32_t count, uint32_t d, double *moment) {
    memset(moment, 0, (size_t)d * d * sizeof(*moment));
    for (uint32_t i = 0; i < count; i++) {
        const float *row = rows + (size_t)i * d;
        const double weight = 1 / sqrt(1.0 + i);
        for (uint32_t j = 0; j < d; j++) {
            for (uint32_t k = 0; k < d; k++) {
                moment[(size_t)j * d + k] += weight * row[j] * row[k];
            }
        }
    }
}

void pq_query_metric(const double *moment, const float *rows, uint32_t count, uint32_t d,
                     double share, double *metric) {
    const size_t square = (size_t)d * d;
    double trace = 0;
    if (moment) {
        memcpy(metric, moment, square * sizeof(*metric));
    } else {
        moment_of_rows(rows, count, d, metric);
    }
    for (size_t i = 0; i < d; i++) {
        trace += metric[i * d + i];
    }
    for (size_t i = 0; i < square; i++) {
        metric[i] = trace > 0 ? metric[i] * (d / trace) : 0;
    }
    for (size_t i = 0; i < d; i++) {
        metric[i * d + i] += share;
    }
}
