#include "layers/last_rows.h"

#include <string.h>

pq_var *pq_last_rows(pq_tape *t, pq_var *x, const pq_segments *segments) {
    uint32_t count = segments->count;
    uint32_t *last = pq_tape_take(t, count, sizeof(*last));
    bool *keep = pq_tape_take(t, count, sizeof(*keep));
    if (!x || !last || !keep) {
        return NULL;
    }
    if (segments->starts[count] == 0) { /* there is no row to select */
        pq_var *none = pq_tape_var(t, count, x->cols, false);
        if (none) {
            memset(none->value, 0, (size_t)count * x->cols * sizeof(pq_real));
        }
        return none;
    }
    for (uint32_t i = 0; i < count; i++) {
        keep[i] = pq_segment_length(segments, i) > 0;
        last[i] = keep[i] ? segments->starts[i + 1] - 1 : 0;
    }
    return pq_op_mask_rows(t, pq_op_select_rows(t, x, last, count), keep);
}
