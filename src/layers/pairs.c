#include "layers/pairs.h"

static pq_pairs *take(pq_tape *t, uint32_t c, size_t pairs, uint32_t **starts, uint32_t **queries,
                      uint32_t **keys) {
    pq_pairs *out = pq_tape_take(t, 1, sizeof(*out));
    *starts = pq_tape_take(t, (size_t)c + 1, sizeof(**starts));
    *queries = pq_tape_take(t, pairs, sizeof(**queries));
    *keys = pq_tape_take(t, pairs, sizeof(**keys));
    if (!out || !*starts || !*queries || !*keys) {
        return NULL;
    }
    (*starts)[0] = 0;
    *out = (pq_pairs){*queries, *keys, (uint32_t)pairs, {*starts, c}};
    return out;
}

pq_pairs *pq_pairs_make(pq_tape *t, const pq_segments *keys, const uint32_t *users, uint32_t c) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < c; i++) {
        count += pq_segment_length(keys, users[i]);
    }
    if (count > UINT32_MAX) {
        return pq_tape_fail(t, PIQUE_ARGUMENT,
                            "%u candidates have too many behaviours for one call", (unsigned)c);
    }
    uint32_t *starts, *query, *key, p = 0;
    pq_pairs *out = take(t, c, (size_t)count, &starts, &query, &key);
    for (uint32_t i = 0; out && i < c; i++) {
        for (uint32_t row = keys->starts[users[i]]; row < keys->starts[users[i] + 1]; row++) {
            query[p] = i;
            key[p++] = row;
        }
        starts[i + 1] = p;
    }
    return out;
}

pq_pairs *pq_pairs_of_segments(pq_tape *t, const pq_segments *keys) {
    uint32_t *all = pq_tape_take(t, keys->count, sizeof(*all));
    for (uint32_t b = 0; all && b < keys->count; b++) {
        all[b] = b;
    }
    return all ? pq_pairs_make(t, keys, all, keys->count) : NULL;
}

pq_pairs *pq_pairs_one(pq_tape *t, const uint32_t *keys, uint32_t c) {
    uint32_t *starts, *query, *key;
    pq_pairs *out = take(t, c, c, &starts, &query, &key);
    for (uint32_t i = 0; out && i < c; i++) {
        starts[i + 1] = i + 1;
        query[i] = i;
        key[i] = keys[i];
    }
    return out;
}

pq_var *pq_pairs_dot(pq_tape *t, pq_var *queries, pq_var *keys, const pq_pairs *pairs) {
    return pq_op_dot_rows(t, pq_op_select_rows(t, queries, pairs->queries, pairs->count),
                          pq_op_select_rows(t, keys, pairs->keys, pairs->count));
}

pq_var *pq_pairs_pool(pq_tape *t, pq_var *keys, pq_var *s, const pq_pairs *pairs, bool softmax) {
    const pq_pool_segments how = {
        .segments = &pairs->segments, .rows = pairs->keys, .softmax = softmax, .raw = !softmax};
    return pq_op_pool_segments(t, keys, s, &how);
}
