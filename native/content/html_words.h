/* html_words.h — the words of a text in UTF-8, in lower case: what items that tell of the same thing have in common.
 *
 * A word is a run of letters, digits and combining marks, of two characters or more. Scripts that set no spaces between
 * words (Han, kana, Thai, Lao, Burmese, Khmer), and Hangul, whose words take endings, give every pair of neighbouring
 * characters instead, and one that stands alone. HTML is stepped over: tags, comments, what stands in <script> and
 * <style>; &amp; and numeric references are characters, other named references end a word. So do bytes that are no
 * UTF-8. */
#ifndef PQ_HTML_WORDS_H
#define PQ_HTML_WORDS_H

#include "base/text.h"

typedef pique_status pq_word_callback(void *user, const char *bytes, size_t size);

/* Ends with the first status of `word` that is not PIQUE_OK. Words of more than 64 bytes are left out. */
pique_status pq_html_words(const char *bytes, size_t size, pq_word_callback *word, void *user);

/* Appends a tag in lower case: letters, '+' and '#' ("C++"), runs of anything else as one space, none at the ends. */
void pq_html_words_fold(pq_text *out, const char *bytes, size_t size);

#endif
