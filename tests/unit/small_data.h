/* small_data.h — data sets written into a test: lines of "user item item …", oldest first. */
#ifndef SMALL_DATA_H
#define SMALL_DATA_H

#include "tests/unit/testing.h"

#include "base/rng.h"
#include "native/data/readers.h"

static inline pique_status small_data_open(pq_ctx *ctx, const char *lines, pique_dataset **out) {
    pq_source sources[PQ_READER_FILES] = {{.name = "lines", .bytes = lines, .size = strlen(lines)}};
    pique_dataset_options options;
    pique_dataset_options_default(&options);
    options.path = "lines";
    return pq_dataset_parse(ctx, &pq_reader_sequences, sources, &options, NULL, out);
}

/* `users` users with histories of 2 to 2 + spread events among items i0 …, the low numbers more often. */
static inline char *small_data_text(uint32_t users, uint32_t items, uint32_t spread) {
    char *text = malloc((size_t)users * (spread + 4) * 8);
    size_t size = 0;
    assert_non_null(text);
    for (uint32_t u = 0; u < users; u++) {
        pq_rng rng = pq_rng_make(11, u, 0);
        uint32_t count = 2 + pq_rng_below(&rng, spread + 1);
        size += (size_t)sprintf(text + size, "u%u", (unsigned)u);
        for (uint32_t i = 0; i < count; i++) {
            double x = pq_rng_uniform(&rng);
            size += (size_t)sprintf(text + size, " i%u", (unsigned)(x * x * items));
        }
        text[size++] = '\n';
    }
    text[size] = 0;
    return text;
}

#endif
