/* capsules.h — from the behaviours of a history to the capsules of its interests, which MIND and MGNM share:
 *     u_t,k = S x_t, or with a map per interest and/or position     (T, D | K D)
 *     c_k   = behaviour-to-interest routing of u over R rounds      (B K, D)      graph/op_route.c
 *     v_k   = f(W2 relu(W1 [c_k; p] + b1) + b2), perhaps of length 1 (B K, D)     p: the user's profile
 * and, sequential, with a residual of the middle rounds: s_t = W [LSTM from both ends over u](t), (T, K D).
 *
 * Positions count from the newest behaviour, which always has the same map and the same routing noise: a longer
 * history only adds older positions. */
#ifndef PQ_CAPSULES_H
#define PQ_CAPSULES_H

#include "layers/bidirectional.h"
#include "layers/profile.h"

typedef struct {
    /* set by the model before declaring */
    int32_t interests, history, rounds, hidden, bilinear, interest_count, route_eval, output;
    int32_t sequence_hidden; /* of the LSTM from each end; 0: D */
    bool route_live, route_full, sequential, cosine;
    double sigma, squash_epsilon, fade, fade_spread;
    double sequence_scale; /* deviation of its new map; 0: Glorot uniform */

    pq_param *map, *noise, *w1, *b1, *w2, *b2;
    pq_bidirectional sequence;
    pq_param *sequence_out; /* (K D, 2 hidden) */
} pq_capsules;

/* Rows of a table of fields. The options are the presets' values, as best, seed, paper, of what models differ in:
 * the map, the interests in use, what the last layers are, the noise's deviation, and `fade` of best; then the
 * seed's interests, history, route_live, route_eval and squash_epsilon, and the paper's history. */
#define PQ_CAPSULES_FIELDS(at, map, seed_map, paper_map, count, seed_count, paper_count, out,      \
                           seed_out, paper_out, noise, seed_noise, paper_noise, fade_best, seed_k, \
                           seed_history, seed_live, seed_eval, seed_epsilon, paper_history)        \
    PQ_FIELD("interests", (at) + offsetof(pq_capsules, interests), "int 1 16", "4", seed_k, NULL,  \
             "largest number of interests K"),                                                     \
        PQ_FIELD("history", (at) + offsetof(pq_capsules, history), "int 1 1000", "20",             \
                 seed_history, paper_history, "newest behaviours that are looked at"),             \
        PQ_FIELD("rounds", (at) + offsetof(pq_capsules, rounds), "int 1 10", "3", NULL, NULL,      \
                 "routing rounds R"),                                                              \
        PQ_FIELD("bilinear", (at) + offsetof(pq_capsules, bilinear),                               \
                 "shared,per_interest,per_position,per_position_interest", map, seed_map,          \
                 paper_map,                                                                        \
                 "map from behaviour to interest: one matrix (routing starts from noise), one "    \
                 "per interest "                                                                   \
                 "(starts from zero), one per position (noise), one per position and interest "    \
                 "(zero)"),                                                                        \
        PQ_FIELD("interest_count", (at) + offsetof(pq_capsules, interest_count),                   \
                 "log2,ln,log2p1,all", count, seed_count, paper_count,                             \
                 "interests in use for L behaviours: floor of log2 L, of ln L, of log2(1 + L), "   \
                 "or K"),                                                                          \
        PQ_FIELD("route_live", (at) + offsetof(pq_capsules, route_live), "bool", "1", seed_live,   \
                 "1", "only interests in use compete for behaviours"),                             \
        PQ_FIELD("route_eval", (at) + offsetof(pq_capsules, route_eval), "table,uniform", "table", \
                 seed_eval, "table",                                                               \
                 "noise that serves: N(0, sigma) or U[0, sigma), drawn once and kept in the "      \
                 "model file"),                                                                    \
        PQ_FIELD("route_full", (at) + offsetof(pq_capsules, route_full), "bool", "0", NULL, NULL,  \
                 "gradients through all routing rounds, not only the last"),                       \
        PQ_TRAINING_FIELD("sigma", (at) + offsetof(pq_capsules, sigma), "real 0 100", noise,       \
                          seed_noise, paper_noise,                                                 \
                          "deviation of the routing noise, cut at two deviations"),                \
        PQ_FIELD("squash_epsilon", (at) + offsetof(pq_capsules, squash_epsilon), "real 1e-30 1",   \
                 "1e-9", seed_epsilon, NULL, "inside the square root of squash"),                  \
        PQ_FIELD("hidden", (at) + offsetof(pq_capsules, hidden), "int 1 4096", "128", NULL, NULL,  \
                 "width of the first of the two layers on each interest"),                         \
        PQ_FIELD(                                                                                  \
            "output", (at) + offsetof(pq_capsules, output), "relu,linear,residual,none", out,      \
            seed_out, paper_out,                                                                   \
            "the two layers: second with or without ReLU, added to the capsule, or left out"),     \
        PQ_FIELD("cosine", (at) + offsetof(pq_capsules, cosine), "bool", "1", "0", "0",            \
                 "interests and item vectors have length 1"),                                      \
        PQ_FIELD("fade", (at) + offsetof(pq_capsules, fade), "real 0 10", fade_best, "0", "0",     \
                 "a behaviour of age a (0: the newest) counts e^(-fade a) in an interest"),        \
        PQ_FIELD("fade_spread", (at) + offsetof(pq_capsules, fade_spread), "real 0 10", "0", "0",  \
                 "0", "added to fade for each further interest, so that some look further back")

/* d: width of behaviours and capsules; profile: of the profile's vector, 0 for none. */
void pq_capsules_declare(pq_capsules *c, pq_params *params, uint32_t d, uint32_t profile);
/* live [B]: interests in use for each history, 1..K. */
void pq_capsules_live(const pq_capsules *c, const pq_segments *history, uint32_t *live);
/* What a history is routed from. */
typedef struct {
    const pq_segments *history; /* B segments */
    const uint32_t *age, *live; /* [T] of the behaviours (layers/ages.h); [B] */
    pq_var *profile;            /* (B, ·), or NULL without one */
    pq_real *shares;            /* NULL or [T, K]: the share of each behaviour in each interest */
    uint32_t share_step;        /* one number in so many; 0: one after the other */
} pq_capsule_input;

/* Behaviours x (T, D) to interests (B * K, D), zero where not live. */
pq_var *pq_capsules_run(pq_tape *t, const pq_capsules *c, pq_var *x, const pq_capsule_input *in);

#endif
