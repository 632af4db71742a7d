#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *out;
    size_t capacity;
    size_t size; /* of the whole text, also where it does not fit */
} writer;

static void put(writer *w, const char *bytes, size_t size) {
    size_t room = w->size < w->capacity ? w->capacity - w->size : 0;
    if (size && room) {
        memcpy(w->out + w->size, bytes, size < room ? size : room);
    }
    w->size += size;
}

static void put_number(writer *w, unsigned long magnitude, bool negative) {
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (negative) {
        digits[--at] = '-';
    }
    put(w, digits + at, sizeof(digits) - at);
}

static void put_text(writer *w, const char *text, size_t most) {
    size_t size = 0;
    while (size < most && text[size]) {
        size++;
    }
    put(w, text, size);
}

size_t pq_format_list(char *out, size_t capacity, const char *format, va_list arguments) {
    writer w = {.out = out, .capacity = capacity};
    while (*format) {
        size_t plain = 0;
        while (format[plain] && format[plain] != '%') {
            plain++;
        }
        put(&w, format, plain);
        format += plain;
        if (!*format) {
            break;
        }
        format++;
        size_t most = SIZE_MAX;
        if (format[0] == '.' && format[1] == '*') {
            most = (size_t)va_arg(arguments, int);
            format += 2;
        } else if (format[0] == '.') {
            most = 0;
            for (format++; *format >= '0' && *format <= '9'; format++) {
                most = most * 10 + (size_t)(*format - '0');
            }
        }
        bool is_long = format[0] == 'l' && format[1] == 'u';
        format += is_long;
        if (most != SIZE_MAX && *format != 's') {
            put(&w, "%?", 2);
            break;
        }
        if (*format == 's') {
            put_text(&w, va_arg(arguments, const char *), most);
        } else if (*format == '%') {
            put(&w, format, 1);
        } else if (*format == 'u') {
            put_number(&w, is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned),
                       false);
        } else if (*format == 'd') {
            int number = va_arg(arguments, int);
            put_number(&w, number < 0 ? 0ul - (unsigned long)number : (unsigned long)number,
                       number < 0);
        } else {
            put(&w, "%?", 2);
            break;
        }
        format++;
    }
    if (capacity) {
        out[w.size < capacity ? w.size : capacity - 1] = 0;
    }
    return w.size;
}

size_t pq_format(char *out, size_t capacity, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t size = pq_format_list(out, capacity, format, arguments);
    va_end(arguments);
    return size;
}
