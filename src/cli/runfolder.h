/* The folder of a run: made exclusively, never over an existing one. */
#ifndef DT_CLI_RUNFOLDER_H
#define DT_CLI_RUNFOLDER_H

#include <stdbool.h>

#include "base/memory.h"
#include "cli/config.h"
#include "deltoid/status.h"

/* DT_EXISTS where `out` is there already, so that a command can say so before it does any work. */
dt_status dt_runfolder_check(const char *out, dt_error *error);

/* Makes the folders above the last part of `path`, and with `whole` that too, where they aren't there yet. */
dt_status dt_folders_make(const char *path, bool whole, dt_arena *arena, dt_error *error);

/* DT_EXISTS where something is there that isn't to be gone on with: the folder of a sweep or study. */
dt_status dt_folder_check(const char *folder, bool resume, dt_error *error);

/* Makes `out`, or where it is NULL results/<name>/<UTC time>-<config hash>-s<seed>/ under the current directory, with
 * the folders above it. *folder is allocated in the arena. */
dt_status dt_runfolder_make(const char **folder, const char *out, const dt_config *config, dt_arena *arena,
                            dt_error *error);

/* Takes the run's folder for this process, until it ends: no two may write it. DT_EXISTS while another has it. The lock
 * is the open file RUN/lock, never closed: the end of the process, whatever it was, gives the folder free. */
dt_status dt_runfolder_lock(const char *folder, dt_arena *arena, dt_error *error);

#endif
