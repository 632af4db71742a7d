/* row_history.c — rows that bring a history of their own: the cells of a labelled table, into a builder. */
#include "native/data/dataset_builder.h"

#include "base/decimal.h"

#include <stdio.h>
#include <string.h>

#define SEPARATOR '|'
#define MOST_TIME 9e15 /* whole seconds stay whole in a double */

size_t pq_history_length(pq_span cell) {
    size_t count = cell.size > 0;
    for (size_t i = 0; i < cell.size; i++) {
        count += cell.bytes[i] == SEPARATOR;
    }
    return count;
}

pq_span pq_history_next(pq_span *rest) {
    const char *stop = rest->size ? memchr(rest->bytes, SEPARATOR, rest->size) : NULL;
    pq_span part = {.bytes = rest->bytes, .size = stop ? (size_t)(stop - rest->bytes) : rest->size};
    size_t step = part.size + (stop != NULL);
    rest->bytes += step;
    rest->size -= step;
    return part;
}

static const char *ids_problem(const char *what, pq_span cell, char *reason, size_t room) {
    for (size_t left = pq_history_length(cell); left > 0; left--) {
        const char *problem = pq_builder_id_problem(pq_history_next(&cell));
        if (problem) {
            snprintf(reason, room, "an item of the %s %s", what, problem);
            return reason;
        }
    }
    return NULL;
}

static const char *times_problem(pq_span cell, char *reason, size_t room) {
    for (size_t left = pq_history_length(cell); left > 0; left--) {
        double time;
        pq_span part = pq_history_next(&cell);
        if (!pq_decimal_parse(part.bytes, part.size, &time) || time < 0 || time > MOST_TIME) {
            char quote[PQ_QUOTE_SIZE];
            snprintf(reason, room, "time \"%s\" of the history is not a number from 0 to 9e15",
                     pq_source_quote(quote, part.bytes, part.size));
            return reason;
        }
    }
    return NULL;
}

static const char *count_problem(const char *what, pq_span cell, size_t wanted, char *reason,
                                 size_t room) {
    size_t count = pq_history_length(cell);
    if (!cell.bytes || count == wanted) {
        return NULL;
    }
    snprintf(reason, room, "%lu %s for the %lu items of the history", (unsigned long)count, what,
             (unsigned long)wanted);
    return reason;
}

static const char *history_problem(const pq_raw_history *h, char *reason, size_t room) {
    size_t count = pq_history_length(h->items);
    const char *problem = ids_problem("history", h->items, reason, room);
    if (!problem) {
        problem = count_problem("negatives", h->negatives, count, reason, room);
    }
    if (!problem) {
        problem = count_problem("times", h->times, count, reason, room);
    }
    if (!problem) {
        problem = ids_problem("negatives", h->negatives, reason, room);
    }
    return problem ? problem : times_problem(h->times, reason, room);
}

static pique_status reserve(pq_ctx *ctx, const pq_raw_history *row, pq_raw_histories *h,
                            size_t events, size_t items) {
    PQ_TRY(
        pq_reserve(ctx, (void **)&h->starts, &h->starts_capacity, events + 1, sizeof(*h->starts)));
    PQ_TRY(pq_reserve(ctx, (void **)&h->items, &h->items_capacity, PQ_MAX(items, 1),
                      sizeof(*h->items)));
    if (row->negatives.bytes || h->negatives) {
        PQ_TRY(pq_reserve(ctx, (void **)&h->negatives, &h->negatives_capacity, PQ_MAX(items, 1),
                          sizeof(*h->negatives)));
    }
    if (row->times.bytes) {
        PQ_TRY(pq_reserve(ctx, (void **)&h->times, &h->times_capacity, PQ_MAX(items, 1),
                          sizeof(*h->times)));
    }
    return PIQUE_OK;
}

/* Of the event that was added last. */
static pique_status add_history(pq_builder *b, const pq_raw_history *row) {
    pq_raw_histories *h = &b->histories;
    size_t events = b->event_count, count = pq_history_length(row->items);
    size_t first = events > 1 ? h->starts[events - 1] : 0;
    pq_raw_history rest = *row;
    if (count >= UINT32_MAX - first) {
        PQ_FAIL(b->ctx, PIQUE_UNSUPPORTED, "more than %lu items in all histories",
                (unsigned long)UINT32_MAX);
    }
    PQ_TRY(reserve(b->ctx, row, h, events, first + count));
    h->starts[0] = 0;
    h->starts[events] = (uint32_t)(first + count);
    for (size_t i = first; i < first + count; i++) {
        pq_span id = pq_history_next(&rest.items);
        PQ_TRY(pq_strings_add(&b->items, id.bytes, id.size, &h->items[i]));
        if (row->negatives.bytes) {
            id = pq_history_next(&rest.negatives);
            PQ_TRY(pq_strings_add(&b->items, id.bytes, id.size, &h->negatives[i]));
        } else if (h->negatives) {
            h->negatives[i] = PQ_NOT_FOUND;
        }
        if (row->times.bytes) {
            pq_span time = pq_history_next(&rest.times);
            (void)pq_decimal_parse(time.bytes, time.size, &h->times[i]);
        }
    }
    return PIQUE_OK;
}

pique_status pq_builder_row_with_history(pq_builder *builder, const pq_raw_row *row,
                                         const pq_raw_history *history, bool *added) {
    char reason[128];
    const char *problem = history_problem(history, reason, sizeof(reason));
    *added = false;
    if (problem) {
        return pq_builder_bad(builder, problem);
    }
    size_t before = builder->event_count;
    PQ_TRY(pq_builder_row(builder, row));
    *added = builder->event_count > before;
    return *added ? add_history(builder, history) : PIQUE_OK;
}
