/* grad_segment_graph.c — gradient cases of graphs inside segments, and values of their normalisations. */
#include "tests/grad/grad_check.h"

#define ROWS 8
#define LONGEST 5

static const uint32_t starts[] = {0, 5, 5, 6, 8}; /* lengths 5, 0, 1, 2 */
static const pq_segments segments = {starts, 4};

typedef struct {
    pq_param *q, *k, *x;
    pq_degree degree;
} inputs;

static pq_var *edges(pq_tape *t, const void *argument) {
    const inputs *in = argument;
    return pq_op_adjacency(t, pq_tape_param(t, in->q), pq_tape_param(t, in->k), &segments);
}

/* Edges are positive as they come from pq_op_adjacency. */
static pq_var *gathered(pq_tape *t, const void *argument) {
    const inputs *in = argument;
    return pq_op_neighbours(t, edges(t, argument), pq_tape_param(t, in->x), &segments, in->degree);
}

static void open(grad_bench *g, inputs *in, uint64_t seed, bool alike) {
    grad_open(g, seed);
    in->q = grad_input(g, "q", ROWS, 3);
    in->k = alike ? in->q : grad_input(g, "k", ROWS, 3);
}

/* Every edge by hand, and zeros beside them. */
static void check_edges(grad_bench *g, const inputs *in) {
    pq_tape t;
    pq_tape_init(&t, &g->t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = edges(&t, in);
    assert_int_equal(y->cols, LONGEST);
    for (uint32_t b = 0; b < segments.count; b++) {
        for (uint32_t i = starts[b]; i < starts[b + 1]; i++) {
            for (uint32_t j = 0; j < LONGEST; j++) {
                double s = 0;
                for (uint32_t f = 0; starts[b] + j < starts[b + 1] && f < 3; f++) {
                    s += in->q->value[i * 3 + f] * in->k->value[(starts[b] + j) * 3 + f];
                }
                bool edge = starts[b] + j < starts[b + 1];
                grad_close_to("edge", y->value[i * LONGEST + j], edge ? 1 / (1 + pq_exp(-s)) : 0,
                              1e-12);
            }
        }
    }
    pq_tape_free(&t);
}

void grad_adjacency(void) {
    for (int alike = 0; alike < 2; alike++) {
        grad_bench g;
        inputs in = {0};
        open(&g, &in, 1, alike);
        check_edges(&g, &in);
        grad_check(&g, "adjacency", edges, NULL, &in);
        grad_close(&g);
    }
}

/* Where all edges are 0.5 and all rows alike, rows stay what they are in both ways, and become 0.5 L times that
 * without. */
static void check_sums(pq_degree degree) {
    grad_bench g;
    inputs in = {.degree = degree};
    open(&g, &in, 2, true);
    in.x = grad_input(&g, "x", ROWS, 1);
    memset(in.q->value, 0, (size_t)ROWS * 3 * sizeof(*in.q->value));
    for (uint32_t i = 0; i < ROWS; i++) {
        in.x->value[i] = 3;
    }
    pq_tape t;
    pq_tape_init(&t, &g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = gathered(&t, &in);
    for (uint32_t b = 0; b < segments.count; b++) {
        for (uint32_t i = starts[b]; i < starts[b + 1]; i++) {
            double plain = 1.5 * pq_segment_length(&segments, b);
            grad_close_to("sum along a row's edges", y->value[i],
                          degree == PQ_DEGREE_NONE ? plain : 3, 1e-12);
        }
    }
    pq_tape_free(&t);
    grad_close(&g);
}

void grad_neighbours(void) {
    static const pq_degree degrees[] = {PQ_DEGREE_SYMMETRIC, PQ_DEGREE_ROW, PQ_DEGREE_NONE};
    for (size_t i = 0; i < PQ_COUNT(degrees); i++) {
        grad_bench g;
        inputs in = {.degree = degrees[i]};
        open(&g, &in, i, false); /* no graph that is symmetric by itself */
        in.x = grad_input(&g, "x", ROWS, 4);
        grad_check(&g, "neighbours", gathered, NULL, &in);
        grad_close(&g);
        check_sums(degrees[i]);
    }
}

static pq_var *half(pq_tape *t, const void *argument) {
    const inputs *in = argument;
    return pq_op_total(t, pq_tape_param(t, in->q), 0.5);
}

void grad_total(void) {
    grad_bench g;
    inputs in = {0};
    open(&g, &in, 4, true);
    double sum = 0;
    for (uint32_t i = 0; i < ROWS * 3; i++) {
        sum += in.q->value[i];
    }
    grad_close_to("total", grad_loss(&g, half, &in), grad_probe(0) * sum / 2, 1e-12);
    grad_check(&g, "total", half, NULL, &in);
    grad_close(&g);
}
