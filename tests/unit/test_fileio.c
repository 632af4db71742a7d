/* test_fileio.c — files read whole, written whole or not at all, and logs. */
#include "testing.h"

#include "native/data/fileio.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LIMIT ((size_t)1 << 24)

typedef struct {
    testing t;
    char folder[TESTING_PATH];
    char path[TESTING_PATH];
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    testing_open(&f->t);
    testing_folder(f->folder);
    testing_path(f->path, f->folder, "file");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    testing_close(&f->t);
    testing_folder_remove(f->folder);
    free(f);
    return 0;
}

/* Only an empty folder lets itself be removed. */
static void expect_empty_folder(const fixture *f) {
    assert_int_equal(rmdir(f->folder), 0);
    assert_int_equal(mkdir(f->folder, 0700), 0);
}

static void expect_content(fixture *f, const char *path, const void *bytes, size_t size) {
    void *read;
    size_t count;
    assert_ok(&f->t.ctx, pq_file_read(&f->t.ctx, path, LIMIT, &read, &count));
    assert_int_equal(count, size);
    assert_memory_equal(read, bytes, size);
    assert_int_equal(((const char *)read)[size], 0);
    pq_free(&f->t.ctx, read);
}

static char *pattern(size_t size) {
    char *bytes = malloc(size);
    assert_non_null(bytes);
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (char)(x >> 28);
    }
    return bytes;
}

static void test_round_trip(void **state) {
    fixture *f = *state;
    static const size_t sizes[] = {1, 2, 3, 65536, 262142, 262143, 262144, 1000003};
    char *bytes = pattern(1000003);
    for (size_t i = 0; i < PQ_COUNT(sizes); i++) {
        for (int gzip = 0; gzip < 2; gzip++) {
            assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, f->path, bytes, sizes[i], gzip));
            expect_content(f, f->path, bytes, sizes[i]);
            uint64_t size;
            assert_ok(&f->t.ctx, pq_file_size(&f->t.ctx, f->path, &size));
            assert_true(gzip ? size < sizes[i] + 40 : size == sizes[i]);
        }
    }
    free(bytes);
    assert_int_equal(unlink(f->path), 0);
    expect_empty_folder(f);
}

static void test_gzip_is_reproducible(void **state) {
    fixture *f = *state;
    char *bytes = pattern(300000);
    size_t size, again_size;
    assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, f->path, bytes, 300000, true));
    char *first = testing_read(f->path, &size);
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255};
    assert_memory_equal(first, head, sizeof(head)); /* no flags, no time, level 9, no system */
    pq_output out;                                  /* in uneven parts */
    assert_ok(&f->t.ctx, pq_output_open(&out, &f->t.ctx, f->path, true));
    for (size_t at = 0, part = 1; at < 300000; at += part, part = PQ_MIN(part * 3, 300000 - at)) {
        assert_ok(&f->t.ctx, pq_output_write(&out, bytes + at, part));
    }
    assert_ok(&f->t.ctx, pq_output_commit(&out));
    char *second = testing_read(f->path, &again_size);
    assert_int_equal(size, again_size);
    assert_memory_equal(first, second, size);
    free(first);
    free(second);
    free(bytes);
}

static void test_members_are_joined(void **state) {
    fixture *f = *state;
    char *bytes = pattern(500000);
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 5; i++) {
        char part[TESTING_PATH];
        testing_path(part, f->folder, "part");
        assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, part, bytes + i * 100000, 100000, true));
        size_t size;
        char *member = testing_read(part, &size);
        assert_int_equal(fwrite(member, 1, size, file), size);
        free(member);
    }
    assert_int_equal(fclose(file), 0);
    expect_content(f, f->path, bytes, 500000);
    free(bytes);
}

static void expect_unreadable(fixture *f, const char *path, size_t limit, pique_status code,
                              const char *reason) {
    void *bytes;
    size_t size;
    pique_status status = pq_file_read(&f->t.ctx, path, limit, &bytes, &size);
    assert_failure(&f->t.ctx, status, code, reason);
    assert_failure(&f->t.ctx, status, code, path);
    assert_null(bytes);
    assert_int_equal(f->t.live, 0);
}

static void test_read_failures(void **state) {
    fixture *f = *state;
    expect_unreadable(f, f->path, LIMIT, PIQUE_IO, "No such file");
    expect_unreadable(f, f->folder, LIMIT, PIQUE_IO, "directory");
    testing_write(f->path, "", 0);
    expect_unreadable(f, f->path, LIMIT, PIQUE_IO, "the file is empty");
    testing_write_text(f->path, "\x1f");
    expect_content(f, f->path, "\x1f", 1);
    testing_write_text(f->path, "12345");
    expect_unreadable(f, f->path, 4, PIQUE_IO, "larger than the limit of 4 bytes");
    void *bytes;
    size_t size;
    assert_ok(&f->t.ctx, pq_file_read(&f->t.ctx, f->path, 5, &bytes, &size));
    pq_free(&f->t.ctx, bytes);
}

static void test_damaged_gzip(void **state) {
    fixture *f = *state;
    char *bytes = pattern(2000);
    assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, f->path, bytes, 2000, true));
    size_t size;
    char *file = testing_read(f->path, &size);
    for (size_t cut = 2; cut < size; cut += 7) {
        testing_write(f->path, file, cut);
        expect_unreadable(f, f->path, LIMIT, PIQUE_CORRUPT, "damaged gzip data");
    }
    for (size_t at = 10; at < size; at += 13) { /* the checksum finds what the format does not */
        file[at] ^= 4;
        testing_write(f->path, file, size);
        expect_unreadable(f, f->path, LIMIT, PIQUE_CORRUPT, "damaged gzip data");
        file[at] ^= 4;
    }
    file[size] = 'x'; /* the terminator's place */
    testing_write(f->path, file, size + 1);
    expect_unreadable(f, f->path, LIMIT, PIQUE_CORRUPT, "damaged gzip data");
    free(file);
    free(bytes);
}

static void test_decompression_bomb(void **state) {
    fixture *f = *state;
    char *zeros = calloc(1, LIMIT);
    assert_non_null(zeros);
    assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, f->path, zeros, LIMIT, true));
    uint64_t size;
    assert_ok(&f->t.ctx, pq_file_size(&f->t.ctx, f->path, &size));
    assert_true(size < 20000);
    expect_unreadable(f, f->path, 1000000, PIQUE_IO, "limit of 1000000 bytes when decompressed");
    expect_unreadable(f, f->path, LIMIT - 1, PIQUE_IO, "when decompressed");
    expect_content(f, f->path, zeros, LIMIT);
    free(zeros);
}

static void test_nothing_appears_before_commit(void **state) {
    fixture *f = *state;
    pq_output out;
    testing_write_text(f->path, "old");
    assert_ok(&f->t.ctx, pq_output_open(&out, &f->t.ctx, f->path, false));
    assert_ok(&f->t.ctx, pq_output_write(&out, "new text", 8));
    expect_content(f, f->path, "old", 3);
    pq_output_discard(&out);
    pq_output_discard(&out); /* again does nothing */
    expect_content(f, f->path, "old", 3);
    assert_int_equal(unlink(f->path), 0);
    expect_empty_folder(f); /* no .part either */
}

static void test_stale_part_is_taken_over(void **state) {
    fixture *f = *state;
    char part[TESTING_PATH];
    testing_path(part, f->folder, "file.part");
    testing_write_text(part, "left by a killed process, longer than the new text");
    assert_ok(&f->t.ctx, pq_file_write(&f->t.ctx, f->path, "new", 3, false));
    expect_content(f, f->path, "new", 3);
    assert_false(pq_file_exists(part));
}

static void test_two_writers(void **state) {
    fixture *f = *state;
    pq_output out;
    assert_ok(&f->t.ctx, pq_output_open(&out, &f->t.ctx, f->path, false));
    pid_t child = fork(); /* locks hold between processes */
    assert_true(child >= 0);
    if (child == 0) {
        pq_output second;
        pique_status status = pq_output_open(&second, &f->t.ctx, f->path, false);
        _exit(status == PIQUE_IO && strstr(f->t.ctx.error, "another process") ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_ok(&f->t.ctx, pq_output_write(&out, "mine", 4));
    assert_ok(&f->t.ctx, pq_output_commit(&out));
    expect_content(f, f->path, "mine", 4);
}

static void test_unwritable_targets(void **state) {
    fixture *f = *state;
    char deep[TESTING_PATH];
    pq_output out;
    testing_path(deep, f->folder, "absent/file");
    assert_failure(&f->t.ctx, pq_output_open(&out, &f->t.ctx, deep, false), PIQUE_IO,
                   "absent/file: No such file");
    assert_failure(&f->t.ctx, pq_output_open(&out, &f->t.ctx, f->folder, true), PIQUE_IO,
                   "directory");
    assert_failure(&f->t.ctx, pq_output_open(&out, &f->t.ctx, "/dev/null", false), PIQUE_IO,
                   "/dev/null: not a regular file");
    expect_empty_folder(f);
}

/* A limit on the size of files fails as a full disk does: in the middle of writing. */
static void test_failed_write_leaves_nothing(void **state) {
    fixture *f = *state;
    struct rlimit before, small;
    char *bytes = pattern(400000);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    pique_status status[2];
    char message[2][512];
    pq_journal log;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int gzip = 0; gzip < 2; gzip++) {
        status[gzip] = pq_file_write(&f->t.ctx, f->path, bytes, 400000, gzip);
        memcpy(message[gzip], f->t.ctx.error, sizeof(f->t.ctx.error));
    }
    expect_empty_folder(f);
    assert_ok(&f->t.ctx, pq_journal_open(&log, &f->t.ctx, f->path, 0));
    pique_status appended = pq_journal_append(&log, bytes, 90000);
    pique_status refused = pq_journal_append(&log, bytes, 20000); /* half of it would fit */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    for (int gzip = 0; gzip < 2; gzip++) {
        assert_int_equal(status[gzip], PIQUE_IO);
        assert_non_null(strstr(message[gzip], "file: File too large"));
    }
    assert_int_equal(appended, PIQUE_OK);
    assert_failure(&f->t.ctx, refused, PIQUE_IO, "file: File too large");
    pq_journal_close(&log);
    expect_content(f, f->path, bytes, 90000);
    free(bytes);
}

static void test_disk_full(void **state) {
    fixture *f = *state;
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) {
        skip();
    }
    /* A real device that is always full, in place of the file that was opened. */
    pq_output out;
    assert_ok(&f->t.ctx, pq_output_open(&out, &f->t.ctx, f->path, false));
    assert_true(dup2(full, fileno(out.file)) >= 0);
    close(full);
    (void)pq_output_write(&out, "text", 4);
    assert_failure(&f->t.ctx, pq_output_commit(&out), PIQUE_IO, "file: No space left on device");
    expect_empty_folder(f);
}

static void test_log_continues_where_told(void **state) {
    fixture *f = *state;
    pq_journal log;
    assert_failure(&f->t.ctx, pq_journal_open(&log, &f->t.ctx, f->path, 3), PIQUE_IO,
                   "No such file");
    assert_ok(&f->t.ctx, pq_journal_open(&log, &f->t.ctx, f->path, 0));
    assert_ok(&f->t.ctx, pq_journal_append(&log, "one\n", 4));
    assert_ok(&f->t.ctx, pq_journal_append(&log, "two\n", 4));
    assert_ok(&f->t.ctx, pq_journal_sync(&log));
    assert_true(log.length == 8);
    expect_content(f, f->path, "one\ntwo\n", 8);
    pq_journal_close(&log);
    assert_ok(&f->t.ctx, pq_journal_open(&log, &f->t.ctx, f->path, 4));
    expect_content(f, f->path, "one\n", 4);
    assert_ok(&f->t.ctx, pq_journal_append(&log, "2\n", 2));
    pq_journal_close(&log);
    pq_journal_close(&log);
    expect_content(f, f->path, "one\n2\n", 6);
    assert_failure(&f->t.ctx, pq_journal_open(&log, &f->t.ctx, f->path, 7), PIQUE_IO,
                   "has 6 bytes, fewer than the 7");
    expect_content(f, f->path, "one\n2\n", 6);
}

static void test_names(void **state) {
    fixture *f = *state;
    char deep[TESTING_PATH], file[TESTING_PATH];
    testing_path(deep, f->folder, "a/b//c");
    assert_false(pq_folder_exists(deep));
    assert_ok(&f->t.ctx, pq_folder_make(&f->t.ctx, deep));
    assert_ok(&f->t.ctx, pq_folder_make(&f->t.ctx, deep));
    assert_true(pq_folder_exists(deep));
    assert_false(pq_file_exists(deep));
    testing_write_text(testing_path(file, deep, "x"), "x");
    assert_true(pq_file_exists(file));
    assert_false(pq_folder_exists(file));
    assert_failure(&f->t.ctx, pq_folder_make(&f->t.ctx, file), PIQUE_IO, "c/x: File exists");
    char *joined = pq_path_join(&f->t.ctx, "runs", "a");
    assert_string_equal(joined, "runs/a");
    pq_free(&f->t.ctx, joined);
    joined = pq_path_join(&f->t.ctx, "runs/", "a");
    assert_string_equal(joined, "runs/a");
    pq_free(&f->t.ctx, joined);
    joined = pq_path_join(&f->t.ctx, "", "a");
    assert_string_equal(joined, "a");
    pq_free(&f->t.ctx, joined);
    uint64_t size;
    testing_path(file, f->folder, "absent");
    assert_failure(&f->t.ctx, pq_file_size(&f->t.ctx, file, &size), PIQUE_IO, "absent: No such");
}

static pique_status write_and_read(testing *t, void *argument) {
    const char *path = argument;
    void *bytes;
    size_t size;
    PQ_TRY(pq_file_write(&t->ctx, path, "some text", 9, true));
    PQ_TRY(pq_file_read(&t->ctx, path, LIMIT, &bytes, &size));
    pq_free(&t->ctx, bytes);
    return PIQUE_OK;
}

static void test_without_memory(void **state) {
    fixture *f = *state;
    testing_fail_each(write_and_read, f->path);
    assert_int_equal(unlink(f->path), 0);
    expect_empty_folder(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),
        TEST(test_gzip_is_reproducible),
        TEST(test_members_are_joined),
        TEST(test_read_failures),
        TEST(test_damaged_gzip),
        TEST(test_decompression_bomb),
        TEST(test_nothing_appears_before_commit),
        TEST(test_stale_part_is_taken_over),
        TEST(test_two_writers),
        TEST(test_unwritable_targets),
        TEST(test_failed_write_leaves_nothing),
        TEST(test_disk_full),
        TEST(test_log_continues_where_told),
        TEST(test_names),
        TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
