/* source.c — what all text inputs share: is it text at all, UTF-8, lines. */
#include "native/data/source.h"

#include <string.h>

pique_status pq_source_check(pq_ctx *ctx, pq_source *source) {
    if (source->size >= 3 && memcmp(source->bytes, "\xef\xbb\xbf", 3) == 0) {
        source->bytes += 3;
        source->size -= 3;
    }
    if (source->size == 0) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: the file is empty", source->name);
    }
    if (source->size >= 2 &&
        (memcmp(source->bytes, "\xff\xfe", 2) == 0 || memcmp(source->bytes, "\xfe\xff", 2) == 0)) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: the file is UTF-16; save it as UTF-8", source->name);
    }
    const char *zero = memchr(source->bytes, 0, source->size);
    if (zero) {
        PQ_FAIL(ctx, PIQUE_DATA, "%s: not a text file (zero byte at offset %lu)", source->name,
                (unsigned long)(zero - source->bytes));
    }
    return PIQUE_OK;
}

/* Bytes of the UTF-8 character at the start of `at`, 0 when it is malformed, overlong, a surrogate or
 * beyond U+10FFFF. */
static size_t utf8_length(const unsigned char *at, size_t size) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = at[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > size) {
        return 0;
    }
    uint32_t code = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[length] || code > 0x10ffff || surrogate ? 0 : length;
}

bool pq_utf8_valid(const char *bytes, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t length = utf8_length((const unsigned char *)bytes + at, size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

const char *pq_source_quote(char *out, const char *bytes, size_t size) {
    size_t most = 40;
    size_t at = 0;
    size_t written = 0;
    while (at < size) {
        size_t length = utf8_length((const unsigned char *)bytes + at, size - at);
        bool shown = length > 0 && !(length == 1 && (bytes[at] < 0x20 || bytes[at] == 0x7f));
        size_t step = shown ? length : 1;
        if (written + step > most) {
            memcpy(out + written, "...", 3);
            written += 3;
            break;
        }
        if (shown) {
            memcpy(out + written, bytes + at, length);
        } else {
            out[written] = '?';
        }
        written += step;
        at += step;
    }
    out[written] = 0;
    return out;
}

static bool is_blank(pq_span line) {
    for (size_t i = 0; i < line.size; i++) {
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t') {
            return false;
        }
    }
    return true;
}

pique_status pq_source_lines(const pq_source *source, pq_line_callback *line, void *user) {
    const char *at = source->bytes;
    const char *end = source->bytes + source->size;
    for (size_t number = 1; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) {
            stop = end;
        }
        pq_span span = {.bytes = at, .size = (size_t)(stop - at)};
        if (span.size && span.bytes[span.size - 1] == '\r') {
            span.size--;
        }
        if (!is_blank(span)) {
            PQ_TRY(line(user, number, span));
        }
        at = stop < end ? stop + 1 : end;
    }
    return PIQUE_OK;
}
