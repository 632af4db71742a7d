/* session.h — what a session holds; api_session.c serves one model, api_cascade.c a chain of two. */
#ifndef PQ_SESSION_H
#define PQ_SESSION_H

#include "api/opened.h"
#include "retrieval/best.h"

struct pique_session {
    pq_ctx *ctx;
    const pique_model *model;
    pq_tape tape;   /* its arena holds all that a call returns */
    float *vectors; /* [K, D] */
    float *shares;  /* [K, history] */
    uint32_t live, first;
    pq_codes profile;        /* of pique_session_profile */
    uint32_t *profile_block; /* its memory */
    uint32_t known;          /* fields that something is known of */
};

/* The codes given, one a field, or NULL: the session's profile; with what training put in the place of numbers that are
 * not known. NULL, and the tape's status, when memory is short. */
const pq_codes *pq_session_codes(pique_session *s, const uint32_t *given);

/* PIQUE_ARGUMENT, PIQUE_UNSUPPORTED: the price is no price, or there is no such column of categories. */
pique_status pq_session_check_diversity(const pique_session *s, const pique_query *q);

/* The first `wanted` of the hits [count] become a diverse list as the query says. items: those of the hits by
 * their rows, 0..count - 1; NULL: the rows are the items. */
pique_status pq_session_diversify(pique_session *s, const pique_query *q, pq_best *hits,
                                  uint32_t wanted, const uint32_t *items);
/* A bit for every row that the query leaves out. */
pique_status pq_session_exclude(pique_session *s, const pique_query *q, uint8_t **out);

#endif
