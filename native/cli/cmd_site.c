/* cmd_site.c — `pique site`: starts the program of the npm package, which writes what a static site serves. The engine and
 * the element are that package's, so what copies them is, too; this only finds it. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "site"
#define PATH_ROOM 4096

/* Where the package's dist/ may be beside this program: in the project's tree, and installed. */
static const char *const places[] = {"../../dist", "../share/pique/dist", "dist"};

/* The folder of this program, where the system tells it. */
static bool own_folder(char *out) {
    ssize_t size = readlink("/proc/self/exe", out, PATH_ROOM - 1);
    if (size <= 0) {
        return false;
    }
    out[size] = 0;
    char *slash = strrchr(out, '/');
    if (slash) {
        *slash = 0;
    }
    return slash != NULL;
}

/* folder/cli.js, when there is one. */
static bool program_in(const char *folder, char *out) {
    int size = snprintf(out, PATH_ROOM, "%s/cli.js", folder);
    return size > 0 && size < PATH_ROOM && access(out, R_OK) == 0;
}

static bool program_beside(char *out) {
    char own[PATH_ROOM], folder[2 * PATH_ROOM];
    if (!own_folder(own)) {
        return false;
    }
    for (size_t i = 0; i < CLI_COUNT(places); i++) {
        snprintf(folder, sizeof(folder), "%s/%s", own, places[i]);
        if (program_in(folder, out)) {
            return true;
        }
    }
    return false;
}

/* The folder that --dist or PIQUE_DIST names, NULL: none. */
static const char *asked_folder(int count, char **arguments) {
    const char *asked = getenv("PIQUE_DIST");
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "--dist=", 7) == 0) {
            asked = arguments[i] + 7;
        } else if (strcmp(arguments[i], "--dist") == 0 && i + 1 < count) {
            asked = arguments[i + 1];
        }
    }
    return asked && asked[0] ? asked : NULL;
}

cli_exit cmd_site(int count, char **arguments) {
    static char node[] = "node", command[] = COMMAND;
    char program[PATH_ROOM];
    const char *asked = asked_folder(count, arguments);
    if (asked && !program_in(asked, program)) {
        return cli_error(COMMAND, CLI_FAILURE,
                         "%s is not the npm package's dist/: it has no cli.js", asked);
    }
    if (!asked && !program_beside(program)) {
        return cli_error(COMMAND, CLI_FAILURE,
                         "the npm package's dist/ is not beside this program; name it by --dist or "
                         "PIQUE_DIST, or run `npx pique site`");
    }
    char **all = calloc((size_t)count + 4, sizeof(*all));
    if (!all) {
        return cli_no_memory(COMMAND);
    }
    all[0] = node;
    all[1] = program;
    all[2] = command;
    memcpy(all + 3, arguments, (size_t)count * sizeof(*all));
    execvp(node, all);
    const char *reason = strerror(errno);
    free(all);
    return cli_error(COMMAND, CLI_FAILURE, "it takes Node.js 18 or newer: node: %s", reason);
}
