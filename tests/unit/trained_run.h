/* trained_run.h — whole runs on small data in a folder of a test's own, and what they left. */
#ifndef TRAINED_RUN_H
#define TRAINED_RUN_H

#include "testing.h"

#include <sys/stat.h>

#include "base/rng.h"
#include "file/container.h"
#include "pique_train.h"

#define MOST_SETTINGS 24

typedef struct {
    char folder[TESTING_PATH];
    pique_context *ctx;
    pique_dataset *data;
    const char *model;
    const char *const *more; /* settings over those of `train`, NULL-terminated */
    const char *init;        /* a run of the folder, or a file of one */
    const char *teacher;     /* files, joined by ',' */
} place;

typedef struct {
    const char *column; /* of the items */
    bool labelled, no_profile;
    unsigned others; /* so many of the 25 items have ids that other data have not */
} ratings;

/* Ratings of 40 users of 25 items with a genre, users with an age. */
static inline void open_ratings(place *p, const ratings *r) {
    char path[TESTING_PATH], data[TESTING_PATH];
    pique_dataset_options options;
    *p = (place){.model = NULL};
    testing_folder(p->folder);
    testing_path(data, p->folder, "data");
    assert_int_equal(mkdir(data, 0700), 0);
    FILE *file = fopen(testing_path(path, data, "interactions.csv"), "w");
    assert_non_null(file);
    fprintf(file, "user,item,timestamp,rating\n");
    for (unsigned u = 0; u < 40; u++) {
        pq_rng rng = pq_rng_make(2, u, 0);
        for (unsigned i = 0; i < 4 + u % 9; i++) {
            unsigned item = pq_rng_below(&rng, 25);
            fprintf(file, "u%u,%c%u,%u,%u\n", u, item < r->others ? 'o' : 'i', item, 100 + i,
                    1 + (u + item * item) % 5);
        }
    }
    assert_int_equal(fclose(file), 0);
    file = fopen(testing_path(path, data, "items.csv"), "w");
    assert_non_null(file);
    fprintf(file, "item,%s\n", r->column);
    for (unsigned i = 0; i < 25; i++) {
        fprintf(file, "%c%u,g%u\n", i < r->others ? 'o' : 'i', i, i % 4);
    }
    assert_int_equal(fclose(file), 0);
    file = fopen(testing_path(path, data, "users.csv"), "w");
    assert_non_null(file);
    fprintf(file, r->no_profile ? "user\n" : "user,age\n");
    for (unsigned u = 0; u < 40; u += 2) {
        fprintf(file, r->no_profile ? "u%u\n" : "u%u,%u\n", u, 20 + u % 3);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(pique_context_create(NULL, &p->ctx), PIQUE_OK);
    pique_dataset_options_default(&options);
    options.path = data;
    options.labelled = r->labelled;
    assert_ok(p->ctx, pique_dataset_open(p->ctx, &options, NULL, &p->data));
}

static inline void open_place(place *p, const char *column) {
    open_ratings(p, &(ratings){.column = column});
}

static inline void close_place(place *p) {
    pique_dataset_free(p->data);
    pique_context_free(p->ctx);
    testing_folder_remove(p->folder);
}

static inline bool stop_after(void *user) {
    int *steps = user;
    return --*steps == 0;
}

/* Trains into folder/name; steps > 0: stops after so many. */
static inline pique_status train(place *p, const char *name, uint32_t threads, bool resume,
                                 int steps) {
    static const char *const common[] = {"dim=8",        "epochs=4", "negatives=10", "batch=50",
                                         "eval_every=2", "lr=0.01",  "history=6",    "cutoff=5"};
    static const char *const of_mind[] = {"hidden=6", "profile_dim=3", NULL};
    const char *set[MOST_SETTINGS];
    uint32_t count = PQ_COUNT(common);
    memcpy(set, common, sizeof(common));
    for (const char *const *more = p->more ? p->more : of_mind; *more; more++) {
        set[count++] = *more;
    }
    char run[TESTING_PATH];
    pique_train_options options;
    pique_train_result result;
    const pique_listener listener = {.cancelled = stop_after, .user = &steps};
    pique_train_options_default(&options);
    options.model = p->model ? p->model : "mind";
    options.set = set;
    options.set_count = count;
    options.out = testing_path(run, p->folder, name);
    options.threads = threads;
    options.resume = resume;
    char init[TESTING_PATH];
    options.init = p->init ? testing_path(init, p->folder, p->init) : NULL;
    options.teacher = p->teacher;
    return pique_train(p->ctx, p->data, &options, steps ? &listener : NULL, &result);
}

/* Files of two runs; metrics.jsonl without its last member, the seconds. */
static inline void assert_same_file(const place *p, const char *first, const char *second,
                                    const char *name) {
    char run[TESTING_PATH], path[TESTING_PATH];
    size_t sizes[2];
    char *bytes[2];
    for (int i = 0; i < 2; i++) {
        testing_path(run, p->folder, i ? second : first);
        bytes[i] = testing_read(testing_path(path, run, name), &sizes[i]);
        assert_non_null(bytes[i]);
    }
    if (strcmp(name, "metrics.jsonl") == 0) {
        for (int i = 0; i < 2; i++) {
            for (char *at = bytes[i]; (at = strstr(at, ",\"seconds\":"));) {
                memset(at, ' ', strcspn(at, "}"));
                memmove(at, at + strcspn(at, "}"), strlen(at + strcspn(at, "}")) + 1);
            }
            sizes[i] = strlen(bytes[i]);
        }
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    assert_true(sizes[0] > 20);
    free(bytes[0]);
    free(bytes[1]);
}

static inline char *journal_of(const place *p, const char *name) {
    char run[TESTING_PATH], path[TESTING_PATH];
    size_t size;
    char *text = testing_read(
        testing_path(path, testing_path(run, p->folder, name), "metrics.jsonl"), &size);
    assert_non_null(text);
    return text;
}

/* The first loss of the journal in which the two differ counts: which epoch it is of, 0 for none. */
static inline unsigned first_difference(const place *p, const char *first, const char *second) {
    char *a = journal_of(p, first), *b = journal_of(p, second), *left = a, *right = b;
    unsigned epoch = 0;
    for (unsigned i = 1; !epoch && (left = strstr(left, "\"loss\":")) != NULL; i++) {
        right = strstr(right, "\"loss\":");
        assert_non_null(right);
        epoch = strncmp(left, right, strcspn(left, ",")) == 0 ? 0 : i;
        left++;
        right++;
    }
    free(a);
    free(b);
    return epoch;
}

/* A tensor of the state that a run is in, as a copy. */
static inline float *state_of(place *p, const char *name, const char *tensor, size_t *count) {
    char run[TESTING_PATH], path[TESTING_PATH];
    size_t size;
    pq_container file;
    char *bytes =
        testing_read(testing_path(path, testing_path(run, p->folder, name), "last.ckpt"), &size);
    assert_non_null(bytes);
    assert_ok(p->ctx, pq_container_open(p->ctx, bytes, size, &file));
    const pq_tensor *found = pq_container_find(&file, tensor);
    assert_non_null(found);
    *count = found->count;
    float *copy = malloc(found->count * sizeof(*copy));
    assert_non_null(copy);
    memcpy(copy, found->data, found->count * sizeof(*copy));
    pq_container_close(&file);
    free(bytes);
    return copy;
}

/* Whether the tensor is the same in two runs. */
static inline bool same_state(place *p, const char *first, const char *second, const char *tensor) {
    size_t counts[2];
    float *a = state_of(p, first, tensor, &counts[0]), *b = state_of(p, second, tensor, &counts[1]);
    assert_int_equal(counts[0], counts[1]);
    bool same = memcmp(a, b, counts[0] * sizeof(*a)) == 0;
    free(a);
    free(b);
    return same;
}

#endif
