/* simulate.h — viewers who never were, with interests that are known: data for demos, and for tests
 * that ask whether a model finds what was planted.
 *
 * A viewer has 1..most interests, uniformly many. An interest is one value of one category column
 * (director = X): the column uniformly, the value with probability proportional to the square root of
 * its number of items, among values of at least PQ_SIMULATE_LEAST items, each at most once a viewer.
 * Interests weigh exp(PQ_SIMULATE_UNEVEN * normal), normalised.
 *
 * A history has exp(log PQ_SIMULATE_LENGTH + PQ_SIMULATE_SPREAD * normal) events, within
 * SHORTEST..LONGEST. The active interest persists from event to event but for the probability
 * PQ_SIMULATE_SWITCH, with which it is drawn anew by weights that drift: at the share s of the history
 * interest k weighs w_k exp(drift_k (2s - 1)), drift_k = PQ_SIMULATE_DRIFT * normal. The event is an item
 * of the active interest with probability proportional to (1 + popularity)^PQ_SIMULATE_ALPHA, or, with
 * probability PQ_SIMULATE_NOISE, of the whole catalogue; never one that was picked before. When all
 * interests are used up the history ends, once it has SHORTEST events. Times rise by 1 second and an
 * exponential time of mean PQ_SIMULATE_GAP.
 *
 * Each viewer has a random stream of its own and only exact or pinned functions are used, so the bytes
 * depend on the catalogue, the options and the seed, and on nothing else. */
#ifndef PQ_SIMULATE_H
#define PQ_SIMULATE_H

#include "native/data/catalog.h"
#include "pique_train.h"

#define PQ_SIMULATE_LEAST 8
#define PQ_SIMULATE_UNEVEN 0.5
#define PQ_SIMULATE_LENGTH 28.0
#define PQ_SIMULATE_SPREAD 0.6
#define PQ_SIMULATE_SHORTEST 8
#define PQ_SIMULATE_LONGEST 120
#define PQ_SIMULATE_SWITCH 0.25
#define PQ_SIMULATE_DRIFT 0.7
#define PQ_SIMULATE_ALPHA 0.6
#define PQ_SIMULATE_NOISE 0.1
#define PQ_SIMULATE_START 1500000000.0 /* the first events, spread over PQ_SIMULATE_SPAN seconds */
#define PQ_SIMULATE_SPAN 31536000.0
#define PQ_SIMULATE_GAP 86400.0

#define PQ_SIMULATE_MOST_INTERESTS 16
#define PQ_SIMULATE_MOST_USERS 10000000

/* The texts of interactions.csv (user,item,timestamp) and truth.csv (user,interest,column,value,weight);
 * both were initialised. The listener may be NULL. */
pique_status pq_simulate(const pq_catalog *catalog, const pique_simulate_options *options,
                         const pique_listener *listener, pq_text *interactions, pq_text *truth);

#endif
