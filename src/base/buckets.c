#include "base/buckets.h"

#include <float.h>

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

bool pq_buckets_rise(const float *bounds, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        bool finite = bounds[i] >= -FLT_MAX && bounds[i] <= FLT_MAX;
        if (!finite || (i > 0 && !(bounds[i] > bounds[i - 1]))) {
            return false;
        }
    }
    return true;
}
