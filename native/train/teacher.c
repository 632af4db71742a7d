#include "native/train/teacher.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "file/blocks.h"
#include "native/data/fileio.h"
#include "pique_train.h"

/* ---- the files ---- */

static pique_status check_teacher(const pq_teachers *s, uint32_t i, pq_task task,
                                  const char *path) {
    const pq_model_scorer *scorer = &s->scorers[i];
    const uint32_t items = s->dataset->items.count;
    uint32_t shared = 0;
    if (strcmp(pique_model_task(s->models[i]), pq_task_name(task)) != 0) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT,
                "teacher %s is a model for %s; a model for %s cannot learn from it", path,
                pique_model_task(s->models[i]), pq_task_name(task));
    }
    for (uint32_t item = 1; item <= items; item++) {
        shared += scorer->numbers[item] > 0;
    }
    if ((uint64_t)shared * 2 < items || shared == 0) {
        PQ_FAIL(s->ctx, PIQUE_ARGUMENT,
                "teacher %s knows %u of the %u items of the data, by their ids; it must know half "
                "of them",
                path, (unsigned)shared, (unsigned)items);
    }
    for (uint32_t f = 0; f < scorer->field_count; f++) {
        if (scorer->fields[f] == 0) {
            PQ_FAIL(s->ctx, PIQUE_ARGUMENT,
                    "teacher %s takes the profile field \"%s\", which the data have not", path,
                    pique_model_profile_name(s->models[i], f));
        }
    }
    return PIQUE_OK;
}

/* Bytes of interests that are kept of a teacher. */
#define MOST_KEPT ((size_t)2 << 30)

static pique_status open_recall(pq_teachers *s, uint32_t i) {
    const pique_model *model = s->models[i];
    const size_t events = s->dataset->starts[s->dataset->user_count];
    const uint32_t items = s->dataset->items.count;
    pq_recall *r = &s->recalls[i];
    *r = (pq_recall){.width = pique_model_width(model), .most = pique_model_interest_count(model)};
    const size_t each = (size_t)r->most * r->width;
    r->vectors = pq_alloc(s->ctx, (size_t)s->dataset->item_rows * r->width, sizeof(*r->vectors));
    r->live = pq_alloc(s->ctx, events, sizeof(*r->live));
    if (!r->vectors || !r->live) {
        return PIQUE_NO_MEMORY;
    }
    if (events * each <= MOST_KEPT / sizeof(*r->interests)) {
        r->interests = pq_alloc(s->ctx, events * each, sizeof(*r->interests));
        if (!r->interests) {
            return PIQUE_NO_MEMORY;
        }
    }
    for (uint32_t item = 1; item <= items; item++) {
        const uint32_t number = s->scorers[i].numbers[item];
        if (number > 0) {
            PQ_TRY(pique_model_item_vector(model, number, r->vectors + (size_t)item * r->width));
        }
    }
    return PIQUE_OK;
}

static pique_status open_teacher(pq_teachers *s, pq_task task, const char *path) {
    const uint32_t i = s->count;
    void *bytes;
    size_t size, used = strlen(s->sums);
    PQ_TRY(pq_file_read(s->ctx, path, PQ_MODEL_LIMIT, &bytes, &size));
    snprintf(s->sums + used, sizeof(s->sums) - used, "%s%08lx", i ? "," : "",
             (unsigned long)pq_crc32(bytes, size));
    pq_free(s->ctx, bytes);
    PQ_TRY(pique_model_read(s->ctx, path, &s->models[i]));
    s->count++;
    PQ_TRY(pq_model_scorer_init(&s->scorers[i], s->ctx, s->models[i], s->dataset));
    PQ_TRY(check_teacher(s, i, task, path));
    if (task == PQ_TASK_RETRIEVAL) {
        PQ_TRY(open_recall(s, i));
    }
    for (uint32_t item = 1; item <= s->dataset->items.count; item++) {
        s->known[item] = s->known[item] && s->scorers[i].numbers[item] > 0;
    }
    return PIQUE_OK;
}

pique_status pq_teachers_open(pq_teachers *s, pq_ctx *ctx, const pique_dataset *dataset,
                              pq_task task, const char *paths) {
    *s = (pq_teachers){.ctx = ctx, .dataset = dataset};
    s->known = pq_alloc(ctx, dataset->item_rows, sizeof(*s->known));
    if (!s->known) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t item = 1; item <= dataset->items.count; item++) {
        s->known[item] = true;
    }
    if (dataset->labelled) {
        s->chances = pq_alloc(ctx, dataset->labelled_count, sizeof(*s->chances));
        if (!s->chances) {
            return PIQUE_NO_MEMORY;
        }
        for (size_t i = 0; i < dataset->labelled_count; i++) {
            s->chances[i] = -1;
        }
    }
    for (const char *at = paths; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        const size_t length = strcspn(at, ",");
        if (s->count == PIQUE_MOST_MODELS) {
            PQ_FAIL(ctx, PIQUE_ARGUMENT, "at most %d teachers are taken", PIQUE_MOST_MODELS);
        }
        char *path = pq_alloc(ctx, length + 1, 1);
        if (!path) {
            return PIQUE_NO_MEMORY;
        }
        memcpy(path, at, length);
        path[length] = 0;
        pique_status status = open_teacher(s, task, path);
        pq_free(ctx, path);
        PQ_TRY(status);
    }
    return PIQUE_OK;
}

void pq_teachers_free(pq_teachers *s) {
    if (s->ctx) {
        for (uint32_t i = 0; i < s->count; i++) {
            pq_model_scorer_free(&s->scorers[i]);
            pique_model_free(s->models[i]);
            pq_free(s->ctx, s->recalls[i].vectors);
            pq_free(s->ctx, s->recalls[i].interests);
            pq_free(s->ctx, s->recalls[i].live);
        }
        pq_free(s->ctx, s->known);
        pq_free(s->ctx, s->chances);
    }
    *s = (pq_teachers){0};
}

/* ---- lessons ---- */

pique_status pq_lesson_open(pq_lesson *l, pq_ctx *ctx, const pq_teachers *teachers,
                            const pq_sampler *sampler) {
    *l = (pq_lesson){.ctx = ctx, .teachers = teachers, .sampler = sampler};
    for (uint32_t i = 0; i < teachers->count; i++) {
        PQ_TRY(pq_model_user_open(ctx, &teachers->scorers[i], &l->users[i]));
    }
    return PIQUE_OK;
}

void pq_lesson_close(pq_lesson *l) {
    if (l->ctx) {
        for (uint32_t i = 0; i < PIQUE_MOST_MODELS; i++) {
            pq_model_user_close(l->ctx, l->users[i]);
        }
        pq_free(l->ctx, l->items);
        pq_free(l->ctx, l->queries);
        pq_free(l->ctx, l->slate);
        pq_free(l->ctx, l->scores);
        pq_free(l->ctx, l->one);
    }
    *l = (pq_lesson){0};
}

/* What came before the label, all of it: each teacher takes as much as it takes in service. */
static pique_status view_of(pq_lesson *l, const pq_sample *label, pq_view *out) {
    const pique_dataset *d = l->sampler->dataset;
    if (d->labelled) {
        *out = pq_dataset_pair_view(d, &d->labelled[label->position]);
        return PIQUE_OK;
    }
    (void)pq_dataset_view(d, label->user, PQ_SPLIT_TRAIN, out);
    if (!label->around) {
        out->history_count = label->position;
        return PIQUE_OK;
    }
    const uint32_t events = out->history_count;
    PQ_TRY(pq_reserve(l->ctx, (void **)&l->items, &l->items_capacity, events, sizeof(*l->items)));
    uint32_t count = pq_sampler_history(label, events, events, l->items);
    for (uint32_t i = 0; i < count; i++) {
        l->items[i] = out->history[l->items[i]];
    }
    *out = (pq_view){.history = l->items, .history_count = count}; /* in no order of time */
    return PIQUE_OK;
}

/* The interests that teacher i sees before the label: of the cache, where they stand there already. */
static pique_status recall(pq_lesson *l, uint32_t i, const pq_sample *label, pique_interests *out) {
    const pq_recall *r = &l->teachers->recalls[i];
    pq_model_user *user = l->users[i];
    const size_t event = l->sampler->dataset->starts[label->user] + label->position;
    const bool kept = r->interests && !label->around;
    float *own = kept ? r->interests + event * r->most * r->width : NULL;
    pq_view view;
    if (kept && r->live[event]) {
        *out = (pique_interests){.vectors = own, .live = r->live[event] - 1U};
        return PIQUE_OK;
    }
    PQ_TRY(view_of(l, label, &view));
    PQ_TRY(pq_model_user_query(l->ctx, &l->teachers->scorers[i], user, label->user, &view));
    PQ_TRY(pique_session_interests(user->session, &user->query, out));
    if (kept) {
        memcpy(own, out->vectors, (size_t)out->live * r->width * sizeof(*own));
        r->live[event] = (uint8_t)(out->live + 1);
    }
    return PIQUE_OK;
}

/* l->queries [K, rows, D]: the interests of each row in turn, times the teacher's scale over the temperature. Where a
 * row has fewer than K its first stands again, which no maximum notices; where it has none, zeros. */
static pique_status recall_rows(pq_lesson *l, uint32_t i, const pq_slates *slates) {
    const pq_recall *r = &l->teachers->recalls[i];
    const pq_real factor = (pq_real)(l->teachers->scorers[i].scale / l->soft.temperature);
    const size_t count = (size_t)r->most * slates->rows * r->width;
    PQ_TRY(
        pq_reserve(l->ctx, (void **)&l->queries, &l->queries_capacity, count, sizeof(*l->queries)));
    memset(l->queries, 0, count * sizeof(*l->queries));
    for (uint32_t row = 0; row < slates->rows; row++) {
        pique_interests interests = {0};
        if (l->soft.taught[slates->first + row] > 0) {
            PQ_TRY(recall(l, i, &l->labels[slates->first + row], &interests));
        }
        for (uint32_t k = 0; interests.live && k < r->most; k++) {
            l->ctx->kernels->axpy(
                factor, interests.vectors + (size_t)(k < interests.live ? k : 0) * r->width,
                l->queries + ((size_t)k * slates->rows + row) * r->width, r->width);
        }
    }
    return PIQUE_OK;
}

/* The vectors of the items that the rows share. */
static pique_status shared_vectors(pq_lesson *l, const pq_recall *r, const pq_slates *slates,
                                   const float **out) {
    *out = r->vectors + (size_t)slates->shared_first * r->width;
    if (!slates->shared) {
        return PIQUE_OK;
    }
    PQ_TRY(pq_reserve(l->ctx, (void **)&l->slate, &l->slate_capacity,
                      (size_t)slates->shared_count * r->width, sizeof(*l->slate)));
    for (uint32_t j = 0; j < slates->shared_count; j++) {
        memcpy(l->slate + (size_t)j * r->width, r->vectors + (size_t)slates->shared[j] * r->width,
               r->width * sizeof(*l->slate));
    }
    *out = l->slate;
    return PIQUE_OK;
}

/* logits [rows, S]: what teacher i gives the slates, divided by the temperature: each item's best inner product with
 * the interests. l->scores: those of one interest. */
static pique_status ask_teacher(pq_lesson *l, uint32_t i, const pq_slates *slates,
                                pq_real *logits) {
    const pq_recall *r = &l->teachers->recalls[i];
    const pq_kernels *kernels = l->ctx->kernels;
    const uint32_t rows = slates->rows, own = slates->own_count, d = r->width;
    const uint32_t width = own + slates->shared_count;
    const float *shared;
    PQ_TRY(recall_rows(l, i, slates));
    PQ_TRY(shared_vectors(l, r, slates, &shared));
    PQ_TRY(pq_reserve(l->ctx, (void **)&l->scores, &l->scores_capacity, (size_t)rows * width,
                      sizeof(*l->scores)));
    for (uint32_t k = 0; k < r->most; k++) {
        const pq_real *queries = l->queries + (size_t)k * rows * d;
        pq_real *scores = k ? l->scores : logits;
        kernels->gemm_nt(&(pq_gemm_args){.m = rows,
                                         .n = slates->shared_count,
                                         .k = d,
                                         .a = queries,
                                         .lda = d,
                                         .b = shared,
                                         .ldb = d,
                                         .c = scores + own,
                                         .ldc = width});
        for (size_t j = 0; j < (size_t)rows * own; j++) {
            scores[j / own * width + j % own] =
                kernels->dot(queries + j / own * d, r->vectors + (size_t)slates->own[j] * d, d);
        }
        for (size_t j = 0; k && j < (size_t)rows * width; j++) {
            logits[j] = PQ_MAX(logits[j], scores[j]);
        }
    }
    return PIQUE_OK;
}

/* Items that not every teacher knows. */
static void leave_out_unknown(const bool *known, const pq_slates *slates, bool *left_out) {
    const uint32_t k = slates->own_count;
    for (uint32_t row = 0; row < slates->rows; row++, left_out += k + slates->shared_count) {
        for (uint32_t i = 0; i < k; i++) {
            left_out[i] |= !known[slates->own[(size_t)row * k + i]];
        }
        for (uint32_t i = 0; i < slates->shared_count; i++) {
            left_out[k + i] |=
                !known[slates->shared ? slates->shared[i] : slates->shared_first + i];
        }
    }
}

/* One row's logits become its chances. */
static void soften(const pq_kernels *kernels, const bool *left_out, uint32_t count, pq_real *row) {
    for (uint32_t i = 0; i < count; i++) {
        row[i] = left_out[i] ? PQ_NO_CHANCE : row[i];
    }
    kernels->softmax(row, row, count);
}

/* The logarithm of the mean of the teachers' softened distributions. */
static pique_status ask_several(pq_lesson *l, const pq_slates *slates, const bool *left_out,
                                pq_real *logits) {
    const uint32_t width = slates->own_count + slates->shared_count, teachers = l->teachers->count;
    const size_t count = (size_t)slates->rows * width;
    PQ_TRY(pq_reserve(l->ctx, (void **)&l->one, &l->one_capacity, count, sizeof(*l->one)));
    memset(logits, 0, count * sizeof(*logits));
    for (uint32_t i = 0; i < teachers; i++) {
        PQ_TRY(ask_teacher(l, i, slates, l->one));
        for (size_t at = 0; at < count; at += width) {
            soften(l->ctx->kernels, left_out + at, width, l->one + at);
        }
        l->ctx->kernels->axpy(1 / (pq_real)teachers, l->one, logits, count);
    }
    for (size_t j = 0; j < count; j++) {
        logits[j] = logits[j] > 0 ? (pq_real)pq_log(logits[j]) : PQ_NO_CHANCE;
    }
    return PIQUE_OK;
}

/* A pq_ask_logits. */
static pique_status ask_slates(void *user, const pq_slates *slates, bool *left_out,
                               pq_real *logits) {
    pq_lesson *l = user;
    leave_out_unknown(l->teachers->known, slates, left_out);
    return l->teachers->count == 1 ? ask_teacher(l, 0, slates, logits)
                                   : ask_several(l, slates, left_out, logits);
}

/* The mean of the teachers' softened chances that the pair has label 1. */
static pique_status ask_pair(pq_lesson *l, const pq_sample *label, uint32_t item, pq_real *out) {
    const uint32_t teachers = l->teachers->count;
    pq_real *told = &l->teachers->chances[label->position];
    double sum = 0;
    if (*told >= 0) {
        *out = *told;
        return PIQUE_OK;
    }
    for (uint32_t i = 0; i < teachers; i++) {
        const pq_model_scorer *scorer = &l->teachers->scorers[i];
        pq_model_user *user = l->users[i];
        pq_view view;
        float logit;
        PQ_TRY(view_of(l, label, &view));
        PQ_TRY(pq_model_user_query(l->ctx, scorer, user, label->user, &view));
        PQ_TRY(pique_session_rank(user->session, &user->query, &scorer->numbers[item], 1, &logit));
        double x = l->teachers->scorers[i].scale / l->soft.temperature * logit;
        double e = pq_exp(x < 0 ? x : -x);
        sum += (x < 0 ? e : 1) / (1 + e);
    }
    *out = *told = (pq_real)(sum / teachers);
    return PIQUE_OK;
}

static pique_status has_known(pq_lesson *l, const pq_sample *label, bool *out) {
    pq_view view;
    *out = false;
    PQ_TRY(view_of(l, label, &view));
    for (uint32_t i = view.history_count; i > 0 && !*out; i--) {
        *out = l->teachers->known[view.history[i - 1]];
    }
    return PIQUE_OK;
}

/* Which labels are taught, and of pairs what. */
static pique_status look_at_labels(pq_lesson *l, const pq_batch *batch, uint32_t count,
                                   pq_real *taught, pq_real *hard, pq_real *labels) {
    const bool ranks = l->sampler->dataset->labelled;
    const uint32_t *items = ranks ? batch->candidates : batch->targets;
    for (uint32_t p = 0; p < count; p++) {
        bool known = l->teachers->known[items[p]];
        if (known && !ranks) {
            PQ_TRY(has_known(l, &l->labels[p], &known));
        }
        taught[p] = known ? 1 : 0;
        hard[p] = known ? (pq_real)(1 - l->soft.alpha) : 1;
        labels[p] = 0;
        if (known && ranks) {
            PQ_TRY(ask_pair(l, &l->labels[p], items[p], &labels[p]));
        }
    }
    return PIQUE_OK;
}

pique_status pq_lesson_give(pq_lesson *l, pq_arena *arena, const pq_sample_range *range,
                            pq_batch *batch) {
    const pq_train_options *o = l->sampler->options;
    const uint32_t count = pq_sampler_labels(l->sampler, range, NULL, NULL);
    pq_real *taught = pq_arena_take(arena, count, sizeof(*taught));
    pq_real *hard = pq_arena_take(arena, count, sizeof(*hard));
    pq_real *labels = pq_arena_take(arena, count, sizeof(*labels));
    l->labels = pq_arena_take(arena, count, sizeof(*l->labels));
    if (!taught || !hard || !labels || !l->labels) {
        return PIQUE_NO_MEMORY;
    }
    (void)pq_sampler_labels(l->sampler, range, NULL, l->labels);
    l->part = 0;
    l->soft = (pq_soft){.alpha = o->kd_alpha,
                        .kappa = o->kd_kappa,
                        .temperature = o->kd_temperature,
                        .by_slate = o->kd_reduction == PQ_KD_BY_SLATE,
                        .taught = taught,
                        .hard = hard,
                        .ask = ask_slates,
                        .user = l,
                        .labels = labels,
                        .part = &l->part};
    PQ_TRY(look_at_labels(l, batch, count, taught, hard, labels));
    batch->soft = &l->soft;
    return PIQUE_OK;
}
