/* op_label_attention.c — label-aware attention (MIND, section 3.4): v (B * K, D) interests, e (B, D) the
 * labels' item vectors, y (B, D).
 *
 *     s[k] = <v[k], e>;  a = softmax over the live k of pw(s[k]);  y = sum over k of a[k] v[k]
 * or, hard, y = the v[k] of the largest pw(s[k]).
 *
 * Backward: dv[k] = a[k] g, and unless the attention is a constant also ds[k] e and de = sum ds[k] v[k],
 * with ds = a (da - sum a da) pw'(s), da[k] = <g, v[k]>. */
#include "graph/ops.h"

#include <string.h>

typedef struct {
    pq_var *v, *e, *y;
    pq_label_attention args;
    pq_real *scores;    /* [B, K] s */
    pq_real *attention; /* [B, K] a; one-hot when hard */
} record;

static double power(const pq_label_attention *a, double s) {
    double size = pq_pow(s < 0 ? -s : s, a->power);
    switch (a->kind) {
    case PQ_POWER_SIGNED:
        return s < 0 ? -size : size;
    case PQ_POWER_RAW:
        /* Negative bases as C's pow: a sign for whole odd powers, NaN for fractions. */
        if (s >= 0) {
            return size;
        }
        if (a->power != (double)(int64_t)a->power) {
            return pq_log(-1);
        }
        return (int64_t)a->power % 2 ? -size : size;
    case PQ_POWER_TEMPERATURE:
        return a->power * s;
    }
    return 0;
}

static double power_slope(const pq_label_attention *a, double s) {
    if (a->kind == PQ_POWER_TEMPERATURE) {
        return a->power;
    }
    double size = a->power * pq_pow(s < 0 ? -s : s, a->power - 1);
    bool falls = a->kind == PQ_POWER_RAW && s < 0 && (int64_t)a->power % 2 == 0;
    return falls ? -size : size;
}

static void attend(pq_tape *t, const record *r, uint32_t b) {
    const pq_label_attention *a = &r->args;
    uint32_t d = r->e->cols, live = a->live[b];
    pq_real *s = r->scores + (size_t)b * a->interests;
    pq_real *w = r->attention + (size_t)b * a->interests;
    uint32_t best = 0;
    double top = 0;
    for (uint32_t k = 0; k < live; k++) {
        s[k] = t->kernels->dot(r->v->value + ((size_t)b * a->interests + k) * d,
                               r->e->value + (size_t)b * d, d);
        double raised = power(a, s[k]);
        best = k == 0 || raised > top ? k : best;
        top = best == k ? raised : top;
    }
    for (uint32_t k = 0; k < live; k++) {
        /* The largest is taken off in double: a power may lie far outside the range of float. */
        w[k] = a->hard ? (pq_real)(k == best) : (pq_real)(power(a, s[k]) - top);
    }
    if (!a->hard) {
        t->kernels->softmax(w, w, live);
    }
    pq_real *y = r->y->value + (size_t)b * d;
    memset(y, 0, d * sizeof(*y));
    for (uint32_t k = 0; k < live; k++) {
        t->kernels->axpy(w[k], r->v->value + ((size_t)b * a->interests + k) * d, y, d);
    }
}

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_label_attention *a = &r->args;
    const pq_kernels *f = t->kernels;
    uint32_t d = r->e->cols;
    if (!r->y->grad) {
        return;
    }
    pq_real *dv = pq_tape_grad(t, r->v);
    pq_real *de = pq_tape_grad(t, r->e);
    for (uint32_t b = 0; b < r->e->rows; b++) {
        const pq_real *g = r->y->grad + (size_t)b * d;
        const pq_real *w = r->attention + (size_t)b * a->interests;
        double mean = 0;
        for (uint32_t k = 0; k < a->live[b]; k++) {
            size_t at = ((size_t)b * a->interests + k) * d;
            mean += w[k] * f->dot(g, r->v->value + at, d);
            if (dv) {
                f->axpy(w[k], g, dv + at, d);
            }
        }
        for (uint32_t k = 0; !a->hard && !a->stop_gradient && k < a->live[b]; k++) {
            size_t at = ((size_t)b * a->interests + k) * d;
            double da = f->dot(g, r->v->value + at, d);
            double slope = power_slope(a, r->scores[(size_t)b * a->interests + k]);
            pq_real ds = (pq_real)(w[k] * (da - mean) * slope);
            if (dv) {
                f->axpy(ds, r->e->value + (size_t)b * d, dv + at, d);
            }
            if (de) {
                f->axpy(ds, r->v->value + at, de + (size_t)b * d, d);
            }
        }
    }
}

pq_var *pq_op_label_attention(pq_tape *t, pq_var *v, pq_var *e, const pq_label_attention *args) {
    if (!v || !e) {
        return NULL;
    }
    if (v->rows != e->rows * args->interests || v->cols != e->cols) {
        return PQ_MISFIT(t, "label_attention", "interests %u x %u, labels %u x %u",
                         (unsigned)v->rows, (unsigned)v->cols, (unsigned)e->rows,
                         (unsigned)e->cols);
    }
    size_t cells = (size_t)v->rows;
    pq_var *y = pq_tape_var(t, e->rows, e->cols, v->needs_grad || e->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *scores = pq_tape_take(t, cells, sizeof(*scores));
    pq_real *attention = pq_tape_take(t, cells, sizeof(*attention));
    if (!y || !r || !scores || !attention) {
        return NULL;
    }
    *r = (record){v, e, y, *args, scores, attention};
    for (uint32_t b = 0; b < e->rows; b++) {
        attend(t, r, b);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
