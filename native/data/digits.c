/* digits.c — the drawing that digits.h describes. */
#include "native/data/digits.h"

#include "base/number.h"
#include "base/rng.h"

#include <math.h>

#define STREAM 0x646967697473u /* sets these draws apart from others of the same seed */
#define START 1500000000.0     /* seconds of the first image, which the others follow */
#define ARC_STEPS 16
#define MOST_POINTS 128
#define PI 3.14159265358979323846

/* An arc around (x, y) with radii p and q from one angle to another, in degrees clockwise from the right; or, with equal
 * angles, the line from (x, y) to (p, q). y grows downwards. */
typedef struct {
    int digit, form; /* form 2: of both */
    double x, y, p, q, from, to;
} stroke;

static const stroke strokes[] = {
    {0, 0, .50, .50, .22, .32, 0, 360},   {0, 1, .50, .50, .17, .31, 0, 360},
    {1, 2, .50, .18, .50, .82, 0, 0},     {1, 1, .36, .33, .50, .18, 0, 0},
    {2, 2, .50, .36, .20, .18, 180, 400}, {2, 2, .653, .476, .27, .82, 0, 0},
    {2, 2, .27, .82, .74, .82, 0, 0},     {3, 0, .47, .34, .19, .16, 200, 450},
    {3, 1, .30, .20, .68, .20, 0, 0},     {3, 1, .68, .20, .47, .48, 0, 0},
    {3, 2, .47, .66, .21, .17, 270, 520}, {4, 0, .60, .18, .26, .60, 0, 0},
    {4, 0, .60, .18, .60, .82, 0, 0},     {4, 0, .26, .60, .76, .60, 0, 0},
    {4, 1, .34, .20, .30, .55, 0, 0},     {4, 1, .30, .55, .74, .55, 0, 0},
    {4, 1, .64, .28, .64, .82, 0, 0},     {5, 2, .68, .20, .36, .20, 0, 0},
    {5, 2, .36, .20, .34, .48, 0, 0},     {5, 0, .48, .62, .20, .20, 220, 500},
    {5, 1, .46, .63, .23, .19, 235, 510}, {6, 2, .50, .64, .19, .18, 0, 360},
    {6, 0, .66, .62, .35, .44, 180, 265}, {6, 1, .32, .60, .50, .18, 0, 0},
    {7, 2, .28, .20, .72, .20, 0, 0},     {7, 2, .72, .20, .42, .82, 0, 0},
    {7, 1, .42, .50, .68, .50, 0, 0},     {8, 2, .50, .34, .16, .15, 0, 360},
    {8, 2, .50, .66, .20, .17, 0, 360},   {9, 2, .50, .36, .19, .18, 0, 360},
    {9, 0, .34, .38, .35, .44, 0, 85},    {9, 1, .68, .40, .60, .82, 0, 0},
};

typedef struct {
    double x[MOST_POINTS], y[MOST_POINTS];
    bool begins[MOST_POINTS]; /* a new stroke */
    int count;
} path;

typedef struct {
    double xx, xy, yx, yy, x, y;
} affine;

static double between(pq_rng *rng, double low, double high) {
    return low + (high - low) * pq_rng_uniform(rng);
}

static double sine(double angle) { /* -pi / 2 .. 5 pi / 2 */
    return pq_cos(angle - PI / 2);
}

static affine draw_affine(pq_rng *rng, const pique_digits_options *o) {
    double wide = between(rng, 1 - PQ_DIGITS_SCALE, 1 + PQ_DIGITS_SCALE);
    double high = between(rng, 1 - PQ_DIGITS_SCALE, 1 + PQ_DIGITS_SCALE);
    double slant = between(rng, -1, 1) * o->slant / 100;
    double turn = between(rng, -1, 1) * o->rotate * PI / 180;
    double c = pq_cos(turn), s = turn < 0 ? -sine(-turn) : sine(turn);
    affine a = {.xx = c * wide,
                .xy = (c * slant - s) * high,
                .yx = s * wide,
                .yy = (s * slant + c) * high,
                .x = 0.5 + between(rng, -PQ_DIGITS_MOVE, PQ_DIGITS_MOVE),
                .y = 0.5 + between(rng, -PQ_DIGITS_MOVE, PQ_DIGITS_MOVE)};
    return a;
}

static void add_point(path *out, const affine *a, double x, double y, bool begins) {
    x -= 0.5;
    y -= 0.5;
    out->x[out->count] = a->xx * x + a->xy * y + a->x;
    out->y[out->count] = a->yx * x + a->yy * y + a->y;
    out->begins[out->count++] = begins;
}

static void add_stroke(path *out, pq_rng *rng, const affine *a, const stroke *s) {
    double x = s->x + PQ_DIGITS_SHAKE * pq_rng_normal(rng);
    double y = s->y + PQ_DIGITS_SHAKE * pq_rng_normal(rng);
    double p = s->p + PQ_DIGITS_SHAKE * pq_rng_normal(rng);
    double q = s->q + PQ_DIGITS_SHAKE * pq_rng_normal(rng);
    if (s->from == s->to) {
        add_point(out, a, x, y, true);
        add_point(out, a, p, q, false);
        return;
    }
    for (int i = 0; i <= ARC_STEPS; i++) {
        double degrees = s->from + (s->to - s->from) * i / ARC_STEPS;
        double angle = (degrees >= 360 ? degrees - 360 : degrees) * PI / 180;
        add_point(out, a, x + p * pq_cos(angle), y + q * sine(angle), i == 0);
    }
}

/* The distance of a point to the nearest line of the path. */
static double distance(const path *p, double x, double y) {
    double least = 4;
    for (int i = 1; i < p->count; i++) {
        if (p->begins[i]) {
            continue;
        }
        double dx = p->x[i] - p->x[i - 1], dy = p->y[i] - p->y[i - 1];
        double fx = x - p->x[i - 1], fy = y - p->y[i - 1];
        double length = dx * dx + dy * dy;
        double at = length > 0 ? (fx * dx + fy * dy) / length : 0;
        at = PQ_MAX(0, PQ_MIN(1, at));
        fx -= at * dx;
        fy -= at * dy;
        least = PQ_MIN(least, fx * fx + fy * fy);
    }
    return pq_sqrt(least);
}

static void write_image(pq_rng *rng, const path *p, uint32_t side, pq_text *out) {
    double pen = between(rng, PQ_DIGITS_THIN, PQ_DIGITS_THICK);
    for (uint32_t i = 0; i < side * side; i++) {
        double x = (i % side + 0.5) / side, y = (i / side + 0.5) / side; /* NOLINT: whole rows */
        double ink = PQ_MAX(0, PQ_MIN(1, (pen - distance(p, x, y)) * side + 0.5));
        ink *= 1 - PQ_DIGITS_INK * pq_rng_uniform(rng);
        if (pq_rng_uniform(rng) < PQ_DIGITS_SPECKS) {
            ink = pq_rng_uniform(rng);
        }
        pq_text_add(out, i ? " " : "");
        pq_text_number(out, floor(ink * 100 + 0.5) / 100);
    }
}

static void draw(const pique_digits_options *o, uint32_t number, pq_text *users,
                 pq_text *interactions) {
    pq_rng rng = pq_rng_make(o->seed, STREAM, number);
    int digit = (int)pq_rng_below(&rng, 10), form = (int)pq_rng_below(&rng, 2);
    affine a = draw_affine(&rng, o);
    path p = {.count = 0};
    for (size_t i = 0; i < PQ_COUNT(strokes); i++) {
        if (strokes[i].digit == digit && (strokes[i].form == form || strokes[i].form == 2)) {
            add_stroke(&p, &rng, &a, &strokes[i]);
        }
    }
    pq_text_add(users, "image-%lu,", (unsigned long)number);
    write_image(&rng, &p, o->size, users);
    pq_text_add(users, "\n");
    for (int i = 1; i <= 10; i++) { /* the true one last */
        pq_text_add(interactions, "image-%lu,%d,%d,%lu\n", (unsigned long)number, (digit + i) % 10,
                    i == 10, (unsigned long)(START + number));
    }
}

static pique_status check(pq_ctx *ctx, const pique_digits_options *o) {
    if (o->count == 0 || o->count > PQ_DIGITS_MOST) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "digits is %lu, not 1 to %d", (unsigned long)o->count,
                PQ_DIGITS_MOST);
    }
    if (o->size < PQ_DIGITS_LEAST_SIDE || o->size > PQ_DIGITS_MOST_SIDE) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "size is %lu, not %d to %d", (unsigned long)o->size,
                PQ_DIGITS_LEAST_SIDE, PQ_DIGITS_MOST_SIDE);
    }
    if (o->rotate > 180 || o->slant > 100) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "rotate is %lu, not 0 to 180, or slant is %lu, not 0 to 100",
                (unsigned long)o->rotate, (unsigned long)o->slant);
    }
    return PIQUE_OK;
}

pique_status pq_digits(pq_ctx *ctx, const pique_digits_options *o, const pique_listener *listener,
                       pq_text *users, pq_text *interactions, pq_text *schema) {
    PQ_TRY(check(ctx, o));
    pq_text_add(users, "user,pixels\n");
    pq_text_add(interactions, "user,item,label,timestamp\n");
    pq_text_add(schema,
                "{\"users\": {\"pixels\": {\"type\": \"vector\", \"width\": %lu, \"separator\": \" "
                "\"}}}\n",
                (unsigned long)o->size * o->size);
    for (uint32_t number = 1; number <= o->count; number++) {
        draw(o, number, users, interactions);
        PQ_TRY(pq_text_status(users));
        PQ_TRY(pq_text_status(interactions));
        if (number % 256 == 0 && listener && listener->cancelled &&
            listener->cancelled(listener->user)) {
            PQ_FAIL(ctx, PIQUE_CANCELLED, "cancelled");
        }
    }
    return pq_text_status(schema);
}
