/* replay_corpus.c — runs the fuzz targets over the inputs that are kept, in ordinary builds without
 * libFuzzer: `replay_corpus FOLDER` takes FOLDER/<target>/<input>. A new target is four lines here; the
 * names of its static functions must differ from the other targets'. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LLVMFuzzerTestOneInput fuzz_blocks
#include "fuzz_blocks.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_container
#include "fuzz_container.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_json
#include "fuzz_json.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_model
#include "fuzz_model.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_readers
#include "fuzz_readers.c"
#undef LLVMFuzzerTestOneInput

static const struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} targets[] = {
    {"blocks", fuzz_blocks}, {"container", fuzz_container}, {"json", fuzz_json},
    {"model", fuzz_model},   {"readers", fuzz_readers},
};

#define MAX_INPUT ((size_t)1 << 20)

static int replay_file(const char *path, int (*run)(const uint8_t *data, size_t size)) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(MAX_INPUT);
    if (!file || !bytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(bytes);
        if (file) {
            fclose(file);
        }
        return 1;
    }
    size_t size = fread(bytes, 1, MAX_INPUT, file);
    fclose(file);
    int result = run(bytes, size);
    free(bytes);
    return result;
}

/* How many inputs were run; -1 on failure. */
static int replay_target(const char *corpus, const char *name,
                         int (*run)(const uint8_t *data, size_t size)) {
    char path[4096];
    int count = 0, bad = 0;
    snprintf(path, sizeof(path), "%s/%s", corpus, name);
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s/%s", corpus, name, entry->d_name);
            bad += replay_file(path, run) != 0;
            count++;
        }
    }
    closedir(folder);
    return bad ? -1 : count;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: replay_corpus FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        int count = replay_target(argv[1], targets[i].name, targets[i].run);
        printf("%s: %d inputs\n", targets[i].name, count);
        if (count < 1) { /* an empty corpus would show nothing */
            return 1;
        }
    }
    return 0;
}
