#include "layers/sessions.h"

/* Whether the user paused between two behaviours. Times may be any numbers, in any order. */
static bool paused(const int64_t *times, uint32_t before, uint32_t after, int32_t gap) {
    return times && times[after] > times[before] &&
           (uint64_t)times[after] - (uint64_t)times[before] > (uint64_t)gap;
}

static void append(pq_sessions *s, uint32_t number, uint32_t first, uint32_t end) {
    uint32_t *starts = (uint32_t *)s->sessions.starts, at = starts[s->sessions.count];
    for (uint32_t row = first; row < end; row++, at++) {
        s->rows[at] = row;
        s->session[at] = number;
        s->place[at] = row - first;
    }
    starts[++s->sessions.count] = at;
}

/* The newest sessions of one user; first, end [rule->sessions] receive their rows, the newest first. */
static uint32_t find(const int64_t *times, const pq_session_rule *rule, uint32_t oldest,
                     uint32_t newest_end, uint32_t *first, uint32_t *end) {
    uint32_t count = 0;
    for (uint32_t at = newest_end; at > oldest && count < (uint32_t)rule->sessions;) {
        uint32_t start = at - 1;
        while (start > oldest && !paused(times, start - 1, start, rule->gap)) {
            start--;
        }
        if (at - start >= (uint32_t)rule->shortest) {
            first[count] = at - PQ_MIN(at - start, (uint32_t)rule->events);
            end[count++] = at;
        }
        at = start;
    }
    return count;
}

pq_sessions *pq_sessions_cut(pq_tape *t, const pq_segments *history, const int64_t *times,
                             const pq_session_rule *rule) {
    uint32_t rows = history->starts[history->count];
    pq_sessions *s = pq_tape_take(t, 1, sizeof(*s));
    uint32_t *users = pq_tape_take(t, (size_t)history->count + 1, sizeof(*users));
    uint32_t *starts = pq_tape_take(t, (size_t)rows + 1, sizeof(*starts));
    uint32_t *first = pq_tape_take(t, (size_t)rule->sessions, sizeof(*first));
    uint32_t *end = pq_tape_take(t, (size_t)rule->sessions, sizeof(*end));
    uint32_t *row = pq_tape_take(t, rows, sizeof(*row));
    uint32_t *session = pq_tape_take(t, rows, sizeof(*session));
    uint32_t *place = pq_tape_take(t, rows, sizeof(*place));
    if (!s || !users || !starts || !first || !end || !row || !session || !place) {
        return NULL;
    }
    users[0] = starts[0] = 0;
    *s = (pq_sessions){{users, history->count}, {starts, 0}, row, session, place};
    for (uint32_t u = 0; u < history->count; u++) {
        uint32_t count = find(times, rule, history->starts[u], history->starts[u + 1], first, end);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t found = rule->order == PQ_SESSIONS_CHRONO ? count - 1 - i : i;
            append(s, i, first[found], end[found]);
        }
        users[u + 1] = s->sessions.count;
    }
    return s;
}
