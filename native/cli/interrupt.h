/* interrupt.h — Ctrl-C during long work. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* The first Ctrl-C asks the work to stop; the second ends the program at once. */
void interrupt_catch(void);
bool interrupt_came(void);

#endif
