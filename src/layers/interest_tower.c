#include "layers/interest_tower.h"

pique_status pq_interest_tower_declare(pq_interest_tower *tower, pq_params *params,
                                       uint32_t profile, uint32_t item, uint32_t interest) {
    uint32_t in = item + interest;
    in += tower->input == PQ_TOWER_COMPACT ? 0 : profile;
    in += tower->input == PQ_TOWER_FULL ? 2 * item : 0;
    if (!tower->output && pq_mlp_width(&tower->mlp, in) != 1) {
        PQ_FAIL(params->ctx, PIQUE_ARGUMENT,
                "output = 0 needs a last hidden layer of width 1, not %u",
                (unsigned)pq_mlp_width(&tower->mlp, in));
    }
    pq_mlp_declare(&tower->mlp, params, "tower", in, tower->output ? 1 : 0);
    return params->status;
}

/* [e; sum; e * sum] */
static pq_var *with_sum(pq_tape *t, pq_var *candidates, pq_var *behaviours,
                        const pq_segments *history, const uint32_t *users) {
    const pq_pool_segments sum = {.segments = history};
    pq_var *sums = pq_op_pool_segments(t, behaviours, NULL, &sum);
    const pq_pairs *own = candidates ? pq_pairs_one(t, users, candidates->rows) : NULL;
    if (!own) {
        return NULL;
    }
    pq_var *product = pq_op_multiply_pairs(t, candidates, sums, own);
    pq_var *each = pq_op_select_rows(t, sums, users, candidates->rows);
    return pq_op_concat(t, candidates, pq_op_concat(t, each, product));
}

pq_var *pq_interest_tower_run(pq_tape *t, const pq_interest_tower *tower, pq_var *profile,
                              pq_var *candidates, pq_var *behaviours, const pq_segments *history,
                              const uint32_t *users, pq_var *interest) {
    pq_var *z;
    if (tower->input == PQ_TOWER_COMPACT) {
        z = pq_op_concat(t, interest, candidates);
    } else {
        z = tower->input == PQ_TOWER_FULL ? with_sum(t, candidates, behaviours, history, users)
                                          : candidates;
        z = pq_op_concat(t, z, interest);
        z = profile ? pq_op_concat(t, profile, z) : z;
    }
    return pq_head_apply(t, &tower->head, pq_mlp_run(t, &tower->mlp, z));
}
