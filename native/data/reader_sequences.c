/* reader_sequences.c — "user item item …" a line, oldest first, separated by spaces or tabs. There are
 * no times; a user with several lines has them one after the other. */
#include "native/data/readers.h"

#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* The next word of the line, empty at its end. */
static pq_span next_word(pq_span *line) {
    while (line->size && is_space(line->bytes[0])) {
        line->bytes++;
        line->size--;
    }
    pq_span word = {.bytes = line->bytes};
    while (word.size < line->size && !is_space(line->bytes[word.size])) {
        word.size++;
    }
    line->bytes += word.size;
    line->size -= word.size;
    return word;
}

static bool fits(const pq_source *first) {
    pq_span line = pq_source_first_line(first);
    bool text = pq_utf8_valid(line.bytes, line.size);
    return text && next_word(&line).size && next_word(&line).size;
}

static pique_status on_line(void *user, size_t number, pq_span line) {
    pq_builder *builder = user;
    builder->line = number;
    if (!pq_utf8_valid(line.bytes, line.size)) {
        return pq_builder_bad(builder, "the line is not valid UTF-8");
    }
    pq_span owner = next_word(&line);
    pq_span item = next_word(&line);
    if (item.size == 0) {
        return pq_builder_bad(builder, "a user without items");
    }
    while (item.size) {
        PQ_TRY(pq_builder_event(builder, owner, item, 0, 1));
        item = next_word(&line);
    }
    return PIQUE_OK;
}

static pique_status read(pq_builder *builder, const pq_source *sources) {
    PQ_TRY(pq_reader_check_ratings(builder, &sources[0], false, false));
    builder->ordered = true;
    pq_builder_begin_file(builder, sources[0].name);
    PQ_TRY(pq_source_lines(&sources[0], on_line, builder));
    pq_builder_end_file(builder);
    return PIQUE_OK;
}

const pq_reader pq_reader_sequences = {
    .format = "sequences",
    .looks = "lines of \"user item item ...\"",
    .files = {"sequences.txt"},
    .fits = fits,
    .read = read,
};
