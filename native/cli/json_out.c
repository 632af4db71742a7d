#include "json_out.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of the UTF-8 character at the start, 0 when there is none: malformed, overlong, a surrogate or
 * beyond U+10FFFF. */
static size_t utf8_length(const unsigned char *at, size_t size) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (at[0] < 0x80) {
        return 1;
    }
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || length > size) {
        return 0;
    }
    uint32_t code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0
                                                                                        : length;
}

static void print_ascii(unsigned char c) {
    if (c == '"' || c == '\\') {
        printf("\\%c", c);
    } else if (c == '\n') {
        fputs("\\n", stdout);
    } else if (c < 0x20 || c == 0x7f) {
        printf("\\u%04x", (unsigned)c);
    } else {
        putchar(c);
    }
}

void json_print_string(const char *bytes, size_t size) {
    putchar('"');
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length((const unsigned char *)bytes + i, size - i);
        if (length == 0) {
            fputs("\\ufffd", stdout);
        } else if (length == 1) {
            print_ascii((unsigned char)bytes[i]);
        } else {
            fwrite(bytes + i, 1, length, stdout);
        }
        i += length ? length : 1;
    }
    putchar('"');
}

void json_write_number(FILE *file, double value) {
    char text[40];
    if (!(value - value == 0)) {
        fputs("null", file);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    fputs(text, file);
}

void json_print_number(double value) {
    json_write_number(stdout, value);
}
