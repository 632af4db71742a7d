/* html_words.c — cuts texts into words. The letters of a script are told by its block; case is that of Latin, Greek,
 * Cyrillic and Armenian, by the rule of each block, which needs no table of characters. */
#include "native/content/html_words.h"

#include <string.h>

#define WORD_BYTES 64

typedef enum { NO_LETTER, LETTER, DENSE } letter_kind;

typedef struct {
    uint32_t first, last;
    letter_kind kind;
} block;

/* Rising; what no block holds is a letter from U+00C0 on. */
static const block blocks[] = {
    {0x0000, 0x002f, NO_LETTER},    {0x0030, 0x0039, LETTER},      {0x003a, 0x0040, NO_LETTER},
    {0x0041, 0x005a, LETTER},       {0x005b, 0x0060, NO_LETTER},   {0x0061, 0x007a, LETTER},
    {0x007b, 0x00a9, NO_LETTER},    {0x00aa, 0x00aa, LETTER},      {0x00ab, 0x00b4, NO_LETTER},
    {0x00b5, 0x00b5, LETTER},       {0x00b6, 0x00b9, NO_LETTER},   {0x00ba, 0x00ba, LETTER},
    {0x00bb, 0x00bf, NO_LETTER},    {0x00d7, 0x00d7, NO_LETTER},   {0x00f7, 0x00f7, NO_LETTER},
    {0x037e, 0x037e, NO_LETTER},    {0x0387, 0x0387, NO_LETTER},   {0x055a, 0x055f, NO_LETTER},
    {0x0589, 0x058f, NO_LETTER},    {0x05be, 0x05be, NO_LETTER},   {0x05c0, 0x05c0, NO_LETTER},
    {0x05c3, 0x05c3, NO_LETTER},    {0x05f3, 0x05f4, NO_LETTER},   {0x0600, 0x060f, NO_LETTER},
    {0x061b, 0x061f, NO_LETTER},    {0x066a, 0x066d, NO_LETTER},   {0x06d4, 0x06d4, NO_LETTER},
    {0x0964, 0x0965, NO_LETTER},    {0x0e00, 0x0eff, DENSE},       {0x1000, 0x1049, DENSE},
    {0x104a, 0x104f, NO_LETTER},    {0x1050, 0x109f, DENSE},       {0x1780, 0x17d3, DENSE},
    {0x17d4, 0x17db, NO_LETTER},    {0x17dc, 0x17ff, DENSE},       {0x2000, 0x2bff, NO_LETTER},
    {0x2e00, 0x3004, NO_LETTER},    {0x3005, 0x3007, DENSE},       {0x3008, 0x3030, NO_LETTER},
    {0x3031, 0x3035, DENSE},        {0x3036, 0x3040, NO_LETTER},   {0x3041, 0x3096, DENSE},
    {0x3099, 0x309a, DENSE},        {0x309b, 0x309c, NO_LETTER},   {0x309d, 0x309f, DENSE},
    {0x30a0, 0x30a0, NO_LETTER},    {0x30a1, 0x30fa, DENSE},       {0x30fb, 0x30fb, NO_LETTER},
    {0x30fc, 0x30ff, DENSE},        {0x31f0, 0x31ff, DENSE},       {0x3200, 0x33ff, NO_LETTER},
    {0x3400, 0x4dbf, DENSE},        {0x4dc0, 0x4dff, NO_LETTER},   {0x4e00, 0x9fff, DENSE},
    {0xac00, 0xd7a3, DENSE},        {0xe000, 0xf8ff, NO_LETTER},   {0xf900, 0xfaff, DENSE},
    {0xfe00, 0xfe6f, NO_LETTER},    {0xfeff, 0xff0f, NO_LETTER},   {0xff10, 0xff19, LETTER},
    {0xff1a, 0xff20, NO_LETTER},    {0xff21, 0xff3a, LETTER},      {0xff3b, 0xff40, NO_LETTER},
    {0xff41, 0xff5a, LETTER},       {0xff5b, 0xff65, NO_LETTER},   {0xff66, 0xff9f, DENSE},
    {0xffe0, 0xffff, NO_LETTER},    {0x1f000, 0x1faff, NO_LETTER}, {0x20000, 0x3ffff, DENSE},
    {0xe0000, 0x10ffff, NO_LETTER},
};

static letter_kind kind_of(uint32_t code) {
    size_t low = 0, high = PQ_COUNT(blocks);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > blocks[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < PQ_COUNT(blocks) && code >= blocks[low].first ? blocks[low].kind : LETTER;
}

static bool within(uint32_t code, uint32_t first, uint32_t last) {
    return code >= first && code <= last;
}

/* In these blocks a capital stands before its small letter. */
static bool is_capital_of_pair(uint32_t code) {
    bool odd = within(code, 0x0139, 0x0148) || within(code, 0x0179, 0x017e);
    bool even = within(code, 0x0100, 0x012f) || within(code, 0x0132, 0x0137) ||
                within(code, 0x014a, 0x0177) || within(code, 0x0370, 0x0373) ||
                within(code, 0x03d8, 0x03ef) || within(code, 0x0460, 0x0481) ||
                within(code, 0x048a, 0x04bf) || within(code, 0x04d0, 0x052f) ||
                within(code, 0x1e00, 0x1e95) || within(code, 0x1ea0, 0x1eff);
    return (odd && code % 2 == 1) || (even && code % 2 == 0);
}

static uint32_t lower(uint32_t code) {
    static const uint32_t greek[][2] = {{0x386, 0x3ac}, {0x388, 0x3ad}, {0x389, 0x3ae},
                                        {0x38a, 0x3af}, {0x38c, 0x3cc}, {0x38e, 0x3cd},
                                        {0x38f, 0x3ce}, {0x3c2, 0x3c3}, {0x178, 0xff}};
    if (is_capital_of_pair(code)) {
        return code + 1;
    }
    if (within(code, 'A', 'Z') || (within(code, 0xc0, 0xde) && code != 0xd7) ||
        within(code, 0x391, 0x3ab) || within(code, 0x410, 0x42f) || within(code, 0xff21, 0xff3a)) {
        return code + 32;
    }
    if (within(code, 0x400, 0x40f)) {
        return code + 80;
    }
    if (within(code, 0x531, 0x556)) {
        return code + 48;
    }
    for (size_t i = 0; i < PQ_COUNT(greek); i++) {
        if (code == greek[i][0]) {
            return greek[i][1];
        }
    }
    return code;
}

/* Bytes of the character, at most 4. */
static size_t encode(uint32_t code, char *out) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)((0xf00u >> size & 0xffu) | code);
    return size;
}

/* The character that the bytes begin with, and how many of them it takes; what is none is a space. */
static uint32_t decode(const char *bytes, size_t size, size_t *taken) {
    size_t length = pq_utf8_length(bytes, size);
    *taken = length ? length : 1;
    uint32_t lead = (unsigned char)bytes[0];
    if (length <= 1) {
        return length ? lead : ' ';
    }
    uint32_t code = lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | ((unsigned char)bytes[i] & 0x3fu);
    }
    return code;
}

/* ---- HTML ---- */

static bool starts_with(const char *bytes, size_t size, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i < length; i++) {
        if (i >= size || lower((unsigned char)bytes[i]) != (unsigned char)word[i]) {
            return false;
        }
    }
    return true;
}

/* Bytes up to and with `end`, or all. */
static size_t up_to(const char *bytes, size_t size, const char *end) {
    for (size_t i = 0; i < size; i++) {
        if (starts_with(bytes + i, size - i, end)) {
            return i + strlen(end);
        }
    }
    return size;
}

/* Bytes of the tag or comment that they begin with, and of what it hides; 0: neither. */
static size_t tag_size(const char *bytes, size_t size) {
    uint32_t next = size > 1 ? lower((unsigned char)bytes[1]) : 0;
    if (bytes[0] != '<' || !(within(next, 'a', 'z') || (next && strchr("/!?", (int)next)))) {
        return 0;
    }
    if (starts_with(bytes, size, "<!--")) {
        return up_to(bytes, size, "-->");
    }
    if (starts_with(bytes, size, "<script")) {
        return up_to(bytes, size, "</script>");
    }
    if (starts_with(bytes, size, "<style")) {
        return up_to(bytes, size, "</style>");
    }
    return up_to(bytes, size, ">");
}

/* The character of "#38;" or "#x26;"; 0: there is none. */
static uint32_t numeric(const char *bytes, size_t size, size_t *taken) {
    bool is_hex = size > 1 && lower((unsigned char)bytes[1]) == 'x';
    uint32_t base = is_hex ? 16 : 10, code = 0;
    size_t first = is_hex ? 2 : 1, i = first;
    for (; i < size && i < first + 7; i++) {
        uint32_t digit = lower((unsigned char)bytes[i]);
        digit = within(digit, '0', '9') ? digit - '0' : within(digit, 'a', 'f') ? digit - 87 : 99;
        if (digit >= base) {
            break;
        }
        code = code * base + digit;
    }
    *taken = i + 1;
    bool good = i > first && i < size && bytes[i] == ';' && code < 0x110000;
    return good && !within(code, 0xd800, 0xdfff) ? code : 0;
}

/* The character that a reference behind '&' stands for, and its bytes; 0: it is none. */
static uint32_t reference(const char *bytes, size_t size, size_t *taken) {
    if (size > 0 && bytes[0] == '#') {
        return numeric(bytes, size, taken);
    }
    size_t i = 0;
    while (i < size && i < 32 && within(lower((unsigned char)bytes[i]), 'a', 'z')) {
        i++;
    }
    *taken = i + 1;
    return i > 0 && i < size && bytes[i] == ';' ? ' ' : 0;
}

/* The next character of an HTML text, in lower case. */
static uint32_t next_character(const char *bytes, size_t size, size_t *taken) {
    *taken = tag_size(bytes, size);
    if (*taken) {
        return ' ';
    }
    if (bytes[0] == '&') {
        uint32_t code = reference(bytes + 1, size - 1, taken);
        *taken = code ? *taken + 1 : 1;
        return code ? lower(code) : ' ';
    }
    return lower(decode(bytes, size, taken));
}

/* ---- words ---- */

typedef struct {
    pq_word_callback *word;
    void *user;
    char bytes[WORD_BYTES + 8];
    size_t size;      /* of the word so far; beyond WORD_BYTES: too long */
    uint32_t count;   /* its characters; of a dense script those of the run */
    letter_kind kind; /* of all of them */
} cutter;

static pique_status give(cutter *c) {
    return c->size <= WORD_BYTES ? c->word(c->user, c->bytes, c->size) : PIQUE_OK;
}

static pique_status end_word(cutter *c) {
    bool wanted = c->kind == DENSE ? c->count == 1 : c->count > 1;
    pique_status status = wanted ? give(c) : PIQUE_OK;
    c->size = c->count = 0;
    return status;
}

static pique_status add_character(cutter *c, uint32_t code) {
    letter_kind kind = kind_of(code);
    if (kind != c->kind) {
        PQ_TRY(end_word(c));
        c->kind = kind;
    }
    if (kind == NO_LETTER) {
        return PIQUE_OK;
    }
    size_t size = c->size <= WORD_BYTES ? encode(code, c->bytes + c->size) : 0;
    c->size += size;
    if (kind == DENSE && c->count > 0) {
        PQ_TRY(give(c));
        memmove(c->bytes, c->bytes + c->size - size, size);
        c->size = size;
    }
    c->count++;
    return PIQUE_OK;
}

pique_status pq_html_words(const char *bytes, size_t size, pq_word_callback *word, void *user) {
    cutter c = {.word = word, .user = user};
    size_t taken;
    for (size_t at = 0; at < size; at += taken) {
        PQ_TRY(add_character(&c, next_character(bytes + at, size - at, &taken)));
    }
    return end_word(&c);
}

void pq_html_words_fold(pq_text *out, const char *bytes, size_t size) {
    bool space = false;
    size_t taken, first = out->size;
    for (size_t at = 0; at < size; at += taken) {
        char letter[4];
        uint32_t code = lower(decode(bytes + at, size - at, &taken));
        if (kind_of(code) == NO_LETTER && code != '+' && code != '#') {
            space = out->size > first;
            continue;
        }
        pq_text_bytes(out, " ", space ? 1 : 0);
        pq_text_bytes(out, letter, encode(code, letter));
        space = false;
    }
}
