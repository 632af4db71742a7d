/* fuzz_json.c — any bytes as JSON: refused with a message, or read by every accessor; and what is
 * written of it reads as the same again. */
#include "fuzzing.h"

#include "base/json.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void copy_value(const pq_json *json, int at, pq_text *out);

static void copy_children(const pq_json *json, int at, pq_text *out) {
    bool object = pq_json_is_object(json, at);
    int count = 0;
    pq_text_bytes(out, object ? "{" : "[", 1);
    for (int i = pq_json_first(json, at); i >= 0; i = pq_json_next(json, i)) {
        if (count++) {
            pq_text_bytes(out, ",", 1);
        }
        copy_value(json, i, out);
        if (object) {
            pq_text_bytes(out, ":", 1);
            copy_value(json, i + 1, out);
        }
    }
    pq_text_bytes(out, object ? "}" : "]", 1);
    fuzzing_check(count == pq_json_size(json, at));
}

static void copy_value(const pq_json *json, int at, pq_text *out) {
    double number;
    uint64_t whole;
    if (pq_json_is_object(json, at) || pq_json_is_array(json, at)) {
        copy_children(json, at, out);
    } else if (pq_json_is_string(json, at)) {
        size_t size;
        char *text = pq_json_string(json, at, &size);
        fuzzing_check(text && strlen(text) == size);
        pq_text_json(out, text, size);
        pq_free(json->ctx, text);
    } else if (pq_json_number(json, at, &number)) {
        fuzzing_check(!pq_json_unsigned(json, at, &whole) || (double)whole == number);
        pq_text_number(out, number);
    } else { /* true, false, null, and numbers beyond all range */
        pq_span span = pq_json_span(json, at);
        pq_text_bytes(out, span.bytes, span.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pq_ctx ctx = fuzzing_context();
    char *bytes = fuzzing_copy(data, size);
    pq_json json;
    if (pq_json_parse(&ctx, bytes, size, "input", &json) == PIQUE_OK) {
        pq_text first, second;
        pq_text_init(&first, &ctx);
        pq_text_init(&second, &ctx);
        copy_value(&json, PQ_JSON_ROOT, &first);
        pq_json_free(&json);
        fuzzing_check(pq_json_parse(&ctx, first.data, first.size, "output", &json) == PIQUE_OK);
        copy_value(&json, PQ_JSON_ROOT, &second);
        pq_json_free(&json);
        fuzzing_check(first.size == second.size &&
                      memcmp(first.data, second.data, first.size) == 0);
        pq_text_free(&first);
        pq_text_free(&second);
    } else {
        fuzzing_check(ctx.error[0] != 0);
    }
    free(bytes);
    return 0;
}
