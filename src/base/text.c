#include "base/text.h"

#include "base/decimal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void pq_text_init(pq_text *text, pq_ctx *ctx) {
    *text = (pq_text){.ctx = ctx};
}

/* Room for `size` more bytes and the terminator; NULL when memory is short. */
static char *make_room(pq_text *text, size_t size) {
    if (text->failed) {
        return NULL;
    }
    void *data = text->data;
    if (size > SIZE_MAX / 2 - text->size ||
        pq_reserve(text->ctx, &data, &text->capacity, text->size + size + 1, 1) != PIQUE_OK) {
        text->failed = true;
        return NULL;
    }
    text->data = data;
    return text->data + text->size;
}

void pq_text_add(pq_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t size = pq_format_list(NULL, 0, format, arguments);
    char *at = make_room(text, size);
    if (at) {
        (void)pq_format_list(at, size + 1, format, again);
        text->size += size;
    }
    va_end(again);
    va_end(arguments);
}

void pq_text_bytes(pq_text *text, const void *bytes, size_t size) {
    char *at = make_room(text, size);
    if (at) {
        if (size) {
            memcpy(at, bytes, size);
        }
        at[size] = 0;
        text->size += size;
    }
}

size_t pq_utf8_length(const char *bytes, size_t size) {
    const unsigned char *b = (const unsigned char *)bytes;
    if (size == 0) {
        return 0;
    }
    if (b[0] < 0x80) {
        return 1;
    }
    /* Only the second byte has a narrower range: no overlong forms, no surrogates, not beyond
     * U+10FFFF. */
    size_t length = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    unsigned char low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    if (b[0] < 0xc2 || b[0] > 0xf4 || size < length || b[1] < low || b[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (b[i] < 0x80 || b[i] > 0xbf) {
            return 0;
        }
    }
    return length;
}

static void add_control(pq_text *text, unsigned char byte) {
    static const char hex[] = "0123456789abcdef";
    static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
    const char *known = strchr(controls, byte);
    if (known) {
        char escape[2] = {'\\', letters[known - controls]};
        pq_text_bytes(text, escape, sizeof(escape));
    } else {
        char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
        pq_text_bytes(text, escape, sizeof(escape));
    }
}

void pq_text_json(pq_text *text, const char *bytes, size_t size) {
    pq_text_bytes(text, "\"", 1);
    for (size_t i = 0; i < size;) {
        size_t length = pq_utf8_length(bytes + i, size - i);
        unsigned char byte = (unsigned char)bytes[i];
        if (length == 0 || byte == 0) {
            pq_text_bytes(text, "\xef\xbf\xbd", 3);
            length = 1;
        } else if (byte == '"' || byte == '\\') {
            char escape[2] = {'\\', bytes[i]};
            pq_text_bytes(text, escape, 2);
        } else if (byte < 0x20) {
            add_control(text, byte);
        } else {
            pq_text_bytes(text, bytes + i, length);
        }
        i += length;
    }
    pq_text_bytes(text, "\"", 1);
}

void pq_text_number(pq_text *text, double value) {
    char number[PQ_DECIMAL_SIZE];
    if (!isfinite(value)) {
        pq_text_bytes(text, "null", 4);
        return;
    }
    size_t size = pq_decimal_print(value, number);
    pq_text_bytes(text, number, size);
}

pique_status pq_text_status(const pq_text *text) {
    return text->failed ? PIQUE_NO_MEMORY : PIQUE_OK;
}

void pq_text_free(pq_text *text) {
    pq_free(text->ctx, text->data);
    pq_text_init(text, text->ctx);
}
