/* scan_codes_body.h — which items of a table of codes may beat a threshold, from sums of bytes:
 * what each centroid loses against the best one of its codebook, in steps of which 255 are more than any
 * item above the threshold can lose (retrieval/losses.c makes these tables). A byte therefore never needs
 * widening: its sum stops at 255, and an item that gets there is out. No entry is above 127, so two of them never
 * leave a byte: wide sets join them by an addition that does not look for that. The sums are of integers, the same
 * in every set.
 *
 * Where items differ much from the interests, a few codebooks put all items of a block out: sums are looked at
 * on the way, for as long as that ends some of them early.
 *
 * Fast scan: F. André, A.-M. Kermarrec, N. Le Scouarnec, "Cache locality is not enough: high-performance
 * nearest neighbor search with product quantization fast scan", VLDB 2015. */
#ifndef PQ_SCAN_CODES_BODY_H
#define PQ_SCAN_CODES_BODY_H

#define EIGHT ((size_t)8 * PQ_TABLE_CENTROIDS) /* codebooks */
/* Codebooks after which sums are looked at. */
#define LOOK_AFTER 8
/* So many blocks in a row that did not end early, and sums are looked at in every LOOK_AGAIN-th block alone. */
#define PATIENCE 4
#define LOOK_AGAIN 32

/* Adds eight codebooks, or the `lines` that are left of them. Wide sets join two and two first, in a body without a
 * loop; those of 128 bits take them one by one, as their registers hold the values of one line. */
VEC_INLINE void add_losses(const uint8_t *codes, const uint8_t *tables, uint32_t lines, int count,
                           bytes sum[PQ_SCAN_GROUP][2]) {
    const bool paired = CODE_LINES > 1;
    const size_t step = CODE_LINES * PQ_TABLE_CENTROIDS;
#ifdef __wasm__
#pragma clang loop unroll(disable)
#endif
    for (uint32_t i = 0; i < lines; i += CODE_LINES << paired) {
        const uint8_t *at = codes + (size_t)i * PQ_TABLE_CENTROIDS;
        bytes a = bytes_load_part(at, lines - i);
        bytes b = paired ? bytes_load_part(at + step, lines - PQ_MIN(lines, i + CODE_LINES)) : a;
        bytes low[2] = {bytes_low(a), bytes_low(b)}, high[2] = {bytes_high(a), bytes_high(b)};
        for (uint32_t k = 0; k < (uint32_t)count; k++) {
            at = tables + (size_t)(8 * k + i) * PQ_TABLE_CENTROIDS;
            bytes table = bytes_load(at);
            bytes lows = bytes_find(table, low[0]), highs = bytes_find(table, high[0]);
            if (paired) {
                table = bytes_load(at + step);
                lows = bytes_join(lows, bytes_find(table, low[1]));
                highs = bytes_join(highs, bytes_find(table, high[1]));
            }
            sum[k][0] = bytes_add(sum[k][0], lows);
            sum[k][1] = bytes_add(sum[k][1], highs);
        }
    }
}

/* The block's items by `count` interests, looked at after every `stretch` codebooks; true: all were out before
 * the last. */
VEC_INLINE bool losses(const uint8_t *codes, const uint8_t *tables, uint32_t codebooks, int count,
                       uint32_t stretch, totals *least) {
    bytes sum[PQ_SCAN_GROUP][2];
    for (int k = 0; k < count; k++) {
        sum[k][0] = bytes_zero();
        sum[k][1] = bytes_zero();
    }
    for (uint32_t m = 0, end = stretch;; end += stretch) {
        end = PQ_MIN(end, codebooks);
        for (; m < end; m += 8) {
            if (CODE_LINES > 1 && end - m >= 8) { /* without masks */
                add_losses(codes, tables, 8, count, sum);
            } else {
                add_losses(codes, tables, PQ_MIN(end - m, 8), count, sum);
            }
            codes += EIGHT;
            tables += (size_t)count * EIGHT;
        }
        totals now = *least;
        for (int k = 0; k < count; k++) {
            now = totals_min(now, totals_of(sum[k][0], sum[k][1]));
        }
        if (end == codebooks) {
            *least = now;
            return false;
        }
        if (totals_below_most(now) == 0) {
            return true;
        }
    }
}

static uint32_t kernel_scan_pq(const pq_scan_args *args, uint32_t *next) {
    const size_t block_size = (size_t)args->cols * PQ_TABLE_CENTROIDS;
    const size_t table_size = ((size_t)args->cols + 7) / 8 * EIGHT;
    const uint8_t *tables = args->interests;
    uint32_t block = *next, count = 0, patience = 1;
    totals all;
    memset(&all, 255, sizeof(all));
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
        totals least = all;
#define CALL(n) early |= losses(codes, tables + k * table_size, args->cols, n, stretch, &least)
        EACH_GROUP(k, args->interest_count, CALL);
#undef CALL
        patience = early ? PATIENCE : patience - (patience > 0);
        wanted &= totals_below_most(least);
        if (wanted) {
            args->found[count++] = (pq_scan_found){block, wanted};
        }
    }
    *next = block;
    return count;
}

#endif
