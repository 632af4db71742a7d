#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_CELLS 24
#define BAR_SECONDS 0.1 /* between two drawings */
#define LINE_SECONDS 5.0

/* "0:07", "12:34", "1:02:03" */
static void print_duration(double seconds, char *out, size_t size) {
    unsigned long whole = seconds < 3.6e6 ? (unsigned long)(seconds + 0.5) : 3600000ul;
    unsigned long hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours) {
        snprintf(out, size, "%lu:%02lu:%02lu", hours, minutes, whole % 60);
    } else {
        snprintf(out, size, "%lu:%02lu", minutes, whole % 60);
    }
}

static void erase(progress *p) {
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        p->drawn = false;
    }
}

static void draw(progress *p, const pique_progress *now) {
    char bar[BAR_CELLS + 1], left[24], details[64] = "";
    double share = now->total ? (double)now->done / (double)now->total : 0;
    double rate = now->seconds > 0 ? (double)now->done / now->seconds : 0;
    share = share > 1 ? 1 : share;
    print_duration(rate > 0 ? (double)(now->total - now->done) / rate : 0, left, sizeof(left));
    if (now->epoch) {
        snprintf(details, sizeof(details), ", epoch %u, loss %.4f", (unsigned)now->epoch,
                 now->value);
    }
    if (p->terminal) {
        size_t cells = (size_t)(share * BAR_CELLS);
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', cells);
        bar[BAR_CELLS] = 0;
        fprintf(stderr, "\r%s [%s] %3.0f%%  %.*f/s, %s left%s\033[K", now->phase, bar, 100 * share,
                rate < 10 ? 2 : 0, rate, left, details);
        fflush(stderr);
        p->drawn = true;
    } else {
        fprintf(stderr, "%s %lu of %lu (%.0f%%), %.*f/s, %s left%s\n", now->phase,
                (unsigned long)now->done, (unsigned long)now->total, 100 * share, rate < 10 ? 2 : 0,
                rate, left, details);
    }
}

static void on_progress(void *user, const pique_progress *now) {
    progress *p = user;
    if (strncmp(p->phase, now->phase, sizeof(p->phase) - 1) != 0) {
        snprintf(p->phase, sizeof(p->phase), "%s", now->phase);
        p->shown = now->seconds; /* a short phase shows nothing */
    }
    if (now->seconds < p->shown) {
        p->shown = now->seconds; /* the same phase has begun again */
    }
    if (now->seconds - p->shown >= (p->terminal ? BAR_SECONDS : LINE_SECONDS)) {
        p->shown = now->seconds;
        draw(p, now);
    }
}

static void on_log(void *user, const char *line) {
    progress *p = user;
    erase(p);
    fprintf(stderr, "%s\n", line);
}

static bool on_cancelled(void *user) {
    const progress *p = user;
    return p->cancelled && p->cancelled();
}

void progress_begin(progress *p, bool (*cancelled)(void)) {
    *p = (progress){.terminal = isatty(STDERR_FILENO) == 1, .cancelled = cancelled};
}

pique_listener progress_listener(progress *p) {
    return (pique_listener){
        .progress = on_progress, .log = on_log, .cancelled = on_cancelled, .user = p};
}

void progress_end(progress *p) {
    erase(p);
}
