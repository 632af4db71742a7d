/* main.c — the program `pique`: picks the subcommand. */
#include "args.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Blocks from here on go back to the system when they are released. */
#define LARGE_BLOCK (1 << 20)

typedef struct {
    const char *name;
    const char *summary;
    cli_exit (*run)(int count, char **arguments);
} command;

static const command commands[] = {
    {"train", "train a model on a data set", cmd_train},
    {"pretrain", "make vectors of items from their features and neighbours", cmd_pretrain},
    {"content", "make a model of texts and tags, without interactions", cmd_content},
    {"eval", "measure a model beside popularity and item-kNN", cmd_eval},
    {"export", "write a model again, smaller", cmd_export},
    {"recommend", "the best items for a history", cmd_recommend},
    {"rank", "given candidates in order for a history", cmd_rank},
    {"info", "what a model file holds", cmd_info},
    {"models", "the systems that can be trained, and their options", cmd_models},
    {"simulate", "make a data set of viewers with known interests", cmd_simulate},
    {"site", "write what a static site serves (by the npm package)", cmd_site},
};

static const command *find_command(const char *name) {
    for (size_t i = 0; i < CLI_COUNT(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void print_help(FILE *out) {
    fputs("usage: pique COMMAND [arguments]\n\n"
          "Trains recommendation models and makes the files that web pages serve them from.\n\n",
          out);
    for (size_t i = 0; i < CLI_COUNT(commands); i++) {
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`pique help COMMAND` tells the options of a command; `pique --version` the version.\n"
          "PIQUE_ISA (scalar, v128, avx2, avx512, avx512vnni, best) picks the instruction set.\n",
          out);
}

static cli_exit unknown_command(const char *name) {
    const char *names[CLI_COUNT(commands)];
    for (size_t i = 0; i < CLI_COUNT(commands); i++) {
        names[i] = commands[i].name;
    }
    const char *meant = args_nearest(name, names, CLI_COUNT(commands));
    return meant ? cli_error("", CLI_USAGE, "there is no command \"%s\"; did you mean %s?", name,
                             meant)
                 : cli_error("", CLI_USAGE, "there is no command \"%s\"", name);
}

static cli_exit help(const char *name) {
    char option[] = "--help";
    char *arguments[] = {option};
    const command *found = name ? find_command(name) : NULL;
    if (!name) {
        print_help(stdout);
        return CLI_OK;
    }
    return found ? found->run(1, arguments) : unknown_command(name);
}

static cli_exit run(int count, char **arguments) {
    if (count < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = arguments[1];
    if (strcmp(name, "--version") == 0) {
        puts("pique " PIQUE_VERSION_TEXT);
        return CLI_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(count > 2 ? arguments[2] : NULL);
    }
    const command *found = find_command(name);
    return found ? found->run(count - 2, arguments + 2) : unknown_command(name);
}

/* By default glibc keeps ever larger released blocks, in pieces that the next larger ones do not fit into:
 * after reading large data, training then takes half as much memory again. */
static void give_memory_back(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
#endif
}

int main(int count, char **arguments) {
    give_memory_back();
    /* A closed pipe becomes a failed write, which is told. */
    signal(SIGPIPE, SIG_IGN);
    cli_exit code = run(count, arguments);
    const char *name = count > 1 && find_command(arguments[1]) ? arguments[1] : "";
    cli_exit written = code == CLI_OK ? cli_check_output(name) : CLI_OK;
    return code == CLI_OK ? written : code;
}
