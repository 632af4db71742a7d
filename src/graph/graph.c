#include "graph/graph.h"

#include <stdarg.h>
#include <string.h>

struct pq_node {
    pq_node *before;
    pq_backward *backward;
    void *record;
};

void pq_tape_init(pq_tape *tape, pq_ctx *ctx) {
    *tape = (pq_tape){.ctx = ctx, .kernels = ctx->kernels};
    pq_arena_init(&tape->arena, ctx);
}

void pq_tape_begin(pq_tape *tape, pq_grads *grads, bool training, pq_rng rng) {
    pq_arena_reset(&tape->arena);
    tape->kernels = tape->ctx->kernels;
    tape->last = NULL;
    tape->grads = grads;
    tape->training = training;
    tape->rng = rng;
    tape->status = PIQUE_OK;
}

void pq_tape_free(pq_tape *tape) {
    pq_arena_free(&tape->arena);
}

void *pq_tape_fail(pq_tape *tape, pique_status status, const char *format, ...) {
    if (tape->status == PIQUE_OK) { /* the first failure is the cause */
        char text[256];
        va_list arguments;
        va_start(arguments, format);
        (void)pq_format_list(text, sizeof(text), format, arguments);
        va_end(arguments);
        tape->status = pq_fail(tape->ctx, status, "%s", text);
    }
    return NULL;
}

void *pq_tape_misfit(pq_tape *tape, const char *op) {
    return pq_tape_fail(tape, PIQUE_INTERNAL, "%s: the shapes do not fit", op);
}

void *pq_tape_take(pq_tape *tape, size_t count, size_t size) {
    void *memory = tape->status == PIQUE_OK ? pq_arena_take(&tape->arena, count, size) : NULL;
    if (!memory && tape->status == PIQUE_OK) {
        tape->status = PIQUE_NO_MEMORY;
    }
    return memory;
}

static pq_var *new_var(pq_tape *tape, pq_real *value, uint32_t rows, uint32_t cols) {
    pq_var *var = pq_tape_take(tape, 1, sizeof(*var));
    if (var) {
        *var = (pq_var){.value = value, .rows = rows, .cols = cols};
    }
    return var;
}

pq_var *pq_tape_values(pq_tape *tape, uint32_t rows, uint32_t cols) {
    /* By rows, so that a product which a size_t of 32 bits cannot hold is found out. */
    pq_real *value = pq_tape_take(tape, rows, (size_t)cols * sizeof(*value));
    return value ? new_var(tape, value, rows, cols) : NULL;
}

pq_var *pq_tape_constant(pq_tape *tape, pq_real *value, uint32_t rows, uint32_t cols) {
    return new_var(tape, value, rows, cols);
}

pq_var *pq_tape_param(pq_tape *tape, const pq_param *param) {
    pq_var *var = new_var(tape, param->value, param->rows, param->cols);
    if (PQ_TRAINING && var && tape->grads && !param->frozen) {
        var->needs_grad = true;
        var->grad = pq_grads_whole(tape->grads, param);
        if (!var->grad) {
            tape->status = PIQUE_NO_MEMORY;
            return NULL;
        }
    }
    return var;
}

void pq_tape_record(pq_tape *tape, pq_backward *backward, void *record) {
    pq_node *node = pq_tape_take(tape, 1, sizeof(*node));
    if (node) {
        *node = (pq_node){.before = tape->last, .backward = backward, .record = record};
        tape->last = node;
    }
}

pq_real *pq_tape_grad(pq_tape *tape, pq_var *var) {
    if (var->needs_grad && !var->grad) {
        size_t count = (size_t)var->rows * var->cols;
        var->grad = pq_tape_take(tape, count, sizeof(*var->grad));
        if (var->grad) {
            memset(var->grad, 0, count * sizeof(*var->grad));
        }
    }
    return var->grad;
}

pique_status pq_tape_backward(pq_tape *tape, pq_var *loss) {
    if (tape->status != PIQUE_OK) {
        return tape->status;
    }
    if (!loss || loss->rows != 1 || loss->cols != 1) {
        PQ_FAIL(tape->ctx, PIQUE_INTERNAL, "backward needs a scalar loss");
    }
    if (!loss->needs_grad) {
        return PIQUE_OK;
    }
    pq_real *seed = pq_tape_grad(tape, loss);
    if (seed) {
        seed[0] = 1;
    }
    for (pq_node *node = tape->last; node && tape->status == PIQUE_OK; node = node->before) {
        node->backward(tape, node->record);
    }
    return tape->status;
}
