/* api_session.c — one user at a time: interests, recommendations, reasons. */
#include <math.h>
#include <string.h>

#include "api/session.h"
#include "retrieval/scan.h"

#define MOST_TIME 9.2e18 /* below 2^63 */

pique_status pique_session_create(pique_context *ctx, const pique_model *model,
                                  pique_session **out) {
    *out = pq_alloc(ctx, 1, sizeof(**out));
    if (!*out) {
        return PIQUE_NO_MEMORY;
    }
    (*out)->ctx = ctx;
    (*out)->model = model;
    pq_tape_init(&(*out)->tape, ctx);
    pique_status status = pique_session_profile(*out, NULL, 0, NULL);
    if (status != PIQUE_OK) {
        pique_session_free(*out);
        *out = NULL;
    }
    return status;
}

void pique_session_free(pique_session *session) {
    if (session) {
        pq_tape_free(&session->tape);
        pq_free(session->ctx, session->profile_block);
        pq_free(session->ctx, session);
    }
}

pique_status pq_session_check_diversity(const pique_session *s, const pique_query *q) {
    if (!(q->diversity >= 0 && q->diversity <= 1e30f)) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "query: diversity is not a number from 0 up");
    }
    if (q->diversity > 0 && q->category != PIQUE_BY_VECTORS &&
        q->category >= s->model->category_count) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED,
                s->model->category_count
                    ? "query: the model has no column %u of categories"
                    : "query: the model has no categories to diversify by (column %u)",
                (unsigned)q->category);
    }
    return PIQUE_OK;
}

static pique_status check_query(const pique_session *s, const pique_query *q) {
    PQ_TRY(pq_session_check_diversity(s, q));
    if ((q->history_count && !q->history) || (q->exclude_count && !q->exclude)) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "query: a list has a count but no items");
    }
    for (uint32_t i = 0; q->history_times && i < q->history_count; i++) {
        double time = q->history_times[i];
        if (!(time >= -MOST_TIME && time <= MOST_TIME)) {
            PQ_FAIL(s->ctx, PIQUE_ARGUMENT,
                    "query: time %u of the history is not a number of seconds", (unsigned)i);
        }
    }
    for (uint32_t f = 0; q->profile && f < s->model->m.profile.column_count; f++) {
        const pq_column *column = &s->model->columns[f];
        if (q->profile[f] >= (column->vector ? 1 : column->rows)) {
            PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "query: profile field \"%s\" has no code %u",
                    s->model->names[f], (unsigned)q->profile[f]);
        }
    }
    return PIQUE_OK;
}

/* Item numbers of the newest behaviours, strangers as UNKNOWN. */
static uint32_t *behaviours(pique_session *s, const pique_query *q, uint32_t count) {
    uint32_t items = s->model->ids.count;
    uint32_t *ids = pq_tape_take(&s->tape, count, sizeof(*ids));
    for (uint32_t i = 0; ids && i < count; i++) {
        uint32_t item = q->history[s->first + i];
        ids[i] = pique_model_has_behaviour(s->model, item) ? item : items + 1;
    }
    return ids;
}

/* Whole seconds of the newest behaviours; NULL when not known. */
static const int64_t *behaviour_times(pique_session *s, const pique_query *q, uint32_t count) {
    int64_t *times = q->history_times ? pq_tape_take(&s->tape, count, sizeof(*times)) : NULL;
    for (uint32_t i = 0; times && i < count; i++) {
        times[i] = (int64_t)q->history_times[s->first + i];
    }
    return times;
}

/* Begins a call: the newest behaviours as a batch of one segment, starts [2]. */
static pique_status begin(pique_session *s, const pique_query *q, uint32_t *starts,
                          pq_batch *batch) {
    PQ_TRY(check_query(s, q));
    pq_tape_begin(&s->tape, NULL, false, (pq_rng){0});
    uint32_t count = PQ_MIN(q->history_count, s->model->m.max_history);
    s->first = q->history_count - count;
    starts[0] = 0;
    starts[1] = count;
    *batch = (pq_batch){.history = {starts, 1}};
    batch->items = behaviours(s, q, count);
    batch->times = behaviour_times(s, q, count);
    batch->profile = pq_session_codes(s, q->profile);
    return s->tape.status;
}

/* Fills vectors, live, first and shares (by interest, then behaviour). */
static pique_status compute(pique_session *s, const pique_query *q) {
    const pq_model *m = &s->model->m;
    pq_tape *t = &s->tape;
    uint32_t starts[2];
    pq_batch batch;
    if (!m->def->user) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED,
                "%s has no interests to search the catalogue with; it ranks candidates that it is "
                "given",
                m->def->name);
    }
    PQ_TRY(begin(s, q, starts, &batch));
    uint32_t count = starts[1];
    batch.shares = pq_tape_take(t, (size_t)count * m->interests, sizeof(*batch.shares));
    s->shares = pq_tape_take(t, (size_t)m->interests * count, sizeof(*s->shares));
    if (t->status != PIQUE_OK) {
        return t->status;
    }
    memset(batch.shares, 0, (size_t)count * m->interests * sizeof(*batch.shares));
    pq_var *v = m->def->user(t, m, &batch, &s->live);
    if (!v) {
        return t->status;
    }
    s->vectors = v->value;
    for (size_t i = 0; i < (size_t)s->live * m->width; i++) {
        if (!(v->value[i] - v->value[i] == 0)) {
            PQ_FAIL(s->ctx, PIQUE_NUMERIC, "the model gives an interest that is not finite");
        }
    }
    for (uint32_t k = 0; k < m->interests; k++) {
        for (uint32_t i = 0; i < count; i++) {
            s->shares[(size_t)k * count + i] = batch.shares[(size_t)i * m->interests + k];
        }
    }
    return PIQUE_OK;
}

pique_status pique_session_interests(pique_session *session, const pique_query *query,
                                     pique_interests *out) {
    PQ_TRY(compute(session, query));
    *out = (pique_interests){.vectors = session->vectors,
                             .shares = session->shares,
                             .live = session->live,
                             .history_first = session->first};
    return PIQUE_OK;
}

/* A person of whom nothing is known has no interests to score with: scores are all zero, and the order
 * falls back to the item numbers, which is popularity. */
static bool nothing_known(const pique_session *s, const pique_query *q) {
    bool known = q->history_count > 0 || (!q->profile && s->known > 0);
    for (uint32_t f = 0; q->profile && f < s->model->m.profile.column_count; f++) {
        known = known || q->profile[f] != 0;
    }
    return !known;
}

static pique_status prepare(pique_session *s, const pique_query *q, pq_scan *scan) {
    PQ_TRY(compute(s, q));
    if (nothing_known(s, q)) {
        memset(s->vectors, 0, (size_t)s->live * s->model->m.width * sizeof(float));
    }
    *scan = (pq_scan){.table = s->model->m.items.vectors,
                      .codes = s->model->shortlist,
                      .interests = s->vectors,
                      .interest_count = s->live,
                      .count = q->count};
    return PIQUE_OK;
}

pique_status pq_session_exclude(pique_session *s, const pique_query *q, uint8_t **out) {
    uint32_t rows = s->model->m.items.rows, items = s->model->ids.count;
    uint8_t *bits = pq_tape_take(&s->tape, rows / 8 + 1, 1);
    if (!bits) {
        return PIQUE_NO_MEMORY;
    }
    if (q->filtered) {
        memcpy(bits, q->filtered, rows / 8 + 1);
    } else {
        memset(bits, 0, rows / 8 + 1);
    }
    pq_exclude(bits, 0);         /* PAD */
    pq_exclude(bits, items + 1); /* UNKNOWN */
    for (uint32_t i = 0; q->exclude_seen && i < q->history_count; i++) {
        if (q->history[i] <= items) {
            pq_exclude(bits, q->history[i]);
        }
    }
    for (uint32_t i = 0; i < q->exclude_count; i++) {
        if (q->exclude[i] <= items) {
            pq_exclude(bits, q->exclude[i]);
        }
    }
    *out = bits;
    return PIQUE_OK;
}

/* An item that stands in the history several times is one reason: its first place gets all its shares. */
static void merge_repeats(const pique_session *s, const pique_query *q) {
    uint32_t count = q->history_count - s->first;
    const uint32_t *items = q->history + s->first;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t j = 0;
        while (items[j] != items[i]) {
            j++;
        }
        for (uint32_t k = 0; j < i && k < s->live; k++) {
            float *shares = s->shares + (size_t)k * count;
            shares[j] += shares[i];
            shares[i] = 0;
        }
    }
}

/* The behaviours with the largest shares of the interest that won, other than the item itself. */
static void explain(const pique_session *s, const pique_query *q, pique_recommendation *r) {
    uint32_t count = q->history_count - s->first;
    const float *shares = s->shares + (size_t)r->interest * count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t item = q->history[s->first + i];
        uint32_t at = r->reason_count;
        if (!(shares[i] > 0) || item == 0 || item > s->model->ids.count || item == r->item) {
            continue;
        }
        while (at > 0 && r->reason_weights[at - 1] < shares[i]) {
            if (at < PIQUE_MAX_REASONS) {
                r->reasons[at] = r->reasons[at - 1];
                r->reason_weights[at] = r->reason_weights[at - 1];
            }
            at--;
        }
        if (at < PIQUE_MAX_REASONS) {
            r->reasons[at] = item;
            r->reason_weights[at] = shares[i];
            r->reason_count = PQ_MIN(r->reason_count + 1, PIQUE_MAX_REASONS);
        }
    }
}

/* Candidates from which a diverse list is chosen, in multiples of the list. */
#define DIVERSE_CANDIDATES 4

/* The best items, diversified when that is asked for: *count of hits. */
static pique_status choose(pique_session *s, const pique_query *q, pq_scan *scan, pq_hit **hits,
                           uint32_t *count) {
    uint32_t wanted = PQ_MIN(scan->count, s->model->ids.count);
    uint64_t looked_at = (uint64_t)wanted * (q->diversity > 0 ? DIVERSE_CANDIDATES : 1);
    scan->count = (uint32_t)PQ_MIN(looked_at, s->model->ids.count);
    *hits = pq_tape_take(&s->tape, scan->count, sizeof(**hits));
    if (!*hits) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_scan_top(&s->tape.arena, scan, *hits, count));
    if (q->diversity > 0) {
        pq_best found = {.hits = *hits, .count = *count};
        PQ_TRY(pq_session_diversify(s, q, &found, wanted, NULL));
    }
    *count = PQ_MIN(*count, wanted);
    return PIQUE_OK;
}

pique_status pique_session_recommend(pique_session *session, const pique_query *query,
                                     const pique_recommendation **list, uint32_t *count) {
    pique_session *s = session;
    pq_scan scan;
    *list = NULL;
    *count = 0;
    PQ_TRY(prepare(s, query, &scan));
    uint8_t *excluded;
    PQ_TRY(pq_session_exclude(s, query, &excluded));
    scan.excluded = excluded;
    pq_hit *hits;
    uint32_t chosen;
    PQ_TRY(choose(s, query, &scan, &hits, &chosen));
    pique_recommendation *found = pq_tape_take(&s->tape, chosen, sizeof(*found));
    if (!found) {
        return PIQUE_NO_MEMORY;
    }
    *count = chosen;
    if (query->explain) {
        merge_repeats(s, query);
    }
    for (uint32_t i = 0; i < *count; i++) {
        found[i] = (pique_recommendation){
            .item = hits[i].row, .score = hits[i].score, .interest = hits[i].interest};
        if (query->explain) {
            explain(s, query, &found[i]);
        }
    }
    *list = found;
    return PIQUE_OK;
}

pique_status pique_session_scores(pique_session *session, const pique_query *query, float *scores) {
    pq_scan scan;
    PQ_TRY(prepare(session, query, &scan));
    return pq_scan_scores(&session->tape.arena, &scan, scores);
}

pique_status pique_session_near(pique_session *session, const pique_query *query,
                                const float **scores) {
    pique_session *s = session;
    const uint32_t count = s->model->block_count, width = s->model->m.width;
    if (!count) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED, "the model's item rows are not in blocks");
    }
    PQ_TRY(compute(s, query));
    float *best = pq_tape_take(&s->tape, count, sizeof(*best));
    if (!best) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t b = 0; b < count; b++) {
        const float *centroid = s->model->centroids + (size_t)b * width;
        best[b] = s->ctx->kernels->dot(s->vectors, centroid, width);
        for (uint32_t k = 1; k < s->live; k++) {
            best[b] = PQ_MAX(best[b],
                             s->ctx->kernels->dot(s->vectors + (size_t)k * width, centroid, width));
        }
    }
    *scores = best;
    return PIQUE_OK;
}

/* The catalogue's scores of the candidates. */
static pique_status rank_by_interests(pique_session *s, const pique_query *q,
                                      const uint32_t *candidates, uint32_t count, float *scores) {
    pq_scan scan;
    PQ_TRY(prepare(s, q, &scan));
    float *all = pq_tape_take(&s->tape, s->model->m.items.rows, sizeof(*all));
    if (!all) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(pq_scan_scores(&s->tape.arena, &scan, all));
    for (uint32_t i = 0; i < count; i++) {
        scores[i] = all[candidates[i]];
    }
    return PIQUE_OK;
}

static pique_status rank_by_model(pique_session *s, const pique_query *q,
                                  const uint32_t *candidates, uint32_t count, float *scores) {
    const pq_model *m = &s->model->m;
    uint32_t starts[2];
    pq_batch batch;
    PQ_TRY(begin(s, q, starts, &batch));
    uint32_t *users = pq_tape_take(&s->tape, count, sizeof(*users));
    if (!users) {
        return PIQUE_NO_MEMORY;
    }
    memset(users, 0, count * sizeof(*users));
    batch.candidates = candidates;
    batch.candidate_users = users;
    batch.candidate_count = count;
    pq_var *x = m->def->score(&s->tape, m, &batch);
    if (!x) {
        return s->tape.status;
    }
    for (uint32_t i = 0; i < count; i++) {
        scores[i] = x->value[i];
        if (!(scores[i] - scores[i] == 0)) {
            PQ_FAIL(s->ctx, PIQUE_NUMERIC, "the model gives a score that is not finite");
        }
    }
    return PIQUE_OK;
}

pique_status pique_session_rank(pique_session *session, const pique_query *query,
                                const uint32_t *candidates, uint32_t count, float *scores) {
    pique_session *s = session;
    uint32_t unknown = s->model->ids.count + 1;
    if (count == 0) {
        return PIQUE_OK;
    }
    uint32_t *known = pq_alloc(s->ctx, count, sizeof(*known));
    if (!known) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        known[i] = candidates[i] == 0 || candidates[i] > unknown ? unknown : candidates[i];
    }
    const pq_model_def *def = s->model->m.def;
    bool by_interests = !def->score || (def->task == PQ_TASK_RETRIEVAL && nothing_known(s, query));
    pique_status status = by_interests ? rank_by_interests(s, query, known, count, scores)
                                       : rank_by_model(s, query, known, count, scores);
    for (uint32_t i = 0; i < count; i++) {
        if (!s->model->shortlist && pq_table_lacks(s->model->rows, known[i])) {
            scores[i] = -HUGE_VALF;
        }
    }
    pq_free(s->ctx, known);
    return status;
}
