#include "json_view.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

struct json_token {
    jsmntok_t jsmn;
};

bool json_view_open(json_view *view, const char *text) {
    jsmn_parser parser;
    *view = (json_view){.text = text};
    jsmn_init(&parser);
    int count = jsmn_parse(&parser, text, strlen(text), NULL, 0);
    if (count <= 0) {
        return false;
    }
    jsmntok_t *tokens = calloc((size_t)count, sizeof(*tokens));
    if (!tokens) {
        return false;
    }
    jsmn_init(&parser);
    view->tokens = (struct json_token *)tokens;
    view->count = jsmn_parse(&parser, text, strlen(text), tokens, (unsigned)count);
    if (view->count != count) {
        json_view_close(view);
        return false;
    }
    return true;
}

void json_view_close(json_view *view) {
    free(view->tokens);
    *view = (json_view){0};
}

static const jsmntok_t *token(const json_view *view, int at) {
    return at >= 0 && at < view->count ? &view->tokens[at].jsmn : NULL;
}

bool json_view_is(const json_view *view, int at, const char *text) {
    const jsmntok_t *t = token(view, at);
    return t && strlen(text) == (size_t)(t->end - t->start) &&
           memcmp(view->text + t->start, text, strlen(text)) == 0;
}

int json_view_first(const json_view *view, int at) {
    const jsmntok_t *t = token(view, at);
    bool holds = t && (t->type == JSMN_OBJECT || t->type == JSMN_ARRAY) && t->size > 0;
    return holds ? at + 1 : JSON_NONE;
}

/* Tokens stand in the order of the text, so what follows the end of a child is its next sibling. */
int json_view_next(const json_view *view, int parent, int at) {
    const jsmntok_t *t = token(view, parent);
    if (!t || at < 0) {
        return JSON_NONE;
    }
    int value = t->type == JSMN_OBJECT ? at + 1 : at;
    int end = view->tokens[value].jsmn.end;
    int next = value + 1;
    while (next < view->count && view->tokens[next].jsmn.start < end) {
        next++;
    }
    return next < view->count && view->tokens[next].jsmn.start < t->end ? next : JSON_NONE;
}

int json_view_get(const json_view *view, int object, const char *key) {
    for (int at = json_view_first(view, object); at >= 0; at = json_view_next(view, object, at)) {
        if (json_view_is(view, at, key)) {
            return at + 1;
        }
    }
    return JSON_NONE;
}

static char *put_utf8(char *out, unsigned long code) {
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

static unsigned long four_digits(const char *at) {
    char digits[5];
    memcpy(digits, at, 4);
    digits[4] = 0;
    return strtoul(digits, NULL, 16);
}

/* Reads the escape behind a backslash; an escape takes at least as many bytes as it stands for. */
static const char *unescape(const char *at, char **out) {
    static const char letters[] = "nrtbf", controls[] = "\n\r\t\b\f";
    const char *letter = strchr(letters, *at);
    if (*at != 'u') {
        *(*out)++ = letter ? controls[letter - letters] : *at;
        return at + 1;
    }
    unsigned long code = four_digits(at + 1);
    at += 5;
    if (code >= 0xd800 && code < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
        code = 0x10000 + ((code - 0xd800) << 10) + (four_digits(at + 2) - 0xdc00);
        at += 6;
    }
    *out = put_utf8(*out, code);
    return at;
}

char *json_view_text(const json_view *view, int at) {
    const jsmntok_t *t = token(view, at);
    char *text = t ? malloc((size_t)(t->end - t->start) + 1) : NULL;
    if (!text) {
        return NULL;
    }
    char *out = text;
    const char *from = view->text + t->start, *end = view->text + t->end;
    while (from < end) {
        if (*from == '\\' && t->type == JSMN_STRING) {
            from = unescape(from + 1, &out);
        } else {
            *out++ = *from++;
        }
    }
    *out = 0;
    return text;
}

void json_view_print(const json_view *view, int at, bool newlines) {
    char *text = json_view_text(view, at);
    if (text) {
        cli_print_safe(text, strlen(text), newlines);
    }
    free(text);
}

bool json_view_same(const json_view *view, int a, int b) {
    const jsmntok_t *first = token(view, a), *second = token(view, b);
    return first && second && first->end - first->start == second->end - second->start &&
           memcmp(view->text + first->start, view->text + second->start,
                  (size_t)(first->end - first->start)) == 0;
}
