/* grad_recurrence.c — gradient cases of the recurrent cells, and their values against a loop over one segment
 * after the other. */
#include "tests/grad/grad_check.h"

#include <math.h>

#define MOST_ROWS 32
#define MOST_WIDTH 5

typedef pq_var *recurrent_op(pq_tape *t, pq_var *gates, pq_var *u, pq_var *bias,
                             const pq_recurrence *args);

/* state [S] becomes that after a row, from its gates g, products p = U h + b and attention. */
typedef void advance(uint32_t h, const double *g, const double *p, double attention, double *state);

typedef struct {
    const char *name;
    recurrent_op *op;
    uint32_t gates, state; /* G, S in multiples of H */
    advance *advance;
    bool attends, reset_before;
} cell_case;

typedef struct {
    grad_bench g;
    const cell_case *cell;
    pq_param *gates, *u, *bias, *start; /* start may be NULL */
    pq_param *attention;                /* NULL when the cell takes none */
    const uint32_t *rows;               /* NULL or of the gates */
    pq_segments segments;
} recurrence;

static pq_var *attention_of(pq_tape *t, const recurrence *c) {
    return c->attention ? pq_tape_param(t, c->attention) : NULL;
}

static pq_var *run(pq_tape *t, const void *argument) {
    const recurrence *c = argument;
    pq_recurrence args = {.segments = &c->segments,
                          .start = c->start ? pq_tape_param(t, c->start) : NULL,
                          .rows = c->rows,
                          .attention = attention_of(t, c)};
    return c->cell->op(t, pq_tape_param(t, c->gates), pq_tape_param(t, c->u),
                       pq_tape_param(t, c->bias), &args);
}

/* Two layers that share their weights: the gradients of both must add up. */
static pq_var *run_twice(pq_tape *t, const void *argument) {
    const recurrence *c = argument;
    pq_var *first = run(t, c), *u = pq_tape_param(t, c->u), *bias = pq_tape_param(t, c->bias);
    pq_var *gates = pq_op_linear(t, pq_op_columns(t, first, 0, c->u->cols), u, bias);
    pq_recurrence args = {.segments = &c->segments, .attention = attention_of(t, c)};
    return pq_op_concat(t, first, c->cell->op(t, gates, u, bias, &args));
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static void advance_rnn(uint32_t h, const double *g, const double *p, double attention,
                        double *state) {
    (void)attention;
    for (uint32_t j = 0; j < h; j++) {
        state[j] = tanh(g[j] + p[j]);
    }
}

static void advance_gru(uint32_t h, const double *g, const double *p, double attention,
                        double *state) {
    (void)attention;
    for (uint32_t j = 0; j < h; j++) {
        double r = sigmoid(g[j] + p[j]), z = sigmoid(g[h + j] + p[h + j]);
        double n = tanh(g[2 * h + j] + r * p[2 * h + j]);
        state[j] = (1 - z) * n + z * state[j];
    }
}

static void advance_lstm(uint32_t h, const double *g, const double *p, double attention,
                         double *state) {
    (void)attention;
    for (uint32_t j = 0; j < h; j++) {
        double in = sigmoid(g[j] + p[j]), forget = sigmoid(g[h + j] + p[h + j]);
        double out = sigmoid(g[3 * h + j] + p[3 * h + j]);
        state[h + j] = forget * state[h + j] + in * tanh(g[2 * h + j] + p[2 * h + j]);
        state[j] = out * tanh(state[h + j]);
    }
}

/* z below is PyTorch's gate that keeps: the paper's update gate is 1 - z. */
static void advance_agru(uint32_t h, const double *g, const double *p, double attention,
                         double *state) {
    for (uint32_t j = 0; j < h; j++) {
        double r = sigmoid(g[j] + p[j]), n = tanh(g[h + j] + r * p[h + j]);
        state[j] = (1 - attention) * state[j] + attention * n;
    }
}

static void advance_augru(uint32_t h, const double *g, const double *p, double attention,
                          double *state) {
    for (uint32_t j = 0; j < h; j++) {
        double r = sigmoid(g[j] + p[j]), z = sigmoid(g[h + j] + p[h + j]);
        double n = tanh(g[2 * h + j] + r * p[2 * h + j]), u = attention * (1 - z);
        state[j] = (1 - u) * state[j] + u * n;
    }
}

/* p's last part comes from r times the state (step). */
static void advance_before(uint32_t h, const double *g, const double *p, const double *keep,
                           uint32_t last, double *state) {
    for (uint32_t j = 0; j < h; j++) {
        double n = tanh(g[last + j] + p[last + j]);
        state[j] = keep[j] * state[j] + (1 - keep[j]) * n;
    }
}

static void advance_agru_before(uint32_t h, const double *g, const double *p, double attention,
                                double *state) {
    double keep[MOST_WIDTH];
    for (uint32_t j = 0; j < h; j++) {
        keep[j] = 1 - attention;
    }
    advance_before(h, g, p, keep, h, state);
}

static void advance_augru_before(uint32_t h, const double *g, const double *p, double attention,
                                 double *state) {
    double keep[MOST_WIDTH];
    for (uint32_t j = 0; j < h; j++) {
        keep[j] = (1 - attention) * sigmoid(g[h + j] + p[h + j]);
    }
    advance_before(h, g, p, keep, 2 * h, state);
}

static const cell_case cells[] = {
    {"rnn", pq_op_rnn, 1, 1, advance_rnn, false, false},
    {"gru", pq_op_gru, 3, 1, advance_gru, false, false},
    {"lstm", pq_op_lstm, 4, 2, advance_lstm, false, false},
    {"agru", pq_op_agru, 2, 1, advance_agru, true, false},
    {"augru", pq_op_augru, 3, 1, advance_augru, true, false},
    {"gru_before", pq_op_gru_before, 3, 1, advance_augru_before, false, true},
    {"agru_before", pq_op_agru_before, 2, 1, advance_agru_before, true, true},
    {"augru_before", pq_op_augru_before, 3, 1, advance_augru_before, true, true},
};

static void step(const recurrence *c, uint32_t row, double *state) {
    uint32_t h = c->u->cols;
    const double *g = c->gates->value + (size_t)(c->rows ? c->rows[row] : row) * c->gates->cols;
    double product[4 * MOST_WIDTH];
    for (uint32_t i = 0; i < c->u->rows; i++) {
        bool reset = c->cell->reset_before && i + h >= c->u->rows;
        product[i] = c->bias->value[i];
        for (uint32_t j = 0; j < h; j++) {
            double r = reset ? sigmoid(g[j] + product[j]) : 1;
            product[i] += c->u->value[(size_t)i * h + j] * r * state[j];
        }
    }
    c->cell->advance(h, g, product, c->attention ? c->attention->value[row] : 0, state);
}

static void check_values(recurrence *c, const char *what) {
    uint32_t width = c->cell->state * c->u->cols;
    pq_tape t;
    pq_tape_init(&t, &c->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = run(&t, c);
    assert_ok(&c->g.t.ctx, t.status);
    assert_int_equal(y->rows, c->segments.starts[c->segments.count]);
    assert_int_equal(y->cols, width);
    for (uint32_t b = 0; b < c->segments.count; b++) {
        double state[2 * MOST_WIDTH] = {0};
        if (c->start) {
            memcpy(state, c->start->value + (size_t)b * width, width * sizeof(*state));
        }
        for (uint32_t i = c->segments.starts[b]; i < c->segments.starts[b + 1]; i++) {
            step(c, i, state);
            for (uint32_t j = 0; j < width; j++) {
                grad_close_to(what, y->value[(size_t)i * width + j], state[j], 1e-13);
            }
        }
    }
    pq_tape_free(&t);
}

/* Rows first .. first + length - 1 on their own, from a state (NULL: zeros). */
static const pq_var *part(pq_tape *t, recurrence *c, uint32_t first, uint32_t length,
                          pq_real *state) {
    uint32_t starts[] = {0, length}, g = c->gates->cols;
    pq_segments one = {starts, 1};
    pq_recurrence args = {.segments = &one};
    if (state) {
        args.start = pq_tape_constant(t, state, 1, c->cell->state * c->u->cols);
    }
    if (c->attention) {
        args.attention = pq_tape_constant(t, c->attention->value + first, length, 1);
    }
    pq_var *gates = pq_tape_constant(t, c->gates->value + (size_t)first * g, length, g);
    return c->cell->op(t, gates, pq_tape_param(t, c->u), pq_tape_param(t, c->bias), &args);
}

/* A segment's states are the same bits when it is the whole batch, and when its rows come one by one, each
 * from the state that the one before left. */
static void check_alone(recurrence *c, const char *what) {
    uint32_t width = c->cell->state * c->u->cols;
    size_t size = width * sizeof(pq_real);
    pq_tape t;
    pq_tape_init(&t, &c->g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *all = run(&t, c);
    for (uint32_t b = 0; b < c->segments.count; b++) {
        uint32_t first = c->segments.starts[b], length = pq_segment_length(&c->segments, b);
        const pq_real *states = all->value + (size_t)first * width;
        pq_real *state = c->start ? c->start->value + (size_t)b * width : NULL;
        const pq_var *y = part(&t, c, first, length, state);
        assert_ok(&c->g.t.ctx, t.status);
        if (memcmp(y->value, states, length * size) != 0) {
            fail_msg("%s: segment %lu is not the same alone", what, (unsigned long)b);
        }
        for (uint32_t i = 0; i < length; i++) {
            const pq_var *row = part(&t, c, first + i, 1, state);
            assert_ok(&c->g.t.ctx, t.status);
            if (memcmp(row->value, states + (size_t)i * width, size) != 0) {
                fail_msg("%s: row %lu of segment %lu is not the same step by step", what,
                         (unsigned long)i, (unsigned long)b);
            }
            state = row->value;
        }
    }
    pq_tape_free(&t);
}

static pq_var *run_empty(pq_tape *t, const void *argument) {
    const recurrence *c = argument;
    static pq_real nothing[1];
    pq_recurrence args = {.segments = &c->segments,
                          .attention = pq_tape_constant(t, nothing, 0, 1)};
    return c->cell->op(t, pq_tape_constant(t, nothing, 0, c->u->rows), pq_tape_param(t, c->u),
                       pq_tape_param(t, c->bias), &args);
}

/* No rows at all: nothing comes out, and no gradient. */
static void check_empty(const cell_case *cell) {
    static const uint32_t starts[] = {0, 0, 0};
    for (uint32_t count = 0; count <= 2; count++) {
        recurrence c = {.cell = cell, .segments = {starts, count}};
        grad_open(&c.g, 1);
        c.u = grad_input(&c.g, "u", 2 * cell->gates, 2);
        c.bias = grad_input(&c.g, "bias", 1, 2 * cell->gates);
        grad_check(&c.g, "empty", run_empty, NULL, &c);
        grad_close(&c.g);
    }
}

static void check_refusals(const cell_case *cell) {
    static const uint32_t starts[] = {0, 2};
    uint32_t width = 2 * cell->gates, state = 2 * cell->state;
    grad_bench g;
    grad_open(&g, 1);
    pq_param *gates = grad_input(&g, "gates", 2, width), *u = grad_input(&g, "u", width, 2);
    pq_param *bias = grad_input(&g, "bias", 1, width), *start = grad_input(&g, "start", 1, state);
    pq_param *wide = grad_input(&g, "wide", 2, width + 3), *high = grad_input(&g, "high", 9, 2);
    pq_param *longer = grad_input(&g, "longer", 3, width), *two = grad_input(&g, "two", 2, width);
    pq_param *more = grad_input(&g, "more", 2, state), *thin = grad_input(&g, "thin", 1, 1);
    pq_param *attention = grad_input(&g, "attention", 2, 1);
    const pq_param *const bad[][4] = {{wide, u, bias, start},  {gates, high, bias, start},
                                      {gates, u, wide, start}, {longer, u, bias, start},
                                      {gates, u, two, start},  {gates, u, bias, more},
                                      {gates, u, bias, thin}};
    pq_tape t;
    pq_tape_init(&t, &g.t.ctx);
    for (size_t i = 0; i < PQ_COUNT(bad); i++) {
        pq_segments one = {starts, 1};
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        pq_recurrence args = {.segments = &one,
                              .start = pq_tape_param(&t, bad[i][3]),
                              .attention = pq_tape_param(&t, attention)};
        assert_null(cell->op(&t, pq_tape_param(&t, bad[i][0]), pq_tape_param(&t, bad[i][1]),
                             pq_tape_param(&t, bad[i][2]), &args));
        assert_failure(&g.t.ctx, t.status, PIQUE_INTERNAL, ": gates are");
        assert_failure(&g.t.ctx, t.status, PIQUE_INTERNAL, cell->name);
    }
    static const uint32_t outside[] = {0, 2};
    for (uint32_t i = 0; i < (cell->attends ? 3U : 1U);
         i++) { /* rows; no attention; too little of it */
        pq_segments one = {starts, 1};
        pq_tape_begin(&t, NULL, false, (pq_rng){0});
        pq_recurrence args = {.segments = &one,
                              .rows = i == 0 ? outside : NULL,
                              .attention = i == 1 ? NULL : pq_tape_param(&t, i ? thin : attention)};
        assert_null(cell->op(&t, pq_tape_param(&t, gates), pq_tape_param(&t, u),
                             pq_tape_param(&t, bias), &args));
        assert_failure(&g.t.ctx, t.status, PIQUE_INTERNAL, cell->name);
    }
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    assert_null(cell->op(&t, NULL, pq_tape_param(&t, u), pq_tape_param(&t, bias), NULL));
    assert_int_equal(t.status, PIQUE_OK);
    pq_tape_free(&t);
    grad_close(&g);
}

/* h1 = tanh 1, h2 = tanh(tanh 1), from inputs 1 and 0 with all weights 1 and no bias. */
static void check_by_hand(void) {
    static const uint32_t starts[] = {0, 2};
    recurrence c = {.cell = &cells[0], .segments = {starts, 1}};
    grad_open(&c.g, 1);
    c.gates = grad_input(&c.g, "gates", 2, 1);
    c.u = grad_input(&c.g, "u", 1, 1);
    c.bias = grad_input(&c.g, "bias", 1, 1);
    c.gates->value[0] = c.u->value[0] = 1;
    c.gates->value[1] = c.bias->value[0] = 0;
    pq_tape t;
    pq_tape_init(&t, &c.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = run(&t, &c);
    assert_ok(&c.g.t.ctx, t.status);
    grad_close_to("h1", y->value[0], 0.761594, 1e-6);
    grad_close_to("h2", y->value[1], 0.642015, 1e-6);
    pq_tape_free(&t);
    grad_close(&c.g);
}

static void check_shape(const cell_case *cell, const pq_segments *segments, uint32_t h,
                        uint64_t seed) {
    static const char *const inputs[] = {"gates", "u", "bias", "start", "attention"};
    uint32_t rows = segments->starts[segments->count];
    bool started = seed % 2 == 1;
    char what[64];
    recurrence c = {.cell = cell, .segments = *segments};
    assert_true(rows <= MOST_ROWS && h <= MOST_WIDTH);
    snprintf(what, sizeof(what), "%s, shape %u", cell->name, (unsigned)seed / 2);
    grad_open(&c.g, seed);
    c.gates = grad_input(&c.g, inputs[0], rows, cell->gates * h);
    c.u = grad_input(&c.g, inputs[1], cell->gates * h, h);
    c.bias = grad_input(&c.g, inputs[2], 1, cell->gates * h);
    c.start = started ? grad_input(&c.g, inputs[3], segments->count, cell->state * h) : NULL;
    c.attention = cell->attends ? grad_input(&c.g, inputs[4], rows, 1) : NULL;
    check_values(&c, what);
    check_alone(&c, what);
    grad_check(&c.g, what, run, NULL, &c);
    grad_check(&c.g, what, run_twice, NULL, &c);
    /* Rows that repeat a state, and each input without a gradient of its own. */
    memcpy(c.gates->value + (size_t)(rows - 1) * c.gates->cols, c.gates->value,
           c.gates->cols * sizeof(pq_real));
    for (uint32_t frozen = 0; frozen < c.g.params->count; frozen++) {
        c.g.params->list[frozen]->frozen = true;
        grad_check(&c.g, c.g.params->list[frozen]->name, run, NULL, &c);
        c.g.params->list[frozen]->frozen = false;
    }
    /* Segments that share rows of the gates. */
    uint32_t shared[MOST_ROWS];
    for (uint32_t i = 0; i < rows; i++) {
        shared[i] = i * 3 % ((rows + 1) / 2);
    }
    c.rows = shared;
    check_values(&c, what);
    grad_check(&c.g, what, run, NULL, &c);
    grad_close(&c.g);
}

static void check_cell(const cell_case *cell) {
    static const struct {
        uint32_t width, count, starts[8];
    } shapes[] = {
        {3, 6, {0, 4, 4, 5, 11, 13, 17}}, /* mixed lengths */
        {1, 1, {0, 1}},                   /* one row */
        {2, 1, {0, 6}},                   /* one segment */
        {4, 3, {0, 1, 2, 3}},             /* all of length 1 */
        {2, 3, {0, 3, 6, 9}},             /* equal lengths */
        {5, 4, {0, 0, 1, 3, 6}},          /* rising lengths */
        {2, 4, {0, 5, 8, 9, 9}},          /* falling lengths */
    };
    for (size_t i = 0; i < 2 * PQ_COUNT(shapes); i++) { /* from zeros, and from given states */
        pq_segments segments = {shapes[i / 2].starts, shapes[i / 2].count};
        check_shape(cell, &segments, shapes[i / 2].width, i);
    }
    check_empty(cell);
    check_refusals(cell);
}

void grad_rnn(void) {
    check_cell(&cells[0]);
    check_by_hand();
}

void grad_gru(void) {
    check_cell(&cells[1]);
}

void grad_lstm(void) {
    check_cell(&cells[2]);
}

/* All weights .5, no bias, input 1, state .5, attention .5. */
static void check_attention_by_hand(const cell_case *cell, double want) {
    static const uint32_t starts[] = {0, 1};
    recurrence c = {.cell = cell, .segments = {starts, 1}};
    grad_open(&c.g, 1);
    c.gates = grad_input(&c.g, "gates", 1, cell->gates);
    c.u = grad_input(&c.g, "u", cell->gates, 1);
    c.bias = grad_input(&c.g, "bias", 1, cell->gates);
    c.start = grad_input(&c.g, "start", 1, 1);
    c.attention = grad_input(&c.g, "attention", 1, 1);
    c.start->value[0] = c.attention->value[0] = 0.5;
    for (uint32_t i = 0; i < cell->gates; i++) {
        c.gates->value[i] = c.u->value[i] = 0.5;
        c.bias->value[i] = 0;
    }
    if (cell->gates == 3 &&
        !cell->reset_before) { /* the update gate is 1 - z, so z has the weights' negatives */
        c.gates->value[1] = c.u->value[1] = -0.5;
    }
    pq_tape t;
    pq_tape_init(&t, &c.g.t.ctx);
    pq_tape_begin(&t, NULL, false, (pq_rng){0});
    const pq_var *y = run(&t, &c);
    assert_ok(&c.g.t.ctx, t.status);
    grad_close_to(cell->name, y->value[0], want, 1e-6);
    pq_tape_free(&t);
    grad_close(&c.g);
}

void grad_agru(void) {
    check_cell(&cells[3]);
    check_attention_by_hand(&cells[3], 0.542422);
}

void grad_augru(void) {
    check_cell(&cells[4]);
    check_attention_by_hand(&cells[4], 0.528812);
}

/* What an attention of 0 leaves of it is the plain unit, which takes no attention. */
void grad_gru_before(void) {
    check_cell(&cells[5]);
    check_attention_by_hand(&cells[5], 0.527220);
}

void grad_agru_before(void) {
    check_cell(&cells[6]);
}

void grad_augru_before(void) {
    check_cell(&cells[7]);
    check_attention_by_hand(&cells[7], 0.556032);
}
