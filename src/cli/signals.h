/* SIGINT, SIGTERM and SIGHUP while training: the first asks the trainer to stop after the step at hand, the second
 * leaves at once. */
#ifndef DT_CLI_SIGNALS_H
#define DT_CLI_SIGNALS_H

#include "deltoid/trainer.h"

/* From here on signals stop this trainer; before, they end the program at once. */
void dt_signals_watch(dt_trainer *trainer);

/* The trainer is about to be destroyed: signals still count, and do no more. */
void dt_signals_forget(void);

/* For a program that waits for others, and ends by itself: signals are kept, and end the waiting, nothing else. */
void dt_signals_note(void);

/* The first signal that came, 0 while none did. The exit status of a program stopped by signal s is 128 + s. */
int dt_signals_caught(void);
const char *dt_signals_name(void); /* "SIGINT" */

/* Writing to a closed pipe or beyond the limit of a file's size becomes an error of that write, with a message, in
 * place of a silent death. */
void dt_signals_keep_writes(void);

#endif
