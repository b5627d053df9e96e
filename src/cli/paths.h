/* File names: joined, made absolute, never looked up. */
#ifndef DT_CLI_PATHS_H
#define DT_CLI_PATHS_H

#include "base/memory.h"
#include "deltoid/status.h"

/* folder/file, or file itself where it is absolute; "./" left out. NULL when memory is out. */
char *dt_path_join(dt_arena *arena, const char *folder, const char *file);

/* The current directory, and the absolute name of the folder that a file is in. In the arena. */
dt_status dt_path_here(dt_arena *arena, const char **folder, dt_error *error);
dt_status dt_path_folder(dt_arena *arena, const char *file, const char **folder, dt_error *error);

/* The file of this program, for starting it again. DT_SYSTEM. */
enum { DT_PROGRAM_PATH = 4096 };
dt_status dt_path_program(char path[DT_PROGRAM_PATH], dt_error *error);

#endif
