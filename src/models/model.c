#include "models/model.h"

#include <string.h>

#include "models/label_loss.h"

#define PQ_MODEL(name) extern const pq_model_def pq_model_##name;
#include "models/models.def"
#undef PQ_MODEL

static const pq_model_def *const definitions[] = {
#define PQ_MODEL(name) &pq_model_##name,
#include "models/models.def"
#undef PQ_MODEL
};

const pq_model_def *pq_model_at(uint32_t i) {
    return i < PQ_COUNT(definitions) ? definitions[i] : NULL;
}

const pq_model_def *pq_model_find(const char *name, size_t length) {
    for (uint32_t i = 0; i < PQ_COUNT(definitions); i++) {
        if (strlen(definitions[i]->name) == length &&
            memcmp(definitions[i]->name, name, length) == 0) {
            return definitions[i];
        }
    }
    return NULL;
}

const char *pq_task_name(pq_task task) {
    return task == PQ_TASK_RANKING ? "ranking" : "retrieval";
}

pique_status pq_model_init(pq_model *m, pq_ctx *ctx, const pq_model_def *def, const char *preset) {
    *m = (pq_model){.ctx = ctx, .def = def};
    pq_params_init(&m->params, ctx);
    m->self = pq_alloc(ctx, 1, def->self_size);
    if (!m->self) {
        return PIQUE_NO_MEMORY;
    }
    return pq_fields_preset(ctx, def->fields, m->self, preset);
}

pique_status pq_model_declare(pq_model *m) {
    PQ_TRY(m->def->declare(m));
    return m->params.status;
}

#if PQ_TRAINING
pq_var *pq_model_loss(pq_tape *t, const pq_model *m, const pq_batch *b) {
    if (m->def->loss) {
        return m->def->loss(t, m, b);
    }
    return pq_label_loss(t, b, m->def->score(t, m, b), 1);
}
#endif

void pq_model_free(pq_model *m) {
    if (m->ctx) {
        pq_params_free(&m->params);
        pq_free(m->ctx, m->self);
        m->self = NULL;
    }
}
