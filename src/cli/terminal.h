/* What standard output and standard error are. */
#ifndef DT_CLI_TERMINAL_H
#define DT_CLI_TERMINAL_H

#include <stdbool.h>

#include "deltoid/status.h"

/* Descriptors 0 to 2 that are closed would be given to the next files that are opened, and messages written into them:
 * reserves them. */
void dt_terminal_reserve(void);

bool dt_terminal_redraws(int fd); /* a terminal that can erase a line */
bool dt_terminal_colours(int fd); /* that, and NO_COLOR is not set */
int dt_terminal_width(int fd);    /* columns, 80 where it isn't known */

/* DT_IO where something that was printed did not arrive. */
dt_status dt_terminal_flush(dt_error *error);

#endif
