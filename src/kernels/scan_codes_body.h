/* scan_codes_body.h — which items of a product-quantised table may beat a threshold, from sums of bytes:
 * what each centroid loses against the best one of its subspace, in steps of which 255 are more than any
 * item above the threshold can lose (retrieval/filter.c makes these tables). A byte therefore never needs
 * widening: its sum stops at 255, and an item that gets there is out. The sums are of integers, the
 * same in every set.
 *
 * Fast scan: F. André, A.-M. Kermarrec, N. Le Scouarnec, "Cache locality is not enough: high-performance
 * nearest neighbor search with product quantization fast scan", VLDB 2015. */
#ifndef PQ_SCAN_CODES_BODY_H
#define PQ_SCAN_CODES_BODY_H

/* least = min(least, sums of `count` interests): of the items 0..15 and 16..31 of a block. */
VEC_INLINE void losses(const uint8_t *block, const uint8_t *tables, uint32_t subspaces, int count,
                       line least[2]) {
    bytes sum[PQ_SCAN_GROUP][2];
    for (int k = 0; k < count; k++) {
        sum[k][0] = bytes_zero();
        sum[k][1] = bytes_zero();
    }
    for (uint32_t m = 0; m < subspaces; m += 4, tables += (size_t)count * 4 * PQ_TABLE_CENTROIDS) {
        for (uint32_t i = 0; i < 4 && m + i < subspaces; i += CODE_LINES) {
            bytes codes =
                bytes_load_part(block + (size_t)(m + i) * PQ_TABLE_CENTROIDS, subspaces - m - i);
            bytes low = bytes_low(codes), high = bytes_high(codes);
            for (uint32_t k = 0; k < (uint32_t)count; k++) {
                bytes table = bytes_load(tables + (size_t)(4 * k + i) * PQ_TABLE_CENTROIDS);
                sum[k][0] = bytes_add(sum[k][0], bytes_find(table, low));
                sum[k][1] = bytes_add(sum[k][1], bytes_find(table, high));
            }
        }
    }
    for (int k = 0; k < count; k++) {
        least[0] = line_min(least[0], bytes_fold(sum[k][0]));
        least[1] = line_min(least[1], bytes_fold(sum[k][1]));
    }
}

static uint32_t kernel_scan_pq(const pq_scan_args *args, uint32_t *next) {
    const size_t block_size = (size_t)args->cols * PQ_TABLE_CENTROIDS;
    const size_t table_size = ((size_t)args->cols + 3) / 4 * 4 * PQ_TABLE_CENTROIDS;
    const uint8_t *tables = args->interests, most = 255;
    uint32_t block = *next, count = 0;
    line all;
    memset(&all, most, sizeof(all));
    for (; block < args->block_count && count < args->room; block++) {
        const uint8_t *codes = (const uint8_t *)args->blocks + block * block_size;
        uint32_t wanted = wanted_rows(args, block, PQ_TABLE_CODES);
        if (!wanted) {
            continue;
        }
        scan_prefetch(codes, block_size);
        line least[2] = {all, all};
#define CALL(n) losses(codes, tables + k * table_size, args->cols, n, least)
        EACH_GROUP(k, args->interest_count, CALL);
#undef CALL
        wanted &= line_below_most(least[0]) | line_below_most(least[1]) << 16;
        if (wanted) {
            args->found[count++] = (pq_scan_found){block, wanted};
        }
    }
    *next = block;
    return count;
}

#endif
