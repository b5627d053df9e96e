/* Manual pages (roff) and shell completion, made from the tables that `deltoid help` is made from. */
#ifndef DT_CLI_MANUAL_H
#define DT_CLI_MANUAL_H

#include "deltoid/status.h"

/* Writes into an existing folder: deltoid.1, a page for each command (deltoid-train.1, ...), deltoid-experiment.5, and
 * completion for bash (deltoid.bash), zsh (_deltoid) and fish (deltoid.fish). DT_IO, DT_NO_MEMORY. */
dt_status dt_manual_write(const char *folder, dt_error *error);

#endif
