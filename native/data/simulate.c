/* simulate.c — the model that simulate.h describes. */
#include "native/data/simulate.h"

#include "base/number.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

#define STREAM 0x73696d75u /* sets these draws apart from others of the same seed */
#define TRIES 32
#define NOTHING UINT32_MAX

/* Items to pick from, with the running sums of their weights. */
typedef struct {
    const pq_catalog_column *column; /* NULL: the whole catalogue */
    uint32_t term;
    uint32_t *items;
    double *sums;
    uint32_t count;
} pool;

typedef struct {
    const pq_catalog *catalog;
    double *weights; /* [items] */
    pool whole;
    pool *pools;       /* of all values that can be interests, those of a column side by side */
    double *pool_sums; /* running sums, within the column, of the chance of each pool */
    uint32_t pool_count;
    uint32_t *ends; /* [used columns] where the pools of a column end */
    uint32_t used;  /* columns that have pools */
    uint32_t *seen; /* [items] the last viewer, from 1, who picked it */
} simulation;

typedef struct {
    pq_rng rng;
    uint32_t number; /* from 1 */
    uint32_t count;  /* interests */
    uint32_t pools[PQ_SIMULATE_MOST_INTERESTS];
    double weights[PQ_SIMULATE_MOST_INTERESTS];
    double drifts[PQ_SIMULATE_MOST_INTERESTS];
    bool empty[PQ_SIMULATE_MOST_INTERESTS]; /* all items were picked */
    uint32_t active;
    double time;
} viewer;

/* ---- pools ---- */

static pique_status make_pool(const simulation *s, pool *out, uint32_t count) {
    pq_ctx *ctx = s->catalog->ctx;
    out->items = pq_alloc(ctx, count, sizeof(*out->items));
    out->sums = pq_alloc(ctx, count, sizeof(*out->sums));
    return out->items && out->sums ? PIQUE_OK : PIQUE_NO_MEMORY;
}

static void pool_add(const simulation *s, pool *out, uint32_t item) {
    double before = out->count ? out->sums[out->count - 1] : 0;
    out->items[out->count] = item;
    out->sums[out->count] = before + s->weights[item];
    out->count++;
}

static void free_pool(pq_ctx *ctx, pool *p) {
    pq_free(ctx, p->items);
    pq_free(ctx, p->sums);
}

static pique_status make_whole(simulation *s) {
    const pq_catalog *c = s->catalog;
    s->weights = pq_alloc(c->ctx, c->items.count, sizeof(*s->weights));
    s->seen = pq_alloc(c->ctx, c->items.count, sizeof(*s->seen));
    if (!s->weights || !s->seen) {
        return PIQUE_NO_MEMORY;
    }
    PQ_TRY(make_pool(s, &s->whole, c->items.count));
    for (uint32_t i = 0; i < c->items.count; i++) {
        s->weights[i] = pq_pow(1 + c->popularity[i], PQ_SIMULATE_ALPHA);
        pool_add(s, &s->whole, i);
    }
    return PIQUE_OK;
}

/* The pools of one column; `at` maps its terms to pools while they are filled. */
static pique_status fill_column(simulation *s, const pq_catalog_column *column, uint32_t *counts,
                                uint32_t *at) {
    uint32_t items = s->catalog->items.count;
    uint32_t first = s->pool_count;
    for (uint32_t i = 0; i < column->offsets[items]; i++) {
        counts[column->values[i]]++;
    }
    for (uint32_t term = 0; term < column->terms.count; term++) {
        at[term] = NOTHING;
        if (counts[term] >= PQ_SIMULATE_LEAST) {
            double before = s->pool_count > first ? s->pool_sums[s->pool_count - 1] : 0;
            s->pools[s->pool_count] = (pool){.column = column, .term = term};
            s->pool_sums[s->pool_count] = before + pq_sqrt(counts[term]);
            at[term] = s->pool_count++;
            PQ_TRY(make_pool(s, &s->pools[at[term]], counts[term]));
        }
    }
    for (uint32_t item = 0; item < items; item++) {
        for (uint32_t i = column->offsets[item]; i < column->offsets[item + 1]; i++) {
            uint32_t to = at[column->values[i]];
            if (to != NOTHING) {
                pool_add(s, &s->pools[to], item);
            }
        }
    }
    if (s->pool_count > first) {
        s->ends[s->used++] = s->pool_count;
    }
    return PIQUE_OK;
}

static pique_status make_column(simulation *s, const pq_catalog_column *column) {
    pq_ctx *ctx = s->catalog->ctx;
    uint32_t *counts = pq_alloc(ctx, column->terms.count, sizeof(*counts));
    uint32_t *at = pq_alloc(ctx, column->terms.count, sizeof(*at));
    pique_status status = PIQUE_NO_MEMORY;
    if (counts && at) {
        status = fill_column(s, column, counts, at);
    }
    pq_free(ctx, counts);
    pq_free(ctx, at);
    return status;
}

static pique_status make_pools(simulation *s) {
    const pq_catalog *c = s->catalog;
    size_t terms = 0;
    for (uint32_t i = 0; i < c->column_count; i++) {
        terms += c->columns[i].terms.count;
    }
    s->pools = pq_alloc(c->ctx, terms, sizeof(*s->pools));
    s->pool_sums = pq_alloc(c->ctx, terms, sizeof(*s->pool_sums));
    s->ends = pq_alloc(c->ctx, c->column_count, sizeof(*s->ends));
    if (!s->pools || !s->pool_sums || !s->ends) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < c->column_count; i++) {
        PQ_TRY(make_column(s, &c->columns[i]));
    }
    return PIQUE_OK;
}

static void free_simulation(simulation *s) {
    pq_ctx *ctx = s->catalog->ctx;
    for (uint32_t i = 0; i < s->pool_count; i++) {
        free_pool(ctx, &s->pools[i]);
    }
    free_pool(ctx, &s->whole);
    pq_free(ctx, s->pools);
    pq_free(ctx, s->pool_sums);
    pq_free(ctx, s->ends);
    pq_free(ctx, s->weights);
    pq_free(ctx, s->seen);
}

/* ---- draws ---- */

/* An index below `count` with the chance of its step in the running sums. */
static uint32_t draw_from(pq_rng *rng, const double *sums, uint32_t count) {
    double x = pq_rng_uniform(rng) * sums[count - 1];
    uint32_t low = 0;
    uint32_t high = count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sums[middle] > x) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* An item of the pool that the viewer has not picked, by weight; NOTHING when there is none. Redrawing
 * and the scan that follows many misses give the same distribution. */
static uint32_t pick(simulation *s, viewer *v, const pool *p) {
    for (int i = 0; i < TRIES; i++) {
        uint32_t item = p->items[draw_from(&v->rng, p->sums, p->count)];
        if (s->seen[item] != v->number) {
            return item;
        }
    }
    double total = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        total += s->seen[p->items[i]] == v->number ? 0 : s->weights[p->items[i]];
    }
    double x = pq_rng_uniform(&v->rng) * total;
    uint32_t last = NOTHING;
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t item = p->items[i];
        if (s->seen[item] != v->number) {
            last = item;
            x -= s->weights[item];
            if (x < 0) {
                break;
            }
        }
    }
    return last;
}

static bool has_interest(const viewer *v, uint32_t chosen) {
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->pools[i] == chosen) {
            return true;
        }
    }
    return false;
}

/* There are more pools than the viewer has interests. */
static uint32_t draw_interest(const simulation *s, viewer *v) {
    for (int i = 0; i < TRIES; i++) {
        uint32_t column = pq_rng_below(&v->rng, s->used);
        uint32_t first = column ? s->ends[column - 1] : 0;
        uint32_t count = s->ends[column] - first;
        uint32_t chosen = first + draw_from(&v->rng, s->pool_sums + first, count);
        if (!has_interest(v, chosen)) {
            return chosen;
        }
    }
    uint32_t chosen = 0;
    while (has_interest(v, chosen)) {
        chosen++;
    }
    return chosen;
}

/* ---- viewers ---- */

static void make_viewer(const simulation *s, const pique_simulate_options *options, uint32_t number,
                        viewer *v) {
    *v = (viewer){.rng = pq_rng_make(options->seed, STREAM, number), .number = number};
    uint32_t count = 1 + pq_rng_below(&v->rng, options->interests);
    double sum = 0;
    while (v->count < count) {
        uint32_t chosen = draw_interest(s, v);
        v->pools[v->count] = chosen;
        v->weights[v->count] = pq_exp(PQ_SIMULATE_UNEVEN * pq_rng_normal(&v->rng));
        v->drifts[v->count] = PQ_SIMULATE_DRIFT * pq_rng_normal(&v->rng);
        sum += v->weights[v->count];
        v->count++;
    }
    for (uint32_t k = 0; k < count; k++) {
        v->weights[k] /= sum;
    }
    v->active = NOTHING;
    v->time = PQ_SIMULATE_START + floor(PQ_SIMULATE_SPAN * pq_rng_uniform(&v->rng));
}

static uint32_t draw_length(pq_rng *rng) {
    double length =
        floor(PQ_SIMULATE_LENGTH * pq_exp(PQ_SIMULATE_SPREAD * pq_rng_normal(rng)) + 0.5);
    length = PQ_MAX(length, PQ_SIMULATE_SHORTEST);
    return (uint32_t)PQ_MIN(length, PQ_SIMULATE_LONGEST);
}

/* The interest that leads the next event, at the share `at` of the history; NOTHING when all are used
 * up. */
static uint32_t lead(viewer *v, double at) {
    bool stays = v->active != NOTHING && !v->empty[v->active];
    if (stays && pq_rng_uniform(&v->rng) >= PQ_SIMULATE_SWITCH) {
        return v->active;
    }
    double sums[PQ_SIMULATE_MOST_INTERESTS];
    double sum = 0;
    for (uint32_t k = 0; k < v->count; k++) {
        sum += v->empty[k] ? 0 : v->weights[k] * pq_exp(v->drifts[k] * (2 * at - 1));
        sums[k] = sum;
    }
    v->active = sum > 0 ? draw_from(&v->rng, sums, v->count) : NOTHING;
    return v->active;
}

static uint32_t next_item(simulation *s, viewer *v, double at, uint32_t event) {
    bool noise = pq_rng_uniform(&v->rng) < PQ_SIMULATE_NOISE;
    while (!noise) {
        uint32_t k = lead(v, at);
        if (k == NOTHING) {
            if (event >= PQ_SIMULATE_SHORTEST) {
                return NOTHING;
            }
            break;
        }
        uint32_t item = pick(s, v, &s->pools[v->pools[k]]);
        if (item != NOTHING) {
            return item;
        }
        v->empty[k] = true;
    }
    return pick(s, v, &s->whole);
}

static void write_user(pq_text *out, uint32_t number) {
    pq_text_add(out, "viewer-%lu,", (unsigned long)number);
}

static void simulate_history(simulation *s, viewer *v, pq_text *out) {
    uint32_t length = draw_length(&v->rng);
    for (uint32_t i = 0; i < length; i++) {
        uint32_t item = next_item(s, v, (double)i / length, i);
        if (item == NOTHING) {
            return;
        }
        s->seen[item] = v->number;
        v->time += 1 + floor(-PQ_SIMULATE_GAP * pq_log(1 - pq_rng_uniform(&v->rng)));
        size_t size;
        const char *id = pq_strings_get(&s->catalog->items, item, &size);
        write_user(out, v->number);
        pq_csv_write(out, id, size);
        pq_text_add(out, ",%lu\n", (unsigned long)v->time);
    }
}

static void write_truth(const simulation *s, const viewer *v, pq_text *out) {
    for (uint32_t k = 0; k < v->count; k++) {
        const pool *p = &s->pools[v->pools[k]];
        size_t size;
        const char *value = pq_strings_get(&p->column->terms, p->term, &size);
        write_user(out, v->number);
        pq_text_add(out, "%lu,", (unsigned long)k + 1);
        pq_csv_write(out, p->column->name, strlen(p->column->name));
        pq_text_bytes(out, ",", 1);
        pq_csv_write(out, value, size);
        pq_text_bytes(out, ",", 1);
        pq_text_number(out, floor(v->weights[k] * 1e4 + 0.5) / 1e4);
        pq_text_bytes(out, "\n", 1);
    }
}

static pique_status check_options(const pq_catalog *c, const pique_simulate_options *options) {
    if (options->users == 0 || options->users > PQ_SIMULATE_MOST_USERS) {
        PQ_FAIL(c->ctx, PIQUE_ARGUMENT, "users is %lu, not 1 to %lu", (unsigned long)options->users,
                (unsigned long)PQ_SIMULATE_MOST_USERS);
    }
    if (options->interests == 0 || options->interests > PQ_SIMULATE_MOST_INTERESTS) {
        PQ_FAIL(c->ctx, PIQUE_ARGUMENT, "interests is %lu, not 1 to %d",
                (unsigned long)options->interests, PQ_SIMULATE_MOST_INTERESTS);
    }
    return PIQUE_OK;
}

static pique_status run(simulation *s, const pique_simulate_options *options,
                        const pique_listener *listener, pq_text *interactions, pq_text *truth) {
    pq_ctx *ctx = s->catalog->ctx;
    PQ_TRY(make_whole(s));
    PQ_TRY(make_pools(s));
    if (s->pool_count < options->interests) {
        PQ_FAIL(ctx, PIQUE_DATA,
                "%s: %lu category values have %d items or more; %lu interests need as many",
                options->catalog, (unsigned long)s->pool_count, PQ_SIMULATE_LEAST,
                (unsigned long)options->interests);
    }
    pq_text_add(interactions, "user,item,timestamp\n");
    pq_text_add(truth, "user,interest,column,value,weight\n");
    for (uint32_t number = 1; number <= options->users; number++) {
        viewer v;
        make_viewer(s, options, number, &v);
        write_truth(s, &v, truth);
        simulate_history(s, &v, interactions);
        PQ_TRY(pq_text_status(interactions));
        PQ_TRY(pq_text_status(truth));
        if (number % 1024 == 0 && listener && listener->cancelled &&
            listener->cancelled(listener->user)) {
            PQ_FAIL(ctx, PIQUE_CANCELLED, "cancelled");
        }
    }
    return PIQUE_OK;
}

pique_status pq_simulate(const pq_catalog *catalog, const pique_simulate_options *options,
                         const pique_listener *listener, pq_text *interactions, pq_text *truth) {
    PQ_TRY(check_options(catalog, options));
    simulation s = {.catalog = catalog};
    pique_status status = run(&s, options, listener, interactions, truth);
    free_simulation(&s);
    return status;
}
