/* test_planted.c — do MIND's interests recover the interests that simulated viewers were given?
 *
 * Measure 1, the history. Each item of a viewer's history goes to the interest with the largest share in
 * it (pique_session_interests), and to the planted interest that it satisfies; items that satisfy none or
 * several are left out. The adjusted Rand index compares the two partitions: 1 when they are the same, 0
 * on average for assignments by chance, whatever the sizes of the parts. Mean over the viewers with two or
 * more planted interests among their items. Chance: the same with each viewer's assignments shuffled.
 *
 * Measure 2, the catalogue. Of the ten unseen items nearest to one interest vector, the share that satisfies
 * the planted interest that most of them satisfy. Chance: ten items drawn by popularity.
 *
 * The catalogue is invented: 300 items of 8 kinds and 19 makers. */
#include "testing.h"

#include "api/opened.h"
#include "native/data/dataset.h"
#include "pique_train.h"
#include "retrieval/scan.h"

#include <math.h>

enum {
    ITEMS = 300,
    KINDS = 8,
    MAKERS = 19,
    VIEWERS = 600,
    PLANTED = 4,
    NEAREST = 10,
    LONGEST = 50
};

typedef struct {
    int column; /* 0: kind, 1: maker */
    int value;
} planted;

typedef struct {
    char folder[TESTING_PATH];
    pique_context *ctx;
    pique_dataset *data;
    pique_model *model;
    pique_session *session;
    int number[ITEMS + 2]; /* the catalogue's number of each of the data set's items */
    planted interests[VIEWERS][PLANTED];
    int interest_count[VIEWERS];
} world;

static int value_of(int item, int column) {
    return column == 0 ? item % KINDS : item * 7 % 131 % MAKERS;
}

static bool satisfies(int item, planted p) {
    return value_of(item, p.column) == p.value;
}

/* ---- making the world ---- */

static void write_catalogue(const char *path) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "item,title,kind,maker,popularity\n");
    for (int i = 0; i < ITEMS; i++) {
        fprintf(file, "t%d,Thing %d,k%d,m%d,%d\n", i, i, value_of(i, 0), value_of(i, 1),
                1 + i * 37 % 500);
    }
    assert_int_equal(fclose(file), 0);
}

/* truth.csv: user,interest,column,value,weight */
static void read_truth(world *w, const char *path) {
    char line[200], user[40], column[20], value[20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    while (fgets(line, sizeof(line), file)) {
        int interest;
        assert_int_equal(
            sscanf(line, "%39[^,],%d,%19[^,],%19[^,],", user, &interest, column, value), 4);
        uint32_t u = pq_strings_find(&w->data->users, user, strlen(user));
        assert_true(u < VIEWERS && w->interest_count[u] < PLANTED);
        w->interests[u][w->interest_count[u]++] =
            (planted){strcmp(column, "maker") == 0, atoi(value + 1)};
    }
    fclose(file);
}

static void train(world *w, const char *run) {
    static const char *const set[] = {"dim=16",      "hidden=32",     "history=50",
                                      "rounds=10",   "sigma=0.5",     "fade=0.05",
                                      "hard=1",      "epochs=8",      "batch=128",
                                      "lr=0.005",    "negatives=200", "samples_per_user=10",
                                      "eval_every=8"};
    pique_train_options options;
    pique_train_result result;
    pique_train_options_default(&options);
    options.set = set;
    options.set_count = PQ_COUNT(set);
    options.out = run;
    options.threads = 2;
    assert_ok(w->ctx, pique_train(w->ctx, w->data, &options, NULL, &result));
}

static void open_world(world *w) {
    char catalogue[TESTING_PATH], viewers[TESTING_PATH], path[TESTING_PATH];
    pique_simulate_options simulation;
    pique_dataset_options reading;
    memset(w, 0, sizeof(*w));
    testing_folder(w->folder);
    assert_int_equal(pique_context_create(NULL, &w->ctx), PIQUE_OK);
    write_catalogue(testing_path(catalogue, w->folder, "things.csv"));
    pique_simulate_options_default(&simulation);
    simulation.catalog = catalogue;
    simulation.out = testing_path(viewers, w->folder, "viewers");
    simulation.users = VIEWERS;
    simulation.interests = PLANTED;
    assert_ok(w->ctx, pique_simulate(w->ctx, &simulation, NULL));
    pique_dataset_options_default(&reading);
    reading.path = viewers;
    assert_ok(w->ctx, pique_dataset_open(w->ctx, &reading, NULL, &w->data));
    read_truth(w, testing_path(path, viewers, "truth.csv"));
    for (uint32_t i = 0; i < w->data->items.count; i++) {
        size_t size;
        w->number[i + 1] = atoi(pq_strings_get(&w->data->items, i, &size) + 1);
    }
    train(w, testing_path(path, w->folder, "run"));
    assert_ok(w->ctx,
              pique_model_read(w->ctx, testing_path(catalogue, path, "model.pique"), &w->model));
    assert_ok(w->ctx, pique_session_create(w->ctx, w->model, &w->session));
    /* The model was trained on this data set: both number the items alike. */
    assert_int_equal(pique_model_item_count(w->model), w->data->items.count);
}

static void close_world(world *w) {
    pique_session_free(w->session);
    pique_model_free(w->model);
    pique_dataset_free(w->data);
    pique_context_free(w->ctx);
    testing_folder_remove(w->folder);
}

/* ---- measure 1 ---- */

/* Two partitions of the same items: part[0][i] by the model, part[1][i] as planted. */
typedef struct {
    int part[2][LONGEST];
    int count;
} partitions;

static double pairs(double n) {
    return n * (n - 1) / 2;
}

static double rand_index(const partitions *p) {
    double both[16][PLANTED] = {{0}}, left[16] = {0}, right[PLANTED] = {0};
    double together = 0, in_left = 0, in_right = 0;
    for (int i = 0; i < p->count; i++) {
        both[p->part[0][i]][p->part[1][i]]++;
        left[p->part[0][i]]++;
        right[p->part[1][i]]++;
    }
    for (int a = 0; a < 16; a++) {
        in_left += pairs(left[a]);
        for (int b = 0; b < PLANTED; b++) {
            together += pairs(both[a][b]);
        }
    }
    for (int b = 0; b < PLANTED; b++) {
        in_right += pairs(right[b]);
    }
    double expected = in_left * in_right / pairs(p->count), most = (in_left + in_right) / 2;
    return most > expected ? (together - expected) / (most - expected) : 0;
}

static void test_rand_index(void **state) {
    (void)state;
    const partitions same = {{{3, 3, 0, 0, 1}, {1, 1, 2, 2, 0}}, 5};
    const partitions all_in_one = {{{0, 0, 0, 0}, {0, 0, 1, 1}}, 4};
    const partitions crossed = {{{0, 1, 0, 1}, {0, 0, 1, 1}}, 4};
    assert_true(rand_index(&same) == 1);
    assert_true(rand_index(&all_in_one) == 0);
    assert_true(fabs(rand_index(&crossed) + 0.5) < 1e-12); /* (0 - 2/3) / (2 - 2/3) */
}

/* Items of the viewer's history that satisfy one planted interest alone. false: less than two interests
 * or four items. */
static bool divide(const world *w, uint32_t u, const pq_view *view, const pique_interests *in,
                   partitions *p) {
    uint32_t count = view->history_count - in->history_first;
    bool several = false;
    p->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        int item = w->number[view->history[in->history_first + i]], met = 0, which = 0;
        uint32_t best = 0;
        for (int j = 0; j < w->interest_count[u]; j++) {
            if (satisfies(item, w->interests[u][j])) {
                met++;
                which = j;
            }
        }
        for (uint32_t k = 1; k < in->live; k++) {
            best = in->shares[k * count + i] > in->shares[best * count + i] ? k : best;
        }
        if (met == 1) {
            p->part[0][p->count] = (int)best;
            p->part[1][p->count] = which;
            several = several || which != p->part[1][0];
            p->count++;
        }
    }
    return several && p->count >= 4;
}

static void shuffle(partitions *p, pq_rng *rng) {
    for (int i = p->count - 1; i > 0; i--) {
        int j = (int)pq_rng_below(rng, (uint32_t)i + 1), moved = p->part[0][i];
        p->part[0][i] = p->part[0][j];
        p->part[0][j] = moved;
    }
}

/* ---- measure 2 ---- */

/* The largest share of `items` (numbers of the data set) that satisfies one planted interest. */
static double agreement(const world *w, uint32_t u, const uint32_t *items) {
    int most = 0;
    for (int j = 0; j < w->interest_count[u]; j++) {
        int met = 0;
        for (int i = 0; i < NEAREST; i++) {
            met += satisfies(w->number[items[i]], w->interests[u][j]);
        }
        most = PQ_MAX(most, met);
    }
    return (double)most / NEAREST;
}

static void nearest(const world *w, const pq_view *view, const float *vector, uint32_t *items) {
    uint8_t excluded[(ITEMS + 2) / 8 + 1] = {0};
    pq_hit hits[NEAREST];
    pq_arena arena;
    uint32_t found;
    pq_arena_init(&arena, w->ctx);
    pq_exclude(excluded, 0);
    pq_exclude(excluded, w->data->item_rows - 1);
    for (uint32_t i = 0; i < view->history_count; i++) {
        pq_exclude(excluded, view->history[i]);
    }
    pq_scan scan = {.table = &w->model->vectors,
                    .interests = vector,
                    .interest_count = 1,
                    .excluded = excluded,
                    .count = NEAREST};
    assert_ok(w->ctx, pq_scan_top(&arena, &scan, hits, &found));
    assert_int_equal(found, NEAREST);
    for (uint32_t i = 0; i < found; i++) {
        items[i] = hits[i].row;
    }
    pq_arena_free(&arena);
}

static void draw_popular(const world *w, pq_rng *rng, uint32_t *items) {
    uint64_t events = 0;
    for (uint32_t i = 1; i <= w->data->items.count; i++) {
        events += w->data->popularity[i];
    }
    for (int n = 0; n < NEAREST; n++) {
        uint32_t at = pq_rng_below(rng, (uint32_t)events), item = 1;
        while (at >= w->data->popularity[item]) {
            at -= w->data->popularity[item++];
        }
        items[n] = item;
    }
}

/* ---- the test ---- */

typedef struct {
    double index, shuffled; /* sums over viewers */
    int viewers;
    double near, popular; /* sums over interest vectors */
    int vectors;
} sums;

static void measure(const world *w, uint32_t u, sums *s) {
    pq_view view;
    pique_interests in;
    partitions p;
    uint32_t items[NEAREST];
    pq_rng rng = pq_rng_make(1, u, 0);
    if (w->interest_count[u] < 2 || !pq_dataset_view(w->data, u, PQ_SPLIT_TEST, &view)) {
        return;
    }
    const pique_query q = {.history = view.history, .history_count = view.history_count};
    assert_ok(w->ctx, pique_session_interests(w->session, &q, &in));
    if (divide(w, u, &view, &in, &p)) {
        s->index += rand_index(&p);
        shuffle(&p, &rng);
        s->shuffled += rand_index(&p);
        s->viewers++;
    }
    for (uint32_t k = 0; k < in.live; k++) {
        nearest(w, &view, in.vectors + k * pique_model_width(w->model), items);
        s->near += agreement(w, u, items);
        draw_popular(w, &rng, items);
        s->popular += agreement(w, u, items);
        s->vectors++;
    }
}

static void test_interests_are_the_planted_ones(void **state) {
    (void)state;
    world *w = malloc(sizeof(*w));
    sums s = {0};
    assert_non_null(w);
    open_world(w);
    for (uint32_t u = 0; u < w->data->user_count; u++) {
        measure(w, u, &s);
    }
    double index = s.index / s.viewers, shuffled = s.shuffled / s.viewers;
    double near = s.near / s.vectors, popular = s.popular / s.vectors;
    print_message("adjusted Rand index %.3f, shuffled %.3f (%d viewers); of the nearest %d items "
                  "%.3f satisfy one planted interest, of popular ones %.3f\n",
                  index, shuffled, s.viewers, NEAREST, near, popular);
    assert_true(s.viewers > VIEWERS / 2);
    assert_true(fabs(shuffled) < 0.05); /* chance is 0: the measure does not flatter */
    assert_true(index > 0.15);
    assert_true(near > 2 * popular);
    close_world(w);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rand_index),
        cmocka_unit_test(test_interests_are_the_planted_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
