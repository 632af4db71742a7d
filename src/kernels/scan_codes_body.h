/* scan_codes_body.h — which items of a table of codes may beat a threshold, from sums of bytes:
 * what each centroid loses against the best one of its codebook, in steps of which 255 are more than any
 * item above the threshold can lose (retrieval/filter.c makes these tables). A byte therefore never needs
 * widening: its sum stops at 255, and an item that gets there is out. The sums are of integers, the
 * same in every set.
 *
 * Where items differ much from the interests, a few codebooks put all items of a block out: sums are looked at
 * on the way, for as long as that ends some of them early.
 *
 * Fast scan: F. André, A.-M. Kermarrec, N. Le Scouarnec, "Cache locality is not enough: high-performance
 * nearest neighbor search with product quantization fast scan", VLDB 2015. */
#ifndef PQ_SCAN_CODES_BODY_H
#define PQ_SCAN_CODES_BODY_H

#define FOUR ((size_t)4 * PQ_TABLE_CENTROIDS) /* lines */
/* Codebooks after which sums are looked at. */
#define LOOK_AFTER 8
/* So many blocks in a row that did not end early, and sums are looked at in every LOOK_AGAIN-th block alone. */
#define PATIENCE 4
#define LOOK_AGAIN 32

/* Adds up to four lines of codes. Sets of 128 bits take them one by one, as their registers hold the values of one
 * line; wider ones in a body without a loop. */
VEC_INLINE void add_losses(const uint8_t *codes, const uint8_t *tables, uint32_t lines, int count,
                           bytes sum[PQ_SCAN_GROUP][2]) {
    const bool one_by_one = CODE_LINES == 1;
    lines = one_by_one ? PQ_MIN(lines, 4) : lines;
#ifdef __wasm__
#pragma clang loop unroll(disable)
#endif
    for (uint32_t i = 0; i < lines && (one_by_one || i < 4); i += CODE_LINES) {
        bytes both = bytes_load_part(codes + (size_t)i * PQ_TABLE_CENTROIDS, lines - i);
        bytes low = bytes_low(both), high = bytes_high(both);
        for (uint32_t k = 0; k < (uint32_t)count; k++) {
            bytes table = bytes_load(tables + (size_t)(4 * k + i) * PQ_TABLE_CENTROIDS);
            sum[k][0] = bytes_add(sum[k][0], bytes_find(table, low));
            sum[k][1] = bytes_add(sum[k][1], bytes_find(table, high));
        }
    }
}

/* least = min(least, sums of `count` interests): of the items 0..15 and 16..31 of a block. */
VEC_INLINE void keep_least(bytes sum[PQ_SCAN_GROUP][2], int count, line least[2]) {
    for (int k = 0; k < count; k++) {
        least[0] = line_min(least[0], bytes_fold(sum[k][0]));
        least[1] = line_min(least[1], bytes_fold(sum[k][1]));
    }
}

/* Items of a block that are not out, as bits. */
VEC_INLINE uint32_t items_left(const line least[2]) {
    return line_below_most(least[0]) | line_below_most(least[1]) << PQ_TABLE_CENTROIDS;
}

/* The block's items by `count` interests, looked at after every `stretch` codebooks; true: all were out before
 * the last. */
VEC_INLINE bool losses(const uint8_t *codes, const uint8_t *tables, uint32_t codebooks, int count,
                       uint32_t stretch, line least[2]) {
    bytes sum[PQ_SCAN_GROUP][2];
    for (int k = 0; k < count; k++) {
        sum[k][0] = bytes_zero();
        sum[k][1] = bytes_zero();
    }
    for (uint32_t m = 0, end = stretch;; end += stretch) {
        end = PQ_MIN(end, codebooks);
        for (; CODE_LINES > 1 && m + 4 <= end; m += 4) { /* without masks */
            add_losses(codes, tables, 4, count, sum);
            codes += FOUR;
            tables += (size_t)count * FOUR;
        }
        for (; m < end; m += 4) {
            add_losses(codes, tables, end - m, count, sum);
            codes += FOUR;
            tables += (size_t)count * FOUR;
        }
        line now[2] = {least[0], least[1]};
        keep_least(sum, count, now);
        if (end == codebooks) {
            least[0] = now[0];
            least[1] = now[1];
            return false;
        }
        if (items_left(now) == 0) {
            return true;
        }
    }
}

static uint32_t kernel_scan_pq(const pq_scan_args *args, uint32_t *next) {
    const size_t block_size = (size_t)args->cols * PQ_TABLE_CENTROIDS;
    const size_t table_size = ((size_t)args->cols + 3) / 4 * FOUR;
    const uint8_t *tables = args->interests, most = 255;
    uint32_t block = *next, count = 0, patience = 1;
    line all;
    memset(&all, most, sizeof(all));
    for (; block < args->block_count && count < args->room; block++) {
        const uint8_t *codes = (const uint8_t *)args->blocks + block * block_size;
        uint32_t wanted = wanted_rows(args, block, PQ_TABLE_CODES);
        if (!wanted) {
            continue;
        }
        scan_prefetch(codes, block_size);
        const bool look = patience > 0 || block % LOOK_AGAIN == 0;
        const uint32_t stretch = look ? LOOK_AFTER : args->cols;
        bool early = false;
        line least[2] = {all, all};
#define CALL(n) early |= losses(codes, tables + k * table_size, args->cols, n, stretch, least)
        EACH_GROUP(k, args->interest_count, CALL);
#undef CALL
        patience = early ? PATIENCE : patience - (patience > 0);
        wanted &= items_left(least);
        if (wanted) {
            args->found[count++] = (pq_scan_found){block, wanted};
        }
    }
    *next = block;
    return count;
}

#endif
