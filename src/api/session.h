/* session.h — what a session holds; api_session.c serves one model, api_cascade.c a chain of two. */
#ifndef PQ_SESSION_H
#define PQ_SESSION_H

#include "api/opened.h"

struct pique_session {
    pq_ctx *ctx;
    const pique_model *model;
    pq_tape tape;   /* its arena holds all that a call returns */
    float *vectors; /* [K, D] */
    float *shares;  /* [K, history] */
    uint32_t live, first;
};

/* PIQUE_ARGUMENT, PIQUE_UNSUPPORTED: the price is no price, or there is no such column of categories. */
pique_status pq_session_check_diversity(const pique_session *s, const pique_query *q);

#endif
