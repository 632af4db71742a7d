#include "native/pretrain/node_batch.h"

#include <string.h>

#include "base/rng.h"

#define STREAM_HEAD 0x68656164u
#define STREAM_HELD 0x68656c64u
#define MOST_TRIES 100
#define HIDDEN_SHARE 0.8 /* of the rows to be told, whose features become zeros */
#define OTHER_SHARE 0.1  /* and those of another item; the rest stay as they are */

#define AT(member) offsetof(pq_pretrain_settings, member)

const pq_field pq_pretrain_fields[] = {
    PQ_FIELD("dim", AT(net.dim), "int 4 1024", "64", "128", "128", "width of the vectors"),
    PQ_FIELD("layers", AT(net.layers), "int 1 " PQ_DIGITS(PQ_MOST_BLOCKS), "2", NULL, NULL,
             "transformer blocks"),
    PQ_FIELD("heads", AT(net.heads), "int 1 64", "2", NULL, NULL, "heads of the attention"),
    PQ_FIELD("inner", AT(net.inner), "int 1 4096", "64", NULL, NULL,
             "units of the feed-forward network"),
    PQ_FIELD("context", AT(net.context), "int 1 64", "10", NULL, NULL,
             "most neighbours that a node is seen with"),
    PQ_FIELD("hop1", AT(hop1), "int 1 64", "10", NULL, NULL, "draws of a node's neighbours"),
    PQ_FIELD("hop2", AT(hop2), "int 0 64", "5", NULL, NULL, "draws of each of theirs"),
    PQ_FIELD("hop3", AT(hop3), "int 0 64", "2", NULL, NULL, "and of each of those"),
    PQ_FIELD("exclude_self", AT(exclude_self), "bool", "1", "0", NULL,
             "a node is never in its own context"),
    PQ_FIELD("theta", AT(theta), "int 1 1000000", "3", NULL, NULL,
             "users in common that make two items neighbours"),
    PQ_FIELD("feature_dim", AT(feature_dim), "int 4 1024", "64", NULL, NULL,
             "most dimensions of a column; one with more codes is factorised"),
    PQ_FIELD("delta", AT(net.delta), "real 0 1", "0.2", NULL, NULL,
             "share of the attention that goes by how unlike rows are"),
    PQ_FIELD("graph", AT(net.graph), "real 0 1000", "1", NULL, NULL,
             "weight of the loss of the graph's links"),
    PQ_FIELD("beta", AT(net.beta), "real 0 1000", "1", NULL, NULL,
             "weight of the loss of hidden features"),
    PQ_FIELD("logit_scale", AT(net.logit_scale), "real 0.01 1000", "5", "1", "1",
             "what the cosine of two items is multiplied by to be log-odds of a link"),
    PQ_FIELD("mask", AT(mask), "real 0 1", "0.2", NULL, NULL,
             "share of a context whose features are to be told"),
    PQ_FIELD("lonely", AT(lonely), "real 0 1", "0.15", "0", "0",
             "share of nodes that training sees without their context, as new items are"),
    PQ_FIELD("negatives", AT(negatives), "int 1 256", "10", "1", "1",
             "items without a link for each linked pair"),
    PQ_FIELD("out", AT(net.out), "pooler,state", "pooler", NULL, NULL,
             "an item's vector: the state of its row through a linear layer, or as it is"),
    PQ_FIELD("init_scale", AT(net.init_scale), "real 1e-6 1", "0.02", "0.01", "0.01",
             "deviation of new matrices"),
    PQ_FIELD("dropout", AT(net.dropout), "real 0 0.95", "0", NULL, NULL,
             "of what enters the blocks and of what they add"),
    PQ_FIELD("link_hold_out", AT(hold_out), "real 0 0.9", "0.1", NULL, NULL,
             "share of the nodes whose links are not trained: the link AUC is theirs"),
    PQ_FIELD("batch", AT(batch), "int 1 65536", "128", "256", "256", "nodes in a batch"),
    PQ_FIELD("epochs", AT(epochs), "int 1 100000", "15", "7", "7", "passes over the nodes"),
    PQ_FIELD("lr", AT(lr), "real 0 10", "0.001", "0.0001", "0.0001", "learning rate of AdamW"),
    PQ_FIELD("warmup", AT(warmup), "int 0 1073741824", "100", "500", "500",
             "steps over which it rises; then it falls linearly"),
    PQ_FIELD("lr_floor", AT(lr_floor), "real 0 1", "0.01", NULL, NULL, "share that it ends at"),
    PQ_FIELD("weight_decay", AT(weight_decay), "real 0 10", "0.0001", NULL, NULL,
             "decay per unit of learning rate"),
    PQ_FIELD("clip", AT(clip), "real 0 1e9", "1", NULL, NULL,
             "largest norm of the whole gradient; 0: no limit"),
    PQ_FIELD("interests", AT(interests), "int 1 16", "1", NULL, NULL,
             "most interests that the file divides a reader's history into"),
    {.name = NULL},
};

/* ---- which nodes ---- */

static pique_status sort_nodes(pq_nodes *n, const pique_dataset *dataset) {
    const uint32_t rows = n->graph->rows;
    n->held = pq_alloc(n->ctx, rows, sizeof(*n->held));
    n->heads = pq_alloc(n->ctx, rows, sizeof(*n->heads));
    n->judged = pq_alloc(n->ctx, rows, sizeof(*n->judged));
    n->known = pq_alloc(n->ctx, rows, sizeof(*n->known));
    if (!n->held || !n->heads || !n->judged || !n->known) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 1; i + 1 < rows; i++) {
        pq_rng rng = pq_rng_make(n->seed ^ STREAM_HELD, i, 0);
        n->held[i] = pq_rng_uniform(&rng) < n->settings->hold_out;
        if (pq_item_degree(n->graph, i) > 0) {
            if (n->held[i]) {
                n->judged[n->judged_count++] = i;
            } else {
                n->heads[n->head_count++] = i;
            }
        }
        if (dataset->popularity[i] > 0) {
            n->known[n->known_count++] = i;
        }
    }
    if (n->head_count == 0) {
        PQ_FAIL(n->ctx, PIQUE_DATA, "no two items have theta = %d users in common",
                (int)n->settings->theta);
    }
    return PIQUE_OK;
}

pique_status pq_nodes_init(pq_nodes *n, pq_ctx *ctx, const pique_dataset *dataset,
                           const pq_item_graph *graph, const pq_modalities *modalities,
                           const pq_pretrain_settings *s, uint64_t seed) {
    *n = (pq_nodes){.ctx = ctx,
                    .graph = graph,
                    .modalities = modalities,
                    .settings = s,
                    .seed = seed,
                    .context = {.sizes = {(uint32_t)s->hop1, (uint32_t)s->hop2, (uint32_t)s->hop3},
                                .length = (uint32_t)s->net.context,
                                .exclude_self = s->exclude_self}};
    if (pq_context_draws(&n->context) > PQ_CONTEXT_DRAWS) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "hop1 = %d, hop2 = %d, hop3 = %d draw more than %d nodes",
                (int)s->hop1, (int)s->hop2, (int)s->hop3, PQ_CONTEXT_DRAWS);
    }
    return sort_nodes(n, dataset);
}

void pq_nodes_free(pq_nodes *n) {
    if (n->ctx) {
        pq_free(n->ctx, n->held);
        pq_free(n->ctx, n->heads);
        pq_free(n->ctx, n->judged);
        pq_free(n->ctx, n->known);
    }
    *n = (pq_nodes){0};
}

uint32_t pq_nodes_stranger(const pq_nodes *n, uint32_t node, pq_rng *rng) {
    uint32_t other = n->known[pq_rng_below(rng, n->known_count)];
    for (int tries = 0;
         tries < MOST_TRIES && (other == node || pq_item_graph_joins(n->graph, node, other));
         tries++) {
        other = n->known[pq_rng_below(rng, n->known_count)];
    }
    return other;
}

/* A neighbour whose links are trained, unless hardly any is. */
static uint32_t draw_neighbour(const pq_nodes *n, uint32_t node, pq_rng *rng) {
    const uint32_t *all = n->graph->neighbours + n->graph->starts[node];
    uint32_t degree = pq_item_degree(n->graph, node), other = all[pq_rng_below(rng, degree)];
    for (int tries = 0; tries < MOST_TRIES && n->held[other]; tries++) {
        other = all[pq_rng_below(rng, degree)];
    }
    return other;
}

/* ---- sequences ---- */

typedef struct {
    const pq_nodes *n;
    pq_context_draw *scratch;
    uint32_t *starts, *rows; /* of nodes */
    uint32_t count;          /* sequences */
} sequences;

static pique_status open_sequences(sequences *s, const pq_nodes *n, pq_arena *arena,
                                   uint32_t most) {
    *s = (sequences){.n = n};
    s->scratch = pq_arena_take(arena, pq_context_draws(&n->context), sizeof(*s->scratch));
    s->starts = pq_arena_take(arena, (size_t)most + 1, sizeof(*s->starts));
    s->rows = pq_arena_take(arena, (size_t)most * (n->context.length + 1), sizeof(*s->rows));
    if (!s->scratch || !s->starts || !s->rows) {
        return PIQUE_NO_MEMORY;
    }
    s->starts[0] = 0;
    return PIQUE_OK;
}

static void add_sequence(sequences *s, uint32_t node, uint64_t seed, bool alone) {
    uint32_t at = s->starts[s->count];
    s->rows[at++] = node;
    if (!alone) {
        at +=
            pq_context_draw_all(s->n->graph, &s->n->context, seed, node, s->scratch, s->rows + at);
    }
    s->starts[++s->count] = at;
}

/* Features of all rows, as they are. */
static pique_status look_up(const sequences *s, pq_arena *arena, pq_pmgt_batch *out) {
    const pq_modalities *m = s->n->modalities;
    uint32_t rows = s->starts[s->count];
    out->sequences = (pq_segments){s->starts, s->count};
    for (uint32_t f = 0; f < m->count; f++) {
        size_t width = m->list[f].width;
        out->features[f] = pq_arena_take(arena, rows * width, sizeof(pq_real));
        if (!out->features[f]) {
            return PIQUE_NO_MEMORY;
        }
        for (uint32_t i = 0; i < rows; i++) {
            memcpy(out->features[f] + i * width, m->list[f].rows + s->rows[i] * width,
                   width * sizeof(pq_real));
        }
    }
    return PIQUE_OK;
}

/* What row `row` is to tell: all modalities of its node, side by side. */
static void note_target(const sequences *s, uint32_t row, pq_real *target) {
    const pq_modalities *m = s->n->modalities;
    for (uint32_t f = 0; f < m->count; f++) {
        size_t width = m->list[f].width;
        memcpy(target, m->list[f].rows + s->rows[row] * width, width * sizeof(*target));
        target += width;
    }
}

static void replace(const sequences *s, const pq_pmgt_batch *b, uint32_t row, pq_rng *rng) {
    const pq_modalities *m = s->n->modalities;
    double x = pq_rng_uniform(rng);
    uint32_t other = s->n->known[pq_rng_below(rng, s->n->known_count)];
    for (uint32_t f = 0; f < m->count && x < HIDDEN_SHARE + OTHER_SHARE; f++) {
        size_t width = m->list[f].width;
        if (x < HIDDEN_SHARE) {
            memset(b->features[f] + row * width, 0, width * sizeof(pq_real));
        } else {
            memcpy(b->features[f] + row * width, m->list[f].rows + other * width,
                   width * sizeof(pq_real));
        }
    }
}

/* Hides a share of the context of each sequence; never the node itself. */
static pique_status hide(const sequences *s, pq_arena *arena, uint32_t epoch, pq_pmgt_batch *out) {
    const pq_nodes *n = s->n;
    uint32_t count = 0, all = n->modalities->width;
    uint32_t *masked = pq_arena_take(arena, s->starts[s->count], sizeof(*masked));
    if (!masked) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t q = 0; q < s->count; q++) {
        uint32_t first = s->starts[q] + 1, length = s->starts[q + 1] - first;
        pq_rng rng =
            pq_rng_make(n->seed ^ STREAM_HEAD, epoch, ((uint64_t)q << 32) | s->rows[first - 1]);
        uint32_t wanted = (uint32_t)(n->settings->mask * length);
        for (uint32_t i = 0; i < length && wanted > 0; i++) {
            if (pq_rng_below(&rng, length - i) < wanted) { /* each subset is as likely */
                masked[count++] = first + i;
                wanted--;
            }
        }
    }
    pq_real *targets = pq_arena_take(arena, (size_t)count * all, sizeof(*targets));
    if (!targets) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        pq_rng rng = pq_rng_make(n->seed ^ STREAM_HEAD, epoch + 0x10000u,
                                 ((uint64_t)i << 32) | s->rows[masked[i]]);
        note_target(s, masked[i], targets + (size_t)i * all);
        replace(s, out, masked[i], &rng);
    }
    out->masked = masked;
    out->masked_count = out->all_masked = count;
    out->targets = targets;
    return PIQUE_OK;
}

typedef struct {
    uint32_t *left, *right;
    pq_real *labels;
} pairs;

static void add_head(sequences *s, const pairs *p, uint32_t *pair, uint32_t epoch, uint32_t head) {
    const pq_nodes *n = s->n;
    const uint32_t own = s->count, others = 1 + (uint32_t)n->settings->negatives;
    pq_rng rng = pq_rng_make(n->seed ^ STREAM_HEAD, epoch, head);
    uint64_t seed = n->seed ^ pq_mix(epoch);
    add_sequence(s, head, seed, pq_rng_uniform(&rng) < n->settings->lonely);
    for (uint32_t i = 0; i < others; i++, ++*pair) {
        uint32_t other = i ? pq_nodes_stranger(n, head, &rng) : draw_neighbour(n, head, &rng);
        p->left[*pair] = own;
        p->right[*pair] = s->count;
        p->labels[*pair] = i == 0;
        add_sequence(s, other, seed, pq_rng_uniform(&rng) < n->settings->lonely);
    }
}

pique_status pq_nodes_batch(const pq_nodes *n, pq_arena *arena, uint32_t epoch,
                            const uint32_t *heads, uint32_t count, pq_pmgt_batch *out) {
    const uint32_t each = 1 + (uint32_t)n->settings->negatives;
    sequences s;
    pairs p;
    uint32_t pair = 0;
    *out = (pq_pmgt_batch){.pair_count = 0};
    PQ_TRY(open_sequences(&s, n, arena, count * (each + 1)));
    p.left = pq_arena_take(arena, (size_t)count * each, sizeof(*p.left));
    p.right = pq_arena_take(arena, (size_t)count * each, sizeof(*p.right));
    p.labels = pq_arena_take(arena, (size_t)count * each, sizeof(*p.labels));
    if (!p.left || !p.right || !p.labels) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        add_head(&s, &p, &pair, epoch, heads[i]);
    }
    PQ_TRY(look_up(&s, arena, out));
    out->pair_count = out->all_pairs = pair;
    out->left = p.left;
    out->right = p.right;
    out->labels = p.labels;
    return hide(&s, arena, epoch, out);
}

pique_status pq_nodes_plain(const pq_nodes *n, pq_arena *arena, const uint32_t *list,
                            uint32_t count, pq_pmgt_batch *out) {
    sequences s;
    *out = (pq_pmgt_batch){.pair_count = 0};
    PQ_TRY(open_sequences(&s, n, arena, count));
    for (uint32_t i = 0; i < count; i++) {
        add_sequence(&s, list[i], n->seed, false);
    }
    return look_up(&s, arena, out);
}
