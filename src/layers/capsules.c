#include "layers/capsules.h"

#include "layers/dense.h"

typedef enum {
    BILINEAR_SHARED,
    BILINEAR_PER_INTEREST,
    BILINEAR_PER_POSITION,
    BILINEAR_PER_POSITION_INTEREST
} bilinear;
typedef enum { COUNT_LOG2, COUNT_LN, COUNT_LOG2P1, COUNT_ALL } interest_count;
typedef enum { NOISE_TABLE, NOISE_UNIFORM } route_eval;
typedef enum { OUTPUT_RELU, OUTPUT_LINEAR, OUTPUT_RESIDUAL, OUTPUT_NONE } output;

static bool starts_from_noise(const pq_capsules *c) {
    return c->bilinear == BILINEAR_SHARED || c->bilinear == BILINEAR_PER_POSITION;
}

static bool per_position(const pq_capsules *c) {
    return c->bilinear == BILINEAR_PER_POSITION || c->bilinear == BILINEAR_PER_POSITION_INTEREST;
}

static bool per_interest(const pq_capsules *c) {
    return c->bilinear == BILINEAR_PER_INTEREST || c->bilinear == BILINEAR_PER_POSITION_INTEREST;
}

void pq_capsules_declare(pq_capsules *c, pq_params *p, uint32_t d, uint32_t profile) {
    uint32_t k = (uint32_t)c->interests, len = (uint32_t)c->history;
    pq_init glorot = {.kind = PQ_INIT_GLOROT_UNIFORM};
    /* The shape's fan-in and fan-out are those of one map, however many are stacked. */
    pq_init map_init = {.kind = PQ_INIT_NORMAL, .scale = 1 / pq_sqrt(d)};
    uint32_t maps = (per_position(c) ? len : 1) * (per_interest(c) ? k : 1);
    c->map = pq_params_add(p, "map.w", maps * d, d, map_init);
    if (starts_from_noise(c)) {
        pq_init_kind kind = c->route_eval == NOISE_TABLE ? PQ_INIT_TRUNCATED : PQ_INIT_UNIFORM;
        c->noise = pq_params_add(p, "route.noise", len, k, (pq_init){kind, c->sigma, false});
        if (c->noise) {
            c->noise->frozen = true;
        }
    }
    if (c->sequential) {
        uint32_t hidden = c->sequence_hidden ? (uint32_t)c->sequence_hidden : d;
        c->sequence = (pq_bidirectional){
            .layers = 1, .merge = PQ_MERGE_CONCAT, .hidden = hidden, .cell = PQ_CELL_LSTM};
        pq_bidirectional_declare(&c->sequence, p, "sequence", (per_interest(c) ? k : 1) * d);
        c->sequence_out = pq_params_add(
            p, "sequence.w", k * d, 2 * hidden,
            c->sequence_scale > 0 ? (pq_init){PQ_INIT_NORMAL, c->sequence_scale, false} : glorot);
    }
    if (c->output != OUTPUT_NONE || profile > 0) {
        c->w1 = pq_params_add(p, "mlp.w1", (uint32_t)c->hidden, d + profile, glorot);
        c->b1 = pq_params_add(p, "mlp.b1", 1, (uint32_t)c->hidden, (pq_init){0});
        c->w2 = pq_params_add(p, "mlp.w2", d, (uint32_t)c->hidden, glorot);
        c->b2 = pq_params_add(p, "mlp.b2", 1, d, (pq_init){0});
    }
}

/* floor(log2 L) is the index of the highest set bit: no logarithm that could round the wrong way. */
static uint32_t live_interests(const pq_capsules *c, uint32_t length) {
    uint32_t count = (uint32_t)c->interests;
    uint32_t wanted = 0;
    switch ((interest_count)c->interest_count) {
    case COUNT_LOG2:
        wanted = length ? pq_log2_floor(length) : 0;
        break;
    case COUNT_LN:
        wanted = length ? (uint32_t)pq_log(length) : 0;
        break;
    case COUNT_LOG2P1:
        wanted = pq_log2_floor(length + 1);
        break;
    case COUNT_ALL:
        wanted = count;
        break;
    }
    return PQ_MAX(1, PQ_MIN(count, wanted));
}

void pq_capsules_live(const pq_capsules *c, const pq_segments *history, uint32_t *live) {
    for (uint32_t i = 0; i < history->count; i++) {
        live[i] = live_interests(c, pq_segment_length(history, i));
    }
}

/* Where routing starts: fresh noise in training, the file's table otherwise, or zero (NULL). */
static const pq_real *start_logits(pq_tape *t, const pq_capsules *c, const uint32_t *age,
                                   uint32_t rows) {
    uint32_t k = (uint32_t)c->interests;
    pq_real *logits = c->noise ? pq_tape_take(t, (size_t)rows * k, sizeof(*logits)) : NULL;
    for (size_t i = 0; logits && i < (size_t)rows * k; i++) {
        if (t->training) {
            logits[i] = (pq_real)(c->sigma * pq_rng_truncated_normal(&t->rng));
        } else {
            logits[i] = c->noise->value[(size_t)age[i / k] * k + i % k];
        }
    }
    return logits;
}

#define FADED 1e-30 /* as good as nothing, but still a number that float has and can divide by */

/* e^(-(fade + k fade_spread) age), or NULL when behaviours do not fade. */
static const pq_real *fading(pq_tape *t, const pq_capsules *c, const uint32_t *age, uint32_t rows) {
    uint32_t k = (uint32_t)c->interests;
    if (c->fade == 0 && c->fade_spread == 0) {
        return NULL;
    }
    pq_real *mass = pq_tape_take(t, (size_t)rows * k, sizeof(*mass));
    for (size_t i = 0; mass && i < (size_t)rows * k; i++) {
        double pace = c->fade + (double)(i % k) * c->fade_spread;
        uint32_t row = (uint32_t)(i / k);
        mass[i] = (pq_real)PQ_MAX(FADED, pq_exp(-pace * age[row]));
    }
    return mass;
}

/* What the order of the behaviours adds to u in the middle rounds. Nothing flows from it into u. */
static pq_var *sequence(pq_tape *t, const pq_capsules *c, const pq_var *u,
                        const pq_segments *history) {
    if (!c->sequential || !u) {
        return NULL;
    }
    pq_var *still = pq_tape_constant(t, u->value, u->rows, u->cols);
    still = pq_bidirectional_run(t, &c->sequence, still, history);
    return pq_op_linear(t, still, pq_tape_param(t, c->sequence_out), NULL);
}

/* The two layers on [c_k; p], one interest at a time. */
static pq_var *finish(pq_tape *t, const pq_capsules *c, pq_var *capsules, pq_var *profile) {
    if (!c->w1 || !capsules) {
        return capsules;
    }
    pq_var *in = capsules;
    if (profile) {
        in = pq_op_concat(t, capsules, pq_op_repeat(t, profile, (uint32_t)c->interests));
    }
    pq_var *v = pq_op_activate(t, pq_dense(t, in, c->w1, c->b1), PQ_RELU);
    v = pq_dense(t, v, c->w2, c->b2);
    v = pq_op_activate(t, v, c->output == OUTPUT_RELU ? PQ_RELU : PQ_LINEAR);
    return c->output == OUTPUT_RELU || c->output == OUTPUT_LINEAR ? v : pq_op_add(t, v, capsules);
}

static const bool *live_rows(pq_tape *t, const uint32_t *live, uint32_t b, uint32_t k) {
    bool *keep = pq_tape_take(t, (size_t)b * k, sizeof(*keep));
    for (uint32_t i = 0; keep && i < b * k; i++) {
        keep[i] = i % k < live[i / k];
    }
    return keep;
}

pq_var *pq_capsules_run(pq_tape *t, const pq_capsules *c, pq_var *x, const pq_capsule_input *in) {
    const pq_segments *history = in->history;
    uint32_t rows = history->starts[history->count], k = (uint32_t)c->interests;
    pq_var *map = pq_tape_param(t, c->map);
    pq_var *u = per_position(c) ? pq_op_linear_by_group(t, x, map, in->age, (uint32_t)c->history)
                                : pq_op_linear(t, x, map, NULL);
    pq_route route = {.segments = history,
                      .live = in->live,
                      .logits = start_logits(t, c, in->age, rows),
                      .mass = fading(t, c, in->age, rows),
                      .interests = k,
                      .per_interest = per_interest(c),
                      .rounds = (uint32_t)c->rounds,
                      .routed = c->route_live ? 0 : k,
                      .full_gradient = c->route_full,
                      .epsilon = c->squash_epsilon,
                      .residual = sequence(t, c, u, history),
                      .shares = in->shares,
                      .share_step = in->share_step};
    pq_var *v = finish(t, c, pq_op_route(t, u, &route), in->profile);
    if (c->cosine) {
        v = pq_op_normalise(t, v, 1e-12);
    }
    return pq_op_mask_rows(t, v, live_rows(t, in->live, history->count, k));
}
