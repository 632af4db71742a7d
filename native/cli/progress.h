/* progress.h — shows the progress of a long call on stderr: on a terminal a bar with rate and time left,
 * elsewhere a plain line every few seconds. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "pique_train.h"

typedef struct {
    bool terminal;
    bool drawn;     /* a bar stands on the last line of the terminal */
    char phase[32]; /* of the last report */
    double shown;   /* seconds of the phase at the last report that was shown */
    bool (*cancelled)(void);
} progress;

/* cancelled: asked by long calls whether to stop; NULL: never. */
void progress_begin(progress *p, bool (*cancelled)(void));
/* What the library is given; p outlives its use. */
pique_listener progress_listener(progress *p);
/* Takes the bar away, so that other output can follow. */
void progress_end(progress *p);

#endif
