/* sessions.h — a history cut where its user paused (Feng et al., IJCAI 2019): a session ends where the next
 * behaviour comes more than `gap` seconds later. */
#ifndef PQ_SESSIONS_H
#define PQ_SESSIONS_H

#include "graph/graph.h"

typedef enum { PQ_SESSIONS_CHRONO, PQ_SESSIONS_NEWEST_FIRST } pq_session_order;
#define PQ_SESSION_ORDERS "chrono,newest_first" /* for a field of options */

typedef struct {
    int32_t gap;      /* seconds */
    int32_t sessions; /* newest ones that are looked at, of each user */
    int32_t events;   /* newest behaviours of each */
    int32_t shortest; /* sessions of fewer behaviours are left out */
    int32_t order;    /* pq_session_order */
} pq_session_rule;

typedef struct {
    pq_segments
        users; /* B segments over the sessions, in the rule's order; those of a user may be none */
    pq_segments sessions; /* S segments over the behaviours that are left */
    uint32_t *rows;       /* [R] the row of the history that each is */
    uint32_t *session;    /* [R] the number of its session among its user's in that order, from 0 */
    uint32_t *place;      /* [R] its number in the session, from 0 */
} pq_sessions;

/* times [T] of the rows of the history, NULL when unknown: then a history is one session. In the memory of the
 * step; NULL when it is short. */
pq_sessions *pq_sessions_cut(pq_tape *t, const pq_segments *history, const int64_t *times,
                             const pq_session_rule *rule);

#endif
