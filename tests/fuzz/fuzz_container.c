/* fuzz_container.c — any bytes as a model file: opened, or refused with a message; never more. */
#include "fuzzing.h"

#include "file/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a reader of models does with a container that opened. */
static void use(const pq_container *c) {
    char *text;
    if (pq_container_text(c, "pique.config", &text) == PIQUE_OK) {
        pq_free(c->ctx, text);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const pq_tensor *tensor = &c->tensors[i];
        (void)pq_tensor_finite(c->ctx, tensor);
        memset(tensor->data, 1, tensor->count * pq_dtype_size(tensor->dtype)); /* ours to change */
        fuzzing_check((uintptr_t)tensor->data % pq_dtype_size(tensor->dtype) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pq_ctx ctx = fuzzing_context();
    size_t total = 0;
    void *bytes = fuzzing_copy(data, size);
    pq_container c;
    pique_status measured = pq_container_size(&ctx, bytes, size, &total);
    pique_status opened = pq_container_open(&ctx, bytes, size, &c);
    if (opened == PIQUE_OK) {
        fuzzing_check(measured == PIQUE_OK && total == size);
        use(&c);
        pq_container_close(&c);
    } else {
        fuzzing_check(ctx.error[0] && (size == 0 || measured != PIQUE_OK || total != size));
    }
    free(bytes);
    return 0;
}
