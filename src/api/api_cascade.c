/* api_cascade.c — two stages: one model retrieves candidates from the catalogue, another puts them in
 * order. The files may come from different trainings, so items pass from one to the other by their ids. */
#include <string.h>

#include "api/session.h"
#include "retrieval/best.h"

/* What passes between the stages, in the order of retrieval; memory of the retrieving session's tape. */
typedef struct {
    const pique_recommendation *found; /* [found_count] */
    uint32_t found_count;
    uint32_t known;   /* of them are known to the ranking model */
    uint32_t *places; /* [known] where in `found` */
    uint32_t *items;  /* [known] their numbers in the ranking model */
    float *scores;    /* [known] */
    pq_hit *hits;     /* [known] best first; row is an index of `places` */
} candidates;

static pique_status check(const pique_session *s, const pique_query *q, const pique_ranker *r) {
    if (!r->session || !r->person || r->session == s) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT, "ranker: it needs a session of its own, and a person");
    }
    if (r->session->model->m.def->task != PQ_TASK_RANKING) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED,
                "ranker: %s finds items in a catalogue and does not rank given ones",
                r->session->model->m.def->name);
    }
    return pq_session_check_diversity(s, q);
}

static pique_status retrieve(pique_session *s, const pique_query *q, uint32_t wanted,
                             candidates *c) {
    pique_query wide = *q;
    wide.count = PQ_MAX(wanted, q->count);
    wide.diversity = 0;
    PQ_TRY(pique_session_recommend(s, &wide, &c->found, &c->found_count));
    pq_tape *t = &s->tape;
    c->places = pq_tape_take(t, c->found_count, sizeof(*c->places));
    c->items = pq_tape_take(t, c->found_count, sizeof(*c->items));
    c->scores = pq_tape_take(t, c->found_count, sizeof(*c->scores));
    c->hits = pq_tape_take(t, c->found_count, sizeof(*c->hits));
    return t->status;
}

static pique_status join(const pique_session *s, const pique_model *ranking, candidates *c) {
    for (uint32_t i = 0; i < c->found_count; i++) {
        size_t size;
        const char *id = pique_model_item_id(s->model, c->found[i].item, &size);
        uint32_t item = pique_model_find_item(ranking, id, size);
        if (item) {
            c->places[c->known] = i;
            c->items[c->known++] = item;
        }
    }
    if (c->found_count && !c->known) {
        PQ_FAIL(s->ctx, PIQUE_UNSUPPORTED, "ranker: %s knows none of the %u items retrieved",
                ranking->m.def->name, (unsigned)c->found_count);
    }
    return PIQUE_OK;
}

/* A failure of the ranker's is told where the caller looks: in the context of the session. */
static pique_status score(const pique_session *s, const pique_ranker *r, const candidates *c) {
    pique_status status = pique_session_rank(r->session, r->person, c->items, c->known, c->scores);
    if (status != PIQUE_OK) {
        char reason[sizeof(s->ctx->error)];
        memcpy(reason, r->session->ctx->error, sizeof(reason));
        PQ_FAIL(s->ctx, status, "ranker: %s", reason);
    }
    return PIQUE_OK;
}

/* The best of them, diversified when that is asked for: *wanted of hits. */
static pique_status order(pique_session *s, const pique_query *q, candidates *c, uint32_t *wanted) {
    *wanted = PQ_MIN(q->count, c->known);
    if (*wanted == 0) {
        return PIQUE_OK;
    }
    pq_best best = {.hits = c->hits, .capacity = q->diversity > 0 ? c->known : *wanted};
    for (uint32_t i = 0; i < c->known; i++) {
        pq_best_offer(&best, (pq_hit){.row = i, .score = c->scores[i]});
    }
    pq_best_order(&best);
    if (q->diversity > 0) {
        for (uint32_t i = 0; i < c->known; i++) {
            c->items[i] = c->found[c->places[i]].item;
        }
        return pq_session_diversify(s, q, &best, *wanted, c->items);
    }
    return PIQUE_OK;
}

pique_status pique_session_cascade(pique_session *session, const pique_query *query,
                                   const pique_ranker *ranker, const pique_recommendation **list,
                                   uint32_t *count, uint32_t *unknown) {
    pique_session *s = session;
    candidates c = {.found = NULL};
    uint32_t wanted;
    *list = NULL;
    *count = 0;
    PQ_TRY(check(s, query, ranker));
    PQ_TRY(retrieve(s, query, ranker->retrieve, &c));
    PQ_TRY(join(s, ranker->session->model, &c));
    PQ_TRY(score(s, ranker, &c));
    PQ_TRY(order(s, query, &c, &wanted));
    pique_recommendation *ranked = pq_tape_take(&s->tape, wanted, sizeof(*ranked));
    if (!ranked) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < wanted; i++) {
        ranked[i] = c.found[c.places[c.hits[i].row]];
        ranked[i].score = c.hits[i].score;
    }
    *list = ranked;
    *count = wanted;
    if (unknown) {
        *unknown = c.found_count - c.known;
    }
    return PIQUE_OK;
}
