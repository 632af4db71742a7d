#include "base/buckets.h"

#include <float.h>
#include <string.h>

#include "base/context.h"

uint32_t pq_bucket(const float *bounds, uint32_t count, double value) {
    uint32_t low = 0,
             high = count; /* all bounds before low are below the value, none from high on is */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((double)bounds[middle] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low + 1;
}

bool pq_buckets_rise(const float *bounds, uint32_t count, bool equal) {
    for (uint32_t i = 0; i < count; i++) {
        bool finite = bounds[i] >= -FLT_MAX && bounds[i] <= FLT_MAX;
        if (!finite ||
            (i > 0 && !(bounds[i] > bounds[i - 1] || (equal && bounds[i] == bounds[i - 1])))) {
            return false;
        }
    }
    return true;
}

float pq_quantile(const float *landmarks, uint32_t count, double value) {
    const float least = landmarks[0], greatest = landmarks[count - 1];
    /* As a float, for a value that repeats in training is to meet its landmarks. */
    const float x = (float)PQ_MAX((double)least, PQ_MIN(value, (double)greatest));
    if (x <= least || x >= greatest) {
        return x > least ? 1 : 0;
    }
    uint32_t first = pq_bucket(landmarks, count, (double)x) - 1, end = first;
    while (landmarks[end] == x) {
        end++;
    }
    double place = ((double)first + (double)end - 1) / 2;
    if (end == first) {
        double below = (double)landmarks[first - 1], above = (double)landmarks[first];
        place = first - (above - (double)x) / (above - below);
    }
    return (float)(place / (count - 1));
}

uint32_t pq_quantile_code(float quantile) {
    uint32_t bits;
    memcpy(&bits, &quantile, sizeof(bits));
    return bits + 1;
}

uint32_t pq_quantile_row(uint32_t code, float *times) {
    uint32_t bits = code - 1;
    *times = 1;
    if (code == 0 || code >= PQ_QUANTILE_CODES - 1) {
        return code ? 2 : 0;
    }
    memcpy(times, &bits, sizeof(bits));
    return 1;
}
