/* json.c — jsmn cuts the text into tokens and checks little more; what stands between the tokens, and
 * in numbers and strings, is checked here, so that the accessors can rely on it. */
#include "base/json.h"

#include "base/decimal.h"
#include "base/text.h"

#include <limits.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS /* without them, closing brackets search all tokens */
#include <jsmn.h>

#define MAX_DEPTH 32

struct pq_json_token {
    jsmntok_t jsmn;
};

typedef struct {
    pq_ctx *ctx;
    const char *text;
    int size;
    const char *what;
    const jsmntok_t *tokens;
    int count;
} checker;

static pique_status refuse(const checker *c, int at, const char *reason) {
    unsigned long line = 1, column = 1;
    for (int i = 0; i < at && i < c->size; i++) {
        bool newline = c->text[i] == '\n';
        line += newline;
        column = newline ? 1 : column + 1;
    }
    PQ_FAIL(c->ctx, PIQUE_CORRUPT, "%s: line %lu, column %lu: %s", c->what, line, column, reason);
}

/* Before jsmn sees it: closing many brackets costs jsmn the square of their number, and a NUL would be
 * the end. Strings and brackets may only begin where a value or key may, so that this and jsmn mean
 * the same by "inside a string". */
static pique_status check_depth(const checker *c) {
    int depth = 0;
    bool in_string = false;
    char before = ',';
    for (int i = 0; i < c->size; i++) {
        char byte = c->text[i];
        if (byte == 0) {
            return refuse(c, i, "a NUL byte");
        }
        if (in_string) {
            in_string = byte != '"';
            i += byte == '\\';
            continue;
        }
        if (byte == '"' || byte == '[' || byte == '{') {
            if (!strchr(",:[{", before)) {
                return refuse(c, i, "unexpected text");
            }
            in_string = byte == '"';
            depth += byte != '"';
        }
        depth -= byte == ']' || byte == '}';
        if (depth > MAX_DEPTH) {
            return refuse(c, i, "nested deeper than 32");
        }
        before = strchr(" \t\r\n", byte) ? before : byte;
    }
    return PIQUE_OK;
}

/* Between `from` and `to` stand only white space and, when it is not 0, one `mark`. */
static pique_status check_gap(const checker *c, int from, int to, char mark) {
    static const char reasons[][32] = {"unexpected text", "a comma is missing here",
                                       "a colon is missing here"};
    bool marked = mark == 0;
    for (int i = from; i < to; i++) {
        if (!marked && c->text[i] == mark) {
            marked = true;
        } else if (!strchr(" \t\r\n", c->text[i])) {
            return refuse(c, i, reasons[0]);
        }
    }
    return marked ? PIQUE_OK : refuse(c, to, reasons[mark == ',' ? 1 : 2]);
}

static int skip_digits(const checker *c, int at, int end) {
    while (at < end && c->text[at] >= '0' && c->text[at] <= '9') {
        at++;
    }
    return at;
}

static bool is_number(const checker *c, int at, int end) {
    at += at < end && c->text[at] == '-';
    int digits = skip_digits(c, at, end);
    if (digits == at || (digits > at + 1 && c->text[at] == '0')) {
        return false;
    }
    at = digits;
    if (at < end && c->text[at] == '.') {
        digits = skip_digits(c, at + 1, end);
        if (digits == at + 1) {
            return false;
        }
        at = digits;
    }
    if (at < end && (c->text[at] == 'e' || c->text[at] == 'E')) {
        at++;
        at += at < end && (c->text[at] == '+' || c->text[at] == '-');
        digits = skip_digits(c, at, end);
        if (digits == at) {
            return false;
        }
        at = digits;
    }
    return at == end;
}

static pique_status check_primitive(const checker *c, const jsmntok_t *token) {
    static const char words[][6] = {"true", "false", "null"};
    size_t size = (size_t)(token->end - token->start);
    for (size_t i = 0; i < PQ_COUNT(words); i++) {
        if (size == strlen(words[i]) && memcmp(c->text + token->start, words[i], size) == 0) {
            return PIQUE_OK;
        }
    }
    return is_number(c, token->start, token->end) ? PIQUE_OK
                                                  : refuse(c, token->start, "not a JSON value");
}

/* The code unit of four hexadecimal digits (jsmn has checked them). */
static uint32_t read_unit(const char *digits) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t digit = (uint32_t)(unsigned char)digits[i];
        unit = unit * 16 + (digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    return unit;
}

static pique_status check_string(const checker *c, const jsmntok_t *token) {
    for (int i = token->start; i < token->end;) {
        size_t length = pq_utf8_length(c->text + i, (size_t)(token->end - i));
        if (length == 0) {
            return refuse(c, i, "invalid UTF-8");
        }
        if ((unsigned char)c->text[i] < 0x20) {
            return refuse(c, i, "a control character inside a string");
        }
        if (c->text[i] != '\\') {
            i += (int)length;
            continue;
        }
        if (c->text[i + 1] != 'u') {
            i += 2;
            continue;
        }
        uint32_t unit = read_unit(c->text + i + 2);
        if (unit == 0) {
            return refuse(c, i, "the character NUL inside a string");
        }
        if (unit >= 0xd800 && unit < 0xe000) {
            bool pair = unit < 0xdc00 && token->end - i >= 12 && c->text[i + 6] == '\\' &&
                        c->text[i + 7] == 'u' && read_unit(c->text + i + 8) >> 10 == 0xdc00 >> 10;
            if (!pair) {
                return refuse(c, i, "half of a surrogate pair");
            }
            i += 6;
        }
        i += 6;
    }
    return PIQUE_OK;
}

/* The first byte behind a token, its closing quote included. */
static int end_of(const jsmntok_t *token) {
    return token->end + (token->type == JSMN_STRING);
}

static int begin_of(const jsmntok_t *token) {
    return token->start - (token->type == JSMN_STRING);
}

/* Checks the value at *at and moves *at to the token behind it; as deep as check_depth allows. */
static pique_status check_value(const checker *c, int *at) {
    const jsmntok_t *token = &c->tokens[(*at)++];
    if (token->type == JSMN_PRIMITIVE) {
        return check_primitive(c, token);
    }
    if (token->type == JSMN_STRING) {
        return check_string(c, token);
    }
    int from = token->start + 1;
    bool first = true;
    while (*at < c->count && c->tokens[*at].start < token->end) {
        const jsmntok_t *child = &c->tokens[*at];
        PQ_TRY(check_gap(c, from, begin_of(child), first ? 0 : ','));
        if (token->type == JSMN_OBJECT) {
            if (child->type != JSMN_STRING) {
                return refuse(c, child->start, "the key of a member must be a string");
            }
            PQ_TRY(check_string(c, child));
            (*at)++;
            if (*at == c->count || c->tokens[*at].start >= token->end) {
                return refuse(c, end_of(child), "a value is missing here");
            }
            PQ_TRY(check_gap(c, end_of(child), begin_of(&c->tokens[*at]), ':'));
            child = &c->tokens[*at];
        }
        PQ_TRY(check_value(c, at));
        from = end_of(child);
        first = false;
    }
    return check_gap(c, from, token->end - 1, 0);
}

static pique_status check(const checker *c) {
    if (c->count == 0) {
        return refuse(c, c->size, "a value is missing here");
    }
    int at = 0;
    PQ_TRY(check_gap(c, 0, begin_of(&c->tokens[0]), 0));
    PQ_TRY(check_value(c, &at));
    return check_gap(c, end_of(&c->tokens[0]), c->size, 0);
}

pique_status pq_json_parse(pq_ctx *ctx, const char *text, size_t size, const char *what,
                           pq_json *out) {
    *out = (pq_json){.ctx = ctx, .text = text};
    if (size > INT_MAX / 2) {
        PQ_FAIL(ctx, PIQUE_CORRUPT, "%s: %lu bytes are too many", what, (unsigned long)size);
    }
    checker c = {.ctx = ctx, .text = text, .size = (int)size, .what = what};
    PQ_TRY(check_depth(&c));
    jsmn_parser parser;
    jsmn_init(&parser);
    int count = jsmn_parse(&parser, text, size, NULL, 0);
    if (count >= 0) {
        out->tokens = pq_alloc(ctx, (size_t)count, sizeof(*out->tokens));
        if (!out->tokens) {
            return PIQUE_NO_MEMORY;
        }
        jsmn_init(&parser);
        /* At least 1, else an empty text asks for the count again. */
        count = jsmn_parse(&parser, text, size, &out->tokens->jsmn, (unsigned)PQ_MAX(count, 1));
    }
    pique_status status;
    if (count < 0) {
        status = refuse(&c, (int)parser.pos,
                        count == JSMN_ERROR_PART ? "it ends too early" : "invalid JSON");
    } else {
        out->count = c.count = count;
        c.tokens = &out->tokens->jsmn;
        status = check(&c);
    }
    if (status != PIQUE_OK) {
        pq_json_free(out);
    }
    return status;
}

void pq_json_free(pq_json *json) {
    pq_free(json->ctx, json->tokens);
    json->tokens = NULL;
    json->count = 0;
}

static const jsmntok_t *token_at(const pq_json *json, int at) {
    return at >= 0 && at < json->count ? &json->tokens[at].jsmn : NULL;
}

static bool has_type(const pq_json *json, int at, jsmntype_t type) {
    const jsmntok_t *token = token_at(json, at);
    return token && token->type == type;
}

bool pq_json_is_object(const pq_json *json, int at) {
    return has_type(json, at, JSMN_OBJECT);
}

bool pq_json_is_array(const pq_json *json, int at) {
    return has_type(json, at, JSMN_ARRAY);
}

bool pq_json_is_string(const pq_json *json, int at) {
    return has_type(json, at, JSMN_STRING);
}

int pq_json_size(const pq_json *json, int at) {
    return pq_json_is_object(json, at) || pq_json_is_array(json, at) ? token_at(json, at)->size : 0;
}

int pq_json_first(const pq_json *json, int at) {
    return pq_json_size(json, at) ? at + 1 : -1;
}

int pq_json_next(const pq_json *json, int at) {
    const jsmntok_t *token = token_at(json, at);
    if (!token) {
        return -1;
    }
    int end = token->end, next = at + 1, parent = token->parent;
    if (token->type == JSMN_STRING && token->size == 1) { /* a key: behind its value */
        end = token_at(json, next++)->end;
    }
    while (next < json->count && token_at(json, next)->start < end) {
        next++;
    }
    return next < json->count && token_at(json, next)->parent == parent ? next : -1;
}

int pq_json_find(const pq_json *json, int object, const char *key) {
    if (!pq_json_is_object(json, object)) {
        return -1;
    }
    size_t size = strlen(key);
    for (int at = pq_json_first(json, object); at >= 0; at = pq_json_next(json, at)) {
        pq_span span = pq_json_span(json, at);
        if (span.size == size && memcmp(span.bytes, key, size) == 0) {
            return at + 1;
        }
    }
    return -1;
}

pq_span pq_json_span(const pq_json *json, int at) {
    const jsmntok_t *token = token_at(json, at);
    if (!token) {
        return (pq_span){.bytes = "", .size = 0};
    }
    return (pq_span){.bytes = json->text + token->start,
                     .size = (size_t)(token->end - token->start)};
}

bool pq_json_number(const pq_json *json, int at, double *out) {
    pq_span span = pq_json_span(json, at);
    return has_type(json, at, JSMN_PRIMITIVE) && pq_decimal_parse(span.bytes, span.size, out);
}

bool pq_json_unsigned(const pq_json *json, int at, uint64_t *out) {
    pq_span span = pq_json_span(json, at);
    if (!has_type(json, at, JSMN_PRIMITIVE)) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < span.size; i++) {
        uint64_t digit = (uint64_t)(unsigned char)span.bytes[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static size_t put_utf8(char *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 63));
        code >>= 6;
    }
    out[0] = (char)((0xf00 >> length & 0xff) | code);
    return length;
}

char *pq_json_string(const pq_json *json, int at, size_t *size) {
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    if (!pq_json_is_string(json, at)) {
        (void)pq_fail(json->ctx, PIQUE_CORRUPT, "the JSON value is not a string");
        return NULL;
    }
    pq_span span = pq_json_span(json, at);
    char *result = pq_alloc(json->ctx, span.size + 1, 1); /* escapes only shorten */
    if (!result) {
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < span.size; i++) {
        if (span.bytes[i] != '\\') {
            result[used++] = span.bytes[i];
            continue;
        }
        char escape = span.bytes[++i];
        const char *letter = strchr(letters, escape);
        if (escape == 'u') {
            uint32_t code = read_unit(span.bytes + i + 1);
            i += 4;
            if (code >= 0xd800 && code < 0xe000) {
                uint32_t low = read_unit(span.bytes + i + 3);
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                i += 6;
            }
            used += put_utf8(result + used, code);
        } else {
            result[used++] = letter ? controls[letter - letters] : escape;
        }
    }
    result[used] = 0;
    if (size) {
        *size = used;
    }
    return result;
}
