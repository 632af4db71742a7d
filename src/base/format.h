/* format.h — text from a format, without the C library's printf family, which weighs more than all messages
 * together. These forms and no others:
 *     %s  %.Ns  %.*s     text, at most so many bytes of it
 *     %d                 int
 *     %u  %lu            unsigned, unsigned long
 *     %%
 * Anything else ends the text with "%?", so that no argument is taken for what it is not. Other numbers go
 * through pq_decimal_print or pq_text_number. tests/structure/shape.mjs holds every
 * caller to the list. */
#ifndef PQ_FORMAT_H
#define PQ_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#if defined(__GNUC__)
#define PQ_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define PQ_PRINTF(at, first)
#endif

/* Writes what fits into `capacity` bytes with the terminator (nothing at all into 0) and returns the length
 * of the whole text, as snprintf does. */
size_t pq_format(char *out, size_t capacity, const char *format, ...) PQ_PRINTF(3, 4);
size_t pq_format_list(char *out, size_t capacity, const char *format, va_list arguments)
    PQ_PRINTF(3, 0);

#endif
