/* json_out.h — JSON on stdout. */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <stddef.h>
#include <stdio.h>

/* A string with its quotes; what is not UTF-8 becomes U+FFFD. */
void json_print_string(const char *bytes, size_t size);
/* The shortest number that reads back as the same double; null when it is not finite. */
void json_print_number(double value);
void json_write_number(FILE *file, double value);

#endif
