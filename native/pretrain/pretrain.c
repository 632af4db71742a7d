#include "native/pretrain/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "native/content/reader.h"
#include "native/data/fileio.h"
#include "native/eval/label_metrics.h"
#include "native/eval/team.h"
#include "native/train/options.h"
#include "native/train/shards.h"

#define STREAM_ORDER 0x6f72646572u
#define STREAM_TAPE 0x74617065u
#define STREAM_LINKS 0x6c696e6b73u
#define PARTS 4 /* of a batch, whatever the number of threads */
#define CHUNK 256

/* ---- settings ---- */

static pique_status set_text(pq_ctx *ctx, pq_pretrain_settings *s, const char *text) {
    const char *sign = strchr(text, '=');
    if (!sign) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "setting \"%.80s\" is not of the form key=value", text);
    }
    size_t size = (size_t)(sign - text);
    if (!pq_fields_has(pq_pretrain_fields, text, size)) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT,
                "pretraining has no option \"%.*s\"; `pique models` lists them",
                (int)PQ_MIN(size, 80), text);
    }
    return pq_fields_set(ctx, pq_pretrain_fields, s, (pq_span){text, size},
                         (pq_span){sign + 1, strlen(sign + 1)});
}

pique_status pq_pretrain_read(pq_ctx *ctx, const pique_pretrain_options *options,
                              pq_pretrain_settings *s) {
    PQ_TRY(pq_fields_preset(ctx, pq_pretrain_fields, s, options->preset));
    for (uint32_t i = 0; i < options->set_count; i++) {
        PQ_TRY(set_text(ctx, s, options->set[i]));
    }
    if (s->net.dim % s->net.heads) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "heads = %d does not divide dim = %d", (int)s->net.heads,
                (int)s->net.dim);
    }
    if (s->net.graph == 0 && s->net.beta == 0) {
        PQ_FAIL(ctx, PIQUE_ARGUMENT, "graph = 0 and beta = 0 leave nothing to learn");
    }
    return PIQUE_OK;
}

/* ---- the network as it stands ---- */

pique_status pq_pretrain_vectors(const pq_nodes *nodes, const pq_pmgt *net, float *vectors) {
    const uint32_t items = nodes->graph->rows - 2, d = (uint32_t)net->options.dim;
    uint32_t list[CHUNK];
    pq_tape tape;
    pq_arena arena;
    pq_pmgt_batch batch;
    pq_tape_init(&tape, nodes->ctx);
    pq_arena_init(&arena, nodes->ctx);
    memset(vectors, 0, (size_t)nodes->graph->rows * d * sizeof(*vectors));
    pique_status status = PIQUE_OK;
    for (uint32_t first = 1; status == PIQUE_OK && first <= items; first += CHUNK) {
        uint32_t count = PQ_MIN(CHUNK, items + 1 - first);
        for (uint32_t i = 0; i < count; i++) {
            list[i] = first + i;
        }
        pq_arena_reset(&arena);
        pq_tape_begin(&tape, NULL, false, (pq_rng){0});
        status = pq_nodes_plain(nodes, &arena, list, count, &batch);
        if (status == PIQUE_OK) {
            const pq_var *z =
                pq_pmgt_vectors(&tape, net, &batch, pq_pmgt_states(&tape, net, &batch));
            status = tape.status;
            if (z) {
                memcpy(vectors + (size_t)first * d, z->value, (size_t)count * d * sizeof(*vectors));
            }
        }
    }
    pq_arena_free(&arena);
    pq_tape_free(&tape);
    return status;
}

pique_status pq_pretrain_link_auc(const pq_nodes *n, const float *vectors, double *auc) {
    const size_t d = (size_t)n->settings->net.dim;
    size_t count = 0;
    pique_label_metrics metrics = {.auc = NAN};
    pq_judged *pairs = pq_alloc(n->ctx, (size_t)n->judged_count * 2 + 1, sizeof(*pairs));
    if (!pairs) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n->judged_count; i++) {
        uint32_t node = n->judged[i];
        pq_rng rng = pq_rng_make(n->seed ^ STREAM_LINKS, node, 0);
        uint64_t at = n->graph->starts[node] + pq_rng_below(&rng, pq_item_degree(n->graph, node));
        const uint32_t others[2] = {n->graph->neighbours[at], pq_nodes_stranger(n, node, &rng)};
        for (uint32_t k = 0; k < 2; k++) {
            float cosine = n->ctx->kernels->dot(vectors + node * d, vectors + others[k] * d, d);
            pairs[count++] = (pq_judged){.score = cosine, .label = k == 0};
        }
    }
    if (count > 0) {
        pq_label_metrics(pairs, count, &metrics);
    }
    *auc = metrics.auc;
    pq_free(n->ctx, pairs);
    return PIQUE_OK;
}

/* ---- training ---- */

typedef struct {
    pq_ctx ctx; /* one for each part, as they may run at once */
    pq_tape tape;
    pq_arena arena;
    pq_grads grads;
    pq_pmgt_batch batch;
    double graph, features;
    pique_status status;
} part;

typedef struct {
    pq_ctx *ctx;
    const pique_dataset *dataset;
    const pique_pretrain_options *asked;
    const pique_listener *listener;
    pq_pretrain_settings settings;
    pq_item_graph graph;
    pq_modalities modalities;
    pq_nodes nodes;
    pq_pmgt net;
    pq_optimiser optimiser;
    part parts[PARTS];
    uint32_t *order; /* [head_count] */
    float *vectors;  /* [rows, dim] */
    uint32_t threads;
    double began;
} pretraining;

static void say(const pretraining *p, const char *line) {
    if (p->listener && p->listener->log) {
        p->listener->log(p->listener->user, line);
    }
}

static void tell_data(const pretraining *p, pique_pretrain_result *r) {
    char line[200];
    r->items = p->dataset->items.count;
    r->links = p->graph.starts[p->graph.rows] / 2;
    r->isolated = p->graph.isolated;
    r->bare = pq_modalities_bare(&p->modalities);
    snprintf(line, sizeof(line),
             "%lu items, %lu links; %lu items without a link, %lu without a feature",
             (unsigned long)r->items, (unsigned long)r->links, (unsigned long)r->isolated,
             (unsigned long)r->bare);
    say(p, line);
    for (uint32_t m = 0; m < p->modalities.count; m++) {
        snprintf(line, sizeof(line), "modality %s: %lu dimensions", p->modalities.list[m].name,
                 (unsigned long)p->modalities.list[m].width);
        say(p, line);
    }
}

static pique_status open_features(pretraining *p) {
    const pique_pretrain_options *o = p->asked;
    pq_modalities_init(&p->modalities, p->ctx, p->dataset);
    if (!o->columns || o->columns[0]) {
        PQ_TRY(pq_modalities_of_columns(&p->modalities, p->dataset, o->columns,
                                        (uint32_t)p->settings.feature_dim, o->seed));
    }
    return o->features ? pq_modalities_of_file(&p->modalities, p->dataset, o->features) : PIQUE_OK;
}

static pique_status open_parts(pretraining *p) {
    for (uint32_t i = 0; i < PARTS; i++) {
        part *own = &p->parts[i];
        own->ctx = (pq_ctx){.allocator = p->ctx->allocator, .kernels = p->ctx->kernels};
        pq_tape_init(&own->tape, &own->ctx);
        pq_arena_init(&own->arena, &own->ctx);
        if (pq_grads_init(&own->grads, &own->ctx, &p->net.params) != PIQUE_OK) {
            return pq_fail(p->ctx, PIQUE_NO_MEMORY, "%s", own->ctx.error);
        }
    }
    return PIQUE_OK;
}

static pique_status open_all(pretraining *p, pique_pretrain_result *r) {
    uint32_t widths[PQ_MODALITIES];
    PQ_TRY(pq_pretrain_read(p->ctx, p->asked, &p->settings));
    PQ_TRY(open_features(p));
    PQ_TRY(pq_item_graph_build(&p->graph, p->ctx, p->dataset, (uint32_t)p->settings.theta));
    tell_data(p, r);
    PQ_TRY(pq_nodes_init(&p->nodes, p->ctx, p->dataset, &p->graph, &p->modalities, &p->settings,
                         p->asked->seed));
    for (uint32_t m = 0; m < p->modalities.count; m++) {
        widths[m] = p->modalities.list[m].width;
    }
    PQ_TRY(pq_pmgt_init(&p->net, p->ctx, &p->settings.net, widths, p->modalities.count));
    pq_params_draw(&p->net.params, p->asked->seed);
    PQ_TRY(pq_optimiser_init(&p->optimiser, p->ctx, &p->net.params));
    p->optimiser.threads = p->threads;
    PQ_TRY(open_parts(p));
    p->order = pq_alloc(p->ctx, p->nodes.head_count, sizeof(*p->order));
    p->vectors =
        pq_alloc(p->ctx, (size_t)p->graph.rows * (size_t)p->settings.net.dim, sizeof(*p->vectors));
    return p->order && p->vectors ? PIQUE_OK : PIQUE_NO_MEMORY;
}

static void make_part(pretraining *p, uint32_t i, uint32_t epoch, const uint32_t *heads,
                      uint32_t count) {
    part *own = &p->parts[i];
    const uint32_t each = (count + PARTS - 1) / PARTS, from = PQ_MIN(i * each, count);
    pq_arena_reset(&own->arena);
    pq_grads_clear(&own->grads);
    own->graph = own->features = 0;
    own->batch = (pq_pmgt_batch){.pair_count = 0};
    own->status = PIQUE_OK;
    if (from < count) {
        own->status = pq_nodes_batch(&p->nodes, &own->arena, epoch, heads + from,
                                     PQ_MIN(each, count - from), &own->batch);
    }
}

static void run_part(pretraining *p, uint32_t i, uint64_t step) {
    part *own = &p->parts[i];
    if (own->batch.pair_count == 0) {
        return;
    }
    pq_tape_begin(&own->tape, &own->grads, true,
                  pq_rng_make(p->asked->seed ^ STREAM_TAPE, step, i));
    pq_var *loss = pq_pmgt_loss(&own->tape, &p->net, &own->batch, &own->graph, &own->features);
    own->status = loss ? pq_tape_backward(&own->tape, loss) : own->tape.status;
}

static pique_status sum_parts(pretraining *p) {
    pq_grads *grads[PARTS];
    for (uint32_t i = 0; i < PARTS; i++) {
        if (p->parts[i].status != PIQUE_OK) {
            return pq_fail(p->ctx, p->parts[i].status, "%s", p->parts[i].ctx.error);
        }
        grads[i] = &p->parts[i].grads;
    }
    if (pq_grads_sum(grads, PARTS, p->threads) != PIQUE_OK) {
        return pq_fail(p->ctx, PIQUE_NO_MEMORY, "%s", p->parts[0].ctx.error);
    }
    return PIQUE_OK;
}

typedef struct {
    double graph, features;
    uint32_t steps; /* of an epoch */
} losses;

static pique_status step(pretraining *p, uint32_t epoch, const uint32_t *heads, uint32_t count,
                         losses *l) {
    const pq_pretrain_settings *s = &p->settings;
    const uint64_t number = p->optimiser.step + 1;
#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1)
    for (uint32_t i = 0; i < PARTS; i++) {
        make_part(p, i, epoch, heads, count);
    }
    uint32_t all_pairs = 0, all_masked = 0;
    for (uint32_t i = 0; i < PARTS; i++) {
        all_pairs += p->parts[i].batch.pair_count;
        all_masked += p->parts[i].batch.masked_count;
    }
#pragma omp parallel for num_threads(p->threads) schedule(dynamic, 1)
    for (uint32_t i = 0; i < PARTS; i++) {
        p->parts[i].batch.all_pairs = all_pairs;
        p->parts[i].batch.all_masked = all_masked;
        if (p->parts[i].status == PIQUE_OK) {
            run_part(p, i, number);
        }
    }
    PQ_TRY(sum_parts(p));
    for (uint32_t i = 0; i < PARTS; i++) {
        l->graph += p->parts[i].graph / l->steps;
        l->features += p->parts[i].features / l->steps;
    }
    const pq_train_options rate = {
        .lr = s->lr, .lr_floor = s->lr_floor, .warmup = s->warmup, .schedule = PQ_SCHEDULE_LINEAR};
    const pq_adam adam = {
        .lr = pq_learning_rate(&rate, number, (uint64_t)l->steps * (uint32_t)s->epochs, 0),
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-6,
        .weight_decay = s->weight_decay,
        .clip = s->clip};
    return pq_optimiser_step(&p->optimiser, &adam, &p->parts[0].grads);
}

/* The heads in another order in each epoch. */
static void shuffle(const pretraining *p, uint32_t epoch) {
    pq_rng rng = pq_rng_make(p->asked->seed ^ STREAM_ORDER, epoch, 0);
    memcpy(p->order, p->nodes.heads, p->nodes.head_count * sizeof(*p->order));
    for (uint32_t i = p->nodes.head_count; i > 1; i--) {
        uint32_t j = pq_rng_below(&rng, i), swapped = p->order[i - 1];
        p->order[i - 1] = p->order[j];
        p->order[j] = swapped;
    }
}

static pique_status progress(const pretraining *p, uint32_t epoch, const losses *l, uint32_t done) {
    const pique_listener *to = p->listener;
    if (to && to->progress) {
        pique_progress report = {.phase = "pretrain",
                                 .done = (uint64_t)(epoch - 1) * l->steps + done,
                                 .total = (uint64_t)l->steps * (uint32_t)p->settings.epochs,
                                 .seconds = pq_seconds() - p->began,
                                 .value = (l->graph + l->features) * l->steps / done,
                                 .epoch = epoch};
        to->progress(to->user, &report);
    }
    if (to && to->cancelled && to->cancelled(to->user)) {
        PQ_FAIL(p->ctx, PIQUE_CANCELLED, "stopped in epoch %u; nothing was written",
                (unsigned)epoch);
    }
    return PIQUE_OK;
}

static pique_status train_epoch(pretraining *p, uint32_t epoch, pique_pretrain_result *r) {
    const uint32_t heads = p->nodes.head_count, batch = (uint32_t)p->settings.batch;
    losses l = {.steps = (heads + batch - 1) / batch};
    char line[160];
    shuffle(p, epoch);
    for (uint32_t i = 0; i < l.steps; i++) {
        PQ_TRY(step(p, epoch, p->order + (size_t)i * batch, PQ_MIN(batch, heads - i * batch), &l));
        PQ_TRY(progress(p, epoch, &l, i + 1));
    }
    PQ_TRY(pq_pretrain_vectors(&p->nodes, &p->net, p->vectors));
    PQ_TRY(pq_pretrain_link_auc(&p->nodes, p->vectors, &r->link_auc));
    r->graph_loss = l.graph;
    r->feature_loss = l.features;
    snprintf(line, sizeof(line), "epoch %u: loss of links %.4f, of features %.6f, link AUC %.4f",
             (unsigned)epoch, l.graph, l.features, r->link_auc);
    say(p, line);
    return PIQUE_OK;
}

/* ---- the file ---- */

static pique_status write_file(const pretraining *p, const pique_pretrain_result *r) {
    const uint32_t d = (uint32_t)p->settings.net.dim;
    char card[400], metrics[80];
    void *bytes;
    size_t size;
    snprintf(metrics, sizeof(metrics), "{\"link_auc\":%.6f}",
             r->link_auc == r->link_auc ? r->link_auc : 0);
    snprintf(card, sizeof(card),
             "Vectors of items from their features and neighbours (pique pretrain, PMGT), seed %u, "
             "%u epochs: %u modalities, %lu links, %lu items without one. Link AUC on held nodes "
             "%.4f. A history is the faded mean of its items, or several of them.",
             (unsigned)p->asked->seed, (unsigned)p->settings.epochs, (unsigned)p->modalities.count,
             (unsigned long)r->links, (unsigned long)r->isolated, r->link_auc);
    const pq_reader_options reader = {.dim = d,
                                      .interests = (uint32_t)p->settings.interests,
                                      .seed = p->asked->seed,
                                      .metrics = metrics,
                                      .card = card};
    PQ_TRY(pq_reader_bake(p->dataset, &reader, p->vectors + d, &bytes, &size));
    pique_status status = pq_file_write(p->ctx, p->asked->out, bytes, size, true);
    pq_free(p->ctx, bytes);
    return status;
}

static pique_status run(pretraining *p, pique_pretrain_result *r) {
    PQ_TRY(open_all(p, r));
    for (uint32_t epoch = 1; epoch <= (uint32_t)p->settings.epochs; epoch++) {
        PQ_TRY(train_epoch(p, epoch, r));
    }
    return write_file(p, r);
}

static void close_all(pretraining *p) {
    for (uint32_t i = 0; i < PARTS; i++) {
        part *own = &p->parts[i];
        if (own->grads.ctx) {
            pq_grads_free(&own->grads);
        }
        if (own->tape.ctx) {
            pq_tape_free(&own->tape);
            pq_arena_free(&own->arena);
        }
    }
    pq_optimiser_free(&p->optimiser);
    pq_pmgt_free(&p->net);
    pq_nodes_free(&p->nodes);
    pq_modalities_free(&p->modalities);
    pq_item_graph_free(&p->graph);
    pq_free(p->ctx, p->order);
    pq_free(p->ctx, p->vectors);
    pq_free(p->ctx, p);
}

pique_status pq_pretrain_run(pq_ctx *ctx, const pique_dataset *dataset,
                             const pique_pretrain_options *options, const pique_listener *listener,
                             pique_pretrain_result *result) {
    pretraining *p = pq_alloc(ctx, 1, sizeof(*p));
    if (!p) {
        return PIQUE_NO_MEMORY;
    }
    p->ctx = ctx;
    p->dataset = dataset;
    p->asked = options;
    p->listener = listener;
    p->threads = options->threads ? options->threads : pq_processors();
    p->began = pq_seconds();
    pq_params_init(&p->net.params, ctx);
    pique_status status = run(p, result);
    result->seconds = pq_seconds() - p->began;
    result->peak_bytes = pq_peak_bytes();
    close_all(p);
    return status;
}
