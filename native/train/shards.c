#include "native/train/shards.h"

#include "native/eval/team.h"

#define STREAM_TAPE 0x74617065u

pique_status pq_shards_init(pq_shards *s, pq_ctx *ctx, const pq_model *m, const pq_sampler *sampler,
                            uint32_t threads) {
    *s = (pq_shards){.ctx = ctx, .m = m, .threads = threads};
    uint32_t most = pq_sampler_most_negatives(sampler, m->max_history);
    s->negatives = pq_alloc(ctx, most, sizeof(*s->negatives));
    s->negative_log_q = pq_alloc(ctx, most, sizeof(*s->negative_log_q));
    if (!s->negatives || !s->negative_log_q) {
        return PIQUE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < PQ_SHARDS; i++) {
        pq_shard *shard = &s->shard[i];
        shard->ctx = (pq_ctx){.allocator = ctx->allocator, .kernels = ctx->kernels};
        pq_tape_init(&shard->tape, &shard->ctx);
        pq_arena_init(&shard->batch, &shard->ctx);
        if (pq_grads_init(&shard->grads, &shard->ctx, &m->params) != PIQUE_OK) {
            return pq_fail(ctx, PIQUE_NO_MEMORY, "%s", shard->ctx.error);
        }
    }
    return PIQUE_OK;
}

pique_status pq_shards_teach(pq_shards *s, const pq_teachers *teachers, const pq_sampler *sampler) {
    s->taught = sampler->options->kd_alpha > 0;
    for (uint32_t i = 0; i < PQ_SHARDS && s->taught; i++) {
        pq_shard *shard = &s->shard[i];
        pique_status status = pq_lesson_open(&shard->lesson, &shard->ctx, teachers, sampler);
        if (status != PIQUE_OK) {
            return pq_fail(s->ctx, status, "%s", shard->ctx.error);
        }
    }
    return PIQUE_OK;
}

void pq_shards_free(pq_shards *s) {
    if (!s->ctx) {
        return;
    }
    for (uint32_t i = 0; i < PQ_SHARDS; i++) {
        pq_shard *shard = &s->shard[i];
        if (shard->grads.ctx) {
            pq_grads_free(&shard->grads);
        }
        pq_lesson_close(&shard->lesson);
        pq_tape_free(&shard->tape);
        pq_arena_free(&shard->batch);
    }
    pq_free(s->ctx, s->negatives);
    pq_free(s->ctx, s->negative_log_q);
    *s = (pq_shards){0};
}

static pique_status run(pq_shards *s, pq_shard *shard, const pq_sampler *sampler,
                        const pq_sample_range *range, uint32_t positions) {
    pq_batch batch = {.positions = positions,
                      .negatives = s->negatives,
                      .negative_log_q = s->negative_log_q,
                      .negative_count = s->negative_count};
    pq_arena_reset(&shard->batch);
    PQ_TRY(pq_sampler_batch(sampler, &shard->batch, range, &batch));
    if (s->taught) {
        PQ_TRY(pq_lesson_give(&shard->lesson, &shard->batch, range, &batch));
    }
    pq_var *loss = pq_model_loss(&shard->tape, s->m, &batch);
    if (!loss) {
        return shard->tape.status;
    }
    shard->loss = loss->value[0];
    return pq_tape_backward(&shard->tape, loss);
}

/* Every row is summed by one thread alone, in the order of the stores. */
static void sum_rows(pq_grads *const *grads, uint32_t count, const pq_param *param,
                     uint32_t threads) {
    const pq_kernels *kernels = grads[0]->ctx->kernels;
    const pq_grad *into = &grads[0]->list[param->index];
    uint32_t rows = pq_grad_count(into, param);
    (void)threads; /* builds without OpenMP have one */
#pragma omp parallel for num_threads(threads) schedule(static) if (rows > PQ_PARALLEL_ROWS)
    for (uint32_t j = 0; j < rows; j++) {
        uint32_t row = pq_grad_at(into, j);
        pq_real *sum = pq_grad_row(into, param, row);
        for (uint32_t i = 1; i < count; i++) {
            const pq_real *more = pq_grad_row(&grads[i]->list[param->index], param, row);
            if (more) {
                kernels->axpy(1, more, sum, param->cols);
            }
        }
    }
}

pique_status pq_grads_sum(pq_grads *const *grads, uint32_t count, uint32_t threads) {
    const pq_params *params = grads[0]->params;
    for (uint32_t p = 0; p < params->count; p++) {
        for (uint32_t i = 1; i < count; i++) {
            PQ_TRY(pq_grads_cover(grads[0], grads[i], params->list[p]));
        }
        sum_rows(grads, count, params->list[p], threads);
    }
    return PIQUE_OK;
}

pique_status pq_shards_step(pq_shards *s, const pq_sampler *sampler, size_t first, uint32_t count,
                            uint64_t step, double *loss) {
    uint32_t parts = s->m->batch_parts ? s->m->batch_parts : PQ_SHARDS;
    uint32_t each = (count + parts - 1) / parts;
    const pq_sample_range whole = {first, count, s->m->max_history, step};
    uint32_t positions = pq_sampler_labels(sampler, &whole, NULL, NULL);
    s->negative_count = pq_sampler_negatives(sampler, &whole, s->negatives, s->negative_log_q);
#pragma omp parallel for num_threads(s->threads) schedule(dynamic, 1)
    for (uint32_t i = 0; i < PQ_SHARDS; i++) {
        pq_shard *shard = &s->shard[i];
        uint32_t from = PQ_MIN(i * each, count), to = PQ_MIN(from + each, count);
        pq_grads_clear(&shard->grads);
        shard->loss = shard->lesson.part = 0;
        shard->status = PIQUE_OK;
        if (from < to) {
            pq_rng rng = pq_rng_make(sampler->seed ^ STREAM_TAPE, step, i);
            pq_tape_begin(&shard->tape, &shard->grads, true, rng);
            pq_sample_range part = {first + from, to - from, s->m->max_history, step};
            shard->status = run(s, shard, sampler, &part, positions);
        }
    }
    pq_grads *grads[PQ_SHARDS];
    *loss = s->soft_loss = 0;
    for (uint32_t i = 0; i < PQ_SHARDS; i++) {
        if (s->shard[i].status != PIQUE_OK) {
            return pq_fail(s->ctx, s->shard[i].status, "%s", s->shard[i].ctx.error);
        }
        *loss += s->shard[i].loss;
        s->soft_loss += s->shard[i].lesson.part;
        grads[i] = &s->shard[i].grads;
    }
    if (pq_grads_sum(grads, PQ_SHARDS, s->threads) != PIQUE_OK) {
        return pq_fail(s->ctx, PIQUE_NO_MEMORY, "%s", s->shard[0].ctx.error);
    }
    return PIQUE_OK;
}
