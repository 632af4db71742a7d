#include "base/words.h"

#define BEGIN 2166136261U

static uint32_t step(uint32_t state, uint32_t c) {
    return (state ^ c) * 16777619U;
}

void pq_words(pq_span text, uint32_t buckets, void (*take)(void *user, uint32_t code), void *user) {
    uint32_t word = BEGIN, pair = 0;
    bool inside = false, second = false;
    for (size_t i = 0; i <= text.size; i++) {
        uint32_t c = i < text.size ? (unsigned char)text.bytes[i] : ' ';
        bool letter = (c | 32) - 'a' < 26;
        if (letter || c - '0' < 10 || c >= 0x80) {
            c = letter ? c | 32 : c;
            word = step(word, c);
            pair = step(pair, c);
            inside = true;
        } else if (inside) {
            take(user, 1 + word % buckets);
            if (second) {
                take(user, 1 + pair % buckets);
            }
            pair = step(word, ' ');
            word = BEGIN;
            inside = false;
            second = true;
        }
    }
}
