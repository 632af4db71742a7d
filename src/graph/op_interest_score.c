/* op_interest_score.c — how well items fit the interests of a user: v (B * K, D) interests, e (C, D) items, each of
 * one of the users, y (C, 1). With s[k] = <v[k], e> over the user's interests in use,
 *     y = sum over k of a[k] s[k],  a = softmax over k of p s[k]
 * or, hard, the largest s. It is the inner product of e with what label-aware attention (op_label_attention.c)
 * makes of the interests for e, and at most the largest s.
 *
 * Backward: ds[k] = g a[k] (1 + p (s[k] - y)), or g a[k] where the attention is a constant; de = sum of ds[k] v[k]
 * and dv[k] = ds[k] e. */
#include "graph/ops.h"

typedef struct {
    pq_var *v, *e, *y;
    const uint32_t *users;
    pq_label_attention args;
    pq_real *fits, *attention; /* [C, K] s and a */
} record;

static void backward(pq_tape *t, void *data) {
    const record *r = data;
    const pq_label_attention *a = &r->args;
    const size_t d = r->e->cols, count = a->interests;
    if (!r->y->grad) {
        return;
    }
    pq_real *dv = pq_tape_grad(t, r->v), *de = pq_tape_grad(t, r->e);
    for (size_t c = 0; c < r->e->rows; c++) {
        const uint32_t user = r->users[c];
        for (uint32_t k = 0; k < a->live[user]; k++) {
            size_t at = (user * count + k) * d;
            pq_real above = r->fits[c * count + k] - r->y->value[c];
            double slope = a->stop_gradient ? 1 : 1 + a->power * above;
            pq_real ds = (pq_real)(r->attention[c * count + k] * slope);
            ds = r->y->grad[c] * (a->hard ? above >= 0 : ds);
            if (dv) {
                t->kernels->axpy(ds, r->e->value + c * d, dv + at, d);
            }
            if (de) {
                t->kernels->axpy(ds, r->v->value + at, de + c * d, d);
            }
        }
    }
}

static void fit(const pq_tape *t, const record *r, size_t c) {
    const pq_label_attention *a = &r->args;
    const size_t d = r->e->cols, count = a->interests;
    pq_real *s = r->fits + c * count, *w = r->attention + c * count;
    const uint32_t user = r->users[c], live = a->live[user];
    for (uint32_t k = 0; k < live; k++) {
        s[k] = t->kernels->dot(r->v->value + (user * count + k) * d, r->e->value + c * d, d);
        w[k] = (pq_real)a->power * s[k];
    }
    t->kernels->softmax(w, w, live);
    r->y->value[c] = a->hard ? t->kernels->max(s, live) : t->kernels->dot(w, s, live);
}

pq_var *pq_op_interest_score(pq_tape *t, pq_var *v, pq_var *e, const uint32_t *users,
                             const pq_label_attention *args) {
    if (!v || !e) {
        return NULL;
    }
    if (v->cols != e->cols || args->kind != PQ_POWER_TEMPERATURE) {
        return PQ_MISFIT(t, "interest_score", "interests of %u columns, items of %u",
                         (unsigned)v->cols, (unsigned)e->cols);
    }
    const size_t cells = (size_t)e->rows * args->interests;
    pq_var *y = pq_tape_var(t, e->rows, 1, v->needs_grad || e->needs_grad);
    record *r = pq_tape_take(t, 1, sizeof(*r));
    pq_real *both = pq_tape_take(t, 2 * cells, sizeof(*both));
    if (!y || !r || !both) {
        return NULL;
    }
    *r = (record){v, e, y, users, *args, both, both + cells};
    for (size_t c = 0; c < e->rows; c++) {
        fit(t, r, c);
    }
    if (pq_tape_records(y)) {
        pq_tape_record(t, backward, r);
    }
    return y;
}
